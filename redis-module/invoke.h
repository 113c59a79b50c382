/* Asks a lane to run a request, and to stop: INVOKE and CANCEL frames. They go out with the lane's next flush. */
#ifndef FERRITE_INVOKE_H
#define FERRITE_INVOKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "caller.h"
#include "request.h"

/* What an INVOKE says of the time. Read once for all that is sent together. */
typedef struct Moment {
    uint64_t monotonic; /* us */
    uint64_t unix_time; /* ms */
} Moment;
Moment moment_now(void);

/* Bytes of an INVOKE with these arguments, without what the request reads. */
size_t invoke_size(RedisModuleString **argv, int argc);

/* The error for what is longer than a frame, "CODE text" in `error`: the host would close the lane that brought it.
 * Returns false. */
bool invoke_too_long(const Command *command, char *error);

/* Writes the INVOKE of a request whose reads are done into its lane: the request is ASKED from then on. */
void invoke_send(Request *request, RedisModuleString **argv, int argc, uint8_t flags, Moment now);

/* Tells an after hook, which nobody waits for: no RESULT comes. `about` is written in the place of reads. */
void invoke_tell(const Command *command, const CommandCaller *caller, RedisModuleString **argv, int argc,
                 const Buffer *about);

/* The same for a guarded one, which holds its arguments itself. */
void invoke_guarded(Request *request, bool chained, Moment now);

/* Tells the lane of a request that nobody waits for it any more (CANCEL_*). A lane that is closed is not told. */
void invoke_cancel(Request *request, uint16_t why);

#endif
