#include "lane.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bridge.h"
#include "config.h"
#include "host_call.h"
#include "log.h"
#include "memory.h"
#include "module.h"

enum { READ_SIZE = 64 << 10, READS_PER_EVENT = 16 };

Lane *lane_list;
static uint32_t last_number;
static bool flush_wanted;

static void on_event(int fd, void *lane, int mask);

Lane *lane_open(int fd) {
    Lane *lane = memory_zalloc(sizeof(Lane));
    lane->fd = fd;
    lane->number = ++last_number;
    lane->opened_at = clock_microseconds();
    lane->calls_end = &lane->calls;
    lane->held_end = &lane->held_calls;
    if (RedisModule_EventLoopAdd(fd, REDISMODULE_EVENTLOOP_READABLE, on_event, lane) != REDISMODULE_OK) {
        log_line(LOG_WARNING, "cannot watch a connection of the host: %s (raise maxclients)", strerror(errno));
        close(fd);
        memory_free(lane);
        return NULL;
    }
    lane->next = lane_list;
    lane_list = lane;
    return lane;
}

int lane_count(void) {
    int count = 0;
    for (Lane *lane = lane_list; lane; lane = lane->next) count += lane->fd >= 0;
    return count;
}

Lane *lane_control(void) {
    for (Lane *lane = lane_list; lane; lane = lane->next) {
        if (lane->fd >= 0 && lane->greeted && lane->kind == LANE_CONTROL) return lane;
    }
    return NULL;
}

/* ===== Output ===== */

void lane_written(Lane *lane) {
    lane->frames_out++;
    lane->queued = true;
    flush_wanted = true;
}

void lane_flush(Lane *lane) {
    lane->queued = false;
    while (lane->fd >= 0 && buffer_length(&lane->out) > 0) {
        ssize_t sent = send(lane->fd, buffer_front(&lane->out), buffer_length(&lane->out), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno == EINTR) continue;
        if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            if (!lane->writable_wanted) {
                lane->writable_wanted = true;
                RedisModule_EventLoopAdd(lane->fd, REDISMODULE_EVENTLOOP_WRITABLE, on_event, lane);
            }
            return;
        }
        if (sent < 0) {
            lane_close(lane, strerror(errno));
            return;
        }
        lane->bytes_out += (uint64_t)sent;
        buffer_consume(&lane->out, (size_t)sent);
    }
    if (lane->writable_wanted && lane->fd >= 0) {
        lane->writable_wanted = false;
        RedisModule_EventLoopDel(lane->fd, REDISMODULE_EVENTLOOP_WRITABLE);
    }
}

void lane_flush_all(void) {
    if (!flush_wanted) return;
    flush_wanted = false;
    for (Lane *lane = lane_list; lane; lane = lane->next) {
        /* A full socket is written again when the event loop says so. */
        if (lane->queued && !lane->writable_wanted) lane_flush(lane);
    }
}

void lane_flush_until(uint64_t deadline) {
    for (Lane *lane = lane_list; lane; lane = lane->next) {
        for (lane_flush(lane); lane->fd >= 0 && buffer_length(&lane->out) > 0; lane_flush(lane)) {
            uint64_t now = clock_microseconds();
            if (now >= deadline) break;
            struct pollfd waited = {.fd = lane->fd, .events = POLLOUT};
            poll(&waited, 1, (int)((deadline - now + 999) / 1000));
        }
    }
}

bool lane_has_room(const Lane *lane, size_t bytes) {
    size_t waiting = buffer_length(&lane->out);
    if (waiting == 0) return true;
    if (waiting + bytes > (size_t)config.lane_buffer) return false;
    size_t total = bytes;
    for (const Lane *l = lane_list; l; l = l->next) total += buffer_length(&l->out);
    return total <= (size_t)config.buffer_total;
}

void lane_tell_gap(Lane *lane) {
    frame_end(&lane->out, frame_begin(&lane->out, FRAME_GAP, 0, 0, lane->events_missed));
    lane_written(lane);
    lane->events_missed = 0;
}

