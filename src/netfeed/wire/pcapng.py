"""pcapng files: sections of blocks, each of which carries its length at both ends.

Source: draft-ietf-opsawg-pcapng. Read are section headers (both byte orders, several in a file), interface
descriptions (link type, snap length, name, if_tsresol of base 10 and 2, if_tsoffset), enhanced, simple and obsolete
packet blocks, and the drop counters of interface statistics; other blocks are skipped. Times become integer
nanoseconds, rounded down; what 64 bits cannot hold becomes NO_TIME.

What is refused: a length that is no multiple of 4, shorter than the block's fixed part or longer than MAX_BLOCK; a
trailer that does not repeat it; an option that runs past its block or has not its length; a packet of an interface
that was not described; more than MAX_INTERFACES in a section. `resync` then looks, at most RESYNC_BYTES on, for a
block of a known type that is whole and repeats its length. A block that goes on past the end of the buffer is `Torn`.

Leaves out: options of packets, name resolution, decryption secrets, the length of the section.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from netfeed.errors import MisuseError, WireError
from netfeed.machine import Buffer
from netfeed.wire.layout import Layout, Row
from netfeed.wire.pcap import MAX_RECORD, NO_TIME, RESYNC_BYTES, Record, run, torn

MAX_BLOCK: Final = 2**24
"""Wireshark's own bound. Units: bytes."""
MAX_INTERFACES: Final = 256
"""A capturing host has a few; the walker keeps them in a fixed table."""
MAX_DROPS: Final = 2**64 - 1

SECTION: Final = 0x0A0D0D0A
INTERFACE: Final = 1
PACKET: Final = 2  # obsolete
SIMPLE: Final = 3
STATISTICS: Final = 5
ENHANCED: Final = 6

SHORTEST: Final = {
    SECTION: 28, INTERFACE: 20, PACKET: 32, SIMPLE: 16, 4: 12, STATISTICS: 24, ENHANCED: 32,
    10: 12, 0xBAD: 12, 0x40000BAD: 12,
}  # fmt: skip
"""The known block types and their least length: name resolution is 4, secrets 10, custom blocks 0xBAD. Units: bytes."""

BYTE_ORDER: Final = 0x1A2B3C4D
_NAMES: Final[dict[str, Literal["little", "big"]]] = {"<": "little", ">": "big"}
_ORDERS: Final = {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}

_BLOCK: Final[list[Row]] = [("type", "u32"), ("length", "u32")]
_SECTION: Final[list[Row]] = [("byte_order", "u32"), ("major", "u16"), ("minor", "u16"), ("section_length", "i64")]
_INTERFACE: Final[list[Row]] = [("linktype", "u16"), ("reserved", "x2"), ("snaplen", "u32")]
_ENHANCED: Final[list[Row]] = [
    ("interface", "u32"), ("ticks_high", "u32"), ("ticks_low", "u32"), ("captured", "u32"), ("original", "u32"),
]  # fmt: skip
_PACKET: Final[list[Row]] = [
    ("interface", "u16"), ("drops", "u16"), ("ticks_high", "u32"), ("ticks_low", "u32"), ("captured", "u32"),
    ("original", "u32"),
]  # fmt: skip
_STATISTICS: Final[list[Row]] = [("interface", "u32"), ("ticks_high", "u32"), ("ticks_low", "u32")]


class Tables(NamedTuple):
    """The layouts of one byte order."""

    block: Layout
    section: Layout
    interface: Layout
    enhanced: Layout
    packet: Layout
    simple: Layout
    statistics: Layout
    option: Layout
    trailer: Layout


def _tables(order: str) -> Tables:
    return Tables(
        Layout("Block", order, _BLOCK),
        Layout("SectionHeader", order, _SECTION),
        Layout("InterfaceDescription", order, _INTERFACE),
        Layout("EnhancedPacket", order, _ENHANCED),
        Layout("ObsoletePacket", order, _PACKET),
        Layout("SimplePacket", order, [("original", "u32")]),
        Layout("InterfaceStatistics", order, _STATISTICS),
        Layout("Option", order, [("code", "u16"), ("length", "u16")]),
        Layout("Trailer", order, [("length", "u32")]),
    )


TABLES: Final = {order: _tables(order) for order in "<>"}

