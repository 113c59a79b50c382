/* Connections of clients, told to the plugins that listen. */
#ifndef FERRITE_CLIENT_EVENTS_H
#define FERRITE_CLIENT_EVENTS_H

#include "server.h"

/* RedisModuleEvent_ClientChange. */
void client_events_take(RedisModuleCtx *ctx, RedisModuleEvent event, uint64_t subevent, void *data);

/* Nobody listens any more. */
void client_events_forget(void);

#endif
