"""What other compiled modules may use: a batch of messages, and the frame finder."""

cimport cython
from libc.stdint cimport int64_t, uint8_t, uint64_t


cdef enum:
    PLACES = 2048               # how many frames one call finds at most


@cython.final
cdef class Messages:
    cdef bytes held, at
    cdef readonly bytes is_text
    cdef const uint8_t *start   # of `held`
    cdef const int64_t *spans   # start and length of each message in it, both checked
    cdef Py_ssize_t count

    cdef Py_ssize_t place(self, Py_ssize_t index) except -1


@cython.final
cdef class Finder:
    cdef bint masked
    cdef uint64_t max_bytes
    cdef int64_t places[2 * PLACES]
    cdef uint8_t is_text[PLACES]

    cdef Py_ssize_t scan(self, const uint8_t *data, Py_ssize_t size, Py_ssize_t *start) noexcept nogil
    cdef Py_ssize_t unmask(self, const uint8_t *data, Py_ssize_t count, uint8_t *out) noexcept nogil
    cdef Py_ssize_t end_of(self, const uint8_t *data, Py_ssize_t start, Py_ssize_t count) noexcept nogil
    cdef Messages batch(self, bytes data, Py_ssize_t count)
