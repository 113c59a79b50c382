/* The hooks of the route table: which of them are for a command. */
#ifndef FERRITE_HOOKS_H
#define FERRITE_HOOKS_H

#include <stdbool.h>

#include "command.h"
#include "facts.h"
#include "matcher.h"
#include "server.h"

/* Why no hook is asked on this server; NULL: they are. */
const char *hooks_problem(void);

/* Reads COMMAND, makes the wrappers, and takes the hooks of the route table into force; only in OnLoad. */
void hooks_load(RedisModuleCtx *ctx);

/* The route table has changed. */
void hooks_changed(void);

/* A client uses a name that no command is known by. True when there is one: rename-command gave it that name. */
bool hooks_learn(const RedisModuleString *word);

/* The server's commands have changed (MODULE LOAD). Not from a descriptor's callback. */
void hooks_commands_changed(void);

/* The hooks of a phase that match, in their order. The list is good until the next call for that phase. */
HookList hooks_match(const Facts *facts, HookPhase phase, const HookSubject *subject);

void hooks_free(void);

#endif
