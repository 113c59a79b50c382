/* Who stands behind a command: a client, a script's client, or a call of another module. The id of the context's client
 * does not tell: such calls run with clients from a pool, which may still have the id of a client that they stood for
 * earlier. */
#ifndef FERRITE_CALLER_H
#define FERRITE_CALLER_H

#include <stdbool.h>
#include <stdint.h>

#include "server.h"

typedef struct CommandCaller {
    uint64_t client_id;
    RedisModuleString *user; /* NULL: not known */
    int db;
    uint8_t resp; /* 2 or 3 */
    uint8_t invoke_flags;
} CommandCaller;

/* The user's name, the caller's to free; NULL for root: a module's call, or a script in one. */
RedisModuleString *caller_user(RedisModuleCtx *ctx);

/* True when the client uses client tracking. */
bool caller_is_tracking(RedisModuleCtx *ctx);

/* True when the client of this id has a connection and speaks RESP3. */
bool caller_speaks_resp3(uint64_t client_id);

/* False when the client of this id has a connection, and certainly no CLIENT NO-TOUCH. */
bool caller_is_no_touch(uint64_t client_id);

/* To be called when a module was loaded or has gone. */
void caller_modules_changed(void);

#endif
