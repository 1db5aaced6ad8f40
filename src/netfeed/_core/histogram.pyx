# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""A histogram of durations, compiled. The plain twin `netfeed.latency.histogram.Histogram` defines it."""

from libc.math cimport ceil
from libc.stdint cimport int64_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset

cdef extern from *:
    int64_t HIGHEST "INT64_MAX"


cdef void clear(Counts *counts) noexcept nogil:
    memset(counts, 0, sizeof(Counts))
    counts.least = HIGHEST


cdef void add(Counts *counts, const Counts *other) noexcept nogil:
    cdef int k
    for k in range(BUCKETS):
        counts.buckets[k] += other.buckets[k]
    counts.count += other.count
    counts.negative += other.negative
    counts.over += other.over
    counts.total += other.total
    counts.least = min(counts.least, other.least)
    counts.most = max(counts.most, other.most)


cdef inline int64_t highest_of(uint64_t bucket) noexcept nogil:
    """Give the highest value that a bucket holds."""
    cdef int shift = <int>(bucket // HALF) - 1
    if shift <= 0:
        return <int64_t>bucket
    return (<int64_t>(bucket % HALF + HALF + 1) << shift) - 1


cdef class Histogram:
    """How often which duration was seen."""

    def __cinit__(self):
        self.counts = <Counts *>calloc(1, sizeof(Counts))
        if self.counts == NULL:
            raise MemoryError("no memory for a histogram")
        clear(self.counts)

    def __dealloc__(self):
        free(self.counts)

    @property
    def count(self):
        return self.counts.count

    @property
    def negative(self):
        return self.counts.negative

    @property
    def over(self):
        return self.counts.over

    @property
    def total_ns(self):
        return self.counts.total

    @property
    def min_ns(self):
        return self.counts.least if self.counts.count else None

    @property
    def max_ns(self):
        return self.counts.most if self.counts.count else None

    def record(self, int64_t value_ns, uint64_t times=1):
        if times:
            record(self.counts, value_ns, times)

    def record_all(self, const int64_t[::1] values_ns):
        cdef Py_ssize_t k
        with nogil:
            for k in range(values_ns.shape[0]):
                record(self.counts, values_ns[k], 1)

    def merge(self, Histogram other):
        add(self.counts, other.counts)

    def clear(self):
        clear(self.counts)

    def percentile(self, double percent):
        cdef uint64_t wanted, seen = 0
        cdef int k
        if not 0 <= percent <= 100:
            raise ValueError(f"{percent} is no percentage")
        if self.counts.count == 0:
            return None
        wanted = max(<uint64_t>1, min(<uint64_t>ceil(self.counts.count * percent / 100), self.counts.count))
        for k in range(BUCKETS):
            seen += self.counts.buckets[k]
            if seen >= wanted:
                return max(self.counts.least, min(highest_of(k), self.counts.most))
        return self.counts.most

    def at_most(self, int64_t value_ns):
        cdef uint64_t last, seen = 0
        cdef uint64_t k
        if value_ns < 0:
            return 0
        if value_ns >= TOP:
            return self.counts.count
        last = bucket_of(<uint64_t>value_ns)
        for k in range(last + 1):
            seen += self.counts.buckets[k]
        return seen

    def buckets(self):
        return [(highest_of(k), self.counts.buckets[k]) for k in range(BUCKETS) if self.counts.buckets[k]]
