#include "reads.h"

#include <stdio.h>
#include <string.h>

#include "invoke.h"
#include "message.h"

/* Builds the command of one declared read from argv; holds references to argv's strings. */
static bool build_read(const RouteRead *read, RedisModuleString **argv, int argc, Arguments *built) {
    int room = read->count + argc;
    arguments_make(built, room);
    for (int i = 0; i < read->count; i++) {
        const ReadWord *word = &read->words[i];
        if (word->kind == READ_LITERAL) {
            built->values[built->count++] = i == 0 ? call_name(word->literal, word->length)
                                                   : RedisModule_CreateString(NULL, word->literal, word->length);
            continue;
        }
        int last = read_word_last(word, argc);
        if (word->first >= argc || last >= argc || last < word->first) {
            arguments_free(built);
            return false;
        }
        for (int a = word->first; a <= last && built->count < room; a++) {
            RedisModule_RetainString(NULL, argv[a]);
            built->values[built->count++] = argv[a];
        }
    }
    return true;
}

static bool read_failed(RedisModuleCallReply *reply, char *error) {
    size_t length;
    const char *text = RedisModule_CallReplyStringPtr(reply, &length);
    snprintf(error, CALL_ERROR_SIZE, "%.*s", text ? (int)length : 0, text ? text : "");
    RedisModule_FreeCallReply(reply);
    return false;
}

/* Into a buffer of its own and not into the lane's: a read can expire a key, and the event of that is a frame too. */
bool reads_perform(RedisModuleCtx *ctx, const Request *request, RedisModuleString **argv, int argc, Buffer *out,
                   char *error) {
    const RouteCommand *route = request->command->route;
    int count = route ? route->read_count : 0;
    if (count == 0) return true;
    size_t size = invoke_size(argv, argc);
    buffer_put_u32(out, (uint32_t)count);
    for (int i = 0; i < count; i++) {
        Arguments read;
        if (!build_read(&route->reads[i], argv, argc, &read)) {
            snprintf(error, CALL_ERROR_SIZE, "ERR wrong number of arguments for '%s' command", request->command->name);
            return false;
        }
        RedisModuleCallReply *reply =
            call_run(ctx, &read, request_call_mode(request) | CALL_MODE_READ_ONLY | CALL_MODE_RESP3, error);
        arguments_free(&read);
        if (!reply) return false;
        if (RedisModule_CallReplyType(reply) == REDISMODULE_REPLY_ERROR) return read_failed(reply, error);
        size_t length;
        const char *proto = RedisModule_CallReplyProto(reply, &length);
        bool fits = size + buffer_length(out) + length <= FRAME_PAYLOAD_MAX;
        if (fits) buffer_put_string(out, proto, length);
        RedisModule_FreeCallReply(reply);
        if (!fits) return invoke_too_long(request->command, error);
    }
    return true;
}

bool reads_first(RedisModuleCtx *ctx, Request *request, RedisModuleString **argv, int argc, char *error) {
    if (!reads_perform(ctx, request, argv, argc, &request->reads, error)) return false;
    if (request->state == REQUEST_WAITING) return true;
    snprintf(error, CALL_ERROR_SIZE, "%s", request->failure);
    return false;
}

bool reads_refresh(RedisModuleCtx *ctx, Request *request, RedisModuleString **argv, int argc, char *error) {
    buffer_free(&request->reads);
    return reads_perform(ctx, request, argv, argc, &request->reads, error);
}

static Buffer spare_reads; /* kept for the next comparison */

/* A read that fails now counts as a change. A result without a commit stands
 * as it is if the handler saw what was really there; what it assumed of commits before it in the batch must have come
 * true. */
bool reads_hold(RedisModuleCtx *ctx, Request *request) {
    if (!(request->result_flags & (RESULT_HAS_COMMIT | RESULT_HAS_ASSUMED))) return true;
    Result result;
    message_read_result(buffer_front(&request->result), buffer_length(&request->result), request->result_flags,
                        &result);
    Buffer now = spare_reads;
    spare_reads = (Buffer){0}; /* a read may run a script that comes here too */
    char error[CALL_ERROR_SIZE];
    const Arguments *arguments = &request->arguments;
    bool same = reads_perform(ctx, request, arguments->values, arguments->count, &now, error);
    const uint8_t *assumed = result.assumed.length ? result.assumed.bytes : buffer_front(&request->reads);
    size_t length = result.assumed.length ? result.assumed.length : buffer_length(&request->reads);
    same = same && buffer_length(&now) == length && memcmp(buffer_front(&now), assumed, length) == 0;
    buffer_empty(&now, KEPT_BY_REQUEST);
    buffer_free(&spare_reads);
    spare_reads = now;
    return same;
}

void reads_free_all(void) {
    buffer_free(&spare_reads);
}
