#include "result.h"

#include <stdio.h>
#include <string.h>

#include "events.h"
#include "memory.h"
#include "message.h"
#include "module.h"
#include "reply.h"

enum { ERROR_SIZE = 1024 };

/* Cluster clients send the command once more after these. */
static bool is_sent_again(const char *error) {
    return strncmp(error, "MOVED ", 6) == 0 || strncmp(error, "ASK ", 4) == 0 || strncmp(error, "TRYAGAIN ", 9) == 0;
}

/* Command `at` of several has failed. Those before it are done: the client is told which one it was, and is never
 * asked to have them done a second time. */
static void reply_failed(RedisModuleCtx *ctx, Request *request, const char *error, RedisModuleString *name, uint32_t at,
                         uint32_t count) {
    char text[1024];
    const char *code = "", *done = ": nothing was done";
    if (at > 0) {
        if (is_sent_again(error)) code = "ERR ";
        done = ", those before it are done";
    }
    if (count == 1 || (at == 0 && is_sent_again(error)))
        snprintf(text, sizeof(text), "%s", error);
    else
        snprintf(text, sizeof(text), "%s%.800s (command %u of %u of the commit, '%.64s'%s)", code, error, at + 1, count,
                 RedisModule_StringPtrLen(name, NULL), done);
    command_reply_error(ctx, request->command, text);
}

/* NULL, or what went wrong: `error`, or the text of the reply in it. */
static const char *error_of(RedisModuleCallReply *reply, char *error) {
    if (!reply) return error;
    if (RedisModule_CallReplyType(reply) != REDISMODULE_REPLY_ERROR) return NULL;
    size_t length;
    const char *text = RedisModule_CallReplyStringPtr(reply, &length);
    snprintf(error, ERROR_SIZE, "%.*s", (int)length, text);
    return error;
}

/* Runs the commit up to its first error, which then is the reply. Returns false when it replied. */
static bool run_commit(RedisModuleCtx *ctx, Request *request, Result *result, RedisModuleCallReply **replies) {
    char error[ERROR_SIZE];
    int mode = request_call_mode(request);
    if (request->command->route && request->command->route->read_only) mode |= CALL_MODE_READ_ONLY;
    for (uint32_t i = 0; i < result->commit_count; i++) {
        Arguments arguments;
        if (!arguments_read(&result->commit, &arguments)) return false; /* cannot be: checked on arrival */
        replies[i] = call_run(ctx, &arguments, mode, error);
        const char *problem = error_of(replies[i], error);
        if (problem) reply_failed(ctx, request, problem, arguments.values[0], i, result->commit_count);
        arguments_free(&arguments);
        if (problem) return false;
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
