#include "route.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "memory.h"
#include "route_line.h"

/* ===== The kinds of lines ===== */

static bool is_one_of(const char *word, const char *const *list) {
    for (; *list; list++) {
        if (strcmp(word, *list) == 0) return true;
    }
    return false;
}

static const char *join_with_spaces(Parser *p, const char **parts, int count) {
    size_t length = 0;
    for (int i = 0; i < count; i++) length += strlen(parts[i]) + 1;
    char *joined = line_alloc(p->table, length + 1);
    for (int i = 0; i < count; i++) {
        if (i) strcat(joined, " ");
        strcat(joined, parts[i]);
    }
    return joined;
}

static bool parse_plugin(Parser *p) {
    const char *name = line_text(p, "name", NULL);
    if (!line_has_name(name, "._-@/")) return line_fail(p, "a plugin needs name= of letters, digits and . _ - @ /");
    RouteTable *t = p->table;
    RoutePlugin *plugin = line_append(t, (void **)&t->plugins, &t->plugin_count, sizeof(RoutePlugin));
    plugin->name = name;
    plugin->version = line_text(p, "version", "0.0.0");
    plugin->acl = line_text(p, "acl", "");
    return true;
}

static bool parse_command_flags(Parser *p, RouteCommand *command) {
    static const char *const known[] = {"write",         "readonly",          "deny-oom",   "fast",          "admin",
                                        "allow-stale",   "no-monitor",        "no-slowlog", "allow-loading", "pubsub",
                                        "may-replicate", "no-mandatory-keys", NULL};
    const char *parts[16];
    int count = line_split(p, line_word(p, "flags"), ',', parts, 16);
    if (count < 0) return line_fail(p, "more than 16 flags");
    for (int i = 0; i < count; i++) {
        if (!is_one_of(parts[i], known)) return line_fail(p, "unknown command flag '%s'", parts[i]);
        if (strcmp(parts[i], "write") == 0) command->writes = true;
        if (strcmp(parts[i], "readonly") == 0) command->read_only = true;
    }
    if (command->writes && command->read_only) return line_fail(p, "a command is 'write' or 'readonly', not both");
    command->flags = join_with_spaces(p, parts, count);
    return true;
}

