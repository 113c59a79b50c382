/* Whether commands may tell their keys by a callback (the flag getkeys-api of RM_CreateCommand).
 *
 * The server opens an execution unit around that callback, which only its main thread may. Redis 8.6 and Valkey in a
 * cluster look for keys in their I/O threads, too: with one such command and `io-threads` above 1 they crash, or stop
 * to propagate writes. */
#ifndef FERRITE_KEYS_API_H
#define FERRITE_KEYS_API_H

#include <stdbool.h>

#include "server.h"

/* Only inside an OnLoad; the first answer holds. Where it is not safe there is a line in the log. */
bool keys_api_is_safe(RedisModuleCtx *ctx);

/* A setting of the server has changed: sets `io-threads`, which Valkey 9 takes at run time, back to 1 when commands
 * have the callback already. */
void keys_api_setting_changed(RedisModuleCtx *ctx);

#endif
