"""Deribit Starbase market data: packets of numbered messages, order by order.

Source: Deribit, SBE schema 2102 version 1 and the Starbase documentation (overview, retransmit gateway, order book
maintenance). Little-endian. A packet is a header of 24 bytes and `messageCount` messages; sequence numbers count
*messages*, `seqNum` is that of the first. A packet without messages is a heartbeat and carries the next sequence.

Each message has a header of 16 bytes instead of SBE's own, so there is no block length on the wire. `messageLength`
counts that header and the padding to 8 bytes. A template's layout has changed once without a new version (14 lost its
index price), so a body that is not its template's size, give or take the padding, is refused and never guessed at.

Prices are integers of 1e-9. Quantities are integers whose exponent stands in the instrument's definition. Codes are
handed on as integers; the enumerations here name those that are known.

Leaves out: order entry (another schema), and all order, loss and recovery.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import Any, Final

from netfeed.errors import MisuseError, WireError
from netfeed.machine import Buffer
from netfeed.wire.layout import Layout
from netfeed.wire.sbe import Group, Row, Schema, UnknownTemplate

SCHEMA_ID: Final = 2102
VERSION: Final = 1
PRICE_EXPONENT: Final = -9
ALIGNMENT: Final = 8
"""Messages are padded to a multiple of it."""

PACKET_HEADER: Final = Layout("PacketHeader", "<", [
    ("sendingTime", "i64"),     # ns since 1970
    ("seqNum", "i64"),          # of the first message; of the next one in a heartbeat
    ("channelId", "i32"),
    ("type", "u16"),            # PacketType
    ("messageCount", "u16"),
])  # fmt: skip

MESSAGE_HEADER: Final = Layout("MessageHeader", "<", [
    ("messageLength", "u16"),   # with this header and the padding
    ("templateId", "u16"),
    ("version", "u16"),
    ("flags", "u16"),           # MessageFlags
    ("transactTime", "i64"),    # ns since 1970
])  # fmt: skip


class PacketType(IntFlag):
    """What a packet is. A retransmitted one is INCREMENTAL and RETRANSMIT; a reject of a request is neither."""

    INCREMENTAL = 1
    SNAPSHOT = 2
    RETRANSMIT = 4


class MessageFlags(IntFlag):
    """Where a message stands in its transaction. A book is whole at END_OF_TRANSACTION only."""

    START_OF_TRANSACTION = 1
    END_OF_TRANSACTION = 2


class InstrumentType(IntEnum):
    PERP_FUTURE = 0
    OPTION = 1
    SPOT = 2
    FUTURE_COMBO = 3
    OPTION_COMBO = 4
    DATED_FUTURE = 5


class InstrumentFlags(IntFlag):
    IS_REVERSED = 1  # inverse: settled in the base asset
    IS_PUT_OPTION = 2
    IS_PERPETUAL = 4


class InstrumentStatus(IntEnum):
    OPEN = 0
    INACTIVE = 1
    SETTLEMENT = 2
    DELIVERED = 3
    LOCKED = 4
    HALTED = 5


class TradeFlags(IntFlag):
    IS_SELL = 1
    IS_LIQUIDATION = 2


class RejectReason(IntEnum):
    """Why a retransmit request was refused."""

    SEQ_TOO_LOW = 1
    SEQ_TOO_HIGH = 2
    RATE_LIMIT_EXCEEDED = 3
    OTHER_ERROR = 4


class TemplateId(IntEnum):
    INSTRUMENT_DEFINITION = 10
    INDEX_DEFINITION = 11
    INDEX_INFO = 12
    INSTRUMENT_INFO = 14
    INSTRUMENT_REF = 15
    INSTRUMENT_STATUS_UPDATE = 16
    BID_PUT = 20
    ASK_PUT = 21
    BID_QTY_REDUCED = 22
    ASK_QTY_REDUCED = 23
    BID_DELETE = 24
    ASK_DELETE = 25
    TRADE_SUMMARY = 30
    TRADE = 31
    BLOCK_TRADE = 33
    SNAPSHOT_HEADER = 100
    SNAPSHOT_TRAILER = 101
    END_OF_CYCLE = 119
    RETRANSMIT_REQUEST = 200
    RETRANSMIT_REJECT = 202


SCHEMA: Final = Schema(
    "Starbase",
    schema_id=SCHEMA_ID,
    version=VERSION,
    complete=True,
    dimensions={"groupSizeEncoding": Layout("GroupSize", "<", [("blockLength", "u16"), ("numInGroup", "u16")])},
    types={"price9": "i64", "qty": "i64", "ns": "i64"},
)

_PUT: Final[tuple[Row, ...]] = (
    ("orderId", "i64"),
    ("instrumentId", "i64"),
    ("quantity", "qty"),
    ("price", "price9"),
    ("sortOrderId", "i64"),     # the queue's order within a price: smaller is filled first, arrival says nothing
)  # fmt: skip
_REDUCED: Final[tuple[Row, ...]] = (
    ("orderId", "i64"),
    ("instrumentId", "i64"),
    ("quantity", "qty"),        # what is left; the priority stays
)  # fmt: skip
_DELETE: Final[tuple[Row, ...]] = (
    ("orderId", "i64"),
    ("instrumentId", "i64"),
)  # fmt: skip

_TABLE: Final[tuple[tuple[int, str, tuple[Row, ...], tuple[Group, ...]], ...]] = (
    (10, "InstrumentDefinition", (
        ("instrumentId", "i64"),
        ("name", "c128"),
        ("indexId", "i64"),
        ("underlying", "c64"),
        ("quantityAsset", "c8"),
        ("priceAsset", "c8"),
        ("expiryTime", "ns?"),
        ("strikePrice", "price9?"),
        ("minOrderQuantity", "qty"),
        ("tickSize", "price9"),
        ("quantityExponent", "i8"),
        ("type", "i8"),         # InstrumentType
        ("flags", "u8"),        # InstrumentFlags
        ("status", "i8"),       # InstrumentStatus
    ), (
        Group("largeTickSizes", (("largeTickSize", "price9"), ("thresholdPrice", "price9"))),
        Group("legs", (("legInstrumentId", "i64"), ("ratio", "i8"))),
    )),
    (11, "IndexDefinition", (
        ("indexId", "i64"),
        ("name", "c128"),
    ), ()),
    (12, "IndexInfo", (
        ("indexId", "i64"),
        ("indexPrice", "price9"),
    ), ()),
    (14, "InstrumentInfo", (
        ("instrumentId", "i64"),
        ("minSellPrice", "price9"),
        ("maxBuyPrice", "price9"),
        ("markPrice", "price9"),
    ), ()),
    (15, "InstrumentRef", (
        ("instrumentId", "i64"),
        ("currentFunding", "f64?"),
        ("funding8h", "f64?"),
        ("estimatedDeliveryPrice", "price9?"),
        ("deliveryPrice", "price9?"),
        ("settlementPrice", "price9?"),
        ("openInterest", "f64?"),
    ), ()),
    (16, "InstrumentStatusUpdate", (
        ("instrumentId", "i64"),
        ("tradingStatus", "i8"),  # InstrumentStatus
    ), ()),
    (20, "BidPut", _PUT, ()),   # of a known order: an amend, price, quantity and priority are new
    (21, "AskPut", _PUT, ()),
    (22, "BidQtyReduced", _REDUCED, ()),
    (23, "AskQtyReduced", _REDUCED, ()),
    (24, "BidDelete", _DELETE, ()),
    (25, "AskDelete", _DELETE, ()),
    (30, "TradeSummary", (      # stands before its Trades
        ("instrumentId", "i64"),
        ("takerOrderId", "i64"),
        ("totalFilled", "qty"),
        ("deepestPrice", "price9"),
        ("markPrice", "price9"),
        ("indexPrice", "price9"),
        ("tradeCount", "i32"),
        ("takerFlags", "u32"),  # TradeFlags
    ), ()),
    (31, "Trade", (
        ("matchId", "i64"),
        ("instrumentId", "i64"),
        ("makerOrderId", "i64?"),  # None for the leg of a combo or an implied order
        ("fillQty", "qty"),
        ("fillPrice", "price9"),
        ("makerFlags", "u32"),  # TradeFlags
    ), ()),
    (33, "BlockTrade", (
        ("matchId", "i64"),
        ("instrumentId", "i64"),
        ("blockTradeId", "i64"),
        ("blockRfqId", "i64?"),
        ("fillQty", "qty"),
        ("fillPrice", "price9"),
        ("markPrice", "price9"),
        ("indexPrice", "price9"),
        ("impliedVolatility", "f64?"),
        ("takerFlags", "u32"),  # TradeFlags
        ("numberOfLegs", "u16"),
    ), ()),
    (100, "SnapshotHeader", (
        ("instrumentId", "i64"),
        ("incrementalTimestamp", "ns"),
        ("incrementalSeqNum", "i64"),  # of the last incremental message that the snapshot holds
    ), ()),
    (101, "SnapshotTrailer", (
        ("instrumentId", "i64"),
        ("timestamp", "ns"),
        ("incrementSeqNum", "i64"),
    ), ()),
    (119, "EndOfCycle", (
        ("activeInstrumentCount", "i32"),
    ), ()),
    (200, "RetransmitRequest", (
        ("beginSeqNum", "i64"),
        ("messageCount", "u8"),
    ), ()),
    (202, "RetransmitReject", (
        ("retryDelayNanos", "i64"),
        ("details", "c40"),
        ("reason", "i8"),       # RejectReason
    ), ()),
)  # fmt: skip

for _number, _name, _rows, _groups in _TABLE:
    SCHEMA.template(_number, _name, _rows, groups=_groups)


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet: the fields of its header, and its messages as views into the buffer that was decoded."""

    sendingTime: int
    seqNum: int
    channelId: int
    type: int
    messageCount: int
    messages: tuple[memoryview, ...]

    @property
    def heartbeat(self) -> bool:
        """Say whether the sender only tells that it is alive and which sequence comes next."""
        return not self.messages

    @property
    def next_sequence(self) -> int:
        """Give the sequence that follows this packet."""
        return self.seqNum + len(self.messages)


