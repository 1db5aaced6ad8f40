"""CME MDP 3.0: packets of SBE messages, from schema version 5 to 13.

Source: CME's `templates_FixBinary.xml`, versions 5 and 12, and a recording of version 6. Little-endian. A packet is its
sequence and sending time, then messages, each behind a `MsgSize` of 16 bits that counts itself. Sequences count
*packets*; both lines carry identical ones. Entries of incremental messages carry `RptSeq`, +1 an instrument.

Version 9 moved all prices from 1e-7 to 1e-9 and gave the messages new numbers; their fields stand where they stood, so
an old and a new template share a table here (32 and 46, 42 and 48, ...). `price_exponent` tells which it is. A price
that is absent is INT64_MAX on the wire, not SBE's own null.

Leaves out: templates 43 and 44 (order book of versions 7 and 8), 57 to 63 (fixed income, repo, FX), those with 64-bit
quantities (64 and above), and FIX/FAST. A message of theirs is an UnknownTemplate, its neighbours are not affected.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from struct import Struct
from typing import Any, Final

from netfeed.errors import MisuseError, WireError
from netfeed.machine import Buffer
from netfeed.wire.layout import Layout
from netfeed.wire.sbe import Group, Row, Schema, Type, TypeSpec

SCHEMA_ID: Final = 1
VERSION: Final = 12
PRICE_NULL: Final = 2**63 - 1

PACKET_HEADER: Final = Layout("PacketHeader", "<", [
    ("MsgSeqNum", "u32"),       # of the packet; restarts every week
    ("SendingTime", "u64"),     # ns since 1970
])  # fmt: skip
MESSAGE_HEADER: Final = Layout("MessageHeader", "<", [
    ("blockLength", "u16"),
    ("templateId", "u16"),
    ("schemaId", "u16"),
    ("version", "u16"),
])  # fmt: skip
MSG_SIZE: Final = Struct("<H")


class MDUpdateAction(IntEnum):
    NEW = 0
    CHANGE = 1
    DELETE = 2
    DELETE_THRU = 3  # the level and all better ones
    DELETE_FROM = 4  # the level and all worse ones
    OVERLAY = 5  # whatever stands at the level is replaced, nothing moves


class MatchEventIndicator(IntFlag):
    """What a message is the last of, in its event. A book is whole at END_OF_EVENT only."""

    LAST_TRADE = 1
    LAST_VOLUME = 2
    LAST_QUOTE = 4
    LAST_STATS = 8
    LAST_IMPLIED = 16
    RECOVERY = 32
    RESERVED = 64
    END_OF_EVENT = 128


class EntryType:
    """Types of an entry, as they stand on the wire."""

    BID: Final = "0"
    OFFER: Final = "1"
    TRADE: Final = "2"
    IMPLIED_BID: Final = "E"
    IMPLIED_OFFER: Final = "F"
    BOOK_RESET: Final = "J"


class AggressorSide(IntEnum):
    NO_AGGRESSOR = 0
    BUY = 1
    SELL = 2


_NAMED: Final[dict[str, TypeSpec]] = {
    "PRICE": "i64", "PRICENULL": Type("i64", null=PRICE_NULL), "DECIMAL": "i64", "DECIMALNULL": "PRICENULL",
    "Int32NULL": Type("i32", null=2**31 - 1), "Int8NULL": Type("i8", null=2**7 - 1), "uInt8NULL": "u8?",
    "uInt32NULL": "u32?", "uInt64NULL": "u64?", "LocalMktDate": "u16?",  # days since 1970
    "DecimalQty": "Int32NULL",  # 1e-4
    "MaturityMonthYear": (("year", "u16?"), ("month", "u8?"), ("day", "u8?"), ("week", "u8?")),
    "ActionNew": Type("u8", constant=0), "TypeReset": Type("c1", constant="J"), "TypeTrade": Type("c1", constant="2"),
    "TypeVolume": Type("c1", constant="e"), "TypeLimits": Type("c1", constant="g"),
    "SourceExchange": Type("c1", constant="8"), "Eligibility": Type("u8", constant=24),
}  # fmt: skip

SCHEMA: Final = Schema(
    "CME",
    header=MESSAGE_HEADER,
    version=VERSION,
    schema_id=SCHEMA_ID,
    complete=True,
    dimensions={
        "groupSize": Layout("GroupSize", "<", [("blockLength", "u16"), ("numInGroup", "u8")]),
        "groupSize8Byte": Layout("GroupSize8", "<", [("blockLength", "u16"), ("", "x5"), ("numInGroup", "u8")]),
    },
    types=_NAMED,
)

_EVENT: Final[tuple[Row, ...]] = (
    ("TransactTime", "u64"),
    ("MatchEventIndicator", "u8"),
)  # fmt: skip
_EVENT_SIZE: Final = 11  # two bytes of padding behind the fields


def _entries(*rows: Row, size: int) -> Group:
    return Group("NoMDEntries", rows, dimension="groupSize", block_length=size)


_BOOK: Final = _entries(
    ("MDEntryPx", "PRICENULL", 0),
    ("MDEntrySize", "Int32NULL", 8),
    ("SecurityID", "i32", 12),
    ("RptSeq", "u32", 16),
    ("NumberOfOrders", "Int32NULL", 20),
    ("MDPriceLevel", "u8", 24),
    ("MDUpdateAction", "u8", 25),
    ("MDEntryType", "c1", 26),
    ("TradeableSize", "Int32NULL", 27, 10),
    size=32,
)
_ORDERS: Final = Group("NoOrderIDEntries", (
    ("OrderID", "u64", 0),
    ("MDOrderPriority", "uInt64NULL", 8),
    ("MDDisplayQty", "Int32NULL", 16),
    ("ReferenceID", "uInt8NULL", 20),   # the book entry that it belongs to, counted from 1
    ("OrderUpdateAction", "u8", 21),    # 0 new, 1 update, 2 delete
), dimension="groupSize8Byte", block_length=24)  # fmt: skip
_ORDER_BOOK: Final = _entries(
    ("OrderID", "uInt64NULL", 0),
    ("MDOrderPriority", "uInt64NULL", 8),
    ("MDEntryPx", "PRICENULL", 16),
    ("MDDisplayQty", "Int32NULL", 24),
    ("SecurityID", "i32", 28),
    ("MDUpdateAction", "u8", 32),
    ("MDEntryType", "c1", 33),
    size=40,
)
_DAILY: Final = _entries(
    ("MDEntryPx", "PRICENULL", 0),
    ("MDEntrySize", "Int32NULL", 8),
    ("SecurityID", "i32", 12),
    ("RptSeq", "u32", 16),
    ("TradingReferenceDate", "LocalMktDate", 20),
    ("SettlPriceType", "u8", 22),
    ("MDUpdateAction", "u8", 23),
    ("MDEntryType", "c1", 24),
    size=32,
)
_LIMITS: Final = _entries(
    ("HighLimitPrice", "PRICENULL", 0),
    ("LowLimitPrice", "PRICENULL", 8),
    ("MaxPriceVariation", "PRICENULL", 16),
    ("SecurityID", "i32", 24),
    ("RptSeq", "u32", 28),
    ("MDUpdateAction", "ActionNew"),
    ("MDEntryType", "TypeLimits"),
    size=32,
)
_SESSION: Final = _entries(
    ("MDEntryPx", "PRICE", 0),
    ("SecurityID", "i32", 8),
    ("RptSeq", "u32", 12),
    ("OpenCloseSettlFlag", "uInt8NULL", 16),
    ("MDUpdateAction", "u8", 17),
    ("MDEntryType", "c1", 18),
    ("MDEntrySize", "Int32NULL", 19, 9),
    size=24,
)
_TRADE: Final = _entries(
    ("MDEntryPx", "PRICE", 0),
    ("MDEntrySize", "i32", 8),
    ("SecurityID", "i32", 12),
    ("RptSeq", "u32", 16),
    ("NumberOfOrders", "Int32NULL", 20),
    ("TradeID", "i32", 24),
    ("AggressorSide", "uInt8NULL", 28),
    ("MDUpdateAction", "u8", 29),
    ("MDEntryType", "TypeTrade"),
    size=32,
)
_TRADE_SUMMARY: Final = _entries(
    ("MDEntryPx", "PRICE", 0),
    ("MDEntrySize", "i32", 8),
    ("SecurityID", "i32", 12),
    ("RptSeq", "u32", 16),
    ("NumberOfOrders", "Int32NULL", 20),
    ("AggressorSide", "uInt8NULL", 24),
    ("MDUpdateAction", "u8", 25),
    ("MDEntryType", "TypeTrade"),
    ("MDTradeEntryID", "uInt32NULL", 26, 7),
    size=32,
)
_FILLS: Final = Group("NoOrderIDEntries", (
    ("OrderID", "u64", 0),
    ("LastQty", "i32", 8),
), dimension="groupSize8Byte", block_length=16)  # fmt: skip
_VOLUME: Final = _entries(
    ("MDEntrySize", "i32", 0),
    ("SecurityID", "i32", 4),
    ("RptSeq", "u32", 8),
    ("MDUpdateAction", "u8", 12),
    ("MDEntryType", "TypeVolume"),
    size=16,
)
_SNAPSHOT: Final[tuple[Row, ...]] = (
    ("LastMsgSeqNumProcessed", "u32"),  # of the incremental packet that the snapshot holds
    ("TotNumReports", "u32"),           # messages in one loop
    ("SecurityID", "i32"),
    ("RptSeq", "u32"),
    ("TransactTime", "u64"),
    ("LastUpdateTime", "u64"),
    ("TradeDate", "LocalMktDate"),
    ("MDSecurityTradingStatus", "uInt8NULL"),
    ("HighLimitPrice", "PRICENULL"),
    ("LowLimitPrice", "PRICENULL"),
    ("MaxPriceVariation", "PRICENULL"),
)  # fmt: skip
_SNAPSHOT_ENTRIES: Final = _entries(
    ("MDEntryPx", "PRICENULL"),
    ("MDEntrySize", "Int32NULL"),
    ("NumberOfOrders", "Int32NULL"),
    ("MDPriceLevel", "Int8NULL"),
    ("TradingReferenceDate", "LocalMktDate"),
    ("OpenCloseSettlFlag", "uInt8NULL"),
    ("SettlPriceType", "u8"),
    ("MDEntryType", "c1"),
    size=22,
)

_IDENTITY: Final[tuple[Row, ...]] = (
    ("MatchEventIndicator", "u8"),
    ("TotNumReports", "uInt32NULL"),
    ("SecurityUpdateAction", "c1"),     # A add, D delete, M modify
    ("LastUpdateTime", "u64"),
    ("MDSecurityTradingStatus", "uInt8NULL"),
    ("ApplID", "i16"),
    ("MarketSegmentID", "u8"),
    ("UnderlyingProduct", "uInt8NULL"),
    ("SecurityExchange", "c4"),
    ("SecurityGroup", "c6"),
    ("Asset", "c6"),
    ("Symbol", "c20"),
    ("SecurityID", "i32"),
    ("SecurityIDSource", "SourceExchange"),
    ("SecurityType", "c6"),
    ("CFICode", "c6"),
)  # fmt: skip
_FUTURE: Final[tuple[Row, ...]] = (
    *_IDENTITY,
    ("MaturityMonthYear", "MaturityMonthYear", 71),
    ("Currency", "c3", 76),
    ("SettlCurrency", "c3", 79),
    ("MatchAlgorithm", "c1", 82),
    ("MinTradeVol", "u32", 83),
    ("MaxTradeVol", "u32", 87),
    ("MinPriceIncrement", "PRICE", 91),
    ("DisplayFactor", "DECIMAL", 99),
    ("MainFraction", "uInt8NULL", 107),
    ("SubFraction", "uInt8NULL", 108),
    ("PriceDisplayFormat", "uInt8NULL", 109),
    ("UnitOfMeasure", "c30", 110),
    ("UnitOfMeasureQty", "DECIMALNULL", 140),
    ("TradingReferencePrice", "PRICENULL", 148),
    ("SettlPriceType", "u8", 156),
    ("OpenInterestQty", "Int32NULL", 157),
    ("ClearedVolume", "Int32NULL", 161),
    ("HighLimitPrice", "PRICENULL", 165),
    ("LowLimitPrice", "PRICENULL", 173),
    ("MaxPriceVariation", "PRICENULL", 181),
    ("DecayQuantity", "Int32NULL", 189),
    ("DecayStartDate", "LocalMktDate", 193),
    ("OriginalContractSize", "Int32NULL", 195),
    ("ContractMultiplier", "Int32NULL", 199),
    ("ContractMultiplierUnit", "Int8NULL", 203),
    ("FlowScheduleType", "Int8NULL", 204),
    ("MinPriceIncrementAmount", "PRICENULL", 205),
    ("UserDefinedInstrument", "c1", 213, 3),
    ("TradingReferenceDate", "LocalMktDate", 214, 6),
    ("InstrumentGUID", "uInt64NULL", 216, 10),
)  # fmt: skip
_OPTION: Final[tuple[Row, ...]] = (
    *_IDENTITY,
    ("PutOrCall", "u8", 71),            # 0 put, 1 call
    ("MaturityMonthYear", "MaturityMonthYear", 72),
    ("Currency", "c3", 77),
    ("StrikePrice", "PRICENULL", 80),
    ("StrikeCurrency", "c3", 88),
    ("SettlCurrency", "c3", 91),
    ("MinCabPrice", "PRICENULL", 94),
    ("MatchAlgorithm", "c1", 102),
    ("MinTradeVol", "u32", 103),
    ("MaxTradeVol", "u32", 107),
    ("MinPriceIncrement", "PRICENULL", 111),
    ("MinPriceIncrementAmount", "PRICENULL", 119),
    ("DisplayFactor", "DECIMAL", 127),
    ("TickRule", "Int8NULL", 135),
    ("MainFraction", "uInt8NULL", 136),
    ("SubFraction", "uInt8NULL", 137),
    ("PriceDisplayFormat", "uInt8NULL", 138),
    ("UnitOfMeasure", "c30", 139),
    ("UnitOfMeasureQty", "DECIMALNULL", 169),
    ("TradingReferencePrice", "PRICENULL", 177),
    ("SettlPriceType", "u8", 185),
    ("ClearedVolume", "Int32NULL", 186),
    ("OpenInterestQty", "Int32NULL", 190),
    ("LowLimitPrice", "PRICENULL", 194),
    ("HighLimitPrice", "PRICENULL", 202),
    ("UserDefinedInstrument", "c1", 210),
    ("TradingReferenceDate", "LocalMktDate", 211, 6),
    ("InstrumentGUID", "uInt64NULL", 213, 10),
)  # fmt: skip
_SPREAD: Final[tuple[Row, ...]] = (
    *_IDENTITY,
    ("MaturityMonthYear", "MaturityMonthYear", 71),
    ("Currency", "c3", 76),
    ("SecuritySubType", "c5", 79),
    ("UserDefinedInstrument", "c1", 84),
    ("MatchAlgorithm", "c1", 85),
    ("MinTradeVol", "u32", 86),
    ("MaxTradeVol", "u32", 90),
    ("MinPriceIncrement", "PRICENULL", 94),
    ("DisplayFactor", "DECIMAL", 102),
    ("PriceDisplayFormat", "uInt8NULL", 110),
    ("PriceRatio", "PRICENULL", 111),
    ("TickRule", "Int8NULL", 119),
    ("UnitOfMeasure", "c30", 120),
    ("TradingReferencePrice", "PRICENULL", 150),
    ("SettlPriceType", "u8", 158),
    ("OpenInterestQty", "Int32NULL", 159),
    ("ClearedVolume", "Int32NULL", 163),
    ("HighLimitPrice", "PRICENULL", 167),
    ("LowLimitPrice", "PRICENULL", 175),
    ("MaxPriceVariation", "PRICENULL", 183),
    ("MainFraction", "uInt8NULL", 191),
    ("SubFraction", "uInt8NULL", 192),
    ("TradingReferenceDate", "LocalMktDate", 193, 6),
    ("PriceQuoteMethod", "c5", 195, 10),
    ("RiskSet", "c6", 200, 10),
    ("MarketSet", "c6", 206, 10),
    ("InstrumentGUID", "uInt64NULL", 212, 10),
    ("FinancialInstrumentFullName", "c35", 220, 10),
)  # fmt: skip
_LISTS: Final = (
    Group("NoEvents", (
        ("EventType", "u8"),            # 5 activation, 7 last eligible trade date
        ("EventTime", "u64"),
    ), dimension="groupSize"),
    Group("NoMDFeedTypes", (
        ("MDFeedType", "c3"),           # GBX outright book, GBI implied book
        ("MarketDepth", "i8"),
    ), dimension="groupSize"),
    Group("NoInstAttrib", (
        ("InstAttribType", "Eligibility"),
        ("InstAttribValue", "u32"),
    ), dimension="groupSize"),
    Group("NoLotTypeRules", (
        ("LotType", "i8"),
        ("MinLotSize", "DecimalQty"),
    ), dimension="groupSize"),
)  # fmt: skip
_UNDERLYINGS: Final = Group("NoUnderlyings", (
    ("UnderlyingSecurityID", "i32"),
    ("UnderlyingSecurityIDSource", "SourceExchange"),
    ("UnderlyingSymbol", "c20"),
), dimension="groupSize")  # fmt: skip
_RELATED: Final = Group("NoRelatedInstruments", (
    ("RelatedSecurityID", "i32"),
    ("RelatedSecurityIDSource", "SourceExchange"),
    ("RelatedSymbol", "c20"),
), dimension="groupSize", since=9)  # fmt: skip
_LEGS: Final = Group("NoLegs", (
    ("LegSecurityID", "i32"),
    ("LegSecurityIDSource", "SourceExchange"),
    ("LegSide", "u8"),                  # 1 buy, 2 sell
    ("LegRatioQty", "i8"),
    ("LegPrice", "PRICENULL"),
    ("LegOptionDelta", "DecimalQty"),
), dimension="groupSize")  # fmt: skip

_RESET: Final = _entries(("MDUpdateAction", "ActionNew"), ("MDEntryType", "TypeReset"), ("ApplID", "i16", 0), size=2)
_QUOTE_REQUEST: Final[tuple[Row, ...]] = (
    ("TransactTime", "u64", 0),
    ("QuoteReqID", "c23", 8),
    ("MatchEventIndicator", "u8", 31),
)
_STATUS: Final[tuple[Row, ...]] = (
    ("TransactTime", "u64"),
    ("SecurityGroup", "c6"),
    ("Asset", "c6"),
    ("SecurityID", "Int32NULL"),
    ("TradeDate", "LocalMktDate"),
    ("MatchEventIndicator", "u8"),
    ("SecurityTradingStatus", "uInt8NULL"),
    ("HaltReason", "u8"),
    ("SecurityTradingEvent", "u8"),
)
_SYMBOLS: Final = Group("NoRelatedSym", (
    ("Symbol", "c20", 0),
    ("SecurityID", "i32", 20),
    ("OrderQty", "Int32NULL", 24),
    ("QuoteType", "i8", 28),
    ("Side", "Int8NULL", 29),
), dimension="groupSize", block_length=32)  # fmt: skip
_ORDER_SNAPSHOT: Final[tuple[Row, ...]] = (
    ("LastMsgSeqNumProcessed", "u32"),
    ("TotNumReports", "u32"),
    ("SecurityID", "i32"),
    ("NoChunks", "u32"),
    ("CurrentChunk", "u32"),
    ("TransactTime", "u64"),
)
_ORDER_SNAPSHOT_ENTRIES: Final = _entries(
    ("OrderID", "u64"),
    ("MDOrderPriority", "uInt64NULL"),
    ("MDEntryPx", "PRICE"),
    ("MDDisplayQty", "i32"),
    ("MDEntryType", "c1"),
    size=29,
)


def _before_9(rows: Sequence[Row]) -> Sequence[Row]:
    return tuple(row for row in rows if len(row) < 4 or row[3] < 9)


_TABLE: Final[tuple[tuple[str, tuple[int, ...], Sequence[Row], int | None, Sequence[Group]], ...]] = (
    ("ChannelReset",                          (4,),    _EVENT,             None,        (_RESET,)),
    ("AdminHeartbeat",                        (12,),   (),                 None,        ()),
    ("SecurityStatus",                        (30,),   _STATUS,            None,        ()),
    ("QuoteRequest",                          (39,),   _QUOTE_REQUEST,     35,          (_SYMBOLS,)),
    ("MDIncrementalRefreshBook",              (32,),   _EVENT,             _EVENT_SIZE, (_BOOK,)),
    ("MDIncrementalRefreshBook",              (46,),   _EVENT,             _EVENT_SIZE, (_BOOK, _ORDERS)),
    ("MDIncrementalRefreshOrderBook",         (47,),   _EVENT,             _EVENT_SIZE, (_ORDER_BOOK,)),
    ("MDIncrementalRefreshDailyStatistics",   (33, 49), _EVENT,            _EVENT_SIZE, (_DAILY,)),
    ("MDIncrementalRefreshLimitsBanding",     (34, 50), _EVENT,            _EVENT_SIZE, (_LIMITS,)),
    ("MDIncrementalRefreshSessionStatistics", (35, 51), _EVENT,            _EVENT_SIZE, (_SESSION,)),
    ("MDIncrementalRefreshTrade",             (36,),   _EVENT,             _EVENT_SIZE, (_TRADE,)),
    ("MDIncrementalRefreshTradeSummary",      (42, 48), _EVENT,            _EVENT_SIZE, (_TRADE_SUMMARY, _FILLS)),
    ("MDIncrementalRefreshVolume",            (37,),   _EVENT,             _EVENT_SIZE, (_VOLUME,)),
    ("SnapshotFullRefresh",                   (38, 52), _SNAPSHOT,         None,        (_SNAPSHOT_ENTRIES,)),
    ("SnapshotFullRefreshOrderBook",          (53,),   _ORDER_SNAPSHOT,    None,        (_ORDER_SNAPSHOT_ENTRIES,)),
    ("MDInstrumentDefinitionFuture",          (27,),   _before_9(_FUTURE), None,        _LISTS),
    ("MDInstrumentDefinitionFuture",          (54,),   _FUTURE,            None,        _LISTS),
    ("MDInstrumentDefinitionSpread",          (29,),   _before_9(_SPREAD), None,        (*_LISTS, _LEGS)),
    ("MDInstrumentDefinitionSpread",          (56,),   _SPREAD,            None,        (*_LISTS, _LEGS)),
    ("MDInstrumentDefinitionOption",          (41,),   _before_9(_OPTION), None,        (*_LISTS, _UNDERLYINGS)),
    ("MDInstrumentDefinitionOption",          (55,),   _OPTION,            None, (*_LISTS, _UNDERLYINGS, _RELATED)),
)  # fmt: skip

for _name, _numbers, _rows, _size, _groups in _TABLE:
    for _number in _numbers:
        SCHEMA.template(_number, f"{_name}{_number}", _rows, groups=_groups, block_length=_size)


def price_exponent(version: int) -> int:
    """Give the decimal exponent of all prices in messages of a schema version."""
    return -7 if version < 9 else -9


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet: the fields of its header, and its messages as views, each from its SBE header on."""

    MsgSeqNum: int
    SendingTime: int
    messages: tuple[memoryview, ...]


