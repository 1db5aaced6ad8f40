"""IEX: the transport's segments and gap-fill requests, and every message of the depth feed DEEP.

Source: IEX Transport Protocol 1.26 and DEEP 1.0 (document 1.08). Little-endian. A segment is a header of 40 bytes and
`message_count` blocks, each a u16 length and that many bytes; without messages it is a heartbeat that carries the next
sequence and stream offset. Sequences count messages from 1. Lines A and B cut the same messages into different
segments, so lines are compared by message, never by segment.

Prices are integers of 1e-4, times nanoseconds since 1970. The specification demands that a receiver tolerate types
that it does not know and messages that have grown: bytes behind the known fields are not looked at.

Leaves out: TOPS and DEEP+ (other protocol ids over the same transport), and the snapshot service.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from struct import Struct
from types import MappingProxyType
from typing import Any, Final

from netfeed.errors import MisuseError, WireError
from netfeed.machine import Buffer
from netfeed.wire.layout import Layout, Row

VERSION: Final = 1
TOPS_1_5: Final = 0x8002
TOPS_1_6: Final = 0x8003
DEEP_1_0: Final = 0x8004
DEEP_PLUS: Final = 0x8005
MAX_UDP_FILL: Final = 1000
"""Messages that one gap-fill request over UDP may ask for."""
PRICE_EXPONENT: Final = -4

SEGMENT_HEADER: Final = Layout("SegmentHeader", "<", [
    ("version", "u8"),
    ("", "x1"),
    ("message_protocol_id", "u16"),
    ("channel_id", "u32"),
    ("session_id", "u32"),
    ("payload_length", "u16"),
    ("message_count", "u16"),
    ("stream_offset", "i64"),           # bytes of payload before this segment
    ("first_message_sequence", "i64"),  # of the next message in a heartbeat
    ("send_time", "i64"),
])  # fmt: skip
GAP_FILL_HEADER: Final = Layout("GapFillHeader", "<", [
    ("version", "u8"),
    ("request_type", "u8"),             # RequestType
    ("message_protocol_id", "u16"),
    ("channel_id", "u32"),
    ("session_id", "u32"),
    ("range_count", "u32"),
])  # fmt: skip
GAP_FILL_RANGE: Final = Layout("GapFillRange", "<", [
    ("first", "i64"),
    ("last", "i64"),                    # inclusive
])  # fmt: skip

_LENGTH: Final = Struct("<H")


class RequestType(IntEnum):
    """What the ranges of a gap-fill request count."""

    SEQUENCE = 1
    BYTESTREAM = 2


class EventFlags(IntFlag):
    """On a price level update: 0 while the book is in transition, and then the BBO must not be read."""

    COMPLETE = 1


class SaleCondition(IntFlag):
    """On trades."""

    SINGLE_PRICE_CROSS = 0x08
    TRADE_THROUGH_EXEMPT = 0x10
    ODD_LOT = 0x20
    EXTENDED_HOURS = 0x40
    INTERMARKET_SWEEP = 0x80


HEADER: Final[tuple[Row, ...]] = (
    ("message_type", "c1"),
    ("flags", "u8"),                    # the code or the bits of the message: event, status, sale condition
    ("timestamp", "i64"),               # ns since 1970
)  # fmt: skip
_SYMBOL: Final[tuple[Row, ...]] = (("symbol", "c8"),)
_TRADE: Final[tuple[Row, ...]] = (
    *_SYMBOL,
    ("size", "u32"),
    ("price", "i64"),
    ("trade_id", "i64"),
)  # fmt: skip
_LEVEL: Final[tuple[Row, ...]] = (      # flags are EventFlags
    *_SYMBOL,
    ("size", "u32"),                    # all that is displayed at the price now; 0 removes the level
    ("price", "i64"),
)  # fmt: skip

_TABLE: Final[tuple[tuple[str, str, tuple[Row, ...]], ...]] = (
    ("S", "SystemEvent", ()),           # flags: O, S, R, M, E, C: messages, system hours, regular hours begin and end
    ("D", "SecurityDirectory", (
        *_SYMBOL,
        ("round_lot_size", "u32"),
        ("adjusted_poc_price", "i64"),
        ("luld_tier", "u8"),
    )),
    ("H", "TradingStatus", (            # flags: H halted, O order acceptance, P paused, T trading
        *_SYMBOL,
        ("reason", "c4"),
    )),
    ("I", "RetailLiquidityIndicator", _SYMBOL),
    ("O", "OperationalHaltStatus", _SYMBOL),  # flags: O halted, N not halted
    ("P", "ShortSalePriceTestStatus", (
        *_SYMBOL,
        ("detail", "c1"),
    )),
    ("E", "SecurityEvent", _SYMBOL),    # flags: O opening, C closing process is complete
    ("8", "PriceLevelUpdateBuy", _LEVEL),
    ("5", "PriceLevelUpdateSell", _LEVEL),
    ("T", "TradeReport", _TRADE),       # flags are SaleCondition
    ("B", "TradeBreak", _TRADE),
    ("X", "OfficialPrice", (            # flags: Q opening, M closing price
        *_SYMBOL,
        ("price", "i64"),
    )),
    ("A", "AuctionInformation", (       # flags: O, C, I, H, V: which auction
        *_SYMBOL,
        ("paired_shares", "u32"),
        ("reference_price", "i64"),
        ("indicative_clearing_price", "i64"),
        ("imbalance_shares", "u32"),
        ("imbalance_side", "c1"),       # B, S, N
        ("extension_number", "u8"),
        ("scheduled_auction_time", "u32"),  # seconds since 1970
        ("auction_book_clearing_price", "i64"),
        ("collar_reference_price", "i64"),
        ("lower_auction_collar", "i64"),
        ("upper_auction_collar", "i64"),
    )),
)  # fmt: skip

LAYOUTS: Final[Mapping[str, Layout]] = MappingProxyType(
    {code: Layout(name, "<", (*HEADER, *body)) for code, name, body in _TABLE}
)
"""The layout of every message type, by its letter."""

_BY_BYTE: Final = tuple(LAYOUTS.get(chr(code)) for code in range(256))


class UnknownType(WireError):
    """The message is of a type that this revision does not have; a receiver must go on."""


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment: the fields of its header, and its messages as views into the buffer that was decoded."""

    version: int
    message_protocol_id: int
    channel_id: int
    session_id: int
    payload_length: int
    message_count: int
    stream_offset: int
    first_message_sequence: int
    send_time: int
    messages: tuple[memoryview, ...]

    @property
    def heartbeat(self) -> bool:
        """Say whether the sender only tells that it is alive and which sequence comes next."""
        return not self.messages

    @property
    def next_sequence(self) -> int:
        """Give the sequence that follows this segment."""
        return self.first_message_sequence + len(self.messages)


