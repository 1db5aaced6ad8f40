"""What other compiled modules may use of the hot step: a move and its bytes, without the interpreter."""

cimport cython
from libc.stdint cimport int64_t, uint8_t, uint16_t

cdef extern from *:
    int64_t SPENT "INT64_MIN"           # the end of a mandate that is not in force

cdef struct Slot:
    double value, forward, ratio, slope, curvature, shift, half, edge, fee, fee_forward, scale
    int64_t tick, from1, from2, from3, tick1, tick2, tick3
    int64_t best_bid, best_ask, bid, ask, bid_rests, ask_rests, bid_wanted, ask_wanted
    int64_t bid_near, ask_near, bid_placed_ns, ask_placed_ns, cool_ns

cdef struct Limit:
    int64_t until_ns, bid_most, ask_least, bid_quantity, ask_quantity

cdef struct Row:
    int64_t slot, bid, bid_quantity, ask, ask_quantity

cdef struct Terms:
    int64_t venue_id, factor, exponent


@cython.final
cdef class QuoteStep:
    cdef object slots_array, limits_array
    cdef readonly object rows, left
    cdef Slot *slots
    cdef Limit *limits
    cdef Row *found
    cdef uint8_t *skipped
    cdef int64_t room

    cdef int64_t go(self, double lead, int64_t now, int64_t most) noexcept nogil
    # Do the work of `go` for nothing but to have it in the caches: no mandate is used, and `rows` mean nothing after it.
    cdef int64_t rehearse(self, double lead, int64_t now) noexcept nogil


@cython.final
cdef class QuoteFrames:
    cdef object terms_array, rows
    cdef Terms *terms
    cdef const Row *first               # of the rows that were written last
    cdef int64_t room, self_match_id
    cdef uint16_t flags

    cdef bint fits(self, const Row *rows, int64_t count) noexcept nogil
    cdef int64_t fill(self, uint8_t *p, const Row *rows, int64_t count, int64_t quote_id, int64_t group,
                      int64_t sequence, int64_t last_processed, int64_t send_time) noexcept nogil
    cdef uint8_t *entry(self, uint8_t *p, const Row *row) noexcept nogil

cdef int64_t frames_size(int64_t quotes) noexcept nogil
