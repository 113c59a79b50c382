/* Figures for operators: the section `ferrite` of INFO, and FERRITE.INFO. */
#ifndef FERRITE_INFO_H
#define FERRITE_INFO_H

#include "server.h"

int info_register(RedisModuleCtx *ctx);

/* FERRITE.INFO -- the figures as a map */
int Info_RedisCommand(RedisModuleCtx *ctx, RedisModuleString **argv, int argc);

#endif
