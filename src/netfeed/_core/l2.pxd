"""What other compiled modules may use of the level book: its two sides, and `put` without the interpreter."""

from libc.stdint cimport int64_t, uint32_t, uint64_t
from netfeed._core.run cimport Run

cdef struct Side:
    Run* runs        # rising: the best level is the top of the last run
    int64_t* firsts  # the lowest key that belongs in each run
    Py_ssize_t count
    Py_ssize_t room
    Py_ssize_t live  # levels, in all runs

cdef struct Row:
    int64_t key
    int64_t quantity
    int64_t orders

cdef class LevelBook:
    cdef Side sides[2]
    cdef Py_ssize_t max_levels
    cdef int state_code
    cdef readonly uint64_t updates
    cdef readonly uint64_t refused

# The rare half of `put`. That it stands here keeps gcc from inlining it there, which would cost the other half 3 ns.
cdef int set_new(Side* side, Py_ssize_t r, Py_ssize_t at, int64_t key, int64_t quantity, uint32_t orders) noexcept nogil
cdef void tidy(Side* side, Py_ssize_t r) noexcept nogil

cdef int put(LevelBook book, int64_t side, int64_t price, int64_t quantity, int64_t orders) noexcept nogil
cdef Py_ssize_t write_rows(const Side* side, Row* rows, Py_ssize_t n) noexcept nogil
