# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""From a packet to quotes in one turn, without the interpreter. `netfeed.transport.quoting.QuoteTurn` defines it."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free

import os

from netfeed._core.capture cimport END
from netfeed._core.l3 cimport OrderBooks
from netfeed._core.market cimport LIVE, NONE, Market, Side, key_of
from netfeed._core.path cimport FULL, OUTSIDE, Path
from netfeed._core.quote cimport SPENT, QuoteFrames, QuoteStep, frames_size
from netfeed._core.starbase cimport StarbaseBooks
from netfeed.transport.mmsg cimport Batch, Local, local_of

cdef extern from *:
    int64_t HIGHEST "INT64_MAX"
    int64_t NO_TIME "INT64_MIN"

cdef extern from * nogil:
    """
    #include <stdint.h>
    #include <sys/socket.h>
    #include <time.h>
    static inline int64_t nf_turn_clock(int which) {
        struct timespec t;
        clock_gettime(which, &t);
        return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
    }
    """
    enum:
        CLOCK_MONOTONIC
        CLOCK_REALTIME
        MSG_DONTWAIT
        MSG_NOSIGNAL
    int64_t clock_ns "nf_turn_clock"(int which) noexcept
    ssize_t send(int fd, const void *data, size_t size, int flags)

cdef enum:
    REHEARSE = 32                       # rounds of waiting: some 20 us, of which a rehearsal takes a tenth

cdef struct Shot:
    int fd
    int64_t client_id, group, sequence, last_processed, epoch_ns, most


