#include "output.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "buffer.h"
#include "config.h"
#include "log.h"
#include "module.h"

enum { LINE_MAX_BYTES = 4096, READ_SIZE = 8192, READS_AT_ONCE = 16, READS_AT_MOST = 128 };
enum { LINES_AT_ONCE = 300, LINES_PER_SECOND = 20 };

/* Lines that may be logged now: LINES_AT_ONCE after a silence, then LINES_PER_SECOND. */
typedef struct Allowance {
    uint64_t filled_at; /* us */
    double lines;
} Allowance;

static int output = -1;
static bool watched;
static void (*on_end)(void);
static Buffer lines;
static Allowance notices, warnings; /* a flood of notices does not hide what went wrong */
static uint64_t dropped, dropped_told, told_at;

uint64_t output_lines_dropped(void) {
    return dropped;
}

int output_descriptor(void) {
    return output;
}

/* ===== Lines ===== */

static bool take_line(Allowance *allowance) {
    uint64_t now = clock_microseconds();
    allowance->lines += (double)(now - allowance->filled_at) * LINES_PER_SECOND / 1e6;
    if (allowance->lines > LINES_AT_ONCE || allowance->filled_at == 0) allowance->lines = LINES_AT_ONCE;
    allowance->filled_at = now;
    if (allowance->lines < 1) return false;
    allowance->lines--;
    return true;
}

static void tell_dropped(void) {
    if (dropped == dropped_told) return;
    log_line(LOG_WARNING, "host: %llu lines were dropped: more than %d at once or %d a second",
             (unsigned long long)(dropped - dropped_told), LINES_AT_ONCE, LINES_PER_SECOND);
    dropped_told = dropped;
    told_at = clock_microseconds();
}

/* sd-daemon(3): "<3>text" and so on; without a prefix a notice. */
static LogLevel take_level(char **line, size_t *length) {
    static const LogLevel levels[] = {LOG_WARNING, LOG_WARNING, LOG_WARNING, LOG_WARNING,
                                      LOG_WARNING, LOG_NOTICE,  LOG_NOTICE,  LOG_DEBUG};
    char *text = *line;
    if (*length < 3 || text[0] != '<' || text[1] < '0' || text[1] > '7' || text[2] != '>') return LOG_NOTICE;
    *line += 3;
    *length -= 3;
    return levels[text[1] - '0'];
}

static void log_one(char *line, size_t length) {
    LogLevel level = take_level(&line, &length);
    if (length == 0 || (int)level < config.log_level) return;
    for (size_t i = 0; i < length; i++) {
        if (line[i] == '\0') line[i] = ' ';
    }
    if (take_line(level == LOG_WARNING ? &warnings : &notices))
        log_line(level, "host: %.*s", (int)length, line);
    else
        dropped++;
}

static void log_lines(void) {
    for (;;) {
        size_t length = buffer_length(&lines);
        char *front = (char *)buffer_front(&lines);
        char *newline = length ? memchr(front, '\n', length) : NULL;
        if (!newline && length < LINE_MAX_BYTES) return;
        size_t size = newline ? (size_t)(newline - front) : LINE_MAX_BYTES;
        log_one(front, size < LINE_MAX_BYTES ? size : LINE_MAX_BYTES);
        buffer_consume(&lines, size + (newline != NULL));
    }
}

/* ===== The pipe ===== */

static void on_output(int fd, void *data, int mask);

static void watch(bool wanted) {
    if (output < 0 || wanted == watched) return;
    if (wanted) {
        watched = RedisModule_EventLoopAdd(output, REDISMODULE_EVENTLOOP_READABLE, on_output, NULL) == REDISMODULE_OK;
    } else {
        RedisModule_EventLoopDel(output, REDISMODULE_EVENTLOOP_READABLE);
        watched = false;
    }
}

/* False when there is nothing more to read now. */
static bool read_once(void) {
    uint8_t *to = buffer_reserve(&lines, READ_SIZE);
    ssize_t got = read(output, to, READ_SIZE);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return false;
    if (got <= 0) {
        output_close();
        on_end();
        return false;
    }
    lines.end += (size_t)got;
    log_lines();
    return true;
}

static void read_some(int reads) {
    while (output >= 0 && reads-- > 0 && read_once()) continue;
}

static void on_output(int fd, void *data, int mask) {
    (void)fd, (void)data, (void)mask;
    uint64_t before = dropped;
    read_some(READS_AT_ONCE);
    if (dropped != before) watch(false);
}

bool output_open(int fd, void (*ended)(void)) {
    output_close(); /* of a host that has ended, if a process that it has started still holds it */
    output = fd;
    on_end = ended;
    watch(true);
    if (!watched) output = -1;
    return watched;
}

void output_read(void) {
    read_some(READS_AT_MOST);
}

void output_close(void) {
    if (output < 0) return;
    watch(false);
    close(output);
    output = -1;
    size_t length = buffer_length(&lines);
    if (length) log_one((char *)buffer_front(&lines), length);
    buffer_free(&lines);
    tell_dropped();
}

void output_cron(void) {
    watch(true);
    if (clock_microseconds() - told_at >= 1000000) tell_dropped();
}
