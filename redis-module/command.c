#include "command.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "config.h"
#include "log.h"
#include "memory.h"
#include "module.h"
#include "plugin_user.h"
#include "request.h"

Command *command_list;

static RouteTable *routes;          /* in force */
static RedisModuleDict *by_name;    /* lower-case name, "session|get" too -> Command */
static RedisModuleDict *containers; /* "session" of "session|get" -> non-NULL */

const RouteTable *command_routes(void) {
    return routes;
}

/* ===== Finding ===== */

static size_t lower(char *to, const char *from, size_t length) {
    for (size_t i = 0; i < length; i++) to[i] = from[i] >= 'A' && from[i] <= 'Z' ? (char)(from[i] + 32) : from[i];
    return length;
}

Command *command_named(const char *name, size_t length) {
    char key[ROUTE_NAME_MAX];
    if (length > sizeof(key) || !by_name) return NULL;
    return RedisModule_DictGetC(by_name, key, lower(key, name, length), NULL);
}

Command *command_of_arguments(RedisModuleString **argv, int argc) {
    size_t length;
    const char *name = RedisModule_StringPtrLen(argv[0], &length);
    Command *command = command_named(name, length);
    if (command || argc < 2 || length >= ROUTE_NAME_MAX) return command;
    char key[2 * ROUTE_NAME_MAX];
    lower(key, name, length);
    key[length++] = '|';
    size_t more;
    const char *subcommand = RedisModule_StringPtrLen(argv[1], &more);
    if (length + more > ROUTE_NAME_MAX) return NULL;
    lower(key + length, subcommand, more);
    return RedisModule_DictGetC(by_name, key, length + more, NULL);
}

int command_words(const Command *command) {
    return strchr(command->name, '|') ? 2 : 1;
}

/* ===== The route table ===== */

static char *read_file(const char *path, size_t *length, char *error, size_t error_size) {
    FILE *file = fopen(path, "re");
    if (!file) {
        snprintf(error, error_size, "%s: %s", path, strerror(errno));
        return NULL;
    }
    char *text = NULL;
    size_t room = 0;
    *length = 0;
    for (;;) {
        if (room - *length < 4096) text = memory_realloc(text, room = room * 2 + 16384);
        size_t got = fread(text + *length, 1, room - *length, file);
        if (got == 0) break;
        *length += got;
    }
    bool failed = ferror(file);
    fclose(file);
    if (!failed) return text;
    snprintf(error, error_size, "%s: cannot be read", path);
    memory_free(text);
    return NULL;
}

static Command *command_make(const char *name) {
    Command *command = memory_zalloc(sizeof(Command));
    if (!by_name) by_name = RedisModule_CreateDict(NULL);
    command->name[lower(command->name, name, strlen(name))] = '\0';
    command->next = command_list;
    command_list = command;
    RedisModule_DictSetC(by_name, command->name, strlen(command->name), command);
    return command;
}

Command *command_builtin(const RouteCommand *route) {
    Command *command = command_make(route->name);
    command->route = route;
    command->builtin = command->registered = true;
    return command;
}

static void take_over(RouteTable *table) {
    for (Command *command = command_list; command; command = command->next) {
        if (!command->builtin) command->route = NULL;
    }
    for (int i = 0; i < table->command_count; i++) {
        const RouteCommand *route = &table->commands[i];
        Command *command = command_named(route->name, strlen(route->name));
        if (!command) command = command_make(route->name);
        command->route = route;
    }
    route_table_free(routes);
    routes = table;
    plugin_user_forget();
}

bool command_read_routes(char *error, size_t error_size) {
    char path[8192], problem[160];
    size_t length;
    snprintf(path, sizeof(path), "%s/routes", config_state_dir());
    char *text = read_file(path, &length, error, error_size);
    if (!text) return errno == ENOENT;
    RouteTable *table = route_table_parse(text, length, problem, sizeof(problem));
    memory_free(text);
    if (!table) {
        snprintf(error, error_size, "%s: %s", path, problem);
        return false;
    }
    take_over(table);
    return true;
}

