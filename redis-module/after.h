/* What after hooks are told of a command that has run. */
#ifndef FERRITE_AFTER_H
#define FERRITE_AFTER_H

#include <stdbool.h>

#include "buffer.h"
#include "call.h"
#include "caller.h"
#include "command.h"
#include "facts.h"
#include "frame.h"

/* What came of a command. */
typedef struct CommandOutcome {
    Slice reply;       /* as the client gets it, in its protocol */
    uint64_t duration; /* us */
} CommandOutcome;

/* Tells the hooks of the list that nobody waits for. Where a lane has no room for it, the hook hears later of how many
 * commands it was not told. */
void after_tell(HookList hooks, const Arguments *arguments, const CommandCaller *caller, const CommandOutcome *outcome);

/* True of an after hook that the client's reply waits for. */
bool after_is_awaited(const Command *command);

/* How many of the list are. */
int after_awaited(HookList hooks);

/* Writes it as the reads of an INVOKE. */
void after_put(Buffer *reads, const CommandOutcome *outcome);

void after_free(void);

#endif
