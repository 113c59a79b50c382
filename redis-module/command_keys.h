/* The keys of a command as it stands in the words that a client sent, by what COMMAND says of it. */
#ifndef FERRITE_COMMAND_KEYS_H
#define FERRITE_COMMAND_KEYS_H

#include <stdbool.h>

#include "facts.h"
#include "server.h"

/* As RM_GetCommandKeysWithFlags, also of commands of which that tells nothing: NULL without keys; the caller frees both
 * (RedisModule_Free). */
int *command_keys_find(RedisModuleCtx *ctx, RedisModuleString **argv, int argc, int *count, int **flags);

/* Gets the keys one after the other until it returns true. */
typedef bool (*CommandKeyFunction)(const void *context, RedisModuleString *key);

/* True when `function` returned it for one of the keys. The number of words must fit the command. */
bool command_keys_any(const Facts *facts, RedisModuleString **argv, int argc, CommandKeyFunction function,
                      const void *context);

#endif
