/* A lane's input: bytes from the host in pieces of any size, through Buffer and frame_parse, and every body through the
 * reader. The first byte of the input is the seed of the sizes. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "frame.h"
#include "message.h"
#include "resp.h"
#include "testing/frame_copy.h"
#include "testing/require.h"

typedef struct Outcome {
    unsigned frames, accepted;
    FrameParse last;
    Buffer copied; /* the frames that were accepted, written again */
} Outcome;

static bool is_value(Slice value, uint32_t slots) {
    return resp_is_value(value.bytes, value.length, slots);
}

/* Reads the body in an order that no protocol has: the reader must stay inside all the same. */
static void read_anyhow(const Frame *frame) {
    Reader reader = reader_of(frame->body, frame->body_length);
    unsigned order = frame->code;
    while (!reader.failed && reader.at < reader.end) {
        const uint8_t *before = reader.at;
        Slice slice = {0};
        switch (order = order * 5 + 1, order >> 4 & 7) {
            case 0:
                reader_u8(&reader);
                break;
            case 1:
                reader_u16(&reader);
                break;
            case 2:
                reader_u32(&reader);
                break;
            case 3:
                reader_u64(&reader);
                break;
            case 4:
                REQUIRE(reader_count(&reader, 1 + (order & 31)) <= frame->body_length);
                break;
            default:
                slice = reader_string(&reader);
                REQUIRE(slice.bytes != NULL && slice.length <= frame->body_length);
        }
        REQUIRE(reader.failed ? slice.length == 0 : reader.at > before && reader.at <= reader.end);
    }
    if (!reader.failed) return;
    REQUIRE(reader_u64(&reader) == 0 && reader_count(&reader, 1) == 0 && !reader_done(&reader));
}

static void take_frame(const Frame *frame, const uint8_t *bytes, size_t size, Outcome *outcome) {
    REQUIRE(size >= FRAME_HEADER_SIZE && frame->body_length == size - FRAME_HEADER_SIZE);
    outcome->frames++;
    message_problem(frame);
    read_anyhow(frame);
    for (int sender = SENT_BY_HOST; sender <= SENT_BY_MODULE; sender++) {
        Buffer copy = {0};
        if (frame_copy(frame, (FrameSender)sender, &copy, is_value)) {
            outcome->accepted++;
            REQUIRE(sender != SENT_BY_HOST || !message_problem(frame));
            REQUIRE(buffer_length(&copy) == size && memcmp(buffer_front(&copy), bytes, size) == 0);
            buffer_put(&outcome->copied, buffer_front(&copy), size);
        }
        buffer_free(&copy);
    }
}

/* As lane.c does it; false when the stream is at its end. */
static bool take_frames(Buffer *in, Outcome *outcome) {
    for (;;) {
        Frame frame;
        size_t size;
        outcome->last = frame_parse(buffer_front(in), buffer_length(in), &frame, &size);
        if (outcome->last == FRAME_MALFORMED) return false;
        REQUIRE((size == 0) == (buffer_length(in) < 4));
        if (outcome->last == FRAME_NEEDS_MORE) return true;
        take_frame(&frame, buffer_front(in), size, outcome);
        buffer_consume(in, size);
    }
}

/* `seed` 0: all at once. */
static Outcome feed(const uint8_t *data, size_t size, unsigned seed) {
    Outcome outcome = {.last = FRAME_NEEDS_MORE};
    Buffer in = {0};
    for (size_t at = 0, piece; at < size; at += piece) {
        seed = seed * 1103515245 + 12345 * (seed != 0);
        piece = seed ? 1 + (seed >> 16) % (seed >> 24 & 1 ? 7 : 200) : size;
        if (piece > size - at) piece = size - at;
        /* The room at the end, as recv is given it; what is not filled stays undefined. */
        memcpy(buffer_reserve(&in, piece + 64), data + at, piece);
        in.end += piece;
        if (!take_frames(&in, &outcome)) break;
    }
    buffer_free(&in);
    return outcome;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1) return 0;
    Outcome pieces = feed(data + 1, size - 1, data[0] + 1u), whole = feed(data + 1, size - 1, 0);
    REQUIRE(pieces.frames == whole.frames && pieces.accepted == whole.accepted && pieces.last == whole.last);
    REQUIRE(buffer_length(&pieces.copied) == buffer_length(&whole.copied));
    buffer_free(&pieces.copied);
    buffer_free(&whole.copied);
    return 0;
}
