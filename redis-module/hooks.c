#include "hooks.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "filter.h"
#include "glob.h"
#include "log.h"
#include "memory.h"
#include "module.h"
#include "wrapper.h"

static bool loaded;
static Command **matching; /* room for all hooks */

const char *hooks_problem(void) {
    /* Filters of Redis 7.0 do not know whose command they see. */
    if (!RedisModule_CommandFilterGetClientId) return "hooks of commands need Redis 7.2, Valkey 7.2 or newer";
    return loaded ? NULL : "hooks of commands need the server's COMMAND, which is renamed, or the names _ferrite.*";
}

/* ===== Which commands a hook is for ===== */

/* A hook of all commands or of a category is not for what holds a connection or the replication together. AUTH and
 * HELLO carry passwords, which never leave the module. */
static bool is_protected(const Facts *facts, bool named) {
    static const char *const always[] = {"auth", "hello", NULL};
    static const char *const unless_named[] = {"multi", "exec", "discard", "watch",    "unwatch", "sync",
                                               "psync", "quit", "reset",   "replconf", NULL};
    if (strncmp(facts->name, "ferrite.", 8) == 0) return true;
    for (const char *const *name = always; *name; name++) {
        if (strcmp(facts->name, *name) == 0) return true;
    }
    for (const char *const *name = unless_named; *name && !named; name++) {
        if (strcmp(facts->name, *name) == 0) return true;
    }
    return false;
}

static bool has_category(const Facts *facts, const char *category) {
    size_t length = strlen(category);
    for (const char *at = facts->categories; (at = strcasestr(at, category)); at++) {
        if (at[-1] == ' ' && at[length] == ' ') return true;
    }
    return false;
}

/* "CONFIG" is for its subcommands too. */
static bool is_named(const Facts *facts, const char *name) {
    size_t length = strlen(name);
    return strncasecmp(facts->name, name, length) == 0 && (facts->name[length] == '\0' || facts->name[length] == '|');
}

static bool is_for(const RouteHook *hook, const Facts *facts) {
    bool by_category = hook->commands.count == 0;
    for (int i = 0; i < hook->commands.count; i++) {
        const char *word = hook->commands.values[i];
        if (*word == '@')
            by_category |= has_category(facts, word);
        else if (is_named(facts, word))
            return !is_protected(facts, true);
    }
    return by_category && !is_protected(facts, false);
}

static int compare(const void *a, const void *b) {
    const Command *one = *(Command *const *)a, *other = *(Command *const *)b;
    if (one->hook->priority != other->hook->priority) return one->hook->priority < other->hook->priority ? -1 : 1;
    return strcmp(one->name, other->name); /* "hook <plugin>/<name>" */
}

/* In their order, with room for at least one; the caller frees it. */
static Command **sorted_hooks(int *count) {
    int n = 0;
    for (Command *command = command_list; command; command = command->next) n += command->hook != NULL;
    Command **hooks = memory_zalloc(sizeof(*hooks) * (size_t)(n + 1));
    *count = 0;
    for (Command *command = command_list; command; command = command->next) {
        if (command->hook) hooks[(*count)++] = command;
    }
    qsort(hooks, (size_t)n, sizeof(*hooks), compare);
    return hooks;
}

static void give_hooks(Facts *facts, Command **hooks, int count) {
    memory_free(facts->hooks);
    facts->hooks = NULL;
    facts->hook_count = 0;
    for (int i = 0; i < count; i++) {
        if (!is_for(hooks[i]->hook, facts)) continue;
        if (!facts->hooks) facts->hooks = memory_alloc(sizeof(*hooks) * (size_t)(count - i));
        facts->hooks[facts->hook_count++] = hooks[i];
    }
}

