#include "rule_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "buffer.h"
#include "config.h"
#include "hooks.h"
#include "log.h"
#include "route_file.h"

static RouteTable *table;

const RouteTable *rule_file_table(void) {
    return table;
}

static void take_over(RouteTable *new_table) {
    RouteTable *old = table;
    table = new_table;
    hooks_changed();
    route_table_free(old);
}

bool rule_file_read(char *error, size_t error_size) {
    bool absent;
    char path[PATH_MAX + 16];
    snprintf(path, sizeof(path), "%s/rules", config_state_dir());
    table = route_file_read_path(path, &absent, error, error_size);
    return table || absent;
}

void rule_file_free(void) {
    route_table_free(table);
    table = NULL;
}

/* ===== Writing ===== */

static bool write_whole(int fd, const Buffer *text) {
    const uint8_t *at = buffer_front(text);
    for (size_t left = buffer_length(text); left > 0;) {
        ssize_t written = write(fd, at, left);
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return false;
        at += written;
        left -= (size_t)written;
    }
    return fsync(fd) == 0;
}

/* Of the folder: the new name is on the disk too. */
static bool sync_folder(const char *path) {
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return false;
    bool ok = fsync(fd) == 0;
    int problem = errno;
    close(fd);
    errno = problem;
    return ok;
}

static bool write_file(const Buffer *text, char *error, size_t error_size) {
    char path[PATH_MAX + 16], beside[PATH_MAX + 16];
    const char *folder = config_state_dir();
    snprintf(path, sizeof(path), "%s/rules", folder);
    snprintf(beside, sizeof(beside), "%s/rules.new", folder);
    if (mkdir(folder, 0700) != 0 && errno != EEXIST) {
        snprintf(error, error_size, "the rule was not saved and is not in force: %s: %s", folder, strerror(errno));
        return false;
    }
    int fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    bool ok = fd >= 0 && write_whole(fd, text);
    int problem = errno;
    if (fd >= 0) close(fd);
    errno = problem;
    ok = ok && rename(beside, path) == 0;
    if (ok && !sync_folder(folder))
        log_line(LOG_WARNING, "%s: not certain to be on the disk: %s", path, strerror(errno));
    if (!ok) snprintf(error, error_size, "the rule was not saved and is not in force: %s: %s", path, strerror(errno));
    return ok;
}

/* ===== Changing ===== */

static bool is_named(const RouteRule *rule, const char *name) {
    return strcasecmp(rule->name, name) == 0;
}

/* The rules without the one of that name. */
static void put_others(Buffer *text, const char *name, int *lines) {
    static const char head[] = "ferrite-routes 1\n";
    buffer_put(text, head, sizeof(head) - 1);
    *lines = 1;
    for (int i = 0; table && i < table->rule_count; i++) {
        const RouteRule *rule = &table->rules[i];
        if (is_named(rule, name)) continue;
        buffer_put(text, rule->line, strlen(rule->line));
        buffer_put_u8(text, '\n');
        ++*lines;
    }
}

static bool save(Buffer *text, int lines, char *error, size_t error_size) {
    char end[48];
    uint32_t checksum = route_checksum((const char *)buffer_front(text), buffer_length(text));
    buffer_put(text, end, (size_t)snprintf(end, sizeof(end), "end %d crc=%08x\n", lines, (unsigned)checksum));
    RouteTable *changed = route_table_parse((const char *)buffer_front(text), buffer_length(text), error, error_size);
    if (changed && write_file(text, error, error_size)) {
        take_over(changed);
        return true;
    }
    route_table_free(changed);
    return false;
}

/* The rule by itself: what is wrong with it is not a matter of its line. */
static bool check(const char *line, char name[ROUTE_NAME_MAX + 1], char *error, size_t error_size) {
    static const char prefix[] = "line 2: ";
    Buffer text = {0};
    buffer_put(&text, "ferrite-routes 1\n", 17);
    buffer_put(&text, line, strlen(line));
    buffer_put(&text, "\nend 2\n", 7);
    RouteTable *alone = route_table_parse((const char *)buffer_front(&text), buffer_length(&text), error, error_size);
    buffer_free(&text);
    if (alone) {
        snprintf(name, ROUTE_NAME_MAX + 1, "%s", alone->rules[0].name);
        route_table_free(alone);
        return true;
    }
    size_t skipped = strncmp(error, prefix, sizeof(prefix) - 1) == 0 ? sizeof(prefix) - 1 : 0;
    memmove(error, error + skipped, strlen(error) - skipped + 1);
    return false;
}

bool rule_file_put(const char *line, char *error, size_t error_size) {
    char name[ROUTE_NAME_MAX + 1];
    if (strlen(line) > RULE_LENGTH_MAX) {
        snprintf(error, error_size, "the rule has more than %d bytes", RULE_LENGTH_MAX);
        return false;
    }
    if (!check(line, name, error, error_size)) return false;
    Buffer text = {0};
    int lines;
    put_others(&text, name, &lines);
    if (lines > RULES_MAX) {
        snprintf(error, error_size, "there are %d rules: delete one", RULES_MAX);
        buffer_free(&text);
        return false;
    }
    buffer_put(&text, line, strlen(line));
    buffer_put_u8(&text, '\n');
    bool ok = save(&text, lines + 1, error, error_size);
    buffer_free(&text);
    return ok;
}

bool rule_file_delete(const char *name, char *error, size_t error_size) {
    bool is_there = false;
    for (int i = 0; table && i < table->rule_count; i++) is_there |= is_named(&table->rules[i], name);
    if (!is_there) {
        snprintf(error, error_size, "no rule '%.64s' of the operator's: FERRITE.RULE LIST has them", name);
        return false;
    }
    Buffer text = {0};
    int lines;
    put_others(&text, name, &lines);
    bool ok = save(&text, lines, error, error_size);
    buffer_free(&text);
    return ok;
}
