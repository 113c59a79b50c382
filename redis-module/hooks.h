/* The hooks of the route table: which of them are for a command. */
#ifndef FERRITE_HOOKS_H
#define FERRITE_HOOKS_H

#include <stdbool.h>

#include "command.h"
#include "facts.h"
#include "server.h"

/* False on Redis 7.0, whose filters do not know whose command they see. */
bool hooks_supported(void);

/* Reads COMMAND, makes the wrappers, and takes the hooks of the route table into force; only in OnLoad. */
void hooks_load(RedisModuleCtx *ctx);

/* The route table has changed. */
void hooks_changed(void);

/* The server's commands have changed (MODULE LOAD). Not from a descriptor's callback. */
void hooks_commands_changed(void);

/* What of a command its hooks look at. */
typedef struct HookSubject {
    RedisModuleString **argv;
    int argc;
    const char *user; /* "" where it is not known; NULL: user and database are not looked at */
    int db;
} HookSubject;

enum { HOOKS_MAX = 64 }; /* for one command */

/* Writes the hooks that match, in the order in which they are asked; returns how many. */
int hooks_match(const Facts *facts, const HookSubject *subject, Command *matching[HOOKS_MAX]);

void hooks_free(void);

#endif
