#include "route.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "memory.h"

enum { CHUNK_SIZE = 16 << 10, WORDS_MAX = 64, HOOK_WORDS_MAX = 256 };

/* ===== Memory: chunks freed with the table ===== */

typedef struct RouteChunk {
    struct RouteChunk *next;
    size_t used, size;
    _Alignas(16) char bytes[];
} RouteChunk;

static void *table_alloc(RouteTable *table, size_t size) {
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
static void *table_append(RouteTable *table, void **array, int *count, size_t item) {
    int n = *count;
    if ((n & (n - 1)) == 0) {
        void *larger = table_alloc(table, item * (size_t)(n ? n * 2 : 1));
        if (n) memcpy(larger, *array, item * (size_t)n);
        *array = larger;
    }
    *count = n + 1;
    return memset((char *)*array + item * (size_t)n, 0, item);
}

static const char *table_string(RouteTable *table, const char *text, size_t length) {
    char *copy = table_alloc(table, length + 1);
    memcpy(copy, text, length);
    return copy;
}

/* ===== Lines and words ===== */

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
    Word words[WORDS_MAX];
    int word_count;
    int *seen; /* open addressing by the names of the commands: index into table->commands + 1, 0 when free */
    size_t seen_size;
} Parser;

static bool fail(Parser *p, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Keeps the first error; returns false, so that callers can `return fail(...)`. */
static bool fail(Parser *p, const char *format, ...) {
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
    char *out = table_alloc(table, length + 1);
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
    *word = (Word){.name = table_string(p->table, text, name)};
    if (!equals) return true;
    word->raw = equals + 1;
    word->raw_length = size - name - 1;
    if (!decode_percent(p->table, word->raw, word->raw_length, &word->value, &word->length)) {
        return fail(p, "'%%' must be followed by two hexadecimal digits");
    }
    if (strcmp(word->name, "lit") != 0 && strlen(word->value) != word->length) {
        return fail(p, "%s= holds a NUL byte", word->name);
    }
    return true;
}

static bool split_words(Parser *p, const char *line, size_t length) {
    p->word_count = 0;
    size_t at = 0;
    while (at < length) {
        const char *space = memchr(line + at, ' ', length - at);
        size_t size = space ? (size_t)(space - line) - at : length - at;
        if (size == 0) return fail(p, "words must be separated by exactly one space");
        if (p->word_count == WORDS_MAX) return fail(p, "more than %d words", WORDS_MAX);
        if (!parse_word(p, line + at, size, &p->words[p->word_count++])) return false;
        at += size + 1;
        if (space && at == length) return fail(p, "a space at the end");
    }
    if (p->word_count == 0) return fail(p, "an empty line");
    if (p->words[0].value) return fail(p, "unknown line '%s='", p->words[0].name);
    return true;
}

static const Word *find_word(const Parser *p, const char *name) {
    for (int i = 1; i < p->word_count; i++) {
        if (strcmp(p->words[i].name, name) == 0) return &p->words[i];
    }
    return NULL;
}

/* The value of word `name`; `fallback` (may be NULL) when it is absent or has none. */
static const char *text_of(const Parser *p, const char *name, const char *fallback) {
    const Word *word = find_word(p, name);
    return word && word->value ? word->value : fallback;
}

static bool parse_number(const char *text, long long min, long long max, long long *value) {
    char *end;
    if (!text || strlen(text) > 18) return false;
    const char *digits = *text == '-' ? text + 1 : text; /* strtoll takes spaces and '+' too */
    if (*digits < '0' || *digits > '9') return false;
    *value = strtoll(text, &end, 10);
    return *end == '\0' && *value >= min && *value <= max;
}

static long long number_of(Parser *p, const char *name, long long fallback, long long min, long long max) {
    const char *text = text_of(p, name, NULL);
    if (!text) return fallback;
    long long value = fallback;
    if (!parse_number(text, min, max, &value)) {
        fail(p, "%s=%s must be a number from %lld to %lld", name, text, min, max);
    }
    return value;
}

static bool is_one_of(const char *word, const char *const *list) {
    for (; *list; list++) {
        if (strcmp(word, *list) == 0) return true;
    }
    return false;
}

/* Splits the value of a word ("a:1:2" or "a,b") at the separator, then decodes the parts, which may therefore hold an
 * encoded separator. Returns how many there are (none in an empty value), or -1 when there are more than max. */
static int split_value(Parser *p, const Word *word, char separator, const char **parts, int max) {
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

static const char *join_with_spaces(Parser *p, const char **parts, int count) {
    size_t length = 0;
    for (int i = 0; i < count; i++) length += strlen(parts[i]) + 1;
    char *joined = table_alloc(p->table, length + 1);
    for (int i = 0; i < count; i++) {
        if (i) strcat(joined, " ");
        strcat(joined, parts[i]);
    }
    return joined;
}

/* ===== The kinds of lines ===== */

static bool is_plain_name(const char *text, const char *also) {
    size_t length = text ? strlen(text) : 0;
    if (length == 0 || length > ROUTE_NAME_MAX) return false;
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        bool alphanumeric = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!alphanumeric && !strchr(also, c)) return false;
    }
    return true;
}

