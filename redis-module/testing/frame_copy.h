/* Every frame of docs/design/bridge-protocol.md, read with frame.h's reader and written again with its writer. The
 * layouts are a second description of the protocol, beside the code of the module and of the host. */
#ifndef FERRITE_FRAME_COPY_H
#define FERRITE_FRAME_COPY_H

#include <stdbool.h>
#include <stddef.h>

#include "frame.h"

typedef enum FrameSender { SENT_BY_HOST, SENT_BY_MODULE } FrameSender;

/* Called for each reply or read value (a str of a body that must hold RESP). */
typedef bool CheckValue(Slice value, uint32_t slots);

/* Reads the whole frame and writes it at the end of `out`. False when it is not a frame of that sender; `out` then
 * holds a part of it. `check` may be NULL. */
bool frame_copy(const Frame *frame, FrameSender sender, Buffer *out, CheckValue *check);

#endif
