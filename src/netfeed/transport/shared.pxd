"""What other compiled modules may use of the shared ring: putting records without the GIL."""

from libc.stdint cimport uint8_t, uint64_t


cdef class Writer:
    cdef uint8_t[::1] view
    cdef uint8_t *header
    cdef uint8_t *records
    cdef uint64_t capacity
    cdef uint64_t claimed

    # Put `count` records of RECORD bytes and wake who waits. Never waits.
    cdef void put(self, const uint8_t *records, uint64_t count) noexcept nogil
