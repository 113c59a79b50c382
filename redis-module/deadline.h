/* Deadlines of blocked clients' requests: one that passes ends the request with -TIMEOUT. */
#ifndef FERRITE_DEADLINE_H
#define FERRITE_DEADLINE_H

#include "request.h"

/* Until deadline_forget, which must come before the request is released. */
void deadline_watch(Request *request);
void deadline_forget(Request *request);

void deadline_free_all(void);

#endif
