#include "keys_api.h"

#include <stdio.h>

#include "server_setting.h"

static enum { NOT_ASKED, SAFE, UNSAFE } answer; /* of the first command; SAFE: commands have the callback */

/* Redis up to 8.0 reads and writes in its I/O threads and does no more there. */
static bool looks_for_keys_in_threads(RedisModuleCtx *ctx) {
    RedisModuleServerInfoData *info = RedisModule_GetServerInfo(ctx, "server");
    if (!info) return true;
    bool is_valkey = RedisModule_ServerInfoGetFieldC(info, "valkey_version") != NULL;
    const char *version = RedisModule_ServerInfoGetFieldC(info, "redis_version");
    int major = 0, minor = 0;
    bool is_old = version && sscanf(version, "%d.%d", &major, &minor) == 2 && (major < 8 || (major == 8 && minor == 0));
    RedisModule_FreeServerInfo(ctx, info);
    if (is_valkey) return RedisModule_GetContextFlags(NULL) & REDISMODULE_CTX_FLAGS_CLUSTER;
    return !is_old;
}

static bool has_threads(RedisModuleCtx *ctx) {
    return server_setting(ctx, "io-threads", 2) > 1;
}

bool keys_api_is_safe(RedisModuleCtx *ctx) {
    if (answer != NOT_ASKED) return answer == SAFE;
    answer = looks_for_keys_in_threads(ctx) && has_threads(ctx) ? UNSAFE : SAFE;
    if (answer == SAFE) return true;
    RedisModule_Log(ctx, "notice",
                    "with io-threads above 1 this server does not find all keys of FERRITE.CALL and of commands with "
                    "counted or optional keys: for redirections in a cluster, ACL rules and client tracking only those "
                    "at fixed places count; what plugins read and write is checked as ever");
    return false;
}

void keys_api_setting_changed(RedisModuleCtx *ctx) {
    if (answer != SAFE || !looks_for_keys_in_threads(ctx) || !has_threads(ctx)) return;
    RedisModuleCallReply *reply = RedisModule_Call(ctx, "CONFIG", "cccE", "SET", "io-threads", "1");
    if (reply) RedisModule_FreeCallReply(reply);
    RedisModule_Log(ctx, "warning",
                    "io-threads is set back to 1: with more, this server would crash when it looks for the keys of "
                    "plugins' commands; set it in the configuration file and start the server again");
}
