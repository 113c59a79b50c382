/* Blocked clients: blocking, and the server's callbacks that answer a client, see it go, and free its request. */
#ifndef FERRITE_BLOCKED_H
#define FERRITE_BLOCKED_H

#include "request.h"

/* Blocks the request's client, on `wake_name` if `by_key`. The request is the free callback's from then on. */
void blocked_start(RedisModuleCtx *ctx, Request *request);

#endif
