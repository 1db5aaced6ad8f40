# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Frames out of the rings of an AF_XDP socket, into records of a capture file, without the interpreter's lock.

The plain twin `netfeed.transport.raw.xdp_rings.Rings` defines it. The counters of both rings are published once for
PUBLISH frames and at the end: each time takes a cache line from the kernel that it wants to write.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

from netfeed.transport.raw.record cimport record, record_bytes

from netfeed.transport.raw.source import Frame as _Frame
from netfeed.transport.raw.source import Why as _Why
from netfeed.transport.raw.source import Written as _Written
from netfeed.transport.raw.xdp_rings import ADDRESS as _ADDRESS
from netfeed.transport.raw.xdp_rings import DESCRIPTOR as _DESCRIPTOR
from netfeed.transport.raw.xdp_rings import check_chunks as _check_chunks
from netfeed.transport.raw.xdp_rings import check_ring as _check_ring
from netfeed.transport.raw.xdp_rings import kind_of as _kind_of

cdef extern from *:
    int64_t NO_TIME "INT64_MIN"

cdef extern from * nogil:
    """
    #include <stdint.h>
    #include <time.h>
    #define nf_xdp_acquire(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
    #define nf_xdp_release(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)
    static inline int64_t nf_xdp_clock(void) {
        struct timespec t;
        clock_gettime(CLOCK_REALTIME, &t);
        return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
    }
    """
    uint32_t acquire "nf_xdp_acquire"(const uint32_t *p) noexcept
    void release_to "nf_xdp_release"(uint32_t *p, uint32_t v) noexcept
    int64_t clock_ns "nf_xdp_clock"() noexcept

cdef enum:
    PUBLISH = 64
    EMPTY = 0
    ROOM = 1
    COUNT = 2
    TIME = 3

cdef struct Descriptor:  # struct xdp_desc
    uint64_t address
    uint32_t length
    uint32_t options

cdef struct Shared:  # a ring, as it lies in the memory that the kernel shares
    uint32_t *producer
    uint32_t *consumer
    uint8_t *entries
    uint32_t mask


