#include "command.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "companion.h"
#include "config.h"
#include "hooks.h"
#include "keys.h"
#include "log.h"
#include "memory.h"
#include "module.h"
#include "plugin_user.h"
#include "register.h"
#include "start.h"
#include "route_file.h"

Command *command_list;

static RouteTable *routes;       /* in force */
static RedisModuleDict *by_name; /* lower-case name, "session|get" too -> Command */
static Command *last_found;      /* as a rule the next one too */

const RouteTable *command_routes(void) {
    return routes;
}

/* ===== Finding ===== */

static size_t lower(char *to, const char *from, size_t length) {
    for (size_t i = 0; i < length; i++) to[i] = from[i] >= 'A' && from[i] <= 'Z' ? (char)(from[i] + 32) : from[i];
    return length;
}

Command *command_named(const char *name, size_t length) {
    char key[ROUTE_NAME_MAX + 1];
    if (length > ROUTE_NAME_MAX || !by_name) return NULL;
    lower(key, name, length);
    key[length] = '\0';
    if (last_found && memcmp(key, last_found->name, length + 1) == 0) return last_found;
    Command *found = RedisModule_DictGetC(by_name, key, length, NULL);
    if (found) last_found = found;
    return found;
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

bool command_is_hook(const Command *command) {
    return strncmp(command->name, "hook ", 5) == 0; /* no command has a space in its name */
}

int command_words(const Command *command) {
    if (command_is_hook(command)) return 0;
    return strchr(command->name, '|') ? 2 : 1;
}

/* ===== The route table ===== */

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

static Command *route_to(const RouteCommand *route) {
    Command *command = command_named(route->name, strlen(route->name));
    if (!command) command = command_make(route->name);
    command->route = route;
    return command;
}

static void take_over(RouteTable *table) {
    for (Command *command = command_list; command; command = command->next) {
        if (!command->builtin) command->route = NULL;
        command->hook = NULL;
    }
    for (int i = 0; i < table->command_count; i++) {
        route_to(&table->commands[i]);
    }
    for (int i = 0; i < table->hook_count; i++) {
        Command *command = route_to(&table->hooks[i].command);
        command->hook = &table->hooks[i];
        command->registered = true; /* no command of the server's */
    }
    route_table_free(routes);
    routes = table;
    plugin_user_forget();
    hooks_changed();
}

bool command_read_routes(char *error, size_t error_size) {
    bool absent;
    RouteTable *table = route_file_read(config_state_dir(), &absent, error, error_size);
    if (table) take_over(table);
    return table || absent;
}

void command_read_routes_at_start(void) {
    char error[1024];
    bool absent;
    RouteTable *table = route_file_read_at_start(config_state_dir(), &absent, error, sizeof(error));
    if (table) take_over(table);
    if (table && *error) {
        log_line(LOG_WARNING, "route table not read, its backup is used until the host writes it anew: %s", error);
    } else if (!table && !absent) {
        log_line(
            LOG_WARNING,
            "route table not read, no plugin command is there until the host or `ferrite build` writes it anew: %s",
            error);
    }
}

/* ===== Keys ===== */

static const char *word_at(const void *words, int index, size_t *length) {
    return RedisModule_StringPtrLen(((RedisModuleString *const *)words)[index], length);
}

typedef struct KeysRequest {
    RedisModuleCtx *ctx;
    int words_before;
} KeysRequest;

static void tell_key(void *context, int position, const RouteKey *key) {
    const KeysRequest *request = context;
    int flags = (int)(key->flags & ~(uint64_t)ROUTE_KEY_INCOMPLETE); /* that is of the spec, not of the key */
    RedisModule_KeyAtPosWithFlags(request->ctx, request->words_before + position, flags);
}

void command_tell_keys(RedisModuleCtx *ctx, RedisModuleString **argv, int argc, int words_before) {
    const Command *command =
        argc > words_before ? command_of_arguments(argv + words_before, argc - words_before) : NULL;
    if (!command || !command->route) return;
    CallWords words = {.at = word_at, .words = argv + words_before, .count = argc - words_before};
    keys_find(command->route, &words, tell_key, &(KeysRequest){.ctx = ctx, .words_before = words_before});
}

/* ===== Registration during OnLoad ===== */

int Plugin_RedisCommand(RedisModuleCtx *ctx, RedisModuleString **argv, int argc) {
    if (RedisModule_IsKeysPositionRequest(ctx)) {
        command_tell_keys(ctx, argv, argc, 0);
        return REDISMODULE_OK;
    }
    Command *command = command_of_arguments(argv, argc);
    if (command && command->route) return start_request(ctx, command, argv, argc);
    return RedisModule_ReplyWithError(ctx, command ? "ERR this command's plugin is not installed any more"
                                                   : "ERR unknown subcommand of a plugin's command");
}

/* True if a companion, loaded before this module, has made the command (companion.h). */
static bool made_by_companion(RedisModuleCtx *ctx, const char *name) {
    CompanionOwns owns = (CompanionOwns)RedisModule_GetSharedAPI(ctx, COMPANION_OWNS_API);
    return owns && owns(name);
}

void command_register_all(RedisModuleCtx *ctx) {
    for (int i = 0; routes && i < routes->command_count; i++) {
        const RouteCommand *route = &routes->commands[i];
        Command *command = command_named(route->name, strlen(route->name));
        if (command->registered) continue;
        command->registered = register_command(ctx, route, Plugin_RedisCommand) || made_by_companion(ctx, route->name);
        if (command->registered) continue;
        log_line(LOG_WARNING, "command %s of plugin %s not created: the server or another module has one of that name",
                 route->name, route->plugin);
    }
}

/* ===== Commands that come after OnLoad: through a companion ===== */

static bool is_missing(const Command *command, const char *plugin) {
    return !command->registered && command->route && strcmp(command->route->plugin, plugin) == 0;
}

bool command_is_missing(const char *plugin) {
    for (const Command *command = command_list; command; command = command->next) {
        if (is_missing(command, plugin)) return true;
    }
    return false;
}

bool command_comes_too_late(const Command *command) {
    const char *bar = strchr(command->name, '|');
    if (command->registered || !bar) return false;
    size_t length = (size_t)(bar - command->name) + 1;
    for (const Command *other = command_list; other; other = other->next) {
        if (other->registered && strncmp(other->name, command->name, length) == 0) return true;
    }
    return false;
}

static bool any_can_come(const char *plugin) {
    for (const Command *command = command_list; command; command = command->next) {
        if (is_missing(command, plugin) && !command_comes_too_late(command)) return true;
    }
    return false;
}

/* One companion per plugin and set of commands; the arguments go to redis.conf with CONFIG REWRITE. Their number is of
 * the clock: those that a redis.conf brought along have numbers of earlier runs. */
static bool load_companion(RedisModuleCtx *ctx, const char *plugin, char *error, size_t error_size) {
    char path[PATH_MAX + 32], number[24];
    static uint64_t last;
    uint64_t now = clock_milliseconds();
    last = now > last ? now : last + 1;
    snprintf(path, sizeof(path), "%s/ferrite-command.so", module_folder);
    snprintf(number, sizeof(number), "%" PRIx64, last);
    RedisModuleCallReply *reply =
        RedisModule_Call(ctx, "MODULE", "cccccE", "LOAD", path, plugin, config_state_dir(), number);
    bool ok = reply && RedisModule_CallReplyType(reply) != REDISMODULE_REPLY_ERROR;
    if (!ok) {
        size_t length = 0;
        const char *text = reply ? RedisModule_CallReplyStringPtr(reply, &length) : NULL;
        snprintf(error, error_size, "MODULE LOAD %s failed: %.*s", path, (int)length, text ? text : "");
    }
    if (reply) RedisModule_FreeCallReply(reply);
    return ok;
}

bool command_register_later(RedisModuleCtx *ctx, const char *plugin, char *error, size_t error_size) {
    if (!config.dynamic_commands) {
        snprintf(error, error_size,
                 "ferrite.dynamic-commands is no: it is there after the next start of the server, until "
                 "then through FERRITE.CALL");
        return false;
    }
    if (any_can_come(plugin) && !load_companion(ctx, plugin, error, error_size)) return false;
    bool all = true;
    for (Command *command = command_list; command; command = command->next) {
        if (!is_missing(command, plugin)) continue;
        command->registered = made_by_companion(ctx, command->route->name);
        all &= command->registered;
    }
    if (!all) snprintf(error, error_size, "the server or another module has a command of that name");
    return all;
}

void command_reply_error(RedisModuleCtx *ctx, Command *command, const char *code_and_text) {
    command->failed++;
    RedisModule_ReplyWithError(ctx, code_and_text);
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

void command_explain(const char *plugin, const char *reason) {
    for (Command *command = command_list; command; command = command->next) {
        if (command->lane || !command->route || strcmp(command->route->plugin, plugin) != 0) continue;
        memory_free(command->down_reason);
        command->down_reason = memory_copy_string(reason, strlen(reason));
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
    by_name = NULL;
    last_found = NULL;
    route_table_free(routes);
    routes = NULL;
}
