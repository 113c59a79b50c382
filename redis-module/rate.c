#include "rate.h"

#include <string.h>

enum { SWEPT_AT_ONCE = 100 };

_Static_assert(sizeof(void *) >= sizeof(uint64_t), "moments are kept in pointers");

uint64_t rate_buckets(const Rate *rate) {
    return rate->full_at ? RedisModule_DictSize(rate->full_at) : 0;
}

/* A full bucket is as good as none. Begins at a name that chance has brought here. */
static void sweep(Rate *rate, const char *from, size_t length, uint64_t now) {
    RedisModuleDictIter *iterator = RedisModule_DictIteratorStartC(rate->full_at, ">=", (void *)from, length);
    for (int i = 0; i < SWEPT_AT_ONCE; i++) {
        size_t size;
        void *moment, *name = RedisModule_DictNextC(iterator, &size, &moment);
        if (!name) break;
        if ((uintptr_t)moment > now) continue;
        char copy[RATE_NAME_MAX]; /* the iterator's own memory is what it seeks in */
        memcpy(copy, name, size);
        RedisModule_DictDelC(rate->full_at, copy, size, NULL);
        RedisModule_DictIteratorReseekC(iterator, ">", copy, size);
    }
    RedisModule_DictIteratorStop(iterator);
}

/* Of a bucket that is full at `full_at`. False when it is empty. */
static bool take(uint64_t *full_at, RateLimit limit, uint64_t now, uint64_t *wait_us) {
    uint64_t token = limit.interval * 1000000 / limit.limit; /* ns until the next one comes */
    if (token == 0) token = 1;
    uint64_t begun = *full_at > now ? *full_at : now;
    uint64_t most = UINT64_MAX / 4, room = limit.burst - 1 > most / token ? most : token * (limit.burst - 1);
    if (begun - now > room) {
        *wait_us = (begun - now - room) / 1000 + 1;
        return false;
    }
    *full_at = begun + token;
    return true;
}

bool rate_take(Rate *rate, RateLimit limit, const char *name, size_t length, uint64_t now_us, uint64_t *wait_us) {
    uint64_t now = now_us * 1000;
    if (length > RATE_NAME_MAX) length = RATE_NAME_MAX;
    if (!rate->full_at) rate->full_at = RedisModule_CreateDict(NULL);
    int absent = 0;
    uint64_t full_at = (uintptr_t)RedisModule_DictGetC(rate->full_at, (void *)name, length, &absent);
    if (absent && rate_buckets(rate) >= RATE_BUCKETS_MAX) sweep(rate, name, length, now);
    if (absent && rate_buckets(rate) >= RATE_BUCKETS_MAX) return take(&rate->others_full_at, limit, now, wait_us);
    if (!take(&full_at, limit, now, wait_us)) return false;
    RedisModule_DictReplaceC(rate->full_at, (void *)name, length, (void *)(uintptr_t)full_at);
    return true;
}

void rate_free(Rate *rate) {
    if (rate->full_at) RedisModule_FreeDict(NULL, rate->full_at);
    rate->full_at = NULL;
}
