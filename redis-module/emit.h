/* Events of plugins' own: emitted by a plugin or a client, told to the plugins of this server that listen. */
#ifndef FERRITE_EMIT_H
#define FERRITE_EMIT_H

#include "frame.h"
#include "server.h"

/* Takes an EMIT that message_problem has accepted. */
void emit_take(const Frame *frame);

/* Of a client; `user` may be NULL. Returns to how many plugins it was sent. */
uint32_t emit_of_client(const char *event, Slice payload, uint64_t client, RedisModuleString *user);

#endif