static bool parse_plugin(Parser *p) {
    const char *name = text_of(p, "name", NULL);
    if (!is_plain_name(name, "._-@/")) return fail(p, "a plugin needs name= of letters, digits and . _ - @ /");
    RouteTable *t = p->table;
    RoutePlugin *plugin = table_append(t, (void **)&t->plugins, &t->plugin_count, sizeof(RoutePlugin));
    plugin->name = name;
    plugin->version = text_of(p, "version", "0.0.0");
    plugin->acl = text_of(p, "acl", "");
    return true;
}

static bool parse_command_flags(Parser *p, RouteCommand *command) {
    static const char *const known[] = {"write",         "readonly",          "deny-oom",   "fast",          "admin",
                                        "allow-stale",   "no-monitor",        "no-slowlog", "allow-loading", "pubsub",
                                        "may-replicate", "no-mandatory-keys", NULL};
    const char *parts[16];
    int count = split_value(p, find_word(p, "flags"), ',', parts, 16);
    if (count < 0) return fail(p, "more than 16 flags");
    for (int i = 0; i < count; i++) {
        if (!is_one_of(parts[i], known)) return fail(p, "unknown command flag '%s'", parts[i]);
        if (strcmp(parts[i], "write") == 0) command->writes = true;
        if (strcmp(parts[i], "readonly") == 0) command->read_only = true;
    }
    if (command->writes && command->read_only) return fail(p, "a command is 'write' or 'readonly', not both");
    command->flags = join_with_spaces(p, parts, count);
    return true;
}

static bool parse_categories(Parser *p, RouteCommand *command) {
    const char *parts[24];
    int count = split_value(p, find_word(p, "categories"), ',', parts, 24);
    if (count < 0) return fail(p, "more than 24 categories");
    for (int i = 0; i < count; i++) {
        if (!is_plain_name(parts[i], "_-")) return fail(p, "bad category '%s'", parts[i]);
    }
    command->categories = join_with_spaces(p, parts, count);
    return true;
}

static size_t name_hash(const char *name) {
    size_t hash = 2166136261u;
    for (; *name; name++) {
        hash ^= (unsigned char)(*name >= 'A' && *name <= 'Z' ? *name + 32 : *name);
        hash *= 16777619u;
    }
    return hash;
}

/* Where the command is or would be among those seen. */
static int *seen_place(Parser *p, const char *name) {
    size_t i = name_hash(name) & (p->seen_size - 1);
    while (p->seen[i] && strcasecmp(p->table->commands[p->seen[i] - 1].name, name) != 0)
        i = (i + 1) & (p->seen_size - 1);
    return &p->seen[i];
}

/* Keeps at least half of the places free. */
static void seen_reserve(Parser *p) {
    if ((size_t)p->table->command_count * 2 < p->seen_size) return;
    memory_free(p->seen);
    p->seen_size = p->seen_size ? p->seen_size * 2 : 64;
    p->seen = memory_zalloc(p->seen_size * sizeof(*p->seen));
    for (int i = 0; i < p->table->command_count; i++) *seen_place(p, p->table->commands[i].name) = i + 1;
}

static bool is_command_name(const char *name) {
    if (!is_plain_name(name, "._-|:")) return false;
    const char *bar = strchr(name, '|');
    return !bar || (bar != name && bar[1] && !strchr(bar + 1, '|'));
}

