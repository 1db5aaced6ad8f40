"""Deribit's multicast before Starbase: SBE messages behind a framing header of 8 bytes.

Source: Deribit's multicast guide, the message definitions that its tools carry, and a recording of 2023 in which every
byte is accounted for. Little-endian. A packet is the framing header (length of what follows, channel, sequence) and
one message or more behind each other. The sequence counts *packets* of a channel and wraps at 2**32. The header of a
message counts its groups and texts, so that the end of a message is known even where its template is not.

Prices and amounts are doubles. A double that is not set is NaN on the wire and None here, and so are the identifiers
of block and combo trades when they are 0.

Leaves out: the chain of change ids and the meaning of a message for a book.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

from netfeed.errors import MisuseError, WireError
from netfeed.machine import Buffer
from netfeed.wire.layout import Layout
from netfeed.wire.sbe import Data, Group, Row, Schema, Type

SCHEMA_ID: Final = 1
VERSIONS: Final = {1010: 3}
"""The version that a template's header carries, where it is not `VERSION`."""
VERSION: Final = 2
SEQUENCE_BITS: Final = 32

FRAMING_HEADER: Final = Layout("FramingHeader", "<", [
    ("packetLength", "u16"),    # of what follows this header
    ("channelId", "u16"),
    ("channelSeq", "u32"),      # of the packet, in its channel
])  # fmt: skip

MESSAGE_HEADER: Final = Layout("MessageHeader", "<", [
    ("blockLength", "u16"),
    ("templateId", "u16"),
    ("schemaId", "u16"),
    ("version", "u16"),
    ("numGroups", "u16"),
    ("numVarDataFields", "u16"),
])  # fmt: skip

GROUP_SIZE: Final = Layout("GroupSize", "<", [
    ("blockLength", "u16"),
    ("numInGroup", "u16"),
    ("numGroups", "u16"),
    ("numVarDataFields", "u16"),
])  # fmt: skip


class TemplateId(IntEnum):
    INSTRUMENT = 1000
    BOOK = 1001
    TRADES = 1002
    TICKER = 1003
    SNAPSHOT = 1004
    SNAPSHOT_START = 1005
    SNAPSHOT_END = 1006
    COMBO_LEGS = 1007
    PRICE_INDEX = 1008
    RFQ = 1009
    INSTRUMENT_V2 = 1010


class BookSide(IntEnum):
    ASK = 0
    BID = 1


class BookChange(IntEnum):
    CREATED = 0
    CHANGED = 1
    DELETED = 2


class Direction(IntEnum):
    """The side of the taker."""

    BUY = 0
    SELL = 1


class InstrumentState(IntEnum):
    CREATED = 0
    OPEN = 1
    CLOSED = 2
    SETTLED = 3


class InstrumentKind(IntEnum):
    """Kinds that are known by name; newer codes are handed on as they are."""

    FUTURE = 0
    OPTION = 1


class OptionType(IntEnum):
    NOT_APPLICABLE = 0
    CALL = 1
    PUT = 2


SCHEMA: Final = Schema(
    "Deribit",
    header=MESSAGE_HEADER,
    version=VERSION,
    schema_id=SCHEMA_ID,
    complete=True,
    dimensions={"groupSizeEncoding": GROUP_SIZE},
    types={"optionalId": Type("u64", null=0)},
)

_INSTRUMENT: Final[tuple[Row, ...]] = (
    ("instrumentId", "u32"),
    ("instrumentState", "u8"),  # InstrumentState
    ("kind", "u8"),             # InstrumentKind
    ("instrumentType", "u8"),   # 0 not applicable, 1 reversed (inverse), 2 linear
    ("optionType", "u8"),       # OptionType
    ("rfq", "u8"),
    ("settlementPeriod", "u8"),  # 0 perpetual, 1 minute, 2 hour, 3 day, 4 week, 5 month, 6 year
    ("settlementPeriodCount", "u16"),
    ("baseCurrency", "c8"),
    ("quoteCurrency", "c8"),
    ("counterCurrency", "c8"),
    ("settlementCurrency", "c8"),
    ("sizeCurrency", "c8"),
    ("creationTimestampMs", "u64"),
    ("expirationTimestampMs", "u64"),
    ("strikePrice", "f64?"),
    ("contractSize", "f64?"),
    ("minTradeAmount", "f64?"),
    ("tickSize", "f64?"),
    ("makerCommission", "f64?"),
    ("takerCommission", "f64?"),
    ("blockTradeCommission", "f64?"),
    ("maxLiquidationCommission", "f64?"),
    ("maxLeverage", "f64?"),
)  # fmt: skip
_NAME: Final = (Data("instrumentName"),)

