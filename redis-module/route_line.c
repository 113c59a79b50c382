#include "route_line.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"

enum { CHUNK_SIZE = 16 << 10 };

/* ===== Memory: chunks freed with the table ===== */

typedef struct RouteChunk {
    struct RouteChunk *next;
    size_t used, size;
    _Alignas(16) char bytes[];
} RouteChunk;

void *line_alloc(RouteTable *table, size_t size) {
    size = (size + 15) & ~(size_t)15;
    RouteChunk *chunk = table->memory;
    if (!chunk || chunk->size - chunk->used < size) {
        size_t room = size > CHUNK_SIZE ? size : CHUNK_SIZE;
        chunk = memory_alloc(sizeof(RouteChunk) + room);
        *chunk = (RouteChunk){.next = table->memory, .used = 0, .size = room};
        table->memory = chunk;
    }
    void *p = chunk->bytes + chunk->used;
    chunk->used += size;
    return memset(p, 0, size);
}

/* Appends room for one item to an array that doubles at powers of two; the old copy stays in its chunk. */
void *line_append(RouteTable *table, void **array, int *count, size_t item) {
    int n = *count;
    if ((n & (n - 1)) == 0) {
        void *larger = line_alloc(table, item * (size_t)(n ? n * 2 : 1));
        if (n) memcpy(larger, *array, item * (size_t)n);
        *array = larger;
    }
    *count = n + 1;
    return memset((char *)*array + item * (size_t)n, 0, item);
}

void route_table_free(RouteTable *table) {
    if (!table) return;
    for (RouteChunk *chunk = table->memory, *next; chunk; chunk = next) {
        next = chunk->next;
        memory_free(chunk);
    }
    memory_free(table);
}

const char *line_copy(RouteTable *table, const char *text, size_t length) {
    char *copy = line_alloc(table, length + 1);
    memcpy(copy, text, length);
    return copy;
}

/* ===== Lines and words ===== */

/* Keeps the first error; returns false, so that callers can `return line_fail(...)`. */
bool line_fail(Parser *p, const char *format, ...) {
    if (p->failed) return false;
    p->failed = true;
    int used = snprintf(p->error, p->error_size, "line %d: ", p->line);
    va_list arguments;
    va_start(arguments, format);
    if (used > 0 && (size_t)used < p->error_size) {
        vsnprintf(p->error + used, p->error_size - (size_t)used, format, arguments);
    }
    va_end(arguments);
    return false;
}

static int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return -1;
}

/* False when a '%' is not followed by two hexadecimal digits. */
static bool decode_percent(RouteTable *table, const char *text, size_t length, const char **decoded, size_t *size) {
    char *out = line_alloc(table, length + 1);
    size_t n = 0;
    for (size_t i = 0; i < length; i++) {
        if (text[i] != '%') {
            out[n++] = text[i];
            continue;
        }
        bool whole = length - i >= 3;
        int high = whole ? hex_digit(text[i + 1]) : -1;
        int low = whole ? hex_digit(text[i + 2]) : -1;
        if (high < 0 || low < 0) return false;
        out[n++] = (char)(high << 4 | low);
        i += 2;
    }
    *decoded = out;
    *size = n;
    return true;
}

static bool parse_word(Parser *p, const char *text, size_t size, Word *word) {
    const char *equals = memchr(text, '=', size);
    size_t name = equals ? (size_t)(equals - text) : size;
    *word = (Word){.name = line_copy(p->table, text, name)};
    if (!equals) return true;
    word->raw = equals + 1;
    word->raw_length = size - name - 1;
    if (!decode_percent(p->table, word->raw, word->raw_length, &word->value, &word->length)) {
        return line_fail(p, "'%%' must be followed by two hexadecimal digits");
    }
    if (strcmp(word->name, "lit") != 0 && strlen(word->value) != word->length) {
        return line_fail(p, "%s= holds a NUL byte", word->name);
    }
    return true;
}

bool line_read(Parser *p, const char *line, size_t length) {
    p->text = line;
    p->text_length = length;
    p->word_count = 0;
    size_t at = 0;
    while (at < length) {
        const char *space = memchr(line + at, ' ', length - at);
        size_t size = space ? (size_t)(space - line) - at : length - at;
        if (size == 0) return line_fail(p, "words must be separated by exactly one space");
        if (p->word_count == LINE_WORDS_MAX) return line_fail(p, "more than %d words", LINE_WORDS_MAX);
        if (!parse_word(p, line + at, size, &p->words[p->word_count++])) return false;
        at += size + 1;
        if (space && at == length) return line_fail(p, "a space at the end");
    }
    if (p->word_count == 0) return line_fail(p, "an empty line");
    if (p->words[0].value) return line_fail(p, "unknown line '%s='", p->words[0].name);
    return true;
}

const Word *line_word(const Parser *p, const char *name) {
    for (int i = 1; i < p->word_count; i++) {
        if (strcmp(p->words[i].name, name) == 0) return &p->words[i];
    }
    return NULL;
}

const char *line_text(const Parser *p, const char *name, const char *fallback) {
    const Word *word = line_word(p, name);
    return word && word->value ? word->value : fallback;
}

bool line_parse_number(const char *text, long long min, long long max, long long *value) {
    char *end;
    if (!text || strlen(text) > 18) return false;
    const char *digits = *text == '-' ? text + 1 : text; /* strtoll takes spaces and '+' too */
    if (*digits < '0' || *digits > '9') return false;
    *value = strtoll(text, &end, 10);
    return *end == '\0' && *value >= min && *value <= max;
}

long long line_number(Parser *p, const char *name, long long fallback, long long min, long long max) {
    const char *text = line_text(p, name, NULL);
    if (!text) return fallback;
    long long value = fallback;
    if (!line_parse_number(text, min, max, &value)) {
        line_fail(p, "%s=%s must be a number from %lld to %lld", name, text, min, max);
    }
    return value;
}

int line_split(Parser *p, const Word *word, char separator, const char **parts, int max) {
    if (!word || !word->value || word->raw_length == 0) return 0;
    const char *at = word->raw, *end = at + word->raw_length;
    for (int count = 0;; at++) {
        if (count == max) return -1;
        const char *found = memchr(at, separator, (size_t)(end - at));
        size_t size = (size_t)((found ? found : end) - at), decoded;
        /* Cannot fail: the whole value was decoded, and no separator can stand in a %XX. */
        decode_percent(p->table, at, size, &parts[count++], &decoded);
        if (!found) return count;
        at += size;
    }
}

bool line_has_name(const char *text, const char *also) {
    size_t length = text ? strlen(text) : 0;
    if (length == 0 || length > ROUTE_NAME_MAX) return false;
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        bool alphanumeric = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!alphanumeric && !strchr(also, c)) return false;
    }
    return true;
}

int line_choice(const Parser *p, const char *name, const char *const *choices) {
    const char *value = line_text(p, name, "");
    for (int i = 0; choices[i]; i++) {
        if (strcmp(value, choices[i]) == 0) return i;
    }
    return -1;
}
