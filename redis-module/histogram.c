#include "histogram.h"

static int bucket_of(uint64_t value) {
    if (value < 4) return (int)value;
    int power = 63 - __builtin_clzll(value); /* >= 2 */
    int bucket = (power - 1) * 4 + (int)(value >> (power - 2) & 3);
    return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

static uint64_t upper_bound(int bucket) {
    if (bucket < 4) return (uint64_t)bucket;
    int power = bucket / 4 + 1;
    return ((uint64_t)(bucket % 4 + 5) << (power - 2)) - 1;
}

void histogram_add(Histogram *h, uint64_t microseconds) {
    h->counts[bucket_of(microseconds)]++;
    h->total++;
    if (microseconds > h->max) h->max = microseconds;
}

uint64_t histogram_percentile(const Histogram *h, double percentile) {
    if (h->total == 0) return 0;
    double wanted = (double)h->total * percentile / 100.0;
    uint64_t seen = 0;
    for (int i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += h->counts[i];
        if ((double)seen >= wanted && seen > 0) {
            uint64_t bound = upper_bound(i);
            return i < HISTOGRAM_BUCKETS - 1 && bound < h->max ? bound : h->max;
        }
    }
    return h->max;
}
