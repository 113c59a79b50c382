/* Starts requests: from a client's command to the wait for its answer. */
#ifndef FERRITE_START_H
#define FERRITE_START_H

#include "command.h"
#include "server.h"

/* Runs a plugin command for its caller: blocks the client, or waits where blocking is impossible, or replies at once
 * why it is not run. Only in a command of the server's. */
int start_request(RedisModuleCtx *ctx, Command *command, RedisModuleString **argv, int argc);

#endif
