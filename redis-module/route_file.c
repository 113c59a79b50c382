#include "route_file.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "memory.h"

static char *read_file(const char *path, size_t *length, char *error, size_t error_size) {
    FILE *file = fopen(path, "re");
    if (!file) {
        snprintf(error, error_size, "%s: %s", path, strerror(errno));
        return NULL;
    }
    char *text = NULL;
    size_t room = 0;
    *length = 0;
    for (;;) {
        if (room - *length < 4096) text = memory_realloc(text, room = room * 2 + 16384);
        size_t got = fread(text + *length, 1, room - *length, file);
        if (got == 0) break;
        *length += got;
    }
    bool failed = ferror(file);
    fclose(file);
    if (!failed) return text;
    snprintf(error, error_size, "%s: cannot be read", path);
    memory_free(text);
    return NULL;
}

RouteTable *route_file_read(const char *state_dir, bool *absent, char *error, size_t error_size) {
    char path[PATH_MAX + 16], problem[192];
    size_t length = 0;
    snprintf(path, sizeof(path), "%s/routes", state_dir);
    errno = 0;
    char *text = read_file(path, &length, error, error_size);
    *absent = !text && errno == ENOENT;
    if (!text) return NULL;
    RouteTable *table = route_table_parse(text, length, problem, sizeof(problem));
    memory_free(text);
    if (!table) snprintf(error, error_size, "%s: %s", path, problem);
    return table;
}
