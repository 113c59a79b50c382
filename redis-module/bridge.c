#include "bridge.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "answer.h"
#include "command.h"
#include "config.h"
#include "events.h"
#include "guard.h"
#include "host.h"
#include "host_call.h"
#include "info.h"
#include "log.h"
#include "memory.h"
#include "message.h"
#include "module.h"
#include "sync.h"
#include "wake.h"

enum { TOKEN_LENGTH = 64, SPARE_DESCRIPTORS = 64 };
enum { GREETING_SECONDS = 5, HEARTBEAT_SECONDS = 1, HEARTBEAT_MISSED_SECONDS = 15 };

static char folder[128], socket_path[160], token_path[160];
static char token[TOKEN_LENGTH + 1];
static int listener = -1;
static uint8_t state;
static PluginStatus *plugins;
static int plugin_count;
static bool host_was_ready;

/* ===== Folder, token, socket ===== */

static bool random_hex(char *text, size_t digits) {
    unsigned char bytes[TOKEN_LENGTH / 2];
    if (getrandom(bytes, digits / 2, 0) != (ssize_t)(digits / 2)) return false;
    for (size_t i = 0; i < digits / 2; i++) snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    return true;
}

static void remove_folder(const char *path) {
    char file[PATH_MAX];
    snprintf(file, sizeof(file), "%s/s", path);
    unlink(file);
    snprintf(file, sizeof(file), "%s/token", path);
    unlink(file);
    rmdir(path);
}

/* Folders of servers that were killed: ours by owner, and their pid is gone. */
static void remove_stale_folders(void) {
    DIR *dir = opendir(config.socket_dir);
    if (!dir) return;
    for (struct dirent *entry; (entry = readdir(dir));) {
        int pid, used = 0;
        char path[PATH_MAX];
        struct stat info;
        if (sscanf(entry->d_name, "ferrite-%d-%n", &pid, &used) != 1 || used == 0 || pid <= 0) continue;
        if (strlen(entry->d_name) != (size_t)used + 8 || (kill(pid, 0) == 0 && pid != getpid())) continue;
        snprintf(path, sizeof(path), "%s/%s", config.socket_dir, entry->d_name);
        if (lstat(path, &info) == 0 && S_ISDIR(info.st_mode) && info.st_uid == geteuid()) remove_folder(path);
    }
    closedir(dir);
}

static bool write_token(void) {
    if (!random_hex(token, TOKEN_LENGTH)) return false;
    int fd = open(token_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) return false;
    bool ok = write(fd, token, TOKEN_LENGTH) == TOKEN_LENGTH;
    return close(fd) == 0 && ok;
}

static void on_connection(int fd, void *data, int mask);

static bool open_listener(void) {
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
    if (listener >= 0) close(listener);
    for (Lane *lane = lane_list; lane; lane = lane->next) {
        if (lane->fd >= 0) close(lane->fd);
    }
}

bool bridge_listen(char *error, size_t error_size) {
    static bool child_handler_set;
    char suffix[9] = "";
    remove_stale_folders();
    random_hex(suffix, 8);
    snprintf(folder, sizeof(folder), "%s/ferrite-%d-%s", config.socket_dir, (int)getpid(), suffix);
    snprintf(socket_path, sizeof(socket_path), "%s/s", folder);
    snprintf(token_path, sizeof(token_path), "%s/token", folder);
    if (mkdir(folder, 0700) != 0) {
        snprintf(error, error_size, "cannot create %s: %s (set ferrite.socket-dir to a writable folder)", folder,
                 strerror(errno));
        return false;
    }
    if (!write_token() || !open_listener() ||
        RedisModule_EventLoopAdd(listener, REDISMODULE_EVENTLOOP_READABLE, on_connection, NULL) != REDISMODULE_OK) {
        snprintf(error, error_size, "cannot listen on %s: %s", socket_path, strerror(errno));
        if (listener >= 0) close(listener);
        listener = -1;
        remove_folder(folder);
        return false;
    }
    if (!child_handler_set) pthread_atfork(NULL, NULL, close_in_child);
    child_handler_set = true;
    return true;
}

void bridge_stop(void) {
    if (listener < 0) return;
    state |= STATE_SHUTTING_DOWN;
    RedisModule_EventLoopDel(listener, REDISMODULE_EVENTLOOP_READABLE);
    close(listener);
    listener = -1;
    for (Lane *lane = lane_list; lane; lane = lane->next) lane_close(lane, NULL);
    lane_sweep();
    remove_folder(folder);
}

