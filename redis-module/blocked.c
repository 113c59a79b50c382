#include "blocked.h"

#include <stdio.h>

#include "chain.h"
#include "deadline.h"
#include "guard.h"
#include "invoke.h"
#include "pause.h"
#include "reads.h"
#include "result.h"
#include "sync.h"
#include "wake.h"

/* ===== From the server's handle to the request ===== */

/* Redis 7.0 has no private data before RM_UnblockClient: there a dictionary leads from the handle to the request. */
static RedisModuleDict *requests_by_client;

static void remember_client(Request *request) {
    if (RedisModule_BlockClientSetPrivateData) {
        RedisModule_BlockClientSetPrivateData(request->client, request);
        return;
    }
    if (!requests_by_client) requests_by_client = RedisModule_CreateDict(NULL);
    RedisModule_DictSetC(requests_by_client, &request->client, sizeof(request->client), request);
}

static void forget_client(Request *request) {
    if (!requests_by_client || !request->client) return;
    RedisModule_DictDelC(requests_by_client, &request->client, sizeof(request->client), NULL);
}

static Request *request_of(RedisModuleCtx *ctx, RedisModuleBlockedClient *client) {
    if (RedisModule_BlockClientSetPrivateData) return RedisModule_GetBlockedClientPrivateData(ctx);
    return RedisModule_DictGetC(requests_by_client, &client, sizeof(client), NULL);
}

/* ===== Reply ===== */

/* A guarded request whose reads changed: waits for another turn, or runs at once while nothing can come between.
 * Returns REDISMODULE_ERR to stay blocked. */
static int after_conflict(RedisModuleCtx *ctx, Request *request) {
    request->command->conflicts++;
    request->attempts++;
    request_drop_result(request);
    request->lane = request->command->lane; /* the one that answered may be gone: a pause can lie between */
    request->code = request->command->code;
    if (!request->lane || !request->command->route) {
        command_reply_error(ctx, request->command, "UNAVAILABLE the plugin has stopped meanwhile");
        return REDISMODULE_OK;
    }
    bool has_budget = sync_has_budget(request);
    if (request->by_key && (request->attempts < request->command->route->retry || !has_budget)) {
        guard_again(request); /* without budget: its last try comes in a later loop */
        return REDISMODULE_ERR;
    }
    sync_run_last(ctx, request);
    return REDISMODULE_OK;
}

static int answer_client(RedisModuleCtx *ctx, Request *request) {
    if (request->chain) {
        chain_finish(ctx, request);
        return REDISMODULE_OK;
    }
    if (request->failure) {
        if (!request->timed_out) request->command->failed++;
        RedisModule_ReplyWithError(ctx, request->failure);
        return REDISMODULE_OK;
    }
    if ((request->result_flags & RESULT_HAS_COMMIT) && RedisModule_AvoidReplicaTraffic()) {
        if (!request->by_key) {
            RedisModule_ReplyWithError(ctx, "TRYAGAIN the server is paused or failing over");
            return REDISMODULE_OK;
        }
        pause_hold(request);
        return REDISMODULE_ERR;
    }
    if (request->outcome == OUTCOME_AGAIN) { /* only a guarded request is run again, answer_take has seen to that */
        command_reply_error(ctx, request->command, "TRYAGAIN the plugin was busy");
        return REDISMODULE_OK;
    }
    if (request->guarded && !reads_hold(ctx, request)) return after_conflict(ctx, request);
    result_apply(ctx, request);
    return REDISMODULE_OK;
}

/* Returns REDISMODULE_ERR to stay blocked: with its reads it is sent in its turn. */
static int read_itself(RedisModuleCtx *ctx, Request *request) {
    char error[CALL_ERROR_SIZE];
    if (request->has_reads || guard_read(ctx, request, error)) return REDISMODULE_ERR;
    request_set_state(request, REQUEST_ANSWERED);
    command_reply_error(ctx, request->command, error);
    return REDISMODULE_OK;
}

static int Request_Reply(RedisModuleCtx *ctx, RedisModuleString **argv, int argc) {
    (void)argv, (void)argc;
    Request *request = RedisModule_GetBlockedClientPrivateData(ctx);
    int served = REDISMODULE_ERR; /* its private name was signalled by somebody else */
    if (request->state == REQUEST_ANSWERED)
        served = answer_client(ctx, request);
    else if (request->state == REQUEST_WAITING && request->reads_itself)
        served = read_itself(ctx, request);
    if (served != REDISMODULE_OK) return served;
    request->ended = true;
    if (request->guarded) guard_leave(request);
    return REDISMODULE_OK;
}

/* ===== Other ends ===== */

/* The client has got its answer or is gone. One that was not blocked on a key has to be unblocked exactly once all the
 * same, so that the server lets go of its handle. */
static void end_blocked(Request *request, uint16_t why) {
    if (request->state == REQUEST_ASKED) invoke_cancel(request, why);
    pause_forget(request);
    if (request->guarded) guard_leave(request);
    request->ended = true;
    request_set_state(request, REQUEST_ANSWERED);
    wake_let_go(request);
}

/* The answer to CLIENT UNBLOCK: deadlines are kept elsewhere (deadline.h). */
static int Request_Unblocked(RedisModuleCtx *ctx, RedisModuleString **argv, int argc) {
    (void)argv, (void)argc;
    Request *request = request_of(ctx, RedisModule_GetBlockedClientHandle(ctx));
    char error[CALL_ERROR_SIZE];
    snprintf(error, sizeof(error), "UNBLOCKED '%s' was unblocked", request->command->name);
    RedisModule_ReplyWithError(ctx, error);
    end_blocked(request, CANCEL_UNBLOCKED);
    return REDISMODULE_OK;
}

static void Request_Disconnected(RedisModuleCtx *ctx, RedisModuleBlockedClient *client) {
    end_blocked(request_of(ctx, client), CANCEL_DISCONNECTED);
}

static void Request_Free(RedisModuleCtx *ctx, void *data) {
    (void)ctx;
    Request *request = data;
    forget_client(request);
    deadline_forget(request);
    pause_forget(request);
    if (request->guarded) guard_leave(request);
    request_release(request);
}

/* ===== Blocking ===== */

/* Without a timeout of the server's: its table of them costs more than the rest of blocking. */
void blocked_start(RedisModuleCtx *ctx, Request *request) {
    if (request->by_key) {
        request->client =
            RedisModule_BlockClientOnKeysWithFlags(ctx, Request_Reply, Request_Unblocked, Request_Free, 0,
                                                   &request->wake_name, 1, request, REDISMODULE_BLOCK_UNBLOCK_DELETED);
    } else {
        request->client = RedisModule_BlockClient(ctx, Request_Reply, Request_Unblocked, Request_Free, 0);
        remember_client(request);
    }
    deadline_watch(request);
    RedisModule_SetDisconnectCallback(request->client, Request_Disconnected);
    RedisModule_BlockedClientMeasureTimeStart(request->client);
}
