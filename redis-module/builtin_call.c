#include <stdio.h>
#include <string.h>

#include "builtin.h"
#include "caller.h"
#include "command.h"
#include "denial.h"
#include "facts.h"
#include "start.h"

static bool right_arity(const RouteCommand *route, int argc) {
    return route->arity >= 0 ? argc == route->arity : argc >= -route->arity;
}

/* As for its own name. */
static int reply_wrong_arity(RedisModuleCtx *ctx, const Command *command) {
    char error[ROUTE_NAME_MAX + 64];
    snprintf(error, sizeof(error), "ERR wrong number of arguments for '%s' command", command->route->name);
    return RedisModule_ReplyWithError(ctx, error);
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
    if (user && !may) denial_log(ctx, user, command->route->name, argv, argc);
    if (user) RedisModule_FreeModuleUser(user);
    RedisModule_FreeString(ctx, name);
    return may;
}

/* Hooks see what the server calls by its name: not what stands behind FERRITE.CALL. */
static bool has_hooks(RedisModuleString **argv, int argc) {
    const Facts *facts = facts_of(argv[0], argc > 1 ? argv[1] : NULL);
    return facts && facts_hooked(facts);
}

int Call_RedisCommand(RedisModuleCtx *ctx, RedisModuleString **argv, int argc) {
    if (RedisModule_IsKeysPositionRequest(ctx)) {
        command_tell_keys(ctx, argv, argc, 1);
        return REDISMODULE_OK;
    }
    if (argc < 2) return RedisModule_WrongArity(ctx);
    Command *command = command_of_arguments(argv + 1, argc - 1);
    if (!command || !command->route) {
        return RedisModule_ReplyWithError(ctx, "ERR no plugin has a command of that name (FERRITE.PLUGIN LIST)");
    }
    if (command->builtin || command->hook) {
        return RedisModule_ReplyWithError(ctx, "ERR this command cannot be run through FERRITE.CALL");
    }
    if (has_hooks(argv + 1, argc - 1)) {
        return RedisModule_ReplyWithError(ctx, "ERR a hook is for this command: call it by its own name");
    }
    if (!right_arity(command->route, argc - 1)) return reply_wrong_arity(ctx, command);
    if (!caller_may_run(ctx, command, argv + 1, argc - 1)) {
        return RedisModule_ReplyWithError(ctx, "NOPERM you have no permission to run this command");
    }
    return start_request(ctx, command, argv + 1, argc - 1);
}
