/* A growable byte queue: bytes are appended at the end and consumed from the front. Lanes use one for
 * input and one for output; messages are written straight into the latter. */
#ifndef FERRITE_BUFFER_H
#define FERRITE_BUFFER_H

#include <stddef.h>
#include <stdint.h>

typedef struct Buffer {
    uint8_t *bytes;
    size_t start;    /* first byte not consumed yet */
    size_t end;      /* one past the last byte; start <= end <= capacity */
    size_t capacity; /* 0 as long as bytes is NULL */
} Buffer;

static inline size_t buffer_length(const Buffer *b) {
    return b->end - b->start;
}

static inline uint8_t *buffer_front(const Buffer *b) {
    return b->bytes ? b->bytes + b->start : NULL; /* NULL + 0 is undefined in C */
}

/* Makes room for `count` more bytes and returns where they go; the caller adds what it wrote to `end`. */
uint8_t *buffer_reserve(Buffer *b, size_t count);

/* Drops `count` bytes at the front; an emptied buffer that had grown beyond 1 MiB gives its memory back. */
void buffer_consume(Buffer *b, size_t count);

/* Drops everything; more than `keep` bytes of memory are given back. */
void buffer_empty(Buffer *b, size_t keep);
void buffer_free(Buffer *b);

void buffer_put(Buffer *b, const void *bytes, size_t count);
void buffer_put_u8(Buffer *b, uint8_t value);
void buffer_put_u16(Buffer *b, uint16_t value);
void buffer_put_u32(Buffer *b, uint32_t value);
void buffer_put_u64(Buffer *b, uint64_t value);
/* The protocol's str: u32 length and the bytes. */
void buffer_put_string(Buffer *b, const void *bytes, size_t count);
void buffer_put_cstring(Buffer *b, const char *text);
/* Overwrites the u32 at `offset` bytes after the front. */
void buffer_patch_u32(Buffer *b, size_t offset, uint32_t value);

#endif
