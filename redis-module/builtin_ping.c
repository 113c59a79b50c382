#include <stdbool.h>
#include <stdio.h>

#include "builtin.h"
#include "lane.h"
#include "memory.h"
#include "module.h"

enum { PING_TIMEOUT_MS = 1000 };

/* Not the server's timeout: Redis 7.0 lets go of a client without any reply when its timeout, or CLIENT UNBLOCK, comes
 * between RM_UnblockClient and the end of the loop. So the call waits for the last moment, as in wake.c. */
typedef struct Ping {
    struct Ping *next;
    RedisModuleBlockedClient *client;
    RedisModuleTimerID timer; /* 0: it has fired */
    bool ends;                /* before the server sleeps */
} Ping;

static Ping *pings; /* waiting clients, all for the same thing: no PING on its way */

static void reply_round_trips(RedisModuleCtx *ctx) {
    RedisModule_ReplyWithMap(ctx, REDISMODULE_POSTPONED_LEN);
    long count = 0;
    for (const Lane *lane = lane_list; lane; lane = lane->next) {
        if (lane->fd < 0 || !lane->greeted) continue;
        char name[96];
        snprintf(name, sizeof(name), "%u:%s", lane->number, lane->label);
        RedisModule_ReplyWithCString(ctx, name);
        if (lane->ping_sent_at)
            RedisModule_ReplyWithNull(ctx); /* has not answered yet */
        else
            RedisModule_ReplyWithLongLong(ctx, (long long)lane->last_round_trip);
        count++;
    }
    RedisModule_ReplySetMapLength(ctx, count);
}

static int Ping_Reply(RedisModuleCtx *ctx, RedisModuleString **argv, int argc) {
    (void)argv, (void)argc;
    reply_round_trips(ctx);
    return REDISMODULE_OK;
}

static void ping_unlink(Ping *ping) {
    for (Ping **at = &pings; *at; at = &(*at)->next) {
        if (*at != ping) continue;
        *at = ping->next;
        return;
    }
}

static Ping *ping_of(RedisModuleBlockedClient *client) {
    for (Ping *ping = pings; ping; ping = ping->next) {
        if (ping->client == client) return ping;
    }
    return NULL;
}

static void ping_end(RedisModuleBlockedClient *client) {
    Ping *ping = ping_of(client);
    if (!ping) return; /* answered already */
    ping_unlink(ping);
    if (ping->timer) RedisModule_StopTimer(module_context, ping->timer, NULL);
    RedisModule_UnblockClient(client, ping);
}

/* The answer to CLIENT UNBLOCK. */
static int Ping_Unblocked(RedisModuleCtx *ctx, RedisModuleString **argv, int argc) {
    (void)argv, (void)argc;
    reply_round_trips(ctx);
    ping_end(RedisModule_GetBlockedClientHandle(ctx));
    return REDISMODULE_OK;
}

static void Ping_Disconnected(RedisModuleCtx *ctx, RedisModuleBlockedClient *client) {
    (void)ctx;
    ping_end(client);
}

static void Ping_Free(RedisModuleCtx *ctx, void *ping) {
    (void)ctx;
    memory_free(ping);
}

void builtin_ping_answered(void) {
    if (!pings) return;
    for (const Lane *lane = lane_list; lane; lane = lane->next) {
        if (lane->fd >= 0 && lane->greeted && lane->ping_sent_at) return;
    }
    for (Ping *ping = pings; ping; ping = ping->next) ping->ends = true;
}

static void Ping_Late(RedisModuleCtx *ctx, void *data) {
    (void)ctx;
    Ping *ping = data;
    ping->timer = 0;
    ping->ends = true;
}

void builtin_ping_before_sleep(void) {
    for (Ping *ping = pings, *next; ping; ping = next) {
        next = ping->next;
        if (ping->ends) ping_end(ping->client);
    }
}

int Ping_RedisCommand(RedisModuleCtx *ctx, RedisModuleString **argv, int argc) {
    (void)argv;
    if (argc != 1) return RedisModule_WrongArity(ctx);
    int flags = RedisModule_GetContextFlags(ctx);
    bool may_block =
        !(flags & (REDISMODULE_CTX_FLAGS_DENY_BLOCKING | REDISMODULE_CTX_FLAGS_MULTI | REDISMODULE_CTX_FLAGS_LUA));
    bool any = false;
    for (Lane *lane = lane_list; may_block && lane; lane = lane->next) {
        if (lane->fd < 0 || !lane->greeted) continue;
        lane_ping(lane);
        any = true;
    }
    if (!any) { /* in a transaction: the last known round trips */
        reply_round_trips(ctx);
        return REDISMODULE_OK;
    }
    Ping *ping = memory_zalloc(sizeof(Ping));
    ping->client = RedisModule_BlockClient(ctx, Ping_Reply, Ping_Unblocked, Ping_Free, 0);
    ping->timer = RedisModule_CreateTimer(module_context, PING_TIMEOUT_MS, Ping_Late, ping);
    RedisModule_SetDisconnectCallback(ping->client, Ping_Disconnected);
    ping->next = pings;
    pings = ping;
    return REDISMODULE_OK;
}
