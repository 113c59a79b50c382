#include "facts.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "memory.h"
#include "module.h"

static Facts *list;
static int count, room;
/* Commands that are there under names that nobody has used yet. */
static int unknown_names;

/* Open addressing, at most half full: positions in the list, plus one. */
static int *table;
static uint32_t table_size;

/* ===== Finding ===== */

static uint32_t hash_more(uint32_t hash, const char *text, size_t length) {
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        hash = (hash ^ (c >= 'A' && c <= 'Z' ? c + 32u : c)) * 16777619u;
    }
    return hash;
}

enum { HASH_START = 0x811c9dc5 };

static bool same_lower(const char *lower, const char *text, size_t length) {
    for (size_t i = 0; i < length; i++) {
        char c = text[i];
        if (lower[i] != (c >= 'A' && c <= 'Z' ? (char)(c + 32) : c)) return false;
    }
    return true;
}

/* Finds `text`, or "text|more" when there is more. */
static Facts *find(const char *text, size_t length, const char *more, size_t more_length) {
    if (table_size == 0) return NULL;
    uint32_t hash = hash_more(HASH_START, text, length);
    if (more) hash = hash_more(hash_more(hash, "|", 1), more, more_length);
    size_t whole = length + (more ? 1 + more_length : 0);
    for (uint32_t at = hash & (table_size - 1); table[at]; at = (at + 1) & (table_size - 1)) {
        Facts *facts = &list[table[at] - 1];
        const char *called = facts->called;
        if (facts->called_length != whole || !same_lower(called, text, length)) continue;
        if (!more || (called[length] == '|' && same_lower(called + length + 1, more, more_length))) return facts;
    }
    return NULL;
}

Facts *facts_of(const RedisModuleString *name, const RedisModuleString *second) {
    size_t length, more_length;
    const char *text = RedisModule_StringPtrLen(name, &length);
    Facts *facts = find(text, length, NULL, 0);
    if (!facts || !(facts->flags & FACT_CONTAINER) || !second) return facts;
    const char *more = RedisModule_StringPtrLen(second, &more_length);
    Facts *inner = find(text, length, more, more_length);
    return inner ? inner : facts;
}

Facts *facts_list(int *how_many) {
    *how_many = count;
    return list;
}

bool facts_hooked(const Facts *facts) {
    return facts->hooks[PHASE_BEFORE].count + facts->hooks[PHASE_AFTER].count + facts->rule_count > 0;
}

bool facts_arity_fits(const Facts *facts, int argc) {
    return facts->arity > 0 ? argc == facts->arity : argc >= -facts->arity;
}

/* ===== Reading ===== */

static uint32_t flag_of(const char *text, size_t length) {
    static const struct {
        const char *name;
        uint32_t flag;
    } known[] = {{"write", FACT_WRITE},       {"readonly", FACT_READONLY},
                 {"denyoom", FACT_DENY_OOM},  {"noscript", FACT_NO_SCRIPT},
                 {"loading", FACT_LOADING},   {"stale", FACT_STALE},
                 {"fast", FACT_FAST},         {"may_replicate", FACT_MAY_REPLICATE},
                 {"pubsub", FACT_PUBSUB},     {"allow_busy", FACT_ALLOW_BUSY},
                 {"blocking", FACT_BLOCKING}, {"admin", FACT_ADMIN},
                 {"no_auth", FACT_NO_AUTH},   {"movablekeys", FACT_MOVABLE_KEYS},
                 {"module", FACT_MODULE},     {"no_mandatory_keys", FACT_NO_MANDATORY_KEYS}};
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strlen(known[i].name) == length && memcmp(known[i].name, text, length) == 0) return known[i].flag;
    }
    return 0;
}

static const char *text_at(RedisModuleCallReply *array, size_t index, size_t *length) {
    RedisModuleCallReply *element = RedisModule_CallReplyArrayElement(array, index);
    return element ? RedisModule_CallReplyStringPtr(element, length) : NULL;
}

static int number_at(RedisModuleCallReply *array, size_t index) {
    RedisModuleCallReply *element = RedisModule_CallReplyArrayElement(array, index);
    return element ? (int)RedisModule_CallReplyInteger(element) : 0;
}

