#include "key_specs.h"

#include <string.h>
#include <strings.h>

#include "memory.h"

/* ===== Reading ===== */

static const char *text_of(RedisModuleCallReply *reply, size_t *length) {
    *length = 0;
    return reply ? RedisModule_CallReplyStringPtr(reply, length) : NULL;
}

static bool is_text(RedisModuleCallReply *reply, const char *word) {
    size_t length;
    const char *text = text_of(reply, &length);
    return text && length == strlen(word) && memcmp(text, word, length) == 0;
}

/* Of a map as RESP2 tells it, name and value in turn. */
static RedisModuleCallReply *field(RedisModuleCallReply *map, const char *name) {
    for (size_t i = 0; map && i + 1 < RedisModule_CallReplyLength(map); i += 2) {
        if (is_text(RedisModule_CallReplyArrayElement(map, i), name))
            return RedisModule_CallReplyArrayElement(map, i + 1);
    }
    return NULL;
}

static int number_of(RedisModuleCallReply *map, const char *name) {
    RedisModuleCallReply *number = field(map, name);
    return number ? (int)RedisModule_CallReplyInteger(number) : 0;
}

/* False for flags that make the spec less than the whole truth. */
static bool read_flags(RedisModuleCallReply *words, int *flags) {
    static const char *const names[] = {"RO", "RW", "OW", "RM", "access", "update", "insert", "delete", "not_key"};
    *flags = 0;
    for (size_t i = 0; words && i < RedisModule_CallReplyLength(words); i++) {
        RedisModuleCallReply *word = RedisModule_CallReplyArrayElement(words, i);
        if (is_text(word, "incomplete") || is_text(word, "variable_flags")) return false;
        for (int bit = 0; bit < (int)(sizeof(names) / sizeof(names[0])); bit++) {
            if (is_text(word, names[bit])) *flags |= 1 << bit;
        }
    }
    return true;
}

static bool read_spec(RedisModuleCallReply *map, KeySpec *spec) {
    RedisModuleCallReply *begin = field(map, "begin_search"), *find = field(map, "find_keys");
    RedisModuleCallReply *begin_spec = field(begin, "spec"), *find_spec = field(find, "spec");
    *spec = (KeySpec){0};
    if (!read_flags(field(map, "flags"), &spec->flags) || !begin_spec || !find_spec) return false;
    spec->numbered = is_text(field(find, "type"), "keynum");
    if (!spec->numbered && !is_text(field(find, "type"), "range")) return false;
    const char *const names[2][3] = {{"lastkey", "keystep", "limit"}, {"keynumidx", "firstkey", "keystep"}};
    for (int i = 0; i < 3; i++) spec->find[i] = number_of(find_spec, names[spec->numbered][i]);
    if (spec->find[spec->numbered ? 2 : 1] <= 0) return false;
    if (is_text(field(begin, "type"), "index")) {
        spec->begin = number_of(begin_spec, "index");
        return spec->begin > 0;
    }
    size_t length;
    const char *keyword = text_of(field(begin_spec, "keyword"), &length);
    if (!is_text(field(begin, "type"), "keyword") || !keyword) return false;
    spec->keyword = memory_copy_string(keyword, length);
    spec->begin = number_of(begin_spec, "startfrom");
    return true;
}

void key_specs_free(KeySpecs *specs) {
    for (int i = 0; i < specs->count; i++) memory_free(specs->list[i].keyword);
    memory_free(specs->list);
    *specs = (KeySpecs){0};
}

void key_specs_read(KeySpecs *specs, RedisModuleCallReply *list) {
    size_t count = list ? RedisModule_CallReplyLength(list) : 0;
    *specs = (KeySpecs){.list = memory_zalloc(sizeof(KeySpec) * (count + 1))};
    for (size_t i = 0; i < count; i++) {
        if (!read_spec(RedisModule_CallReplyArrayElement(list, i), &specs->list[specs->count++])) {
            key_specs_free(specs);
            return;
        }
    }
}

/* ===== Finding ===== */

static bool is_word(RedisModuleString *given, const char *word) {
    size_t length;
    const char *text = RedisModule_StringPtrLen(given, &length);
    return length == strlen(word) && strncasecmp(text, word, length) == 0;
}

/* 0: the keyword is not there. */
static int begin_of(const KeySpec *spec, RedisModuleString **argv, int argc) {
    if (!spec->keyword) return spec->begin;
    int step = spec->begin > 0 ? 1 : -1;
    for (int at = spec->begin > 0 ? spec->begin : argc + spec->begin; at > 0 && at < argc; at += step) {
        if (is_word(argv[at], spec->keyword)) return at + 1;
    }
    return 0;
}

/* The last place where a key can be, and at `first` the first one; 0: there is none. */
static int end_of(const KeySpec *spec, RedisModuleString **argv, int argc, int *first) {
    int last = spec->find[0], limit = spec->find[2];
    if (!spec->numbered && last >= 0) return *first + last;
    if (!spec->numbered) return limit <= 1 ? argc + last : *first + (argc - *first) / limit + last;
    long long count;
    int place = *first + spec->find[0];
    if (place >= argc || RedisModule_StringToLongLong(argv[place], &count) != REDISMODULE_OK) return 0;
    if (count <= 0 || count > argc) return 0;
    *first += spec->find[1];
    return *first + ((int)count - 1) * spec->find[2];
}

int key_specs_find(const KeySpecs *specs, RedisModuleString **argv, int argc, int **positions, int **flags) {
    int found = 0, room = 0;
    *positions = *flags = NULL;
    for (int i = 0; i < specs->count; i++) {
        const KeySpec *spec = &specs->list[i];
        int first = begin_of(spec, argv, argc);
        if (first <= 0 || (spec->flags & REDISMODULE_CMD_KEY_NOT_KEY)) continue;
        int last = end_of(spec, argv, argc, &first), step = spec->find[spec->numbered ? 2 : 1];
        for (int at = first; at <= last && at < argc; at += step) {
            if (found == room) {
                room = room ? room * 2 : 8;
                *positions = memory_realloc(*positions, sizeof(int) * (size_t)room);
                *flags = memory_realloc(*flags, sizeof(int) * (size_t)room);
            }
            (*positions)[found] = at;
            (*flags)[found++] = spec->flags;
        }
    }
    return found;
}
