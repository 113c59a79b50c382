#include "server_setting.h"

#include <stdlib.h>

long long server_setting(RedisModuleCtx *ctx, const char *name, long long unknown) {
    RedisModuleCallReply *reply = RedisModule_Call(ctx, "CONFIG", "ccE", "GET", name);
    RedisModuleCallReply *value = NULL;
    if (reply && RedisModule_CallReplyType(reply) == REDISMODULE_REPLY_ARRAY) {
        value = RedisModule_CallReplyArrayElement(reply, 1);
    }
    size_t length = 0;
    const char *text = value ? RedisModule_CallReplyStringPtr(value, &length) : NULL;
    long long number = text ? strtoll(text, NULL, 10) : unknown; /* what follows is a line break of the protocol */
    if (reply) RedisModule_FreeCallReply(reply);
    return number;
}
