#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "breaker.h"
#include "builtin.h"
#include "command.h"
#include "hooks.h"
#include "plugins.h"
#include "wrapper.h"

enum { NAME_PREFIX = 5 }; /* "hook " */

/* "<plugin>/<hook>", as FERRITE.HOOK takes it. */
static const char *public_name(const Command *hook) {
    return hook->hook->command.name + NAME_PREFIX;
}

static int count_hooks(void) {
    int count = 0;
    for (const Command *command = command_list; command; command = command->next) count += command->hook != NULL;
    return count;
}

static void reply_text(RedisModuleCtx *ctx, const char *name, const char *value) {
    RedisModule_ReplyWithCString(ctx, name);
    RedisModule_ReplyWithCString(ctx, value);
}

static void reply_number(RedisModuleCtx *ctx, const char *name, uint64_t value) {
    RedisModule_ReplyWithCString(ctx, name);
    RedisModule_ReplyWithLongLong(ctx, (long long)value);
}

static void reply_words(RedisModuleCtx *ctx, const char *name, const RouteWords *words) {
    RedisModule_ReplyWithCString(ctx, name);
    RedisModule_ReplyWithArray(ctx, words->count);
    for (int i = 0; i < words->count; i++) RedisModule_ReplyWithCString(ctx, words->values[i]);
}

static const char *const kinds[] = {"before", "after", "after-wait"};

static const char *state_of(const Command *hook) {
    if (hooks_problem()) return hooks_problem();
    if (hook->hook->kind != HOOK_BEFORE && !wrapper_any())
        return "after hooks need io-threads 1 in a cluster of Valkey and on Redis 8.2 or newer";
    if (hook->lane) return "up";
    return hook->down_reason ? hook->down_reason : plugins_down_reason();
}

static int reply_list(RedisModuleCtx *ctx) {
    RedisModule_ReplyWithArray(ctx, count_hooks());
    for (const Command *hook = command_list; hook; hook = hook->next) {
        if (!hook->hook) continue;
        RedisModule_ReplyWithMap(ctx, 7);
        reply_text(ctx, "name", public_name(hook));
        reply_text(ctx, "kind", kinds[hook->hook->kind]);
        reply_text(ctx, "state", state_of(hook));
        reply_number(ctx, "asked", hook->calls);
        reply_number(ctx, "denied", hook->refused);
        reply_number(ctx, "failed", hook->failed);
        reply_number(ctx, "p50-us", histogram_percentile(&hook->latency, 50));
    }
    return REDISMODULE_OK;
}

static int reply_info(RedisModuleCtx *ctx, const Command *hook) {
    static const char *const transactions[] = {"sync", "allow", "deny"};
    const RouteHook *route = hook->hook;
    RedisModule_ReplyWithMap(ctx, 24);
    reply_text(ctx, "name", public_name(hook));
    reply_text(ctx, "plugin", route->command.plugin);
    reply_text(ctx, "kind", kinds[route->kind]);
    reply_text(ctx, "state", state_of(hook));
    reply_words(ctx, "commands", &route->match.commands);
    reply_words(ctx, "keys", &route->match.keys);
    reply_words(ctx, "users", &route->match.users);
    RedisModule_ReplyWithCString(ctx, "databases");
    RedisModule_ReplyWithArray(ctx, route->match.db_count);
    for (int i = 0; i < route->match.db_count; i++) RedisModule_ReplyWithLongLong(ctx, route->match.dbs[i]);
    RedisModule_ReplyWithCString(ctx, "priority");
    RedisModule_ReplyWithLongLong(ctx, route->match.priority);
    reply_number(ctx, "timeout-ms", (uint64_t)route->command.timeout);
    reply_text(ctx, "on-failure", route->allow_on_failure ? "allow" : "deny");
    reply_text(ctx, "in-transaction", transactions[route->transaction]);
    RedisModule_ReplyWithCString(ctx, "sample");
    RedisModule_ReplyWithDouble(ctx, (double)route->sample / SAMPLE_ALL);
    reply_text(ctx, "breaker", breaker_state(hook));
    reply_number(ctx, "breaker-trips", hook->trips);
    reply_number(ctx, "asked", hook->calls);
    reply_number(ctx, "asked-sync", hook->sync_calls);
    reply_number(ctx, "denied", hook->refused);
    reply_number(ctx, "failed", hook->failed);
    reply_number(ctx, "timeouts", hook->timeouts);
    reply_number(ctx, "overloaded", hook->overloaded);
    reply_number(ctx, "p50-us", histogram_percentile(&hook->latency, 50));
    reply_number(ctx, "p99-us", histogram_percentile(&hook->latency, 99));
    reply_number(ctx, "max-us", hook->latency.max);
    return REDISMODULE_OK;
}

static Command *hook_named(RedisModuleString *word) {
    char name[ROUTE_NAME_MAX + 1];
    int length = snprintf(name, sizeof(name), "hook %s", RedisModule_StringPtrLen(word, NULL));
    Command *hook = length < (int)sizeof(name) ? command_named(name, (size_t)length) : NULL;
    return hook && hook->hook ? hook : NULL;
}

static int reply_no_hook(RedisModuleCtx *ctx, RedisModuleString *word) {
    char error[160];
    snprintf(error, sizeof(error), "ERR no hook '%.64s': expected <plugin>/<hook>, FERRITE.HOOK LIST has them",
             RedisModule_StringPtrLen(word, NULL));
    return RedisModule_ReplyWithError(ctx, error);
}

static void reset(Command *hook) {
    hook->calls = hook->refused = hook->failed = hook->timeouts = hook->overloaded = hook->sync_calls = 0;
    memset(&hook->latency, 0, sizeof(hook->latency));
    breaker_reset(hook);
}

static int reset_all(RedisModuleCtx *ctx) {
    for (Command *command = command_list; command; command = command->next) {
        if (command->hook) reset(command);
    }
    return RedisModule_ReplyWithSimpleString(ctx, "OK");
}

static bool is_word(RedisModuleString *given, const char *word) {
    return strcasecmp(RedisModule_StringPtrLen(given, NULL), word) == 0;
}

int Hook_RedisCommand(RedisModuleCtx *ctx, RedisModuleString **argv, int argc) {
    if (argc == 2 && is_word(argv[1], "LIST")) return reply_list(ctx);
    if (argc == 2 && is_word(argv[1], "RESET")) return reset_all(ctx);
    bool is_info = argc == 3 && is_word(argv[1], "INFO"), is_reset = argc == 3 && is_word(argv[1], "RESET");
    if (!is_info && !is_reset) {
        return RedisModule_ReplyWithError(ctx, "ERR expected FERRITE.HOOK LIST, INFO <plugin>/<hook> or "
                                               "RESET [<plugin>/<hook>]");
    }
    Command *hook = hook_named(argv[2]);
    if (!hook) return reply_no_hook(ctx, argv[2]);
    if (is_info) return reply_info(ctx, hook);
    reset(hook);
    return RedisModule_ReplyWithSimpleString(ctx, "OK");
}
