#include "builtin.h"

#include <stdio.h>
#include <string.h>

#include "info.h"
#include "keys_api.h"

static int Help_RedisCommand(RedisModuleCtx *ctx, RedisModuleString **argv, int argc);

static const struct OwnCommand {
    const char *name;
    RedisModuleCmdFunc function;
    const char *flags, *categories, *summary, *usage;
    int arity;
} own_commands[] = {
    {"FERRITE.HELP", Help_RedisCommand, "fast allow-loading allow-stale", "fast", "Lists Ferrite's own commands",
     "FERRITE.HELP -- this text", 1},
    {"FERRITE.INFO", Info_RedisCommand, "readonly allow-loading allow-stale", "", "Returns figures of bridge and host",
     "FERRITE.INFO -- figures of bridge and host, as a map (also: INFO ferrite)", 1},
    {"FERRITE.PING", Ping_RedisCommand, "allow-loading allow-stale", "", "Measures the round trip to each lane",
     "FERRITE.PING -- round trip to each lane of the host in microseconds (null: no answer within 1 s)", 1},
    {"FERRITE.CALL", Call_RedisCommand, "write deny-oom getkeys-api", "write",
     "Runs a plugin command that has no name of its own yet",
     "FERRITE.CALL <command> [arg ...] -- runs a plugin's command that has no name of its own in the server yet", -2},
    {"FERRITE.EMIT", Emit_RedisCommand, "allow-stale", "write", "Tells plugins of an event",
     "FERRITE.EMIT <event> [payload] -- tells the plugins that listen, with a string; replies how many they are", -2},
    {"FERRITE.HOOK", Hook_RedisCommand, "admin allow-loading allow-stale", "admin dangerous",
     "Lists and describes hooks of commands",
     "FERRITE.HOOK LIST | INFO <plugin>/<hook> | RESET [<plugin>/<hook>] -- the hooks of commands, and their figures",
     -2},
    {"FERRITE.RULE", Rule_RedisCommand, "admin deny-script allow-loading allow-stale", "admin dangerous",
     "Adds, deletes and lists rules for commands",
     "FERRITE.RULE ADD <name> DENY|ALLOW|RENAME|RATE|READ-ONLY|SIZE [COMMAND c] [KEY glob] [USER u] [DB n] [ARG place "
     "glob] [ERROR text] [PRIORITY n] [TO c] [LIMIT n] [INTERVAL ms] [BURST n] [PER RULE|USER|PREFIX] [SEPARATOR c] "
     "[MAXBYTES n] [MAXARGS n] | DEL <name> | LIST -- what commands may do, decided without a plugin",
     -2},
    {"FERRITE.PLUGIN", PluginAdmin_RedisCommand, "admin", "admin dangerous", "Lists and describes plugins",
     "FERRITE.PLUGIN LIST | INFO <name> | HELP -- the plugins and their state", -2},
};
enum { OWN_COUNT = sizeof(own_commands) / sizeof(own_commands[0]) };

static int Help_RedisCommand(RedisModuleCtx *ctx, RedisModuleString **argv, int argc) {
    (void)argv;
    if (argc != 1) return RedisModule_WrongArity(ctx);
    RedisModule_ReplyWithArray(ctx, OWN_COUNT);
    for (int i = 0; i < OWN_COUNT; i++) RedisModule_ReplyWithSimpleString(ctx, own_commands[i].usage);
    return REDISMODULE_OK;
}

int builtin_register(RedisModuleCtx *ctx) {
    for (int i = 0; i < OWN_COUNT; i++) {
        const struct OwnCommand *own = &own_commands[i];
        char flags[64];
        const char *callback = strstr(own->flags, " getkeys-api"); /* the last of the flags */
        size_t length = callback && !keys_api_is_safe(ctx) ? (size_t)(callback - own->flags) : strlen(own->flags);
        snprintf(flags, sizeof(flags), "%.*s", (int)length, own->flags);
        if (RedisModule_CreateCommand(ctx, own->name, own->function, flags, 0, 0, 0) != REDISMODULE_OK) {
            return REDISMODULE_ERR;
        }
        RedisModuleCommand *command = RedisModule_GetCommand(ctx, own->name);
        RedisModuleCommandInfo info = {.version = REDISMODULE_COMMAND_INFO_VERSION,
                                       .summary = own->summary,
                                       .since = "0.1.0",
                                       .arity = own->arity};
        RedisModule_SetCommandInfo(command, &info);
        if (RedisModule_SetCommandACLCategories && *own->categories) {
            RedisModule_SetCommandACLCategories(command, own->categories);
        }
    }
    builtin_plugin_prepare();
    return REDISMODULE_OK;
}
