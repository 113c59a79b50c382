/* Declared reads: performed before a request is sent, and for a guarded one again at its commit. They run as commands
 * of the server (call.h), in a context that has the caller's user and database. */
#ifndef FERRITE_READS_H
#define FERRITE_READS_H

#include "request.h"

/* Performs them into `out` (a list of values). False with "CODE text" in `error`. */
bool reads_perform(RedisModuleCtx *ctx, const Request *request, RedisModuleString **argv, int argc, Buffer *out,
                   char *error);

/* Those of a request that waits to be asked, into its empty `reads`. False, too, if its lane has closed meanwhile: a
 * read can find an expired key, and another module can answer that event with a plugin's command. */
bool reads_first(RedisModuleCtx *ctx, Request *request, RedisModuleString **argv, int argc, char *error);

/* The same into `request->reads`, in place of what is there; its lane may close. */
bool reads_refresh(RedisModuleCtx *ctx, Request *request, RedisModuleString **argv, int argc, char *error);

/* True when an answered, guarded request would read the same now, so that its result may be applied. */
bool reads_hold(RedisModuleCtx *ctx, Request *request);

void reads_free_all(void);

#endif