static uint32_t read_flags(RedisModuleCallReply *flags) {
    uint32_t bits = 0;
    for (size_t i = 0; flags && i < RedisModule_CallReplyLength(flags); i++) {
        size_t length;
        const char *text = text_at(flags, i, &length);
        if (text) bits |= flag_of(text, length);
    }
    return bits;
}

static uint32_t runs_others(const char *name) {
    static const char *const names[] = {"eval", "evalsha", "eval_ro", "evalsha_ro", "fcall", "fcall_ro", "exec"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(name, names[i]) == 0) return FACT_RUNS_OTHERS;
    }
    return 0;
}

static char *read_categories(RedisModuleCallReply *categories) {
    size_t size = 2, at = 1;
    size_t items = categories ? RedisModule_CallReplyLength(categories) : 0;
    for (size_t i = 0; i < items; i++) {
        size_t length = 0;
        text_at(categories, i, &length);
        size += length + 1;
    }
    char *joined = memory_zalloc(size);
    joined[0] = ' ';
    for (size_t i = 0; i < items; i++) {
        size_t length = 0;
        const char *text = text_at(categories, i, &length);
        if (text) memcpy(joined + at, text, length);
        at += length;
        joined[at++] = ' ';
    }
    return joined;
}

/* COMMAND has the names of modules' commands as the modules wrote them. */
static char *lower_copy(const char *name, size_t length) {
    char *copy = memory_copy_string(name, length);
    for (char *c = copy; *c; c++) *c = *c >= 'A' && *c <= 'Z' ? (char)(*c + 32) : *c;
    return copy;
}

/* "secretconfig|get" for "config|get" when the container is called "secretconfig". */
static char *call_by(const char *called, const char *name) {
    const char *sub = strchr(name, '|');
    size_t length = strlen(called), more = sub ? strlen(sub) : 0;
    char *joined = memory_zalloc(length + more + 1);
    memcpy(joined, called, length);
    if (sub) memcpy(joined + length, sub, more);
    return joined;
}

static void make_room(void) {
    if (count < room) return;
    room = room ? room * 2 : 512;
    list = memory_realloc(list, (size_t)room * sizeof(*list));
}

/* `called` is what clients call the command, or the container that it is in. NULL: by its name. */
static void read_command(RedisModuleCallReply *info, const char *called) {
    size_t length;
    const char *text = RedisModule_CallReplyType(info) == REDISMODULE_REPLY_ARRAY ? text_at(info, 0, &length) : NULL;
    if (!text || (length >= 9 && memcmp(text, "_ferrite.", 9) == 0)) return;
    make_room();
    RedisModuleCallReply *subcommands = RedisModule_CallReplyArrayElement(info, 9);
    size_t inner = subcommands ? RedisModule_CallReplyLength(subcommands) : 0;
    char *name = lower_copy(text, length);
    char *own_name = called ? call_by(called, name) : name;
    list[count++] = (Facts){
        .name = name,
        .name_length = length,
        .called = own_name,
        .called_length = strlen(own_name),
        .categories = read_categories(RedisModule_CallReplyArrayElement(info, 6)),
        .flags =
            read_flags(RedisModule_CallReplyArrayElement(info, 2)) | (inner ? FACT_CONTAINER : 0) | runs_others(name),
        .arity = number_at(info, 1),
        .first_key = number_at(info, 3),
        .last_key = number_at(info, 4),
        .key_step = number_at(info, 5),
        .wrapper = -1,
    };
    if (list[count - 1].flags & FACT_MOVABLE_KEYS)
        key_specs_read(&list[count - 1].key_specs, RedisModule_CallReplyArrayElement(info, 8));
    for (size_t i = 0; i < inner; i++) read_command(RedisModule_CallReplyArrayElement(subcommands, i), called);
}