static bool parse_command(Parser *p) {
    RouteTable *t = p->table;
    if (t->plugin_count == 0) return fail(p, "a command line before any plugin line");
    const char *name = text_of(p, "name", NULL);
    if (!is_command_name(name)) {
        return fail(p, "a command needs name= of letters, digits and . _ - :, at most one | inside");
    }
    seen_reserve(p);
    int *place = seen_place(p, name);
    if (*place) return fail(p, "command %s is listed twice", name);
    RouteCommand *command = table_append(t, (void **)&t->commands, &t->command_count, sizeof(RouteCommand));
    *place = t->command_count;
    command->plugin = t->plugins[t->plugin_count - 1].name;
    command->name = name;
    command->arity = (int)number_of(p, "arity", -1, -32768, 32767);
    if (command->arity == 0) return fail(p, "arity must not be 0");
    command->timeout = number_of(p, "timeout", 0, 0, 86400000);
    command->retry = (int)number_of(p, "retry", 0, 0, 1000);
    const char *transaction = text_of(p, "transaction", "sync");
    command->sync = strcmp(transaction, "sync") == 0;
    if (!command->sync && strcmp(transaction, "refuse") != 0) {
        return fail(p, "transaction=%s must be sync or refuse", transaction);
    }
    return !p->failed && parse_command_flags(p, command) && parse_categories(p, command);
}

static bool parse_doc(Parser *p, RouteCommand *command) {
    command->summary = text_of(p, "summary", NULL);
    command->since = text_of(p, "since", NULL);
    command->complexity = text_of(p, "complexity", NULL);
    return true;
}

static bool parse_key_flags(Parser *p, RouteKey *key) {
    static const char *const names[] = {"RO",     "RW",     "OW",      "RM",         "access",         "update",
                                        "insert", "delete", "not_key", "incomplete", "variable_flags", NULL};
    const char *parts[12];
    int count = split_value(p, find_word(p, "flags"), ',', parts, 12);
    if (count < 0) return fail(p, "more than 12 key flags");
    for (int i = 0; i < count; i++) {
        int bit = 0;
        while (names[bit] && strcmp(names[bit], parts[i]) != 0) bit++;
        if (!names[bit]) return fail(p, "unknown key flag '%s'", parts[i]);
        key->flags |= 1ULL << bit;
    }
    uint64_t access = key->flags & 15;
    if (access == 0 || (access & (access - 1))) return fail(p, "a key needs exactly one of RO, RW, OW, RM");
    return true;
}

static bool parse_key_begin(Parser *p, RouteKey *key) {
    const char *part[3];
    long long number;
    int count = split_value(p, find_word(p, "begin"), ':', part, 3);
    if (count == 2 && strcmp(part[0], "index") == 0 && parse_number(part[1], 1, 32767, &number)) {
        key->begin_at = (int)number;
    } else if (count == 3 && strcmp(part[0], "keyword") == 0 && *part[1] &&
               parse_number(part[2], -32768, 32767, &number) && number != 0) {
        key->begin_keyword = part[1];
        key->begin_at = (int)number;
    } else {
        return fail(p, "a key needs begin=index:POS or begin=keyword:WORD:FROM");
    }
    return true;
}

/* The server walks the arguments by these numbers and checks none of them: with a step of 0 it never ends, with a
 * negative index it reads before its arguments. */
static bool parse_key_find(Parser *p, RouteKey *key) {
    static const int range_min[] = {-32768, 1, 0}, keynum_min[] = {0, 0, 1};
    const char *part[4];
    long long number;
    int count = split_value(p, find_word(p, "find"), ':', part, 4);
    key->numbered = count > 0 && strcmp(part[0], "keynum") == 0;
    if (count != 4 || (!key->numbered && strcmp(part[0], "range") != 0)) {
        return fail(p, "a key needs find=range:LAST:STEP:LIMIT or find=keynum:KEYNUMIDX:FIRSTKEY:STEP");
    }
    for (int i = 0; i < 3; i++) {
        int min = key->numbered ? keynum_min[i] : range_min[i];
        if (!parse_number(part[i + 1], min, 32767, &number)) {
            return fail(p, "number %d of find= is '%s', it must be from %d to 32767", i + 1, part[i + 1], min);
        }
        key->find[i] = (int)number;
    }
    return true;
}

/* Most servers read the number of keys without a look at how many arguments there are: it has to be there in every
 * call. A keyword that is searched from the end can be the last argument, one from the start cannot. */
static bool number_of_keys_is_there(const RouteCommand *command, const RouteKey *key) {
    if (!key->numbered) return true;
    if (key->begin_keyword) return key->begin_at > 0 && key->find[0] == 0;
    return abs(command->arity) > key->begin_at + key->find[0];
}

