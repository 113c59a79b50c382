/* Who has sent the command that the filter sees. */
#ifndef FERRITE_SENDER_H
#define FERRITE_SENDER_H

#include <stdbool.h>
#include <stdint.h>

#include "facts.h"
#include "server.h"

typedef struct Sender {
    uint64_t client_id; /* in a script: of who runs it */
    bool is_client;     /* else a script's or another module's */
    bool in_multi;
    bool in_place;    /* a client that cannot be blocked now */
    bool logged_in;   /* known for certain */
    bool can_be_told; /* a wrapper may run where the client cannot be blocked: ask sender_may_be_told */
    bool subscribes;
    RedisModuleString *user; /* NULL: not known; the caller's to free */
    int db;                  /* in a transaction or script: after its last SELECT */
    int base_db;             /* without that SELECT, which may fail, or have been another script's */
    uint8_t resp;
} Sender;

/* False for the stream of our primary, which neither hooks nor rules are for. */
bool sender_learn(RedisModuleCommandFilterCtx *ctx, Sender *sender);

/* Clients that subscribe by RESP2 can run nothing else, and the server's refusal would name what runs in its place. */
bool sender_only_subscribes(const Sender *sender);
bool sender_may_be_told(const Sender *sender);

/* Every command that the filter sees, before anything is asked about its sender. NULL: there is none of that name. */
void sender_saw(RedisModuleCommandFilterCtx *ctx, const Facts *facts);

/* A command that may change its client is about to run, as the filter leaves it. */
void sender_will_change(RedisModuleCommandFilterCtx *ctx, const Facts *facts);

/* Another command runs than the one that was seen: it may change its client. */
void sender_forget(void);

/* The filter has not seen what came before. */
void sender_forget_all(void);

/* Once per loop. */
void sender_before_sleep(void);

#endif
