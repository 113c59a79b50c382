/* Wrappers: commands of ours that stand for the server's while hooks are asked, one for each set of flags that the
 * server checks before it runs a command (docs/design/hooks.md). */
#ifndef FERRITE_WRAPPER_H
#define FERRITE_WRAPPER_H

#include <stdbool.h>

#include "facts.h"
#include "server.h"

/* Creates them for the flags of all commands; only in OnLoad, after facts_read. False when nothing can be answered in
 * place of a command. */
bool wrapper_register_all(RedisModuleCtx *ctx);

/* Gives every command its wrapper; after each facts_read. */
void wrapper_assign(void);

/* Words that the filter puts before the command: the wrapper's name, and a secret that shows who put it there. Owned
 * here. `checked`: the server checks that the client has logged in and may run the wrapper. */
RedisModuleString *wrapper_name(int wrapper, bool checked);
RedisModuleString *wrapper_secret(void);

/* `_ferrite.answer` and `_ferrite.refuse`, which reply the RESP3 value that is their argument; the second is checked.
 */
RedisModuleString *wrapper_answer_name(bool checked);

void wrapper_free(void);

#endif
