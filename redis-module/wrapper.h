/* Wrappers: commands of ours that stand for the server's while hooks are asked, one for each set of flags that the
 * server checks before it runs a command (docs/design/hooks.md). */
#ifndef FERRITE_WRAPPER_H
#define FERRITE_WRAPPER_H

#include <stdbool.h>

#include "call.h"
#include "facts.h"
#include "server.h"

/* Creates them for the flags of all commands; only in OnLoad, after facts_read. False when nothing can be answered in
 * place of a command. */
bool wrapper_register_all(RedisModuleCtx *ctx);

/* Gives every command its wrapper; after each facts_read. */
void wrapper_assign(void);

/* False where no command can be wrapped: then hooks are asked while the main thread waits, and nobody learns what came
 * of a command. */
bool wrapper_any(void);

/* What a wrapper is to do with its command. */
typedef enum WrapperTask {
    WRAPPER_ASKS,        /* asks before hooks; the client can be blocked */
    WRAPPER_RUNS,        /* they have been asked, and the client cannot be blocked */
    WRAPPER_RUNS_STORED, /* the same with the words of wrapper_store */
    WRAPPER_TASKS
} WrapperTask;

/* The wrapper's name, owned here, stands before the command. `checked`: the server checks that the client has logged in
 * and may run the wrapper. */
RedisModuleString *wrapper_name(int wrapper, bool checked);

/* Stands in the place of the command's name: it, behind a secret that shows who put it there. The caller's. */
RedisModuleString *wrapper_word(WrapperTask task, RedisModuleString *name);

/* Takes over the words, for the wrapper that runs next. */
void wrapper_store(Arguments *words);

/* `_ferrite.answer` and `_ferrite.refuse`, which reply the RESP3 value that is their argument; the second is checked.
 */
RedisModuleString *wrapper_answer_name(bool checked);

void wrapper_free(void);

#endif
