# cython: language_level=3
"""Stamps of packets, taken without the interpreter's lock. The plain twin `netfeed.transport.tracer` defines it."""

cimport cython
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from netfeed.transport.shared cimport Writer
from netfeed.transport.tick cimport Tick, now

cdef extern from *:
    int64_t ABSENT "INT64_MIN"

cdef enum:
    ROOM = 1024                 # packets of a batch
    OPEN = 64                   # decisions that were not sent yet
    STAGES = 7
    DECISION = 2                # Flag
    STEPPED = 4
    COUNTER = 8

cdef enum:                      # Stage
    HARDWARE = 0
    KERNEL = 1
    USER = 2
    DECODED = 3
    BOOK = 4
    DECIDED = 5
    SENT = 6

cdef struct Record:             # latency.stage.TRACE, 128 bytes
    uint64_t sequence
    int64_t at_ns[STAGES]
    uint64_t reference
    uint32_t messages
    uint32_t every
    uint16_t channel
    uint16_t batch
    uint8_t line
    uint8_t flags
    uint8_t reserved[42]


@cython.final
cdef class Tracer:
    cdef Writer ring
    cdef Tick tick
    cdef Record *rows
    cdef int count
    cdef readonly uint32_t every
    cdef uint32_t left
    cdef readonly uint64_t traced
    cdef int64_t user_ns
    cdef uint64_t steps_seen
    cdef uint16_t batch

    cdef inline void received(self, int count) noexcept nogil:
        """A batch came from the kernel."""
        self.user_ns = now(&self.tick)
        self.batch = <uint16_t>count

    cdef inline void decoded(
        self, uint16_t channel, int line, int64_t ts_ns, int64_t kernel_ns, uint64_t sequence, uint64_t messages
    ) noexcept nogil:
        """A packet of it was found to be the next one, and its messages stand in line for the books."""
        cdef Record *row
        self.left -= 1
        if self.left != 0:
            return
        self.left = self.every
        if self.count == ROOM:          # a batch is no longer
            return
        row = &self.rows[self.count]
        self.count += 1
        row.sequence = sequence
        row.at_ns[HARDWARE] = ABSENT if ts_ns == kernel_ns else ts_ns
        row.at_ns[KERNEL] = kernel_ns
        row.at_ns[USER] = self.user_ns
        row.at_ns[DECODED] = now(&self.tick)
        row.messages = <uint32_t>messages
        row.channel = channel
        row.batch = self.batch
        row.line = <uint8_t>line

    cdef inline void told(self) noexcept nogil:
        """The books have their messages, and the changes are published."""
        if self.count != 0:
            self.hand_on()

    cdef void hand_on(self) noexcept nogil


@cython.final
cdef class Decider:
    cdef Writer ring
    cdef Tick tick
    cdef Record rows[OPEN]
    cdef uint64_t numbers[OPEN]     # handles of those that are open, else 0
    cdef uint64_t last

    cdef void put(self, int place) noexcept nogil

    # Note a decision and give its handle; and that it went out: False when the handle was given up for a newer one.
    cdef uint64_t decide(self, uint16_t channel, uint64_t sequence, uint64_t reference, int64_t at_ns) noexcept nogil
    cdef bint send(self, uint64_t handle, int64_t at_ns) noexcept nogil
