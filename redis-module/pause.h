/* Answers with a commit that arrive while the server must not write (CLIENT PAUSE, failover): held until it may. */
#ifndef FERRITE_PAUSE_H
#define FERRITE_PAUSE_H

#include "request.h"

/* Wakes the request at the end of the pause. */
void pause_hold(Request *request);

/* Does nothing when it is not held. */
void pause_forget(Request *request);

#endif
