#include "buffer.h"

#include <string.h>

#include "memory.h"

enum { KEEP_WHEN_EMPTY = 1 << 20, FIRST_CAPACITY = 128, GROWTH = 4096 };

uint8_t *buffer_reserve(Buffer *b, size_t count) {
    if (b->bytes && b->capacity - b->end >= count) return b->bytes + b->end;
    size_t length = buffer_length(b);
    if (b->bytes && b->capacity - length >= count && b->start >= length) {
        /* The consumed part is at least as large as what is left: moving costs less than was consumed. */
        memcpy(b->bytes, b->bytes + b->start, length);
    } else {
        size_t wanted = b->capacity ? b->capacity : FIRST_CAPACITY;
        while (wanted - length < count) wanted += wanted / 2 + GROWTH;
        uint8_t *larger = memory_alloc(wanted);
        if (length) memcpy(larger, b->bytes + b->start, length);
        memory_free(b->bytes);
        b->bytes = larger;
        b->capacity = wanted;
    }
    b->start = 0;
    b->end = length;
    return b->bytes + length;
}

void buffer_consume(Buffer *b, size_t count) {
    b->start += count;
    if (b->start < b->end) return;
    b->start = b->end = 0;
    if (b->capacity > KEEP_WHEN_EMPTY) buffer_free(b);
}

void buffer_free(Buffer *b) {
    memory_free(b->bytes);
    *b = (Buffer){0};
}

void buffer_empty(Buffer *b, size_t keep) {
    if (b->capacity > keep)
        buffer_free(b);
    else
        b->start = b->end = 0;
}

void buffer_put(Buffer *b, const void *bytes, size_t count) {
    if (count == 0) return;
    memcpy(buffer_reserve(b, count), bytes, count);
    b->end += count;
}

void buffer_put_u8(Buffer *b, uint8_t value) {
    *buffer_reserve(b, 1) = value;
    b->end += 1;
}

static void put_little_endian(uint8_t *to, uint64_t value, int count) {
    for (int i = 0; i < count; i++) to[i] = (uint8_t)(value >> (8 * i));
}

void buffer_put_u16(Buffer *b, uint16_t value) {
    put_little_endian(buffer_reserve(b, 2), value, 2);
    b->end += 2;
}

void buffer_put_u32(Buffer *b, uint32_t value) {
    put_little_endian(buffer_reserve(b, 4), value, 4);
    b->end += 4;
}

void buffer_put_u64(Buffer *b, uint64_t value) {
    put_little_endian(buffer_reserve(b, 8), value, 8);
    b->end += 8;
}

void buffer_put_string(Buffer *b, const void *bytes, size_t count) {
    buffer_put_u32(b, (uint32_t)count);
    buffer_put(b, bytes, count);
}

void buffer_put_cstring(Buffer *b, const char *text) {
    buffer_put_string(b, text, strlen(text));
}

void buffer_patch_u32(Buffer *b, size_t offset, uint32_t value) {
    put_little_endian(buffer_front(b) + offset, value, 4);
}