SCHEMA.template(1000, "Instrument", _INSTRUMENT, data=_NAME)
SCHEMA.template(1010, "InstrumentV2", tuple(row for row in _INSTRUMENT if row[0] != "rfq"), groups=(
    Group("tickStepsList", (("abovePrice", "f64"), ("tickSize", "f64"))),
), data=_NAME)  # fmt: skip
SCHEMA.template(1001, "Book", (
    ("instrumentId", "u32"),
    ("timestampMs", "u64"),
    ("prevChangeId", "u64"),    # the changeId of the instrument's message before this; ids are not consecutive
    ("changeId", "u64"),
    ("isLast", "u8"),           # 0: the update goes on in the next message
), groups=(
    Group("changesList", (
        ("side", "u8"),         # BookSide
        ("change", "u8"),       # BookChange
        ("price", "f64"),
        ("amount", "f64"),      # what is there now, not the difference
    )),
))  # fmt: skip
SCHEMA.template(1002, "Trades", (
    ("instrumentId", "u32"),
), groups=(
    Group("tradesList", (
        ("direction", "u8"),    # Direction
        ("price", "f64"),
        ("amount", "f64"),
        ("timestampMs", "u64"),
        ("markPrice", "f64?"),
        ("indexPrice", "f64?"),
        ("tradeSeq", "u64"),
        ("tradeId", "u64"),
        ("tickDirection", "u8"),  # 0 plus, 1 zero plus, 2 minus, 3 zero minus
        ("liquidation", "u8"),  # 0 none, 1 maker, 2 taker, 3 both
        ("iv", "f64?"),
        ("blockTradeId", "optionalId"),
        ("comboTradeId", "optionalId"),
    )),
))  # fmt: skip
SCHEMA.template(1003, "Ticker", (
    ("instrumentId", "u32"),
    ("instrumentState", "u8"),  # InstrumentState
    ("timestampMs", "u64"),
    ("openInterest", "f64?"),
    ("minSellPrice", "f64?"),
    ("maxBuyPrice", "f64?"),
    ("lastPrice", "f64?"),
    ("indexPrice", "f64?"),
    ("markPrice", "f64?"),
    ("bestBidPrice", "f64?"),
    ("bestBidAmount", "f64?"),
    ("bestAskPrice", "f64?"),
    ("bestAskAmount", "f64?"),
    ("currentFunding", "f64?"),
    ("funding8h", "f64?"),
    ("estimatedDeliveryPrice", "f64?"),
    ("deliveryPrice", "f64?"),
    ("settlementPrice", "f64?"),
))  # fmt: skip
SCHEMA.template(1004, "Snapshot", (
    ("instrumentId", "u32"),
    ("timestampMs", "u64"),
    ("changeId", "u64"),
    ("isBookComplete", "u8"),   # 0: the depth is limited, levels behind it are not told
    ("isLastInBook", "u8"),     # 0: the snapshot goes on in the next message
), groups=(
    Group("levelsList", (
        ("side", "u8"),         # BookSide
        ("price", "f64"),
        ("amount", "f64"),
    )),
))  # fmt: skip
SCHEMA.template(1005, "SnapshotStart", (
    ("snapshotDelay", "u32"),   # ms
))  # fmt: skip
SCHEMA.template(1006, "SnapshotEnd")
SCHEMA.template(1007, "ComboLegs", (
    ("instrumentId", "u32"),
), groups=(
    Group("legsList", (
        ("legInstrumentId", "u32"),
        ("legSize", "i32"),
    )),
))  # fmt: skip
SCHEMA.template(1008, "PriceIndex", (
    ("indexName", "c16"),
    ("price", "f64?"),
    ("timestampMs", "u64"),
))  # fmt: skip
SCHEMA.template(1009, "Rfq", (
    ("instrumentId", "u32"),
    ("state", "u8"),
    ("side", "u8"),             # Direction, 2 for none
    ("amount", "f64?"),
    ("timestampMs", "u64"),
))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet: the fields of its framing header, and its messages as views into the buffer that was decoded."""

    packetLength: int
    channelId: int
    channelSeq: int
    messages: tuple[memoryview, ...]


def decode_packet(data: Buffer) -> Packet:
    """Decode one packet, without copying its messages; templates that are not known are messages too.

    Raises: WireError when the packet does not have the length that it tells, or when a message is cut short.
    """
    framing = FRAMING_HEADER.decode(data)
    if FRAMING_HEADER.size + framing.packetLength != len(data):
        found = f"{len(data) - FRAMING_HEADER.size} bytes"
        raise WireError(
            "Deribit packet has a wrong length", offset=0, found=found, wanted=f"{framing.packetLength} bytes"
        )
    view = memoryview(data)
    messages, at = [], FRAMING_HEADER.size
    while at < len(view):
        end = SCHEMA.measure(view, at)
        messages.append(view[at:end])
        at = end
    return Packet(**framing._asdict(), messages=tuple(messages))


def decode(message: Buffer) -> tuple[Any, Any]:
    """Decode one message to the named tuples of its header and its body.

    Raises: UnknownTemplate (a WireError) when the schema does not have the template; WireError when the message is cut
    short or has bytes behind its end.
    """
    header, body, end = SCHEMA.decode(message)
    if end != len(message):
        raise WireError("bytes after a Deribit message", offset=end, found=f"{len(message) - end} bytes", wanted="none")
    return header, body


def encode(template_id: int, *, version: int | None = None, **fields: Any) -> bytes:
    """Encode one message with its header; optional fields, groups and the name may be left out.

    `version` is that of the header, by default the one that the venue sends for this template.

    Raises: MisuseError when the template or a field is not known, or a value does not fit.
    """
    own = VERSIONS.get(template_id, VERSION) if version is None else version
    return SCHEMA.encode(int(template_id), version=own, **fields)


def encode_packet(sequence: int, messages: Sequence[Buffer], *, channel_id: int = 0) -> bytes:
    """Encode one packet of messages.

    Raises: MisuseError when there is none, or when they do not fit one packet.
    """
    if not messages:
        raise MisuseError("a Deribit packet carries at least one message")
    body = b"".join(messages)
    return FRAMING_HEADER.encode(len(body), channel_id, sequence) + body