static bool parse_key(Parser *p, RouteCommand *command) {
    RouteKey *key = table_append(p->table, (void **)&command->keys, &command->key_count, sizeof(RouteKey));
    if (!parse_key_begin(p, key) || !parse_key_find(p, key) || !parse_key_flags(p, key)) return false;
    return number_of_keys_is_there(command, key) ||
           fail(p, "the number of keys can be missing in a call of %s", command->name);
}

static bool parse_arg(Parser *p, RouteCommand *command) {
    static const char *const types[] = {"string",    "integer",    "double", "key",  "pattern",
                                        "unix-time", "pure-token", "oneof",  "block"};
    RouteArg *arg = table_append(p->table, (void **)&command->args, &command->arg_count, sizeof(RouteArg));
    arg->name = text_of(p, "name", NULL);
    if (!arg->name || !*arg->name) return fail(p, "an arg needs name=");
    arg->depth = (int)number_of(p, "depth", 0, 0, ROUTE_DEPTH_MAX);
    const RouteArg *before = command->arg_count > 1 ? arg - 1 : NULL;
    int deepest = before ? before->depth + (before->type == ARG_ONEOF || before->type == ARG_BLOCK) : 0;
    if (arg->depth > deepest) return fail(p, "arg %s is nested under nothing", arg->name);
    arg->token = text_of(p, "token", NULL);
    arg->least = (int)number_of(p, "least", 1, 1, 32767);
    arg->key = (int)number_of(p, "key", -1, 0, command->key_count - 1);
    const char *type = text_of(p, "type", "");
    int t = 0;
    while (t <= ARG_BLOCK && strcmp(types[t], type) != 0) t++;
    if (t > ARG_BLOCK) return fail(p, "unknown arg type '%s'", type);
    arg->type = (RouteArgType)t;
    if (arg->type == ARG_PURE_TOKEN && !arg->token) return fail(p, "a pure-token needs token=");
    const char *parts[4];
    int count = split_value(p, find_word(p, "flags"), ',', parts, 4);
    if (count < 0) return fail(p, "more than 4 arg flags");
    for (int i = 0; i < count; i++) {
        if (strcmp(parts[i], "optional") == 0)
            arg->flags |= ARG_OPTIONAL;
        else if (strcmp(parts[i], "multiple") == 0)
            arg->flags |= ARG_MULTIPLE;
        else if (strcmp(parts[i], "multiple_token") == 0)
            arg->flags |= ARG_MULTIPLE_TOKEN;
        else
            return fail(p, "unknown arg flag '%s'", parts[i]);
    }
    return !p->failed;
}

static bool parse_read_word(Parser *p, const Word *word, ReadWord *out) {
    const char *part[3];
    long long first, last;
    if (!word->value) return fail(p, "bare word '%s' in a read", word->name);
    if (strcmp(word->name, "lit") == 0) {
        *out = (ReadWord){.kind = READ_LITERAL, .literal = word->value, .length = word->length};
        return true;
    }
    int count = split_value(p, word, ':', part, 3);
    if (count < 1 || !parse_number(part[0], 1, 32767, &first)) return fail(p, "bad argument number in a read");
    if (count == 1 && strcmp(word->name, "arg") == 0) {
        *out = (ReadWord){.kind = READ_ARGUMENT, .first = (int)first, .last = (int)first};
    } else if (count == 1 && strcmp(word->name, "key") == 0) {
        *out = (ReadWord){.kind = READ_KEY, .first = (int)first, .last = (int)first};
    } else if (count == 2 && strcmp(word->name, "keys") == 0 && parse_number(part[1], -32768, 32767, &last) && last) {
        *out = (ReadWord){.kind = READ_KEYS, .first = (int)first, .last = (int)last};
    } else {
        return fail(p, "a read is made of lit=WORD, arg=N, key=N and keys=N:M");
    }
    return true;
}

static bool parse_read(Parser *p, RouteCommand *command) {
    RouteRead *read = table_append(p->table, (void **)&command->reads, &command->read_count, sizeof(RouteRead));
    for (int i = 1; i < p->word_count; i++) {
        ReadWord *word = table_append(p->table, (void **)&read->words, &read->count, sizeof(ReadWord));
        if (!parse_read_word(p, &p->words[i], word)) return false;
    }
    if (read->count == 0 || read->words[0].kind != READ_LITERAL) return fail(p, "a read begins with lit=COMMAND");
    return true;
}

