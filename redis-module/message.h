/* Whether a frame from the host is what docs/design/bridge-protocol.md says: type, flags, code and every byte of the
 * body. Looked at once, before anything acts on the frame, so that the handlers read bodies without doubting them.
 * Pure. */
#ifndef FERRITE_MESSAGE_H
#define FERRITE_MESSAGE_H

#include "frame.h"

/* NULL, or what is wrong, for the log. */
const char *message_problem(const Frame *frame);

/* What an event of plugins may be called. */
bool message_is_event_name(Slice name);

/* The parts of a RESULT that message_problem accepts. */
typedef struct Result {
    Slice reply;
    uint32_t commit_count;
    Reader commit; /* at the first command; each is a list of strings */
    Slice assumed; /* the list of values, whole; empty when the handler assumed what was sent */
} Result;

/* False when the body is not what the flags promise. */
bool message_read_result(const uint8_t *body, size_t length, uint8_t flags, Result *result);

#endif
