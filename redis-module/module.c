/* Ferrite: plugins for stock Redis and Valkey, run by a host process of Node.js.
 *
 * OnLoad, in this order: the server is looked at, configuration and route table are read, commands created; only after
 * the last step that can fail come those that cannot be undone (sockets in the event loop, subscriptions, the host). */
#include "module.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bridge.h"
#include "builtin.h"
#include "call.h"
#include "caller.h"
#include "capacity.h"
#include "command.h"
#include "companion.h"
#include "config.h"
#include "deadline.h"
#include "events.h"
#include "guard.h"
#include "hooks.h"
#include "host.h"
#include "info.h"
#include "keys_api.h"
#include "listener.h"
#include "log.h"
#include "plugin_user.h"
#include "reads.h"
#include "request.h"
#include "rule_file.h"
#include "server_events.h"
#include "wake.h"

#define EXPORT __attribute__((visibility("default")))

RedisModuleCtx *module_context;
char module_folder[PATH_MAX];
char server_product[16];
char server_version[32];
static bool stays; /* the load call is over: the server cannot take the module back any more */

uint64_t clock_microseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

uint64_t clock_milliseconds(void) {
    return (uint64_t)RedisModule_Milliseconds();
}

uint64_t clock_command_milliseconds(void) {
    if (!RedisModule_CachedMicroseconds) return clock_milliseconds(); /* Redis 7.0 */
    return (uint64_t)RedisModule_CachedMicroseconds() / 1000;
}

static bool loop_timer_set;

static void on_loop_timer(RedisModuleCtx *ctx, void *data) {
    (void)ctx, (void)data;
    loop_timer_set = false;
}

void loop_soon(void) {
    if (loop_timer_set) return;
    loop_timer_set = true;
    RedisModule_CreateTimer(module_context, 1, on_loop_timer, NULL);
}

/* ===== What the server tells ===== */

static void on_loop(RedisModuleCtx *ctx, RedisModuleEvent event, uint64_t subevent, void *data) {
    (void)event, (void)data;
    if (subevent != REDISMODULE_SUBEVENT_EVENTLOOP_BEFORE_SLEEP) return;
    if (!stays) {
        stays = true;
        host_start();
    }
    bridge_before_sleep(ctx);
}

static void on_cron(RedisModuleCtx *ctx, RedisModuleEvent event, uint64_t subevent, void *data) {
    (void)ctx, (void)event, (void)subevent;
    if (!stays) return; /* a tick right after MODULE LOAD: the loop starts the host, which is not to be started twice */
    bridge_cron(((RedisModuleCronLoop *)data)->hz);
}

static void on_role(RedisModuleCtx *ctx, RedisModuleEvent event, uint64_t subevent, void *data) {
    (void)ctx, (void)event, (void)subevent, (void)data;
    bridge_state_changed();
    server_events_role();
}

static void on_loading(RedisModuleCtx *ctx, RedisModuleEvent event, uint64_t subevent, void *data) {
    (void)ctx, (void)event, (void)data;
    bridge_state_changed();
    server_events_loading(subevent);
}

static void on_shutdown(RedisModuleCtx *ctx, RedisModuleEvent event, uint64_t subevent, void *data) {
    (void)ctx, (void)event, (void)subevent, (void)data;
    server_events_shutdown();
    bridge_stop();
    host_stop();
}

static void on_config_change(RedisModuleCtx *ctx, RedisModuleEvent event, uint64_t subevent, void *data) {
    (void)event, (void)subevent;
    capacity_read_maxmemory();
    bridge_settings_changed();
    keys_api_setting_changed(ctx);
    server_events_config(data);
}

static void on_module_change(RedisModuleCtx *ctx, RedisModuleEvent event, uint64_t subevent, void *data) {
    (void)ctx, (void)event, (void)subevent, (void)data;
    call_commands_changed();
    caller_modules_changed();
    hooks_commands_changed();
}

static void subscribe(RedisModuleCtx *ctx) {
    RedisModule_SubscribeToServerEvent(ctx, RedisModuleEvent_EventLoop, on_loop);
    RedisModule_SubscribeToServerEvent(ctx, RedisModuleEvent_CronLoop, on_cron);
    RedisModule_SubscribeToServerEvent(ctx, RedisModuleEvent_ReplicationRoleChanged, on_role);
    RedisModule_SubscribeToServerEvent(ctx, RedisModuleEvent_Loading, on_loading);
    RedisModule_SubscribeToServerEvent(ctx, RedisModuleEvent_Shutdown, on_shutdown);
    RedisModule_SubscribeToServerEvent(ctx, RedisModuleEvent_Config, on_config_change);
    RedisModule_SubscribeToServerEvent(ctx, RedisModuleEvent_ModuleChange, on_module_change);
}

