"""What other compiled modules may use of a batch of datagrams: the rows and bytes, filled without the GIL."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t

from netfeed._core.capture cimport Packet

cdef extern from "sys/uio.h" nogil:
    cdef struct iovec:
        void *iov_base
        size_t iov_len

cdef extern from "sys/socket.h" nogil:
    cdef struct msghdr:
        void *msg_name
        unsigned int msg_namelen
        iovec *msg_iov
        size_t msg_iovlen
        void *msg_control
        size_t msg_controllen
        int msg_flags
    cdef struct mmsghdr:
        msghdr msg_hdr
        unsigned int msg_len

cdef struct Local:              # where a socket is bound to
    uint8_t address[16]         # IPv4 as ::ffff:a.b.c.d
    uint16_t port
    uint8_t ip_version


cdef int local_of(int fd, Local *local) noexcept nogil


cdef class Batch:
    cdef readonly int capacity
    cdef readonly int64_t drops
    cdef readonly bint hardware
    cdef int size
    cdef Packet *rows           # of `packets_array`
    cdef uint8_t *bytes         # of `data_array`
    cdef int64_t *kernel        # of `stamps_array`: the kernel's own stamps, where `rows` may have the card's
    cdef object packets_array, data_array, stamps_array
    cdef mmsghdr *heads
    cdef iovec *vectors
    cdef uint8_t *names
    cdef uint8_t *controls

    cdef bint named             # the kernel was given room for the senders' names

    # Receive what waits, without waiting. Returns the count, or minus the errno. Senders are zeros unless they are `named`.
    cdef int fill(self, int fd, const Local *local, bint named) noexcept nogil
    cdef void name(self, bint named) noexcept nogil
    cdef void describe(self, int k, const Local *local) noexcept nogil
