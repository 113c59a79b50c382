#include "route_line.h"

#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { LIST_MAX = 256 };

/* ===== Which commands ===== */

static bool parse_words(Parser *p, const char *name, RouteWords *words) {
    const char *parts[LIST_MAX];
    int count = line_split(p, line_word(p, name), ',', parts, LIST_MAX);
    if (count < 0) return line_fail(p, "more than %d values in %s=", LIST_MAX, name);
    words->values = line_alloc(p->table, sizeof(*words->values) * (size_t)(count + 1));
    for (int i = 0; i < count; i++) {
        if (!*parts[i]) return line_fail(p, "an empty value in %s=", name);
        words->values[words->count++] = parts[i];
    }
    return true;
}

static bool parse_databases(Parser *p, RouteMatcher *match) {
    const char *parts[LIST_MAX];
    long long number;
    int count = line_split(p, line_word(p, "dbs"), ',', parts, LIST_MAX);
    if (count < 0) return line_fail(p, "more than %d values in dbs=", LIST_MAX);
    match->dbs = line_alloc(p->table, sizeof(*match->dbs) * (size_t)(count + 1));
    for (int i = 0; i < count; i++) {
        if (!line_parse_number(parts[i], 0, INT_MAX, &number))
            return line_fail(p, "dbs= has '%s', which is no number", parts[i]);
        match->dbs[match->db_count++] = (int)number;
    }
    return true;
}

static bool parse_matcher(Parser *p, RouteMatcher *match) {
    match->priority = (int)line_number(p, "priority", 100, -1000, 1000);
    return !p->failed && parse_words(p, "commands", &match->commands) && parse_words(p, "keys", &match->keys) &&
           parse_words(p, "users", &match->users) && parse_databases(p, match);
}

/* ===== Hooks ===== */

static bool name_hook(Parser *p, RouteHook *hook, const char *plugin) {
    char name[ROUTE_NAME_MAX + 2];
    int length = snprintf(name, sizeof(name), "hook %s/%s", plugin, hook->name);
    if (length > ROUTE_NAME_MAX)
        return line_fail(p, "the names of plugin and hook are longer than %d", ROUTE_NAME_MAX - 6);
    hook->command = (RouteCommand){.plugin = plugin,
                                   .name = line_copy(p->table, name, (size_t)length),
                                   .flags = "",
                                   .categories = "",
                                   .arity = -1};
    for (int i = 0; i < p->table->hook_count - 1; i++) {
        if (strcasecmp(p->table->hooks[i].command.name, name) == 0) return line_fail(p, "%s is listed twice", name);
    }
    return true;
}

bool route_parse_hook(Parser *p) {
    static const char *const kinds[] = {"before", "after", "after-wait", NULL};
    static const char *const failures[] = {"deny", "allow", NULL};
    static const char *const transactions[] = {"sync", "allow", "deny", NULL};
    RouteTable *t = p->table;
    if (t->plugin_count == 0) return line_fail(p, "a hook line before any plugin line");
    RouteHook *hook = line_append(t, (void **)&t->hooks, &t->hook_count, sizeof(RouteHook));
    hook->name = line_text(p, "name", NULL);
    if (!line_has_name(hook->name, "._-")) return line_fail(p, "a hook needs name= of letters, digits and . _ -");
    if (!name_hook(p, hook, t->plugins[t->plugin_count - 1].name)) return false;
    int kind = line_choice(p, "kind", kinds);
    int failure = line_choice(p, "failure", failures), transaction = line_choice(p, "transaction", transactions);
    if (kind < 0) return line_fail(p, "a hook needs kind=before, kind=after or kind=after-wait");
    if (failure < 0) return line_fail(p, "a hook needs failure=deny or failure=allow");
    if (transaction < 0) return line_fail(p, "a hook needs transaction=sync, transaction=allow or transaction=deny");
    hook->kind = (HookKind)kind;
    hook->allow_on_failure = failure == 1;
    hook->transaction = (HookTransaction)transaction;
    hook->command.sync = hook->transaction == HOOK_SYNC;
    hook->command.timeout = line_number(p, "timeout", 50, 1, 60000);
    hook->breaker = (int)line_number(p, "breaker", 10, 0, 1000);
    hook->breaker_ms = (int)line_number(p, "breaker-ms", 1000, 10, 600000);
    hook->sample = (int)line_number(p, "sample", SAMPLE_ALL, 1, SAMPLE_ALL);
    return !p->failed && parse_matcher(p, &hook->match);
}

/* ===== Rules ===== */

const char *const route_rule_actions[] = {"deny", "allow", "rename", "rate", "read-only", "size", NULL};
const char *const route_rule_pers[] = {"rule", "user", "prefix", NULL};

/* A plugin's rule has its plugin's name; the operator's stand before all plugins. */
static bool name_rule(Parser *p, RouteRule *rule) {
    RouteTable *t = p->table;
    rule->plugin = t->plugin_count ? t->plugins[t->plugin_count - 1].name : NULL;
    rule->name = line_text(p, "name", NULL);
    if (!line_has_name(rule->name, "._-")) return line_fail(p, "a rule needs name= of letters, digits and . _ -");
    for (const RouteRule *other = t->rules; other < rule; other++) {
        if (other->plugin == rule->plugin && strcasecmp(other->name, rule->name) == 0)
            return line_fail(p, "rule %s is listed twice", rule->name);
    }
    return true;
}

