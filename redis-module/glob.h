/* Key patterns with the meaning that they have in KEYS and PSUBSCRIBE: * ? [a-z] [^x] and \ as escape. Pure. */
#ifndef FERRITE_GLOB_H
#define FERRITE_GLOB_H

#include <stdbool.h>
#include <stddef.h>

bool glob_match(const char *pattern, size_t pattern_length, const char *text, size_t length);

/* The same, with A to Z as a to z in both. */
bool glob_match_nocase(const char *pattern, size_t pattern_length, const char *text, size_t length);

#endif
