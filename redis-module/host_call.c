#include "host_call.h"

#include <stdio.h>
#include <string.h>

#include "call.h"
#include "config.h"
#include "events.h"
#include "memory.h"
#include "module.h"
#include "pause.h"
#include "plugin_user.h"
#include "request.h"
#include "sync.h"

enum { LOOP_SHARE = 2000 }; /* us of each loop */

typedef struct Call {
    struct Call *next;
    uint64_t id;
    uint8_t flags;
    size_t length;
    uint8_t body[]; /* of the CALL */
} Call;

typedef struct Caller { /* on whose behalf */
    RedisModuleUser *user;
    bool owned; /* to be freed here */
    bool reads; /* a command that is declared as read-only writes nothing, as whomever it calls */
    int db;
} Caller;

/* ===== Arrival ===== */

static void answer_refused(Lane *lane, uint64_t id, const char *code_and_text);

void host_call_take(Lane *lane, const Frame *frame) {
    if (lane->call_count > 0 && lane->call_bytes + frame->body_length > (size_t)config.lane_buffer) {
        answer_refused(lane, frame->id, "OVERLOADED too many calls of this plugin wait (ferrite.lane-buffer)");
        return;
    }
    Call *call = memory_alloc(sizeof(Call) + frame->body_length);
    *call = (Call){.id = frame->id, .flags = frame->flags, .length = frame->body_length};
    memcpy(call->body, frame->body, frame->body_length);
    *lane->calls_end = call;
    lane->calls_end = &call->next;
    lane->call_count++;
    lane->call_bytes += call->length;
}

static uint64_t request_of(const Call *call) {
    Reader reader = reader_of(call->body, call->length);
    return reader_u64(&reader);
}

/* Takes the oldest call of a request (0: the oldest of all) out of the queue; NULL when there is none. A call that runs
 * is never in the queue: the lane can close meanwhile, which drops what is there. */
static Call *take_out(Lane *lane, uint64_t request) {
    for (Call **at = &lane->calls; *at; at = &(*at)->next) {
        Call *call = *at;
        if (request && request_of(call) != request) continue;
        *at = call->next;
        if (!*at) lane->calls_end = at;
        lane->call_count--;
        lane->call_bytes -= call->length;
        return call;
    }
    return NULL;
}

static void drop_all(Call **list, Call ***end) {
    while (*list) {
        Call *call = *list;
        *list = call->next;
        memory_free(call);
    }
    *end = list;
}

void host_call_drop(Lane *lane) {
    drop_all(&lane->calls, &lane->calls_end);
    drop_all(&lane->held_calls, &lane->held_end);
    lane->call_count = 0;
    lane->call_bytes = 0;
}

/* ===== Calls that wait for the end of a pause ===== */

/* Calls of one request run in the order in which they were made, and so do those that no request stands behind: the
 * mark that an earlier one is held. NULL: the request has ended, and its calls are refused anyway. */
static bool *held_mark(Lane *lane, const Call *call) {
    uint64_t id = request_of(call);
    if (id == 0) return &lane->holds_own_calls;
    Request *request = request_find(id);
    return request ? &request->holds_calls : NULL;
}

static void mark_held(Lane *lane, const Call *call, bool held) {
    bool *mark = held_mark(lane, call);
    if (mark) *mark = held;
}

static bool has_to_follow(Lane *lane, const Call *call) {
    const bool *mark = held_mark(lane, call);
    return mark && *mark;
}

static void hold(Lane *lane, Call *call) {
    mark_held(lane, call, true);
    call->next = NULL;
    *lane->held_end = call;
    lane->held_end = &call->next;
    lane->call_count++;
    lane->call_bytes += call->length;
}

/* Puts them back in front of the others at the end of the pause. */
static void release_held(Lane *lane) {
    if (!lane->held_calls) return;
    if (RedisModule_AvoidReplicaTraffic()) {
        pause_watch();
        return;
    }
    for (const Call *call = lane->held_calls; call; call = call->next) mark_held(lane, call, false);
    *lane->held_end = lane->calls;
    if (!lane->calls) lane->calls_end = lane->held_end;
    lane->calls = lane->held_calls;
    lane->held_calls = NULL;
    lane->held_end = &lane->held_calls;
}