cdef class Rings:
    """Both rings and the chunks of one socket."""

    cdef readonly int64_t frames, bytes, invalid
    cdef Py_buffer memory[3]
    cdef int held, readers
    cdef Shared rx, fill
    cdef const uint8_t *area
    cdef uint64_t size, chunk, snap
    cdef uint32_t consumer, produced, given, taken  # our places, and where the kernel's were when we looked

    def __cinit__(self, rx, fill, area, rx_ring, fill_ring, chunk, snap):
        cdef int k
        for k, one in enumerate((rx, fill, area)):
            PyObject_GetBuffer(one, &self.memory[k], PyBUF_SIMPLE if k == 2 else PyBUF_WRITABLE)
            self.held = k + 1
        _check_ring(self.memory[0].len, rx_ring, _DESCRIPTOR.size)
        _check_ring(self.memory[1].len, fill_ring, _ADDRESS.size)
        _check_chunks(self.memory[2].len, chunk, snap)
        if (<size_t>self.memory[0].buf | <size_t>self.memory[1].buf) & 7:
            raise ValueError("the memory of a ring begins at a multiple of 8 bytes")
        place(&self.rx, <uint8_t *>self.memory[0].buf, rx_ring)
        place(&self.fill, <uint8_t *>self.memory[1].buf, fill_ring)
        self.area = <const uint8_t *>self.memory[2].buf
        self.size = self.memory[2].len
        self.chunk = chunk
        self.snap = min(snap, chunk)

    def __dealloc__(self):
        self.let_go()

    def close(self):
        if self.readers:
            raise BufferError("another thread reads the rings")
        self.let_go()

    def write_into(self, bytearray out, int form, uint32_t interface=0, int64_t frames=1 << 62,
                   int64_t until_ns=2**63 - 1, int64_t now_ns=NO_TIME):
        cdef Py_buffer room
        cdef int64_t stamp = now_ns, count = self.frames, written = 0
        cdef int why
        self.check_held()
        PyObject_GetBuffer(out, &room, PyBUF_WRITABLE)
        self.readers += 1
        try:
            with nogil:
                why = self.write(<uint8_t *>room.buf, room.len, form, interface, frames, until_ns, &stamp, &written)
        finally:
            self.readers -= 1
            PyBuffer_Release(&room)
        count = self.frames - count
        return _Written(written, count, stamp if count else None, stamp if count else None, _Why(why))

    def take(self, int64_t limit=1024, int64_t now_ns=NO_TIME):
        cdef Descriptor one
        cdef int64_t stamp = now_ns
        cdef bytes data
        self.check_held()
        found = []
        self.begin()
        while limit > 0 and self.next(&one):
            if stamp == NO_TIME:
                stamp = clock_ns()
            data = (<const char *>self.area + one.address)[:min(one.length, self.snap)]
            found.append(_Frame(stamp, data, one.length, _kind_of(data)))
            self.took(&one, len(data))
            limit -= 1
        self.publish()
        return found

    cdef int write(self, uint8_t *out, int64_t size, int form, uint32_t interface, int64_t frames, int64_t until_ns,
                   int64_t *stamp, int64_t *written) noexcept nogil:
        cdef Descriptor one
        cdef uint32_t kept
        cdef int64_t length, at = 0, count = 0
        cdef int why = COUNT
        self.begin()
        while count < frames:
            if not self.next(&one):
                why = EMPTY
                break
            if stamp[0] == NO_TIME:
                stamp[0] = clock_ns()
            kept = <uint32_t>min(<uint64_t>one.length, self.snap)
            length = <int64_t>record_bytes(form, kept)
            if stamp[0] >= until_ns or length > size - at:
                why = TIME if stamp[0] >= until_ns else ROOM
                break
            memcpy(record(out + at, form, interface, stamp[0], kept, one.length), self.area + one.address, kept)
            at += length
            count += 1
            self.took(&one, kept)
            if count % PUBLISH == 0:
                self.publish()
        self.publish()
        written[0] = at
        return why

    cdef void begin(self) noexcept nogil:
        """Read where both rings are; the kernel moves its two places meanwhile, and never ours."""
        self.consumer = acquire(self.rx.consumer)
        self.produced = acquire(self.rx.producer)
        self.given = acquire(self.fill.producer)
        self.taken = acquire(self.fill.consumer)

    cdef void publish(self) noexcept nogil:
        release_to(self.fill.producer, self.given)
        release_to(self.rx.consumer, self.consumer)

    cdef bint next(self, Descriptor *one) noexcept nogil:
        """Find the next frame that can be read; pass over all others."""
        while True:
            if self.consumer == self.produced:
                self.produced = acquire(self.rx.producer)
                if self.consumer == self.produced:
                    return False
            memcpy(one, self.rx.entries + <size_t>(self.consumer & self.rx.mask) * sizeof(Descriptor), sizeof(Descriptor))
            if (one.address < self.size and one.options == 0
                    and 0 < one.length <= self.chunk - (one.address & (self.chunk - 1))):
                return True
            self.invalid += 1
            self.give_back(one)

    cdef void took(self, const Descriptor *one, uint32_t kept) noexcept nogil:
        self.frames += 1
        self.bytes += kept
        self.give_back(one)

    cdef void give_back(self, const Descriptor *one) noexcept nogil:
        """Give the chunk of a frame back to the kernel, where it is one and there is room, and move on."""
        cdef uint64_t address = one.address & ~(self.chunk - 1)
        if <uint32_t>(self.given - self.taken) > self.fill.mask:
            self.taken = acquire(self.fill.consumer)
        if one.address < self.size and <uint32_t>(self.given - self.taken) <= self.fill.mask:
            memcpy(self.fill.entries + <size_t>(self.given & self.fill.mask) * 8, &address, 8)
            self.given += 1
        self.consumer += 1

    cdef check_held(self):
        if self.held != 3:
            raise ValueError("the rings are closed")

    cdef void let_go(self) noexcept:
        while self.held:
            self.held -= 1
            PyBuffer_Release(&self.memory[self.held])


cdef void place(Shared *ring, uint8_t *memory, where) except *:
    ring.producer = <uint32_t *>(memory + <size_t>where.producer)
    ring.consumer = <uint32_t *>(memory + <size_t>where.consumer)
    ring.entries = memory + <size_t>where.entries_at
    ring.mask = where.entries - 1
