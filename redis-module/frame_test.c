/* frame.c: the shared vectors, frames cut and glued at every byte, and the reader's promises. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frame.h"
#include "message.h"
#include "resp.h"
#include "testing/check.h"
#include "testing/frame_copy.h"
#include "testing/vectors.h"

static bool is_value(Slice value, uint32_t slots) {
    return resp_is_value(value.bytes, value.length, slots);
}

static bool of_kind(const Vector *vector, const char *kind) {
    size_t length = strlen(kind);
    return strncmp(vector->name, kind, length) == 0 && vector->name[length] == '/';
}

/* Calls `visit` for every vector of the kind; the bytes are a copy that ends where the vector ends. */
static void each_vector(const char *kind, void (*visit)(const Vector *)) {
    int count, seen = 0;
    const Vector *all = vectors_all(&count);
    for (int i = 0; i < count; i++) {
        if (!of_kind(&all[i], kind)) continue;
        seen++;
        Vector copy = all[i];
        copy.bytes = exact_copy(all[i].bytes, all[i].length);
        visit(&copy);
        free(copy.bytes);
    }
    CHECK(seen > 0, "vectors.txt has no %s", kind);
}

static bool decodes(const Vector *vector, FrameSender sender, Buffer *out) {
    Frame frame;
    size_t size;
    return frame_parse(vector->bytes, vector->length, &frame, &size) == FRAME_WHOLE && size == vector->length &&
           frame_copy(&frame, sender, out, is_value);
}

/* What the module says to it. */
static const char *problem_of(const Vector *vector) {
    Frame frame;
    size_t size;
    bool whole = frame_parse(vector->bytes, vector->length, &frame, &size) == FRAME_WHOLE && size == vector->length;
    return whole ? message_problem(&frame) : "no frame";
}

static void good_vector(const Vector *vector) {
    FrameSender sender = of_kind(vector, "host-frame") ? SENT_BY_HOST : SENT_BY_MODULE;
    Buffer out = {0};
    bool ok = decodes(vector, sender, &out);
    CHECK(ok, "%s is refused", vector->name);
    if (ok && sender == SENT_BY_HOST) CHECK(!problem_of(vector), "%s: %s", vector->name, problem_of(vector));
    CHECK(!ok || (buffer_length(&out) == vector->length && !memcmp(buffer_front(&out), vector->bytes, vector->length)),
          "%s is encoded differently", vector->name);
    buffer_free(&out);
}

static void bad_vector(const Vector *vector) {
    FrameSender sender = of_kind(vector, "bad-host-frame") ? SENT_BY_HOST : SENT_BY_MODULE;
    Buffer out = {0};
    CHECK(!decodes(vector, sender, &out), "%s is taken for a frame", vector->name);
    if (sender == SENT_BY_HOST) CHECK(problem_of(vector), "%s is taken for a message", vector->name);
    buffer_free(&out);
}

static void good_vectors(void) {
    each_vector("host-frame", good_vector);
    each_vector("module-frame", good_vector);
}

static void bad_vectors(void) {
    each_vector("bad-host-frame", bad_vector);
    each_vector("bad-module-frame", bad_vector);
}

static void cut_vector(const Vector *vector) {
    for (size_t length = 0; length < vector->length; length++) {
        uint8_t *bytes = exact_copy(vector->bytes, length);
        Frame frame;
        size_t size;
        FrameParse parsed = frame_parse(bytes, length, &frame, &size);
        CHECK(parsed == FRAME_NEEDS_MORE, "%s cut to %zu bytes: parsed as %d", vector->name, length, (int)parsed);
        CHECK(size == (length < 4 ? 0 : vector->length), "%s cut to %zu bytes: size %zu", vector->name, length, size);
        free(bytes);
    }
}

static void cut_frames(void) {
    each_vector("host-frame", cut_vector);
    each_vector("module-frame", cut_vector);
}

/* A body cut anywhere, with its length field put right, is refused: no field is optional. */
static void cut_body(const Vector *vector) {
    for (size_t length = FRAME_HEADER_SIZE; length < vector->length; length++) {
        Vector shorter = {.bytes = exact_copy(vector->bytes, length), .length = length};
        for (int i = 0; i < 4; i++) shorter.bytes[i] = (uint8_t)((length - 4) >> (8 * i));
        FrameSender sender = of_kind(vector, "host-frame") ? SENT_BY_HOST : SENT_BY_MODULE;
        Buffer out = {0};
        CHECK(!decodes(&shorter, sender, &out), "%s with a body of %zu bytes is taken for a frame", vector->name,
              length - FRAME_HEADER_SIZE);
        buffer_free(&out);
        free(shorter.bytes);
    }
}

