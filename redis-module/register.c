#include "register.h"

#include <stdio.h>
#include <string.h>

#include "keys.h"
#include "keys_api.h"
#include "memory.h"

static void fill_keys(const RouteCommand *route, RedisModuleCommandKeySpec *specs) {
    for (int i = 0; i < route->key_count; i++) {
        const RouteKey *key = &route->keys[i];
        RedisModuleCommandKeySpec *spec = &specs[i];
        spec->flags = key->flags;
        if (key->begin_keyword) {
            spec->begin_search_type = REDISMODULE_KSPEC_BS_KEYWORD;
            spec->bs.keyword.keyword = key->begin_keyword;
            spec->bs.keyword.startfrom = key->begin_at;
        } else {
            spec->begin_search_type = REDISMODULE_KSPEC_BS_INDEX;
            spec->bs.index.pos = key->begin_at;
        }
        if (key->numbered) {
            spec->find_keys_type = REDISMODULE_KSPEC_FK_KEYNUM;
            spec->fk.keynum.keynumidx = key->find[0];
            spec->fk.keynum.firstkey = key->find[1];
            spec->fk.keynum.keystep = key->find[2];
        } else {
            spec->find_keys_type = REDISMODULE_KSPEC_FK_RANGE;
            spec->fk.range.lastkey = key->find[0];
            spec->fk.range.keystep = key->find[1];
            spec->fk.range.limit = key->find[2];
        }
    }
}

static const RedisModuleCommandArgType arg_types[] = {
    [ARG_STRING] = REDISMODULE_ARG_TYPE_STRING,         [ARG_INTEGER] = REDISMODULE_ARG_TYPE_INTEGER,
    [ARG_DOUBLE] = REDISMODULE_ARG_TYPE_DOUBLE,         [ARG_KEY] = REDISMODULE_ARG_TYPE_KEY,
    [ARG_PATTERN] = REDISMODULE_ARG_TYPE_PATTERN,       [ARG_UNIX_TIME] = REDISMODULE_ARG_TYPE_UNIX_TIME,
    [ARG_PURE_TOKEN] = REDISMODULE_ARG_TYPE_PURE_TOKEN, [ARG_ONEOF] = REDISMODULE_ARG_TYPE_ONEOF,
    [ARG_BLOCK] = REDISMODULE_ARG_TYPE_BLOCK,
};

/* The lines of a command are its argument tree in preorder. Fills `out`, which has room for twice the lines (each list
 * ends with an empty item), from its front; returns the item after the last one used. */
static RedisModuleCommandArg *fill_args(const RouteCommand *route, int *line, int depth, RedisModuleCommandArg *out) {
    RedisModuleCommandArg *list = out;
    int count = 0;
    for (int i = *line; i < route->arg_count && route->args[i].depth >= depth; i++) {
        count += route->args[i].depth == depth;
    }
    out += count + 1;
    for (int n = 0; n < count; n++) {
        const RouteArg *arg = &route->args[(*line)++];
        list[n] = (RedisModuleCommandArg){.name = arg->name,
                                          .type = arg_types[arg->type],
                                          .key_spec_index = arg->key,
                                          .token = arg->token,
                                          .flags = arg->flags};
        if (*line < route->arg_count && route->args[*line].depth > depth) {
            list[n].subargs = out;
            out = fill_args(route, line, depth + 1, out);
        }
    }
    return out;
}

static bool set_info(RedisModuleCommand *registered, const RouteCommand *route) {
    size_t args_room = (size_t)route->arg_count * 2 + 1;
    RedisModuleCommandKeySpec *keys = memory_zalloc(sizeof(*keys) * (size_t)(route->key_count + 1));
    RedisModuleCommandArg *args = memory_zalloc(sizeof(*args) * args_room);
    int line = 0;
    fill_keys(route, keys);
    fill_args(route, &line, 0, args);
    RedisModuleCommandInfo info = {
        .version = REDISMODULE_COMMAND_INFO_VERSION,
        .summary = route->summary,
        .complexity = route->complexity,
        .since = route->since,
        .arity = route->arity,
        .key_specs = keys,
        .args = args,
    };
    bool ok = RedisModule_SetCommandInfo(registered, &info) == REDISMODULE_OK;
    memory_free(keys);
    memory_free(args);
    return ok;
}

/* ===== Creation ===== */

static void container_name(const RouteCommand *route, const char *bar, char name[ROUTE_NAME_MAX + 1]) {
    snprintf(name, ROUTE_NAME_MAX + 1, "%.*s", (int)(bar - route->name), route->name);
}

/* The container of a subcommand, made by the first of them. NULL when the name is taken by somebody else's command. */
static RedisModuleCommand *container_of(RedisModuleCtx *ctx, const RouteCommand *route, const char *bar) {
    char name[ROUTE_NAME_MAX + 1];
    container_name(route, bar, name);
    RedisModuleCommand *container = RedisModule_GetCommand(ctx, name); /* finds only this module's own */
    if (container) return container;
    if (RedisModule_CreateCommand(ctx, name, NULL, "", 0, 0, 0) != REDISMODULE_OK) return NULL;
    return RedisModule_GetCommand(ctx, name);
}

static bool create(RedisModuleCtx *ctx, const RouteCommand *route, RedisModuleCmdFunc function) {
    const char *bar = strchr(route->name, '|');
    char flags[ROUTE_FLAGS_MAX + 16];
    bool tells_keys = keys_need_search(route) && keys_api_is_safe(ctx);
    snprintf(flags, sizeof(flags), "%s%s", route->flags, tells_keys ? " getkeys-api" : "");
    if (!bar) return RedisModule_CreateCommand(ctx, route->name, function, flags, 0, 0, 0) == REDISMODULE_OK;
    RedisModuleCommand *container = container_of(ctx, route, bar);
    return container && RedisModule_CreateSubcommand(container, bar + 1, function, flags, 0, 0, 0) == REDISMODULE_OK;
}

bool register_command(RedisModuleCtx *ctx, const RouteCommand *route, RedisModuleCmdFunc function) {
    if (!create(ctx, route, function)) return false;
    RedisModuleCommand *command = RedisModule_GetCommand(ctx, route->name);
    if (!command || !set_info(command, route)) {
        RedisModule_Log(ctx, "warning", "command %s: the server refused its documentation and key specs", route->name);
    }
    if (command && *route->categories && RedisModule_SetCommandACLCategories &&
        RedisModule_SetCommandACLCategories(command, route->categories) != REDISMODULE_OK) {
        RedisModule_Log(ctx, "warning", "command %s: ACL categories '%s' refused", route->name, route->categories);
    }
    return true;
}
