#include "cluster.h"

#include <stdio.h>
#include <string.h>

#include "call.h"
#include "module.h"

static uint16_t crc16(const char *bytes, size_t length) {
    uint16_t crc = 0;
    for (size_t i = 0; i < length; i++) {
        crc ^= (uint16_t)((unsigned char)bytes[i] << 8);
        for (int bit = 0; bit < 8; bit++) crc = (uint16_t)(crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1);
    }
    return crc;
}

uint32_t cluster_slot(const char *key, size_t length) {
    const char *open = length ? memchr(key, '{', length) : NULL;
    if (open) {
        size_t after = (size_t)(open - key) + 1;
        const char *close = length > after ? memchr(key + after, '}', length - after) : NULL;
        if (close && close != key + after) return crc16(key + after, (size_t)(close - key) - after) & 0x3fff;
    }
    return crc16(key, length) & 0x3fff;
}

bool cluster_enabled(void) {
    return RedisModule_GetContextFlags(NULL) & REDISMODULE_CTX_FLAGS_CLUSTER;
}

void cluster_tag(const char *key, size_t length, char tag[16]) {
    uint32_t slot = cluster_slot(key, length);
    for (unsigned i = 0;; i++) { /* 16384 tries on average; a tag of up to 10 digits reaches every slot */
        int size = snprintf(tag, 16, "%u", i);
        if ((crc16(tag, (size_t)size) & 0x3fff) == slot) return;
    }
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