static void cut_bodies(void) {
    each_vector("host-frame", cut_body);
    each_vector("module-frame", cut_body);
}

/* All host vectors as one stream, in random pieces, through a Buffer as in lane.c. */
static void stream_in_pieces(void) {
    int count;
    const Vector *all = vectors_all(&count);
    Buffer stream = {0}, in = {0}, out = {0};
    for (int i = 0; i < count; i++) {
        if (of_kind(&all[i], "host-frame")) buffer_put(&stream, all[i].bytes, all[i].length);
    }
    for (int round = 0; round < check_rounds(50, 2000); round++) {
        for (size_t at = 0, piece; at < buffer_length(&stream); at += piece) {
            piece = 1 + check_random(check_random(2) ? 8 : 300);
            if (piece > buffer_length(&stream) - at) piece = buffer_length(&stream) - at;
            buffer_put(&in, buffer_front(&stream) + at, piece);
            Frame frame;
            size_t size;
            while (frame_parse(buffer_front(&in), buffer_length(&in), &frame, &size) == FRAME_WHOLE) {
                CHECK(frame_copy(&frame, SENT_BY_HOST, &out, is_value), "frame of type %d refused", frame.type);
                buffer_consume(&in, size);
            }
        }
        CHECK(buffer_length(&in) == 0, "%zu bytes left over", buffer_length(&in));
        CHECK(buffer_length(&out) == buffer_length(&stream) &&
                  memcmp(buffer_front(&out), buffer_front(&stream), buffer_length(&out)) == 0,
              "the stream comes out differently");
        buffer_consume(&out, buffer_length(&out));
    }
    buffer_free(&stream);
    buffer_free(&in);
    buffer_free(&out);
}

static FrameParse parse_length(uint32_t counted) {
    uint8_t bytes[4] = {(uint8_t)counted, (uint8_t)(counted >> 8), (uint8_t)(counted >> 16), (uint8_t)(counted >> 24)};
    Frame frame;
    size_t size;
    return frame_parse(bytes, 4, &frame, &size);
}

static void length_limits(void) {
    CHECK(parse_length(0) == FRAME_MALFORMED && parse_length(11) == FRAME_MALFORMED, "a length below 12 is accepted");
    CHECK(parse_length(12) == FRAME_NEEDS_MORE, "length 12 is refused");
    CHECK(parse_length(537919488) == FRAME_NEEDS_MORE, "length 537919488 is refused");
    CHECK(parse_length(537919489) == FRAME_MALFORMED, "length 537919489 is accepted");
    CHECK(parse_length(UINT32_MAX) == FRAME_MALFORMED, "length 2^32-1 is accepted");
}

static void reader_after_failure(void) {
    uint8_t *bytes = exact_copy("\x05\0\0\0abcd\1\2\3\4\5\6\7\10", 16);
    Reader r = reader_of(bytes, 8); /* a str of 5 bytes, of which 4 are there */
    Slice slice = reader_string(&r);
    CHECK(r.failed && slice.length == 0 && slice.bytes != NULL, "a str that is too long is read");
    r.end = bytes + 16; /* more would be there now, but it stays failed */
    CHECK(reader_u8(&r) == 0 && reader_u16(&r) == 0 && reader_u32(&r) == 0 && reader_u64(&r) == 0 &&
              reader_string(&r).length == 0 && reader_count(&r, 1) == 0,
          "a failed reader yields something");
    CHECK(!reader_done(&r), "a failed reader is done");
    free(bytes);
}

static void reader_of_nothing(void) {
    Buffer empty = {0};
    Reader r = reader_of(buffer_front(&empty), 0);
    CHECK(reader_done(&r), "a reader of nothing is not done");
    CHECK(reader_u8(&r) == 0 && r.failed, "a reader of nothing yields a byte");
}

