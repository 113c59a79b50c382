/* What happens to the server, told to the plugins that listen. docs/author/server-events.md says what each event means.
 */
#ifndef FERRITE_SERVER_EVENTS_H
#define FERRITE_SERVER_EVENTS_H

#include "frame.h"
#include "lane.h"
#include "server.h"

/* A plugin serves from now on: it is told `startup`, now or when the server has its data. */
void server_events_attached(Lane *lane, Slice plugin);
/* The server has its data. */
void server_events_ready(void);

/* From module.c, which listens to these anyway. */
void server_events_role(void);
void server_events_loading(uint64_t subevent);
void server_events_config(void *change);
void server_events_shutdown(void);

/* What was before nobody has heard of. */
void server_events_link_begin(void);

/* Callbacks of the server. */
void server_events_link(RedisModuleCtx *ctx, RedisModuleEvent event, uint64_t subevent, void *data);
void server_events_replica(RedisModuleCtx *ctx, RedisModuleEvent event, uint64_t subevent, void *data);
void server_events_flush(RedisModuleCtx *ctx, RedisModuleEvent event, uint64_t subevent, void *data);
void server_events_swapdb(RedisModuleCtx *ctx, RedisModuleEvent event, uint64_t subevent, void *data);

#endif
