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

/* Writes "MOVED slot host:port" (or TRYAGAIN, when its owner is not known) for the first key of the command into
 * `error` (CALL_ERROR_SIZE bytes). False when the command has no key. */
bool cluster_redirect(RedisModuleCtx *ctx, const struct Arguments *arguments, char *error);

#endif
