/* The frames of docs/design/bridge-protocol.md: header, body reader and body writer.
 *
 *     u32 length | u8 type | u8 flags | u16 code | u64 id | body        (little-endian)
 *     `---------------- FRAME_HEADER_SIZE -----------'
 *
 * Pure: no server, no sockets. The reader never looks beyond the bytes it was given; after the first
 * error every further read yields zeroes, so that a decoder may check once, at its end. */
#ifndef FERRITE_FRAME_H
#define FERRITE_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buffer.h"

enum {
    FRAME_HEADER_SIZE = 16,
    FRAME_LENGTH_MIN = 12,                       /* what `length` counts when the body is empty */
    FRAME_LENGTH_MAX = 513 << 20,                /* 513 MiB: the server's largest string and some room */
    FRAME_PAYLOAD_MAX = FRAME_LENGTH_MAX - 4096, /* what comes from outside: arguments, reads, replies */
    FRAME_PROTOCOL_VERSION = 1,
};

typedef enum FrameType {
    FRAME_HELLO = 1,
    FRAME_WELCOME = 2,
    FRAME_PING = 3,
    FRAME_PONG = 4,
    FRAME_STATE = 5,
    FRAME_SETTINGS = 6,
    FRAME_ATTACH = 10,
    FRAME_ATTACHED = 11,
    FRAME_DETACH = 12,
    FRAME_STATUS = 13,
    FRAME_ROUTES = 14,
    FRAME_ROUTES_READ = 15,
    FRAME_INVOKE = 20,
    FRAME_RESULT = 21,
    FRAME_CANCEL = 22,
    FRAME_CALL = 23,
    FRAME_CALL_RESULT = 24,
    FRAME_EVENT = 30,
    FRAME_GAP = 31,
    FRAME_NOTICE = 32,
    FRAME_EMIT = 33,
} FrameType;

enum { STATE_PRIMARY = 1, STATE_LOADING = 2, STATE_SHUTTING_DOWN = 4 };
enum {
    INVOKE_SYNC = 1,
    INVOKE_MULTI = 2,
    INVOKE_SCRIPT = 4,
    INVOKE_READ_ONLY = 8,
    INVOKE_RERUN = 16,
    INVOKE_GUARDED = 32,
    INVOKE_CHAINED = 64,
    INVOKE_TOLD = 128, /* an after hook that nobody waits for: no RESULT */
};
enum { RESULT_HAS_COMMIT = 2, RESULT_HAS_ASSUMED = 4 };
enum {
    OUTCOME_DONE = 0,
    OUTCOME_REFUSED = 1,
    OUTCOME_FAILED = 2,
    OUTCOME_AGAIN = 3,
    OUTCOME_CONTINUE = 4, /* of hooks */
    OUTCOME_REWRITE = 5,
};
enum { CANCEL_DISCONNECTED = 1, CANCEL_TIMEOUT = 2, CANCEL_UNBLOCKED = 3, CANCEL_FAILED = 4 };
enum { CALL_RESP3 = 1, CALL_ATOMIC = 2, CALL_AS_PLUGIN = 4 };
typedef enum SubscriptionKind {
    SUBSCRIPTION_KEYS = 0,
    SUBSCRIPTION_CLIENTS = 1,
    SUBSCRIPTION_SERVER = 2,
    SUBSCRIPTION_PLUGINS = 3,
} SubscriptionKind;
enum { EMIT_NOTHING = 0, EMIT_BYTES = 1, EMIT_JSON = 2 }; /* what the payload is */
enum { EMIT_HOPS_MAX = 8, EMIT_NAME_MAX = 64, EMIT_PAYLOAD_MAX = 1 << 20 };
enum { CALL_DONE = 0, CALL_REFUSED = 1 };

typedef struct Frame {
    uint8_t type;
    uint8_t flags;
    uint16_t code;
    uint64_t id;
    const uint8_t *body; /* points into the bytes given to frame_parse */
    size_t body_length;
} Frame;

typedef enum FrameParse { FRAME_WHOLE, FRAME_NEEDS_MORE, FRAME_MALFORMED } FrameParse;

/* Looks at the first frame of `bytes`. FRAME_WHOLE fills *frame and sets *size to the bytes it takes up;
 * FRAME_NEEDS_MORE sets *size to the bytes the whole frame will take up (0 when not known yet). */
FrameParse frame_parse(const uint8_t *bytes, size_t length, Frame *frame, size_t *size);

/* Starts a frame at the end of `out`; frame_end, given the returned offset, fills in its length. */
size_t frame_begin(Buffer *out, FrameType type, uint8_t flags, uint16_t code, uint64_t id);
void frame_end(Buffer *out, size_t begun);

/* ===== Body reader ===== */

typedef struct Reader {
    const uint8_t *at;
    const uint8_t *end;
    bool failed;
} Reader;

typedef struct Slice { /* bytes owned by someone else */
    const uint8_t *bytes;
    size_t length;
} Slice;

Reader reader_of(const uint8_t *bytes, size_t length);
uint8_t reader_u8(Reader *r);
uint16_t reader_u16(Reader *r);
uint32_t reader_u32(Reader *r);
uint64_t reader_u64(Reader *r);
Slice reader_string(Reader *r);
/* The count of a list whose items take at least `item_size` bytes each: a count that cannot be true fails at
 * once, so that nobody allocates for it. */
uint32_t reader_count(Reader *r, size_t item_size);
/* True when nothing failed and nothing is left over. */
bool reader_done(const Reader *r);

#endif
