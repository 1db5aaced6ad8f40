"""Classic pcap files: a 24-byte file header, then records of a 16-byte header and a frame.

Source: draft-ietf-opsawg-pcap. Microsecond and nanosecond files in both byte orders are read; the link type is the low
16 bits of the last field of the file header (above them stands the length of a frame check sequence). Times become
integer nanoseconds; no float is on the way.

What is refused, and what happens then:
* A record longer than `limit` (the snap length, but not less than LEAST_LIMIT, because files with a snap length that
  is too small exist, and never more than MAX_RECORD) is not believed.
* `resync` then looks for the next offset, at most RESYNC_BYTES on, where a record header could stand: 0 < captured <=
  limit, captured <= original <= MAX_RECORD, a fraction of less than one second, the whole record inside the buffer -
  and behind it another such header whose time is at most RESYNC_SECONDS off. At the end of the buffer, where no
  other header can stand, the time of the last good record takes its place. (A message of (seconds, nanoseconds,
  size, size) looks like a record header, two of them at the right distance do not. The price: a single good record
  between two bad ones is passed over with them.)
* A record that goes on past the end of the buffer is `Torn`: the tail of a file that was not closed, or more to come.

Leaves out: the `thiszone` and `sigfigs` fields (always 0), Kuznetzov's modified format (magic a1b2cd34).
"""

import struct
from collections.abc import Iterator
from typing import Final, Literal, NamedTuple, Protocol

from netfeed.errors import MisuseError, WireError
from netfeed.machine import Buffer
from netfeed.wire.layout import Layout, Row

NO_TIME: Final = -(2**63)
"""A time that the file does not give. Units: ns."""
MAX_RECORD: Final = 262_144
"""libpcap's own greatest snap length. Units: bytes."""
LEAST_LIMIT: Final = 65_535
"""A record of this length is believed whatever the snap length says: IP can make it. Units: bytes."""
RESYNC_BYTES: Final = 2**20
"""How far `resync` looks: four times the longest record. Units: bytes."""
RESYNC_SECONDS: Final = 86_400
"""How far apart neighbours in a file may be, for `resync` only. Units: s."""
MAX_ERRORS: Final = 1000
"""A file with more damage than this is given up."""

MICROSECONDS: Final = 0xA1B2C3D4
NANOSECONDS: Final = 0xA1B23C4D

_NAMES: Final[dict[str, Literal["little", "big"]]] = {"<": "little", ">": "big"}
_FILE: Final[list[Row]] = [
    ("magic", "u32"), ("version_major", "u16"), ("version_minor", "u16"), ("thiszone", "i32"), ("sigfigs", "u32"),
    ("snaplen", "u32"), ("linktype", "u32"),
]  # fmt: skip
_RECORD: Final[list[Row]] = [("seconds", "u32"), ("fraction", "u32"), ("captured", "u32"), ("original", "u32")]
_MAGICS: Final = {
    magic.to_bytes(4, name): order for magic in (MICROSECONDS, NANOSECONDS) for order, name in _NAMES.items()
}
FILE_HEADER: Final = {order: Layout("PcapFileHeader", order, _FILE) for order in "<>"}
RECORD_HEADER: Final = {order: Layout("PcapRecordHeader", order, _RECORD) for order in "<>"}


class Torn(WireError):
    """The bytes end inside a record."""


class Record(NamedTuple):
    """One captured frame. Units: offsets in bytes from the start of the buffer."""

    offset: int
    ts_ns: int
    data: memoryview
    data_offset: int
    original_length: int
    linktype: int
    interface: int = 0


class Header(NamedTuple):
    """What the file header says. Units: `snaplen` and `limit` in bytes, `tick_ns` in ns."""

    order: str
    tick_ns: int
    snaplen: int
    linktype: int

    @property
    def limit(self) -> int:
        """Say how long a record of this file may be. Units: bytes."""
        return min(max(self.snaplen, LEAST_LIMIT), MAX_RECORD) if self.snaplen else MAX_RECORD


def order_of(magic: bytes) -> str | None:
    """Give the byte order that makes these four bytes a pcap magic number, or None."""
    return _MAGICS.get(magic)


def read_header(data: Buffer, offset: int = 0) -> Header:
    """Decode the file header.

    Raises: WireError when it is another format; Torn when less than the header is there.
    """
    magic = bytes(data[offset : offset + 4])
    order = order_of(magic)
    if order is None:
        raise WireError("not a capture file", offset=offset, found=magic.hex(), wanted="a pcap or pcapng magic number")
    layout = FILE_HEADER[order]
    if len(data) - offset < layout.size:
        raise torn("pcap file header", offset, len(data) - offset, layout.size)
    head = layout.decode(data, offset)
    if head.version_major != 2:
        found = f"{head.version_major}.{head.version_minor}"
        raise WireError("pcap file header has an unknown version", offset=offset, found=found, wanted="2.x")
    return Header(order, 1 if head.magic == NANOSECONDS else 1000, head.snaplen, head.linktype & 0xFFFF)


def torn(what: str, offset: int, left: int, wanted: int) -> Torn:
    """Build the error of a `what` that is cut short."""
    return Torn(f"{what} is cut short", offset=offset, found=f"{left} bytes", wanted=f"{wanted} bytes")


