"""What other compiled modules may use of the shared ring: putting records without the GIL."""

from libc.stdint cimport uint8_t, uint64_t


cdef class Writer:
    cdef uint8_t[::1] view
    cdef uint8_t *header
    cdef uint8_t *records
    cdef uint64_t capacity
    cdef uint64_t claimed
    cdef readonly uint64_t record       # bytes of one

    # Put `count` records of `record` bytes and wake who waits. Never waits.
    cdef void put(self, const uint8_t *records, uint64_t count) noexcept nogil

    # Put them and wake nobody: who waits looks every 50 ms. Saves a barrier, which costs as much as all else here.
    cdef void lay(self, const uint8_t *records, uint64_t count) noexcept nogil
