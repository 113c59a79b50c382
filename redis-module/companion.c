/* ferrite-command.so: gives a plugin that was loaded after the server's start real commands, which the server accepts
 * only inside an OnLoad. ferrite.so loads it at run time, once per plugin and set of commands:
 *
 *     MODULE LOAD ferrite-command.so <plugin> <state-dir> <number>
 *
 * CONFIG REWRITE writes that line into redis.conf, often before ferrite.so's own, so OnLoad succeeds whatever is there:
 * it creates the plugin's commands that nobody has created yet. ferrite.so, loaded later, adopts them. The same file is
 * loaded many times; its statics are shared by all loads. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "companion.h"
#include "memory.h"
#include "register.h"
#include "route_file.h"
#include "server.h"

#define EXPORT __attribute__((visibility("default")))

typedef struct OwnName {
    struct OwnName *next;
    char name[];
} OwnName;

static OwnName *own_names;

static bool owns(const char *name) {
    for (const OwnName *own = own_names; own; own = own->next) {
        if (strcasecmp(own->name, name) == 0) return true;
    }
    return false;
}

static int Companion_RedisCommand(RedisModuleCtx *ctx, RedisModuleString **argv, int argc) {
    CompanionRun run = (CompanionRun)RedisModule_GetSharedAPI(ctx, COMPANION_RUN_API);
    if (run) return run(ctx, argv, argc);
    if (RedisModule_IsKeysPositionRequest(ctx)) return REDISMODULE_OK; /* there is no client to reply to */
    return RedisModule_ReplyWithError(ctx, "UNAVAILABLE ferrite.so is not loaded: add `loadmodule <path>/ferrite.so`");
}

static void remember(const char *name) {
    OwnName *own = memory_alloc(sizeof(OwnName) + strlen(name) + 1);
    strcpy(own->name, name);
    own->next = own_names;
    own_names = own;
}

static void create_commands(RedisModuleCtx *ctx, const char *plugin, const char *state_dir) {
    char error[512];
    bool absent;
    RouteTable *table = route_file_read_at_start(state_dir, &absent, error, sizeof(error));
    if (!table) {
        RedisModule_Log(ctx, "warning", "no commands for plugin %s: %s", plugin, error);
        return;
    }
    for (int i = 0; i < table->command_count; i++) {
        const RouteCommand *route = &table->commands[i];
        if (strcmp(route->plugin, plugin) != 0) continue;
        if (register_command(ctx, route, Companion_RedisCommand)) remember(route->name);
    }
    route_table_free(table);
}

/* RedisModule_Init wants the module's name and then looks the API up; the name is made of arguments, and reading those
 * takes the API. So this one function is looked up first, as RedisModule_Init does it. */
static void find_string_function(RedisModuleCtx *ctx) {
    int (*get_api)(const char *, void *) = (int (*)(const char *, void *))(uintptr_t)((void **)ctx)[0];
    get_api("RedisModule_StringPtrLen", (void *)&RedisModule_StringPtrLen);
}

EXPORT int RedisModule_OnLoad(RedisModuleCtx *ctx, RedisModuleString **argv, int argc) {
    char name[192] = "ferrite-command";
    const char *plugin = "";
    if (argc == 3) {
        find_string_function(ctx);
        plugin = RedisModule_StringPtrLen(argv[0], NULL);
        snprintf(name, sizeof(name), "ferrite:%.128s:%.16s", plugin, RedisModule_StringPtrLen(argv[2], NULL));
    }
    if (RedisModule_Init(ctx, name, 1, REDISMODULE_APIVER_1) != REDISMODULE_OK) return REDISMODULE_ERR;
    if (argc != 3) {
        RedisModule_Log(ctx, "warning", "ferrite-command.so is loaded by ferrite.so itself; load ferrite.so instead");
        return REDISMODULE_ERR;
    }
    /* Without this option a Valkey 9 replica cannot use diskless loading. */
    RedisModule_SetModuleOptions(ctx,
                                 REDISMODULE_OPTIONS_HANDLE_IO_ERRORS | REDISMODULE_OPTIONS_HANDLE_REPL_ASYNC_LOAD);
    create_commands(ctx, plugin, RedisModule_StringPtrLen(argv[1], NULL));
    RedisModule_ExportSharedAPI(ctx, COMPANION_OWNS_API, (void *)owns); /* the first load's stays */
    return REDISMODULE_OK;
}

/* Never: an ACL rule that names a command of a module that goes crashes the server. */
EXPORT int RedisModule_OnUnload(RedisModuleCtx *ctx) {
    (void)ctx;
    return REDISMODULE_ERR;
}
