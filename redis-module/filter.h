/* The command filter: sees each command before the server looks it up, applies rules (docs/design/rules.md) and
 * has those that hooks match asked about (docs/design/hooks.md). Registered only while there are rules or hooks, or
 * somebody wants to hear of reads (key_reads.h). */
#ifndef FERRITE_FILTER_H
#define FERRITE_FILTER_H

#include <stdbool.h>

#include "facts.h"
#include "server.h"

/* What it is needed for. */
typedef enum FilterUse { FILTER_FOR_HOOKS = 1, FILTER_FOR_READS = 2 } FilterUse;

void filter_set(FilterUse use, bool wanted);
void filter_free(void);

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

/* The lists of hooks are about to change. */
void filter_forget_found(void);

/* Once per loop. */
void filter_before_sleep(void);

#endif
