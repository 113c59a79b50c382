/* What waits while the server must not write (CLIENT PAUSE, failover), until it may: answers with a commit, and calls
 * of plugins (host_call.c). */
#ifndef FERRITE_PAUSE_H
#define FERRITE_PAUSE_H

#include "request.h"

/* Wakes the request at the end of the pause. */
void pause_hold(Request *request);

/* Does nothing when it is not held. */
void pause_forget(Request *request);

/* Something waits for the end: sees to it that the loop turns soon after it. The server tells nobody. */
void pause_watch(void);

void pause_before_sleep(void);

#endif
