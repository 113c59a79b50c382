/* buffer.c against a plain array. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buffer.h"
#include "testing/check.h"

enum { MODEL_SIZE = 4 << 20 };

typedef struct Model {
    uint8_t *bytes;
    size_t start, end;
} Model;

static void model_put(Model *m, const void *bytes, size_t count) {
    memcpy(m->bytes + m->end, bytes, count);
    m->end += count;
}

static void put_something(Buffer *b, Model *m) {
    static uint8_t bytes[20000];
    uint64_t value = check_random(UINT64_MAX);
    size_t count = check_random(check_random(8) == 0 ? sizeof(bytes) : 64);
    for (size_t i = 0; i < count; i++) bytes[i] = (uint8_t)(value >> (i % 57));
    uint8_t number[8];
    for (int i = 0; i < 8; i++) number[i] = (uint8_t)(value >> (8 * i));
    switch (check_random(7)) {
        case 0:
            buffer_put_u8(b, (uint8_t)value);
            model_put(m, number, 1);
            break;
        case 1:
            buffer_put_u16(b, (uint16_t)value);
            model_put(m, number, 2);
            break;
        case 2:
            buffer_put_u32(b, (uint32_t)value);
            model_put(m, number, 4);
            break;
        case 3:
            buffer_put_u64(b, value);
            model_put(m, number, 8);
            break;
        case 4:
            buffer_put_string(b, bytes, count);
            model_put(m, (uint8_t[]){(uint8_t)count, (uint8_t)(count >> 8), 0, 0}, 4);
            model_put(m, bytes, count);
            break;
        case 5: /* as a lane reads: into the room at the end */
            memcpy(buffer_reserve(b, count + 1), bytes, count);
            b->end += count;
            model_put(m, bytes, count);
            break;
        default:
            buffer_put(b, bytes, count);
            model_put(m, bytes, count);
    }
}

static bool same(const Buffer *b, const Model *m) {
    size_t length = buffer_length(b);
    return length == m->end - m->start && b->start <= b->end && b->end <= b->capacity + (b->bytes == NULL) &&
           (length == 0 || memcmp(buffer_front(b), m->bytes + m->start, length) == 0);
}

static void random_operations(void) {
    Model m = {.bytes = malloc(MODEL_SIZE)};
    if (!m.bytes) abort();
    for (int round = 0; round < check_rounds(20, 500); round++) {
        Buffer b = {0};
        m.start = m.end = 0;
        for (int step = 0; step < 2000 && m.end < MODEL_SIZE - 30000; step++) {
            size_t length = buffer_length(&b);
            uint64_t what = check_random(10);
            if (what < 6) {
                put_something(&b, &m);
            } else if (what < 9) {
                size_t count = check_random(4) ? check_random(length + 1) : length;
                buffer_consume(&b, count);
                m.start += count;
            } else if (length >= 4) {
                size_t offset = check_random(length - 3);
                uint32_t value = (uint32_t)check_random(1ull << 32);
                buffer_patch_u32(&b, offset, value);
                for (int i = 0; i < 4; i++) m.bytes[m.start + offset + (size_t)i] = (uint8_t)(value >> (8 * i));
            }
            if (!CHECK(same(&b, &m), "differs from the model at round %d, step %d", round, step)) break;
        }
        buffer_free(&b);
        CHECK(b.bytes == NULL && b.capacity == 0 && buffer_length(&b) == 0, "buffer_free leaves something");
    }
    free(m.bytes);
}

static void empty_buffer(void) {
    Buffer b = {0};
    CHECK(buffer_length(&b) == 0 && buffer_front(&b) == NULL, "a zeroed buffer is not empty");
    buffer_put(&b, NULL, 0);
    buffer_consume(&b, 0);
    CHECK(b.bytes == NULL, "putting nothing allocated %zu bytes", b.capacity);
    buffer_put_cstring(&b, "");
    CHECK(buffer_length(&b) == 4, "an empty str takes %zu bytes", buffer_length(&b));
    buffer_free(&b);
    buffer_free(&b);
}

static void gives_memory_back(void) {
    Buffer b = {0};
    memset(buffer_reserve(&b, 3 << 20), 1, 3 << 20);
    b.end += 3 << 20;
    buffer_consume(&b, (3 << 20) - 1);
    CHECK(b.capacity >= 3 << 20, "memory given back while a byte was left");
    buffer_consume(&b, 1);
    CHECK(b.bytes == NULL && b.capacity == 0, "%zu bytes kept by an empty buffer", b.capacity);
    buffer_put(&b, "x", 1);
    buffer_consume(&b, 1);
    CHECK(b.bytes != NULL, "a small empty buffer gave its memory away");
    buffer_free(&b);
}

static void empties(void) {
    Buffer b = {0};
    buffer_empty(&b, 0);
    buffer_put(&b, "abc", 3);
    buffer_consume(&b, 1);
    size_t capacity = b.capacity;
    buffer_empty(&b, capacity);
    CHECK(buffer_length(&b) == 0 && b.capacity == capacity, "memory within the limit was not kept");
    buffer_put(&b, "x", 1);
    CHECK(buffer_length(&b) == 1 && *buffer_front(&b) == 'x', "an emptied buffer does not begin anew");
    buffer_empty(&b, capacity - 1);
    CHECK(b.bytes == NULL && b.capacity == 0, "%zu bytes kept, more than the limit", b.capacity);
}

/* What is left is moved to the front only where the two places do not overlap. */
static void moves_without_overlap(void) {
    for (int more = -1; more <= 1; more++) {
        Buffer b = {0};
        uint8_t bytes[4096];
        for (int i = 0; i < 4096; i++) bytes[i] = (uint8_t)(i * 7);
        buffer_put(&b, bytes, 1);
        size_t capacity = b.capacity, consumed = capacity / 2 - 1, left = consumed + (size_t)more;
        buffer_put(&b, bytes + 1, consumed + left - 1);
        buffer_consume(&b, consumed);
        buffer_reserve(&b, capacity - left);
        CHECK(buffer_length(&b) == left && memcmp(buffer_front(&b), bytes + consumed, left) == 0, "other bytes");
        buffer_free(&b);
    }
}

static void queue_stays_small(void) {
    Buffer b = {0};
    uint8_t bytes[1000] = {0};
    buffer_put(&b, bytes, 10);
    for (int i = 0; i < 100000; i++) {
        buffer_put(&b, bytes, sizeof(bytes));
        buffer_consume(&b, sizeof(bytes));
    }
    CHECK(b.capacity <= 16384, "100 MB through a queue of 10 bytes made it %zu bytes large", b.capacity);
    buffer_free(&b);
}

int main(void) {
    check_run("buffer: does what a plain array does under random operations", random_operations);
    check_run("buffer: an empty one has no memory and can be freed twice", empty_buffer);
    check_run("buffer: emptied, it keeps memory up to the limit given", empties);
    check_run("buffer: gives its memory back when emptied after it grew beyond 1 MiB", gives_memory_back);
    check_run("buffer: moves what is left only where that does not overlap", moves_without_overlap);
    check_run("buffer: does not grow when as much is consumed as is put in", queue_stays_small);
    return check_end();
}
