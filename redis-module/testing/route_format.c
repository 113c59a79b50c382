#include "route_format.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void put_text(Buffer *out, const char *text) {
    buffer_put(out, text, strlen(text));
}

static void put_format(Buffer *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void put_format(Buffer *out, const char *format, ...) {
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    put_text(out, text);
}

static void put_encoded(Buffer *out, const char *bytes, size_t length) {
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)bytes[i];
        if (c > 32 && c < 127 && !strchr("%,=:", c))
            buffer_put_u8(out, c);
        else
            put_format(out, "%%%02X", c);
    }
}

static void put_value(Buffer *out, const char *name, const char *text) {
    if (!text) return;
    put_format(out, " %s=", name);
    put_encoded(out, text, strlen(text));
}

/* The words of "a b c" as "name=a,b,c". */
static void put_list(Buffer *out, const char *name, const char *words) {
    put_format(out, " %s=", name);
    for (const char *c = words; *c; c++) buffer_put_u8(out, *c == ' ' ? ',' : (uint8_t)*c);
}

static void put_names(Buffer *out, const char *name, uint64_t bits, const char *const *names) {
    const char *separator = "";
    if (bits) put_format(out, " %s=", name);
    for (int i = 0; names[i]; i++) {
        if (!(bits >> i & 1)) continue;
        put_format(out, "%s%s", separator, names[i]);
        separator = ",";
    }
}

static void put_key(Buffer *out, const RouteKey *key) {
    static const char *const flags[] = {"RO",     "RW",     "OW",      "RM",         "access",         "update",
                                        "insert", "delete", "not_key", "incomplete", "variable_flags", NULL};
    put_text(out, "key");
    put_names(out, "flags", key->flags, flags);
    if (key->begin_keyword) {
        put_text(out, " begin=keyword:");
        put_encoded(out, key->begin_keyword, strlen(key->begin_keyword));
        put_format(out, ":%d", key->begin_at);
    } else {
        put_format(out, " begin=index:%d", key->begin_at);
    }
    put_format(out, " find=%s:%d:%d:%d\n", key->numbered ? "keynum" : "range", key->find[0], key->find[1],
               key->find[2]);
}

static void put_arg(Buffer *out, const RouteArg *arg) {
    static const char *const types[] = {"string",    "integer",    "double", "key",  "pattern",
                                        "unix-time", "pure-token", "oneof",  "block"};
    static const char *const flags[] = {"optional", "multiple", "multiple_token", NULL};
    put_format(out, "arg depth=%d", arg->depth);
    put_value(out, "name", arg->name);
    put_value(out, "type", types[arg->type]);
    put_value(out, "token", arg->token);
    put_names(out, "flags", (uint64_t)arg->flags, flags);
    if (arg->least > 1) put_format(out, " least=%d", arg->least);
    if (arg->key >= 0) put_format(out, " key=%d", arg->key);
    put_text(out, "\n");
}

static void put_read(Buffer *out, const RouteRead *read) {
    put_text(out, "read");
    for (int i = 0; i < read->count; i++) {
        const ReadWord *word = &read->words[i];
        switch (word->kind) {
            case READ_LITERAL:
                put_text(out, " lit=");
                put_encoded(out, word->literal, word->length);
                break;
            case READ_ARGUMENT:
                put_format(out, " arg=%d", word->first);
                break;
            case READ_KEY:
                put_format(out, " key=%d", word->first);
                break;
            case READ_KEYS:
                put_format(out, " keys=%d:%d", word->first, word->last);
                break;
        }
    }
    put_text(out, "\n");
}

static void put_command(Buffer *out, const RouteCommand *command) {
    put_text(out, "command");
    put_value(out, "name", command->name);
    put_format(out, " arity=%d", command->arity);
    put_list(out, "flags", command->flags);
    put_list(out, "categories", command->categories);
    put_format(out, " transaction=%s timeout=%lld retry=%d\n", command->sync ? "sync" : "refuse", command->timeout,
               command->retry);
    if (command->summary || command->since || command->complexity) {
        put_text(out, "doc");
        put_value(out, "summary", command->summary);
        put_value(out, "since", command->since);
        put_value(out, "complexity", command->complexity);
        put_text(out, "\n");
    }
    for (int i = 0; i < command->key_count; i++) put_key(out, &command->keys[i]);
    for (int i = 0; i < command->arg_count; i++) put_arg(out, &command->args[i]);
    for (int i = 0; i < command->read_count; i++) put_read(out, &command->reads[i]);
}