static bool parse_words(Parser *p, const char *name, RouteWords *words) {
    const char *parts[HOOK_WORDS_MAX];
    int count = split_value(p, find_word(p, name), ',', parts, HOOK_WORDS_MAX);
    if (count < 0) return fail(p, "more than %d values in %s=", HOOK_WORDS_MAX, name);
    words->values = table_alloc(p->table, sizeof(*words->values) * (size_t)(count + 1));
    for (int i = 0; i < count; i++) {
        if (!*parts[i]) return fail(p, "an empty value in %s=", name);
        words->values[words->count++] = parts[i];
    }
    return true;
}

static bool parse_databases(Parser *p, RouteHook *hook) {
    const char *parts[HOOK_WORDS_MAX];
    long long number;
    int count = split_value(p, find_word(p, "dbs"), ',', parts, HOOK_WORDS_MAX);
    if (count < 0) return fail(p, "more than %d values in dbs=", HOOK_WORDS_MAX);
    hook->dbs = table_alloc(p->table, sizeof(*hook->dbs) * (size_t)(count + 1));
    for (int i = 0; i < count; i++) {
        if (!parse_number(parts[i], 0, INT_MAX, &number)) return fail(p, "dbs= has '%s', which is no number", parts[i]);
        hook->dbs[hook->db_count++] = (int)number;
    }
    return true;
}

/* The place of the word's value among the choices, -1 when it is none of them. */
static int choice_of(const Parser *p, const char *name, const char *const *choices) {
    const char *value = text_of(p, name, "");
    for (int i = 0; choices[i]; i++) {
        if (strcmp(value, choices[i]) == 0) return i;
    }
    return -1;
}

static bool name_hook(Parser *p, RouteHook *hook, const char *plugin) {
    char name[ROUTE_NAME_MAX + 2];
    int length = snprintf(name, sizeof(name), "hook %s/%s", plugin, hook->name);
    if (length > ROUTE_NAME_MAX) return fail(p, "the names of plugin and hook are longer than %d", ROUTE_NAME_MAX - 6);
    hook->command = (RouteCommand){.plugin = plugin,
                                   .name = table_string(p->table, name, (size_t)length),
                                   .flags = "",
                                   .categories = "",
                                   .arity = -1};
    for (int i = 0; i < p->table->hook_count - 1; i++) {
        if (strcasecmp(p->table->hooks[i].command.name, name) == 0) return fail(p, "%s is listed twice", name);
    }
    return true;
}

static bool parse_hook(Parser *p) {
    static const char *const kinds[] = {"before", "after", "after-wait", NULL};
    static const char *const failures[] = {"deny", "allow", NULL};
    static const char *const transactions[] = {"sync", "allow", "deny", NULL};
    RouteTable *t = p->table;
    if (t->plugin_count == 0) return fail(p, "a hook line before any plugin line");
    RouteHook *hook = table_append(t, (void **)&t->hooks, &t->hook_count, sizeof(RouteHook));
    hook->name = text_of(p, "name", NULL);
    if (!is_plain_name(hook->name, "._-")) return fail(p, "a hook needs name= of letters, digits and . _ -");
    if (!name_hook(p, hook, t->plugins[t->plugin_count - 1].name)) return false;
    int kind = choice_of(p, "kind", kinds);
    int failure = choice_of(p, "failure", failures), transaction = choice_of(p, "transaction", transactions);
    if (kind < 0) return fail(p, "a hook needs kind=before, kind=after or kind=after-wait");
    if (failure < 0) return fail(p, "a hook needs failure=deny or failure=allow");
    if (transaction < 0) return fail(p, "a hook needs transaction=sync, transaction=allow or transaction=deny");
    hook->kind = (HookKind)kind;
    hook->allow_on_failure = failure == 1;
    hook->transaction = (HookTransaction)transaction;
    hook->command.sync = hook->transaction == HOOK_SYNC;
    hook->command.timeout = number_of(p, "timeout", 50, 1, 60000);
    hook->priority = (int)number_of(p, "priority", 100, -1000, 1000);
    hook->breaker = (int)number_of(p, "breaker", 10, 0, 1000);
    hook->breaker_ms = (int)number_of(p, "breaker-ms", 1000, 10, 600000);
    hook->sample = (int)number_of(p, "sample", SAMPLE_ALL, 1, SAMPLE_ALL);
    return !p->failed && parse_words(p, "commands", &hook->commands) && parse_words(p, "keys", &hook->keys) &&
           parse_words(p, "users", &hook->users) && parse_databases(p, hook);
}

