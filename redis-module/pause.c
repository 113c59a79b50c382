#include "pause.h"

#include "module.h"
#include "wake.h"

enum { WATCH_MIN = 1, WATCH_MAX = 50 }; /* ms between two looks */

static Request *held_list;
static bool timer_set;
static uint64_t watched_since; /* us; 0: there was no pause at the last look */

static void on_timer(RedisModuleCtx *ctx, void *data) {
    (void)ctx, (void)data;
    timer_set = false; /* the loop turns: who still waits watches again */
}

/* The longer a pause has lasted, the rarer the looks: the end is noticed within an eighth of it. A command of any
 * client, such as CLIENT UNPAUSE, makes the loop turn too. */
void pause_watch(void) {
    uint64_t now = clock_microseconds();
    if (!watched_since) watched_since = now; /* also while a timer of the pause before is set */
    if (timer_set) return;
    uint64_t wait = (now - watched_since) / 8000;
    timer_set = true;
    if (wait < WATCH_MIN) wait = WATCH_MIN;
    RedisModule_CreateTimer(module_context, wait < WATCH_MAX ? (mstime_t)wait : WATCH_MAX, on_timer, NULL);
}

void pause_before_sleep(void) {
    if (!watched_since) return;
    if (RedisModule_AvoidReplicaTraffic()) {
        if (held_list) pause_watch();
        return;
    }
    watched_since = 0;
    while (held_list) {
        Request *request = held_list;
        held_list = request->held_next;
        request->held = false;
        wake_request(request);
    }
}

void pause_hold(Request *request) {
    if (!request->held) {
        request->held = true;
        request->held_next = held_list;
        held_list = request;
    }
    pause_watch();
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
