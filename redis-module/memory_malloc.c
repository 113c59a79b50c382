/* memory.h on malloc, for the unit tests and fuzzers: sanitizers see every allocation. */
#include "memory.h"

#include <stdlib.h>
#include <string.h>

static void *or_abort(void *p) {
    if (p == NULL) abort();
    return p;
}

void *memory_alloc(size_t size) {
    return or_abort(malloc(size > 0 ? size : 1));
}

void *memory_zalloc(size_t size) {
    return or_abort(calloc(1, size > 0 ? size : 1));
}

void *memory_realloc(void *p, size_t size) {
    return or_abort(realloc(p, size > 0 ? size : 1));
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
