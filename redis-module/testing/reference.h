/* Slow and simple twins of glob.c and resp.c, to compare with. Written from the documentation, not from the code. */
#ifndef FERRITE_REFERENCE_H
#define FERRITE_REFERENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* glob_match by recursion: exponential, so it gives up (-1) after `steps`; else 0 or 1. */
int reference_glob(const char *pattern, size_t pattern_length, const char *text, size_t length, long *steps);

/* resp_is_value by recursion. */
bool reference_resp(const uint8_t *bytes, size_t length, uint32_t slots);

#endif
