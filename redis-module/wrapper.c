#include "wrapper.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "chain.h"
#include "command.h"
#include "command_keys.h"
#include "keys_api.h"
#include "log.h"
#include "module.h"
#include "reply.h"
#include "resp.h"

enum { WRAPPERS_MAX = 64, SECRET_LENGTH = 16 };

/* What the server looks at before it runs a command. */
enum {
    CLASS_FLAGS = FACT_WRITE | FACT_READONLY | FACT_DENY_OOM | FACT_LOADING | FACT_STALE | FACT_FAST |
                  FACT_MAY_REPLICATE | FACT_PUBSUB | FACT_ALLOW_BUSY | FACT_NO_MANDATORY_KEYS,
};

static struct Wrapper {
    uint32_t flags;
    RedisModuleString *names[2]; /* not checked, checked */
} wrappers[WRAPPERS_MAX];
static int wrapper_count;

static RedisModuleString *answer_names[2]; /* not checked, checked */
static char secrets[WRAPPER_TASKS][SECRET_LENGTH];
static Arguments stored;

RedisModuleString *wrapper_name(int wrapper, bool checked) {
    return wrappers[wrapper].names[checked];
}

RedisModuleString *wrapper_word(WrapperTask task, RedisModuleString *name) {
    size_t length;
    const char *text = RedisModule_StringPtrLen(name, &length);
    RedisModuleString *word = RedisModule_CreateString(NULL, secrets[task], SECRET_LENGTH);
    RedisModule_StringAppendBuffer(NULL, word, text, length);
    return word;
}

void wrapper_store(Arguments *words) {
    arguments_free(&stored);
    arguments_move(&stored, words);
}

bool wrapper_any(void) {
    return wrapper_count > 0;
}

RedisModuleString *wrapper_answer_name(bool checked) {
    return answer_names[checked];
}

/* ===== Which commands ===== */

static bool is_one_of(const char *name, const char *const *names) {
    for (; *names; names++) {
        size_t length = strlen(*names);
        if ((*names)[length - 1] == '|' ? strncmp(name, *names, length) == 0 : strcmp(name, *names) == 0) return true;
    }
    return false;
}

/* Not those that act on the connection that they come from: a command run by a module has another one. Nor what blocks,
 * runs scripts, administers the server, or can take it down when a module runs it. Nor PING, which a server that cannot
 * save refuses by its name, and RESTORE-ASKING, which may write to a slot that is on its way here. Nor those of
 * modules: no flag tells which of them block their client, and a server whose module does so in a call of another ends.
 */
static bool can_be_wrapped(const Facts *facts) {
    static const char *const own_connection[] = {
        "select",       "client|",      "asking",      "readonly",   "readwrite",      "wait",
        "waitaof",      "subscribe",    "unsubscribe", "psubscribe", "monitor",        "ssubscribe",
        "punsubscribe", "sunsubscribe", "multi",       "exec",       "discard",        "watch",
        "unwatch",      "hello",        "auth",        "reset",      "quit",           "cluster|",
        "replconf",     "command|",     "ferrite.",    "ping",       "restore-asking", NULL};
    uint32_t never = FACT_ADMIN | FACT_NO_AUTH | FACT_NO_SCRIPT | FACT_BLOCKING | FACT_CONTAINER | FACT_MODULE;
    return !(facts->flags & never) && !is_one_of(facts->name, own_connection) &&
           !command_named(facts->name, strlen(facts->name));
}

static int class_of(uint32_t flags) {
    for (int i = 0; i < wrapper_count; i++) {
        if (wrappers[i].flags == (flags & CLASS_FLAGS)) return i;
    }
    return -1;
}

void wrapper_assign(void) {
    int count;
    Facts *facts = facts_list(&count);
    for (int i = 0; i < count; i++) {
        facts[i].can_replace = can_be_wrapped(&facts[i]);
        facts[i].wrapper = facts[i].can_replace ? class_of(facts[i].flags) : -1;
    }
}

/* ===== The commands ===== */

static int task_of(RedisModuleString *word) {
    size_t length;
    const char *text = RedisModule_StringPtrLen(word, &length);
    for (int task = 0; length > SECRET_LENGTH && task < WRAPPER_TASKS; task++) {
        if (memcmp(text, secrets[task], SECRET_LENGTH) == 0) return task;
    }
    return -1;
}

/* The words of the command inside. False when the filter has not put it there. */
static bool read_inner(RedisModuleString **argv, int argc, Arguments *words, WrapperTask *task) {
    int found = argc >= 2 ? task_of(argv[1]) : -1;
    if (found < 0) return false;
    *task = (WrapperTask)found;
    if (*task == WRAPPER_RUNS_STORED) {
        arguments_hold(words, stored.values, stored.count);
        return words->count > 0;
    }
    size_t length;
    const char *text = RedisModule_StringPtrLen(argv[1], &length);
    arguments_hold(words, argv + 1, argc - 1);
    RedisModule_FreeString(NULL, words->values[0]);
    words->values[0] = RedisModule_CreateString(NULL, text + SECRET_LENGTH, length - SECRET_LENGTH);
    return true;
}

