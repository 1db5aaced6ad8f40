# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The path of the expected packet, compiled: record -> UDP payload -> channel -> messages -> books, in one call.

The plain twin `netfeed.feed.path.Path` defines it. The channel here knows one case only: the next packet of the
session, whole and sound - or a copy of one that is past. Everything else is handed to plain Python untouched.
Messages wait in a batch for each channel, so that the books can fetch ahead across packets.
"""

cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcmp, memcpy, memset

import numpy as np

from netfeed._core.batch cimport BATCH, Message
from netfeed._core.capture cimport END, MORE, UDP, Packet, Walker
from netfeed._core.itch cimport ItchBooks
from netfeed._core.market cimport CHANGES_PER_MESSAGE, Market, unlikely
from netfeed._core.starbase cimport StarbaseBooks

cdef extern from *:
    int64_t LOWEST "INT64_MIN"
    int64_t HIGHEST "INT64_MAX"

cdef extern from * nogil:
    """
    #include <stdint.h>
    #include <string.h>
    static inline uint16_t nf_path_be16(const uint8_t *p) { uint16_t v; memcpy(&v, p, 2); return __builtin_bswap16(v); }
    static inline uint64_t nf_path_be64(const uint8_t *p) { uint64_t v; memcpy(&v, p, 8); return __builtin_bswap64(v); }
    static inline uint16_t nf_path_le16(const uint8_t *p) { uint16_t v; memcpy(&v, p, 2); return v; }
    static inline uint64_t nf_path_le64(const uint8_t *p) { uint64_t v; memcpy(&v, p, 8); return v; }
    """
    uint16_t be16 "nf_path_be16"(const uint8_t *p) noexcept
    uint64_t be64 "nf_path_be64"(const uint8_t *p) noexcept
    uint16_t le16 "nf_path_le16"(const uint8_t *p) noexcept
    uint64_t le64 "nf_path_le64"(const uint8_t *p) noexcept

@cython.final
cdef class Path:
    """From the bytes of a capture to changed books, for the packets that are as expected."""

    def __cinit__(self, walker=None, record=None):
        if walker is not None and not isinstance(walker, Walker):
            raise TypeError("the compiled path needs the compiled Walker")
        self.walker = walker
        self.owners = []
        self.lanes = <Lane **>calloc(MAX_CHANNELS, sizeof(void *))
        if self.lanes == NULL:
            raise MemoryError("no memory for channels")
        self.record = record
        self.status = MORE
        self.offset = -1
        self.newest_ns = LOWEST

    def __dealloc__(self):
        cdef int k
        for k in range(self.lane_count):
            free(self.lanes[k])
        free(self.lanes)

    # --- what the path knows

    def add_channel(self, books, uint16_t number=0):
        cdef Lane *lane
        if self.lane_count == MAX_CHANNELS:
            raise ValueError(f"more than {MAX_CHANNELS} channels")
        lane = <Lane *>calloc(1, sizeof(Lane))
        if lane == NULL:
            raise MemoryError("no memory for a channel")
        if isinstance(books, ItchBooks):
            lane.framing = MOLDUDP64
            lane.m = (<ItchBooks>books).m
        elif isinstance(books, StarbaseBooks):
            lane.framing = STARBASE
            lane.m = (<StarbaseBooks>books).m
        else:
            free(lane)
            raise ValueError("the compiled path feeds ItchBooks and StarbaseBooks")
        lane.books = <void *>books
        lane.number = number
        self.owners.append(books)
        self.lanes[self.lane_count] = lane
        self.forget_firsts(self.lane_count)
        self.lane_count += 1
        return self.lane_count - 1

    def add_flow(self, bytes destination, uint16_t port, int channel, int line=0):
        cdef Packet packet
        cdef Flow *flow
        if len(destination) != 16 or not IGNORE <= channel < self.lane_count or not 0 <= line < MAX_LINES:
            raise ValueError("a flow is a 16-byte address, a port, a channel that was added, and a line below 16")
        memcpy(packet.destination, <const char *>destination, 16)
        packet.destination_port = port
        flow = self.flow_of(&packet)
        if not flow.used:
            if self.flow_count == MAX_FLOWS:
                raise ValueError(f"more than {MAX_FLOWS} flows")
            self.flow_count += 1
        memcpy(flow.destination, packet.destination, 16)
        flow.port = port
        flow.used = 1
        flow.channel = channel
        flow.line = line

    def arm(self, int channel, bytes session, uint64_t next_sequence):
        cdef Lane *lane = self.lane_of(channel)
        if len(session) > 10:
            raise ValueError("a session has at most 10 bytes")
        memset(lane.session, 0, 10)
        memcpy(lane.session, <const char *>session, len(session))
        lane.next = next_sequence
        lane.last_send = LOWEST
        lane.armed = 1

    def disarm(self, int channel):
        self.lane_of(channel).armed = 0

    def forget_firsts(self, int channel):
        cdef int k
        for k in range(RECENT):
            self.lanes[channel].recent[k].line = -1

    def position(self, int channel):
        """Tell (next sequence, time of the last packet, its send time or None) as the channel here has them."""
        cdef Lane *lane = self.lane_of(channel)
        return lane.next, lane.last_ts, None if lane.last_send == LOWEST else lane.last_send

    def number(self, int channel):
        return self.lane_of(channel).number

    def drain_lines(self, int channel):
        """Take the accounts: (line, packets, first, duplicates, bytes, last_ts, (count, min, max, sum) behind)."""
        cdef Lane *lane = self.lane_of(channel)
        cdef Line *one
        cdef int k
        cdef uint64_t found_beats
        found = []
        for k in range(MAX_LINES):
            one = &lane.lines[k]
            if one.packets:
                behind = (one.behind, one.behind_min, one.behind_max, one.behind_sum)
                found.append((k, one.packets, one.first, one.duplicates, one.bytes, one.last_ts, behind))
                found_beats = one.heartbeats
                memset(one, 0, sizeof(Line))
                one.heartbeats = found_beats
        return found

    @property
    def packet(self):
        """The packet that `run` stopped at, as a PACKET record."""
        cdef uint8_t[::1] view = self.record.view(np.uint8)
        memcpy(&view[0], &self.packets[self.at if self.at < PACKETS else 0], sizeof(Packet))
        return self.record[0]

    def done(self):
        """Go on behind the packet that `run` stopped at."""
        if self.at < self.count:
            self.at += 1

    # --- the run

    def accept(self, int channel, int line, const uint8_t[::1] payload, int64_t ts_ns):
        cdef Lane *lane = self.lane_of(channel)
        cdef const uint8_t *p = &payload[0] if payload.shape[0] else NULL
        cdef Packet packet
        cdef int said
        if not 0 <= line < MAX_LINES:
            raise ValueError("a line is below 16")
        packet.payload_length = <uint32_t>min(payload.shape[0], <Py_ssize_t>0xFFFFFFFF)
        packet.ts_ns = ts_ns
        if not lane.armed:
            return PLAIN
        said = self.admit(lane, line, &packet, p)
        if said == NOT_EXPECTED and self.idle(lane, line, &packet, p):
            said = TAKEN
        self.flush(lane)
        return END if said == TAKEN else FULL if said == NO_ROOM else PLAIN

    def heartbeats(self, int channel):
        cdef Lane *lane = self.lane_of(channel)
        cdef int k
        cdef uint64_t found = 0
        for k in range(MAX_LINES):
            found += lane.lines[k].heartbeats
        return found

    def run(self, const uint8_t[::1] data, int64_t offset, int64_t base=0, int64_t until_ns=HIGHEST):
        cdef const uint8_t *p = &data[0] if data.shape[0] else NULL
        cdef int64_t size = data.shape[0]
        cdef int status
        if self.walker is None:
            raise ValueError("this path was made without a walker")
        if not 0 <= offset <= size:
            raise ValueError(f"offset {offset} is outside the buffer of {size} bytes")
        if self.at == self.count:
            self.offset = offset
        while True:
            with nogil:
                status = self.go(p, size, base, until_ns)
                self.flush_all()
            if status != FULL or not self.grow(&self.packets[self.at]):
                return self.offset, status

    def take(self, const uint8_t[::1] data, packets, int start, int64_t until_ns=HIGHEST):
        cdef const uint8_t *p = &data[0] if data.shape[0] else NULL
        cdef const uint8_t[::1] raw = packets.view(np.uint8)
        cdef int count = <int>len(packets)
        cdef int at = start
        cdef int status
        if raw.shape[0] != count * <int64_t>sizeof(Packet) or not 0 <= start <= count:
            raise ValueError("packets must be a contiguous array of PACKET, and start inside it")
        if start == count:
            return start, END
        while True:
            with nogil:
                status = self.consume(p, data.shape[0], <const Packet *>&raw[0], count, &at, until_ns)
                self.flush_all()
            if status == OUTSIDE:
                raise ValueError(f"the payload of packet {at} lies outside the buffer of {data.shape[0]} bytes")
            if status != FULL or not self.grow(<const Packet *>&raw[0] + at):
                return at, status

    cdef void flush_all(self) noexcept nogil:
        cdef int k
        for k in range(self.lane_count):
            self.flush(self.lanes[k])

    cdef bint grow(self, const Packet *packet):
        """Make room where a batch of changes is short although it was just taken. False: there is something to take."""
        cdef Flow *flow = self.flow_of(packet)
        cdef Lane *lane = self.lanes[flow.channel]
        if lane.m.change_count:
            return False
        books = <object>lane.books
        (books.books).reserve((packet.payload_length // 2 + BATCH) * CHANGES_PER_MESSAGE + 4 * lane.m.dirty_count)
        return True

    cdef int go(self, const uint8_t *data, int64_t size, int64_t base, int64_t until_ns) noexcept nogil:
        cdef int status
        cdef int64_t next_offset
        while True:
            if self.at == self.count:
                if self.status != MORE:
                    status = self.status
                    self.status = MORE
                    return status
                self.at = self.count = 0
                self.status = self.walker.fill(
                    data, size, self.offset, base, self.packets, PACKETS, &next_offset, &self.count
                )
                self.offset = next_offset
                continue
            status = self.consume(data, size, self.packets, self.count, &self.at, until_ns)
            if status != END:
                return status

    cdef int consume(
        self, const uint8_t *data, int64_t size, const Packet *packets, int count, int *at, int64_t until_ns
    ) noexcept nogil:
        """Take packets from `at` on as long as they are as expected; END when none is left."""
        cdef const Packet *packet
        cdef Flow *flow
        cdef Lane *lane
        cdef int said
        while at[0] < count:
            packet = &packets[at[0]]
            if unlikely(packet.ts_ns > until_ns):
                return LATE
            if unlikely(packet.kind != UDP or packet.ts_ns < self.newest_ns):
                return PLAIN
            flow = self.flow_of(packet)
            if unlikely(not flow.used):
                return UNKNOWN
            if flow.channel < 0:
                if flow.channel == TO_PLAIN:
                    return PLAIN
                self.ignored += 1
                at[0] += 1
                continue
            if unlikely(packet.payload_offset < 0 or packet.payload_offset > size - <int64_t>packet.payload_length):
                return OUTSIDE
            lane = self.lanes[flow.channel]
            said = self.admit(lane, flow.line, packet, data + packet.payload_offset) if lane.armed else NOT_EXPECTED
            if said != TAKEN:
                return FULL if said == NO_ROOM else PLAIN
            self.newest_ns = packet.ts_ns
            at[0] += 1
        return END

    cdef Flow *flow_of(self, const Packet *packet) noexcept nogil:
        """Find the place of a flow; `used` says whether it was added."""
        cdef uint64_t key
        cdef uint64_t at
        memcpy(&key, packet.destination + 8, 8)
        at = ((key ^ packet.destination_port) * <uint64_t>0x9E3779B97F4A7C15) >> 51
        while True:
            at &= 2 * MAX_FLOWS - 1
            if not self.flows[at].used or (self.flows[at].port == packet.destination_port
                                           and memcmp(self.flows[at].destination, packet.destination, 16) == 0):
                return &self.flows[at]
            at += 1

    # --- the channel

    cdef int admit(self, Lane *lane, int32_t which, const Packet *packet, const uint8_t *p) noexcept nogil:
        """Take a packet that is the next one or a copy of one that was; touch nothing otherwise."""
        cdef uint64_t length = packet.payload_length
        cdef uint64_t sequence, count
        cdef Line *line = &lane.lines[which]
        cdef First *first
        cdef int said
        if lane.framing == MOLDUDP64:
            if length < 20 or memcmp(p, lane.session, 10) != 0:
                return NOT_EXPECTED
            sequence = be64(p + 10)
            count = be16(p + 18)
            if count == 0xFFFF:
                return NOT_EXPECTED
        else:
            if length < 24 or memcmp(p + 16, lane.session, 4) != 0 or le16(p + 20) != 1:
                return NOT_EXPECTED
            sequence = le64(p + 8)
            count = le16(p + 22)
        if count == 0:
            return NOT_EXPECTED
        first = &lane.recent[sequence & (RECENT - 1)]
        if sequence == lane.next:
            said = self.take_mold(lane, packet, p) if lane.framing == MOLDUDP64 else self.take_starbase(lane, packet, p)
            if said != TAKEN:
                return said
            lane.next += count
            if lane.framing == STARBASE:
                lane.last_send = <int64_t>le64(p)
            first.sequence = sequence
            first.ts_ns = packet.ts_ns
            first.send = lane.last_send if lane.framing == STARBASE else 0
            first.line = which
            line.first += 1
        elif (first.line >= 0 and first.line != which and first.sequence == sequence
              and sequence <= lane.next and count <= lane.next - sequence):     # a sum could wrap
            self.note_copy(line, packet.ts_ns - first.ts_ns)
        else:
            return NOT_EXPECTED
        line.packets += 1
        line.bytes += length
        line.last_ts = packet.ts_ns
        lane.last_ts = packet.ts_ns
        return TAKEN

    cdef bint idle(self, Lane *lane, int32_t which, const Packet *packet, const uint8_t *p) noexcept nogil:
        """Count a packet that says nothing new and is no copy of another line's: a heartbeat, or a repetition."""
        cdef uint64_t length = packet.payload_length
        cdef uint64_t sequence, count
        cdef int64_t send = 0
        cdef Line *line = &lane.lines[which]
        cdef const First *first
        if lane.framing == MOLDUDP64:
            if length < 20 or memcmp(p, lane.session, 10) != 0:
                return False
            sequence = be64(p + 10)
            count = be16(p + 18)
            length -= 20
        else:
            if length < 24 or memcmp(p + 16, lane.session, 4) != 0 or le16(p + 20) != 1:
                return False
            send = <int64_t>le64(p)
            sequence = le64(p + 8)
            count = le16(p + 22)
            length -= 24
        if count == 0:
            if sequence != lane.next or length != 0:
                return False
            line.heartbeats += 1
        else:
            first = &lane.recent[sequence & (RECENT - 1)]
            if first.line < 0 or first.sequence != sequence or first.send != send:
                return False
            if sequence > lane.next or count > lane.next - sequence:
                return False
            line.duplicates += 1
        line.packets += 1
        line.bytes += packet.payload_length
        line.last_ts = packet.ts_ns
        lane.last_ts = packet.ts_ns
        return True

    cdef void note_copy(self, Line *line, int64_t behind) noexcept nogil:
        line.duplicates += 1
        if line.behind == 0 or behind < line.behind_min:
            line.behind_min = behind
        if line.behind == 0 or behind > line.behind_max:
            line.behind_max = behind
        line.behind += 1
        line.behind_sum += behind

    cdef bint has_room(self, Lane *lane, uint64_t count) noexcept nogil:
        cdef uint64_t wanted = (lane.waiting + count) * CHANGES_PER_MESSAGE + 4 * <uint64_t>lane.m.dirty_count
        return lane.m.change_capacity - lane.m.change_count >= wanted

    cdef int take_mold(self, Lane *lane, const Packet *packet, const uint8_t *p) noexcept nogil:
        cdef uint64_t length = packet.payload_length
        cdef uint64_t count = be16(p + 18), at = 20, k, sequence = be64(p + 10)
        for k in range(count):
            if at + 2 > length:
                return NOT_EXPECTED
            at += 2 + <uint64_t>be16(p + at)
        if at != length or sequence + count < sequence:
            return NOT_EXPECTED
        if not self.has_room(lane, count):
            return NO_ROOM
        at = 20
        for k in range(count):
            self.push(lane, p + at + 2, be16(p + at), sequence + k, packet.ts_ns)
            at += 2 + <uint64_t>be16(p + at)
        return TAKEN

    cdef int take_starbase(self, Lane *lane, const Packet *packet, const uint8_t *p) noexcept nogil:
        cdef uint64_t length = packet.payload_length
        cdef uint64_t count = le16(p + 22), at = 24, k, sequence = le64(p + 8), size
        for k in range(count):
            if at + 16 > length:
                return NOT_EXPECTED
            size = le16(p + at)
            if size < 16 or at + size > length or le16(p + at + 2) == 10:   # a definition is for plain Python
                return NOT_EXPECTED
            at += size
        if at != length or sequence + count < sequence:
            return NOT_EXPECTED
        if not self.has_room(lane, count):
            return NO_ROOM
        at = 24
        for k in range(count):
            self.push(lane, p + at, le16(p + at), sequence + k, packet.ts_ns)
            at += le16(p + at)
        return TAKEN

    cdef void push(self, Lane *lane, const uint8_t *data, uint32_t length, uint64_t sequence, int64_t ts_ns) noexcept nogil:
        cdef Message *message
        if lane.waiting == BATCH:
            self.flush(lane)
        message = &lane.batch[lane.waiting]
        message.data = data
        message.length = length
        message.sequence = sequence
        message.ts_recv_ns = ts_ns
        message.channel = lane.number
        lane.waiting += 1

    cdef void flush(self, Lane *lane) noexcept nogil:
        """Apply the messages that wait."""
        cdef uint64_t count = lane.waiting
        if count == 0:
            return
        lane.waiting = 0
        if lane.framing == MOLDUDP64:
            (<ItchBooks>lane.books).apply_batch(lane.batch, count)
        else:
            (<StarbaseBooks>lane.books).apply_batch(lane.batch, count)

    cdef Lane *lane_of(self, int channel) except NULL:
        if not 0 <= channel < self.lane_count:
            raise ValueError(f"there is no channel {channel}")
        return self.lanes[channel]
