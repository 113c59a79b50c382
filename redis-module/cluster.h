/* Cluster: hash slots, and the redirection that a module must write itself when a slot has moved while a request was
 * pending (RM_Call then only says that the key is not local). */
#ifndef FERRITE_CLUSTER_H
#define FERRITE_CLUSTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server.h"

struct Arguments;

enum { CLUSTER_SLOTS = 16384 };

/* CRC16 (XMODEM) of the hash tag, or of the whole key, modulo 16384. Source: the Redis Cluster specification. */
uint32_t cluster_slot(const char *key, size_t length);

bool cluster_enabled(void);

/* Writes "MOVED slot host:port" (or TRYAGAIN, when its owner is not known) for the first key of the command into
 * `error` (CALL_ERROR_SIZE bytes). False when the command has no key. */
bool cluster_redirect(RedisModuleCtx *ctx, const struct Arguments *arguments, char *error);

/* A short tag whose hash slot is that of `key`, so that a private name can live in the same slot. */
void cluster_tag(const char *key, size_t length, char tag[16]);

#endif