cdef class QuoteTurn:
    """One feed, its channel with its books, and one session."""

    cdef Batch batch
    cdef Path path
    cdef StarbaseBooks books
    cdef QuoteStep step
    cdef QuoteFrames frames
    cdef uint32_t book, book_count
    cdef double scale
    cdef int32_t *slots                 # of each book, -1: none
    cdef uint8_t *out
    cdef Shot shot
    cdef Local local
    cdef int local_fd
    cdef int64_t bytes                  # of the batch
    cdef readonly bint armed
    cdef readonly int taken, status
    cdef readonly int64_t quoted, sent, size, published_ns, decided_ns, sent_ns
    cdef readonly double lead
    cdef readonly object changes

    def __cinit__(self, Batch batch not None, Path path not None, StarbaseBooks books not None, QuoteStep step not None,
                  limits, QuoteFrames frames not None, *, uint32_t book, double scale, slots):
        cdef int64_t k
        if limits is not step.limits_array:
            raise ValueError("the limits are not those of the step")
        if frames.room < step.room:
            raise ValueError("a slot of the step has no terms")
        self.batch, self.path, self.books, self.step, self.frames = batch, path, books, step, frames
        self.book, self.scale, self.local_fd, self.bytes = book, scale, -1, batch.data.nbytes
        self.book_count = max([book] + list(slots)) + 1
        self.slots = <int32_t *>calloc(self.book_count, sizeof(int32_t))
        self.out = <uint8_t *>calloc(1, frames_size(step.room) + 8)
        if self.slots == NULL or self.out == NULL:
            raise MemoryError("no memory for a turn")
        for k in range(self.book_count):
            self.slots[k] = -1
        for one, slot in slots.items():
            if not 0 <= slot < step.room:
                raise ValueError(f"there is no slot {slot}")
            self.slots[<uint32_t>one] = slot
        self.changes = books.books.take()
        self.published_ns = self.decided_ns = self.sent_ns = NO_TIME

    def __dealloc__(self):
        free(self.slots)
        free(self.out)

    def arm(self, int fd, int64_t client_id, int64_t group, int64_t sequence, int64_t last_processed, int64_t epoch_ns,
            int64_t most):
        self.shot = Shot(fd, client_id, group, sequence, last_processed, epoch_ns, most)
        self.armed = True

    def disarm(self):
        self.armed = False

    @property
    def rest(self):
        return self.out[self.sent:self.size] if 0 < self.sent else b""

    def receive(self, int fd, int64_t until_ns):
        cdef int count
        self.quoted = self.sent = self.size = 0
        if fd != self.local_fd:
            count = local_of(fd, &self.local)
            if count < 0:
                raise OSError(-count, os.strerror(-count))
            self.local_fd = fd
        with nogil:
            count = self.turn(fd, until_ns)
        if count < 0:
            raise OSError(-count, os.strerror(-count))
        if count:
            if self.status == OUTSIDE:
                raise ValueError(f"the payload of packet {self.taken} lies outside the buffer")
            if self.status == FULL:
                self.go_on(count)
            self.changes = self.books.books.take()
        return count

    cdef int go_on(self, int count) except -1:
        """Take what had no room for its changes: nothing was fired."""
        taken, self.status = self.path.take(self.batch.data, self.batch.packets[:count], self.taken)
        self.taken = taken
        return 0

    cdef int turn(self, int fd, int64_t until_ns) noexcept nogil:
        cdef int count = self.batch.fill(fd, &self.local, True)
        cdef int64_t spins = 0
        while count == 0 and clock_ns(CLOCK_MONOTONIC) < until_ns:
            spins += 1
            if spins % REHEARSE == 0 and self.armed:
                self.rehearse()
            count = self.batch.fill(fd, &self.local, True)
        if count <= 0:
            return count
        self.taken = 0
        self.status = self.path.consume(
            self.batch.bytes, self.bytes, self.batch.rows, count, &self.taken, HIGHEST
        )
        self.path.flush_all()
        self.published_ns = clock_ns(CLOCK_REALTIME)
        if self.armed and self.status == END and self.taken == count and self.may_fire():
            self.fire()
        return count

    cdef void rehearse(self) noexcept nogil:
        """Do what a shot does, but for the send: who waits long has code and data of it out of the caches."""
        cdef double lead = self.lead
        cdef int64_t now = clock_ns(CLOCK_MONOTONIC), count
        if self.may_fire():
            count = self.step.rehearse(self.lead, now)
            if count and self.frames.fits(self.step.found, count):
                self.frames.fill(self.out, self.step.found, count, 0, 0, 0, 0, now)
        self.lead = lead

    cdef bint may_fire(self) noexcept nogil:
        cdef Market *m = self.books.m
        cdef Side *bid
        cdef Side *ask
        cdef uint64_t k
        cdef uint32_t book
        for k in range(m.change_count):
            book = m.changes[k].book
            if book == NONE:
                return False
            if book != self.book and book < self.book_count and self.slots[book] >= 0:
                self.step.limits[self.slots[book]].until_ns = SPENT
        if m.dirty_count or self.book >= m.book_count:
            return False
        bid, ask = &m.books[self.book].sides[0], &m.books[self.book].sides[1]
        if bid.state != LIVE or bid.told_orders == 0 or ask.told_orders == 0:
            return False
        if bid.told_key >= key_of(1, ask.told_key):
            return False
        self.lead = 0.5 * (bid.told_key * self.scale + key_of(1, ask.told_key) * self.scale)
        return True

    cdef void fire(self) noexcept nogil:
        cdef int64_t now = clock_ns(CLOCK_MONOTONIC)
        cdef Shot *shot = &self.shot
        cdef ssize_t sent
        self.quoted = self.step.go(self.lead, now, shot.most)
        if self.quoted == 0:
            return
        self.armed = False
        if self.frames.fits(self.step.found, self.quoted):
            self.size = self.frames.fill(
                self.out, self.step.found, self.quoted, shot.client_id, shot.group, shot.sequence,
                shot.last_processed, now + shot.epoch_ns
            )
            self.decided_ns = clock_ns(CLOCK_REALTIME)
            sent = send(shot.fd, self.out, self.size, MSG_DONTWAIT | MSG_NOSIGNAL)
            self.sent = max(sent, 0)
        self.sent_ns = clock_ns(CLOCK_REALTIME)
