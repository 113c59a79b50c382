#include <strings.h>

#include "builtin.h"
#include "command.h"
#include "plugins.h"
#include "start.h"

static Command *plugin_command;

static int reply_plugins_without_host(RedisModuleCtx *ctx) {
    const RouteTable *table = command_routes();
    int count = table ? table->plugin_count : 0;
    RedisModule_ReplyWithArray(ctx, count);
    for (int i = 0; i < count; i++) {
        RedisModule_ReplyWithMap(ctx, 4);
        const char *const pairs[] = {"name",  table->plugins[i].name, "version", table->plugins[i].version,
                                     "state", "unavailable",          "reason",  plugins_down_reason()};
        for (int p = 0; p < 8; p++) RedisModule_ReplyWithCString(ctx, pairs[p]);
    }
    return REDISMODULE_OK;
}

int PluginAdmin_RedisCommand(RedisModuleCtx *ctx, RedisModuleString **argv, int argc) {
    if (argc < 2) return RedisModule_WrongArity(ctx);
    bool is_list = strcasecmp(RedisModule_StringPtrLen(argv[1], NULL), "LIST") == 0;
    if (!plugin_command->lane && is_list) return reply_plugins_without_host(ctx);
    return start_request(ctx, plugin_command, argv, argc);
}

void builtin_plugin_prepare(void) {
    static const RouteCommand route = {
        .plugin = "ferrite", .name = "FERRITE.PLUGIN", .flags = "admin", .categories = "", .arity = -2, .sync = true};
    plugin_command = command_builtin(&route);
}
