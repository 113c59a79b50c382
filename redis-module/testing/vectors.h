/* Reads the files that the tests of both languages, or tests and fuzzers, share. */
#ifndef FERRITE_VECTORS_H
#define FERRITE_VECTORS_H

#include <stddef.h>
#include <stdint.h>

typedef struct Vector {
    char name[96]; /* "kind/name" */
    uint8_t *bytes;
    size_t length;
} Vector;

/* test/bridge/vectors.txt; read once, never freed. Ends the program when it cannot be read. */
const Vector *vectors_all(int *count);

/* The file at `path` inside redis-module/, with a final NUL that is not counted; free() it. Ends the program when it
 * cannot be read. */
char *vectors_file(const char *path, size_t *length);

/* A copy of exactly `length` bytes, so that AddressSanitizer sees every read beyond them; free() it. */
uint8_t *exact_copy(const void *bytes, size_t length);

#endif
