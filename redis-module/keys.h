/* Which words of a call are keys: found by reading the words as the host's parser does (ts-src/sdk/arg-parser.ts), by
 * the command's arguments in the route table. Key specs can only search for a token, which another option's text may
 * look like, and say nothing of a key that is left out. Pure. */
#ifndef FERRITE_KEYS_H
#define FERRITE_KEYS_H

#include <stdbool.h>
#include <stddef.h>

#include "route.h"

/* The words of a call, the command's name first. */
typedef struct CallWords {
    const char *(*at)(const void *words, int index, size_t *length);
    const void *words;
    int count;
} CallWords;

typedef void (*KeyFound)(void *context, int position, const RouteKey *key);

/* Tells of each key, in the order of the words, up to the first that does not fit. */
void keys_find(const RouteCommand *route, const CallWords *words, KeyFound found, void *context);

/* True if the key specs alone do not tell every server all keys of every call, and keys_find does. */
bool keys_need_search(const RouteCommand *route);

#endif