def decode_packet(data: Buffer) -> Packet:
    """Decode one packet, without copying its messages.

    Raises: WireError when the header or a message is cut short, or when a message is shorter than its header.
    """
    header = PACKET_HEADER.decode(data)
    view = memoryview(data)
    messages, at = [], PACKET_HEADER.size
    while at < len(view):
        left = len(view) - at
        size = MSG_SIZE.unpack_from(view, at)[0] if left >= MSG_SIZE.size else 0
        if not MSG_SIZE.size + MESSAGE_HEADER.size <= size <= left:
            raise WireError(
                "CME message has a wrong size", offset=at, found=f"{size} bytes", wanted=f"10 to {left} bytes"
            )
        messages.append(view[at + MSG_SIZE.size : at + size])
        at += size
    return Packet(**header._asdict(), messages=tuple(messages))


def decode(message: Buffer) -> tuple[Any, Any]:
    """Decode one message, from its SBE header on, to the named tuples of header and body.

    Bytes behind the body are skipped: a newer schema may append groups.

    Raises: UnknownTemplate (a WireError) when the schema does not have the template; WireError.
    """
    header, body, _ = SCHEMA.decode(message)
    return header, body


def encode(template_id: int, *, version: int = VERSION, **fields: Any) -> bytes:
    """Encode one message from its SBE header on; optional fields and groups may be left out.

    Raises: MisuseError when the template or a field is not known, or a value does not fit.
    """
    return SCHEMA.encode(template_id, version=version, **fields)


def encode_packet(sequence: int, messages: Sequence[Buffer], *, sending_time: int = 0) -> bytes:
    """Encode one packet of messages.

    Units: `sending_time` in ns since 1970.
    Raises: MisuseError when a value does not fit its field or a message is too long.
    """
    parts: list[Buffer] = [PACKET_HEADER.encode(sequence, sending_time)]
    for message in messages:
        size = MSG_SIZE.size + len(message)
        if not MSG_SIZE.size + MESSAGE_HEADER.size <= size <= 0xFFFF:
            raise MisuseError(f"a CME message has 8 to 65533 bytes, not {len(message)}")
        parts += (MSG_SIZE.pack(size), message)
    return b"".join(parts)
