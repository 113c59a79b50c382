#include "capacity.h"

#include <stdlib.h>

#include "config.h"
#include "module.h"
#include "request.h"

static uint64_t maxmemory; /* bytes; 0: no limit */

void capacity_read_maxmemory(void) {
    RedisModuleCallReply *reply = RedisModule_Call(module_context, "CONFIG", "ccE", "GET", "maxmemory");
    RedisModuleCallReply *value = NULL;
    if (reply && RedisModule_CallReplyType(reply) == REDISMODULE_REPLY_ARRAY) {
        value = RedisModule_CallReplyArrayElement(reply, 1);
    }
    size_t length = 0;
    const char *text = value ? RedisModule_CallReplyStringPtr(value, &length) : NULL;
    if (text) maxmemory = strtoull(text, NULL, 10);
    if (reply) RedisModule_FreeCallReply(reply);
}

/* A waiting client costs the server about 36 KB: at most a quarter of maxmemory goes to them. */
bool capacity_reached(const Lane *lane) {
    if ((uint64_t)lane->pending.count + lane->waiting.count >= (uint64_t)config.max_inflight) return true;
    uint64_t limit = maxmemory / 4 / (36 << 10);
    return limit && request_count() >= (limit < 64 ? 64 : limit);
}
