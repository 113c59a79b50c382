/* Latency histogram in microseconds: four buckets per power of two up to 2^28 us (268 s), so a percentile is less than
 * 25 % above the true value and never below it; exact below 8 us. The last bucket (from 235 s) also takes what is
 * longer; its upper bound is the largest value seen. Pure. */
#ifndef FERRITE_HISTOGRAM_H
#define FERRITE_HISTOGRAM_H

#include <stdint.h>

enum { HISTOGRAM_BUCKETS = 108 };

typedef struct Histogram {
    uint64_t total;
    uint64_t max;
    uint64_t counts[HISTOGRAM_BUCKETS]; /* 32 bits would be full after half a day at 100,000 requests a second */
} Histogram;

void histogram_add(Histogram *h, uint64_t microseconds);

/* Upper bound of the bucket that holds the given percentile (0..100], at most the largest value; 0 when empty. */
uint64_t histogram_percentile(const Histogram *h, double percentile);

#endif
