/* From a checked RESP3 value to the client's reply, in the client's own RESP version. */
#ifndef FERRITE_REPLY_H
#define FERRITE_REPLY_H

#include <stddef.h>
#include <stdint.h>

#include "server.h"

/* `value` has passed resp_is_value with `slot_count` slots; `@n` is answered with slots[n]. */
void reply_value(RedisModuleCtx *ctx, const uint8_t *value, size_t length, RedisModuleCallReply **slots);

#endif
