/* NOTICE frames: what is told to the plugins that listen to an event of a client, of the server or of a plugin. They go
 * the way of key events: appended to the lane in the order in which things happen, dropped and counted where a lane is
 * full. Writing one runs no command, so that every callback of the server may do it. */
#ifndef FERRITE_NOTICE_H
#define FERRITE_NOTICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buffer.h"
#include "frame.h"
#include "lane.h"

typedef struct Notice {
    SubscriptionKind kind;
    const char *event;
    uint32_t field_count;
    Buffer fields; /* str name, str value; … */
    Slice emitter; /* the plugin that it comes from: hears it only where it asked to (SUBSCRIBE_OWN) */
    bool urgent;   /* told to a lane that is full, too: small, and there is no later */
} Notice;

void notice_put(Notice *notice, const char *name, const void *value, size_t length);
void notice_put_text(Notice *notice, const char *name, const char *value);
void notice_put_number(Notice *notice, const char *name, uint64_t value);

/* Tells those of a lane that listen, or `plugin` alone. Returns to how many plugins it was sent. */
uint32_t notice_tell(Lane *lane, const Notice *notice, const char *plugin);

/* Tells all that listen, and frees the fields. Returns to how many plugins it was sent. */
uint32_t notice_send(Notice *notice);

#endif
