#include "config.h"

#include <limits.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "memory.h"

enum { SOCKET_DIR_MAX = 80 }; /* sun_path has 108 bytes; "/ferrite-<pid>-<random>/s" takes up to 27 */

Config config;
const char *const config_log_levels[] = {"debug", "verbose", "notice", "warning", NULL};

static const char *host_modes[] = {"spawn", "external"};
static const char *permissions[] = {"no", "local", "yes"};
static const char *log_levels[] = {"debug", "verbose", "notice", "warning"};
static const int enum_values[] = {0, 1, 2, 3};

#define FIELD(member) offsetof(Config, member)
#define MIB (1LL << 20)
#define IMMUTABLE REDISMODULE_CONFIG_IMMUTABLE
#define MEMORY REDISMODULE_CONFIG_MEMORY

typedef struct StringSetting {
    const char *name;
    size_t field;
    const char *fallback;
    unsigned flags;
    RedisModuleString *value;
} StringSetting;

static StringSetting strings[] = {
    {"plugins-dir", FIELD(plugins_dir), "", IMMUTABLE, NULL}, /* "": ferrite/plugins in the server's folder */
    {"state-dir", FIELD(state_dir), "", IMMUTABLE, NULL},     /* "": `state` beside plugins-dir */
    {"node-path", FIELD(node_path), "", IMMUTABLE, NULL},     /* "": ferrite-host beside the module, else PATH */
    {"host-path", FIELD(host_path), "", IMMUTABLE, NULL},     /* "": ferrite-host, else ../lib/host/main.js */
    {"socket-dir", FIELD(socket_dir), "/tmp", IMMUTABLE, NULL},
    {"plugin-user", FIELD(plugin_user), "", REDISMODULE_CONFIG_DEFAULT, NULL}, /* "": made of the permissions */
};

static const struct NumericSetting {
    const char *name;
    size_t field;
    long long fallback, min, max;
    unsigned flags;
} numbers[] = {
    {"request-timeout", FIELD(request_timeout), 5000, 1, 86400000, 0},
    {"sync-timeout", FIELD(sync_timeout), 5, 1, 1000, 0},
    {"sync-budget", FIELD(sync_budget), 20, 1, 10000, 0},
    {"lane-buffer", FIELD(lane_buffer), 64 * MIB, MIB, 16384 * MIB, MEMORY},
    {"buffer-total", FIELD(buffer_total), 256 * MIB, MIB, 65536 * MIB, MEMORY},
    {"batch", FIELD(batch), 64, 1, 1024, 0},
    {"max-inflight", FIELD(max_inflight), 16384, 1, 1000000, 0},
    {"max-lanes", FIELD(max_lanes), 16, 2, 256, 0},
};

static const struct EnumSetting {
    const char *name;
    size_t field;
    int fallback;
    unsigned flags;
    const char **names;
    int count;
} enums[] = {
    {"host-mode", FIELD(host_mode), HOST_SPAWN, IMMUTABLE, host_modes, 2},
    {"enable-plugin-command", FIELD(enable_plugin_command), PERMISSION_LOCAL, IMMUTABLE, permissions, 3},
    {"log-level", FIELD(log_level), 2, 0, log_levels, 4},
};

static void *field_at(size_t offset) {
    return (char *)&config + offset;
}

/* ===== Accessors; privdata is the setting's entry ===== */

static RedisModuleString *get_string(const char *name, void *setting) {
    (void)name;
    return ((StringSetting *)setting)->value;
}

static int set_string(const char *name, RedisModuleString *value, void *privdata, RedisModuleString **error) {
    (void)name;
    StringSetting *setting = privdata;
    size_t length;
    const char *text = RedisModule_StringPtrLen(value, &length);
    size_t longest = setting->field == FIELD(socket_dir) ? SOCKET_DIR_MAX : PATH_MAX - 64;
    if (memchr(text, '\0', length) || strpbrk(text, "\r\n")) {
        *error = RedisModule_CreateStringPrintf(NULL, "ferrite.%s must not hold line breaks or NUL", setting->name);
        return REDISMODULE_ERR;
    }
    if (length > longest) {
        *error = RedisModule_CreateStringPrintf(NULL, "ferrite.%s is %zu bytes long, at most %zu are possible",
                                                setting->name, length, longest);
        return REDISMODULE_ERR;
    }
    if (setting->value) RedisModule_FreeString(NULL, setting->value);
    setting->value = RedisModule_CreateString(NULL, text, length);
    *(const char **)field_at(setting->field) = RedisModule_StringPtrLen(setting->value, NULL);
    return REDISMODULE_OK;
}

