/* Wakes who waits for a request, once it is ANSWERED: the main thread, or the blocked client, whose reply callback then
 * runs (blocked.h). Nothing runs before these functions return, so they may be called from anywhere. */
#ifndef FERRITE_WAKE_H
#define FERRITE_WAKE_H

#include "request.h"

void wake_request(Request *request);

/* Ends the wait with an error. The request's lane forgets it. */
void wake_with_error(Request *request, const char *code_and_text);

/* Has the server let go of a client that needs no answer any more. */
void wake_let_go(Request *request);

/* Told at the start and at the end of what runs before the server sleeps. */
void wake_keys_served(bool served);

void wake_before_sleep(void);
void wake_free_all(void);

#endif