/* ===== Answers ===== */

/* It may hold the name of a command as a plugin has given it: no line break of that ends the value. */
static void put_error(Buffer *out, const char *code_and_text) {
    char line[CALL_ERROR_SIZE + 4];
    int length = snprintf(line, sizeof(line), "-%s", code_and_text);
    for (int i = 0; i < length; i++) {
        if (line[i] == '\r' || line[i] == '\n') line[i] = ' ';
    }
    memcpy(line + length, "\r\n", 2);
    buffer_put_string(out, line, (size_t)length + 2);
}

static void put_reply(Buffer *out, RedisModuleCallReply *reply, const char *error) {
    size_t length = 0;
    const char *proto = reply ? RedisModule_CallReplyProto(reply, &length) : NULL;
    if (proto)
        buffer_put_string(out, proto, length);
    else
        put_error(out, error);
    if (reply) RedisModule_FreeCallReply(reply);
}

static void answer_refused(Lane *lane, uint64_t id, const char *code_and_text) {
    size_t begun = frame_begin(&lane->out, FRAME_CALL_RESULT, 0, CALL_REFUSED, id);
    buffer_put_u32(&lane->out, 1);
    put_error(&lane->out, code_and_text);
    frame_end(&lane->out, begun);
    lane_written(lane);
}

/* Runs the commands at the reader into one CALL_RESULT. Collected first: a command can make events, which are frames in
 * the same buffer. */
static void run_commands(RedisModuleCtx *ctx, Lane *lane, uint64_t id, Reader *reader, int mode) {
    Buffer replies = {0};
    uint32_t count = reader_count(reader, 8);
    for (uint32_t i = 0; i < count; i++) {
        char error[CALL_ERROR_SIZE];
        Arguments arguments;
        if (!arguments_read(reader, &arguments)) break; /* cannot be: checked on arrival */
        put_reply(&replies, call_run(ctx, &arguments, mode, error), error);
        arguments_free(&arguments);
    }
    if (buffer_length(&replies) > FRAME_PAYLOAD_MAX) { /* the host would close the lane */
        answer_refused(lane, id, "ERR the replies of this call are too long together, its commands were run");
    } else {
        size_t begun = frame_begin(&lane->out, FRAME_CALL_RESULT, 0, CALL_DONE, id);
        buffer_put_u32(&lane->out, count);
        buffer_put(&lane->out, buffer_front(&replies), buffer_length(&replies));
        frame_end(&lane->out, begun);
        lane_written(lane);
    }
    buffer_free(&replies);
}

static void run_nested_as_plugin(Request *request, Lane *lane, uint64_t id, Slice plugin, Reader *reader, int mode) {
    char error[CALL_ERROR_SIZE];
    bool owned;
    RedisModuleUser *user = plugin_user(plugin, &owned, error);
    if (!user) {
        answer_refused(lane, id, error);
        return;
    }
    call_as(request->ctx, user);
    run_commands(request->ctx, lane, id, reader, mode | CALL_MODE_AS_USER);
    call_as(request->ctx, NULL);
    if (owned) RedisModule_FreeModuleUser(user);
}

static void run_for_waiting(Request *request, Lane *lane, const Call *call) {
    Reader reader = reader_of(call->body, call->length);
    reader_u64(&reader);
    Slice plugin = reader_string(&reader);
    reader_u32(&reader);
    int mode = CALL_MODE_READ_ONLY | CALL_MODE_NESTED;
    if (!request->ctx) {
        answer_refused(lane, call->id, "ERR a hook cannot call the server while a transaction or script waits for it");
        lane_flush(lane);
        return;
    }
    if (request->invoke_flags & INVOKE_SCRIPT) mode |= CALL_MODE_IN_SCRIPT;
    if (call->flags & CALL_RESP3) mode |= CALL_MODE_RESP3;
    if (call->flags & CALL_AS_PLUGIN) {
        run_nested_as_plugin(request, lane, call->id, plugin, &reader, mode);
    } else {
        if (request->user) mode |= CALL_MODE_AS_USER;
        run_commands(request->ctx, lane, call->id, &reader, mode);
    }
    lane_flush(lane);
}

