#include "cluster.h"

#include <stdio.h>

#include "call.h"
#include "module.h"

bool cluster_enabled(void) {
    return RedisModule_GetContextFlags(NULL) & REDISMODULE_CTX_FLAGS_CLUSTER;
}

static bool first_key(RedisModuleCtx *ctx, const Arguments *arguments, const char **key, size_t *length) {
    int count = 0;
    int *positions = RedisModule_GetCommandKeys(ctx, arguments->values, arguments->count, &count);
    bool found = positions && count > 0;
    if (found) *key = RedisModule_StringPtrLen(arguments->values[positions[0]], length);
    RedisModule_Free(positions);
    return found;
}

static long long integer_at(RedisModuleCallReply *array, size_t i) {
    RedisModuleCallReply *element = RedisModule_CallReplyArrayElement(array, i);
    return element ? RedisModule_CallReplyInteger(element) : -1;
}

/* CLUSTER SLOTS: a list of [first, last, [host, port, ...], ...]. */
static bool find_owner(RedisModuleCallReply *slots, uint32_t slot, char *error) {
    for (size_t i = 0; i < RedisModule_CallReplyLength(slots); i++) {
        RedisModuleCallReply *range = RedisModule_CallReplyArrayElement(slots, i);
        if (integer_at(range, 0) > (long long)slot || integer_at(range, 1) < (long long)slot) continue;
        RedisModuleCallReply *node = RedisModule_CallReplyArrayElement(range, 2);
        size_t length = 0;
        const char *host = RedisModule_CallReplyStringPtr(RedisModule_CallReplyArrayElement(node, 0), &length);
        snprintf(error, CALL_ERROR_SIZE, "MOVED %u %.*s:%lld", slot, (int)length, host ? host : "",
                 integer_at(node, 1));
        return true;
    }
    return false;
}

bool cluster_redirect(RedisModuleCtx *ctx, const Arguments *arguments, char *error) {
    const char *key;
    size_t length;
    if (!first_key(ctx, arguments, &key, &length)) return false;
    uint32_t slot = cluster_slot(key, length);
    RedisModuleCallReply *slots = RedisModule_Call(ctx, "CLUSTER", "cE", "SLOTS");
    bool found = slots && RedisModule_CallReplyType(slots) == REDISMODULE_REPLY_ARRAY && find_owner(slots, slot, error);
    if (slots) RedisModule_FreeCallReply(slots);
    if (!found) snprintf(error, CALL_ERROR_SIZE, "TRYAGAIN slot %u is not served by this node any more", slot);
    return true;
}