static bool parse_line(Parser *p) {
    const char *kind = p->words[0].name;
    if (strcmp(kind, "plugin") == 0) return parse_plugin(p);
    if (strcmp(kind, "command") == 0) return parse_command(p);
    if (strcmp(kind, "hook") == 0) return parse_hook(p);
    RouteTable *t = p->table;
    RouteCommand *command = t->command_count ? &t->commands[t->command_count - 1] : NULL;
    static bool (*const parsers[])(Parser *, RouteCommand *) = {parse_doc, parse_key, parse_arg, parse_read};
    static const char *const kinds[] = {"doc", "key", "arg", "read"};
    for (int i = 0; i < 4; i++) {
        if (strcmp(kind, kinds[i]) != 0) continue;
        if (!command) return fail(p, "a %s line before any command line", kind);
        return parsers[i](p, command);
    }
    return fail(p, "unknown line '%s'", kind);
}

/* CRC-32 as zlib's, without its tables: once a start, over some kilobytes. */
static uint32_t checksum(const char *text, size_t length) {
    uint32_t crc = 0xFFFFFFFF;
    for (size_t i = 0; i < length; i++) {
        crc ^= (unsigned char)text[i];
        for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320 : 0);
    }
    return ~crc;
}

/* `end N`, or `end N crc=XXXXXXXX` over the `length` bytes before it: with it, damage that leaves a table that could
 * be meant is noticed too. Tables written by hand do without. */
static bool parse_end(Parser *p, const char *text, size_t length) {
    long long lines;
    const Word *count = &p->words[1], *crc = &p->words[2];
    if (p->word_count < 2 || p->word_count > 3 || count->value || !parse_number(count->name, 0, 1 << 30, &lines) ||
        lines != p->line - 1 || (p->word_count == 3 && (strcmp(crc->name, "crc") != 0 || !crc->value))) {
        return fail(p, "expected 'end %d'", p->line - 1);
    }
    if (p->word_count == 2) return true;
    char expected[9];
    snprintf(expected, sizeof(expected), "%08x", (unsigned)checksum(text, length));
    return strcmp(crc->value, expected) == 0 ||
           fail(p, "the text is not what was written: its checksum is %s, not %s", expected, crc->value);
}

/* First line names the version, last line counts the lines before it: a table cut short is noticed. */
static bool parse_all(Parser *p, const char *text, size_t length) {
    size_t at = 0;
    while (at < length) {
        const char *newline = memchr(text + at, '\n', length - at);
        p->line++;
        if (!newline) return fail(p, "no newline at the end: the table was cut short");
        size_t size = (size_t)(newline - text) - at;
        if (memchr(text + at, '\0', size)) return fail(p, "a NUL byte");
        if (!split_words(p, text + at, size)) return false;
        at += size + 1;
        if (p->line == 1) {
            if (p->word_count != 2 || strcmp(p->words[0].name, "ferrite-routes") || strcmp(p->words[1].name, "1") ||
                p->words[1].value) {
                return fail(p, "expected 'ferrite-routes 1'");
            }
        } else if (strcmp(p->words[0].name, "end") == 0) {
            if (!parse_end(p, text, at - size - 1)) return false;
            return at == length || fail(p, "text after the end line");
        } else if (!parse_line(p)) {
            return false;
        }
    }
    p->line++;
    return fail(p, "no end line: the table was cut short");
}

RouteTable *route_table_parse(const char *text, size_t length, char *error, size_t error_size) {
    RouteTable *table = memory_zalloc(sizeof(RouteTable));
    Parser *parser = memory_zalloc(sizeof(Parser));
    parser->table = table;
    parser->error = error;
    parser->error_size = error_size;
    bool ok = parse_all(parser, text, length);
    memory_free(parser->seen);
    memory_free(parser);
    if (ok) return table;
    route_table_free(table);
    return NULL;
}

void route_table_free(RouteTable *table) {
    if (!table) return;
    for (RouteChunk *chunk = table->memory, *next; chunk; chunk = next) {
        next = chunk->next;
        memory_free(chunk);
    }
    memory_free(table);
}

int read_word_last(const ReadWord *word, int argc) {
    return word->last < 0 ? argc + word->last : word->last;
}
