/* Key specs, as COMMAND tells them: where in a call its keys are. For commands whose keys the server does not tell
 * modules by itself (MSETEX of Redis 8.4 and newer has specs only, and no function of its own that finds its keys). */
#ifndef FERRITE_KEY_SPECS_H
#define FERRITE_KEY_SPECS_H

#include <stdbool.h>

#include "server.h"

typedef struct KeySpec {
    char *keyword; /* NULL: begins at index `begin` */
    int begin;
    bool numbered; /* a count, then the keys */
    int find[3];   /* last, step, limit; numbered: place of the count, of the first key, step */
    int flags;     /* REDISMODULE_CMD_KEY_* */
} KeySpec;

typedef struct KeySpecs {
    KeySpec *list;
    int count; /* 0 also when one of them is unknown or incomplete: they do not tell all then */
} KeySpecs;

/* Of the list in COMMAND INFO; NULL is none. */
void key_specs_read(KeySpecs *specs, RedisModuleCallReply *list);
void key_specs_free(KeySpecs *specs);

/* The number of keys in a call, whose positions and flags are the caller's (RedisModule_Free); 0: none, nothing to
 * free. */
int key_specs_find(const KeySpecs *specs, RedisModuleString **argv, int argc, int **positions, int **flags);

#endif