@dataclass(frozen=True, slots=True)
class GapFillRequest:
    """A request to send ranges again, both ends included. Without ranges it is a test of the connection."""

    request_type: int
    message_protocol_id: int
    channel_id: int
    session_id: int
    ranges: tuple[tuple[int, int], ...]


def decode_segment(data: Buffer) -> Segment:
    """Decode one segment, without copying its messages.

    Raises: WireError when the version is another one, when a block is cut short, or when the lengths do not add up.
    """
    header = SEGMENT_HEADER.decode(data)
    _check_version(header.version)
    end = SEGMENT_HEADER.size + header.payload_length
    if end != len(data):
        found = f"{len(data) - SEGMENT_HEADER.size} bytes"
        raise WireError(
            "IEX segment has a wrong length", offset=12, found=found, wanted=f"{header.payload_length} bytes"
        )
    return Segment(**header._asdict(), messages=_messages(memoryview(data), header.message_count))


def _messages(view: memoryview, count: int) -> tuple[memoryview, ...]:
    messages = []
    at, end = SEGMENT_HEADER.size, len(view)
    for index in range(count):
        start = at + _LENGTH.size
        if start > end:
            raise WireError(
                "IEX segment lacks a message", offset=at, found=f"{index} messages", wanted=f"{count} messages"
            )
        at = start + _LENGTH.unpack_from(view, at)[0]
        if at > end:
            found, wanted = f"{end - start} bytes", f"{at - start} bytes"
            raise WireError(f"IEX message {index} is cut short", offset=start, found=found, wanted=wanted)
        messages.append(view[start:at])
    if at != end:
        raise WireError("bytes after the last IEX message", offset=at, found=f"{end - at} bytes", wanted="none")
    return tuple(messages)


