#include "listening.h"

#include <stdbool.h>

#include "client_events.h"
#include "module.h"
#include "server_events.h"
#include "subscription.h"

static bool clients_wanted(void) {
    return subscriptions_want(SUBSCRIPTION_CLIENTS, NULL);
}

static bool replication_wanted(void) {
    return subscriptions_want(SUBSCRIPTION_SERVER, "replication-sync");
}

static bool flush_wanted(void) {
    return subscriptions_want(SUBSCRIPTION_SERVER, "flush");
}

static bool swapdb_wanted(void) {
    return subscriptions_want(SUBSCRIPTION_SERVER, "swapdb");
}

/* ===== Listening ===== */

/* What module.c listens to anyway is not here: the server takes one callback a module and event. */
static struct Source {
    const RedisModuleEvent *event;
    RedisModuleEventCallback callback;
    bool (*wanted)(void);
    void (*begin)(void), (*end)(void); /* or NULL */
    bool on;
} sources[] = {
    {&RedisModuleEvent_ClientChange, client_events_take, clients_wanted, NULL, client_events_forget, false},
    {&RedisModuleEvent_MasterLinkChange, server_events_link, replication_wanted, server_events_link_begin, NULL, false},
    {&RedisModuleEvent_ReplicaChange, server_events_replica, replication_wanted, NULL, NULL, false},
    {&RedisModuleEvent_FlushDB, server_events_flush, flush_wanted, NULL, NULL, false},
    {&RedisModuleEvent_SwapDB, server_events_swapdb, swapdb_wanted, NULL, NULL, false},
};
enum { SOURCE_COUNT = sizeof(sources) / sizeof(sources[0]) };

static bool timer_set, stopped;

/* Only from a timer: the server walks through its list of listeners while it calls one. */
static void stop_listening(RedisModuleCtx *ctx, void *data) {
    (void)ctx, (void)data;
    timer_set = false;
    for (int i = 0; i < SOURCE_COUNT; i++) {
        struct Source *source = &sources[i];
        if (!source->on || source->wanted()) continue;
        RedisModule_SubscribeToServerEvent(module_context, *source->event, NULL);
        source->on = false;
        if (source->end) source->end();
    }
}

void listening_wanted_changed(void) {
    bool useless = false;
    for (int i = 0; i < SOURCE_COUNT; i++) {
        struct Source *source = &sources[i];
        bool wanted = source->wanted();
        if (wanted && !source->on) {
            source->on =
                RedisModule_SubscribeToServerEvent(module_context, *source->event, source->callback) == REDISMODULE_OK;
            if (source->begin) source->begin();
        }
        useless |= source->on && !wanted;
    }
    if (!useless || timer_set || stopped) return;
    timer_set = true;
    RedisModule_CreateTimer(module_context, 1, stop_listening, NULL);
}

void listening_stop(void) {
    stopped = true;
}