IF_NAME: Final = 2
IF_TSRESOL: Final = 9
IF_FILTER: Final = 11
IF_TSOFFSET: Final = 14
ISB_IFRECV: Final = 4
ISB_IFDROP: Final = 5
ISB_OSDROP: Final = 7
SHB_USERAPPL: Final = 4
_LENGTHS: Final = {
    (INTERFACE, IF_TSRESOL): 1,
    (INTERFACE, IF_TSOFFSET): 8,
    (STATISTICS, ISB_IFDROP): 8,
    (STATISTICS, ISB_OSDROP): 8,
}
"""The options that are read, by block type and code, and the length that each must have. Units: bytes."""


@dataclass(slots=True)
class Interface:
    """One interface of a section. `resolution` is if_tsresol as it stands; `drops` is None before any statistics.

    `filter` is the expression of what was captured, as libpcap reads it.
    """

    linktype: int
    snaplen: int = 0
    resolution: int = 6
    offset_seconds: int = 0
    name: str = ""
    drops: int | None = None
    filter: str = ""

    def time_ns(self, ticks: int) -> int:
        """Turn ticks since 1970 into nanoseconds, rounded down; NO_TIME when 64 bits cannot hold them."""
        if self.resolution & 0x80:
            ns = ticks * 1_000_000_000 >> (self.resolution & 0x7F)
        else:
            ns = ticks * 1_000_000_000 // 10**self.resolution
        ns += self.offset_seconds * 1_000_000_000
        return ns if -(2**63) <= ns < 2**63 else NO_TIME


class Block(NamedTuple):
    """One block whose frame is sound: `body` and `end` (of the body) are offsets in the buffer."""

    type: int
    offset: int
    body: int
    end: int
    order: str

    @property
    def after(self) -> int:
        return self.end + 4


def read_block(data: memoryview, offset: int, order: str) -> Block:
    """Decode the frame of the block at `offset`: type, length and trailer. A section header brings its own order.

    Raises: Torn, WireError.
    """
    left = len(data) - offset
    if left < 12:
        raise torn("pcapng block", offset, left, 12)
    order = _section_order(data, offset) or order
    head = TABLES[order].block.decode(data, offset)
    least = SHORTEST.get(head.type, 12)
    if head.length % 4 or not least <= head.length <= MAX_BLOCK:
        wanted = f"a multiple of 4 from {least} to {MAX_BLOCK} bytes"
        raise WireError(
            "pcapng block has an impossible length", offset=offset, found=f"{head.length} bytes", wanted=wanted
        )
    if left < head.length:
        raise torn("pcapng block", offset, left, head.length)
    end = offset + head.length - 4
    trailer = TABLES[order].trailer.decode(data, end).length
    if trailer != head.length:
        what = "pcapng block does not repeat its length at its end"
        raise WireError(what, offset=offset, found=f"{trailer} bytes", wanted=f"{head.length} bytes")
    return Block(head.type, offset, offset + 8, end, order)


def _section_order(data: memoryview, offset: int) -> str | None:
    """Give the byte order of a section header; None for any other block."""
    if data[offset : offset + 4] != SECTION.to_bytes(4, "big"):  # the same in both orders
        return None
    mark = bytes(data[offset + 8 : offset + 12])
    if mark not in _ORDERS:
        what = "pcapng section has an unknown byte order"
        raise WireError(what, offset=offset, found=mark.hex(), wanted="1a2b3c4d or 4d3c2b1a")
    return _ORDERS[mark]


def options(data: memoryview, at: int, block: Block) -> Iterator[tuple[int, bytes]]:
    """Iterate over the options (code, value) from `at` to the end of the block.

    Raises: WireError when one runs past the block, or is one that is read and has a wrong length.
    """
    layout = TABLES[block.order].option
    while block.end - at >= layout.size:
        code, length = layout.decode(data, at)
        at += layout.size
        if code == 0:
            return
        if length > block.end - at:
            wanted = f"at most {block.end - at} bytes"
            raise WireError(
                "pcapng option runs past its block", offset=block.offset, found=f"{length} bytes", wanted=wanted
            )
        exact = _LENGTHS.get((block.type, code), length)
        if length != exact:
            what = "pcapng option has a wrong length"
            raise WireError(what, offset=block.offset, found=f"{length} bytes", wanted=f"{exact} bytes")
        yield code, bytes(data[at : at + length])
        at += (length + 3) & ~3


