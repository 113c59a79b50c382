/* A binary heap of what is due, earliest first. Its entries live in what they stand for and know their place, so that
 * each can leave at any time. Pure. */
#ifndef FERRITE_HEAP_H
#define FERRITE_HEAP_H

#include <stdint.h>

typedef struct HeapEntry {
    uint64_t due;   /* set before heap_add, constant while in the heap */
    uint32_t place; /* in the heap, from 1; 0: in none */
} HeapEntry;

typedef struct Heap {
    HeapEntry **entries; /* the one at place p is entries[p - 1], its parent is at p / 2 */
    uint32_t count, room;
} Heap;

/* The entry stays the caller's, who removes it before freeing it. */
void heap_add(Heap *heap, HeapEntry *entry);

/* Does nothing when it is not in. */
void heap_remove(Heap *heap, HeapEntry *entry);

/* NULL when the heap is empty. */
HeapEntry *heap_first(const Heap *heap);

/* Frees the heap, not the entries. */
void heap_free(Heap *heap);

#endif
