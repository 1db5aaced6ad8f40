"""What other compiled modules may use of the order books: the market, and room for changes."""

from libc.stdint cimport int64_t, uint32_t, uint64_t

from netfeed._core.market cimport Market, Order, Side, Total


cdef class OrderBooks:
    cdef Market m
    cdef object array           # the numpy array that m.changes points into

    cdef int room(self, uint64_t changes) except -1
    cdef int check(self, int64_t book) except -1
    cdef reason(self)
    cdef Side *side(self, int64_t book, int64_t side) except NULL
    cdef level_of(self, int64_t which, int64_t key, Total total)
    cdef tuple_of(self, Order *order)
