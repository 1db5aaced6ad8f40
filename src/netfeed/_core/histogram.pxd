"""What other compiled modules may use of the histogram: recording without the GIL."""

from libc.stdint cimport int64_t, uint64_t

cdef extern from * nogil:
    """
    static inline int nf_bits(uint64_t v) { return v ? 64 - __builtin_clzll(v) : 0; }
    """
    int bits "nf_bits"(uint64_t v) noexcept

cdef enum:
    FINE = 2048                 # values below are counted one by one
    HALF = 1024                 # buckets of each octave above
    TOP = 3_600_000_000_000     # an hour
    BUCKETS = 33_792            # 2048, and 1024 for each of the 31 octaves up to 2**42

cdef struct Counts:
    uint64_t count
    uint64_t negative
    uint64_t over
    int64_t least
    int64_t most
    int64_t total
    uint64_t buckets[BUCKETS]


cdef inline uint64_t bucket_of(uint64_t value) noexcept nogil:
    cdef int shift = bits(value) - 11
    if shift <= 0:
        return value
    return <uint64_t>shift * HALF + (value >> shift)


cdef inline void record(Counts *counts, int64_t value, uint64_t times) noexcept nogil:
    """Count a value; what lies outside is counted at the end that it lies beyond."""
    if value < 0:
        counts.negative += times
        value = 0
    elif value > TOP:
        counts.over += times
        value = TOP
    counts.buckets[bucket_of(<uint64_t>value)] += times
    if value < counts.least:
        counts.least = value
    if value > counts.most:
        counts.most = value
    counts.count += times
    counts.total += value * <int64_t>times


cdef void clear(Counts *counts) noexcept nogil
cdef void add(Counts *counts, const Counts *other) noexcept nogil


cdef class Histogram:
    cdef Counts *counts
