/* The command filter: sees each command before the server looks it up, and has those that hooks match asked about
 * (docs/design/hooks.md). Registered only while there are hooks. */
#ifndef FERRITE_FILTER_H
#define FERRITE_FILTER_H

#include <stdbool.h>

#include "facts.h"
#include "server.h"

void filter_set(bool wanted);

/* What the filter has found out of a command that it wrapped. The lists are good until hooks_match is called again. */
typedef struct Found {
    const RedisModuleString *word; /* the wrapper's: wrapper_word */
    RedisModuleString *user;
    int db;
    HookList hooks[HOOK_PHASES];
} Found;

/* Of the wrapper with this very word. False when the wrapper does not run right behind the filter; else the
 * user is the caller's to free. */
bool filter_take_found(const RedisModuleString *word, Found *taken);

/* Once per loop. */
void filter_before_sleep(void);

#endif