static void counts_that_lie(void) {
    uint8_t *bytes = exact_copy("\x03\0\0\0abcdef", 10);
    Reader r = reader_of(bytes, 10);
    CHECK(reader_count(&r, 2) == 3 && !r.failed, "3 items of 2 bytes in 6 bytes are refused");
    r = reader_of(bytes, 9);
    CHECK(reader_count(&r, 2) == 0 && r.failed, "3 items of 2 bytes in 5 bytes are accepted");
    memset(bytes, 255, 4);
    r = reader_of(bytes, 10);
    CHECK(reader_count(&r, 4) == 0 && r.failed, "2^32-1 items in 6 bytes are accepted");
    free(bytes);
}

static void header_fields(void) {
    Buffer out = {0};
    buffer_put_u8(&out, 9); /* something before it: frames are written one behind the other */
    size_t begun = frame_begin(&out, FRAME_EVENT, 0xa5, 0x1234, 0x1122334455667788u);
    buffer_put_cstring(&out, "body");
    frame_end(&out, begun);
    Frame frame;
    size_t size;
    CHECK(frame_parse(buffer_front(&out) + 1, buffer_length(&out) - 1, &frame, &size) == FRAME_WHOLE, "not whole");
    CHECK(size == 24 && frame.type == FRAME_EVENT && frame.flags == 0xa5 && frame.code == 0x1234 &&
              frame.id == 0x1122334455667788u && frame.body_length == 8 && memcmp(frame.body + 4, "body", 4) == 0,
          "size %zu, type %d, flags %x, code %x, body of %zu", size, frame.type, frame.flags, frame.code,
          frame.body_length);
    buffer_free(&out);
}

/* An EMIT of that event, as message_problem sees it. */
static const char *problem_of_emit(const char *event, size_t length, size_t payload) {
    Buffer out = {0};
    uint8_t *bytes = calloc(1, payload + 1);
    size_t begun = frame_begin(&out, FRAME_EMIT, 0, 1, 0);
    buffer_put_cstring(&out, "shop");
    buffer_put_string(&out, event, length);
    buffer_put_u8(&out, EMIT_BYTES);
    buffer_put_string(&out, bytes, payload);
    frame_end(&out, begun);
    Frame frame;
    size_t size;
    frame_parse(buffer_front(&out), buffer_length(&out), &frame, &size);
    const char *problem = message_problem(&frame);
    buffer_free(&out);
    free(bytes);
    return problem;
}

static void emitted_names(void) {
    static const char *const good[] = {"a", "Z", "order.paid", "a:b_c-d.9"};
    static const char *const bad[] = {"", "1a", ".a", "a b", "a\n", "a%", "\xc3\xa9", "a/b"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        CHECK(!problem_of_emit(good[i], strlen(good[i]), 3), "'%s' is refused", good[i]);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        CHECK(problem_of_emit(bad[i], strlen(bad[i]), 3), "'%s' is accepted", bad[i]);
    }
    CHECK(problem_of_emit("a\0b", 3, 3), "a NUL is accepted");
    char long_name[EMIT_NAME_MAX + 1];
    memset(long_name, 'x', sizeof(long_name));
    CHECK(!problem_of_emit(long_name, EMIT_NAME_MAX, 3), "64 bytes are refused");
    CHECK(problem_of_emit(long_name, EMIT_NAME_MAX + 1, 3), "65 bytes are accepted");
    CHECK(!problem_of_emit("a", 1, EMIT_PAYLOAD_MAX), "a payload of 1 MiB is refused");
    CHECK(problem_of_emit("a", 1, EMIT_PAYLOAD_MAX + 1), "a payload of more is accepted");
}

int main(void) {
    check_run("frame: the shared vectors decode, and encode to the same bytes", good_vectors);
    check_run("frame: the shared malformed frames are refused", bad_vectors);
    check_run("frame: a frame cut at any byte needs more", cut_frames);
    check_run("frame: a body cut at any byte is refused", cut_bodies);
    check_run("frame: a stream in random pieces gives the same frames", stream_in_pieces);
    check_run("frame: lengths from 12 to 513 MiB", length_limits);
    check_run("frame: every header field comes back", header_fields);
    check_run("message: names and payloads of emitted events", emitted_names);
    check_run("reader: yields zeroes after the first failure", reader_after_failure);
    check_run("reader: of an empty buffer", reader_of_nothing);
    check_run("reader: a count that cannot be true fails at once", counts_that_lie);
    return check_end();
}
