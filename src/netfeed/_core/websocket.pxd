"""What other compiled modules may use of the frame finder."""

cimport cython
from libc.stdint cimport int64_t, uint8_t, uint64_t


cdef enum:
    PLACES = 2048               # how many frames one call finds at most


@cython.final
cdef class Finder:
    cdef bint masked
    cdef uint64_t max_bytes
    cdef int64_t places[2 * PLACES]
    cdef uint8_t is_text[PLACES]

    cdef Py_ssize_t scan(self, const uint8_t *data, Py_ssize_t size, Py_ssize_t *start) noexcept nogil
    cdef Py_ssize_t unmask(self, const uint8_t *data, Py_ssize_t count, uint8_t *out) noexcept nogil
    cdef Py_ssize_t end_of(self, const uint8_t *data, Py_ssize_t start, Py_ssize_t count) noexcept nogil
    cdef bytes placed(self, Py_ssize_t count)
