# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Walk a capture: one call turns a buffer of pcap or pcapng records into an array of UDP payloads.

The twin `netfeed.wire.capture` defines what is done here, and the modules that it is made of (`wire.pcap`,
`wire.pcapng`, `wire.frame`) name the specifications. What this module adds is speed: Ethernet, IPv4 without options
and UDP are found by five comparisons, all else goes through `locate`. Every load is a `memcpy`, so that neither the
alignment nor the byte order of the file matters, and every length is compared before a pointer moves.

Leaves out: names and comments of interfaces, options of packets, reassembly of fragments.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport INT64_MAX, INT64_MIN, UINT64_MAX, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, memset

cdef extern from *:
    """
    typedef unsigned __int128 netfeed_u128;
    typedef __int128 netfeed_i128;
    #if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    #define NETFEED_LITTLE 1
    #else
    #define NETFEED_LITTLE 0
    #endif
    """
    ctypedef unsigned long long u128 "netfeed_u128"
    ctypedef long long i128 "netfeed_i128"
    bint LITTLE "NETFEED_LITTLE"
    uint32_t swap32 "__builtin_bswap32"(uint32_t) nogil
    uint16_t swap16 "__builtin_bswap16"(uint16_t) nogil
    uint64_t swap64 "__builtin_bswap64"(uint64_t) nogil
    void prefetch "__builtin_prefetch"(const void*) nogil
    bint likely "__builtin_expect"(bint, long) nogil

cdef enum:  # Form
    UNKNOWN = 0
    PCAP = 1
    PCAPNG = 2

cdef enum:
    ETHERNET = 1
    LOOPBACK = 0
    OPENBSD_LOOPBACK = 108
    RAW = 101
    SLL = 113
    IPV4 = 228
    IPV6 = 229
    SLL2 = 276

    TYPE_IPV4 = 0x0800
    TYPE_IPV6 = 0x86DD

    SHB = 0x0A0D0D0A
    IDB = 1
    PB = 2
    SPB = 3
    NRB = 4
    ISB = 5
    EPB = 6

    MAX_RECORD = 262144  # pcap.MAX_RECORD
    LEAST_LIMIT = 65535  # pcap.LEAST_LIMIT
    MAX_BLOCK = 16777216  # pcapng.MAX_BLOCK
    MAX_TAGS = 8  # frame.MAX_TAGS
    MAX_EXTENSIONS = 8  # frame.MAX_EXTENSIONS
    RESYNC_BYTES = 1048576  # pcap.RESYNC_BYTES
    RESYNC_SECONDS = 86400  # pcap.RESYNC_SECONDS
    NO_VLAN = 0xFFFF
    AHEAD = 2048  # bytes that the prefetch runs in front of the walk
    LINE = 64  # the headers and the first bytes of a payload stand in two cache lines

    # what `block` says besides PARTIAL and BAD
    SKIPPED = -1
    FILLED = -2

cdef enum:  # Error
    NOTHING = 0
    SHORT_MAGIC
    NO_MAGIC
    SHORT_FILE
    FILE_VERSION
    SHORT_HEADER
    LONG_RECORD
    SHORT_RECORD
    SHORT_BLOCK
    BYTE_ORDER
    BLOCK_LENGTH
    BLOCK_TRAILER
    SECTION_VERSION
    MANY_INTERFACES
    LONG_OPTION
    OPTION_LENGTH
    NO_INTERFACE
    LONG_PACKET