static void fill_table(void) {
    memory_free(table);
    table_size = 64;
    while (table_size < (uint32_t)count * 2) table_size *= 2;
    table = memory_zalloc(table_size * sizeof(*table));
    for (int i = 0; i < count; i++) {
        uint32_t at = hash_more(HASH_START, list[i].called, list[i].called_length) & (table_size - 1);
        while (table[at]) at = (at + 1) & (table_size - 1);
        table[at] = i + 1;
    }
}

void facts_add(const char *name) {
    size_t length = strlen(name);
    if (find(name, length, NULL, 0)) return;
    make_room();
    char *lower = lower_copy(name, length);
    list[count++] = (Facts){
        .name = lower,
        .name_length = length,
        .called = lower,
        .called_length = length,
        .categories = memory_copy_string(" ", 1),
        .flags = FACT_NO_SCRIPT, /* nothing of ours runs it */
        .arity = -1,
        .wrapper = -1,
    };
    fill_table();
}

/* The reply to COMMAND INFO for one name, which the caller frees; `info` is NULL when there is no such command. */
static RedisModuleCallReply *ask(const char *name, size_t length, RedisModuleCallReply **info) {
    RedisModuleCallReply *infos = RedisModule_Call(module_context, "COMMAND", "Ecb", "INFO", name, length);
    *info = infos ? RedisModule_CallReplyArrayElement(infos, 0) : NULL;
    if (*info && RedisModule_CallReplyType(*info) != REDISMODULE_REPLY_ARRAY) *info = NULL;
    return infos;
}

static bool is_named(RedisModuleCallReply *info, const char *text, size_t length) {
    size_t name_length = 0;
    const char *name = text_at(info, 0, &name_length);
    return name && name_length == length && strncasecmp(name, text, length) == 0;
}

/* One at a time: all at once take a megabyte, which the server's allocator would keep for a while. */
static void read_named(RedisModuleCallReply *names, size_t index) {
    size_t length;
    const char *name = text_at(names, index, &length);
    if (!name) return;
    RedisModuleCallReply *info, *infos = ask(name, length, &info);
    /* COMMAND LIST has the server's own names, whatever the commands are called now. */
    if (info && is_named(info, name, length))
        read_command(info, NULL);
    else
        unknown_names++;
    if (infos) RedisModule_FreeCallReply(infos);
}

/* Redis 8.4 knows a command by its own name again once a connection has used the new one. */
static void read_own_name(RedisModuleCallReply *info) {
    size_t length;
    const char *name = text_at(info, 0, &length);
    if (!find(name, length, NULL, 0)) read_command(info, NULL);
}

bool facts_learn(const RedisModuleString *word) {
    size_t length;
    const char *text = RedisModule_StringPtrLen(word, &length);
    if (unknown_names == 0 || memchr(text, '|', length)) return false;
    RedisModuleCallReply *info, *infos = ask(text, length, &info);
    bool is_new = info && !is_named(info, text, length);
    if (is_new) {
        char *called = lower_copy(text, length);
        read_command(info, called);
        read_own_name(info);
        memory_free(called);
        unknown_names--;
        fill_table();
    }
    if (infos) RedisModule_FreeCallReply(infos);
    return is_new;
}

bool facts_read(void) {
    RedisModuleCallReply *names = RedisModule_Call(module_context, "COMMAND", "Ec", "LIST");
    bool is_list = names && RedisModule_CallReplyType(names) == REDISMODULE_REPLY_ARRAY;
    if (is_list) {
        facts_free();
        for (size_t i = 0; i < RedisModule_CallReplyLength(names); i++) read_named(names, i);
        fill_table();
    }
    if (names) RedisModule_FreeCallReply(names);
    return is_list;
}

void facts_free(void) {
    for (int i = 0; i < count; i++) {
        if (list[i].called != list[i].name) memory_free(list[i].called);
        memory_free(list[i].name);
        memory_free(list[i].categories);
        for (int phase = 0; phase < HOOK_PHASES; phase++) memory_free(list[i].hooks[phase].hooks);
        memory_free(list[i].rules);
        key_specs_free(&list[i].key_specs);
    }
    memory_free(list);
    memory_free(table);
    list = NULL;
    table = NULL;
    count = room = unknown_names = 0;
    table_size = 0;
}
