/* The server's own settings, as CONFIG GET shows them. */
#ifndef FERRITE_SERVER_SETTING_H
#define FERRITE_SERVER_SETTING_H

#include "server.h"

/* A setting that is a number, in bytes if it is of memory. `unknown` when the server has no such setting or does not
 * tell (CONFIG can be renamed). Not from a descriptor's callback. */
long long server_setting(RedisModuleCtx *ctx, const char *name, long long unknown);

#endif
