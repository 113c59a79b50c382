#include "plugin_user.h"

#include <stdio.h>
#include <string.h>

#include "call.h"
#include "command.h"
#include "config.h"
#include "log.h"
#include "memory.h"

static RedisModuleDict *users; /* plugin name -> RedisModuleUser */

void plugin_user_forget(void) {
    if (!users) return;
    RedisModuleDictIter *at = RedisModule_DictIteratorStartC(users, "^", NULL, 0);
    void *user;
    while (RedisModule_DictNextC(at, NULL, &user)) RedisModule_FreeModuleUser(user);
    RedisModule_DictIteratorStop(at);
    RedisModule_FreeDict(NULL, users);
    users = NULL;
}

static const char *rules_of(Slice plugin) {
    const RouteTable *table = command_routes();
    for (int i = 0; table && i < table->plugin_count; i++) {
        const RoutePlugin *p = &table->plugins[i];
        if (strlen(p->name) == plugin.length && memcmp(p->name, plugin.bytes, plugin.length) == 0) return p->acl;
    }
    return "";
}

static void apply_rules(RedisModuleUser *user, const char *plugin, const char *rules) {
    RedisModule_SetModuleUserACL(user, "on");
    char *copy = memory_copy_string(rules, strlen(rules));
    for (char *rest = copy, *rule; (rule = strsep(&rest, " "));) {
        if (*rule && RedisModule_SetModuleUserACL(user, rule) != REDISMODULE_OK) {
            log_line(LOG_WARNING, "plugin %s: its permission '%s' is not an ACL rule of this server, not granted",
                     plugin, rule);
        }
    }
    memory_free(copy);
}

static RedisModuleUser *own_user(Slice plugin) {
    if (!users) users = RedisModule_CreateDict(NULL);
    RedisModuleUser *user = RedisModule_DictGetC(users, (void *)plugin.bytes, plugin.length, NULL);
    if (user) return user;
    char name[160];
    snprintf(name, sizeof(name), "ferrite:%.*s", (int)(plugin.length < 128 ? plugin.length : 128), plugin.bytes);
    user = RedisModule_CreateModuleUser(name);
    apply_rules(user, name + strlen("ferrite:"), rules_of(plugin));
    RedisModule_DictSetC(users, (void *)plugin.bytes, plugin.length, user);
    return user;
}

RedisModuleUser *plugin_user(Slice plugin, bool *owned, char *error) {
    *owned = false;
    if (!*config.plugin_user) return own_user(plugin);
    RedisModuleString *name = RedisModule_CreateString(NULL, config.plugin_user, strlen(config.plugin_user));
    RedisModuleUser *user = RedisModule_GetModuleUserFromUserName(name);
    RedisModule_FreeString(NULL, name);
    *owned = true;
    if (!user)
        snprintf(error, CALL_ERROR_SIZE, "NOPERM ferrite.plugin-user '%.64s' does not exist", config.plugin_user);
    return user;
}
