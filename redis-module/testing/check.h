/* What the C unit tests share: a program runs its tests with check_run and ends with check_end. */
#ifndef FERRITE_CHECK_H
#define FERRITE_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Runs one test and prints "ok - title" or "not ok - title", with the failed checks before it. */
void check_run(const char *title, void (*test)(void));

/* The exit status of the program. */
int check_end(void);

bool check_that(bool ok, const char *file, int line, const char *format, ...) __attribute__((format(printf, 4, 5)));

/* CHECK(condition, "what was got", ...): the test goes on, so that it can clean up; the value is the condition. */
#define CHECK(condition, ...) check_that((condition), __FILE__, __LINE__, __VA_ARGS__)

/* A repeatable random number below `limit`. The seed is printed at a failure; FERRITE_SEED sets it. */
uint64_t check_random(uint64_t limit);

/* How many rounds of a random test: `more` with FERRITE_LONG=1, else `few`. */
int check_rounds(int few, int more);

/* Seconds of CPU time used so far. */
double check_seconds(void);

#endif
