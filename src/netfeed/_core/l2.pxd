"""What other compiled modules may use of the level book: its two sides, and `put` without the interpreter."""

from libc.stdint cimport int64_t, uint32_t, uint64_t

cdef struct Side:
    int64_t* keys        # rising; a bid's key is its price, an ask's the complement, so that the best is always last
    int64_t* quantities  # 0: a dead slot, kept because its price is likely to come back
    uint32_t* orders
    Py_ssize_t slots     # in use, live and dead
    Py_ssize_t capacity
    Py_ssize_t live
    Py_ssize_t top       # slot of the best level; -1 when the side is empty

cdef class LevelBook:
    cdef Side sides[2]
    cdef Py_ssize_t max_levels
    cdef int state_code
    cdef readonly uint64_t updates
    cdef readonly uint64_t refused

cdef int put(LevelBook book, int64_t side, int64_t price, int64_t quantity, int64_t orders) noexcept nogil
