#include "server_events.h"

#include <stdbool.h>

#include "client_events.h"
#include "module.h"
#include "subscription.h"

static bool clients_wanted(void) {
    return subscriptions_want(SUBSCRIPTION_CLIENTS, NULL);
}

/* ===== Listening ===== */

/* What module.c listens to anyway is not here: the server takes one callback a module and event. */
static struct Source {
    const RedisModuleEvent *event;
    RedisModuleEventCallback callback;
    bool (*wanted)(void);
    void (*forget)(void); /* or NULL */
    bool on;
} sources[] = {
    {&RedisModuleEvent_ClientChange, client_events_take, clients_wanted, client_events_forget, false},
};
enum { SOURCE_COUNT = sizeof(sources) / sizeof(sources[0]) };

static bool timer_set;

/* Only from a timer: the server walks through its list of listeners while it calls one. */
static void stop_listening(RedisModuleCtx *ctx, void *data) {
    (void)ctx, (void)data;
    timer_set = false;
    for (int i = 0; i < SOURCE_COUNT; i++) {
        struct Source *source = &sources[i];
        if (!source->on || source->wanted()) continue;
        RedisModule_SubscribeToServerEvent(module_context, *source->event, NULL);
        source->on = false;
        if (source->forget) source->forget();
    }
}

void server_events_wanted_changed(void) {
    bool useless = false;
    for (int i = 0; i < SOURCE_COUNT; i++) {
        struct Source *source = &sources[i];
        bool wanted = source->wanted();
        if (wanted && !source->on) {
            source->on =
                RedisModule_SubscribeToServerEvent(module_context, *source->event, source->callback) == REDISMODULE_OK;
        }
        useless |= source->on && !wanted;
    }
    if (!useless || timer_set) return;
    timer_set = true;
    RedisModule_CreateTimer(module_context, 1, stop_listening, NULL);
}
