#include "denial.h"

#include <string.h>

#include "command_keys.h"

enum {
    KEY_RIGHTS = REDISMODULE_CMD_KEY_ACCESS | REDISMODULE_CMD_KEY_UPDATE | REDISMODULE_CMD_KEY_INSERT |
                 REDISMODULE_CMD_KEY_DELETE
};

/* The first key that the user has not the rights to, or NULL: then the command is what was denied. */
static RedisModuleString *denied_key(RedisModuleCtx *ctx, RedisModuleUser *user, RedisModuleString **argv, int argc) {
    int count = 0, *flags = NULL;
    int *positions = command_keys_find(ctx, argv, argc, &count, &flags);
    RedisModuleString *denied = NULL;
    for (int i = 0; positions && i < count && !denied; i++) {
        RedisModuleString *key = argv[positions[i]];
        if (RedisModule_ACLCheckKeyPermissions(user, key, flags[i] & KEY_RIGHTS) != REDISMODULE_OK) denied = key;
    }
    RedisModule_Free(positions);
    RedisModule_Free(flags);
    return denied;
}

void denial_log(RedisModuleCtx *ctx, RedisModuleUser *user, const char *name, RedisModuleString **argv, int argc) {
    RedisModuleString *key = denied_key(ctx, user, argv, argc);
    if (key) {
        RedisModule_ACLAddLogEntry(ctx, user, key, REDISMODULE_ACL_LOG_KEY);
        return;
    }
    RedisModuleString *command = RedisModule_CreateString(NULL, name, strlen(name));
    RedisModule_ACLAddLogEntry(ctx, user, command, REDISMODULE_ACL_LOG_CMD);
    RedisModule_FreeString(NULL, command);
}
