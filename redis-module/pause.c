#include "pause.h"

#include "module.h"
#include "wake.h"

static Request *held_list;
static bool hold_timer_set;

static void on_hold_timer(RedisModuleCtx *ctx, void *data) {
    (void)ctx, (void)data;
    hold_timer_set = false;
    Request *list = held_list;
    held_list = NULL;
    while (list) {
        Request *request = list;
        list = request->held_next;
        request->held = false;
        if (RedisModule_AvoidReplicaTraffic())
            pause_hold(request);
        else
            wake_request(request);
    }
}

void pause_hold(Request *request) {
    if (!request->held) {
        request->held = true;
        request->held_next = held_list;
        held_list = request;
    }
    if (hold_timer_set) return;
    hold_timer_set = true;
    RedisModule_CreateTimer(module_context, 5, on_hold_timer, NULL);
}

void pause_forget(Request *request) {
    if (!request->held) return;
    for (Request **at = &held_list; *at; at = &(*at)->held_next) {
        if (*at != request) continue;
        *at = request->held_next;
        break;
    }
    request->held = false;
}
