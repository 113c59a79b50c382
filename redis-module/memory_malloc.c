/* memory.h on malloc, for unit tests and fuzzers. */
#include "memory.h"

#include <stdlib.h>
#include <string.h>

static void *checked(void *p) {
    if (!p) abort();
    return p;
}

void *memory_alloc(size_t size) {
    return checked(malloc(size ? size : 1));
}

void *memory_zalloc(size_t size) {
    return checked(calloc(1, size ? size : 1));
}

void *memory_realloc(void *p, size_t size) {
    return checked(realloc(p, size ? size : 1));
}

void memory_free(void *p) {
    free(p);
}

char *memory_copy_string(const char *text, size_t length) {
    char *copy = memory_alloc(length + 1);
    memcpy(copy, text, length);
    copy[length] = '\0';
    return copy;
}
