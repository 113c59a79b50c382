#include "sync.h"

#include <stdio.h>

#include "breaker.h"
#include "config.h"
#include "invoke.h"
#include "module.h"
#include "reads.h"
#include "result.h"

/* A commit or a nested call can run a plugin command, which can do so again: each level waits inside the one before, on
 * the server's stack. */
enum { SYNC_DEPTH_MAX = 8 };

static Request *sync_request;
static int sync_depth;
static uint64_t budget_used, budget_client;

Request *sync_waiting(void) {
    return sync_request;
}

/* ===== Budget ===== */

/* All runs after conflicts share one budget a loop: they are of many clients, at one hot key. */
enum { BUDGET_OF_CONFLICTS = 0 }; /* no client has this id */

static uint64_t budget_owner(const Request *request) {
    return request->client ? BUDGET_OF_CONFLICTS : request->client_id;
}

static uint64_t sync_deadline(uint64_t client_id) {
    if (budget_client != client_id && sync_depth <= 1) { /* a nested command has a client of its own */
        budget_client = client_id;
        budget_used = 0;
    }
    uint64_t budget = (uint64_t)config.sync_budget * 1000;
    uint64_t left = budget > budget_used ? budget - budget_used : 0;
    uint64_t timeout = (uint64_t)config.sync_timeout * 1000;
    return clock_microseconds() + (left < timeout ? left : timeout);
}

bool sync_has_budget(const Request *request) {
    return sync_deadline(budget_owner(request)) > clock_microseconds();
}

void sync_before_sleep(void) {
    budget_used = 0;
    budget_client = 0;
}

/* ===== One run ===== */

/* Sends the request with the reads that it has and waits for its RESULT. On failure `error` has "CODE text". */
static bool ask_and_wait(RedisModuleCtx *ctx, Request *request, RedisModuleString **argv, int argc, char *error) {
    Lane *lane = request->lane;
    uint64_t from = clock_microseconds();
    uint64_t deadline = sync_deadline(budget_owner(request));
    request->sync = true;
    request->answered = false;
    request->ctx = ctx;
    invoke_send(request, argv, argc, request->invoke_flags | INVOKE_SYNC, moment_now());
    lane_flush(lane);
    Request *outer = sync_request;
    sync_request = request;
    lane_wait(lane, &request->answered, deadline);
    sync_request = outer;
    budget_used += clock_microseconds() - from;
    if (request->answered) return true;
    request_set_state(request, REQUEST_ANSWERED);
    lane->sync_refused = lane->fd >= 0;
    invoke_cancel(request, CANCEL_TIMEOUT);
    lane_ping(lane); /* nothing answers a CANCEL: the PONG tells that the lane is free again */
    request->command->timeouts++;
    if (request->chain) breaker_late(request->command);
    snprintf(error, CALL_ERROR_SIZE, "TIMEOUT '%s' did not answer within ferrite.sync-timeout", request->command->name);
    return false;
}

static bool sync_possible(const Request *request, char *error) {
    const Command *command = request->command;
    if (sync_depth > SYNC_DEPTH_MAX) {
        snprintf(error, CALL_ERROR_SIZE, "ERR '%s' was not run: plugin commands can run each other %d levels deep",
                 command->name, SYNC_DEPTH_MAX);
        return false;
    }
    if (request->lane->sync_refused) {
        snprintf(error, CALL_ERROR_SIZE,
                 "UNAVAILABLE plugin %s missed a deadline in a transaction or script, it has "
                 "not answered since",
                 command->route->plugin);
        return false;
    }
    if (!sync_has_budget(request)) {
        snprintf(error, CALL_ERROR_SIZE, "TIMEOUT '%s' was not run: ferrite.sync-budget is used up", command->name);
        return false;
    }
    return true;
}

bool sync_ask(RedisModuleCtx *ctx, Request *request, RedisModuleString **argv, int argc, char *error) {
    request->command->sync_calls++;
    sync_depth++;
    bool answered = sync_possible(request, error) && ask_and_wait(ctx, request, argv, argc, error);
    sync_depth--;
    return answered;
}

static void finish_sync(RedisModuleCtx *ctx, Request *request) {
    if (request->failure)
        command_reply_error(ctx, request->command, request->failure);
    else if (request->outcome == OUTCOME_AGAIN)
        RedisModule_ReplyWithError(ctx, "TRYAGAIN the plugin was busy");
    else
        result_apply(ctx, request);
}

void sync_run(RedisModuleCtx *ctx, Request *request, RedisModuleString **argv, int argc) {
    char error[CALL_ERROR_SIZE];
    Command *command = request->command;
    command->sync_calls++;
    sync_depth++;
    if (!command->route->sync) {
        snprintf(error, sizeof(error), "ERR '%s' cannot run inside MULTI, scripts or other modules", command->name);
        command_reply_error(ctx, command, error);
    } else if (!sync_possible(request, error) || !reads_first(ctx, request, argv, argc, error) ||
               !ask_and_wait(ctx, request, argv, argc, error)) {
        command_reply_error(ctx, command, error);
    } else {
        finish_sync(ctx, request);
    }
    sync_depth--;
}

void sync_run_last(RedisModuleCtx *ctx, Request *request) {
    char error[CALL_ERROR_SIZE];
    const Arguments *arguments = &request->arguments;
    if (!reads_refresh(ctx, request, arguments->values, arguments->count, error)) {
        command_reply_error(ctx, request->command,
                            error); /* such as WRONGTYPE: another try would end in the same way */
    } else if (!sync_possible(request, error) ||
               !ask_and_wait(ctx, request, arguments->values, arguments->count, error)) {
        snprintf(error, sizeof(error), "TRYAGAIN '%s': what it reads keeps changing", request->command->name);
        command_reply_error(ctx, request->command, error);
    } else {
        finish_sync(ctx, request);
    }
}
