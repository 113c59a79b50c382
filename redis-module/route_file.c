#include "route_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "memory.h"

enum { ROUTE_FILE_MAX = 64 << 20 };

static bool read_whole(int fd, char *text, size_t size) {
    size_t length = 0;
    while (length < size) {
        ssize_t got = read(fd, text + length, size - length);
        if (got < 0 && errno == EINTR) continue;
        if (got == 0) errno = EIO; /* it became shorter meanwhile */
        if (got <= 0) return false;
        length += (size_t)got;
    }
    return true;
}

/* NULL with errno. What is no plain file is not touched: the main thread would wait for the writer of a pipe. */
static char *read_file(const char *path, size_t *length) {
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) return NULL;
    char *text = NULL;
    int problem = 0;
    if (fstat(fd, &info) != 0) {
        problem = errno;
    } else if (!S_ISREG(info.st_mode)) {
        problem = S_ISDIR(info.st_mode) ? EISDIR : EINVAL;
    } else if (info.st_size > ROUTE_FILE_MAX) {
        problem = EFBIG;
    } else {
        *length = (size_t)info.st_size;
        text = memory_alloc(*length + 1);
        if (!read_whole(fd, text, *length)) {
            problem = errno;
            memory_free(text);
            text = NULL;
        }
    }
    close(fd);
    errno = problem;
    return text;
}

RouteTable *route_file_read_path(const char *path, bool *absent, char *error, size_t error_size) {
    char problem[192];
    size_t length = 0;
    char *text = read_file(path, &length);
    *absent = !text && errno == ENOENT;
    if (!text) {
        snprintf(error, error_size, "%s: %s", path, strerror(errno));
        return NULL;
    }
    RouteTable *table = route_table_parse(text, length, problem, sizeof(problem));
    memory_free(text);
    if (!table) snprintf(error, error_size, "%s: %s", path, problem);
    return table;
}

RouteTable *route_file_read(const char *state_dir, bool *absent, char *error, size_t error_size) {
    char path[PATH_MAX + 16];
    snprintf(path, sizeof(path), "%s/routes", state_dir);
    return route_file_read_path(path, absent, error, error_size);
}

RouteTable *route_file_read_at_start(const char *state_dir, bool *absent, char *error, size_t error_size) {
    char path[PATH_MAX + 16], problem[256];
    *error = '\0';
    RouteTable *table = route_file_read(state_dir, absent, error, error_size);
    if (table) return table;
    bool no_backup;
    snprintf(path, sizeof(path), "%s/routes.backup", state_dir);
    table = route_file_read_path(path, &no_backup, problem, sizeof(problem));
    *absent = *absent && no_backup;
    size_t used = strlen(error);
    if (!table && !no_backup) snprintf(error + used, error_size - used, "; its backup %s", problem);
    return table;
}