_ERRORS = {
    SHORT_MAGIC: ("capture file header is cut short", "{found} bytes", "{low} bytes"),
    NO_MAGIC: ("not a capture file", "{found:08x}", "a pcap or pcapng magic number"),
    SHORT_FILE: ("pcap file header is cut short", "{found} bytes", "{low} bytes"),
    FILE_VERSION: ("pcap file header has an unknown version", "{major}.{minor}", "2.x"),
    SHORT_HEADER: ("pcap record header is cut short", "{found} bytes", "{low} bytes"),
    LONG_RECORD: ("pcap record is longer than a capture can hold", "{found} bytes", "at most {low} bytes"),
    SHORT_RECORD: ("pcap record is cut short", "{found} bytes", "{low} bytes"),
    SHORT_BLOCK: ("pcapng block is cut short", "{found} bytes", "{low} bytes"),
    BYTE_ORDER: ("pcapng section has an unknown byte order", "{found:08x}", "1a2b3c4d or 4d3c2b1a"),
    BLOCK_LENGTH: ("pcapng block has an impossible length", "{found} bytes", "a multiple of 4 from {low} to {high} bytes"),
    BLOCK_TRAILER: ("pcapng block does not repeat its length at its end", "{found} bytes", "{low} bytes"),
    SECTION_VERSION: ("pcapng section has an unknown version", "{major}.{minor}", "1.x"),
    MANY_INTERFACES: ("pcapng section has too many interfaces", "{found}", "at most {low}"),
    LONG_OPTION: ("pcapng option runs past its block", "{found} bytes", "at most {low} bytes"),
    OPTION_LENGTH: ("pcapng option has a wrong length", "{found} bytes", "{low} bytes"),
    NO_INTERFACE: ("pcapng block names an unknown interface", "{found}", "below {low}"),
    LONG_PACKET: ("pcapng packet is longer than its block", "{found} bytes", "at most {low} bytes"),
}

cdef const unsigned char* MAPPED = b"\0\0\0\0\0\0\0\0\0\0\xff\xff"  # ::ffff:0:0/96, where IPv4 lives in IPv6


cdef inline uint16_t read16(const unsigned char* at, int swapped) noexcept nogil:
    cdef uint16_t value
    memcpy(&value, at, 2)
    return swap16(value) if swapped else value


cdef inline uint32_t read32(const unsigned char* at, int swapped) noexcept nogil:
    cdef uint32_t value
    memcpy(&value, at, 4)
    return swap32(value) if swapped else value


cdef inline uint64_t read64(const unsigned char* at, int swapped) noexcept nogil:
    cdef uint64_t value
    memcpy(&value, at, 8)
    return swap64(value) if swapped else value


cdef inline uint16_t net16(const unsigned char* at) noexcept nogil:
    return read16(at, LITTLE)


cdef inline uint32_t net32(const unsigned char* at) noexcept nogil:
    return read32(at, LITTLE)


# ---- frames: the same order of checks as netfeed.wire.frame.locate ------------------------------------------------


cdef inline int too_short(Packet* out) noexcept nogil:
    out.kind = TRUNCATED if out.captured_length < out.original_length else MALFORMED
    return 0


cdef int locate_udp(const unsigned char* frame, int64_t at, int64_t end, int64_t frame_index, Packet* out) noexcept nogil:
    """Judge the UDP header at `at`; the IP payload ends at `end`, which may stand behind the captured bytes."""
    cdef int64_t captured = out.captured_length
    cdef int64_t length
    if end - at < 8:
        out.kind = MALFORMED
        return 0
    if captured - at < 8:
        return too_short(out)
    length = net16(frame + at + 4)
    if length < 8 or length > end - at:
        out.kind = MALFORMED
        return 0
    out.source_port = net16(frame + at)
    out.destination_port = net16(frame + at + 2)
    if at + length > captured:
        too_short(out)
        if out.kind == TRUNCATED:
            out.payload_offset = frame_index + at + 8
            out.payload_length = <uint32_t>(captured - at - 8)
        return 0
    out.kind = UDP
    out.payload_offset = frame_index + at + 8
    out.payload_length = <uint32_t>(length - 8)
    return 0


cdef int locate_ipv4(const unsigned char* frame, int64_t at, int64_t frame_index, Packet* out) noexcept nogil:
    cdef const unsigned char* ip = frame + at
    cdef int64_t header, total
    if <int64_t>out.captured_length - at < 20:
        return too_short(out)
    header = (ip[0] & 15) * 4
    total = net16(ip + 2)
    if ip[0] >> 4 != 4 or header < 20 or total < header:
        out.kind = MALFORMED
        return 0
    out.ip_version = 4
    memcpy(out.source, MAPPED, 12)
    memcpy(out.source + 12, ip + 12, 4)
    memcpy(out.destination, MAPPED, 12)
    memcpy(out.destination + 12, ip + 16, 4)
    if ip[9] != 17:
        out.kind = NOT_UDP
        return 0
    if net16(ip + 6) & 0x3FFF:  # more fragments follow, or this one is not the first
        out.kind = FRAGMENT
        return 0
    return locate_udp(frame, at + header, at + total, frame_index, out)