/* ===== Registration ===== */

static int Plugin_RedisCommand(RedisModuleCtx *ctx, RedisModuleString **argv, int argc) {
    Command *command = command_of_arguments(argv, argc);
    if (command && command->route) return request_start(ctx, command, argv, argc);
    return RedisModule_ReplyWithError(ctx, command ? "ERR this command's plugin is not installed any more"
                                                   : "ERR unknown subcommand of a plugin's command");
}

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

static RedisModuleCommand *container_of(RedisModuleCtx *ctx, const Command *command, const char *bar) {
    char name[ROUTE_NAME_MAX + 1];
    snprintf(name, sizeof(name), "%.*s", (int)(bar - command->route->name), command->route->name);
    char key[ROUTE_NAME_MAX + 1];
    size_t length = lower(key, name, strlen(name));
    if (!containers) containers = RedisModule_CreateDict(NULL);
    bool exists = RedisModule_DictGetC(containers, key, length, NULL) != NULL;
    if (!exists && RedisModule_CreateCommand(ctx, name, NULL, "", 0, 0, 0) != REDISMODULE_OK) return NULL;
    RedisModule_DictReplaceC(containers, key, length, (void *)1);
    return RedisModule_GetCommand(ctx, name);
}

static bool create(RedisModuleCtx *ctx, Command *command) {
    const RouteCommand *route = command->route;
    const char *bar = strchr(route->name, '|');
    if (!bar)
        return RedisModule_CreateCommand(ctx, route->name, Plugin_RedisCommand, route->flags, 0, 0, 0) ==
               REDISMODULE_OK;
    RedisModuleCommand *container = container_of(ctx, command, bar);
    return container && RedisModule_CreateSubcommand(container, bar + 1, Plugin_RedisCommand, route->flags, 0, 0, 0) ==
                            REDISMODULE_OK;
}

static void register_one(RedisModuleCtx *ctx, Command *command) {
    const RouteCommand *route = command->route;
    if (!create(ctx, command)) {
        log_line(LOG_WARNING, "command %s of plugin %s not created: the server or another module has one of that name",
                 route->name, route->plugin);
        return;
    }
    command->registered = true;
    RedisModuleCommand *registered = RedisModule_GetCommand(ctx, route->name);
    if (!registered || !set_info(registered, route)) {
        log_line(LOG_WARNING, "command %s: the server refused its documentation and key specs", route->name);
    }
    if (*route->categories && RedisModule_SetCommandACLCategories &&
        RedisModule_SetCommandACLCategories(registered, route->categories) != REDISMODULE_OK) {
        log_line(LOG_WARNING, "command %s: ACL categories '%s' refused", route->name, route->categories);
    }
}

void command_register_all(RedisModuleCtx *ctx) {
    for (int i = 0; routes && i < routes->command_count; i++) {
        Command *command = command_named(routes->commands[i].name, strlen(routes->commands[i].name));
        if (!command->registered) register_one(ctx, command);
    }
}

/* ===== Lanes ===== */

void command_attach(Command *command, Lane *lane, uint16_t code) {
    command->lane = lane;
    command->code = code;
    memory_free(command->down_reason);
    command->down_reason = NULL;
}

void command_detach(Lane *lane, const char *plugin, const char *reason) {
    for (Command *command = command_list; command; command = command->next) {
        if (lane && command->lane != lane) continue;
        if (plugin && (!command->route || strcmp(command->route->plugin, plugin) != 0)) continue;
        command->lane = NULL;
        memory_free(command->down_reason);
        command->down_reason = reason ? memory_copy_string(reason, strlen(reason)) : NULL;
    }
}

void command_free_all(void) {
    while (command_list) {
        Command *command = command_list;
        command_list = command->next;
        memory_free(command->down_reason);
        memory_free(command);
    }
    if (by_name) RedisModule_FreeDict(NULL, by_name);
    if (containers) RedisModule_FreeDict(NULL, containers);
    by_name = containers = NULL;
    route_table_free(routes);
    routes = NULL;
}
