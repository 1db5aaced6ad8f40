# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""A ring of records in memory that other processes map, with the ordering that other processors need.

The plain twin `netfeed.transport.records` defines it; where the words lie stands there.

`claimed` is stored before records are overwritten, `published` after they are whole. A reader copies first and looks at
`claimed` afterwards: what may have been overwritten meanwhile it throws away and counts.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

import numpy as np

cdef extern from * nogil:
    """
    #include <linux/futex.h>
    #include <stdint.h>
    #include <sys/syscall.h>
    #include <time.h>
    #include <unistd.h>

    static inline uint64_t nf_acquire(const uint8_t *p) { return __atomic_load_n((const uint64_t *)p, __ATOMIC_ACQUIRE); }
    static inline uint64_t nf_relaxed(const uint8_t *p) { return __atomic_load_n((const uint64_t *)p, __ATOMIC_RELAXED); }
    static inline void nf_store(uint8_t *p, uint64_t v) { __atomic_store_n((uint64_t *)p, v, __ATOMIC_RELAXED); }
    static inline void nf_release(uint8_t *p, uint64_t v) { __atomic_store_n((uint64_t *)p, v, __ATOMIC_RELEASE); }
    static inline void nf_before_writes(void) { __atomic_thread_fence(__ATOMIC_RELEASE); }
    static inline void nf_after_reads(void) { __atomic_thread_fence(__ATOMIC_ACQUIRE); }
    static inline uint32_t nf_word(const uint8_t *p) { return __atomic_load_n((const uint32_t *)p, __ATOMIC_SEQ_CST); }
    static inline void nf_set_word(uint8_t *p, uint32_t v) { __atomic_store_n((uint32_t *)p, v, __ATOMIC_SEQ_CST); }

    /* Wake who said that it waits. The fence keeps the look at `waiting` behind the store of `published`. */
    static inline void nf_ring_bell(uint8_t *bell, uint8_t *waiting) {
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        if (__atomic_load_n((uint32_t *)waiting, __ATOMIC_RELAXED) == 0) return;
        __atomic_store_n((uint32_t *)waiting, 0, __ATOMIC_SEQ_CST);
        __atomic_add_fetch((uint32_t *)bell, 1, __ATOMIC_SEQ_CST);
        syscall(SYS_futex, bell, FUTEX_WAKE, 0x7FFFFFFF, NULL, NULL, 0);
    }
    static inline void nf_wait_bell(const uint8_t *bell, uint32_t seen, int64_t ns) {
        struct timespec t = {ns / 1000000000, ns % 1000000000};
        syscall(SYS_futex, bell, FUTEX_WAIT, seen, &t, NULL, 0);
    }
    static inline int64_t nf_monotonic(void) {
        struct timespec t;
        clock_gettime(CLOCK_MONOTONIC, &t);
        return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
    }
    """
    uint64_t load_acquire "nf_acquire"(const uint8_t *p) noexcept
    uint64_t load_relaxed "nf_relaxed"(const uint8_t *p) noexcept
    void store_relaxed "nf_store"(uint8_t *p, uint64_t v) noexcept
    void store_release "nf_release"(uint8_t *p, uint64_t v) noexcept
    void before_writes "nf_before_writes"() noexcept
    void after_reads "nf_after_reads"() noexcept
    uint32_t word "nf_word"(const uint8_t *p) noexcept
    void set_word "nf_set_word"(uint8_t *p, uint32_t v) noexcept
    void ring_bell "nf_ring_bell"(uint8_t *bell, uint8_t *waiting) noexcept
    void wait_bell "nf_wait_bell"(const uint8_t *bell, uint32_t seen, int64_t ns) noexcept
    int64_t monotonic "nf_monotonic"() noexcept

cdef enum:                      # as netfeed.transport.records has them
    HEADER = 4096
    UNIT = 64
    MOST = 4096                 # bytes of a record
    AT_SIZE = 8
    AT_CAPACITY = 16
    AT_RECORDS = 40
    AT_CLAIMED = 64
    AT_PUBLISHED = 128
    AT_BELL = 192
    AT_CLOSED = 196
    AT_NAMES = 256
    AT_WAITING = 320
    NAP_NS = 50_000_000         # the longest sleep: a writer that is not compiled rings no bell


cdef uint64_t check(const uint8_t[::1] view) except 0:
    """Look at the header before a pointer moves; gives the bytes of a record."""
    cdef uint64_t capacity, records
    cdef uint32_t size
    if view.shape[0] < HEADER:
        raise ValueError("the memory is too short for a ring")
    memcpy(&size, &view[AT_SIZE], 4)
    memcpy(&capacity, &view[AT_CAPACITY], 8)
    memcpy(&records, &view[AT_RECORDS], 8)
    if (
        size == 0 or size % UNIT or size > MOST or capacity == 0 or capacity & (capacity - 1) or capacity > <uint64_t>1 << 40 or records < HEADER or records % UNIT
        or records > <uint64_t>view.shape[0] or capacity > (<uint64_t>view.shape[0] - records) // size
    ):
        raise ValueError("the header of the ring does not fit its memory")
    return size


