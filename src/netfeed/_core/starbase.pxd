"""What other compiled modules may use of the Starbase books: a batch of messages, applied without the GIL."""

cimport cython
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from netfeed._core.batch cimport Message
from netfeed._core.l3 cimport OrderBooks
from netfeed._core.market cimport Market, Order


cdef struct Instrument:
    int64_t id
    uint32_t place              # its book plus one; 0: the slot is empty, as in memory that was never touched
    uint32_t reserved


@cython.final
cdef class StarbaseBooks:
    cdef OrderBooks held
    cdef Market *m              # of `held`
    cdef Instrument *instruments
    cdef uint32_t mask
    cdef uint64_t counts[257]
    cdef uint8_t fresh          # the state that a new book starts in

    # The caller has made room for count * CHANGES_PER_MESSAGE changes, and 4 for each book touched before.
    cdef void apply_batch(self, const Message *messages, uint64_t count) noexcept nogil
    cdef uint32_t find_book(self, int64_t id) noexcept nogil
    cdef uint32_t open_for(self, int64_t id) noexcept nogil
    cdef Instrument *slot_of(self, int64_t id) noexcept nogil
    cdef void near(self, const Message *message) noexcept nogil
    cdef void nearer(self, const Message *message) noexcept nogil
    cdef void one(self, const Message *message) noexcept nogil
    cdef void put(self, const uint8_t *body, uint32_t which) noexcept nogil
    cdef Order *resting(self, const uint8_t *body, uint32_t which) noexcept nogil
