/* The hooks of one command, asked one after the other, and what comes of it. */
#ifndef FERRITE_CHAIN_H
#define FERRITE_CHAIN_H

#include <stdbool.h>

#include "caller.h"
#include "command.h"
#include "hooks.h"
#include "request.h"

typedef enum ChainEnd {
    CHAIN_RUNS,   /* the command, as it stands in the request's arguments, is to run; after: its reply stands */
    CHAIN_ANSWERS /* the client gets the request's failure, or the value in its result */
} ChainEnd;

typedef struct Chain {
    HookPhase phase; /* after: the request's `reads` say what came of the command */
    ChainEnd end;
    bool rewritten;
    uint64_t duration; /* after: us that the command took */
    int at, count;
    Command *hooks[]; /* Commands are never freed */
} Chain;

/* Runs a command in the context of its wrapper, with the hooks that match it. `word` is the wrapper's, as the filter
 * knows it. Unless `asks`, its client cannot be blocked and the before hooks have been asked. */
void chain_start(RedisModuleCtx *ctx, const RedisModuleString *word, const Arguments *arguments, bool asks);

/* An asked hook has answered, or cannot any more. The request goes on to the next, or is woken. */
void chain_answered(Request *request);
void chain_failed(Request *request, const char *code_and_text);

/* Answers the client, in its reply callback. */
void chain_finish(RedisModuleCtx *ctx, Request *request);

/* Asks before hooks while the main thread waits. The request has the outcome (`chain`); the caller releases it. */
Request *chain_ask_now(HookList hooks, const HookSubject *subject, const CommandCaller *caller);

#endif