static bool parse_categories(Parser *p, RouteCommand *command) {
    const char *parts[24];
    int count = line_split(p, line_word(p, "categories"), ',', parts, 24);
    if (count < 0) return line_fail(p, "more than 24 categories");
    for (int i = 0; i < count; i++) {
        if (!line_has_name(parts[i], "_-")) return line_fail(p, "bad category '%s'", parts[i]);
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
    if (!line_has_name(name, "._-|:")) return false;
    const char *bar = strchr(name, '|');
    return !bar || (bar != name && bar[1] && !strchr(bar + 1, '|'));
}

static bool parse_command(Parser *p) {
    RouteTable *t = p->table;
    if (t->plugin_count == 0) return line_fail(p, "a command line before any plugin line");
    const char *name = line_text(p, "name", NULL);
    if (!is_command_name(name)) {
        return line_fail(p, "a command needs name= of letters, digits and . _ - :, at most one | inside");
    }
    seen_reserve(p);
    int *place = seen_place(p, name);
    if (*place) return line_fail(p, "command %s is listed twice", name);
    RouteCommand *command = line_append(t, (void **)&t->commands, &t->command_count, sizeof(RouteCommand));
    *place = t->command_count;
    command->plugin = t->plugins[t->plugin_count - 1].name;
    command->name = name;
    command->arity = (int)line_number(p, "arity", -1, -32768, 32767);
    if (command->arity == 0) return line_fail(p, "arity must not be 0");
    command->timeout = line_number(p, "timeout", 0, 0, 86400000);
    command->retry = (int)line_number(p, "retry", 0, 0, 1000);
    const char *transaction = line_text(p, "transaction", "sync");
    command->sync = strcmp(transaction, "sync") == 0;
    if (!command->sync && strcmp(transaction, "refuse") != 0) {
        return line_fail(p, "transaction=%s must be sync or refuse", transaction);
    }
    return !p->failed && parse_command_flags(p, command) && parse_categories(p, command);
}

static bool parse_doc(Parser *p, RouteCommand *command) {
    command->summary = line_text(p, "summary", NULL);
    command->since = line_text(p, "since", NULL);
    command->complexity = line_text(p, "complexity", NULL);
    return true;
}

static bool parse_key_flags(Parser *p, RouteKey *key) {
    static const char *const names[] = {"RO",     "RW",     "OW",      "RM",         "access",         "update",
                                        "insert", "delete", "not_key", "incomplete", "variable_flags", NULL};
    const char *parts[12];
    int count = line_split(p, line_word(p, "flags"), ',', parts, 12);
    if (count < 0) return line_fail(p, "more than 12 key flags");
    for (int i = 0; i < count; i++) {
        int bit = 0;
        while (names[bit] && strcmp(names[bit], parts[i]) != 0) bit++;
        if (!names[bit]) return line_fail(p, "unknown key flag '%s'", parts[i]);
        key->flags |= 1ULL << bit;
    }
    uint64_t access = key->flags & 15;
    if (access == 0 || (access & (access - 1))) return line_fail(p, "a key needs exactly one of RO, RW, OW, RM");
    return true;
}

static bool parse_key_begin(Parser *p, RouteKey *key) {
    const char *part[3];
    long long number;
    int count = line_split(p, line_word(p, "begin"), ':', part, 3);
    if (count == 2 && strcmp(part[0], "index") == 0 && line_parse_number(part[1], 1, 32767, &number)) {
        key->begin_at = (int)number;
    } else if (count == 3 && strcmp(part[0], "keyword") == 0 && *part[1] &&
               line_parse_number(part[2], -32768, 32767, &number) && number != 0) {
        key->begin_keyword = part[1];
        key->begin_at = (int)number;
    } else {
        return line_fail(p, "a key needs begin=index:POS or begin=keyword:WORD:FROM");
    }
    return true;
}

/* The server walks the arguments by these numbers and checks none of them: with a step of 0 it never ends, with a
 * negative index it reads before its arguments. */
static bool parse_key_find(Parser *p, RouteKey *key) {
    static const int range_min[] = {-32768, 1, 0}, keynum_min[] = {0, 0, 1};
    const char *part[4];
    long long number;
    int count = line_split(p, line_word(p, "find"), ':', part, 4);
    key->numbered = count > 0 && strcmp(part[0], "keynum") == 0;
    if (count != 4 || (!key->numbered && strcmp(part[0], "range") != 0)) {
        return line_fail(p, "a key needs find=range:LAST:STEP:LIMIT or find=keynum:KEYNUMIDX:FIRSTKEY:STEP");
    }
    for (int i = 0; i < 3; i++) {
        int min = key->numbered ? keynum_min[i] : range_min[i];
        if (!line_parse_number(part[i + 1], min, 32767, &number)) {
            return line_fail(p, "number %d of find= is '%s', it must be from %d to 32767", i + 1, part[i + 1], min);
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
    RouteKey *key = line_append(p->table, (void **)&command->keys, &command->key_count, sizeof(RouteKey));
    if (!parse_key_begin(p, key) || !parse_key_find(p, key) || !parse_key_flags(p, key)) return false;
    return number_of_keys_is_there(command, key) ||
           line_fail(p, "the number of keys can be missing in a call of %s", command->name);
}

static bool parse_arg(Parser *p, RouteCommand *command) {
    static const char *const types[] = {"string",    "integer",    "double", "key",  "pattern",
                                        "unix-time", "pure-token", "oneof",  "block"};
    RouteArg *arg = line_append(p->table, (void **)&command->args, &command->arg_count, sizeof(RouteArg));
    arg->name = line_text(p, "name", NULL);
    if (!arg->name || !*arg->name) return line_fail(p, "an arg needs name=");
    arg->depth = (int)line_number(p, "depth", 0, 0, ROUTE_DEPTH_MAX);
    const RouteArg *before = command->arg_count > 1 ? arg - 1 : NULL;
    int deepest = before ? before->depth + (before->type == ARG_ONEOF || before->type == ARG_BLOCK) : 0;
    if (arg->depth > deepest) return line_fail(p, "arg %s is nested under nothing", arg->name);
    arg->token = line_text(p, "token", NULL);
    arg->least = (int)line_number(p, "least", 1, 1, 32767);
    arg->key = (int)line_number(p, "key", -1, 0, command->key_count - 1);
    const char *type = line_text(p, "type", "");
    int t = 0;
    while (t <= ARG_BLOCK && strcmp(types[t], type) != 0) t++;
    if (t > ARG_BLOCK) return line_fail(p, "unknown arg type '%s'", type);
    arg->type = (RouteArgType)t;
    if (arg->type == ARG_PURE_TOKEN && !arg->token) return line_fail(p, "a pure-token needs token=");
    const char *parts[4];
    int count = line_split(p, line_word(p, "flags"), ',', parts, 4);
    if (count < 0) return line_fail(p, "more than 4 arg flags");
    for (int i = 0; i < count; i++) {
        if (strcmp(parts[i], "optional") == 0)
            arg->flags |= ARG_OPTIONAL;
        else if (strcmp(parts[i], "multiple") == 0)
            arg->flags |= ARG_MULTIPLE;
        else if (strcmp(parts[i], "multiple_token") == 0)
            arg->flags |= ARG_MULTIPLE_TOKEN;
        else
            return line_fail(p, "unknown arg flag '%s'", parts[i]);
    }
    return !p->failed;
}

static bool parse_read_word(Parser *p, const Word *word, ReadWord *out) {
    const char *part[3];
    long long first, last;
    if (!word->value) return line_fail(p, "bare word '%s' in a read", word->name);
    if (strcmp(word->name, "lit") == 0) {
        *out = (ReadWord){.kind = READ_LITERAL, .literal = word->value, .length = word->length};
        return true;
    }
    int count = line_split(p, word, ':', part, 3);
    if (count < 1 || !line_parse_number(part[0], 1, 32767, &first))
        return line_fail(p, "bad argument number in a read");
    if (count == 1 && strcmp(word->name, "arg") == 0) {
        *out = (ReadWord){.kind = READ_ARGUMENT, .first = (int)first, .last = (int)first};
    } else if (count == 1 && strcmp(word->name, "key") == 0) {
        *out = (ReadWord){.kind = READ_KEY, .first = (int)first, .last = (int)first};
    } else if (count == 2 && strcmp(word->name, "keys") == 0 && line_parse_number(part[1], -32768, 32767, &last) &&
               last) {
        *out = (ReadWord){.kind = READ_KEYS, .first = (int)first, .last = (int)last};
    } else {
        return line_fail(p, "a read is made of lit=WORD, arg=N, key=N and keys=N:M");
    }
    return true;
}

static bool parse_read(Parser *p, RouteCommand *command) {
    RouteRead *read = line_append(p->table, (void **)&command->reads, &command->read_count, sizeof(RouteRead));
    for (int i = 1; i < p->word_count; i++) {
        ReadWord *word = line_append(p->table, (void **)&read->words, &read->count, sizeof(ReadWord));
        if (!parse_read_word(p, &p->words[i], word)) return false;
    }
    if (read->count == 0 || read->words[0].kind != READ_LITERAL) return line_fail(p, "a read begins with lit=COMMAND");
    return true;
}

static bool parse_line(Parser *p) {
    const char *kind = p->words[0].name;
    if (strcmp(kind, "plugin") == 0) return parse_plugin(p);
    if (strcmp(kind, "command") == 0) return parse_command(p);
    if (strcmp(kind, "hook") == 0) return route_parse_hook(p);
    if (strcmp(kind, "rule") == 0) return route_parse_rule(p);
    RouteTable *t = p->table;
    RouteCommand *command = t->command_count ? &t->commands[t->command_count - 1] : NULL;
    static bool (*const parsers[])(Parser *, RouteCommand *) = {parse_doc, parse_key, parse_arg, parse_read};
    static const char *const kinds[] = {"doc", "key", "arg", "read"};
    for (int i = 0; i < 4; i++) {
        if (strcmp(kind, kinds[i]) != 0) continue;
        if (!command) return line_fail(p, "a %s line before any command line", kind);
        return parsers[i](p, command);
    }
    return line_fail(p, "unknown line '%s'", kind);
}

/* Without zlib's tables: once a start, over some kilobytes. */
uint32_t route_checksum(const char *text, size_t length) {
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
    if (p->word_count < 2 || p->word_count > 3 || count->value || !line_parse_number(count->name, 0, 1 << 30, &lines) ||
        lines != p->line - 1 || (p->word_count == 3 && (strcmp(crc->name, "crc") != 0 || !crc->value))) {
        return line_fail(p, "expected 'end %d'", p->line - 1);
    }
    if (p->word_count == 2) return true;
    char expected[9];
    snprintf(expected, sizeof(expected), "%08x", (unsigned)route_checksum(text, length));
    return strcmp(crc->value, expected) == 0 ||
           line_fail(p, "the text is not what was written: its checksum is %s, not %s", expected, crc->value);
}

/* First line names the version, last line counts the lines before it: a table cut short is noticed. */
static bool parse_all(Parser *p, const char *text, size_t length) {
    size_t at = 0;
    while (at < length) {
        const char *newline = memchr(text + at, '\n', length - at);
        p->line++;
        if (!newline) return line_fail(p, "no newline at the end: the table was cut short");
        size_t size = (size_t)(newline - text) - at;
        if (memchr(text + at, '\0', size)) return line_fail(p, "a NUL byte");
        if (!line_read(p, text + at, size)) return false;
        at += size + 1;
        if (p->line == 1) {
            if (p->word_count != 2 || strcmp(p->words[0].name, "ferrite-routes") || strcmp(p->words[1].name, "1") ||
                p->words[1].value) {
                return line_fail(p, "expected 'ferrite-routes 1'");
            }
        } else if (strcmp(p->words[0].name, "end") == 0) {
            if (!parse_end(p, text, at - size - 1)) return false;
            return at == length || line_fail(p, "text after the end line");
        } else if (!parse_line(p)) {
            return false;
        }
    }
    p->line++;
    return line_fail(p, "no end line: the table was cut short");
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

int read_word_last(const ReadWord *word, int argc) {
    return word->last < 0 ? argc + word->last : word->last;
}
