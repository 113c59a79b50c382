#include "hooks.h"

#include <stdlib.h>
#include <string.h>

#include "after.h"
#include "filter.h"
#include "log.h"
#include "matcher.h"
#include "memory.h"
#include "module.h"
#include "rule_file.h"
#include "rules.h"
#include "wrapper.h"

static bool loaded;
static Command **matching[HOOK_PHASES]; /* room for all hooks */

const char *hooks_problem(void) {
    /* Filters of Redis 7.0 do not know whose command they see. */
    if (!RedisModule_CommandFilterGetClientId) return "hooks of commands need Redis 7.2, Valkey 7.2 or newer";
    return loaded ? NULL : "hooks of commands need the server's COMMAND, which is renamed, or the names _ferrite.*";
}

/* ===== Which commands a hook is for ===== */

static int compare(const void *a, const void *b) {
    const Command *one = *(Command *const *)a, *other = *(Command *const *)b;
    if (one->hook->match.priority != other->hook->match.priority)
        return one->hook->match.priority < other->hook->match.priority ? -1 : 1;
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
        if (phase_of(hook) != phase || !matcher_names(&hook->match, facts)) continue;
        if (!list->hooks) list->hooks = memory_alloc(sizeof(*hooks) * (size_t)(count - i));
        list->hooks[list->count++] = hooks[i];
    }
}

/* For who named a command and waits in vain. */
static void explain_never_told(const Facts *facts, Command **hooks, int count) {
    if (facts->wrapper >= 0 || (facts->flags & FACT_CONTAINER)) return;
    for (int i = 0; i < count; i++) {
        const RouteHook *hook = hooks[i]->hook;
        for (int k = 0; hook->kind != HOOK_BEFORE && k < hook->match.commands.count; k++) {
            if (matcher_word_names(hook->match.commands.values[k], facts))
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
    filter_forget_found();
    int hook_count, rule_count, count;
    Command **hooks = sorted_hooks(&hook_count);
    rules_changed();
    rules_list(&rule_count);
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
    filter_set(FILTER_FOR_HOOKS, hook_count + rule_count > 0);
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
    if (!loaded && rule_file_table() && rule_file_table()->rule_count > 0)
        log_line(LOG_WARNING, "no rule is in force: %s", hooks_problem());
}

void hooks_free(void) {
    filter_free();
    loaded = false;
    for (HookPhase phase = 0; phase < HOOK_PHASES; phase++) {
        memory_free(matching[phase]);
        matching[phase] = NULL;
    }
    rules_free();
    after_free();
    wrapper_free();
    facts_free();
}

/* ===== Matching ===== */

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
        if (!matcher_has_caller(&hook->match, subject) || !matcher_has_key(&hook->match, facts, subject)) continue;
        if (!subject->sampled || in_sample(hook)) found.hooks[found.count++] = command;
    }
    return found;
}
