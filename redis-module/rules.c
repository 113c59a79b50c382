#include "rules.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "command.h"
#include "glob.h"
#include "memory.h"
#include "module.h"
#include "rule_file.h"

static Rule **rules;
static int rule_count;
static uint64_t refused_before; /* by rules that are gone */

Rule *const *rules_list(int *count) {
    *count = rule_count;
    return rules;
}

uint64_t rules_refused(void) {
    uint64_t sum = refused_before;
    for (int i = 0; i < rule_count; i++) sum += rules[i]->refused;
    return sum;
}

/* ===== Which rules there are ===== */

static Rule *make(const RouteRule *route) {
    char name[2 * ROUTE_NAME_MAX + 2];
    int length = snprintf(name, sizeof(name), "%s%s%s", route->plugin ? route->plugin : "", route->plugin ? "/" : "",
                          route->name);
    Rule *rule = memory_zalloc(sizeof(Rule));
    rule->route = route;
    rule->name = memory_copy_string(name, (size_t)length);
    rule->line = memory_copy_string(route->line, strlen(route->line));
    return rule;
}

static void free_rule(Rule *rule) {
    if (!rule) return;
    rate_free(&rule->rate);
    memory_free(rule->name);
    memory_free(rule->line);
    memory_free(rule);
}

/* The figures and buckets of one that reads the same. */
static void take_over(Rule *rule, Rule *const *old, int old_count) {
    for (int i = 0; i < old_count; i++) {
        if (strcmp(old[i]->name, rule->name) != 0 || strcmp(old[i]->line, rule->line) != 0) continue;
        rule->matched = old[i]->matched;
        rule->refused = old[i]->refused;
        rule->rate = old[i]->rate;
        old[i]->rate = (Rate){0};
        old[i]->refused = 0;
    }
}

static int compare(const void *a, const void *b) {
    const Rule *one = *(Rule *const *)a, *other = *(Rule *const *)b;
    if (!one->route->plugin != !other->route->plugin) return one->route->plugin ? 1 : -1;
    if (one->route->match.priority != other->route->match.priority)
        return one->route->match.priority < other->route->match.priority ? -1 : 1;
    return strcmp(one->name, other->name);
}

static void collect(void) {
    const RouteTable *tables[] = {rule_file_table(), command_routes()};
    Rule **old = rules;
    int old_count = rule_count, count = 0;
    for (int t = 0; t < 2; t++) count += tables[t] ? tables[t]->rule_count : 0;
    rules = memory_zalloc(sizeof(*rules) * (size_t)(count + 1));
    rule_count = 0;
    for (int t = 0; t < 2; t++) {
        for (int i = 0; tables[t] && i < tables[t]->rule_count; i++) {
            Rule *rule = rules[rule_count++] = make(&tables[t]->rules[i]);
            take_over(rule, old, old_count);
        }
    }
    qsort(rules, (size_t)rule_count, sizeof(*rules), compare);
    for (int i = 0; i < old_count; i++) {
        refused_before += old[i]->refused;
        free_rule(old[i]);
    }
    memory_free(old);
}

/* ===== Which commands they are for ===== */

/* A rule that renames may take a name that is no command's. */
static void add_new_names(void) {
    for (int i = 0; i < rule_count; i++) {
        const RouteRule *route = rules[i]->route;
        for (int k = 0; route->action == RULE_RENAME && k < route->match.commands.count; k++) {
            facts_add(route->match.commands.values[k]);
        }
    }
}

/* Replicas and Sentinels do not live without PING: it obeys only rules that name it. */
static bool is_spared(const RouteRule *route, const Facts *facts) {
    if (strcmp(facts->name, "ping") != 0) return false;
    for (int i = 0; i < route->match.commands.count; i++) {
        if (strcasecmp(route->match.commands.values[i], "ping") == 0) return false;
    }
    return true;
}

static void give(Facts *facts) {
    memory_free(facts->rules);
    facts->rules = NULL;
    facts->rule_count = 0;
    for (int i = 0; i < rule_count; i++) {
        if (!matcher_names(&rules[i]->route->match, facts) || is_spared(rules[i]->route, facts)) continue;
        if (rules[i]->route->action == RULE_READ_ONLY && !(facts->flags & FACT_WRITE)) continue;
        if (!facts->rules) facts->rules = memory_alloc(sizeof(*rules) * (size_t)(rule_count - i));
        facts->rules[facts->rule_count++] = rules[i];
    }
}

void rules_changed(void) {
    int count;
    collect();
    add_new_names();
    Facts *facts = facts_list(&count);
    for (int i = 0; i < count; i++) give(&facts[i]);
}

void rules_free(void) {
    for (int i = 0; i < rule_count; i++) free_rule(rules[i]);
    memory_free(rules);
    rules = NULL;
    rule_count = 0;
}

/* ===== Matching ===== */

/* Options of commands may be written in any case, so must what is matched with them. */
static bool argument_matches(const RouteArgument *argument, RedisModuleString *word) {
    size_t length;
    const char *text = RedisModule_StringPtrLen(word, &length);
    return glob_match_nocase(argument->glob, strlen(argument->glob), text, length);
}