static void put_words(Buffer *out, const char *name, const RouteWords *words) {
    put_format(out, " %s=", name);
    for (int i = 0; i < words->count; i++) {
        if (i) put_text(out, ",");
        put_encoded(out, words->values[i], strlen(words->values[i]));
    }
}

static void put_matcher(Buffer *out, const RouteMatcher *match) {
    put_words(out, "commands", &match->commands);
    put_words(out, "keys", &match->keys);
    put_words(out, "users", &match->users);
    put_text(out, " dbs=");
    for (int i = 0; i < match->db_count; i++) put_format(out, "%s%d", i ? "," : "", match->dbs[i]);
    put_format(out, " priority=%d", match->priority);
}

static void put_hook(Buffer *out, const RouteHook *hook) {
    static const char *const transactions[] = {"sync", "allow", "deny"};
    static const char *const kinds[] = {"before", "after", "after-wait"};
    put_text(out, "hook");
    put_value(out, "name", hook->name);
    put_format(out, " kind=%s", kinds[hook->kind]);
    put_matcher(out, &hook->match);
    put_format(out, " timeout=%lld failure=%s transaction=%s", hook->command.timeout,
               hook->allow_on_failure ? "allow" : "deny", transactions[hook->transaction]);
    if (hook->breaker != 10) put_format(out, " breaker=%d", hook->breaker);
    if (hook->breaker_ms != 1000) put_format(out, " breaker-ms=%d", hook->breaker_ms);
    if (hook->sample != SAMPLE_ALL) put_format(out, " sample=%d", hook->sample);
    put_text(out, "\n");
}

static void put_rule(Buffer *out, const RouteRule *rule) {
    put_text(out, "rule");
    put_value(out, "name", rule->name);
    put_format(out, " action=%s", route_rule_actions[rule->action]);
    put_matcher(out, &rule->match);
    for (int i = 0; i < rule->argument_count; i++) {
        const RouteArgument *argument = &rule->arguments[i];
        put_text(out, i ? "," : " args=");
        if (argument->at == RULE_ANY_ARGUMENT)
            put_text(out, "*:");
        else
            put_format(out, "%d:", argument->at);
        put_encoded(out, argument->glob, strlen(argument->glob));
    }
    put_value(out, "error", rule->error);
    put_value(out, "to", rule->to);
    if (rule->action == RULE_RATE) {
        put_format(out, " limit=%lld interval=%lld burst=%lld per=%s separator=%%%02X", rule->limit, rule->interval,
                   rule->burst, route_rule_pers[rule->per], (unsigned char)rule->separator);
    }
    if (rule->max_bytes >= 0) put_format(out, " max-bytes=%lld", rule->max_bytes);
    if (rule->max_arguments >= 0) put_format(out, " max-arguments=%lld", rule->max_arguments);
    put_text(out, "\n");
}

void route_format(const RouteTable *table, Buffer *out) {
    size_t begun = buffer_length(out);
    put_text(out, "ferrite-routes 1\n");
    int next = 0, next_hook = 0, next_rule = 0;
    while (next_rule < table->rule_count && !table->rules[next_rule].plugin) put_rule(out, &table->rules[next_rule++]);
    for (int i = 0; i < table->plugin_count; i++) {
        const RoutePlugin *plugin = &table->plugins[i];
        put_text(out, "plugin");
        put_value(out, "name", plugin->name);
        put_value(out, "version", plugin->version);
        put_value(out, "acl", plugin->acl);
        put_text(out, "\n");
        /* A command points at the name of its plugin, which tells two plugins of one name apart. */
        while (next < table->command_count && table->commands[next].plugin == plugin->name) {
            put_command(out, &table->commands[next++]);
        }
        while (next_hook < table->hook_count && table->hooks[next_hook].command.plugin == plugin->name) {
            put_hook(out, &table->hooks[next_hook++]);
        }
        while (next_rule < table->rule_count && table->rules[next_rule].plugin == plugin->name) {
            put_rule(out, &table->rules[next_rule++]);
        }
    }
    int lines = 0;
    const uint8_t *text = buffer_front(out) + begun;
    for (size_t i = 0; i < buffer_length(out) - begun; i++) lines += text[i] == '\n';
    put_format(out, "end %d\n", lines);
}
