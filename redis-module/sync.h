/* Synchronous runs: the server's main thread waits for a RESULT, where a client cannot be blocked (MULTI, scripts,
 * other modules) and at the last try after conflicts. Bounded by ferrite.sync-timeout, and by a budget for each loop.
 */
#ifndef FERRITE_SYNC_H
#define FERRITE_SYNC_H

#include "request.h"

/* Runs the request and replies; it stays the caller's. */
void sync_run(RedisModuleCtx *ctx, Request *request, RedisModuleString **argv, int argc);

/* The same with a guarded request, in its reply callback, where nothing can come between reads and commit. */
void sync_run_last(RedisModuleCtx *ctx, Request *request);

/* Sends the request, with the reads that it has, and waits for its RESULT. False with "CODE text" when there is none in
 * time. `ctx` is for what the plugin calls meanwhile; NULL: it may not. */
bool sync_ask(RedisModuleCtx *ctx, Request *request, RedisModuleString **argv, int argc, char *error);

/* False when this loop has no time left to wait for it. */
bool sync_has_budget(const Request *request);

/* The request that the main thread waits for; NULL if none. */
Request *sync_waiting(void);

/* A new budget. */
void sync_before_sleep(void);

#endif
