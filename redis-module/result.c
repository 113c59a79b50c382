#include "result.h"

#include <string.h>

#include "events.h"
#include "memory.h"
#include "message.h"
#include "module.h"
#include "reply.h"

/* Runs the commit up to its first error, which then is the reply. Returns false when it replied. */
static bool run_commit(RedisModuleCtx *ctx, Request *request, Result *result, RedisModuleCallReply **replies) {
    char error[CALL_ERROR_SIZE];
    int mode = request_call_mode(request);
    if (request->command->route && request->command->route->read_only) mode |= CALL_MODE_READ_ONLY;
    for (uint32_t i = 0; i < result->commit_count; i++) {
        Arguments arguments;
        if (!arguments_read(&result->commit, &arguments)) return false; /* cannot be: checked on arrival */
        replies[i] = call_run(ctx, &arguments, mode, error);
        arguments_free(&arguments);
        if (!replies[i]) {
            command_reply_error(ctx, request->command, error);
            return false;
        }
        if (RedisModule_CallReplyType(replies[i]) == REDISMODULE_REPLY_ERROR) {
            request->command->failed++;
            RedisModule_ReplyWithCallReply(ctx, replies[i]);
            return false;
        }
    }
    return true;
}

static void count_outcome(Request *request) {
    Command *command = request->command;
    if (request->outcome == OUTCOME_REFUSED) command->refused++;
    if (request->outcome == OUTCOME_FAILED) command->failed++;
    histogram_add(&command->latency, clock_microseconds() - request->started_at);
}

void result_apply(RedisModuleCtx *ctx, Request *request) {
    Result result;
    message_read_result(buffer_front(&request->result), buffer_length(&request->result), request->result_flags,
                        &result);
    RedisModuleCallReply *few[8] = {0};
    RedisModuleCallReply **replies = few;
    if (result.commit_count > 8) replies = memory_zalloc(result.commit_count * sizeof(*replies));
    const char *plugin = request->command->route ? request->command->route->plugin : NULL;
    Slice before = events_set_origin((Slice){.bytes = (const uint8_t *)plugin, .length = plugin ? strlen(plugin) : 0});
    bool done = run_commit(ctx, request, &result, replies);
    events_set_origin(before);
    if (done) {
        reply_value(ctx, result.reply.bytes, result.reply.length, replies);
    }
    for (uint32_t i = 0; i < result.commit_count; i++) {
        if (replies[i]) RedisModule_FreeCallReply(replies[i]);
    }
    if (replies != few) memory_free(replies);
    count_outcome(request);
}