/* "AT:GLOB". */
static bool parse_argument(Parser *p, const char *text, RouteArgument *argument) {
    const char *colon = strchr(text, ':');
    long long at = RULE_ANY_ARGUMENT;
    char place[16] = "";
    if (colon && colon - text < (ptrdiff_t)sizeof(place)) memcpy(place, text, (size_t)(colon - text));
    if (!colon || (strcmp(place, "*") != 0 && !line_parse_number(place, -32768, 32767, &at)))
        return line_fail(p, "an argument to match is '%s', it must be a number or *, then : and a glob", text);
    *argument = (RouteArgument){.at = (int)at, .glob = colon + 1};
    return true;
}

static bool parse_arguments(Parser *p, RouteRule *rule) {
    const char *parts[LIST_MAX];
    int count = line_split(p, line_word(p, "args"), ',', parts, LIST_MAX);
    if (count < 0) return line_fail(p, "more than %d values in args=", LIST_MAX);
    rule->arguments = line_alloc(p->table, sizeof(*rule->arguments) * (size_t)(count + 1));
    for (int i = 0; i < count; i++) {
        if (!parse_argument(p, parts[i], &rule->arguments[rule->argument_count++])) return false;
    }
    return true;
}

/* It becomes a line of a reply: "CODE text". */
static bool parse_error(Parser *p, RouteRule *rule) {
    rule->error = line_text(p, "error", NULL);
    if (!rule->error) return true;
    size_t code = strspn(rule->error, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"), length = strlen(rule->error);
    if (code == 0 || rule->error[code] != ' ' || length > 200 || strpbrk(rule->error, "\r\n"))
        return line_fail(p,
                         "the error is '%.200s', it must be a CODE in capitals, a space and text, at most 200 bytes "
                         "in one line",
                         rule->error);
    return true;
}

static bool parse_rename(Parser *p, RouteRule *rule) {
    rule->to = line_text(p, "to", NULL);
    if (!line_has_name(rule->to, "._-"))
        return line_fail(p, "a rule that renames needs to= with the name of a command");
    for (int i = 0; i < rule->match.commands.count; i++) {
        const char *name = rule->match.commands.values[i];
        if (*name == '@' || strchr(name, '|'))
            return line_fail(p, "a rule that renames takes whole commands, not '%s'", name);
    }
    return rule->match.commands.count > 0 || line_fail(p, "a rule that renames must name commands");
}

static bool parse_rate(Parser *p, RouteRule *rule) {
    int per = line_word(p, "per") ? line_choice(p, "per", route_rule_pers) : PER_RULE;
    const char *separator = line_text(p, "separator", ":");
    rule->limit = line_number(p, "limit", 0, 1, 1000000);
    rule->interval = line_number(p, "interval", 1000, 1, 86400000);
    rule->burst = line_number(p, "burst", rule->limit, 1, 1000000);
    if (per < 0) return line_fail(p, "per= must be rule, user or prefix");
    if (!p->failed && rule->limit == 0) return line_fail(p, "a rule of a rate needs limit=");
    if (strlen(separator) != 1) return line_fail(p, "separator= is '%s', it must be one character", separator);
    rule->per = (RulePer)per;
    rule->separator = *separator;
    return !p->failed;
}

static bool parse_size(Parser *p, RouteRule *rule) {
    rule->max_bytes = line_number(p, "max-bytes", -1, 0, 1LL << 40);
    rule->max_arguments = line_number(p, "max-arguments", -1, 0, INT_MAX);
    if (p->failed) return false;
    return rule->max_bytes >= 0 || rule->max_arguments >= 0 ||
           line_fail(p, "a rule of sizes needs max-bytes= or max-arguments=");
}

/* What is there for another action would be passed by without a word. */
static bool options_fit(Parser *p, RuleAction action) {
    static const struct {
        const char *name;
        RuleAction action;
    } options[] = {{"to", RULE_RENAME},      {"limit", RULE_RATE},        {"interval", RULE_RATE},
                   {"burst", RULE_RATE},     {"per", RULE_RATE},          {"separator", RULE_RATE},
                   {"max-bytes", RULE_SIZE}, {"max-arguments", RULE_SIZE}};
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        if (options[i].action != action && line_word(p, options[i].name))
            return line_fail(p, "%s= is for rules with action=%s", options[i].name,
                             route_rule_actions[options[i].action]);
    }
    bool refuses = action != RULE_ALLOW && action != RULE_RENAME;
    return refuses || !line_word(p, "error") || line_fail(p, "error= is for rules that refuse");
}

bool route_parse_rule(Parser *p) {
    RouteTable *t = p->table;
    RouteRule *rule = line_append(t, (void **)&t->rules, &t->rule_count, sizeof(RouteRule));
    int action = line_choice(p, "action", route_rule_actions);
    if (!name_rule(p, rule)) return false;
    if (action < 0) return line_fail(p, "a rule needs action=deny, allow, rename, rate, read-only or size");
    rule->line = line_copy(t, p->text, p->text_length);
    rule->action = (RuleAction)action;
    rule->max_bytes = rule->max_arguments = -1;
    if (!options_fit(p, rule->action) || !parse_matcher(p, &rule->match) || !parse_arguments(p, rule) ||
        !parse_error(p, rule))
        return false;
    switch (rule->action) {
        case RULE_RENAME:
            return parse_rename(p, rule);
        case RULE_RATE:
            return parse_rate(p, rule);
        case RULE_SIZE:
            return parse_size(p, rule);
        default:
            return true;
    }
}