def decode_packet(data: Buffer) -> Packet:
    """Decode one packet, without copying its messages.

    Raises: WireError when the header or a message is cut short, when a message is shorter than its own header, or when
    bytes follow the last message.
    """
    header = PACKET_HEADER.decode(data)
    messages = _messages(memoryview(data), header.messageCount)
    return Packet(**header._asdict(), messages=messages)


def _messages(view: memoryview, count: int) -> tuple[memoryview, ...]:
    messages = []
    at, end = PACKET_HEADER.size, len(view)
    for index in range(count):
        length = MESSAGE_HEADER.decode(view, at).messageLength
        if not MESSAGE_HEADER.size <= length <= end - at:
            wanted = f"{MESSAGE_HEADER.size} to {end - at} bytes"
            raise WireError(
                f"Starbase message {index} has a wrong length", offset=at, found=f"{length} bytes", wanted=wanted
            )
        messages.append(view[at : at + length])
        at += length
    if at != end:
        raise WireError("bytes after the last Starbase message", offset=at, found=f"{end - at} bytes", wanted="none")
    return tuple(messages)


def decode(message: Buffer) -> tuple[Any, Any]:
    """Decode one message to the named tuples of its header and its body.

    Raises: UnknownTemplate (a WireError) when the schema does not have the template; WireError when the message does
    not have its own length, or when its body is not the size of its template, padding allowed.
    """
    header = MESSAGE_HEADER.decode(message)
    if header.messageLength != len(message):
        raise WireError(
            "Starbase message has a wrong length",
            offset=0,
            found=f"{header.messageLength} bytes",
            wanted=f"{len(message)} bytes",
        )
    template = SCHEMA.templates.get(header.templateId)
    if template is None:
        raise UnknownTemplate(
            "Starbase template is not known", offset=2, found=header.templateId, wanted=sorted(SCHEMA.templates)
        )
    body, end = template.decode(message, MESSAGE_HEADER.size)
    if len(message) - end >= ALIGNMENT:
        raise WireError(
            f"Starbase {template.name} is longer than its template",
            offset=end,
            found=f"{len(message) - end} bytes more",
            wanted=f"less than {ALIGNMENT} of padding",
        )
    return header, body


