#include "bridge.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>

#include "answer.h"
#include "builtin.h"
#include "command.h"
#include "config.h"
#include "emit.h"
#include "events.h"
#include "filter.h"
#include "guard.h"
#include "host.h"
#include "host_call.h"
#include "key_reads.h"
#include "listener.h"
#include "listening.h"
#include "log.h"
#include "message.h"
#include "module.h"
#include "pause.h"
#include "plugins.h"
#include "server_events.h"
#include "subscription.h"
#include "sync.h"
#include "wake.h"

enum { GREETING_SECONDS = 5, HEARTBEAT_SECONDS = 1, HEARTBEAT_MISSED_SECONDS = 15 };
enum { LAST_WORDS = 500000 }; /* us that a full socket gets to take what is left to say when the server stops */

static uint8_t state;
static int told_log_level; /* what every greeted lane knows */

/* ===== Greeting and state ===== */

static uint8_t current_state(void) {
    int flags = RedisModule_GetContextFlags(NULL);
    uint8_t bits = state & STATE_SHUTTING_DOWN;
    if (flags & REDISMODULE_CTX_FLAGS_MASTER) bits |= STATE_PRIMARY;
    if (flags & (REDISMODULE_CTX_FLAGS_LOADING | REDISMODULE_CTX_FLAGS_ASYNC_LOADING)) bits |= STATE_LOADING;
    return bits;
}

static void put_pair(Buffer *out, const char *key, const char *format, ...) {
    char value[PATH_MAX * 2];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(value, sizeof(value), format, arguments);
    va_end(arguments);
    buffer_put_cstring(out, key);
    buffer_put_cstring(out, value);
}

static void send_welcome(Lane *lane) {
    Buffer *out = &lane->out;
    size_t begun = frame_begin(out, FRAME_WELCOME, state, FRAME_PROTOCOL_VERSION, lane->number);
    told_log_level = config.log_level;
    buffer_put_u32(out, 12);
    put_pair(out, "product", "%s", server_product);
    put_pair(out, "server-version", "%s", server_version);
    put_pair(out, "module-version", "%s", FERRITE_VERSION_TEXT);
    put_pair(out, "plugins-dir", "%s", config_plugins_dir());
    put_pair(out, "state-dir", "%s", config_state_dir());
    put_pair(out, "log-level", "%s", config_log_levels[config.log_level]);
    put_pair(out, "capabilities", "%s", RedisModule_BlockClientOnKeysWithFlags ? "hooks,guard" : "");
    put_pair(out, "request-timeout", "%lld", config.request_timeout);
    put_pair(out, "sync-timeout", "%lld", config.sync_timeout);
    put_pair(out, "batch", "%lld", config.batch);
    put_pair(out, "max-lanes", "%lld", config.max_lanes);
    put_pair(out, "enable-plugin-command", "%d", (int)config.enable_plugin_command);
    frame_end(out, begun);
    lane_written(lane);
}

static const char *handle_hello(Lane *lane, const Frame *frame) {
    if (frame->type != FRAME_HELLO) return "protocol error: the first frame is not HELLO";
    if (frame->code != FRAME_PROTOCOL_VERSION)
        return "the host speaks another version of the protocol (rebuild: npm start)";
    const char *problem = message_problem(frame);
    if (problem) return problem;
    Reader reader = reader_of(frame->body, frame->body_length);
    uint8_t kind = reader_u8(&reader);
    lane->host_pid = reader_u32(&reader);
    Slice label = reader_string(&reader);
    Slice given = reader_string(&reader);
    if (!listener_knows_token(given)) return "wrong token";
    if (kind == LANE_CONTROL && lane_control()) return "there is a control lane already: only one host can serve";
    lane->kind = (LaneKind)kind;
    snprintf(lane->label, sizeof(lane->label), "%.*s", (int)(label.length < 60 ? label.length : 60), label.bytes);
    lane->greeted = true;
    send_welcome(lane);
    log_line(LOG_VERBOSE, "lane %u (%s) open", lane->number, lane->label);
    return NULL;
}

static void tell_state(void) {
    for (Lane *lane = lane_list; lane; lane = lane->next) {
        if (lane->fd < 0 || !lane->greeted) continue;
        frame_end(&lane->out, frame_begin(&lane->out, FRAME_STATE, state, 0, 0));
        lane_written(lane);
    }
}

void bridge_state_changed(void) {
    uint8_t now = current_state();
    if (now == state) return;
    state = now;
    events_set_state(state);
    tell_state();
    if (!(state & STATE_LOADING)) server_events_ready();
}

void bridge_settings_changed(void) {
    if (config.log_level == told_log_level) return;
    told_log_level = config.log_level;
    for (Lane *lane = lane_list; lane; lane = lane->next) {
        if (lane->fd < 0 || !lane->greeted) continue;
        size_t begun = frame_begin(&lane->out, FRAME_SETTINGS, 0, 0, 0);
        buffer_put_u32(&lane->out, 1);
        put_pair(&lane->out, "log-level", "%s", config_log_levels[config.log_level]);
        frame_end(&lane->out, begun);
        lane_written(lane);
    }
}

