/* Token buckets, one per name: the generic cell rate algorithm (ITU-T I.371), which keeps of each bucket only the
 * moment at which it is full again. */
#ifndef FERRITE_RATE_H
#define FERRITE_RATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server.h"

enum {
    RATE_BUCKETS_MAX = 100000, /* of one rule; names beyond them share one */
    RATE_NAME_MAX = 256        /* bytes; names that begin alike so far share a bucket */
};

/* `limit` tokens come in `interval` ms; `burst` fit into a bucket. All are 1 or more. */
typedef struct RateLimit {
    uint64_t limit, interval, burst;
} RateLimit;

typedef struct Rate {
    RedisModuleDict *full_at; /* name -> ns, as the pointer itself */
    uint64_t others_full_at;  /* of the names that have no bucket of their own */
} Rate;

/* Takes a token. False when there is none, with the us until there is one. */
bool rate_take(Rate *rate, RateLimit limit, const char *name, size_t length, uint64_t now_us, uint64_t *wait_us);

uint64_t rate_buckets(const Rate *rate);
void rate_free(Rate *rate);

#endif