def encode(template_id: int, *, flags: int = 0, transact_time: int = 0, version: int = VERSION, **fields: Any) -> bytes:
    """Encode one message, padded to 8 bytes; optional fields and groups may be left out.

    `flags` are those of the header. A body that has a field of that name (InstrumentDefinition) takes it as `flags_`.

    Units: `transact_time` in ns since 1970.
    Raises: MisuseError when the template or a field is not known, or a value does not fit.
    """
    template = SCHEMA.templates.get(template_id)
    if template is None:
        raise MisuseError(f"Starbase template {template_id} is not one of {sorted(SCHEMA.templates)}")
    body = template.encode(**{name.rstrip("_"): value for name, value in fields.items()})
    body += bytes(-len(body) % ALIGNMENT)
    return (
        MESSAGE_HEADER.encode(MESSAGE_HEADER.size + len(body), int(template_id), version, int(flags), transact_time)
        + body
    )


def encode_packet(
    sequence: int,
    messages: Sequence[Buffer] = (),
    *,
    channel_id: int = 0,
    type: int = PacketType.INCREMENTAL,
    sending_time: int = 0,
) -> bytes:
    """Encode one packet; without messages it is a heartbeat, whose sequence is the next one.

    Units: `sending_time` in ns since 1970.
    Raises: MisuseError when a value does not fit its field or a message does not have its own length.
    """
    for message in messages:
        if len(message) < MESSAGE_HEADER.size or MESSAGE_HEADER.decode(message).messageLength != len(message):
            raise MisuseError(f"a Starbase message of {len(message)} bytes does not have its own length")
    return PACKET_HEADER.encode(sending_time, sequence, channel_id, int(type), len(messages)) + b"".join(messages)
