/* The floor of `histogram`: the bucket of each value, by the same layout, and nothing else that a histogram keeps. */

#include <stdint.h>

uint64_t count_all(const int64_t *values, uint64_t count, uint64_t *buckets) {
    uint64_t sum = 0;
    for (uint64_t k = 0; k < count; k++) {
        uint64_t value = (uint64_t)values[k];
        int shift = value ? 64 - __builtin_clzll(value) - 11 : 0;
        uint64_t bucket = shift <= 0 ? value : (uint64_t)shift * 1024 + (value >> shift);
        buckets[bucket]++;
        sum += bucket;
    }
    return sum;
}
