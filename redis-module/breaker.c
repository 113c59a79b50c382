#include "breaker.h"

#include <inttypes.h>
#include <stdio.h>

#include "call.h"
#include "log.h"
#include "module.h"

static bool has_tripped(const Command *hook) {
    const RouteHook *route = hook->hook;
    return route && route->breaker > 0 && hook->late_in_a_row >= route->breaker;
}

bool breaker_lets(Command *hook, char *error) {
    if (!has_tripped(hook)) return true;
    uint64_t now = clock_microseconds();
    if (now >= hook->open_until) {
        hook->open_until = now + (uint64_t)hook->hook->breaker_ms * 1000; /* until the probe has answered */
        return true;
    }
    snprintf(error, CALL_ERROR_SIZE, "UNAVAILABLE %s was late %d times in a row: it is asked again in %" PRIu64 " ms",
             hook->name, hook->late_in_a_row, (hook->open_until - now) / 1000 + 1);
    return false;
}

void breaker_answered(Command *hook) {
    if (has_tripped(hook)) log_line(LOG_NOTICE, "%s answers in time again: it is asked as ever", hook->name);
    hook->late_in_a_row = 0;
}

void breaker_late(Command *hook) {
    bool had_tripped = has_tripped(hook);
    if (hook->late_in_a_row < INT32_MAX) hook->late_in_a_row++;
    if (!has_tripped(hook)) return;
    hook->open_until = clock_microseconds() + (uint64_t)hook->hook->breaker_ms * 1000;
    if (had_tripped) return;
    hook->trips++;
    log_line(LOG_WARNING, "%s was late %d times in a row: for %d ms its commands are %s without asking it", hook->name,
             hook->late_in_a_row, hook->hook->breaker_ms, hook->hook->allow_on_failure ? "let go on" : "refused");
}

const char *breaker_state(const Command *hook) {
    if (!has_tripped(hook)) return "closed";
    return clock_microseconds() < hook->open_until ? "open" : "half-open";
}

void breaker_reset(Command *hook) {
    hook->late_in_a_row = 0;
    hook->trips = 0;
}