static bool has_argument(const RouteArgument *argument, const HookSubject *subject) {
    if (argument->at != RULE_ANY_ARGUMENT) {
        int at = argument->at < 0 ? subject->argc + argument->at : argument->at + 1;
        return at >= 1 && at < subject->argc && argument_matches(argument, subject->argv[at]);
    }
    for (int at = 1; at < subject->argc; at++) {
        if (argument_matches(argument, subject->argv[at])) return true;
    }
    return false;
}

static bool has_arguments(const RouteRule *route, const HookSubject *subject) {
    for (int i = 0; i < route->argument_count; i++) {
        if (!has_argument(&route->arguments[i], subject)) return false;
    }
    return true;
}

static bool is_too_large(const RouteRule *route, const HookSubject *subject) {
    if (route->max_arguments >= 0 && subject->argc - 1 > route->max_arguments) return true;
    for (int i = 1; route->max_bytes >= 0 && i < subject->argc; i++) {
        size_t length;
        RedisModule_StringPtrLen(subject->argv[i], &length);
        if ((long long)length > route->max_bytes) return true;
    }
    return false;
}

/* What only the words decide. What is allowed is allowed for every key of the command. */
static bool is_for_words(const RouteRule *route, const Facts *facts, const HookSubject *subject) {
    bool has_keys = route->action == RULE_ALLOW ? matcher_has_all_keys(&route->match, facts, subject)
                                                : matcher_has_key(&route->match, facts, subject);
    return has_keys && has_arguments(route, subject) && (route->action != RULE_SIZE || is_too_large(route, subject));
}

static bool is_for_caller(const RouteRule *route, const HookSubject *subject) {
    return route->action == RULE_ALLOW ? matcher_has_caller_for_certain(&route->match, subject)
                                       : matcher_has_caller(&route->match, subject);
}

/* ===== What they say ===== */

static void refuse(const Rule *rule, RuleVerdict *verdict, const char *code_and_text) {
    verdict->end = RULES_REFUSE;
    snprintf(verdict->error, sizeof(verdict->error), "%s", rule->route->error ? rule->route->error : code_and_text);
}

/* The name of the bucket. */
static const char *bucket_of(const RouteRule *route, const Facts *facts, const HookSubject *subject, size_t *length) {
    static const char strangers[] = "(not known to have logged in)";
    *length = subject->stranger ? sizeof(strangers) - 1 : 0;
    if (subject->stranger) return strangers; /* they take nothing from the others */
    if (route->per == PER_USER) *length = strlen(subject->user);
    if (route->per != PER_PREFIX) return subject->user;
    RedisModuleString *key = matcher_first_key(facts, subject);
    const char *text = key ? RedisModule_StringPtrLen(key, length) : "";
    const char *end = *length > 0 ? memchr(text, route->separator, *length) : NULL;
    if (end) *length = (size_t)(end - text) + 1;
    return text;
}

static void charge(Rule *rule, const Facts *facts, const HookSubject *subject, RuleVerdict *verdict) {
    const RouteRule *route = rule->route;
    size_t length;
    uint64_t wait_us;
    char text[CALL_ERROR_SIZE];
    const char *bucket = bucket_of(route, facts, subject, &length);
    RateLimit limit = {(uint64_t)route->limit, (uint64_t)route->interval, (uint64_t)route->burst};
    if (rate_take(&rule->rate, limit, bucket, length, clock_microseconds(), &wait_us)) return;
    snprintf(text, sizeof(text), "RATELIMITED rule %s: at most %lld in %lld ms, try again in %" PRIu64 " ms",
             rule->name, route->limit, route->interval, wait_us / 1000 + 1);
    refuse(rule, verdict, text);
}

static void apply(Rule *rule, const Facts *facts, const HookSubject *subject, RuleVerdict *verdict) {
    char text[CALL_ERROR_SIZE];
    const RouteRule *route = rule->route;
    switch (route->action) {
        case RULE_DENY:
            snprintf(text, sizeof(text), "DENIED rule %s does not allow this command", rule->name);
            refuse(rule, verdict, text);
            return;
        case RULE_READ_ONLY:
            snprintf(text, sizeof(text), "READONLY rule %s does not allow writes", rule->name);
            refuse(rule, verdict, text);
            return;
        case RULE_SIZE:
            snprintf(text, sizeof(text), "TOOLARGE rule %s: this command has larger or more arguments than it allows",
                     rule->name);
            refuse(rule, verdict, text);
            return;
        case RULE_RATE:
            charge(rule, facts, subject, verdict);
            return;
        case RULE_RENAME:
            verdict->end = RULES_RENAME;
            verdict->to = route->to;
            return;
        case RULE_ALLOW:
            return;
    }
}

void rules_judge(const Facts *facts, HookSubject *subject, RuleWho who, void *context, bool renamed,
                 RuleVerdict *verdict) {
    bool is_known = false;
    verdict->end = RULES_PASS;
    for (int i = 0; i < facts->rule_count; i++) {
        Rule *rule = facts->rules[i];
        if ((renamed && rule->route->action == RULE_RENAME) || !is_for_words(rule->route, facts, subject)) continue;
        if (!is_known && !who(context, subject)) return;
        is_known = true;
        if (!is_for_caller(rule->route, subject)) continue;
        rule->matched++;
        apply(rule, facts, subject, verdict);
        rule->refused += verdict->end == RULES_REFUSE;
        if (verdict->end != RULES_PASS || rule->route->action == RULE_ALLOW) return;
    }
}
