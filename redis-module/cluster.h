/* Cluster: the redirection that a module must write itself when a slot has moved while a request was
 * pending (RM_Call then only says that the key is not local). */
#ifndef FERRITE_CLUSTER_H
#define FERRITE_CLUSTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server.h"
#include "slot.h"

struct Arguments;

bool cluster_enabled(void);

enum { NO_KEYS = -1, SEVERAL_SLOTS = -2 };

/* The hash slot of the keys of a command, or one of the above. */
int cluster_slot_of_keys(RedisModuleCtx *ctx, const struct Arguments *arguments);

/* True where CLUSTER SLOTS, SHARDS, NODES and REPLICAS, called by a module, can take the server down. */
bool cluster_crashes_when_asked(void);

/* Around a call that may run a script, on such a server: CLUSTER SLOTS inside is an error of the script. NULL
 * elsewhere. */
RedisModuleCommandFilter *cluster_guard_script(RedisModuleCtx *ctx);
void cluster_unguard_script(RedisModuleCtx *ctx, RedisModuleCommandFilter *guard);

/* True, with the error, for a command of several slots that must not even be tried: Valkey 9 would refuse later calls
 * of other commands for it. */
bool cluster_refuses_slots(RedisModuleCtx *ctx, const struct Arguments *arguments, char *error);

/* Writes "MOVED slot host:port" for the keys of the command into `error` (CALL_ERROR_SIZE bytes); CROSSSLOT when they
 * are of several slots; TRYAGAIN when the slot is on its way or its owner cannot be asked for: the client's next try is
 * redirected by the server itself. False when the command has no key. */
bool cluster_redirect(RedisModuleCtx *ctx, const struct Arguments *arguments, char *error);

#endif