static long long get_number(const char *name, void *setting) {
    (void)name;
    return *(long long *)field_at(((const struct NumericSetting *)setting)->field);
}

static int set_number(const char *name, long long value, void *setting, RedisModuleString **error) {
    (void)name, (void)error;
    *(long long *)field_at(((const struct NumericSetting *)setting)->field) = value;
    return REDISMODULE_OK;
}

static int get_enum(const char *name, void *setting) {
    (void)name;
    return *(int *)field_at(((const struct EnumSetting *)setting)->field);
}

static int set_enum(const char *name, int value, void *setting, RedisModuleString **error) {
    (void)name, (void)error;
    *(int *)field_at(((const struct EnumSetting *)setting)->field) = value;
    return REDISMODULE_OK;
}

static int get_dynamic_commands(const char *name, void *privdata) {
    (void)name, (void)privdata;
    return config.dynamic_commands;
}

static int set_dynamic_commands(const char *name, int value, void *privdata, RedisModuleString **error) {
    (void)name, (void)privdata, (void)error;
    config.dynamic_commands = value;
    return REDISMODULE_OK;
}

/* ===== Folders: made absolute once, since CONFIG SET dir changes the working folder ===== */

static char plugins_dir[2 * PATH_MAX];
static char state_dir[2 * PATH_MAX];

static void make_absolute(char *path, size_t size, const char *name) {
    char folder[PATH_MAX];
    if (name[0] == '/' || !getcwd(folder, sizeof(folder))) {
        snprintf(path, size, "%s", name);
    } else {
        snprintf(path, size, "%s/%s", strcmp(folder, "/") == 0 ? "" : folder, name);
    }
    for (size_t length = strlen(path); length > 1 && path[length - 1] == '/';) path[--length] = '\0';
}

static void resolve_folders(void) {
    make_absolute(plugins_dir, sizeof(plugins_dir), *config.plugins_dir ? config.plugins_dir : "ferrite/plugins");
    if (*config.state_dir) {
        make_absolute(state_dir, sizeof(state_dir), config.state_dir);
    } else {
        int parent = (int)(strrchr(plugins_dir, '/') - plugins_dir);
        snprintf(state_dir, sizeof(state_dir), "%.*s/state", parent, plugins_dir);
    }
}

const char *config_plugins_dir(void) {
    return plugins_dir;
}

const char *config_state_dir(void) {
    return state_dir;
}

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

int config_load(RedisModuleCtx *ctx) {
    int refused = 0;
    for (size_t i = 0; i < COUNT_OF(strings); i++) {
        StringSetting *s = &strings[i];
        *(const char **)field_at(s->field) = s->fallback;
        refused |=
            RedisModule_RegisterStringConfig(ctx, s->name, s->fallback, s->flags, get_string, set_string, NULL, s);
    }
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        const struct NumericSetting *s = &numbers[i];
        refused |= RedisModule_RegisterNumericConfig(ctx, s->name, s->fallback, s->flags, s->min, s->max, get_number,
                                                     set_number, NULL, (void *)s);
    }
    for (size_t i = 0; i < COUNT_OF(enums); i++) {
        const struct EnumSetting *s = &enums[i];
        refused |= RedisModule_RegisterEnumConfig(ctx, s->name, s->fallback, s->flags, s->names, enum_values, s->count,
                                                  get_enum, set_enum, NULL, (void *)s);
    }
    refused |= RedisModule_RegisterBoolConfig(ctx, "dynamic-commands", 1, IMMUTABLE, get_dynamic_commands,
                                              set_dynamic_commands, NULL, NULL);
    if (refused || RedisModule_LoadConfigs(ctx) != REDISMODULE_OK) return REDISMODULE_ERR;
    resolve_folders();
    return REDISMODULE_OK;
}

void config_free(void) {
    for (size_t i = 0; i < COUNT_OF(strings); i++) {
        if (strings[i].value) RedisModule_FreeString(NULL, strings[i].value);
        strings[i].value = NULL;
        *(const char **)field_at(strings[i].field) = strings[i].fallback;
    }
}
