"""What other compiled modules may use of the ITCH books: a batch of messages, applied without the GIL."""

cimport cython
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from netfeed._core.batch cimport Message
from netfeed._core.l3 cimport OrderBooks
from netfeed._core.market cimport Market


cdef struct Ended:              # a book that a session before had
    uint64_t stock              # its name as a number, by which they are sorted; of equal ones, those opened first
    uint32_t book
    uint32_t given              # so many books of this stock have been given again; kept in the first of them


@cython.final
cdef class ItchBooks:
    cdef OrderBooks held
    cdef Market *m              # of `held`
    cdef uint32_t by_locate[65536]
    cdef char *stocks           # 8 characters for each book
    cdef uint64_t stocks_capacity
    cdef uint64_t named         # books below this have a name
    cdef Ended *ended
    cdef uint64_t ended_count
    cdef uint64_t counts[256]
    cdef uint8_t fresh          # the state that a new book starts in

    # The caller has made room for count * CHANGES_PER_MESSAGE changes.
    cdef void apply_batch(self, const Message *messages, uint64_t count) noexcept nogil
    cdef uint32_t book_of(self, const uint8_t *p, uint32_t stock_at) noexcept nogil
    cdef uint32_t open_for(self, uint32_t locate, const uint8_t *stock) noexcept nogil
    cdef uint32_t reopen_for(self, const uint8_t *stock) noexcept nogil
    cdef bint name_room(self, uint64_t books) noexcept nogil
    cdef void other(self, const uint8_t *p, uint8_t type) noexcept nogil
