/* Requests: runs of plugin commands that a lane was asked for, from the client's command to its reply. Here is the
 * record and the table of them; what happens to one is in the files named here:
 *
 *     start ── sync ──────────────────────────────────────► reply, ended
 *       │
 *       └─ client blocked ─► WAITING (guard) ─► ASKED (invoke) ─► ANSWERED (answer, wake) ─► reply (blocked), ended
 *                               ▲                                             │ conflict
 *                               └─────────────────────────────────────────────┘
 *
 * A slot of the table is found by index and checked by generation, so that a RESULT for a request that has ended is
 * recognised and dropped. The end of a blocked client is always the server's free callback, which runs once however the
 * request ended (reply, timeout, CLIENT UNBLOCK, disconnect, death of the lane). Main thread only. */
#ifndef FERRITE_REQUEST_H
#define FERRITE_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "buffer.h"
#include "call.h"
#include "caller.h"
#include "command.h"
#include "heap.h"
#include "lane.h"
#include "server.h"

typedef enum RequestState { REQUEST_FREE, REQUEST_WAITING, REQUEST_ASKED, REQUEST_ANSWERED } RequestState;

struct GuardEntry;
struct Chain;

typedef struct Request {
    uint32_t index, generation;
    RequestState state;
    bool sync;     /* the main thread waits for it */
    bool answered; /* sync: a RESULT or a failure is there */
    bool guarded;
    bool by_key; /* blocked on `wake_name`, so that the reply callback can keep it blocked */
    bool has_reads;
    bool reads_itself; /* guard.h: not for it, but in its client's own context */
    bool ended;        /* replied, timed out or disconnected: only the free callback is still to come */
    bool unblocked;    /* RM_UnblockClient was called, which must happen once */
    bool timed_out;    /* `failure` tells it */
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
    HeapEntry due;                 /* deadline.h */

    Buffer reads; /* list of values as sent, kept if guarded for the comparison at commit */

    uint16_t outcome;
    uint8_t result_flags;
    Buffer result; /* body of the RESULT, checked; empty when `failure` says why there is none */
    char *failure; /* "CODE text" */

    /* pause.h */
    struct Request *held_next;
    bool held;
    bool holds_calls; /* a call of its handler waits for the end of the pause, too */

    Arguments arguments; /* held references to argv: of a guarded request for reads to come, of a hooked command */

    /* guard.h */
    RedisModuleString *wake_name;
    struct GuardEntry *entries;
    int entry_count;
    uint64_t batch_stamp;

    struct Chain *chain; /* of a hooked command (chain.h): `command` is the hook that was asked last */
} Request;

/* Buffers of a free request keep so much for the next one: as a rule there is nothing to allocate. */
enum { KEPT_BY_REQUEST = 256 };

/* A free one, which is the caller's until request_release. */
Request *request_take(void);

/* Gives it back with all that it owns. It must be in nobody's queue: guard.h, pause.h, deadline.h. */
void request_release(Request *request);

/* NULL when the id is of a request that is gone. */
Request *request_find(uint64_t id);
uint64_t request_id(const Request *request);

/* Keeps the lists of the request's lane. The lane of a request that is in one stays; it fails them before it goes
 * (answer.h). */
void request_set_state(Request *request, RequestState state);

/* Forgets what was answered. */
void request_drop_result(Request *request);

/* Who it is of. The user stays the request's. */
CommandCaller request_caller(const Request *request);

/* CALL_MODE_* bits of commands that run for it. */
int request_call_mode(const Request *request);

uint32_t request_count(void); /* in flight, all lanes */
void request_free_all(void);

#endif
