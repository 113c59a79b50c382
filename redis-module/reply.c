#include "reply.h"

#include <string.h>

#include "memory.h"
#include "resp.h"

/* The calls for simple strings and errors take C strings: the token is copied, and cut at a NUL byte. */
static void reply_line(RedisModuleCtx *ctx, const RespToken *token) {
    char *text = memory_copy_string(token->text, token->length);
    if (token->type == '-') {
        RedisModule_ReplyWithError(ctx, text);
    } else {
        RedisModule_ReplyWithSimpleString(ctx, text);
    }
    memory_free(text);
}

static void reply_token(RedisModuleCtx *ctx, const RespToken *token, RedisModuleCallReply **slots) {
    switch (token->type) {
        case '+':
        case '-':
            reply_line(ctx, token);
            break;
        case '$':
            RedisModule_ReplyWithStringBuffer(ctx, token->text, token->length);
            break;
        case '=':
            RedisModule_ReplyWithVerbatimStringType(ctx, token->text, token->length, token->format);
            break;
        case ':':
            RedisModule_ReplyWithLongLong(ctx, token->integer);
            break;
        case ',':
            RedisModule_ReplyWithDouble(ctx, token->number);
            break;
        case '#':
            RedisModule_ReplyWithBool(ctx, (int)token->integer);
            break;
        case '(':
            RedisModule_ReplyWithBigNumber(ctx, token->text, token->length);
            break;
        case '%':
            RedisModule_ReplyWithMap(ctx, token->count);
            break;
        case '~':
            RedisModule_ReplyWithSet(ctx, token->count);
            break;
        case '*':
            if (token->count < 0)
                RedisModule_ReplyWithNullArray(ctx);
            else
                RedisModule_ReplyWithArray(ctx, token->count);
            break;
        case '@':
            RedisModule_ReplyWithCallReply(ctx, slots[token->integer]);
            break;
        default:
            RedisModule_ReplyWithNull(ctx);
            break;
    }
}

void reply_value(RedisModuleCtx *ctx, const uint8_t *value, size_t length, RedisModuleCallReply **slots) {
    for (size_t at = 0; at < length;) {
        RespToken token;
        size_t size = resp_token(value + at, length - at, &token);
        if (size == 0) return; /* cannot be: the value was checked */
        reply_token(ctx, &token, slots);
        at += size;
    }
}
