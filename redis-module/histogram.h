/* Latency histogram in microseconds: four buckets per power of two from 1 us to 2^26 us (67 s), so a
 * percentile is at most 19 % above the true value. 108 counters of 32 bits. Pure. */
#ifndef FERRITE_HISTOGRAM_H
#define FERRITE_HISTOGRAM_H

#include <stdint.h>

enum { HISTOGRAM_BUCKETS = 108 };

typedef struct Histogram {
    uint64_t total;
    uint64_t max;
    uint32_t counts[HISTOGRAM_BUCKETS];
} Histogram;

void histogram_add(Histogram *h, uint64_t microseconds);

/* Upper bound of the bucket that holds the given percentile (0..100]; 0 when empty. */
uint64_t histogram_percentile(const Histogram *h, double percentile);

#endif
