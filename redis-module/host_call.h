/* Server commands that the host asks for (CALL frames): queued as they arrive, run before the server sleeps, a few
 * milliseconds a loop, the lanes taking turns. Only the calls of a request that the main thread is waiting for run
 * while it waits, and only reads. */
#ifndef FERRITE_HOST_CALL_H
#define FERRITE_HOST_CALL_H

#include "lane.h"
#include "server.h"

/* Takes a CALL that message_problem has accepted. */
void host_call_take(Lane *lane, const Frame *frame);

void host_call_before_sleep(RedisModuleCtx *ctx);

/* Runs the calls of the request that the main thread waits for on this lane. Not from a frame's handler: a call can run
 * a plugin command, and the wait for that one reads more frames of the same lane. */
void host_call_run_waiting(Lane *lane);

/* The lane is gone: forgets its calls. */
void host_call_drop(Lane *lane);

#endif
