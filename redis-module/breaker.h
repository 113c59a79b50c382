/* Circuit breaker of a hook that clients wait for (M. Nygard, "Release It!"): after so many deadlines missed in a row
 * it is not asked for a while, so that not every client waits in vain; then one command in each such while probes it.
 * Only lateness counts: other failures cost no time, and a client could bring them about to have everybody refused. */
#ifndef FERRITE_BREAKER_H
#define FERRITE_BREAKER_H

#include <stdbool.h>

#include "command.h"

/* False with "CODE text" when the hook is not to be asked now. */
bool breaker_lets(Command *hook, char *error);

/* It has answered, in whatever way. */
void breaker_answered(Command *hook);

/* It has missed a deadline. */
void breaker_late(Command *hook);

/* closed, open, half-open */
const char *breaker_state(const Command *hook);

void breaker_reset(Command *hook);

#endif
