"""What other compiled modules may use of the path: a channel, and `admit` and `flush` without the GIL."""

cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from netfeed._core.batch cimport BATCH, Message
from netfeed._core.capture cimport Packet, Walker
from netfeed._core.market cimport Market

cdef enum:
    PACKETS = 256               # walked at a time
    MAX_FLOWS = 4096
    MAX_CHANNELS = 1024
    MAX_LINES = 16
    RECENT = 1024               # first copies that are remembered, to tell how far behind the second is
    # status, after the walker's END, PARTIAL, BAD
    PLAIN = 4                   # a packet for plain Python
    UNKNOWN = 5                 # a packet of a flow that was not added
    FULL = 6                    # the changes of a channel should be taken
    LATE = 7                    # a packet later than the caller asked for
    OUTSIDE = 8                 # a packet whose payload is not in the buffer; never told, it raises
    # flows that are no channel's
    TO_PLAIN = -1
    IGNORE = -2
    # what the channel says of a packet
    TAKEN = 0
    NOT_EXPECTED = 1
    NO_ROOM = 2
    MOLDUDP64 = 1
    STARBASE = 2

cdef struct Line:
    uint64_t packets, first, duplicates, bytes
    uint64_t heartbeats         # taken by `idle`
    int64_t last_ts
    uint64_t behind             # how often the other line had brought the packet before, and by how much
    int64_t behind_min, behind_max, behind_sum

cdef struct First:
    uint64_t sequence
    int64_t ts_ns
    int64_t send                # where the header has it, else 0
    int32_t line

cdef struct Flow:
    uint8_t destination[16]
    uint16_t port
    uint8_t used
    int32_t channel
    int32_t line

cdef struct Lane:               # a channel
    int framing
    uint32_t number             # what its changes bear as their channel
    uint8_t armed
    uint8_t session[10]
    uint64_t next
    int64_t last_ts
    int64_t last_send
    void *books
    Market *m
    uint64_t waiting
    Message batch[BATCH]
    Line lines[MAX_LINES]
    First recent[RECENT]


@cython.final
cdef class Path:
    cdef Walker walker
    cdef list owners            # keeps the books alive
    cdef Lane **lanes
    cdef int lane_count
    cdef Flow flows[2 * MAX_FLOWS]
    cdef int flow_count
    cdef Packet packets[PACKETS]
    cdef int at, count, status
    cdef int64_t offset
    cdef readonly uint64_t ignored
    cdef public int64_t newest_ns
    cdef object record          # an array of one PACKET, for `packet`

    cdef int admit(self, Lane *lane, int32_t which, const Packet *packet, const uint8_t *p) noexcept nogil
    cdef bint idle(self, Lane *lane, int32_t which, const Packet *packet, const uint8_t *p) noexcept nogil
    cdef void flush(self, Lane *lane) noexcept nogil
    cdef void flush_all(self) noexcept nogil
    cdef bint grow(self, const Packet *packet)
    cdef int go(self, const uint8_t *data, int64_t size, int64_t base, int64_t until_ns) noexcept nogil
    cdef int consume(
        self, const uint8_t *data, int64_t size, const Packet *packets, int count, int *at, int64_t until_ns
    ) noexcept nogil
    cdef Flow *flow_of(self, const Packet *packet) noexcept nogil
    cdef void note_copy(self, Line *line, int64_t behind) noexcept nogil
    cdef bint has_room(self, Lane *lane, uint64_t count) noexcept nogil
    cdef int take_mold(self, Lane *lane, const Packet *packet, const uint8_t *p) noexcept nogil
    cdef int take_starbase(self, Lane *lane, const Packet *packet, const uint8_t *p) noexcept nogil
    cdef void push(self, Lane *lane, const uint8_t *data, uint32_t length, uint64_t sequence, int64_t ts_ns) noexcept nogil
    cdef Lane *lane_of(self, int channel) except NULL
