/* What the server says of its commands (COMMAND), for hooks: read once, found by name without a call to the server. */
#ifndef FERRITE_FACTS_H
#define FERRITE_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "key_specs.h"
#include "server.h"

struct Command;
struct Rule;

enum {
    FACT_WRITE = 1,
    FACT_READONLY = 2,
    FACT_DENY_OOM = 4,
    FACT_NO_SCRIPT = 8,
    FACT_LOADING = 16,
    FACT_STALE = 32,
    FACT_FAST = 64,
    FACT_MAY_REPLICATE = 128,
    FACT_PUBSUB = 256,
    FACT_ALLOW_BUSY = 512,
    FACT_BLOCKING = 1024,
    FACT_ADMIN = 2048,
    FACT_NO_AUTH = 4096,
    FACT_MOVABLE_KEYS = 8192,
    FACT_CONTAINER = 16384, /* has subcommands */
    FACT_NO_MANDATORY_KEYS = 32768,
    FACT_MODULE = 65536,       /* a module's */
    FACT_RUNS_OTHERS = 131072, /* scripts, EXEC */
};

/* When hooks are asked. */
typedef enum HookPhase { PHASE_BEFORE, PHASE_AFTER, HOOK_PHASES } HookPhase;

typedef struct HookList {
    struct Command **hooks; /* in their order */
    int count;
} HookList;

typedef struct Facts {
    char *name;       /* the server's own, lower case, "config|get" */
    char *called;     /* what clients call it, lower case; `name` itself unless rename-command has changed it */
    char *categories; /* " @write @string " */
    uint32_t flags;
    int arity;
    int first_key, last_key, key_step; /* as in COMMAND INFO; first_key 0: none */
    KeySpecs key_specs;                /* of commands whose keys can stand anywhere */
    int wrapper;                       /* its class, wrapper.h; -1: none */
    bool can_replace;                  /* a module may run it in place of another */
    HookList hooks[HOOK_PHASES];       /* that name it: hooks.h */
    struct Rule **rules;               /* that name it, in their order: rules.h */
    int rule_count;
    bool hooks_below; /* it has hooks or rules, or one of its subcommands has */
    size_t name_length, called_length;
} Facts;

/* Reads COMMAND anew; the hooks of all commands are none then. False when the server does not tell. Not from a
 * descriptor's callback. */
bool facts_read(void);

/* Looks whether a word that no command is known by is the new name of one (rename-command), which the server tells only
 * who asks for it. True when it is: found from then on, without hooks until they are given. */
bool facts_learn(const RedisModuleString *word);

/* Adds a name that no command has, for a rule that gives a command this name; nothing when there is one. It is gone
 * when COMMAND is read anew. */
void facts_add(const char *name);

/* NULL when there is no such command. `second` may be NULL. */
Facts *facts_of(const RedisModuleString *name, const RedisModuleString *second);

/* All of them. */
Facts *facts_list(int *count);

/* True when it has hooks of any phase, or rules. */
bool facts_hooked(const Facts *facts);

/* False when the server would refuse so many words. */
bool facts_arity_fits(const Facts *facts, int argc);

void facts_free(void);

#endif