void host_call_run_waiting(Lane *lane) {
    Request *request = sync_waiting();
    if (!request || request->lane != lane) return;
    for (Call *call; (call = take_out(lane, request_id(request)));) {
        run_for_waiting(request, lane, call);
        memory_free(call);
    }
}

/* ===== Before the server sleeps ===== */

static bool find_caller(const Lane *lane, const Call *call, uint64_t id, Slice plugin, uint32_t db, Caller *caller,
                        char *error) {
    Request *request = id ? request_find(id) : NULL;
    if (id && (!request || request->lane != lane || request->state != REQUEST_ASKED)) {
        snprintf(error, CALL_ERROR_SIZE, "ERR the request of this call has ended");
        return false;
    }
    caller->db = request ? request->db : (int)db;
    caller->reads = request && request->command->route && request->command->route->read_only;
    if (request && request->user && !(call->flags & CALL_AS_PLUGIN)) {
        caller->user = RedisModule_GetModuleUserFromUserName(request->user);
        caller->owned = true;
        if (!caller->user) snprintf(error, CALL_ERROR_SIZE, "NOPERM the user of this request does not exist any more");
    } else {
        caller->user = plugin_user(plugin, &caller->owned, error);
    }
    return caller->user != NULL;
}

static bool may_write(RedisModuleCtx *ctx, Reader reader) {
    uint32_t count = reader_count(&reader, 8);
    bool writes = false;
    for (uint32_t i = 0; i < count && !writes; i++) {
        Arguments arguments;
        if (!arguments_read(&reader, &arguments)) return false;
        writes = call_may_write(ctx, &arguments);
        arguments_free(&arguments);
    }
    return writes;
}

/* False when the call, of which nothing was run, has to wait for the end of a pause. */
static bool run_call(RedisModuleCtx *ctx, Lane *lane, const Call *call) {
    char error[CALL_ERROR_SIZE];
    Caller caller = {0};
    Reader reader = reader_of(call->body, call->length);
    uint64_t id = reader_u64(&reader);
    Slice plugin = reader_string(&reader);
    uint32_t db = reader_u32(&reader);
    if (!find_caller(lane, call, id, plugin, db, &caller, error)) {
        answer_refused(lane, call->id, error);
        return true;
    }
    bool wait = RedisModule_AvoidReplicaTraffic() && may_write(ctx, reader);
    if (!wait && RedisModule_SelectDb(ctx, caller.db) != REDISMODULE_OK) {
        answer_refused(lane, call->id, "ERR DB index is out of range");
    } else if (!wait) {
        call_as(ctx, caller.user);
        Slice before = events_set_origin(plugin);
        int mode = CALL_MODE_AS_USER | CALL_MODE_UNATTENDED | (call->flags & CALL_RESP3 ? CALL_MODE_RESP3 : 0);
        if (caller.reads) mode |= CALL_MODE_READ_ONLY;
        run_commands(ctx, lane, call->id, &reader, mode);
        events_set_origin(before);
        call_as(ctx, NULL);
    }
    if (caller.owned) RedisModule_FreeModuleUser(caller.user);
    return !wait;
}

/* One call of the lane; false when there is none that can run now. A host that does not read gets no further answers:
 * its socket wakes the loop when it does. */
static bool run_one(RedisModuleCtx *ctx, Lane *lane) {
    Call *call = lane->fd >= 0 && lane_has_room(lane, 0) ? take_out(lane, 0) : NULL;
    if (!call) return false;
    if (!has_to_follow(lane, call) && run_call(ctx, lane, call)) {
        memory_free(call);
    } else if (lane->fd >= 0) {
        hold(lane, call);
        pause_watch();
    } else {
        memory_free(call);
    }
    return true;
}

void host_call_before_sleep(RedisModuleCtx *ctx) {
    uint64_t until = 0;
    for (Lane *lane = lane_list; lane; lane = lane->next) release_held(lane);
    for (bool more = true; more;) {
        more = false;
        for (Lane *lane = lane_list; lane; lane = lane->next) {
            if (!lane->calls) continue;
            uint64_t now = clock_microseconds();
            if (until == 0) until = now + LOOP_SHARE;
            if (now >= until) {
                loop_soon();
                return;
            }
            more |= run_one(ctx, lane);
        }
    }
}
