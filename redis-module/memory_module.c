/* memory.h on the server's allocator. */
#include "memory.h"

#include <string.h>

#include "server.h"

void *memory_alloc(size_t size) {
    return RedisModule_Alloc(size);
}

void *memory_zalloc(size_t size) {
    return RedisModule_Calloc(1, size);
}

void *memory_realloc(void *p, size_t size) {
    return RedisModule_Realloc(p, size);
}

void memory_free(void *p) {
    RedisModule_Free(p);
}

char *memory_copy_string(const char *text, size_t length) {
    char *copy = RedisModule_Alloc(length + 1);
    memcpy(copy, text, length);
    copy[length] = '\0';
    return copy;
}
