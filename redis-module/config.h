/* The module's configuration, `ferrite.*` in redis.conf, CONFIG GET/SET, MODULE LOADEX. What names a program or a
 * folder is immutable: a CONFIG SET of it would be code execution for any user with CONFIG rights. */
#ifndef FERRITE_CONFIG_H
#define FERRITE_CONFIG_H

#include <stdbool.h>

#include "server.h"

typedef enum HostMode { HOST_SPAWN, HOST_EXTERNAL } HostMode;
typedef enum Permission { PERMISSION_NO, PERMISSION_LOCAL, PERMISSION_YES } Permission;

typedef struct Config {
    /* immutable; never NULL, "" means the default that config.c documents */
    const char *plugins_dir;
    const char *state_dir;
    const char *node_path;
    const char *host_path;
    const char *socket_dir;
    HostMode host_mode;
    Permission enable_plugin_command;
    bool dynamic_commands;
    /* mutable */
    const char *plugin_user;
    long long request_timeout; /* ms */
    long long sync_timeout;    /* ms */
    long long sync_budget;     /* ms per EXEC or script */
    long long lane_buffer;     /* bytes */
    long long buffer_total;    /* bytes */
    long long batch;           /* guarded requests of a key in one batch */
    long long max_inflight;    /* per lane */
    long long max_lanes;
    int log_level; /* 0 debug .. 3 warning, in the order of config_log_levels */
} Config;

extern Config config;
extern const char *const config_log_levels[];

/* Registers and loads all of it; REDISMODULE_ERR (logged by the server) when a value is refused. */
int config_load(RedisModuleCtx *ctx);

/* plugins-dir and state-dir with their defaults applied, absolute. */
const char *config_plugins_dir(void);
const char *config_state_dir(void);

void config_free(void);

#endif
