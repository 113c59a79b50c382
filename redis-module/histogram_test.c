/* histogram.c against a sorted array. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "histogram.h"
#include "testing/check.h"

enum { VALUES_MAX = 5000 };

static int compare(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* The smallest value that at least `percentile` per cent of the values do not exceed. */
static uint64_t exact(const uint64_t *sorted, int count, double percentile) {
    int rank = (int)ceil(count * percentile / 100.0);
    return sorted[rank < 1 ? 0 : rank - 1];
}

static void against_sorted_array(void) {
    static uint64_t values[VALUES_MAX];
    static const double percentiles[] = {0.1, 1, 10, 25, 50, 75, 90, 99, 99.9, 100};
    for (int round = 0; round < check_rounds(200, 5000); round++) {
        Histogram h = {0};
        int count = 1 + (int)check_random(VALUES_MAX), bits = 1 + (int)check_random(32);
        for (int i = 0; i < count; i++) {
            values[i] = check_random(1ull << (1 + check_random((uint64_t)bits)));
            histogram_add(&h, values[i]);
        }
        qsort(values, (size_t)count, sizeof(values[0]), compare);
        for (size_t i = 0; i < sizeof(percentiles) / sizeof(percentiles[0]); i++) {
            uint64_t truth = exact(values, count, percentiles[i]), got = histogram_percentile(&h, percentiles[i]);
            uint64_t limit = truth >= 7ull << 25 ? h.max : truth + truth / 4;
            CHECK(got >= truth && got <= limit, "p%g of %d values: got %" PRIu64 ", true %" PRIu64, percentiles[i],
                  count, got, truth);
            CHECK(got <= h.max, "above the largest value");
            CHECK(truth >= 8 || got == truth || got == h.max, "%" PRIu64 " is not exact: %" PRIu64, truth, got);
        }
    }
}

static void empty_and_single(void) {
    Histogram h = {0};
    CHECK(histogram_percentile(&h, 50) == 0 && histogram_percentile(&h, 100) == 0, "an empty histogram has values");
    histogram_add(&h, 12345);
    CHECK(histogram_percentile(&h, 0.1) == 12345 && histogram_percentile(&h, 100) == 12345, "a single value");
}

static void bucket_edges(void) {
    for (int power = 0; power < 64; power++) {
        for (int off = -1; off <= 1; off++) {
            uint64_t value = (1ull << power) + (uint64_t)(int64_t)off;
            Histogram h = {0};
            histogram_add(&h, value);
            histogram_add(&h, UINT64_MAX);
            uint64_t got = histogram_percentile(&h, 50);
            CHECK(got >= value, "%" PRIu64 " is told as %" PRIu64, value, got);
            CHECK(value >= 7ull << 25 || got - value <= value / 4, "%" PRIu64 " is told as %" PRIu64, value, got);
        }
    }
}

/* Found while this test was written: beyond the last bucket's bound the answer was that bound, 268 s. */
static void longer_than_the_last_bucket(void) {
    Histogram h = {0};
    histogram_add(&h, 3600000000u);
    CHECK(histogram_percentile(&h, 50) == 3600000000u, "an hour is told as %" PRIu64 " us",
          histogram_percentile(&h, 50));
}

/* Likewise: a bucket of 32 bits began at 0 again after 2^32 requests. */
static void more_than_32_bits_in_a_bucket(void) {
    Histogram h = {0};
    histogram_add(&h, 100);
    h.counts[0] = h.total = (1ull << 32) - 1;
    h.max = 100;
    for (int i = 0; i < 10; i++) histogram_add(&h, 0);
    CHECK(histogram_percentile(&h, 99) == 0, "p99 is %" PRIu64, histogram_percentile(&h, 99));
}

int main(void) {
    check_run("histogram: percentiles are less than 25 % above those of a sorted array", against_sorted_array);
    check_run("histogram: empty, and with one value", empty_and_single);
    check_run("histogram: values beside powers of two", bucket_edges);
    check_run("histogram: a value longer than the last bucket is not told as shorter", longer_than_the_last_bucket);
    check_run("histogram: more than 2^32 values in a bucket", more_than_32_bits_in_a_bucket);
    return check_end();
}
