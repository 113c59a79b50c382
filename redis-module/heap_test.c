/* heap.c against a search through all entries. */
#include <inttypes.h>

#include "heap.h"
#include "testing/check.h"

enum { ENTRIES = 300 };

static HeapEntry entries[ENTRIES];

static void check_order(const Heap *heap) {
    for (uint32_t place = 1; place <= heap->count; place++) {
        const HeapEntry *entry = heap->entries[place - 1], *parent = heap->entries[place / 2 ? place / 2 - 1 : 0];
        CHECK(entry->place == place, "the entry at place %u believes to be at %u", place, entry->place);
        CHECK(parent->due <= entry->due, "place %u is due before its parent", place);
    }
}

static void check_first(const Heap *heap) {
    uint64_t earliest = UINT64_MAX;
    uint32_t count = 0;
    for (int i = 0; i < ENTRIES; i++) {
        if (!entries[i].place) continue;
        count++;
        if (entries[i].due < earliest) earliest = entries[i].due;
    }
    CHECK(heap->count == count, "%u entries, not %u", heap->count, count);
    const HeapEntry *first = heap_first(heap);
    uint64_t due = first ? first->due : UINT64_MAX;
    CHECK(due == earliest, "the first is due at %" PRIu64 ", not %" PRIu64, due, earliest);
}

/* Few values, so that many are the same. */
static void random_steps(void) {
    Heap heap = {0};
    for (int i = 0; i < ENTRIES; i++) entries[i] = (HeapEntry){0};
    for (int step = 0; step < check_rounds(20000, 500000); step++) {
        HeapEntry *entry = &entries[check_random(ENTRIES)];
        if (entry->place || check_random(4) == 0) {
            heap_remove(&heap, entry);
            CHECK(entry->place == 0, "it is still in");
        } else {
            entry->due = check_random(1 + check_random(1000));
            heap_add(&heap, entry);
        }
        check_first(&heap);
        if (step % 100 == 0) check_order(&heap);
    }
    heap_free(&heap);
}

static void comes_out_in_order(void) {
    Heap heap = {0};
    for (int i = 0; i < ENTRIES; i++) {
        entries[i] = (HeapEntry){.due = check_random(1000)};
        heap_add(&heap, &entries[i]);
    }
    uint64_t before = 0;
    int count = 0;
    for (HeapEntry *first; (first = heap_first(&heap)); count++) {
        CHECK(first->due >= before, "%" PRIu64 " comes after %" PRIu64, first->due, before);
        before = first->due;
        heap_remove(&heap, first);
    }
    CHECK(count == ENTRIES, "%d came out of %d", count, ENTRIES);
    heap_free(&heap);
}

/* Deadlines come in the order of their requests as a rule. */
static void large(void) {
    enum { MANY = 100000 };
    static HeapEntry many[MANY];
    Heap heap = {0};
    double begun = check_seconds();
    for (int i = 0; i < MANY; i++) {
        many[i] = (HeapEntry){.due = (uint64_t)i};
        heap_add(&heap, &many[i]);
    }
    for (int i = MANY / 2; i < MANY; i++) heap_remove(&heap, &many[i]);
    for (int i = 0; i < MANY / 2; i++) heap_remove(&heap, &many[i]);
    CHECK(check_seconds() - begun < 5, "%d entries took %.1f s", MANY, check_seconds() - begun);
    CHECK(!heap_first(&heap), "something is left");
    heap_free(&heap);
}

int main(void) {
    check_run("heap: the first is the earliest after any step", random_steps);
    check_run("heap: what is due comes out in order", comes_out_in_order);
    check_run("heap: 100,000 entries come and go in a moment", large);
    return check_end();
}