class Source(Protocol):
    """A decoder of capture files: one header, block or record at each step."""

    def step(self, data: memoryview, offset: int) -> tuple[Record | None, int]: ...
    def resync(self, data: memoryview, offset: int) -> int: ...


class Decoder:
    """Decodes one pcap file, step by step; the first step is the file header."""

    def __init__(self) -> None:
        self.header: Header | None = None
        self.last_seconds: int | None = None

    def step(self, data: memoryview, offset: int) -> tuple[Record | None, int]:
        """Take what stands at `offset`; give the record, or None for the file header, and the offset behind it.

        Raises: Torn, WireError; nothing has changed then.
        """
        if self.header is None:
            self.header = read_header(data, offset)
            return None, offset + FILE_HEADER["<"].size
        record, after = read_record(data, offset, self.header)
        self.last_seconds = record.ts_ns // 1_000_000_000
        return record, after

    def resync(self, data: memoryview, offset: int) -> int:
        """Find the first plausible record behind `offset`; -1 when there is none within RESYNC_BYTES."""
        last = min(len(data), offset + 1 + RESYNC_BYTES)
        return next((at for at in range(offset + 1, last) if self._plausible(data, at)), -1)

    def _plausible(self, data: memoryview, offset: int) -> bool:
        seconds, after = self._guess(data, offset)
        if after > len(data):
            return False
        if len(data) - after >= 16:
            neighbour, beyond = self._guess(data, after)
            return beyond != _NOWHERE and abs(neighbour - seconds) <= RESYNC_SECONDS
        return self.last_seconds is None or abs(seconds - self.last_seconds) <= RESYNC_SECONDS

    def _guess(self, data: memoryview, offset: int) -> tuple[int, int]:
        """Read 16 bytes as a record header: its seconds, and where the record ends (_NOWHERE: it is none)."""
        if self.header is None or len(data) - offset < 16:
            return 0, _NOWHERE
        seconds, fraction, captured, original = _FOUR[self.header.order].unpack_from(data, offset)
        sane = 0 < captured <= self.header.limit and captured <= original <= MAX_RECORD
        if not sane or fraction * self.header.tick_ns >= 1_000_000_000:
            return 0, _NOWHERE
        return seconds, offset + 16 + captured


_NOWHERE: Final = 2**63
_FOUR: Final = {order: struct.Struct(order + "4I") for order in "<>"}
"""A record header again, without names: `resync` reads one at every byte."""


def read_record(data: memoryview, offset: int, header: Header) -> tuple[Record, int]:
    """Decode the record at `offset`; give it and the offset behind it. Its bytes are not copied.

    Raises: Torn when it goes on past the end; WireError when it is longer than a capture can hold.
    """
    left = len(data) - offset
    if left < 16:
        raise torn("pcap record header", offset, left, 16)
    head = RECORD_HEADER[header.order].decode(data, offset)
    if head.captured > header.limit:
        what = "pcap record is longer than a capture can hold"
        raise WireError(what, offset=offset, found=f"{head.captured} bytes", wanted=f"at most {header.limit} bytes")
    if left - 16 < head.captured:
        raise torn("pcap record", offset, left, 16 + head.captured)
    start, after = offset + 16, offset + 16 + head.captured
    ts_ns = head.seconds * 1_000_000_000 + head.fraction * header.tick_ns
    return Record(offset, ts_ns, data[start:after], start, head.original, header.linktype), after


def records(data: Buffer, errors: list[WireError] | None = None) -> Iterator[Record]:
    """Iterate over the records of a whole pcap file.

    With a list for `errors`, what cannot be read is added to it and reading goes on where it can; without, the first
    error is raised - after everything before it was handed out.

    Raises: WireError, Torn.
    """
    return run(Decoder(), memoryview(data), errors)


def run(decoder: Source, data: memoryview, errors: list[WireError] | None) -> Iterator[Record]:
    """Step a decoder through a whole file; see `records`."""
    at = 0
    while 0 <= at < len(data):
        try:
            record, at = decoder.step(data, at)
        except WireError as error:
            if errors is None:
                raise
            errors.append(error)
            at = decoder.resync(data, at) if len(errors) < MAX_ERRORS else -1
            continue
        if record is not None:
            yield record


def file_header(linktype: int = 1, snaplen: int = MAX_RECORD, *, nanoseconds: bool = True, order: str = "<") -> bytes:
    """Encode the file header that a pcap file begins with.

    Raises: MisuseError.
    """
    magic = NANOSECONDS if nanoseconds else MICROSECONDS
    return FILE_HEADER[order].encode(magic, 2, 4, 0, 0, snaplen, linktype)


def record(
    ts_ns: int, frame: Buffer, original_length: int | None = None, *, nanoseconds: bool = True, order: str = "<"
) -> bytes:
    """Encode one record; a file of microseconds loses the rest of the time (rounded down).

    Raises: MisuseError when the time is before 1970 or after 2106, or the frame is longer than MAX_RECORD.
    """
    if len(frame) > MAX_RECORD:
        raise MisuseError(f"a pcap record holds at most {MAX_RECORD} bytes, not {len(frame)}")
    seconds, fraction = divmod(ts_ns, 1_000_000_000)
    original = len(frame) if original_length is None else original_length
    fraction = fraction if nanoseconds else fraction // 1000
    return RECORD_HEADER[order].encode(seconds, fraction, len(frame), original) + bytes(frame)
