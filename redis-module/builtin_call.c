#include <string.h>

#include "builtin.h"
#include "caller.h"
#include "command.h"
#include "start.h"

/* The keys of the called command, for ACL, cluster routing and client tracking. */
static void report_keys(RedisModuleCtx *ctx, const RouteCommand *route, int argc) {
    for (int i = 0; route && i < route->key_count; i++) {
        const RouteKey *key = &route->keys[i];
        if (key->begin_keyword || key->numbered) continue; /* refused below */
        int first = key->begin_at + 1, last = key->find[0] < 0 ? argc + key->find[0] : first + key->find[0];
        int step = key->find[1] > 0 ? key->find[1] : 1;
        for (int at = first; at <= last && at < argc; at += step) {
            RedisModule_KeyAtPosWithFlags(ctx, at, (int)key->flags);
        }
    }
}

static bool has_searched_keys(const RouteCommand *route) {
    for (int i = 0; i < route->key_count; i++) {
        if (route->keys[i].begin_keyword || route->keys[i].numbered) return true;
    }
    return false;
}

static bool right_arity(const RouteCommand *route, int argc) {
    return route->arity >= 0 ? argc == route->arity : argc >= -route->arity;
}

/* A command that has its own name too is subject to the rules for that name. One that has none yet has no rules that
 * could keep anybody from it, so that what only administrators may run waits for its name. */
static bool caller_may_run(RedisModuleCtx *ctx, const Command *command, RedisModuleString **argv, int argc) {
    if (!command->registered) {
        return !strstr(command->route->categories, "admin") && !strstr(command->route->categories, "dangerous");
    }
    RedisModuleString *name = caller_user(ctx);
    if (!name) return true; /* another module, which answers for it */
    RedisModuleUser *user = RedisModule_GetModuleUserFromUserName(name);
    bool may = user && RedisModule_ACLCheckCommandPermissions(user, argv, argc) == REDISMODULE_OK;
    if (user) RedisModule_FreeModuleUser(user);
    RedisModule_FreeString(ctx, name);
    return may;
}

int Call_RedisCommand(RedisModuleCtx *ctx, RedisModuleString **argv, int argc) {
    Command *command = argc >= 2 ? command_of_arguments(argv + 1, argc - 1) : NULL;
    if (RedisModule_IsKeysPositionRequest(ctx)) {
        report_keys(ctx, command ? command->route : NULL, argc);
        return REDISMODULE_OK;
    }
    if (argc < 2) return RedisModule_WrongArity(ctx);
    if (!command || !command->route) {
        return RedisModule_ReplyWithError(ctx, "ERR no plugin has a command of that name (FERRITE.PLUGIN LIST)");
    }
    if (command->builtin || has_searched_keys(command->route)) {
        return RedisModule_ReplyWithError(ctx, "ERR this command cannot be run through FERRITE.CALL");
    }
    if (!right_arity(command->route, argc - 1)) return RedisModule_WrongArity(ctx);
    if (!caller_may_run(ctx, command, argv + 1, argc - 1)) {
        return RedisModule_ReplyWithError(ctx, "NOPERM you have no permission to run this command");
    }
    return start_request(ctx, command, argv + 1, argc - 1);
}