cdef class Writer:
    """The one who writes."""

    def __cinit__(self, uint8_t[::1] memory):
        cdef uint64_t at
        self.record = check(memory)
        self.view = memory
        self.header = &memory[0]
        memcpy(&self.capacity, self.header + AT_CAPACITY, 8)
        memcpy(&at, self.header + AT_RECORDS, 8)
        self.records = self.header + at
        self.claimed = load_relaxed(self.header + AT_PUBLISHED)

    @property
    def published(self):
        return load_relaxed(self.header + AT_PUBLISHED) if self.header != NULL else 0

    def write(self, rows):
        cdef const uint8_t[::1] raw = np.ascontiguousarray(rows).view(np.uint8)
        cdef uint64_t count
        if self.header == NULL:
            raise ValueError("the ring is closed")
        if raw.shape[0] % self.record:
            raise ValueError(f"a record has {self.record} bytes")
        count = <uint64_t>raw.shape[0] // self.record
        if count:
            with nogil:
                self.put(&raw[0], count)

    def set_names(self, uint64_t count):
        if self.header != NULL:
            store_release(self.header + AT_NAMES, count)

    def close(self):
        if self.header == NULL:
            return
        set_word(self.header + AT_CLOSED, 1)
        ring_bell(self.header + AT_BELL, self.header + AT_WAITING)
        self.header = self.records = NULL
        self.view = None

    cdef void put(self, const uint8_t *records, uint64_t count) noexcept nogil:
        if self.header != NULL:
            self.lay(records, count)
            ring_bell(self.header + AT_BELL, self.header + AT_WAITING)

    cdef void lay(self, const uint8_t *records, uint64_t count) noexcept nogil:
        cdef uint64_t at, part, done = 0
        if self.header == NULL:
            return
        while done < count:
            at = self.claimed & (self.capacity - 1)
            part = min(count - done, self.capacity - at)
            self.claimed += part
            store_relaxed(self.header + AT_CLAIMED, self.claimed)
            before_writes()
            memcpy(self.records + at * self.record, records + done * self.record, part * self.record)
            store_release(self.header + AT_PUBLISHED, self.claimed)
            done += part


cdef class Cursor:
    """The place of one reader."""

    cdef const uint8_t[::1] view
    cdef const uint8_t *header
    cdef const uint8_t *records
    cdef uint8_t *writable
    cdef uint64_t capacity, record
    cdef readonly uint64_t at
    cdef readonly uint64_t lost

    def __cinit__(self, const uint8_t[::1] memory, bint writable=False, bint newest=True):
        cdef uint64_t at
        self.record = check(memory)
        self.view = memory
        self.header = &memory[0]
        self.writable = <uint8_t *>self.header if writable else NULL
        memcpy(&self.capacity, self.header + AT_CAPACITY, 8)
        memcpy(&at, self.header + AT_RECORDS, 8)
        self.records = self.header + at
        self.at = load_acquire(self.header + AT_PUBLISHED)
        if not newest:
            self.at -= min(self.at, self.capacity // 2)

    @property
    def published(self):
        self.open_or_raise()
        return load_acquire(self.header + AT_PUBLISHED)

    @property
    def closed(self):
        self.open_or_raise()
        return word(self.header + AT_CLOSED) != 0

    @property
    def name_count(self):
        self.open_or_raise()
        return load_acquire(self.header + AT_NAMES)

    def read(self, out):
        cdef uint8_t[::1] raw = out.view(np.uint8)
        cdef uint64_t room = <uint64_t>raw.shape[0] // self.record, published, count, first, part, claimed, spoilt = 0
        cdef uint8_t *to = &raw[0] if room else NULL
        self.open_or_raise()
        with nogil:
            published = load_acquire(self.header + AT_PUBLISHED)
            count = published - self.at
            if count > self.capacity:
                self.lost += count - self.capacity // 2
                self.at = published - self.capacity // 2
                count = self.capacity // 2
            count = min(count, room)
            first = self.at & (self.capacity - 1)
            part = min(count, self.capacity - first)
            if count:
                memcpy(to, self.records + first * self.record, part * self.record)
                memcpy(to + part * self.record, self.records, (count - part) * self.record)
            after_reads()
            claimed = load_relaxed(self.header + AT_CLAIMED)
            if claimed - self.at > self.capacity:
                spoilt = min(count, claimed - self.at - self.capacity)
            self.lost += spoilt
            self.at += count
        return spoilt, count

    def wait(self, int64_t timeout_ns):
        cdef int64_t end, left
        cdef uint32_t seen
        self.open_or_raise()
        with nogil:
            end = monotonic() + max(<int64_t>0, min(timeout_ns, <int64_t>1 << 61))
            while True:
                seen = word(self.header + AT_BELL)
                if self.writable != NULL:
                    set_word(self.writable + AT_WAITING, 1)
                if load_acquire(self.header + AT_PUBLISHED) != self.at or word(self.header + AT_CLOSED):
                    break
                left = end - monotonic()
                if left <= 0:
                    break
                wait_bell(self.header + AT_BELL, seen, min(left, <int64_t>NAP_NS if self.writable != NULL else <int64_t>1_000_000))
        return load_acquire(self.header + AT_PUBLISHED) != self.at

    def release(self):
        self.header = self.records = NULL
        self.writable = NULL
        self.view = None

    cdef int open_or_raise(self) except -1:
        if self.header == NULL:
            raise ValueError("the reader is closed")
        return 0