const char *bridge_socket_path(void) {
    return socket_path;
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

/* The listening socket stays readable while a connection waits that cannot be accepted (no descriptor is left): it is
 * not watched until the next second, and the log has one line for all that time. */
static bool accept_paused, accept_problem_told;

static void pause_accepting(const char *problem) {
    if (!accept_problem_told) log_line(LOG_WARNING, "cannot accept a connection of the host: %s", problem);
    accept_problem_told = true;
    accept_paused = true;
    RedisModule_EventLoopDel(listener, REDISMODULE_EVENTLOOP_READABLE);
}

static void resume_accepting(int hz) {
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

static bool same_token(Slice given) {
    unsigned difference = given.length != TOKEN_LENGTH;
    for (size_t i = 0; i < given.length && i < TOKEN_LENGTH; i++) difference |= (unsigned)(given.bytes[i] ^ token[i]);
    return difference == 0;
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
    if (!same_token(given)) return "wrong token";
    if (kind == LANE_CONTROL && lane_control()) return "there is a control lane already: only one host can serve";
    lane->kind = (LaneKind)kind;
    snprintf(lane->label, sizeof(lane->label), "%.*s", (int)(label.length < 60 ? label.length : 60), label.bytes);
    lane->greeted = true;
    send_welcome(lane);
    log_line(LOG_VERBOSE, "lane %u (%s) open", lane->number, lane->label);
    return NULL;
}

void bridge_state_changed(void) {
    uint8_t now = current_state();
    if (now == state) return;
    state = now;
    events_set_state(state);
    for (Lane *lane = lane_list; lane; lane = lane->next) {
        if (lane->fd < 0 || !lane->greeted) continue;
        frame_end(&lane->out, frame_begin(&lane->out, FRAME_STATE, state, 0, 0));
        lane_written(lane);
    }
}

/* ===== Plugins ===== */

static void handle_attach(Lane *lane, const Frame *frame) {
    Reader reader = reader_of(frame->body, frame->body_length);
    Slice plugin = reader_string(&reader);
    reader_string(&reader); /* version: STATUS tells it */
    uint32_t count = reader_count(&reader, 6);
    Buffer problems = {0};
    uint32_t problem_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        Slice name = reader_string(&reader);
        uint16_t code = reader_u16(&reader);
        Command *command = command_named((const char *)name.bytes, name.length);
        if (command && command->route) {
            command_attach(command, lane, code);
            continue;
        }
        buffer_put_string(&problems, name.bytes, name.length);
        buffer_put_cstring(&problems, "it is not in the route table");
        problem_count++;
    }
    events_subscribe(lane, plugin, &reader);
    size_t begun = frame_begin(&lane->out, FRAME_ATTACHED, 0, 0, frame->id);
    buffer_put_u32(&lane->out, problem_count);
    buffer_put(&lane->out, buffer_front(&problems), buffer_length(&problems));
    frame_end(&lane->out, begun);
    lane_written(lane);
    buffer_free(&problems);
}

static void handle_detach(Lane *lane, const Frame *frame) {
    Reader reader = reader_of(frame->body, frame->body_length);
    Slice plugin = reader_string(&reader), reason = reader_string(&reader);
    char *name = memory_copy_string((const char *)plugin.bytes, plugin.length);
    char *why = memory_copy_string((const char *)reason.bytes, reason.length);
    /* The supervisor speaks for a plugin whose own lane cannot any more. */
    command_detach(lane->kind == LANE_CONTROL ? NULL : lane, name, why);
    for (Lane *served = lane_list; served; served = served->next) {
        if (lane->kind == LANE_CONTROL || served == lane) events_unsubscribe(served, name);
    }
    memory_free(name);
    memory_free(why);
}

static void forget_plugins(void) {
    for (int i = 0; i < plugin_count; i++) {
        memory_free(plugins[i].name);
        memory_free(plugins[i].version);
        memory_free(plugins[i].reason);
    }
    memory_free(plugins);
    plugins = NULL;
    plugin_count = 0;
}

static char *copy_slice(Slice slice) {
    return memory_copy_string((const char *)slice.bytes, slice.length);
}

static void handle_status(const Frame *frame) {
    Reader reader = reader_of(frame->body, frame->body_length);
    uint32_t count = reader_count(&reader, 17);
    forget_plugins();
    plugins = memory_zalloc(sizeof(PluginStatus) * (count ? count : 1));
    for (uint32_t i = 0; i < count; i++) {
        PluginStatus *plugin = &plugins[plugin_count++];
        plugin->name = copy_slice(reader_string(&reader));
        plugin->version = copy_slice(reader_string(&reader));
        plugin->state = reader_u8(&reader);
        plugin->restarts = reader_u32(&reader);
        plugin->reason = copy_slice(reader_string(&reader));
        /* Not a detach: this comes over another lane than the plugin's ATTACH and may be older. */
        if (plugin->state != 1) command_explain(plugin->name, *plugin->reason ? plugin->reason : "plugin is starting");
    }
    host_was_ready = true;
}

const PluginStatus *bridge_plugins(int *count) {
    *count = plugin_count;
    return plugins;
}

/* Commands may be created by it (MODULE LOAD), so it waits for the end of the loop. */
static struct {
    bool asked;
    uint64_t id;
} routes_question;

static void handle_routes(const Frame *frame) {
    routes_question.asked = true;
    routes_question.id = frame->id;
}

static uint32_t put_problem(Buffer *problems, const char *command, const char *problem) {
    buffer_put_cstring(problems, command);
    buffer_put_cstring(problems, problem);
    return 1;
}

/* Registers what is new in the route table; returns how many problems were written. */
static uint32_t register_new_commands(RedisModuleCtx *ctx, Buffer *problems) {
    uint32_t count = 0;
    const RouteTable *table = command_routes();
    for (int i = 0; table && i < table->plugin_count; i++) {
        char error[512];
        const char *plugin = table->plugins[i].name;
        if (!command_is_missing(plugin) || command_register_later(ctx, plugin, error, sizeof(error))) continue;
        for (Command *command = command_list; command; command = command->next) {
            if (!command->route || command->registered || strcmp(command->route->plugin, plugin) != 0) continue;
            log_line(LOG_WARNING, "command %s of plugin %s: %s", command->route->name, plugin, error);
            count += put_problem(problems, command->route->name, error);
        }
    }
    return count;
}

static void answer_routes(RedisModuleCtx *ctx) {
    if (!routes_question.asked) return;
    routes_question.asked = false;
    Lane *lane = lane_control();
    if (!lane) return;
    char error[512];
    Buffer problems = {0};
    uint32_t count = command_read_routes(error, sizeof(error)) ? register_new_commands(ctx, &problems)
                                                               : put_problem(&problems, "", error);
    size_t begun = frame_begin(&lane->out, FRAME_ROUTES_READ, 0, 0, routes_question.id);
    buffer_put_u32(&lane->out, count);
    buffer_put(&lane->out, buffer_front(&problems), buffer_length(&problems));
    frame_end(&lane->out, begun);
    lane_written(lane);
    buffer_free(&problems);
}

/* ===== Frames ===== */

static void handle_pong(Lane *lane, const Frame *frame) {
    lane->sync_refused = false;
    if (!lane->ping_sent_at || frame->id != lane->ping_cookie) return;
    lane->last_round_trip = clock_microseconds() - lane->ping_sent_at;
    lane->ping_sent_at = 0;
    info_pong();
}

static void handle_ping(Lane *lane, const Frame *frame) {
    frame_end(&lane->out, frame_begin(&lane->out, FRAME_PONG, 0, 0, frame->id));
    lane_written(lane);
}

static void handle_control_frame(const Frame *frame) {
    if (frame->type == FRAME_STATUS)
        handle_status(frame);
    else
        handle_routes(frame);
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
            handle_attach(lane, frame);
            return NULL;
        case FRAME_DETACH:
            handle_detach(lane, frame);
            return NULL;
        case FRAME_STATUS:
        case FRAME_ROUTES:
            if (lane->kind != LANE_CONTROL) return "protocol error: only the control lane may say this";
            handle_control_frame(frame);
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
    events_drop(lane);
    if (lane->greeted && lane->kind == LANE_CONTROL) {
        forget_plugins();
        host_was_ready = false;
        close_plugin_lanes();
        command_detach(NULL, NULL, NULL); /* no worker is started again: bridge_down_reason knows what is */
    }
}

const char *bridge_down_reason(void) {
    static char reason[640];
    if (*host_problem()) {
        snprintf(reason, sizeof(reason), "%s", host_problem());
        return reason;
    }
    return host_was_ready ? "no plugin serves this command now" : "plugin host is starting";
}

/* ===== Loop ===== */

void bridge_before_sleep(RedisModuleCtx *ctx) {
    wake_keys_served(true);
    answer_routes(ctx);
    host_call_before_sleep(ctx);
    events_before_sleep();
    guard_before_sleep(ctx);
    wake_before_sleep();
    sync_before_sleep();
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
    resume_accepting(hz);
    heartbeat(hz);
    bridge_state_changed();
    host_cron();
}
