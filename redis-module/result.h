/* Applies a RESULT: runs its commit, and replies to the client. */
#ifndef FERRITE_RESULT_H
#define FERRITE_RESULT_H

#include "request.h"

/* Once for an answered request that has no `failure`, in the context of its client's command or reply callback. */
void result_apply(RedisModuleCtx *ctx, Request *request);

#endif
