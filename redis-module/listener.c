#include "listener.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "config.h"
#include "folder.h"
#include "lane.h"
#include "log.h"
#include "server.h"

enum { TOKEN_LENGTH = 64, SPARE_DESCRIPTORS = 64 };

static char socket_path[160], token_path[160];
static char token[TOKEN_LENGTH + 1];
static int listener = -1;

/* ===== Token ===== */

static bool random_hex(char *text, size_t digits) {
    unsigned char bytes[TOKEN_LENGTH / 2];
    if (getrandom(bytes, digits / 2, 0) != (ssize_t)(digits / 2)) return false;
    for (size_t i = 0; i < digits / 2; i++) snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    return true;
}

static bool write_token(void) {
    if (!random_hex(token, TOKEN_LENGTH)) return false;
    int fd = open(token_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) return false;
    bool ok = write(fd, token, TOKEN_LENGTH) == TOKEN_LENGTH;
    return close(fd) == 0 && ok;
}

bool listener_knows_token(Slice given) {
    unsigned difference = given.length != TOKEN_LENGTH;
    for (size_t i = 0; i < given.length && i < TOKEN_LENGTH; i++) difference |= (unsigned)(given.bytes[i] ^ token[i]);
    return difference == 0;
}

/* ===== Connections ===== */

static bool spare_descriptors(int fd) {
    struct rlimit limit;
    return getrlimit(RLIMIT_NOFILE, &limit) != 0 || (rlim_t)fd + SPARE_DESCRIPTORS < limit.rlim_cur;
}

/* NULL, or why this peer gets no lane. */
static const char *refuse_peer(int fd) {
    struct ucred peer;
    socklen_t size = sizeof(peer);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return "its credentials are not known";
    if (peer.uid != geteuid()) return "it is of another user";
    if (lane_count() >= config.max_lanes) return "ferrite.max-lanes is reached";
    if (!spare_descriptors(fd)) return "fewer than 64 file descriptors would be left (raise nofile)";
    return NULL;
}

static void on_connection(int fd, void *data, int mask);

/* The listening socket stays readable while a connection waits that cannot be accepted (no descriptor is left): it is
 * not watched until the next second, and the log has one line for all that time. */
static bool accept_paused, accept_problem_told;

static void pause_accepting(const char *problem) {
    if (!accept_problem_told) log_line(LOG_WARNING, "cannot accept a connection of the host: %s", problem);
    accept_problem_told = true;
    accept_paused = true;
    RedisModule_EventLoopDel(listener, REDISMODULE_EVENTLOOP_READABLE);
}

void listener_cron(int hz) {
    static int ticks;
    if (!accept_paused || ++ticks < hz) return;
    ticks = 0;
    accept_paused =
        RedisModule_EventLoopAdd(listener, REDISMODULE_EVENTLOOP_READABLE, on_connection, NULL) != REDISMODULE_OK;
}

static void on_connection(int fd, void *data, int mask) {
    (void)data, (void)mask;
    for (;;) {
        int peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (peer < 0) {
            if (errno == EINTR || errno == ECONNABORTED) continue;
            if (errno != EAGAIN && errno != EWOULDBLOCK) pause_accepting(strerror(errno));
            return;
        }
        accept_problem_told = false;
        const char *problem = refuse_peer(peer);
        if (!problem) {
            lane_open(peer);
            continue;
        }
        log_line(LOG_WARNING, "connection to the bridge refused: %s", problem);
        close(peer);
    }
}

/* ===== Socket ===== */

static bool open_socket(void) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", socket_path);
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (listener < 0) return false;
    mode_t mask = umask(0177);
    int bound = bind(listener, (struct sockaddr *)&address, sizeof(address));
    umask(mask);
    return bound == 0 && listen(listener, 64) == 0;
}

/* A child of the server (BGSAVE, AOF rewrite, diskless sync) must not hold our sockets: it may outlive a killed server,
 * and the host would see no end. Closing only: the event loop's epoll set is shared with the parent. */
static void close_in_child(void) {
    folder_close_in_child();
    if (listener >= 0) close(listener);
    for (Lane *lane = lane_list; lane; lane = lane->next) {
        if (lane->fd >= 0) close(lane->fd);
    }
}

bool listener_open(char *error, size_t error_size) {
    static bool child_handler_set;
    const char *folder = folder_make(config.socket_dir);
    if (!folder) {
        snprintf(error, error_size, "cannot create a folder in %s: %s (set ferrite.socket-dir to a writable folder)",
                 config.socket_dir, strerror(errno));
        return false;
    }
    snprintf(socket_path, sizeof(socket_path), "%s/s", folder);
    snprintf(token_path, sizeof(token_path), "%s/token", folder);
    if (!write_token() || !open_socket() ||
        RedisModule_EventLoopAdd(listener, REDISMODULE_EVENTLOOP_READABLE, on_connection, NULL) != REDISMODULE_OK) {
        snprintf(error, error_size, "cannot listen on %s: %s", socket_path, strerror(errno));
        if (listener >= 0) close(listener);
        listener = -1;
        folder_remove();
        return false;
    }
    if (!child_handler_set) pthread_atfork(NULL, NULL, close_in_child);
    child_handler_set = true;
    return true;
}

void listener_close(void) {
    if (listener < 0) return;
    RedisModule_EventLoopDel(listener, REDISMODULE_EVENTLOOP_READABLE);
    close(listener);
    listener = -1;
    folder_remove();
}

const char *listener_socket_path(void) {
    return socket_path;
}
