"""A batch of messages on its way from the channel to the books: where each one lies, and its place in the stream."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

cdef enum:
    BATCH = 256                 # references of one batch; small enough to stay in the first cache


cdef struct Message:
    const uint8_t *data
    uint64_t sequence
    int64_t ts_recv_ns
    uint32_t length
    uint32_t channel