def encode_segment(
    sequence: int, messages: Sequence[Buffer] = (), *, session_id: int = 0, channel_id: int = 1, stream_offset: int = 0,
    send_time: int = 0, message_protocol_id: int = DEEP_1_0,
) -> bytes:  # fmt: skip
    """Encode one segment; without messages it is a heartbeat, whose sequence is the next one.

    Units: `send_time` in ns since 1970.
    Raises: MisuseError when a value does not fit its field or a message is too long.
    """
    if any(len(message) > 0xFFFF for message in messages):
        raise MisuseError("an IEX message has at most 65535 bytes")
    payload = b"".join(part for message in messages for part in (_LENGTH.pack(len(message)), message))
    head = (VERSION, message_protocol_id, channel_id, session_id, len(payload), len(messages), stream_offset, sequence)
    return SEGMENT_HEADER.encode(*head, send_time) + payload


def decode(message: Buffer) -> Any:
    """Decode one DEEP message; bytes behind its known fields are not looked at.

    Raises: UnknownType (a WireError) for a type that is not in `LAYOUTS`; WireError when the message is too short.
    """
    if not len(message):
        raise WireError("IEX message is empty", offset=0, found="0 bytes", wanted="a message type")
    layout = _BY_BYTE[message[0]]
    if layout is None:
        raise UnknownType(
            "IEX message type is not known", offset=0, found=f"0x{message[0]:02x}", wanted="".join(LAYOUTS)
        )
    return layout.decode(message)


def encode(message_type: str, **fields: Any) -> bytes:
    """Encode a DEEP message from all its fields but the type.

    Raises: MisuseError when the type is not known, a field is missing or unknown, or a value does not fit.
    """
    layout = LAYOUTS.get(message_type)
    if layout is None:
        raise MisuseError(f"IEX message type {message_type!r} is not one of {''.join(LAYOUTS)}")
    return layout.encode(message_type=message_type, **fields)


def decode_gap_fill(data: Buffer) -> GapFillRequest:
    """Decode a gap-fill request; whether its ranges make sense is the server's to judge.

    Raises: WireError when the version is another one, or when the ranges that it counts are not there.
    """
    header = GAP_FILL_HEADER.decode(data)
    _check_version(header.version)
    wanted = GAP_FILL_HEADER.size + header.range_count * GAP_FILL_RANGE.size
    if wanted != len(data):
        raise WireError(
            "IEX gap fill has a wrong length", offset=12, found=f"{len(data)} bytes", wanted=f"{wanted} bytes"
        )
    starts = range(GAP_FILL_HEADER.size, wanted, GAP_FILL_RANGE.size)
    ranges = tuple(tuple(GAP_FILL_RANGE.decode(data, at)) for at in starts)
    return GapFillRequest(header.request_type, header.message_protocol_id, header.channel_id, header.session_id, ranges)


def encode_gap_fill(
    ranges: Sequence[tuple[int, int]], *, session_id: int, channel_id: int = 1, message_protocol_id: int = DEEP_1_0,
    request_type: int = RequestType.SEQUENCE,
) -> bytes:  # fmt: skip
    """Encode a request for ranges of sequences (or of bytes), both ends included; none is a test of the connection.

    Raises: MisuseError when a range is empty, when ranges overlap or do not increase, or when a value does not fit.
    """
    before = -1
    for first, last in ranges:
        if not before < first <= last:
            raise MisuseError(f"gap-fill range {first} to {last} does not come after {before}")
        before = last
    head = GAP_FILL_HEADER.encode(VERSION, int(request_type), message_protocol_id, channel_id, session_id, len(ranges))
    return head + b"".join(GAP_FILL_RANGE.encode(first, last) for first, last in ranges)


def _check_version(version: int) -> None:
    if version != VERSION:
        raise WireError("IEX transport version is another one", offset=0, found=version, wanted=VERSION)