/* Subcommands stand behind their container. */
static void mark_containers(Facts *facts, int count) {
    Facts *container = NULL;
    for (int i = 0; i < count; i++) {
        facts[i].hooks_below = facts[i].hook_count > 0;
        if (facts[i].flags & FACT_CONTAINER)
            container = &facts[i];
        else if (container && facts[i].hook_count && strchr(facts[i].name, '|'))
            container->hooks_below = true;
    }
}

void hooks_changed(void) {
    if (!loaded) return;
    int hook_count, count;
    Command **hooks = sorted_hooks(&hook_count);
    Facts *facts = facts_list(&count);
    for (int i = 0; i < count; i++) give_hooks(&facts[i], hooks, hook_count);
    mark_containers(facts, count);
    memory_free(matching);
    matching = hooks; /* its order is given to the commands: from now on it is room */
    filter_set(hook_count > 0);
}

void hooks_commands_changed(void) {
    if (!loaded || !facts_read()) return;
    wrapper_assign();
    hooks_changed();
}

static bool load(RedisModuleCtx *ctx) {
    if (!RedisModule_CommandFilterGetClientId || !facts_read() || !wrapper_register_all(ctx)) return false;
    wrapper_assign();
    return true;
}

void hooks_load(RedisModuleCtx *ctx) {
    loaded = load(ctx);
    hooks_changed();
    int count;
    memory_free(sorted_hooks(&count));
    if (!loaded && count > 0) log_line(LOG_WARNING, "no hook is asked: %s", hooks_problem());
}

void hooks_free(void) {
    filter_set(false);
    loaded = false;
    memory_free(matching);
    matching = NULL;
    wrapper_free();
    facts_free();
}

/* ===== Matching ===== */

static bool has_word(const RouteWords *words, const char *text) {
    for (int i = 0; i < words->count; i++) {
        if (strcmp(words->values[i], text) == 0) return true;
    }
    return words->count == 0;
}

static bool has_database(const RouteHook *hook, int db) {
    for (int i = 0; i < hook->db_count; i++) {
        if (hook->dbs[i] == db) return true;
    }
    return hook->db_count == 0;
}

static bool key_matches(const RouteWords *globs, RedisModuleString *key) {
    size_t length;
    const char *text = RedisModule_StringPtrLen(key, &length);
    for (int i = 0; i < globs->count; i++) {
        if (glob_match(globs->values[i], strlen(globs->values[i]), text, length)) return true;
    }
    return false;
}

static bool movable_key_matches(const RouteWords *globs, const HookSubject *subject) {
    int count, *flags;
    int *keys = RedisModule_GetCommandKeysWithFlags(module_context, subject->argv, subject->argc, &count, &flags);
    if (!keys) return false;
    bool matches = false;
    for (int i = 0; i < count && !matches; i++) matches = key_matches(globs, subject->argv[keys[i]]);
    RedisModule_Free(keys);
    RedisModule_Free(flags);
    return matches;
}

static bool any_key_matches(const RouteHook *hook, const Facts *facts, const HookSubject *subject) {
    const RouteWords *globs = &hook->keys;
    if (globs->count == 0) return true;
    if (facts->flags & FACT_MOVABLE_KEYS) return movable_key_matches(globs, subject);
    if (facts->first_key <= 0 || facts->key_step <= 0) return false;
    int last = facts->last_key < 0 ? subject->argc + facts->last_key : facts->last_key;
    for (int at = facts->first_key; at <= last && at < subject->argc; at += facts->key_step) {
        if (key_matches(globs, subject->argv[at])) return true;
    }
    return false;
}

Command **hooks_match(const Facts *facts, const HookSubject *subject, int *count) {
    *count = 0;
    for (int i = 0; i < facts->hook_count; i++) {
        const RouteHook *hook = facts->hooks[i]->hook;
        if (!hook) continue;
        if (subject->user && !(has_word(&hook->users, subject->user) && has_database(hook, subject->db))) continue;
        if (any_key_matches(hook, facts, subject)) matching[(*count)++] = facts->hooks[i];
    }
    return matching;
}
