# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Stamps of packets into a ring in shared memory, compiled. The plain twin `netfeed.transport.tracer` defines it."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset

from netfeed.transport.shared cimport Writer
from netfeed.transport.tick cimport clock_of, now, open_tick


cdef void blank(Record *row) noexcept nogil:
    cdef int k
    memset(row, 0, sizeof(Record))
    for k in range(STAGES):
        row.at_ns[k] = ABSENT


cdef Writer fitting(ring):
    """Give the writer of a ring of traces."""
    cdef Writer writer = getattr(ring, "writer", ring)
    if writer.record != sizeof(Record):
        raise ValueError(f"a trace has {sizeof(Record)} bytes, and the ring's records {writer.record}")
    return writer


cdef class Tracer:
    """Keeps the stamps of the packets of one batch, and puts their records."""

    def __cinit__(self, ring not None, *, every=1, bint tsc=False):
        cdef int k
        if not 1 <= every <= 1 << 20:
            raise ValueError("one packet in 1 to 1048576 is traced")
        self.ring = fitting(ring)
        open_tick(&self.tick, tsc)
        self.every = self.left = every
        self.rows = <Record *>calloc(ROOM, sizeof(Record))
        if self.rows == NULL:
            raise MemoryError("no memory for traces")
        for k in range(ROOM):
            blank(&self.rows[k])
            self.rows[k].every = self.every

    def __dealloc__(self):
        free(self.rows)

    @property
    def steps(self):
        return self.tick.steps

    cdef void hand_on(self) noexcept nogil:
        cdef int64_t at_ns = now(&self.tick)
        cdef bint stepped = self.tick.steps != self.steps_seen
        cdef uint8_t own = COUNTER if self.tick.use else 0
        cdef int k
        for k in range(self.count):
            self.rows[k].at_ns[BOOK] = at_ns
            self.rows[k].flags = own | (STEPPED if stepped else 0)
        self.steps_seen = self.tick.steps
        self.ring.lay(<const uint8_t *>self.rows, self.count)
        self.traced += self.count
        self.count = 0


cdef class Decider:
    """Stamps decisions and orders, into a ring of its own."""

    def __cinit__(self, ring not None, *, bint tsc=False):
        cdef int k
        self.ring = fitting(ring)
        open_tick(&self.tick, tsc)
        for k in range(OPEN):
            blank(&self.rows[k])
            self.rows[k].flags = DECISION | (COUNTER if tsc else 0)
            self.rows[k].every = 1

    def decided(self, uint16_t channel, uint64_t sequence, *, uint64_t reference=0, at_ns=None):
        return self.decide(channel, sequence, reference, ABSENT if at_ns is None else <int64_t>at_ns)

    def sent(self, uint64_t handle, *, at_ns=None):
        return bool(self.send(handle, ABSENT if at_ns is None else <int64_t>at_ns))

    def flush(self):
        cdef int k
        for k in range(OPEN):
            self.put(k)

    cdef uint64_t decide(self, uint16_t channel, uint64_t sequence, uint64_t reference, int64_t at_ns) noexcept nogil:
        cdef int place
        cdef Record *row
        self.last += 1
        place = <int>(self.last % OPEN)
        self.put(place)
        row = &self.rows[place]
        row.channel = channel
        row.sequence = sequence
        row.reference = reference
        row.at_ns[DECIDED] = now(&self.tick) if at_ns == ABSENT else at_ns
        row.at_ns[SENT] = ABSENT
        self.numbers[place] = self.last
        return self.last

    cdef bint send(self, uint64_t handle, int64_t at_ns) noexcept nogil:
        cdef int place = <int>(handle % OPEN)
        if handle == 0 or self.numbers[place] != handle:
            return False
        self.rows[place].at_ns[SENT] = now(&self.tick) if at_ns == ABSENT else at_ns
        self.put(place)
        return True

    cdef void put(self, int place) noexcept nogil:
        """Put a decision that is open, sent or not."""
        if self.numbers[place]:
            self.ring.lay(<const uint8_t *>&self.rows[place], 1)
            self.numbers[place] = 0


def cost(ring, int times, *, bint tsc=False):
    """Take a packet through all stages so many times, into a ring that nobody reads; gives ns a packet."""
    cdef Tracer tracer = Tracer(ring, tsc=tsc)
    cdef Decider decider = Decider(ring, tsc=tsc)
    cdef int64_t start, end
    cdef int k
    if times < 1:
        raise ValueError("once at least")
    with nogil:
        start = clock_of(1)
        for k in range(times):
            tracer.received(1)
            tracer.decoded(0, 0, 0, 0, k, 1)
            tracer.told()
            decider.send(decider.decide(0, k, 0, ABSENT), ABSENT)
        end = clock_of(1)
    return (end - start) / <double>times
