#include "check.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SHOWN_MAX = 5 };

static unsigned failures; /* of the running test */
static unsigned failed_tests;
static uint64_t seed, state;

static void seed_once(void) {
    if (state) return;
    const char *given = getenv("FERRITE_SEED");
    seed = given && *given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
    state = seed * 0x9e3779b97f4a7c15u | 1;
}

void check_run(const char *title, void (*test)(void)) {
    failures = 0;
    seed_once();
    test();
    if (failures > SHOWN_MAX) printf("# and %u more\n", failures - SHOWN_MAX);
    if (failures) printf("# repeat with FERRITE_SEED=%" PRIu64 "\n", seed);
    printf("%s - %s\n", failures ? "not ok" : "ok", title);
    fflush(stdout);
    if (failures) failed_tests++;
}

int check_end(void) {
    return failed_tests ? 1 : 0;
}

bool check_that(bool ok, const char *file, int line, const char *format, ...) {
    if (ok || ++failures > SHOWN_MAX) return ok;
    const char *name = strrchr(file, '/');
    printf("# %s:%d: ", name ? name + 1 : file, line);
    va_list arguments;
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    printf("\n");
    return false;
}

/* xorshift64*. */
uint64_t check_random(uint64_t limit) {
    seed_once();
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return (state * 0x2545f4914f6cdd1du >> 11) % limit;
}

int check_rounds(int few, int more) {
    const char *wanted = getenv("FERRITE_LONG");
    return wanted && strcmp(wanted, "1") == 0 ? more : few;
}

double check_seconds(void) {
    return (double)clock() / CLOCKS_PER_SEC;
}
