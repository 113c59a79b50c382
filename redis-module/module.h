/* What the whole module shares: its detached context, the clock, what the server can do. Main thread only. */
#ifndef FERRITE_MODULE_H
#define FERRITE_MODULE_H

#include <stdbool.h>
#include <stdint.h>

#include "server.h"

#define FERRITE_VERSION_TEXT "0.1.0"
enum { FERRITE_VERSION_NUMBER = 100 };

/* A detached context that lives as long as the module: for the log, for RM_Call outside of commands. */
extern RedisModuleCtx *module_context;

/* The folder that holds ferrite.so, absolute, without a slash at the end. */
extern char module_folder[];

/* The server's product ("redis" or "valkey") and version as it names them itself. */
extern char server_product[16];
extern char server_version[32];

/* Microseconds of a clock that never goes back. */
uint64_t clock_microseconds(void);

/* Has the event loop turn again within a millisecond, for what was made ready after it looked. */
void loop_soon(void);

/* Milliseconds since 1970, as the server counts them. */
uint64_t clock_milliseconds(void);

/* The same when the command that runs now was begun, which is the time that the server itself compares expiry with.
 * Costs nothing; late by what the loop has done since when no command runs. */
uint64_t clock_command_milliseconds(void);

#endif