void lane_ping(Lane *lane) {
    if (lane->ping_sent_at || lane->fd < 0) return;
    lane->ping_sent_at = clock_microseconds();
    frame_end(&lane->out, frame_begin(&lane->out, FRAME_PING, 0, 0, ++lane->ping_cookie));
    lane_written(lane);
}

/* ===== Input ===== */

/* False when the lane was closed. */
static bool handle_frames(Lane *lane) {
    for (;;) {
        Frame frame;
        size_t size;
        FrameParse parsed = frame_parse(buffer_front(&lane->in), buffer_length(&lane->in), &frame, &size);
        if (parsed == FRAME_MALFORMED) {
            lane_close(lane, "protocol error: a frame's length is out of range");
            return false;
        }
        if (parsed == FRAME_NEEDS_MORE) return true;
        lane->frames_in++;
        const char *problem = bridge_handle_frame(lane, &frame);
        if (problem) lane_close(lane, problem);
        if (lane->fd < 0) return false;
        buffer_consume(&lane->in, size);
    }
}

/* One read and the frames in it. True when there may be more to read. */
static bool read_once(Lane *lane) {
    uint8_t *to = buffer_reserve(&lane->in, READ_SIZE);
    size_t room = lane->in.capacity - lane->in.end;
    ssize_t got = recv(lane->fd, to, room, MSG_DONTWAIT);
    if (got < 0) {
        if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) lane_close(lane, strerror(errno));
        return false;
    }
    if (got == 0) {
        lane_close(lane, "closed by the host");
        return false;
    }
    lane->in.end += (size_t)got;
    lane->bytes_in += (uint64_t)got;
    return handle_frames(lane) && (size_t)got == room;
}

static void on_event(int fd, void *data, int mask) {
    (void)fd;
    Lane *lane = data;
    if ((mask & REDISMODULE_EVENTLOOP_WRITABLE) && lane->fd >= 0) lane_flush(lane);
    if (!(mask & REDISMODULE_EVENTLOOP_READABLE)) return;
    for (int i = 0; i < READS_PER_EVENT && lane->fd >= 0; i++) {
        if (!read_once(lane)) return;
    }
}

void lane_wait(Lane *lane, const bool *done, uint64_t deadline) {
    while (!*done && lane->fd >= 0) {
        uint64_t now = clock_microseconds();
        if (now >= deadline) return;
        uint64_t left = deadline - now;
        struct pollfd waited = {.fd = lane->fd, .events = POLLIN};
        if (buffer_length(&lane->out) > 0) waited.events |= POLLOUT;
        struct timespec timeout = {.tv_sec = (time_t)(left / 1000000), .tv_nsec = (long)(left % 1000000) * 1000};
        if (ppoll(&waited, 1, &timeout, NULL) <= 0) continue;
        if (waited.revents & POLLOUT) lane_flush(lane);
        if (waited.revents & (POLLIN | POLLHUP | POLLERR)) read_once(lane);
        host_call_run_waiting(lane);
    }
}

/* ===== End ===== */

void lane_close(Lane *lane, const char *reason) {
    if (lane->fd < 0) return;
    if (reason) log_line(LOG_NOTICE, "lane %u (%s) closed: %s", lane->number, lane->label, reason);
    RedisModule_EventLoopDel(lane->fd, REDISMODULE_EVENTLOOP_READABLE | REDISMODULE_EVENTLOOP_WRITABLE);
    close(lane->fd);
    lane->fd = -1;
    bridge_lane_closed(lane);
}

void lane_sweep(void) {
    for (Lane **at = &lane_list; *at;) {
        Lane *lane = *at;
        if (lane->fd >= 0) {
            at = &lane->next;
            continue;
        }
        *at = lane->next;
        buffer_free(&lane->in);
        buffer_free(&lane->out);
        memory_free(lane);
    }
}
