# cython: language_level=3
"""A queue of bytes between two threads, one that puts and one that takes; neither ever waits for the other.

Entries are contiguous: one that would not fit before the end of the memory begins at its start, behind a filler. `tail`
is only written by who puts, `head` only by who takes; they lie on cache lines of their own.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

cdef extern from * nogil:
    """
    #include <stdint.h>
    #define nf_get_acquire(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
    #define nf_get(p) __atomic_load_n((p), __ATOMIC_RELAXED)
    #define nf_get_ordered(p) __atomic_load_n((p), __ATOMIC_SEQ_CST)
    #define nf_set(p, v) __atomic_store_n((p), (v), __ATOMIC_RELAXED)
    #define nf_set_release(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)
    #define nf_set_ordered(p, v) __atomic_store_n((p), (v), __ATOMIC_SEQ_CST)
    static inline int nf_swap_if(int *p, int from, int to) {
        return __atomic_compare_exchange_n(p, &from, to, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    }
    """
    uint64_t get_acquire "nf_get_acquire"(const uint64_t *p) noexcept
    uint64_t get64 "nf_get"(const uint64_t *p) noexcept
    int64_t get_time "nf_get"(const int64_t *p) noexcept
    int get_ordered "nf_get_ordered"(const int *p) noexcept
    void set64 "nf_set"(uint64_t *p, uint64_t v) noexcept
    void set_release "nf_set_release"(uint64_t *p, uint64_t v) noexcept
    void set_ordered "nf_set_ordered"(int *p, int v) noexcept
    bint swap_if "nf_swap_if"(int *p, int before, int after) noexcept

cdef struct Entry:
    uint64_t length             # with this header, a multiple of 8; FILLER: go on at the start
    uint32_t tag
    uint32_t size               # of what follows

cdef struct Queue:
    uint8_t *memory
    uint64_t size               # a power of two
    uint64_t overflow           # entries for which there was no room
    uint64_t most
    uint8_t gap0[64]
    uint64_t tail
    uint8_t gap1[64]
    uint64_t head
    uint8_t gap2[64]

cdef enum:
    FILLER = 0


cdef inline uint8_t *begin(Queue *q, uint32_t tag, uint32_t size) noexcept nogil:
    """Give room for an entry of `size` bytes, NULL when there is none; `commit` makes it visible."""
    cdef uint64_t length = (sizeof(Entry) + <uint64_t>size + 7) & ~<uint64_t>7
    cdef uint64_t tail = q.tail
    cdef uint64_t at = tail & (q.size - 1)
    cdef uint64_t filler = q.size - at if at + length > q.size else 0
    cdef Entry *entry
    if tail + filler + length - get_acquire(&q.head) > q.size:
        q.overflow += 1
        return NULL
    if filler:
        (<Entry *>(q.memory + at)).length = FILLER      # 8 bytes are there: everything is a multiple of 8
        at = 0
    entry = <Entry *>(q.memory + at)
    entry.length = length
    entry.tag = tag
    entry.size = size
    return <uint8_t *>entry + sizeof(Entry)


cdef inline void commit(Queue *q) noexcept nogil:
    """Make the entry that was begun visible."""
    cdef uint64_t at = q.tail & (q.size - 1)
    cdef uint64_t tail = q.tail
    cdef uint64_t length = (<Entry *>(q.memory + at)).length
    if length == FILLER:
        tail += q.size - at
        length = (<Entry *>q.memory).length
    tail += length
    if tail - get64(&q.head) > q.most:
        q.most = tail - get64(&q.head)
    set_release(&q.tail, tail)


cdef inline Entry *first(Queue *q) noexcept nogil:
    """Give the oldest entry, NULL when there is none; `drop` lets go of it."""
    cdef uint64_t at
    if q.head == get_acquire(&q.tail):
        return NULL
    at = q.head & (q.size - 1)
    if (<Entry *>(q.memory + at)).length == FILLER:
        set_release(&q.head, q.head + q.size - at)
        at = 0
    return <Entry *>(q.memory + at)


cdef inline void drop(Queue *q, const Entry *entry) noexcept nogil:
    set_release(&q.head, q.head + entry.length)
