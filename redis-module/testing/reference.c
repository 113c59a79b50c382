#include "reference.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ===== Glob ===== */

/* A class as a set of 256 bytes; returns its length in the pattern. */
static size_t read_class(const unsigned char *p, size_t length, bool set[256]) {
    size_t at = 1;
    bool negated = at < length && p[at] == '^';
    if (negated) at++;
    memset(set, 0, 256);
    while (at < length && p[at] != ']') {
        if (p[at] == '\\' && length - at >= 2) {
            set[p[at + 1]] = true;
            at += 2;
        } else if (length - at >= 3 && p[at + 1] == '-') {
            int a = p[at], b = p[at + 2];
            for (int c = a < b ? a : b; c <= (a < b ? b : a); c++) set[c] = true;
            at += 3;
        } else {
            set[p[at++]] = true;
        }
    }
    for (int c = 0; negated && c < 256; c++) set[c] = !set[c];
    return at < length ? at + 1 : at;
}

int reference_glob(const char *pattern, size_t pattern_length, const char *text, size_t length, long *steps) {
    if (--*steps < 0) return -1;
    if (pattern_length == 0) return length == 0;
    if (*pattern == '*') {
        for (size_t skip = 0; skip <= length; skip++) {
            int found = reference_glob(pattern + 1, pattern_length - 1, text + skip, length - skip, steps);
            if (found) return found;
        }
        return 0;
    }
    if (length == 0) return 0;
    size_t used = 1;
    if (*pattern == '[') {
        bool set[256];
        used = read_class((const unsigned char *)pattern, pattern_length, set);
        if (!set[(unsigned char)*text]) return 0;
    } else if (*pattern == '\\' && pattern_length > 1) {
        used = 2;
        if (pattern[1] != *text) return 0;
    } else if (*pattern != '?' && *pattern != *text) {
        return 0;
    }
    return reference_glob(pattern + used, pattern_length - used, text + 1, length - 1, steps);
}

/* ===== RESP ===== */

typedef struct Cursor {
    const uint8_t *at, *end;
    uint32_t slots;
} Cursor;

/* The text up to CRLF, NUL-terminated; NULL when there is none, or when it holds a CR or LF. */
static char *take_line(Cursor *c) {
    const uint8_t *p = c->at;
    while (p < c->end && *p != '\r' && *p != '\n') p++;
    if (c->end - p < 2 || p[0] != '\r' || p[1] != '\n') return NULL;
    size_t length = (size_t)(p - c->at);
    char *line = malloc(length + 1);
    if (!line) abort();
    memcpy(line, c->at, length);
    line[length] = '\0';
    if (strlen(line) != length) *line = '\0'; /* a NUL byte is in no number */
    c->at = p + 2;
    return line;
}

static bool whole_number(const char *text, __int128 min, __int128 max, __int128 *value) {
    const char *digits = *text == '-' ? text + 1 : text;
    size_t count = strlen(digits);
    if (count == 0 || count > 20 || strlen(text) > 20 || strspn(digits, "0123456789") != count) return false;
    *value = 0;
    for (; *digits; digits++) *value = *value * 10 + (*digits - '0');
    if (*text == '-') *value = -*value;
    return *value >= min && *value <= max;
}

static const char *skip_digits(const char *text) {
    return text + strspn(text, "0123456789");
}

static bool is_double(const char *text) {
    if (strlen(text) > 63) return false;
    if (*text == '-') text++;
    if (strcmp(text, "inf") == 0 || strcmp(text, "nan") == 0) return true;
    const char *at = skip_digits(text);
    if (at == text) return false;
    if (*at == '.') {
        if (skip_digits(at + 1) == at + 1) return false;
        at = skip_digits(at + 1);
    }
    if (*at == 'e' || *at == 'E') {
        at += at[1] == '+' || at[1] == '-' ? 2 : 1;
        if (skip_digits(at) == at) return false;
        at = skip_digits(at);
    }
    return *at == '\0';
}

static bool is_big(const char *text) {
    if (*text == '-') text++;
    return *text && *skip_digits(text) == '\0';
}

/* A number from `min`; "-1", spelled so, where `null` is allowed. */
static bool count_of(const char *text, bool null, long long min, long long max, __int128 *value) {
    *value = -1;
    if (*text == '-') return null && strcmp(text, "-1") == 0;
    return whole_number(text, min, max, value);
}

static bool sized(Cursor *c, char type, const char *line) {
    __int128 size;
    if (!count_of(line, type == '$', type == '$' ? 0 : 4, LLONG_MAX, &size)) return false;
    if (size == -1) return true;
    if (size + 2 > c->end - c->at || memcmp(c->at + size, "\r\n", 2) != 0) return false;
    if (type == '=' && c->at[3] != ':') return false;
    c->at += size + 2;
    return true;
}

static bool value_at(Cursor *c, int depth);

static bool elements(Cursor *c, char type, const char *line, int depth) {
    __int128 count;
    if (!count_of(line, type == '*', 0, INT_MAX / 2, &count)) return false;
    if (count >= 0 && depth == 0) return false;
    for (__int128 i = 0; i < (type == '%' ? count * 2 : count); i++) {
        if (!value_at(c, depth - 1)) return false;
    }
    return true;
}

static bool typed(Cursor *c, char type, const char *line, int depth) {
    __int128 number;
    if (type == '$' || type == '=') return sized(c, type, line);
    if (type == '*' || type == '~' || type == '%') return elements(c, type, line, depth);
    if (type == ':') return whole_number(line, LLONG_MIN, LLONG_MAX, &number);
    if (type == '@') return *line != '-' && whole_number(line, 0, (__int128)c->slots - 1, &number);
    if (type == '_') return *line == '\0';
    if (type == '#') return strcmp(line, "t") == 0 || strcmp(line, "f") == 0;
    if (type == ',') return is_double(line);
    if (type == '(') return is_big(line);
    return type == '+' || type == '-';
}

/* `depth`: how many levels may still open. */
static bool value_at(Cursor *c, int depth) {
    if (c->at == c->end) return false;
    char type = (char)*c->at++;
    const uint8_t *begun = c->at;
    char *line = take_line(c);
    /* take_line made an empty text of one with NUL bytes; "_\0" is not null. */
    bool ok = line && (type != '_' || c->at - begun == 2) && typed(c, type, line, depth);
    free(line);
    return ok;
}

bool reference_resp(const uint8_t *bytes, size_t length, uint32_t slots) {
    Cursor c = {.at = bytes, .end = bytes + length, .slots = slots};
    return value_at(&c, 32) && c.at == c.end;
}
