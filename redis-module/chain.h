/* The hooks of one command, asked one after the other, and what comes of it. */
#ifndef FERRITE_CHAIN_H
#define FERRITE_CHAIN_H

#include <stdbool.h>

#include "command.h"
#include "hooks.h"
#include "request.h"

typedef enum ChainEnd {
    CHAIN_RUNS,   /* the command, as it stands in the request's arguments, is to run */
    CHAIN_ANSWERS /* the client gets the request's failure, or the value in its result */
} ChainEnd;

typedef struct Chain {
    ChainEnd end;
    bool rewritten;
    int at, count;
    Command *hooks[]; /* Commands are never freed */
} Chain;

/* Asks the hooks of a command whose client can be blocked, and runs it. In the context of its wrapper. */
void chain_start(RedisModuleCtx *ctx, RedisModuleString **argv, int argc);

/* An asked hook has answered, or cannot any more. The request goes on to the next, or is woken. */
void chain_answered(Request *request);
void chain_failed(Request *request, const char *code_and_text);

/* Answers the client, in its reply callback. */
void chain_finish(RedisModuleCtx *ctx, Request *request);

/* Who gave a command that the main thread waits for. */
typedef struct ChainCaller {
    uint64_t client_id;
    RedisModuleString *user; /* NULL: not known */
    int db, resp;
    uint8_t invoke_flags;
} ChainCaller;

/* Asks while the main thread waits. The request has the outcome (`chain`); the caller releases it. */
Request *chain_ask_now(Command **hooks, int count, const HookSubject *subject, const ChainCaller *caller);

#endif
