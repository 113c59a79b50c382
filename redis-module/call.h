/* Server commands run for plugins: commits, declared reads, calls of the host. Every such command is classified here
 * first, since RM_Call runs some that take the server down or make a replica diverge (docs/design/hazards.md).
 *
 * Never call any of this from a descriptor's callback: there is no execution unit there, and a busy script may be
 * running. Commands, reply callbacks and the before-sleep event are the places. */
#ifndef FERRITE_CALL_H
#define FERRITE_CALL_H

#include <stdbool.h>
#include <stddef.h>

#include "frame.h"
#include "server.h"

enum {
    CALL_MODE_AS_USER = 1,     /* check the ACL of the context's user (RM_Call's C) */
    CALL_MODE_READ_ONLY = 2,   /* refuse what may write */
    CALL_MODE_RESP3 = 4,       /* reply with RESP3 types */
    CALL_MODE_IN_SCRIPT = 8,   /* a script runs: never start another */
    CALL_MODE_UNATTENDED = 16, /* no client command preceded it: look at maxmemory here */
    CALL_MODE_NESTED = 32      /* while the main thread waits for a plugin: for the text of a refusal */
};

enum { CALL_ERROR_SIZE = 256 };

enum { ARGUMENTS_FEW = 8 };

/* Not to be copied: `values` may point into it. */
typedef struct Arguments {
    RedisModuleString **values;
    int count;
    RedisModuleString *few[ARGUMENTS_FEW]; /* used when all fit */
} Arguments;

/* Empty, with room for so many. */
void arguments_make(Arguments *arguments, int room);

/* A string for the name of a command, shared with the last calls of it; free it as any other. */
RedisModuleString *call_name(const char *text, size_t length);

/* Reads a `list of str` into new strings; false (nothing to free) when it is malformed or empty. */
bool arguments_read(Reader *reader, Arguments *arguments);
void arguments_free(Arguments *arguments);

/* Holds references to the strings of argv. */
void arguments_hold(Arguments *arguments, RedisModuleString **argv, int argc);

/* `to` gets what `from` has, which is empty then. What `to` had is freed. */
void arguments_move(Arguments *to, Arguments *from);

/* Runs one command. The reply (free it) may be an error; NULL means it was not run and `error` (CALL_ERROR_SIZE bytes)
 * says why, "CODE text" without a dash. */
RedisModuleCallReply *call_run(RedisModuleCtx *ctx, const Arguments *arguments, int mode, char *error);

/* From now on commands run with CALL_MODE_AS_USER do so as this user, in a context that has no client; NULL ends that.
 */
void call_as(RedisModuleCtx *ctx, RedisModuleUser *user);

/* True if the command may change the dataset or the replication stream; also for commands that do not exist. */
bool call_may_write(RedisModuleCtx *ctx, const Arguments *arguments);

/* Forgets what is known of the server's commands: a module was loaded or unloaded. */
void call_commands_changed(void);

#endif