cdef inline bint is_extension(int protocol) noexcept nogil:
    return protocol == 0 or protocol == 43 or protocol == 44 or protocol == 51 or protocol == 60


cdef int locate_ipv6(const unsigned char* frame, int64_t at, int64_t frame_index, Packet* out) noexcept nogil:
    cdef const unsigned char* ip = frame + at
    cdef int64_t captured = out.captured_length
    cdef int64_t end, length
    cdef int protocol, following, seen
    if captured - at < 40:
        return too_short(out)
    if ip[0] >> 4 != 6:
        out.kind = MALFORMED
        return 0
    out.ip_version = 6
    memcpy(out.source, ip + 8, 16)
    memcpy(out.destination, ip + 24, 16)
    protocol = ip[6]
    at += 40
    end = at + net16(ip + 4)
    for seen in range(MAX_EXTENSIONS + 1):
        if protocol == 17:
            return locate_udp(frame, at, end, frame_index, out)
        if not is_extension(protocol):
            out.kind = NOT_UDP
            return 0
        if end - at < 8:
            break
        if captured - at < 8:
            return too_short(out)
        following = frame[at]
        if protocol == 44 and net16(frame + at + 2) & 0xFFF9:  # an offset, or more fragments follow
            out.kind = FRAGMENT if following == 17 or is_extension(following) else NOT_UDP
            return 0
        length = 8 if protocol == 44 else (frame[at + 1] + 2) * 4 if protocol == 51 else (frame[at + 1] + 1) * 8
        if end - at < length:
            break
        at += length
        protocol = following
    out.kind = MALFORMED
    return 0


cdef int locate_typed(const unsigned char* frame, int64_t at, int type, int64_t frame_index, Packet* out) noexcept nogil:
    """Go on behind an EtherType: VLAN tags, then IP."""
    cdef int tags = 0
    while type == 0x8100 or type == 0x88A8 or type == 0x9100:
        if tags == MAX_TAGS:
            out.kind = MALFORMED
            return 0
        if <int64_t>out.captured_length - at < 4:
            return too_short(out)
        if tags == 0:
            out.vlan = net16(frame + at) & 0x0FFF
        type = net16(frame + at + 2)
        at += 4
        tags += 1
    if type == TYPE_IPV4:
        return locate_ipv4(frame, at, frame_index, out)
    if type == TYPE_IPV6:
        return locate_ipv6(frame, at, frame_index, out)
    out.kind = NOT_UDP
    return 0


cdef int locate(const unsigned char* frame, uint32_t linktype, int64_t frame_index, Packet* out) noexcept nogil:
    """Fill all of `out` that the frame decides; captured_length and original_length are already there."""
    cdef int64_t captured = out.captured_length
    cdef uint32_t family, swapped
    out.payload_offset = 0
    out.payload_length = 0
    out.ip_version = 0
    out.vlan = NO_VLAN
    out.source_port = 0
    out.destination_port = 0
    memset(out.source, 0, 32)
    if linktype == ETHERNET:
        if captured < 14:
            return too_short(out)
        return locate_typed(frame, 14, net16(frame + 12), frame_index, out)
    if linktype == SLL:
        if captured < 16:
            return too_short(out)
        return locate_typed(frame, 16, net16(frame + 14), frame_index, out)
    if linktype == SLL2:
        if captured < 20:
            return too_short(out)
        return locate_typed(frame, 20, net16(frame), frame_index, out)
    if linktype == IPV4:
        return locate_ipv4(frame, 0, frame_index, out)
    if linktype == IPV6:
        return locate_ipv6(frame, 0, frame_index, out)
    if linktype == RAW:
        if captured < 1:
            return too_short(out)
        if frame[0] >> 4 == 4:
            return locate_ipv4(frame, 0, frame_index, out)
        return locate_ipv6(frame, 0, frame_index, out)
    if linktype == LOOPBACK or linktype == OPENBSD_LOOPBACK:
        if captured < 4:
            return too_short(out)
        family = net32(frame)
        swapped = swap32(family)
        if swapped < family:
            family = swapped
        if family == 2:
            return locate_ipv4(frame, 4, frame_index, out)
        if family == 10 or family == 24 or family == 28 or family == 30:
            return locate_ipv6(frame, 4, frame_index, out)
    out.kind = NOT_UDP
    return 0


