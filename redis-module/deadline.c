#include "deadline.h"

#include <stddef.h>
#include <stdio.h>

#include "answer.h"
#include "breaker.h"
#include "heap.h"
#include "invoke.h"
#include "module.h"
#include "pause.h"

/* One timer for all, at the earliest deadline of when it was set. Most deadlines come in the order of their requests,
 * so that a new one rarely has to move it. */
static RedisModuleTimerID deadline_timer;
static uint64_t deadline_next; /* 0: no timer is set */
static Heap deadlines;

enum { LOOK_AGAIN = 1000 }; /* us, for a request that cannot time out now */

static void on_deadline(RedisModuleCtx *ctx, void *data);

static void set_deadline_timer(uint64_t deadline, uint64_t now) {
    deadline_next = deadline;
    mstime_t wait = deadline > now ? (mstime_t)((deadline - now + 999) / 1000) : 0;
    deadline_timer = RedisModule_CreateTimer(module_context, wait, on_deadline, NULL);
}

void deadline_watch(Request *request) {
    request->due.due = request->deadline;
    heap_add(&deadlines, &request->due);
    if (deadline_next && deadline_next <= request->deadline) return;
    if (deadline_next) RedisModule_StopTimer(module_context, deadline_timer, NULL);
    set_deadline_timer(request->deadline, request->started_at);
}

void deadline_forget(Request *request) {
    heap_remove(&deadlines, &request->due);
}

/* False for what is about to be answered anyway, and for the request that the main thread waits for. */
static bool can_time_out(const Request *request) {
    if (request->sync || request->ended) return false;
    return request->state != REQUEST_ANSWERED || request->held;
}

static void time_out(Request *request) {
    char error[CALL_ERROR_SIZE];
    snprintf(error, sizeof(error), "TIMEOUT '%s' did not answer in time", request->command->name);
    if (request->state == REQUEST_ASKED) {
        invoke_cancel(request, CANCEL_TIMEOUT);
        if (request->chain) breaker_late(request->command);
    }
    pause_forget(request);
    request->timed_out = true;
    request->command->timeouts++;
    answer_error(request, error);
}

static void on_deadline(RedisModuleCtx *ctx, void *data) {
    (void)ctx, (void)data;
    uint64_t now = clock_microseconds();
    HeapEntry *first;
    while ((first = heap_first(&deadlines)) && first->due <= now) {
        Request *request = (Request *)((char *)first - offsetof(Request, due));
        heap_remove(&deadlines, first);
        if (can_time_out(request)) {
            time_out(request);
            continue;
        }
        first->due = now + LOOK_AGAIN; /* it can wait again: after a conflict, or for the end of a pause */
        heap_add(&deadlines, first);
    }
    deadline_next = 0;
    if (first) set_deadline_timer(first->due, now);
}

void deadline_free_all(void) {
    heap_free(&deadlines);
}
