/* Requests: runs of plugin commands that a lane was asked for, from the client's command to its reply.
 *
 * A slot is found by index and checked by generation, so that a RESULT for a request that has ended is recognised
 * and dropped. Life of a request:
 *
 *     request_start ── sync ────────────────────────────► reply, ended
 *          │
 *          └─ client blocked ─► WAITING (guarded only, guard.h) ─► ASKED ─► ANSWERED ─► reply callback ─► ended
 *                                  ▲                                             │ conflict
 *                                  └─────────────────────────────────────────────┘
 *
 * The end of a blocked client is always the server's free callback, which runs once however the request ended (reply,
 * timeout, CLIENT UNBLOCK, disconnect, death of the lane). Main thread only. */
#ifndef FERRITE_REQUEST_H
#define FERRITE_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "buffer.h"
#include "call.h"
#include "command.h"
#include "heap.h"
#include "lane.h"
#include "server.h"

typedef enum RequestState { REQUEST_FREE, REQUEST_WAITING, REQUEST_ASKED, REQUEST_ANSWERED } RequestState;

struct GuardEntry;

typedef struct Request {
    uint32_t index, generation;
    RequestState state;
    bool sync;     /* the main thread waits for it */
    bool answered; /* sync: a RESULT or a failure is there */
    bool guarded;
    bool by_key; /* blocked on `wake_name`, so that the reply callback can keep it blocked */
    bool has_reads;
    bool ended;     /* replied, timed out or disconnected: only the free callback is still to come */
    bool unblocked; /* RM_UnblockClient was called, which must happen once */
    bool timed_out; /* `failure` tells it */
    uint8_t invoke_flags;
    uint8_t resp;      /* 2 or 3 */
    uint16_t attempts; /* conflicts so far */

    Command *command;
    Lane *lane;
    uint16_t code;                    /* the command's, on that lane: it may be served by another one meanwhile */
    struct Request *next, **previous; /* in lane->pending while ASKED, in lane->waiting while WAITING */

    RedisModuleBlockedClient *client; /* NULL when sync */
    RedisModuleCtx *ctx;              /* sync: the command's own */
    uint64_t client_id;
    int db;
    RedisModuleString *user;       /* NULL: no user (another module's call) */
    uint64_t started_at, deadline; /* us */
    HeapEntry due;                 /* when the deadline is looked at */

    Buffer reads; /* guarded: list of values as sent, for the comparison at commit */

    uint16_t outcome;
    uint8_t result_flags;
    Buffer result; /* body of the RESULT, checked; empty when `failure` says why there is none */
    char *failure; /* "CODE text" */

    struct Request *held_next; /* waits for the end of a pause */
    bool held;

    /* guard.h */
    Arguments arguments; /* held references to argv, for reads to come */
    RedisModuleString *wake_name;
    struct GuardEntry *entries;
    int entry_count;
    uint64_t batch_stamp;
} Request;

/* Runs a plugin command for its caller: blocks the client, or waits where blocking is impossible. */
int request_start(RedisModuleCtx *ctx, Command *command, RedisModuleString **argv, int argc);

/* NULL when the id is of a request that is gone. */
Request *request_find(uint64_t id);
uint64_t request_id(const Request *request);

/* WAITING requests keep their lane: it fails them before it goes. */
void request_set_state(Request *request, RequestState state);

/* Takes a RESULT that message_problem has accepted. */
void request_answer(Lane *lane, const Frame *frame);

/* Fails everything that `lane` owes, at once. */
void request_fail_lane(Lane *lane, const char *reason);

/* What an INVOKE says of the time. Read once for all that is sent together. */
typedef struct Moment {
    uint64_t monotonic; /* us */
    uint64_t unix_time; /* ms */
} Moment;
Moment moment_now(void);

/* Writes the INVOKE of a request whose reads are done into its lane. */
void request_send(Request *request, bool chained, Moment now);

/* Blocks the request's client, on `wake_name` if `by_key`. */
void request_block(RedisModuleCtx *ctx, Request *request);

/* Gives the slot back: only where no blocked client's free callback is to come. */
void request_release(Request *request);

/* Ends a request of a blocked client with an error. */
void request_fail(Request *request, const char *code_and_text);

/* Performs the declared reads of the request into `out` (a list of values) in the given context, which has the caller's
 * user and database. False with "CODE text" in `error`. */
bool request_read(RedisModuleCtx *ctx, const Request *request, RedisModuleString **argv, int argc, Buffer *out,
                  char *error);

/* The request that the main thread waits for; NULL if none. */
Request *request_waiting_sync(void);

/* Told at the start and at the end of what runs before the server sleeps. */
void request_keys_served(bool served);

/* Once per loop: a new budget for synchronous waits; wakes what a pause had held. */
void request_before_sleep(void);

uint32_t request_count(void); /* in flight, all lanes */
void request_free_all(void);

#endif