class Decoder:
    """Decodes one pcapng file, block by block; holds the interfaces of the section that it stands in."""

    def __init__(self) -> None:
        self.order = "<"
        self.interfaces: list[Interface] = []
        self.closed_drops = 0

    @property
    def dropped(self) -> int:
        """Add up the drops that were reported, over all interfaces and sections."""
        return min(MAX_DROPS, self.closed_drops + sum(interface.drops or 0 for interface in self.interfaces))

    def step(self, data: memoryview, offset: int) -> tuple[Record | None, int]:
        """Take the block at `offset`; give its record, if it is a packet, and the offset behind it.

        Raises: Torn, WireError; nothing has changed then.
        """
        block = read_block(data, offset, self.order)
        if block.type in (ENHANCED, SIMPLE, PACKET):
            return self._packet(data, block), block.after
        if block.type == SECTION:
            self._section(data, block)
        elif block.type == INTERFACE:
            self._describe(data, block)
        elif block.type == STATISTICS:
            self._statistics(data, block)
        return None, block.after

    def resync(self, data: memoryview, offset: int) -> int:
        """Find the first plausible block behind `offset`; -1 when there is none within RESYNC_BYTES."""
        last = min(len(data), offset + 1 + RESYNC_BYTES)
        return next((at for at in range(offset + 1, last) if self._plausible(data, at)), -1)

    def _plausible(self, data: memoryview, offset: int) -> bool:
        if int.from_bytes(data[offset : offset + 4], _NAMES[self.order]) not in SHORTEST:
            return False
        try:
            read_block(data, offset, self.order)
        except WireError:
            return False
        return True

    def _section(self, data: memoryview, block: Block) -> None:
        head = TABLES[block.order].section.decode(data, block.body)
        if head.major != 1:
            found = f"{head.major}.{head.minor}"
            raise WireError("pcapng section has an unknown version", offset=block.offset, found=found, wanted="1.x")
        self.closed_drops = self.dropped
        self.interfaces = []
        self.order = block.order

    def _describe(self, data: memoryview, block: Block) -> None:
        if len(self.interfaces) == MAX_INTERFACES:
            what = "pcapng section has too many interfaces"
            raise WireError(what, offset=block.offset, found=MAX_INTERFACES + 1, wanted=f"at most {MAX_INTERFACES}")
        layout = TABLES[block.order].interface
        head = layout.decode(data, block.body)
        interface = Interface(head.linktype, head.snaplen)
        for code, value in options(data, block.body + layout.size, block):
            if code == IF_NAME:
                interface.name = value.decode("utf-8", "replace")
            elif code == IF_TSRESOL:
                interface.resolution = value[0]
            elif code == IF_FILTER and value[:1] == b"\0":
                interface.filter = value[1:].decode("utf-8", "replace")
            elif code == IF_TSOFFSET:
                interface.offset_seconds = int.from_bytes(value, _NAMES[block.order], signed=True)
        self.interfaces.append(interface)

    def _statistics(self, data: memoryview, block: Block) -> None:
        """Take the drop counters of an interface. They are running totals: the last block counts."""
        layout = TABLES[block.order].statistics
        interface = self._interface(block, layout.decode(data, block.body).interface)
        drops: int | None = None
        for code, value in options(data, block.body + layout.size, block):
            if code in (ISB_IFDROP, ISB_OSDROP):
                count = int.from_bytes(value, _NAMES[block.order])
                drops = min(MAX_DROPS, (drops or 0) + count)
        if drops is not None:
            interface.drops = drops

    def _interface(self, block: Block, index: int) -> Interface:
        if index >= len(self.interfaces):
            what, wanted = "pcapng block names an unknown interface", f"below {len(self.interfaces)}"
            raise WireError(what, offset=block.offset, found=index, wanted=wanted)
        return self.interfaces[index]

    def _packet(self, data: memoryview, block: Block) -> Record:
        tables = TABLES[block.order]
        layout = {ENHANCED: tables.enhanced, PACKET: tables.packet, SIMPLE: tables.simple}[block.type]
        head = layout.decode(data, block.body)
        index = 0 if block.type == SIMPLE else head.interface
        interface = self._interface(block, index)
        if block.type == SIMPLE:
            captured, ts_ns = min(head.original, interface.snaplen or head.original), NO_TIME
        else:
            captured, ts_ns = head.captured, interface.time_ns(head.ticks_high << 32 | head.ticks_low)
        start = block.body + layout.size
        if captured > block.end - start:
            what, wanted = "pcapng packet is longer than its block", f"at most {block.end - start} bytes"
            raise WireError(what, offset=block.offset, found=f"{captured} bytes", wanted=wanted)
        frame = data[start : start + captured]
        return Record(block.offset, ts_ns, frame, start, head.original, interface.linktype, index)


