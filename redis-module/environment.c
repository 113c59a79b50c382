#include "environment.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

/* NUL-separated strings. */
static void add_from_kernel(List *list, const char *extra) {
    FILE *file = fopen("/proc/self/environ", "re");
    if (!file) return;
    char *line = NULL;
    size_t room = 0;
    while (getdelim(&line, &room, '\0', file) > 0) {
        if (strchr(line, '=') && !same_name(line, extra)) add(list, line);
    }
    free(line);
    fclose(file);
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
