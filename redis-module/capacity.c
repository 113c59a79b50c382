#include "capacity.h"

#include "config.h"
#include "module.h"
#include "request.h"
#include "server_setting.h"

static uint64_t maxmemory; /* bytes; 0: no limit */

void capacity_read_maxmemory(void) {
    maxmemory = (uint64_t)server_setting(module_context, "maxmemory", (long long)maxmemory);
}

/* A waiting client costs the server about 36 KB: at most a quarter of maxmemory goes to them. */
bool capacity_reached(const Lane *lane) {
    if ((uint64_t)lane->pending.count + lane->waiting.count >= (uint64_t)config.max_inflight) return true;
    uint64_t limit = maxmemory / 4 / (36 << 10);
    return limit && request_count() >= (limit < 64 ? 64 : limit);
}