/* ===== OnLoad ===== */

/* The first of `INFO server`'s fields that is there: Valkey has redis_version too, for compatibility. */
static void read_server_version(RedisModuleCtx *ctx) {
    static const char *const fields[][2] = {{"valkey_version", "valkey"}, {"redis_version", "redis"}};
    RedisModuleServerInfoData *info = RedisModule_GetServerInfo(ctx, "server");
    for (int i = 0; i < 2 && !*server_product; i++) {
        const char *version = info ? RedisModule_ServerInfoGetFieldC(info, fields[i][0]) : NULL;
        if (!version) continue;
        snprintf(server_product, sizeof(server_product), "%s", fields[i][1]);
        snprintf(server_version, sizeof(server_version), "%s", version);
    }
    if (info) RedisModule_FreeServerInfo(ctx, info);
}

static void find_folder(void) {
    Dl_info info;
    char path[PATH_MAX];
    if (dladdr((void *)find_folder, &info) == 0 || !realpath(info.dli_fname, path)) strcpy(path, "./ferrite.so");
    char *slash = strrchr(path, '/');
    *slash = '\0';
    strcpy(module_folder, path);
}

/* Redis 7.0 is the oldest server: what came with it is what cannot be done without. */
static int check_server(RedisModuleCtx *ctx) {
    if (RedisModule_EventLoopAdd && RedisModule_SetCommandInfo && RedisModule_RegisterNumericConfig &&
        RedisModule_SetContextUser) {
        return REDISMODULE_OK;
    }
    RedisModule_Log(ctx, "warning", "this server is too old: Ferrite needs Redis 7.0.6 or Valkey 7.2 or newer");
    return REDISMODULE_ERR;
}

static void free_all(void) {
    hooks_free();
    request_free_all();
    reads_free_all();
    wake_free_all();
    deadline_free_all();
    guard_free_all();
    command_free_all();
    rule_file_free();
    plugin_user_forget();
    call_commands_changed();
    config_free();
    if (module_context) RedisModule_FreeThreadSafeContext(module_context);
    module_context = NULL;
}

static int give_up(void) {
    free_all();
    return REDISMODULE_ERR;
}

EXPORT int RedisModule_OnLoad(RedisModuleCtx *ctx, RedisModuleString **argv, int argc) {
    (void)argv;
    if (RedisModule_Init(ctx, "ferrite", FERRITE_VERSION_NUMBER, REDISMODULE_APIVER_1) != REDISMODULE_OK) {
        return REDISMODULE_ERR;
    }
    if (check_server(ctx) != REDISMODULE_OK) return REDISMODULE_ERR;
    module_context = RedisModule_GetDetachedThreadSafeContext(ctx);
    if (argc > 0) {
        RedisModule_Log(ctx, "warning",
                        "ferrite.so takes no arguments: write lines `ferrite.<name> <value>` instead, or "
                        "MODULE LOADEX ferrite.so CONFIG ferrite.<name> <value>");
        return give_up();
    }
    RedisModule_SetModuleOptions(ctx,
                                 REDISMODULE_OPTIONS_HANDLE_IO_ERRORS | REDISMODULE_OPTIONS_HANDLE_REPL_ASYNC_LOAD);
    find_folder();
    read_server_version(ctx);
    if (config_load(ctx) != REDISMODULE_OK) return give_up();
    char error[512];
    command_read_routes_at_start();
    if (!rule_file_read(error, sizeof(error))) {
        log_line(LOG_WARNING,
                 "the rules are not known, without them commands could pass that must not: %s. Put the file "
                 "right, or remove it and add the rules anew with FERRITE.RULE",
                 error);
        return give_up();
    }
    if (builtin_register(ctx) != REDISMODULE_OK || info_register(ctx) != REDISMODULE_OK) return give_up();
    RedisModule_ExportSharedAPI(ctx, COMPANION_RUN_API, (void *)Plugin_RedisCommand);
    command_register_all(ctx);
    if (!listener_open(error, sizeof(error))) {
        log_line(LOG_WARNING, "%s", error);
        return give_up();
    }
    capacity_read_maxmemory();
    hooks_load(ctx);
    subscribe(ctx);
    bridge_state_changed();
    return REDISMODULE_OK;
}

/* Refused once the module serves: the server crashes when ACL rules name commands of a module that goes. The server
 * also asks while it undoes a MODULE LOADEX with a wrong configuration name: then everything is taken down. */
EXPORT int RedisModule_OnUnload(RedisModuleCtx *ctx) {
    (void)ctx;
    if (stays) return REDISMODULE_ERR;
    bridge_stop();
    free_all();
    return REDISMODULE_OK;
}
