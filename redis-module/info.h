/* What operators see: the section `ferrite` of INFO, and FERRITE.INFO, FERRITE.PING, FERRITE.HELP, FERRITE.PLUGIN. */
#ifndef FERRITE_INFO_H
#define FERRITE_INFO_H

#include "server.h"

int info_register(RedisModuleCtx *ctx);

/* A lane has answered a PING; FERRITE.PING may be waiting for it. */
void info_pong(void);

#endif
