#include "frame.h"

static uint64_t little_endian(const uint8_t *bytes, int count) {
    uint64_t value = 0;
    for (int i = count - 1; i >= 0; i--) value = value << 8 | bytes[i];
    return value;
}

FrameParse frame_parse(const uint8_t *bytes, size_t length, Frame *frame, size_t *size) {
    *size = 0;
    if (length < 4) return FRAME_NEEDS_MORE;
    uint64_t counted = little_endian(bytes, 4);
    if (counted < FRAME_LENGTH_MIN || counted > FRAME_LENGTH_MAX) return FRAME_MALFORMED;
    *size = (size_t)counted + 4;
    if (length < *size) return FRAME_NEEDS_MORE;
    frame->type = bytes[4];
    frame->flags = bytes[5];
    frame->code = (uint16_t)little_endian(bytes + 6, 2);
    frame->id = little_endian(bytes + 8, 8);
    frame->body = bytes + FRAME_HEADER_SIZE;
    frame->body_length = (size_t)counted - FRAME_LENGTH_MIN;
    return FRAME_WHOLE;
}

size_t frame_begin(Buffer *out, FrameType type, uint8_t flags, uint16_t code, uint64_t id) {
    size_t begun = buffer_length(out);
    buffer_put_u32(out, 0);
    buffer_put_u8(out, (uint8_t)type);
    buffer_put_u8(out, flags);
    buffer_put_u16(out, code);
    buffer_put_u64(out, id);
    return begun;
}

void frame_end(Buffer *out, size_t begun) {
    buffer_patch_u32(out, begun, (uint32_t)(buffer_length(out) - begun - 4));
}

Reader reader_of(const uint8_t *bytes, size_t length) {
    return (Reader){.at = bytes, .end = length ? bytes + length : bytes, .failed = false};
}

static const uint8_t *reader_take(Reader *r, size_t count) {
    if (r->failed || (size_t)(r->end - r->at) < count) {
        r->failed = true;
        return NULL;
    }
    const uint8_t *taken = r->at;
    r->at += count;
    return taken;
}

static uint64_t reader_number(Reader *r, int count) {
    const uint8_t *bytes = reader_take(r, (size_t)count);
    return bytes ? little_endian(bytes, count) : 0;
}

uint8_t reader_u8(Reader *r) {
    return (uint8_t)reader_number(r, 1);
}

uint16_t reader_u16(Reader *r) {
    return (uint16_t)reader_number(r, 2);
}

uint32_t reader_u32(Reader *r) {
    return (uint32_t)reader_number(r, 4);
}

uint64_t reader_u64(Reader *r) {
    return reader_number(r, 8);
}

Slice reader_string(Reader *r) {
    size_t length = reader_u32(r);
    const uint8_t *bytes = reader_take(r, length);
    return bytes ? (Slice){.bytes = bytes, .length = length} : (Slice){.bytes = (const uint8_t *)"", .length = 0};
}

uint32_t reader_count(Reader *r, size_t item_size) {
    uint32_t count = reader_u32(r);
    if (r->failed || count > (size_t)(r->end - r->at) / item_size) {
        r->failed = true;
        return 0;
    }
    return count;
}

bool reader_done(const Reader *r) {
    return !r->failed && r->at == r->end;
}
