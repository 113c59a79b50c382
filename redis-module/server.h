/* The server's module API. redismodule.h defines a function pointer for each call in every file that
 * includes it; they are common symbols, made one by -fcommon (CMakeLists.txt) and filled by
 * RedisModule_Init in module.c. A pointer may be NULL on older servers: what is not in Redis 7.0 is looked at
 * before use (server_has_...). */
#ifndef FERRITE_SERVER_H
#define FERRITE_SERVER_H

#include "redismodule.h"

#endif
