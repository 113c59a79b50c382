#include "start.h"

#include <stdio.h>

#include "blocked.h"
#include "caller.h"
#include "capacity.h"
#include "config.h"
#include "guard.h"
#include "invoke.h"
#include "module.h"
#include "plugins.h"
#include "reads.h"
#include "sync.h"

/* ===== Refusals ===== */

static int refuse(RedisModuleCtx *ctx, Command *command) {
    char error[CALL_ERROR_SIZE];
    snprintf(error, sizeof(error), "UNAVAILABLE %s",
             command->down_reason ? command->down_reason : plugins_down_reason());
    command->failed++;
    return RedisModule_ReplyWithError(ctx, error);
}

static int refuse_overload(RedisModuleCtx *ctx, Command *command) {
    command->overloaded++;
    return RedisModule_ReplyWithError(ctx, "OVERLOADED too many requests wait for this plugin (ferrite.max-inflight, "
                                           "ferrite.lane-buffer)");
}

/* ===== The request ===== */

static Request *new_request(RedisModuleCtx *ctx, Command *command, int context_flags) {
    const RouteCommand *route = command->route;
    Request *request = request_take();
    request->command = command;
    request->lane = command->lane;
    request->code = command->code;
    request_set_state(request, REQUEST_WAITING);
    request->client_id = RedisModule_GetClientId(ctx);
    request->db = RedisModule_GetSelectedDb(ctx);
    request->user = caller_user(ctx);
    request->started_at = clock_microseconds();
    long long timeout = route->timeout ? route->timeout : config.request_timeout;
    request->deadline = request->started_at + (uint64_t)timeout * 1000;
    if (context_flags & REDISMODULE_CTX_FLAGS_MULTI) request->invoke_flags |= INVOKE_MULTI;
    if (context_flags & REDISMODULE_CTX_FLAGS_LUA) request->invoke_flags |= INVOKE_SCRIPT;
    bool replica = (context_flags & (REDISMODULE_CTX_FLAGS_SLAVE | REDISMODULE_CTX_FLAGS_READONLY)) ==
                   (REDISMODULE_CTX_FLAGS_SLAVE | REDISMODULE_CTX_FLAGS_READONLY);
    if (replica || route->read_only) request->invoke_flags |= INVOKE_READ_ONLY;
    request->resp = context_flags & REDISMODULE_CTX_FLAGS_RESP3 ? 3 : 2;
    return request;
}

/* ===== The ways to run it ===== */

static void give_up(RedisModuleCtx *ctx, Request *request, const char *error) {
    command_reply_error(ctx, request->command, error);
    request_release(request);
}

static void start_plain(RedisModuleCtx *ctx, Request *request, RedisModuleString **argv, int argc) {
    char error[CALL_ERROR_SIZE];
    if (!reads_first(ctx, request, argv, argc, error)) {
        give_up(ctx, request, error);
        return;
    }
    blocked_start(ctx, request);
    Moment begun = {.monotonic = request->started_at, .unix_time = clock_command_milliseconds()};
    invoke_send(request, argv, argc, request->invoke_flags, begun);
    buffer_empty(&request->reads, KEPT_BY_REQUEST);
}

static void start_guarded(RedisModuleCtx *ctx, Request *request, RedisModuleString **argv, int argc) {
    char error[CALL_ERROR_SIZE];
    if (!guard_enter(ctx, request, argv, argc, error)) {
        give_up(ctx, request, error);
        return;
    }
    blocked_start(ctx, request);
    guard_blocked(request);
}

int start_request(RedisModuleCtx *ctx, Command *command, RedisModuleString **argv, int argc) {
    command->calls++;
    if (!command->lane) return refuse(ctx, command);
    size_t size = invoke_size(argv, argc);
    if (size > FRAME_PAYLOAD_MAX) {
        char error[CALL_ERROR_SIZE];
        invoke_too_long(command, error);
        command_reply_error(ctx, command, error);
        return REDISMODULE_OK;
    }
    if (!lane_has_room(command->lane, size) || capacity_reached(command->lane)) {
        return refuse_overload(ctx, command);
    }
    int flags = RedisModule_GetContextFlags(ctx);
    Request *request = new_request(ctx, command, flags);
    bool no_blocking =
        flags & (REDISMODULE_CTX_FLAGS_DENY_BLOCKING | REDISMODULE_CTX_FLAGS_MULTI | REDISMODULE_CTX_FLAGS_LUA);
    /* A tracking client would keep a value that changed while it waited. */
    bool tracking = !no_blocking && command->route->read_only && command->route->key_count && caller_is_tracking(ctx);
    if (tracking && !command->route->sync) {
        char error[CALL_ERROR_SIZE];
        snprintf(error, sizeof(error),
                 "ERR '%s' cannot run for clients with CLIENT TRACKING, which would keep what changes while they wait: "
                 "use a connection without",
                 command->name);
        give_up(ctx, request, error);
    } else if (no_blocking || tracking) {
        sync_run(ctx, request, argv, argc);
        request_release(request);
    } else if (command->route->retry == 0 || command->route->read_count == 0) {
        start_plain(ctx, request, argv, argc);
    } else {
        start_guarded(ctx, request, argv, argc);
    }
    return REDISMODULE_OK;
}