/* Those of the command inside, one further on; of stored words those that are shown. */
static void say_keys(RedisModuleCtx *ctx, RedisModuleString **argv, int argc) {
    Arguments words = {0};
    WrapperTask task;
    int count, *flags;
    if (!read_inner(argv, argc, &words, &task)) return;
    int *keys = command_keys_find(ctx, words.values, words.count, &count, &flags);
    for (int i = 0; keys && i < count; i++) {
        if (keys[i] + 1 < argc) RedisModule_KeyAtPosWithFlags(ctx, keys[i] + 1, flags[i]);
    }
    if (keys) {
        RedisModule_Free(keys);
        RedisModule_Free(flags);
    }
    arguments_free(&words);
}

static int Wrapper_RedisCommand(RedisModuleCtx *ctx, RedisModuleString **argv, int argc) {
    if (RedisModule_IsKeysPositionRequest(ctx)) {
        say_keys(ctx, argv, argc);
        return REDISMODULE_OK;
    }
    Arguments words = {0};
    WrapperTask task;
    if (!read_inner(argv, argc, &words, &task)) {
        return RedisModule_ReplyWithError(ctx, "ERR unknown command, it is for the server's own use");
    }
    if (task == WRAPPER_RUNS_STORED) arguments_free(&stored);
    chain_start(ctx, argv[1], &words, task == WRAPPER_ASKS);
    arguments_free(&words);
    return REDISMODULE_OK;
}

static int Answer_RedisCommand(RedisModuleCtx *ctx, RedisModuleString **argv, int argc) {
    size_t length;
    const char *text = argc == 2 ? RedisModule_StringPtrLen(argv[1], &length) : NULL;
    if (!text || !resp_is_value((const uint8_t *)text, length, 0)) {
        return RedisModule_ReplyWithError(ctx, "ERR unknown command, it is for the server's own use");
    }
    reply_value(ctx, (const uint8_t *)text, length, NULL);
    return REDISMODULE_OK;
}

/* ===== Creation ===== */

static void write_flags(uint32_t flags, bool checked, char *text, size_t size) {
    static const struct {
        uint32_t flag;
        const char *name;
    } names[] = {{FACT_WRITE, "write"},
                 {FACT_READONLY, "readonly"},
                 {FACT_DENY_OOM, "deny-oom"},
                 {FACT_LOADING, "allow-loading"},
                 {FACT_STALE, "allow-stale"},
                 {FACT_FAST, "fast"},
                 {FACT_MAY_REPLICATE, "may-replicate"},
                 {FACT_PUBSUB, "pubsub"},
                 {FACT_ALLOW_BUSY, "allow-busy"},
                 {FACT_NO_MANDATORY_KEYS, "no-mandatory-keys"}};
    int at = snprintf(text, size, "no-monitor no-slowlog%s", checked ? "" : " no-auth");
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (flags & names[i].flag) at += snprintf(text + at, size - (size_t)at, " %s", names[i].name);
    }
}

static RedisModuleString *create(RedisModuleCtx *ctx, const char *name, const char *flags,
                                 RedisModuleCmdFunc function) {
    if (RedisModule_CreateCommand(ctx, name, function, flags, 0, 0, 0) != REDISMODULE_OK) return NULL;
    return RedisModule_CreateString(NULL, name, strlen(name));
}

static bool create_wrapper(RedisModuleCtx *ctx, uint32_t class) {
    struct Wrapper *wrapper = &wrappers[wrapper_count];
    for (int checked = 0; checked < 2; checked++) {
        char name[32], flags[256] = "getkeys-api ";
        snprintf(name, sizeof(name), "_ferrite.%c%d", checked ? 'w' : 'n', wrapper_count);
        write_flags(class, checked, flags + strlen(flags), sizeof(flags) - strlen(flags));
        wrapper->names[checked] = create(ctx, name, flags, Wrapper_RedisCommand);
        if (!wrapper->names[checked]) return false;
    }
    wrapper->flags = class;
    wrapper_count++;
    return true;
}

bool wrapper_register_all(RedisModuleCtx *ctx) {
    static const char *const names[2] = {"_ferrite.answer", "_ferrite.refuse"};
    if (getrandom(secrets, sizeof(secrets), 0) != sizeof(secrets)) return false;
    for (int checked = 0; checked < 2; checked++) {
        char flags[256];
        write_flags(FACT_LOADING | FACT_STALE | FACT_FAST, checked, flags, sizeof(flags));
        answer_names[checked] = create(ctx, names[checked], flags, Answer_RedisCommand);
        if (!answer_names[checked]) return false;
    }
    if (!keys_api_is_safe(ctx)) return true; /* they cannot tell their keys: the server waits for every hook */
    int count;
    const Facts *facts = facts_list(&count);
    for (int i = 0; i < count && wrapper_count < WRAPPERS_MAX; i++) {
        if (!can_be_wrapped(&facts[i]) || class_of(facts[i].flags) >= 0) continue;
        if (!create_wrapper(ctx, facts[i].flags & CLASS_FLAGS)) {
            log_line(LOG_WARNING, "no wrapper for commands such as %s: the server refused it", facts[i].name);
            break;
        }
    }
    return true;
}

void wrapper_free(void) {
    for (int i = 0; i < wrapper_count; i++) {
        for (int checked = 0; checked < 2; checked++) RedisModule_FreeString(NULL, wrappers[i].names[checked]);
    }
    wrapper_count = 0;
    for (int i = 0; i < 2; i++) {
        if (answer_names[i]) RedisModule_FreeString(NULL, answer_names[i]);
        answer_names[i] = NULL;
    }
    arguments_free(&stored);
}
