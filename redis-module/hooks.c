#include "hooks.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "after.h"
#include "command_keys.h"
#include "filter.h"
#include "glob.h"
#include "log.h"
#include "memory.h"
#include "module.h"
#include "wrapper.h"

static bool loaded;
static Command **matching[HOOK_PHASES]; /* room for all hooks */

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

static HookPhase phase_of(const RouteHook *hook) {
    return hook->kind == HOOK_BEFORE ? PHASE_BEFORE : PHASE_AFTER;
}

static void give_hooks(Facts *facts, HookPhase phase, Command **hooks, int count) {
    HookList *list = &facts->hooks[phase];
    memory_free(list->hooks);
    *list = (HookList){0};
    if (phase == PHASE_AFTER && facts->wrapper < 0) return; /* nothing of ours runs it: nobody learns what came of it */
    for (int i = 0; i < count; i++) {
        const RouteHook *hook = hooks[i]->hook;
        if (phase_of(hook) != phase || !is_for(hook, facts)) continue;
        if (!list->hooks) list->hooks = memory_alloc(sizeof(*hooks) * (size_t)(count - i));
        list->hooks[list->count++] = hooks[i];
    }
}

/* For who named a command and waits in vain. */
static void explain_never_told(const Facts *facts, Command **hooks, int count) {
    if (facts->wrapper >= 0 || (facts->flags & FACT_CONTAINER)) return;
    for (int i = 0; i < count; i++) {
        const RouteHook *hook = hooks[i]->hook;
        for (int k = 0; hook->kind != HOOK_BEFORE && k < hook->commands.count; k++) {
            if (is_named(facts, hook->commands.values[k]))
                log_line(LOG_WARNING, "%s is never told of %s: only the server itself can run it here", hooks[i]->name,
                         facts->name);
        }
    }
}

/* Subcommands stand behind their container. */
static void mark_containers(Facts *facts, int count) {
    Facts *container = NULL;
    for (int i = 0; i < count; i++) {
        facts[i].hooks_below = facts_hooked(&facts[i]);
        if (facts[i].flags & FACT_CONTAINER)
            container = &facts[i];
        else if (container && facts_hooked(&facts[i]) && strchr(facts[i].name, '|'))
            container->hooks_below = true;
    }
}

void hooks_changed(void) {
    if (!loaded) return;
    int hook_count, count;
    Command **hooks = sorted_hooks(&hook_count);
    Facts *facts = facts_list(&count);
    for (int i = 0; i < count; i++) {
        for (HookPhase phase = 0; phase < HOOK_PHASES; phase++) give_hooks(&facts[i], phase, hooks, hook_count);
        explain_never_told(&facts[i], hooks, hook_count);
    }
    mark_containers(facts, count);
    for (HookPhase phase = 0; phase < HOOK_PHASES; phase++) {
        memory_free(matching[phase]);
        matching[phase] = memory_alloc(sizeof(*hooks) * (size_t)(hook_count + 1));
    }
    memory_free(hooks);
    filter_set(FILTER_FOR_HOOKS, hook_count > 0);
}

void hooks_commands_changed(void) {
    if (!loaded || !facts_read()) return;
    wrapper_assign();
    hooks_changed();
}

bool hooks_learn(const RedisModuleString *word) {
    if (!facts_learn(word)) return false;
    wrapper_assign();
    hooks_changed();
    return true;
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
    filter_free();
    loaded = false;
    for (HookPhase phase = 0; phase < HOOK_PHASES; phase++) {
        memory_free(matching[phase]);
        matching[phase] = NULL;
    }
    after_free();
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

static bool key_matches(const void *context, RedisModuleString *key) {
    const RouteWords *globs = context;
    size_t length;
    const char *text = RedisModule_StringPtrLen(key, &length);
    for (int i = 0; i < globs->count; i++) {
        if (glob_match(globs->values[i], strlen(globs->values[i]), text, length)) return true;
    }
    return false;
}

static bool any_key_matches(const RouteHook *hook, const Facts *facts, const HookSubject *subject) {
    if (hook->keys.count == 0) return true;
    return command_keys_any(facts, subject->argv, subject->argc, key_matches, &hook->keys);
}

static bool in_sample(const RouteHook *hook) {
    static uint32_t state = 2463534242u; /* Marsaglia's xorshift: chance, not a secret */
    if (hook->sample >= SAMPLE_ALL) return true;
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state % SAMPLE_ALL < (uint32_t)hook->sample;
}

HookList hooks_match(const Facts *facts, HookPhase phase, const HookSubject *subject) {
    HookList found = {.hooks = matching[phase]};
    for (int i = 0; i < facts->hooks[phase].count; i++) {
        Command *command = facts->hooks[phase].hooks[i];
        const RouteHook *hook = command->hook;
        if (!hook) continue;
        if (subject->user && !(has_word(&hook->users, subject->user) && has_database(hook, subject->db))) continue;
        if (!any_key_matches(hook, facts, subject)) continue;
        if (!subject->sampled || in_sample(hook)) found.hooks[found.count++] = command;
    }
    return found;
}
