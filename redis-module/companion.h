/* How ferrite.so and its companion find each other, in whatever order the server loads them (CONFIG REWRITE lists them
 * in any): each exports one function under a name. */
#ifndef FERRITE_COMPANION_H
#define FERRITE_COMPANION_H

#include <stdbool.h>

#include "server.h"

/* Exported by the companion: true if it has created the command. */
#define COMPANION_OWNS_API "ferrite_companion_owns"
typedef bool (*CompanionOwns)(const char *name);

/* Exported by ferrite.so: what a plugin command runs. */
#define COMPANION_RUN_API "ferrite_run_command"
typedef int (*CompanionRun)(RedisModuleCtx *ctx, RedisModuleString **argv, int argc);

#endif