/* ===== Frames ===== */

static void handle_pong(Lane *lane, const Frame *frame) {
    lane->sync_refused = false;
    if (!lane->ping_sent_at || frame->id != lane->ping_cookie) return;
    lane->last_round_trip = clock_microseconds() - lane->ping_sent_at;
    lane->ping_sent_at = 0;
    builtin_ping_answered();
}

static void handle_ping(Lane *lane, const Frame *frame) {
    frame_end(&lane->out, frame_begin(&lane->out, FRAME_PONG, 0, 0, frame->id));
    lane_written(lane);
}

const char *bridge_handle_frame(Lane *lane, const Frame *frame) {
    if (!lane->greeted) return handle_hello(lane, frame);
    const char *problem = message_problem(frame);
    if (problem) return problem;
    switch (frame->type) {
        case FRAME_RESULT:
            answer_take(lane, frame);
            return NULL;
        case FRAME_CALL:
            host_call_take(lane, frame);
            return NULL;
        case FRAME_PING:
            handle_ping(lane, frame);
            return NULL;
        case FRAME_PONG:
            handle_pong(lane, frame);
            return NULL;
        case FRAME_ATTACH:
            plugins_attach(lane, frame);
            return NULL;
        case FRAME_DETACH:
            plugins_detach(lane, frame);
            return NULL;
        case FRAME_EMIT:
            emit_take(frame);
            return NULL;
        case FRAME_STATUS:
        case FRAME_ROUTES:
            if (lane->kind != LANE_CONTROL) return "protocol error: only the control lane may say this";
            if (frame->type == FRAME_STATUS)
                plugins_take_status(frame);
            else
                plugins_take_routes(frame);
            return NULL;
        default:
            return "protocol error: a second HELLO";
    }
}

static void close_plugin_lanes(void) {
    for (Lane *lane = lane_list; lane; lane = lane->next) lane_close(lane, "the host has ended");
}

void bridge_lane_closed(Lane *lane) {
    char reason[CALL_ERROR_SIZE];
    snprintf(reason, sizeof(reason), "the plugin's worker has ended, it is started again");
    command_detach(lane, NULL, lane->kind == LANE_CONTROL ? NULL : reason);
    char error[CALL_ERROR_SIZE + 16];
    snprintf(error, sizeof(error), "UNAVAILABLE %s", reason);
    answer_fail_lane(lane, error);
    host_call_drop(lane);
    subscriptions_end(lane, NULL);
    if (lane->greeted && lane->kind == LANE_CONTROL) {
        plugins_forget();
        close_plugin_lanes();
        command_detach(NULL, NULL, NULL); /* no worker is started again: plugins_down_reason knows what is */
    }
}

/* ===== Loop ===== */

void bridge_before_sleep(RedisModuleCtx *ctx) {
    wake_keys_served(true);
    plugins_before_sleep(ctx);
    pause_before_sleep();
    host_call_before_sleep(ctx);
    events_before_sleep();
    guard_before_sleep(ctx);
    wake_before_sleep();
    builtin_ping_before_sleep();
    sync_before_sleep();
    filter_before_sleep();
    key_reads_before_sleep();
    lane_flush_all();
    lane_sweep();
    wake_keys_served(false);
}

static void heartbeat(int hz) {
    static int ticks, missed;
    Lane *control = lane_control();
    if (!control || (state & STATE_LOADING)) {
        missed = 0;
        return;
    }
    /* Ticks, not time: a server that was busy or stopped has ticked less. */
    missed = control->ping_sent_at ? missed + 1 : 0;
    if (missed > HEARTBEAT_MISSED_SECONDS * hz) {
        missed = 0;
        host_kill("it has not answered for 15 s");
        return;
    }
    if (++ticks < HEARTBEAT_SECONDS * hz || control->ping_sent_at) return;
    ticks = 0;
    lane_ping(control);
}

void bridge_cron(int hz) {
    uint64_t now = clock_microseconds();
    for (Lane *lane = lane_list; lane; lane = lane->next) {
        if (lane->fd >= 0 && !lane->greeted && now - lane->opened_at > GREETING_SECONDS * 1000000ULL) {
            lane_close(lane, "no HELLO within 5 s");
        }
    }
    listener_cron(hz);
    heartbeat(hz);
    bridge_state_changed();
    host_cron();
}

void bridge_stop(void) {
    state |= STATE_SHUTTING_DOWN;
    tell_state();
    lane_flush_until(clock_microseconds() + LAST_WORDS);
    listener_close();
    listening_stop();
    for (Lane *lane = lane_list; lane; lane = lane->next) lane_close(lane, NULL);
    lane_sweep();
}
