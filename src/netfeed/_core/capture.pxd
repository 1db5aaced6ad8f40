"""What other compiled modules may use of the walker: the packet record, and `fill` without the GIL."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

cdef enum:  # Kind
    UDP = 1
    FRAGMENT = 2
    NOT_UDP = 3
    MALFORMED = 4  # Kind.BAD
    TRUNCATED = 5

cdef enum:  # Status
    MORE = 0  # `out` is full
    END = 1  # the buffer ends where a record ends
    PARTIAL = 2  # a record goes on past the end of the buffer
    BAD = 3  # what stands at next_offset is no record; see Walker.error

cdef enum:
    MAX_INTERFACES = 256

cdef struct Packet:  # = netfeed.wire.capture.PACKET, 80 bytes
    int64_t record_offset  # of the record header in the file (base + index)
    int64_t ts_ns  # INT64_MIN: the file gives no time
    int64_t payload_offset  # index in the buffer
    uint32_t payload_length
    uint32_t captured_length
    uint32_t original_length
    uint32_t interface
    uint8_t kind
    uint8_t ip_version
    uint16_t vlan  # outermost id, 0xFFFF: no tag
    uint16_t source_port
    uint16_t destination_port
    uint8_t source[16]  # IPv4 as ::ffff:a.b.c.d
    uint8_t destination[16]

cdef struct Interface:
    uint32_t linktype
    uint32_t snaplen
    int64_t offset_seconds
    uint64_t scale  # nanoseconds of a tick, or ticks of a nanosecond when `divide`; unused when `shift`
    uint64_t drops
    uint8_t divide
    uint8_t shift  # base 2: ticks * 10**9 >> shift
    uint8_t binary
    uint8_t has_drops

cdef class Walker:
    cdef readonly int64_t records, udp, fragments, not_udp, bad, truncated
    cdef int form, swapped, count
    cdef uint32_t limit, linktype, snaplen, nanoseconds
    cdef int64_t last_seconds
    cdef uint64_t closed_drops
    cdef int error_code
    cdef int64_t error_found, error_low, error_high
    cdef Interface interfaces_[MAX_INTERFACES]

    # Walk data[offset:size] into at most `capacity` packets; `base` is the file offset of data[0]. Needs
    # 0 <= offset <= size. Returns a Status; a second call goes on from *next_offset.
    cdef int fill(self, const unsigned char* data, int64_t size, int64_t offset, int64_t base, Packet* out,
                  int capacity, int64_t* next_offset, int* count) noexcept nogil

    cdef int fill_pcap(self, const unsigned char* data, int64_t size, int64_t base, Packet* out, int capacity,
                       int64_t* next_offset, int* count, int64_t* tally) noexcept nogil
    cdef int fill_pcapng(self, const unsigned char* data, int64_t size, int64_t base, Packet* out, int capacity,
                         int64_t* next_offset, int* count, int64_t* tally) noexcept nogil
    cdef int start(self, const unsigned char* data, int64_t size, int64_t* at) noexcept nogil
    cdef int block(self, const unsigned char* data, int64_t size, int64_t at, int64_t* length, Packet* out) noexcept nogil
    cdef int section(self, const unsigned char* block, int64_t length, int swapped) noexcept nogil
    cdef int describe(self, const unsigned char* block, int64_t length) noexcept nogil
    cdef int statistics(self, const unsigned char* block, int64_t length) noexcept nogil
    cdef int packet(self, const unsigned char* block, uint32_t type, int64_t length, int64_t at, Packet* out) noexcept nogil
    cdef int fail(self, int status, int code, int64_t found, int64_t low, int64_t high) noexcept nogil
    cdef bint plausible_record(self, const unsigned char* data, int64_t size, int64_t at, int64_t* seconds, int64_t* after) noexcept nogil
    cdef bint plausible(self, const unsigned char* data, int64_t size, int64_t at) noexcept nogil