cdef inline bint locate_fast(const unsigned char* frame, int64_t frame_index, Packet* out, uint32_t captured) noexcept nogil:
    """Take Ethernet + IPv4 (no options, whole) + UDP in one look; False, and nothing decided, when it is anything else."""
    cdef uint32_t total, length
    if net16(frame + 12) != TYPE_IPV4 or frame[14] != 0x45 or frame[23] != 17 or net16(frame + 20) & 0x3FFF:
        return False
    total = net16(frame + 16)
    length = net16(frame + 38)
    if length < 8 or length + 20 > total or length + 34 > captured:
        return False
    out.payload_offset = frame_index + 42
    out.payload_length = length - 8
    out.kind = UDP
    out.ip_version = 4
    out.vlan = NO_VLAN
    out.source_port = net16(frame + 34)
    out.destination_port = net16(frame + 36)
    memcpy(out.source, MAPPED, 12)
    memcpy(out.source + 12, frame + 26, 4)
    memcpy(out.destination, MAPPED, 12)
    memcpy(out.destination + 12, frame + 30, 4)
    return True


# ---- time ----------------------------------------------------------------------------------------------------------


cdef inline int64_t nanoseconds_of(uint64_t ticks, const Interface* interface) noexcept nogil:
    """Turn ticks of an interface into nanoseconds since 1970, rounded down; INT64_MIN when 64 bits cannot hold them."""
    cdef i128 value
    if interface.binary:
        value = <i128>((<u128>ticks * <u128>1000000000) >> interface.shift)
    elif interface.divide:
        value = <i128>(ticks // interface.scale) if interface.scale else 0
    else:
        value = <i128>(<u128>ticks * <u128>interface.scale)
    value += <i128>interface.offset_seconds * <i128>1000000000
    if value > <i128>INT64_MAX or value < <i128>INT64_MIN:
        return INT64_MIN
    return <int64_t>value


cdef void resolve(Interface* interface, uint8_t resolution) noexcept nogil:
    """Lay out if_tsresol: a negative power of 10, or of 2 when the high bit is set."""
    cdef int power
    interface.binary = resolution >> 7
    interface.shift = resolution & 127
    interface.divide = not interface.binary and interface.shift > 9
    power = interface.shift - 9 if interface.divide else 9 - interface.shift
    interface.scale = 1
    if interface.binary:
        return
    if power > 19:  # finer than any 64-bit count of ticks can fill with a nanosecond
        interface.scale = 0
        return
    while power > 0:
        interface.scale *= 10
        power -= 1


cdef inline uint64_t saturated(uint64_t left, uint64_t right) noexcept nogil:
    return UINT64_MAX if left > UINT64_MAX - right else left + right


# ---- the walker ----------------------------------------------------------------------------------------------------


cdef inline int64_t shortest(uint32_t type) noexcept nogil:
    """Say how long a block of this type is at least: header, fixed fields and trailer."""
    if type == EPB or type == PB:
        return 32
    if type == SHB:
        return 28
    if type == ISB:
        return 24
    if type == IDB:
        return 20
    return 16 if type == SPB else 12


cdef inline bint is_known(uint32_t type) noexcept nogil:
    return (1 <= type <= 6) or type == SHB or type == 10 or type == 0xBAD or type == 0x40000BAD


cdef class Walker:
    """Walks one capture, pcap or pcapng, from its first byte on; which of the two is seen from the magic number."""

    def __cinit__(self):
        self.form = UNKNOWN
        self.last_seconds = -1

    def walk(self, buffer, long long offset, out, long long base=0):
        """Walk `buffer` from `offset` and fill `out`; give (count, next_offset, status)."""
        cdef Py_buffer data, packets
        cdef int64_t next_offset = offset
        cdef int count = 0, status
        PyObject_GetBuffer(buffer, &data, PyBUF_SIMPLE)
        try:
            if not 0 <= offset <= data.len:
                raise ValueError(f"offset {offset} is outside the buffer of {data.len} bytes")
            PyObject_GetBuffer(out, &packets, PyBUF_SIMPLE | PyBUF_WRITABLE)
            try:
                if packets.itemsize != sizeof(Packet) or packets.len // <Py_ssize_t>sizeof(Packet) > 0x7FFFFFFF:
                    raise ValueError(f"out must be an array of PACKET ({sizeof(Packet)} bytes an item), not of {packets.itemsize} bytes an item")
                with nogil:
                    status = self.fill(
                        <const unsigned char*>data.buf, data.len, offset, base, <Packet*>packets.buf,
                        <int>(packets.len // <Py_ssize_t>sizeof(Packet)), &next_offset, &count,
                    )
            finally:
                PyBuffer_Release(&packets)
        finally:
            PyBuffer_Release(&data)
        return count, next_offset, status

    def resync(self, buffer, long long offset):
        """Find the first plausible record behind `offset`, at most RESYNC_BYTES away; -1 when there is none."""
        cdef Py_buffer data
        cdef int64_t at, end, found = -1
        PyObject_GetBuffer(buffer, &data, PyBUF_SIMPLE)
        try:
            if not 0 <= offset <= data.len:
                raise ValueError(f"offset {offset} is outside the buffer of {data.len} bytes")
            end = min(<int64_t>data.len, offset + 1 + RESYNC_BYTES)
            with nogil:
                for at in range(offset + 1, end):
                    if self.plausible(<const unsigned char*>data.buf, data.len, at):
                        found = at
                        break
        finally:
            PyBuffer_Release(&data)
        return found

    @property
    def error(self):
        """Tell what the last walk stopped at, (what, found, wanted), after PARTIAL and BAD; else None."""
        if self.error_code == NOTHING:
            return None
        cdef dict values = {
            "found": self.error_found, "low": self.error_low, "high": self.error_high,
            "major": self.error_found >> 16, "minor": self.error_found & 0xFFFF,
        }
        what, found, wanted = _ERRORS[self.error_code]
        return what, found.format(**values), wanted.format(**values)

    @property
    def format(self):
        """Name the format: "pcap", "pcapng", or None before the first header."""
        return (None, "pcap", "pcapng")[self.form]

    @property
    def interfaces(self):
        """List (linktype, snaplen, drops or None) of each interface of the current section."""
        if self.form == PCAP:
            return [(self.linktype, self.snaplen, None)]
        return [
            (self.interfaces_[i].linktype, self.interfaces_[i].snaplen, self.interfaces_[i].drops if self.interfaces_[i].has_drops else None)
            for i in range(self.count)
        ]

    @property
    def dropped(self):
        """Add up the drops that the capturing machine reported, over all interfaces and sections."""
        cdef uint64_t total = self.closed_drops
        for i in range(self.count):
            total = saturated(total, self.interfaces_[i].drops)
        return total

    cdef int fail(self, int status, int code, int64_t found, int64_t low, int64_t high) noexcept nogil:
        self.error_code = code
        self.error_found = found
        self.error_low = low
        self.error_high = high
        return status

    cdef int fill(self, const unsigned char* data, int64_t size, int64_t offset, int64_t base, Packet* out,
                  int capacity, int64_t* next_offset, int* count) noexcept nogil:
        cdef int64_t[6] tally
        cdef int status
        memset(tally, 0, sizeof(tally))
        count[0] = 0
        next_offset[0] = offset
        self.error_code = NOTHING
        if capacity <= 0:
            return MORE
        if self.form == UNKNOWN:
            if offset == size:
                return END
            status = self.start(data, size, next_offset)
            if status != MORE:
                return status
        if self.form == PCAP:
            status = self.fill_pcap(data, size, base, out, capacity, next_offset, count, tally)
        else:
            status = self.fill_pcapng(data, size, base, out, capacity, next_offset, count, tally)
        self.records += count[0]
        self.udp += tally[UDP]
        self.fragments += tally[FRAGMENT]
        self.not_udp += tally[NOT_UDP]
        self.bad += tally[MALFORMED]
        self.truncated += tally[TRUNCATED]
        return status

    cdef int start(self, const unsigned char* data, int64_t size, int64_t* at) noexcept nogil:
        """Recognise the format and take its first header; MORE when that worked."""
        cdef const unsigned char* head = data + at[0]
        cdef int64_t left = size - at[0]
        cdef int64_t length
        cdef uint32_t magic, version
        cdef int status, swapped
        if left < 4:
            return self.fail(PARTIAL, SHORT_MAGIC, left, 4, 0)
        magic = read32(head, 0)
        if magic == SHB:
            status = self.block(data, size, at[0], &length, NULL)
            if status != SKIPPED:
                return status
            at[0] += length
            self.form = PCAPNG
            return MORE
        swapped = magic == 0xD4C3B2A1U or magic == 0x4D3CB2A1U
        if swapped:
            magic = swap32(magic)
        if magic != 0xA1B2C3D4U and magic != 0xA1B23C4DU:
            return self.fail(BAD, NO_MAGIC, net32(head), 0, 0)
        if left < 24:
            return self.fail(PARTIAL, SHORT_FILE, left, 24, 0)
        version = <uint32_t>read16(head + 4, swapped) << 16 | read16(head + 6, swapped)
        if version >> 16 != 2:
            return self.fail(BAD, FILE_VERSION, version, 0, 0)
        self.swapped = swapped
        self.nanoseconds = 1 if magic == 0xA1B23C4DU else 1000
        self.snaplen = read32(head + 16, swapped)
        self.linktype = read32(head + 20, swapped) & 0xFFFF
        self.limit = MAX_RECORD if self.snaplen == 0 or self.snaplen > MAX_RECORD else max(self.snaplen, <uint32_t>LEAST_LIMIT)
        self.form = PCAP
        at[0] += 24
        return MORE

    cdef int fill_pcap(self, const unsigned char* data, int64_t size, int64_t base, Packet* out, int capacity,
                       int64_t* next_offset, int* count, int64_t* tally) noexcept nogil:
        cdef int64_t at = next_offset[0], left
        cdef const unsigned char* record
        cdef uint32_t captured, limit = self.limit, scale = self.nanoseconds, linktype = self.linktype
        cdef int swapped = self.swapped, status = MORE
        cdef bint ethernet = linktype == ETHERNET
        cdef Packet* packet = out
        cdef Packet* last = out + capacity
        while packet < last:
            left = size - at
            if left < 16:
                status = END if left == 0 else self.fail(PARTIAL, SHORT_HEADER, left, 16, 0)
                break
            record = data + at
            if left > AHEAD + LINE:
                prefetch(record + AHEAD)
                prefetch(record + AHEAD + LINE)
            captured = read32(record + 8, swapped)
            if captured > limit:
                status = self.fail(BAD, LONG_RECORD, captured, limit, 0)
                break
            if left - 16 < captured:
                status = self.fail(PARTIAL, SHORT_RECORD, left, 16 + <int64_t>captured, 0)
                break
            packet.record_offset = base + at
            packet.ts_ns = <int64_t>read32(record, swapped) * 1000000000 + <int64_t>read32(record + 4, swapped) * scale
            packet.captured_length = captured
            packet.original_length = read32(record + 12, swapped)
            packet.interface = 0
            if not (likely(ethernet and captured >= 42, 1) and likely(locate_fast(record + 16, at + 16, packet, captured), 1)):
                locate(record + 16, linktype, at + 16, packet)
            tally[packet.kind] += 1
            packet += 1
            at += 16 + <int64_t>captured
        count[0] = <int>(packet - out)
        if count[0]:
            self.last_seconds = (packet - 1).ts_ns // 1000000000
        next_offset[0] = at
        return status

    cdef int fill_pcapng(self, const unsigned char* data, int64_t size, int64_t base, Packet* out, int capacity,
                         int64_t* next_offset, int* count, int64_t* tally) noexcept nogil:
        cdef int64_t at = next_offset[0], length
        cdef int filled = 0, status = MORE, said
        while filled < capacity:
            if at == size:
                status = END
                break
            if size - at > AHEAD + LINE:
                prefetch(data + at + AHEAD)
                prefetch(data + at + AHEAD + LINE)
            said = self.block(data, size, at, &length, out + filled)
            if said >= 0:
                status = said
                break
            if said == FILLED:
                out[filled].record_offset = base + at
                tally[out[filled].kind] += 1
                filled += 1
            at += length
        count[0] = filled
        next_offset[0] = at
        return status

    cdef int block(self, const unsigned char* data, int64_t size, int64_t at, int64_t* length, Packet* out) noexcept nogil:
        """Take one block: SKIPPED, FILLED, or the status that ends the walk. A block that is refused changes nothing."""
        cdef const unsigned char* block = data + at
        cdef int64_t left = size - at
        cdef uint32_t type, trailer, magic
        cdef int swapped = self.swapped
        if left < 12:
            return self.fail(PARTIAL, SHORT_BLOCK, left, 12, 0)
        type = read32(block, swapped)
        if type == SHB:
            magic = read32(block + 8, 0)
            if magic != 0x1A2B3C4D and magic != 0x4D3C2B1A:
                return self.fail(BAD, BYTE_ORDER, net32(block + 8), 0, 0)
            swapped = magic == 0x4D3C2B1A
        length[0] = read32(block + 4, swapped)
        if length[0] & 3 or length[0] < shortest(type) or length[0] > MAX_BLOCK:
            return self.fail(BAD, BLOCK_LENGTH, length[0], shortest(type), MAX_BLOCK)
        if left < length[0]:
            return self.fail(PARTIAL, SHORT_BLOCK, left, length[0], 0)
        trailer = read32(block + length[0] - 4, swapped)
        if trailer != length[0]:
            return self.fail(BAD, BLOCK_TRAILER, trailer, length[0], 0)
        if type == EPB or type == SPB or type == PB:
            return self.packet(block, type, length[0], at, out)
        if type == SHB:
            return self.section(block, length[0], swapped)
        if type == IDB:
            return self.describe(block, length[0])
        if type == ISB:
            return self.statistics(block, length[0])
        return SKIPPED

    cdef int section(self, const unsigned char* block, int64_t length, int swapped) noexcept nogil:
        cdef uint32_t version = <uint32_t>read16(block + 12, swapped) << 16 | read16(block + 14, swapped)
        cdef int i
        if version >> 16 != 1:
            return self.fail(BAD, SECTION_VERSION, version, 0, 0)
        for i in range(self.count):
            self.closed_drops = saturated(self.closed_drops, self.interfaces_[i].drops)
        self.count = 0
        self.swapped = swapped
        return SKIPPED

    cdef int describe(self, const unsigned char* block, int64_t length) noexcept nogil:
        """Take an interface description: link type, snap length, time resolution and offset."""
        cdef Interface interface
        cdef int64_t at = 16, end = length - 4, size
        cdef int code
        if self.count == MAX_INTERFACES:
            return self.fail(BAD, MANY_INTERFACES, MAX_INTERFACES + 1, MAX_INTERFACES, 0)
        memset(&interface, 0, sizeof(interface))
        interface.linktype = read16(block + 8, self.swapped)
        interface.snaplen = read32(block + 12, self.swapped)
        resolve(&interface, 6)
        while end - at >= 4:
            code = read16(block + at, self.swapped)
            size = read16(block + at + 2, self.swapped)
            at += 4
            if code == 0:
                break
            if size > end - at:
                return self.fail(BAD, LONG_OPTION, size, end - at, 0)
            if code == 9:
                if size != 1:
                    return self.fail(BAD, OPTION_LENGTH, size, 1, 0)
                resolve(&interface, block[at])
            elif code == 14:
                if size != 8:
                    return self.fail(BAD, OPTION_LENGTH, size, 8, 0)
                interface.offset_seconds = <int64_t>read64(block + at, self.swapped)
            at += (size + 3) & ~3
        self.interfaces_[self.count] = interface
        self.count += 1
        return SKIPPED

    cdef int statistics(self, const unsigned char* block, int64_t length) noexcept nogil:
        """Take the drop counters of an interface. They are running totals: the last block counts."""
        cdef uint32_t index = read32(block + 8, self.swapped)
        cdef int64_t at = 20, end = length - 4, size
        cdef uint64_t drops = 0
        cdef bint has_drops = False
        cdef int code
        if index >= <uint32_t>self.count:
            return self.fail(BAD, NO_INTERFACE, index, self.count, 0)
        while end - at >= 4:
            code = read16(block + at, self.swapped)
            size = read16(block + at + 2, self.swapped)
            at += 4
            if code == 0:
                break
            if size > end - at:
                return self.fail(BAD, LONG_OPTION, size, end - at, 0)
            if code == 5 or code == 7:  # isb_ifdrop, isb_osdrop
                if size != 8:
                    return self.fail(BAD, OPTION_LENGTH, size, 8, 0)
                drops = saturated(drops, read64(block + at, self.swapped))
                has_drops = True
            at += (size + 3) & ~3
        if has_drops:
            self.interfaces_[index].drops = drops
            self.interfaces_[index].has_drops = 1
        return SKIPPED

    cdef int packet(self, const unsigned char* block, uint32_t type, int64_t length, int64_t at, Packet* out) noexcept nogil:
        """Take a packet out of an enhanced, simple or obsolete packet block."""
        cdef int64_t head = 12 if type == SPB else 28
        cdef int64_t room = length - head - 4
        cdef uint32_t index = 0, captured, original
        cdef uint64_t ticks
        cdef const Interface* interface
        if type != SPB:
            index = read32(block + 8, self.swapped) if type == EPB else read16(block + 8, self.swapped)
        if index >= <uint32_t>self.count:
            return self.fail(BAD, NO_INTERFACE, index, self.count, 0)
        interface = &self.interfaces_[index]
        if type == SPB:
            original = read32(block + 8, self.swapped)
            captured = interface.snaplen if 0 < interface.snaplen < original else original
        else:
            captured = read32(block + 20, self.swapped)
            original = read32(block + 24, self.swapped)
        if captured > room:
            return self.fail(BAD, LONG_PACKET, captured, room, 0)
        out.ts_ns = INT64_MIN
        if type != SPB:
            ticks = <uint64_t>read32(block + 12, self.swapped) << 32 | read32(block + 16, self.swapped)
            out.ts_ns = nanoseconds_of(ticks, interface)
        out.captured_length = captured
        out.original_length = original
        out.interface = index
        if not (interface.linktype == ETHERNET and captured >= 42 and locate_fast(block + head, at + head, out, captured)):
            locate(block + head, interface.linktype, at + head, out)
        return FILLED

    cdef bint plausible_record(self, const unsigned char* data, int64_t size, int64_t at, int64_t* seconds, int64_t* after) noexcept nogil:
        """Judge 16 bytes: could a record header stand here?"""
        cdef uint32_t captured = read32(data + at + 8, self.swapped)
        cdef uint32_t original = read32(data + at + 12, self.swapped)
        seconds[0] = read32(data + at, self.swapped)
        after[0] = at + 16 + captured
        return (0 < captured <= self.limit and captured <= original <= MAX_RECORD
                and <uint64_t>read32(data + at + 4, self.swapped) * self.nanoseconds < 1000000000)

    cdef bint plausible(self, const unsigned char* data, int64_t size, int64_t at) noexcept nogil:
        """Judge an offset for `resync`; the rule stands in netfeed.wire.pcap and netfeed.wire.pcapng."""
        cdef int64_t seconds, after, seconds_after, unused, length
        cdef uint32_t type, magic
        cdef int swapped = self.swapped
        if self.form == PCAP:
            if size - at < 16 or not self.plausible_record(data, size, at, &seconds, &after) or after > size:
                return False
            if size - after >= 16:
                return (self.plausible_record(data, size, after, &seconds_after, &unused)
                        and -RESYNC_SECONDS <= seconds_after - seconds <= RESYNC_SECONDS)
            return self.last_seconds < 0 or -RESYNC_SECONDS <= seconds - self.last_seconds <= RESYNC_SECONDS
        if self.form != PCAPNG or size - at < 12:
            return False
        type = read32(data + at, swapped)
        if type == SHB:
            magic = read32(data + at + 8, 0)
            if magic != 0x1A2B3C4D and magic != 0x4D3C2B1A:
                return False
            swapped = magic == 0x4D3C2B1A
        length = read32(data + at + 4, swapped)
        return (is_known(type) and length & 3 == 0 and shortest(type) <= length <= MAX_BLOCK and length <= size - at
                and read32(data + at + length - 4, swapped) == length)
