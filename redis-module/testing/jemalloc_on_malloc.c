/* A libjemalloc.so.2 with nothing in it: preloaded, it makes a server that links the shared jemalloc use the C
 * library's malloc, which AddressSanitizer and valgrind can watch. malloc, free and the like are not defined here, so
 * that the next library's are taken. Redis only: Valkey asserts on figures that mallctl must give. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { MALLOCX_ZERO_FLAG = 0x40 };

#define UNUSED __attribute__((unused))
#define EXPORT __attribute__((visibility("default")))

static int give_zero(void *old, const size_t *old_size) {
    if (old && old_size) memset(old, 0, *old_size);
    return 0;
}

EXPORT int mallctl(UNUSED const char *name, void *old, size_t *old_size, UNUSED void *new, UNUSED size_t new_size) {
    return give_zero(old, old_size);
}

EXPORT int mallctlnametomib(UNUSED const char *name, size_t *mib, size_t *length) {
    memset(mib, 0, *length * sizeof(*mib));
    return 0;
}

EXPORT int mallctlbymib(UNUSED const size_t *mib, UNUSED size_t length, void *old, size_t *old_size, UNUSED void *new,
                        UNUSED size_t new_size) {
    return give_zero(old, old_size);
}

EXPORT void malloc_stats_print(UNUSED void (*print)(void *, const char *), UNUSED void *data,
                               UNUSED const char *options) {
}

EXPORT void *mallocx(size_t size, int flags) {
    return flags & MALLOCX_ZERO_FLAG ? calloc(1, size) : malloc(size);
}

EXPORT void *rallocx(void *p, size_t size, UNUSED int flags) {
    return realloc(p, size);
}

EXPORT void dallocx(void *p, UNUSED int flags) {
    free(p);
}

EXPORT void sdallocx(void *p, UNUSED size_t size, UNUSED int flags) {
    free(p);
}

EXPORT size_t nallocx(size_t size, UNUSED int flags) {
    return size;
}
