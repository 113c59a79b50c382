/* The lines of a route table and their words, for the files that read them: route.c, route_hook.c. Pure. */
#ifndef FERRITE_ROUTE_LINE_H
#define FERRITE_ROUTE_LINE_H

#include "route.h"

enum { LINE_WORDS_MAX = 64 };

typedef struct Word {
    const char *name;
    const char
        *value; /* decoded, NUL-terminated; NULL for a bare word. Only lit= may hold other NULs, hence the length */
    size_t length;
    const char *raw; /* the value as it stands in the text: lists are split before they are decoded */
    size_t raw_length;
} Word;

typedef struct Parser {
    RouteTable *table;
    char *error;
    size_t error_size;
    bool failed;
    int line;
    const char *text; /* the line */
    size_t text_length;
    Word words[LINE_WORDS_MAX];
    int word_count;
    int *seen; /* open addressing by the names of the commands: index into table->commands + 1, 0 when free */
    size_t seen_size;
} Parser;

/* Zeroed, freed with the table. */
void *line_alloc(RouteTable *table, size_t size);

/* Appends room for one zeroed item to an array. */
void *line_append(RouteTable *table, void **array, int *count, size_t item);

const char *line_copy(RouteTable *table, const char *text, size_t length);

/* Keeps the first error; returns false, so that callers can `return line_fail(...)`. */
bool line_fail(Parser *p, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Splits a line into `words`. */
bool line_read(Parser *p, const char *line, size_t length);

/* NULL when there is none of that name. */
const Word *line_word(const Parser *p, const char *name);

/* The value of word `name`; `fallback` (may be NULL) when it is absent or has none. */
const char *line_text(const Parser *p, const char *name, const char *fallback);

bool line_parse_number(const char *text, long long min, long long max, long long *value);
long long line_number(Parser *p, const char *name, long long fallback, long long min, long long max);

/* Splits the value of a word ("a:1:2" or "a,b") at the separator, then decodes the parts, which may therefore hold an
 * encoded separator. Returns how many there are (none in an empty value), or -1 when there are more than max. */
int line_split(Parser *p, const Word *word, char separator, const char **parts, int max);

/* Letters, digits and the characters of `also`, 1 to ROUTE_NAME_MAX of them. NULL is none. */
bool line_has_name(const char *text, const char *also);

/* The place of the word's value among the choices, -1 when it is none of them. */
int line_choice(const Parser *p, const char *name, const char *const *choices);

/* Kinds of lines, route_hook.c. */
bool route_parse_hook(Parser *p);
bool route_parse_rule(Parser *p);

#endif
