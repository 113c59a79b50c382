/* Guarded requests: read-modify-write in a plugin, made atomic by repeating the declared reads at commit and comparing
 * bytes. The queues here only make conflicts rare: a FIFO per (lane, database, key), whose waiters go to the host in
 * one batch and run there in order over the commits before them. */
#ifndef FERRITE_GUARD_H
#define FERRITE_GUARD_H

#include "request.h"

/* Enters the queues of all keys that the declared reads name, in one step; if nobody is before it, the reads are
 * performed at once, in the client's own context. The client is to be blocked next. False with "CODE text" in `error`
 * when a read failed, and the request is in no queue. */
bool guard_enter(RedisModuleCtx *ctx, Request *request, RedisModuleString **argv, int argc, char *error);

/* Its client is blocked: it may be sent when its turn comes. */
void guard_blocked(Request *request);

/* Leaves them, at reply, timeout, disconnect or failure; others may become ready by it. */
void guard_leave(Request *request);

/* Back to WAITING at its place in the queues, after a conflict or when a batch ended before it. */
void guard_again(Request *request);

/* Sends what has become ready; reads that were not done at arrival are done here, as the waiter's user. */
void guard_before_sleep(RedisModuleCtx *ctx);

/* In the reply callback of a waiter that was woken to read itself. False with "CODE text" in `error`. */
bool guard_read(RedisModuleCtx *ctx, Request *request, char *error);

void guard_free_all(void);

#endif
