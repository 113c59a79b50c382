#include "environment.h"

#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "buffer.h"
#include "memory.h"

extern char **environ;

typedef struct List {
    char **strings;
    size_t count;
} List;

static void add(List *list, const char *string) {
    list->strings = memory_realloc(list->strings, (list->count + 2) * sizeof(char *));
    list->strings[list->count++] = memory_copy_string(string, strlen(string));
    list->strings[list->count] = NULL;
}

static bool same_name(const char *a, const char *b) {
    size_t length = strcspn(a, "=");
    return strncmp(a, b, length) == 0 && b[length] == '=';
}

/* NUL-separated strings. No getline: on Valkey 9.1 `free` here is not the one that belongs to the C library's malloc.
 */
static void add_from_kernel(List *list, const char *extra) {
    int fd = open("/proc/self/environ", O_RDONLY | O_CLOEXEC);
    if (fd < 0) return;
    Buffer text = {0};
    ssize_t got;
    while ((got = read(fd, buffer_reserve(&text, 4096), 4096)) > 0) text.end += (size_t)got;
    close(fd);
    buffer_put_u8(&text, 0);
    const char *at = (const char *)buffer_front(&text), *end = at + buffer_length(&text);
    for (; at < end; at += strlen(at) + 1) {
        if (strchr(at, '=') && !same_name(at, extra)) add(list, at);
    }
    buffer_free(&text);
}

char **environment_with(const char *extra) {
    List list = {0};
    for (char **at = environ; at && *at; at++) {
        if (!same_name(*at, extra)) add(&list, *at);
    }
    if (!environ) add_from_kernel(&list, extra);
    add(&list, extra);
    return list.strings;
}

void environment_free(char **environment) {
    for (char **at = environment; *at; at++) memory_free(*at);
    memory_free(environment);
}

const char *environment_get(char *const *environment, const char *name) {
    size_t length = strlen(name);
    for (; *environment; environment++) {
        if (strncmp(*environment, name, length) == 0 && (*environment)[length] == '=') return *environment + length + 1;
    }
    return NULL;
}
