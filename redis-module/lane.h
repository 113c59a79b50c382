/* A lane: one connection between the module and one thread of the host.
 *
 * Everything runs on the server's main thread. Output is collected in `out` and written once per loop (before the
 * server sleeps); input is read when the event loop says so, or by lane_wait, which stops the server's loop for a
 * bounded time.
 *
 * Life: lane_open (accepted, not greeted) -> HELLO -> greeted -> lane_close (from anywhere: the descriptor is gone at
 * once, its requests fail at once) -> freed by lane_sweep, when no frame of it is being handled any more. */
#ifndef FERRITE_LANE_H
#define FERRITE_LANE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buffer.h"
#include "frame.h"

typedef enum LaneKind { LANE_CONTROL = 0, LANE_PLUGINS = 1 } LaneKind;

struct Request;
struct Subscription;
struct Call;

/* Kept by request_set_state. */
typedef struct RequestList {
    struct Request *newest;
    uint32_t count;
} RequestList;

typedef struct Lane {
    struct Lane *next;
    int fd; /* -1 once closed */
    uint32_t number;
    LaneKind kind;
    bool greeted;
    bool writable_wanted; /* the socket was full: the event loop tells when it takes more */
    bool queued;          /* `out` has bytes for the next flush */
    bool sync_refused;    /* missed a synchronous deadline and has not answered since */
    uint32_t host_pid;
    char label[64];
    uint64_t opened_at; /* us */
    Buffer in, out;

    RequestList pending; /* requests that this lane owes a RESULT */
    RequestList waiting; /* guarded requests that wait for their turn, not asked yet */

    struct Call *calls, **calls_end;     /* CALLs to run before the server sleeps, oldest first */
    struct Call *held_calls, **held_end; /* those that wait for the end of a pause, oldest first */
    uint32_t call_count;                 /* in both */
    bool holds_own_calls;                /* some of held_calls no request stands behind */
    size_t call_bytes;

    struct Subscription *subscriptions;
    uint64_t event_sequence;
    uint64_t events_missed; /* not told to the plugin yet */

    uint64_t ping_sent_at; /* us; 0: none on its way */
    uint64_t ping_cookie;
    uint64_t last_round_trip; /* us */

    uint64_t bytes_in, bytes_out, frames_in, frames_out, events_sent, events_dropped;
} Lane;

extern Lane *lane_list; /* closed ones are in it until the next sweep */

/* Takes over a connected, non-blocking socket. NULL (socket closed) when the event loop cannot watch it. */
Lane *lane_open(int fd);

/* Marks `out` for the next flush; call it after writing frames. */
void lane_written(Lane *lane);

/* Writes what there is now, as far as the socket takes it. */
void lane_flush(Lane *lane);
void lane_flush_all(void);

/* Writes all there is, waiting for the sockets until `deadline` (us, clock_microseconds). */
void lane_flush_until(uint64_t deadline);

/* Tells of the events that were dropped: before the next one, or when there is room again. */
void lane_tell_gap(Lane *lane);

/* Sends a PING unless one is on its way. */
void lane_ping(Lane *lane);

/* True if `bytes` more may be queued: below ferrite.lane-buffer, and ferrite.buffer-total over all lanes. One frame of
 * any size always fits an empty queue. */
bool lane_has_room(const Lane *lane, size_t bytes);

/* Reads and handles frames, and runs the calls of the request that is waited for, until `*done` is set, the lane closes
 * or `deadline` (us, clock_microseconds) has passed. */
void lane_wait(Lane *lane, const bool *done, uint64_t deadline);

/* Closes the socket and fails what was pending with `reason`, which also goes to the log unless it is NULL. */
void lane_close(Lane *lane, const char *reason);

/* Frees the closed lanes. Call it where no lane's frame is being handled. */
void lane_sweep(void);

int lane_count(void);
Lane *lane_control(void); /* NULL if there is none */

#endif