def records(data: Buffer, errors: list[WireError] | None = None) -> Iterator[Record]:
    """Iterate over the packets of a whole pcapng file; `errors` as in `netfeed.wire.pcap.records`.

    Raises: WireError, Torn.
    """
    view = memoryview(data)
    if len(view) >= 4 and view[:4] != SECTION.to_bytes(4, "big"):
        raise WireError("not a pcapng file", offset=0, found=bytes(view[:4]).hex(), wanted="0a0d0d0a")
    return run(Decoder(), view, errors)


class Writer:
    """Writes one section: what each method returns is to be appended to the file, in the order of the calls.

    Times are nanoseconds (if_tsresol 9). `close` brings the statistics of each interface; it stamps them with the
    time of the last packet, for a writer has no clock.
    """

    def __init__(self, interfaces: Sequence[Interface], *, application: str = "netfeed", order: str = "<") -> None:
        if not 0 < len(interfaces) <= MAX_INTERFACES:
            raise MisuseError(f"a section has 1 to {MAX_INTERFACES} interfaces, not {len(interfaces)}")
        self._interfaces = list(interfaces)
        self._application = application
        self._order = order
        self._tables = TABLES[order]
        self._written = [0] * len(interfaces)
        self._last_ns = 0

    def start(self) -> bytes:
        """Encode the section header and the interface descriptions."""
        head = self._tables.section.encode(BYTE_ORDER, 1, 0, -1)
        blocks = self._block(SECTION, head + self._options({SHB_USERAPPL: self._application.encode()}))
        for interface in self._interfaces:
            named = {IF_NAME: interface.name.encode()} if interface.name else {}
            filtered = {IF_FILTER: b"\0" + interface.filter.encode()} if interface.filter else {}
            body = self._tables.interface.encode(interface.linktype, interface.snaplen)
            blocks += self._block(INTERFACE, body + self._options({**named, IF_TSRESOL: b"\x09", **filtered}))
        return blocks

    def packet(self, ts_ns: int, frame: Buffer, interface: int = 0, original_length: int | None = None) -> bytes:
        """Encode an enhanced packet block.

        Raises: MisuseError for an unknown interface, a time before 1970, or a frame longer than MAX_RECORD.
        """
        if not 0 <= interface < len(self._interfaces) or not 0 <= ts_ns < 2**64 or len(frame) > MAX_RECORD:
            raise MisuseError(f"no packet can be written for interface {interface}, time {ts_ns}, {len(frame)} bytes")
        original = len(frame) if original_length is None else original_length
        head = self._tables.enhanced.encode(interface, ts_ns >> 32, ts_ns & 0xFFFFFFFF, len(frame), original)
        self._written[interface] += 1
        self._last_ns = max(self._last_ns, ts_ns)
        return self._block(ENHANCED, head + bytes(frame))

    def close(self, drops: Sequence[int] | None = None) -> bytes:
        """Encode the statistics of each interface: packets received (written and dropped) and dropped."""
        lost = drops or [0] * len(self._written)
        counts = enumerate(zip(self._written, lost, strict=True))
        return b"".join(self.statistics(at, self._last_ns, written + lost, lost) for at, (written, lost) in counts)

    def statistics(self, interface: int, ts_ns: int, received: int, dropped: int) -> bytes:
        """Encode the statistics of one interface, of packets that somebody else wrote."""
        counters = {ISB_IFRECV: self._u64(received), ISB_IFDROP: self._u64(dropped)}
        head = self._tables.statistics.encode(interface, ts_ns >> 32, ts_ns & 0xFFFFFFFF)
        return self._block(STATISTICS, head + self._options(counters))

    def _u64(self, value: int) -> bytes:
        return value.to_bytes(8, _NAMES[self._order])

    def _options(self, values: dict[int, bytes]) -> bytes:
        coded = b"".join(
            self._tables.option.encode(code, len(value)) + _padded(value) for code, value in values.items()
        )
        return coded + bytes(4)

    def _block(self, type_: int, body: bytes) -> bytes:
        body = _padded(body)
        length = len(body) + 12
        return self._tables.block.encode(type_, length) + body + self._tables.trailer.encode(length)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
