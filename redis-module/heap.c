#include "heap.h"

#include <stddef.h>

#include "memory.h"

static void put(Heap *heap, HeapEntry *entry, uint32_t place) {
    heap->entries[place - 1] = entry;
    entry->place = place;
}

static HeapEntry *at(const Heap *heap, uint32_t place) {
    return heap->entries[place - 1];
}

/* Puts the entry at this place, which is empty, or above it. */
static void rise(Heap *heap, HeapEntry *entry, uint32_t place) {
    for (; place > 1 && at(heap, place / 2)->due > entry->due; place /= 2) put(heap, at(heap, place / 2), place);
    put(heap, entry, place);
}

/* Puts the entry at this place, which is empty, or below it. */
static void sink(Heap *heap, HeapEntry *entry, uint32_t place) {
    for (;;) {
        uint32_t child = place * 2;
        if (child > heap->count) break;
        if (child < heap->count && at(heap, child + 1)->due < at(heap, child)->due) child++;
        if (at(heap, child)->due >= entry->due) break;
        put(heap, at(heap, child), place);
        place = child;
    }
    put(heap, entry, place);
}

void heap_add(Heap *heap, HeapEntry *entry) {
    if (heap->count == heap->room) {
        heap->room = heap->room ? heap->room * 2 : 64;
        heap->entries = memory_realloc(heap->entries, heap->room * sizeof(HeapEntry *));
    }
    rise(heap, entry, ++heap->count);
}

void heap_remove(Heap *heap, HeapEntry *entry) {
    uint32_t place = entry->place;
    if (place == 0) return;
    entry->place = 0;
    HeapEntry *last = at(heap, heap->count--);
    if (last == entry) return;
    if (place > 1 && at(heap, place / 2)->due > last->due)
        rise(heap, last, place);
    else
        sink(heap, last, place);
}

HeapEntry *heap_first(const Heap *heap) {
    return heap->count > 0 ? at(heap, 1) : NULL;
}

void heap_free(Heap *heap) {
    memory_free(heap->entries);
    *heap = (Heap){0};
}
