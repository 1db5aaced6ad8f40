"""Fuzz targets of SBE, Starbase, Deribit, CME and IEX, and of the feeds that put them on books.

A codec gives a result or a WireError, and what was decoded encodes to something that decodes to the same. A feed takes
any message, and its account balances: every message is counted, every refusal is announced.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from netfeed.book.change import Kind
from netfeed.errors import WireError
from netfeed.venues.cme import CmeFeed
from netfeed.venues.deribit_multicast import DeribitMulticastFeed
from netfeed.venues.iex import IexDeepFeed
from netfeed.wire import cme, deribit, iex, starbase
from netfeed.wire.layout import Layout
from netfeed.wire.sbe import Data, Group, Schema, Template, Type

WIDE = Layout("Wide", "<", [("blockLength", "u16"), ("numInGroup", "u32")])
NESTED = Schema(
    "Nested",
    header=deribit.MESSAGE_HEADER,
    dimensions={"groupSizeEncoding": deribit.GROUP_SIZE, "wide": WIDE},
    types={
        "decimal": (("mantissa", "i64"), ("exponent", "i8")),
        "own": Type("i32", null=2**31 - 1),
        "fixed": Type("c1", constant="x"),
    },
)
NESTED.template(1, "All", (
    ("a", "u8"), ("", "x3"), ("b", "decimal?"), ("c", "own"), ("d", "fixed"), ("e", "c5"), ("f", "f32?"),
    ("g", "b3", None, 2),
), groups=(
    Group("outer", (("h", "u16"),), groups=(Group("inner", (("i", "i8?"),)),), data=(Data("note"),)),
    Group("later", (), dimension="wide", since=3),
), data=(Data("name"), Data("blob", "u16", text=False)))  # fmt: skip


def sbe_message(data: bytes) -> None:
    """Decode a message of every kind of field; the entries are never more than the bytes."""
    with suppress(WireError):
        _, body, end = NESTED.decode(data)
        assert end <= len(data)
        assert sum(1 + len(entry.inner) for entry in body.outer) + len(body.later) <= len(data)
    with suppress(WireError):
        assert NESTED.measure(data) <= len(data)


def starbase_packet(data: bytes) -> None:
    """Decode a packet and its messages; they encode to the same packet."""
    with suppress(WireError):
        packet = starbase.decode_packet(data)
        head = {"channel_id": packet.channelId, "type": packet.type, "sending_time": packet.sendingTime}
        assert starbase.encode_packet(packet.seqNum, packet.messages, **head) == data
        for message in packet.messages:
            starbase_message(bytes(message))


def starbase_message(data: bytes) -> None:
    """Decode a message; it encodes to one that decodes to the same."""
    with suppress(WireError):
        header, body = starbase.decode(data)
        fields = {f"{name}_": value for name, value in body._asdict().items()}
        head = {"flags": header.flags, "transact_time": header.transactTime, "version": header.version}
        assert _same(starbase.decode(starbase.encode(header.templateId, **head, **fields))[1], body)


def deribit_packet(data: bytes) -> None:
    """Decode a packet and its messages; they encode to the same packet."""
    with suppress(WireError):
        packet = deribit.decode_packet(data)
        if packet.messages:
            again = deribit.encode_packet(packet.channelSeq, packet.messages, channel_id=packet.channelId)
            assert again == data
        for message in packet.messages:
            deribit_message(bytes(message))


def deribit_message(data: bytes) -> None:
    """Decode a message."""
    with suppress(WireError):
        deribit.decode(data)


def cme_packet(data: bytes) -> None:
    """Decode a packet and its messages; they encode to the same packet."""
    with suppress(WireError):
        packet = cme.decode_packet(data)
        assert cme.encode_packet(packet.MsgSeqNum, packet.messages, sending_time=packet.SendingTime) == data
        for message in packet.messages:
            cme_message(bytes(message))


def cme_message(data: bytes) -> None:
    """Decode a message."""
    with suppress(WireError):
        cme.decode(data)


def iex_segment(data: bytes) -> None:
    """Decode a segment and its messages; the lengths add up."""
    with suppress(WireError):
        segment = iex.decode_segment(data)
        assert sum(2 + len(message) for message in segment.messages) == segment.payload_length == len(data) - 40
        for message in segment.messages:
            iex_message(bytes(message))


def iex_message(data: bytes) -> None:
    """Decode a message; what is known of it encodes to its beginning."""
    with suppress(WireError):
        fields = iex.decode(data)._asdict()
        again = iex.encode(fields.pop("message_type"), **fields)
        assert len(again) <= len(data)
        assert iex.decode(again) == iex.decode(data)


def iex_gap_fill(data: bytes) -> None:
    """Decode a gap-fill request; there are as many ranges as there are bytes for."""
    with suppress(WireError):
        assert 16 + 16 * len(iex.decode_gap_fill(data).ranges) == len(data)


def deribit_feed(data: bytes) -> None:
    """Apply the messages of a packet, or the bytes as they are, to books that exist."""
    feed = DeribitMulticastFeed()
    for message in _DERIBIT:
        feed.apply(message, 1, 0, 2)
    _run(feed, data, deribit.decode_packet, len(_DERIBIT))


def cme_feed(data: bytes) -> None:
    """Apply the messages of a packet, or the bytes as they are, to books that exist."""
    feed = CmeFeed()
    for message in _CME:
        feed.apply(message, 1, 0, 2)
    _run(feed, data, cme.decode_packet, len(_CME))


def iex_feed(data: bytes) -> None:
    """Apply the messages of a segment, or the bytes as they are."""
    _run(IexDeepFeed(), data, iex.decode_segment, 0)


def _run(feed: Any, data: bytes, split: Callable[[bytes], Any], before: int) -> None:
    messages: tuple[Any, ...] = (data,)
    with suppress(WireError):
        messages = split(data).messages
    for sequence, message in enumerate(messages, 2):
        feed.apply(message, sequence, 0, 2)
    told = feed.statistics()
    assert told.messages == before + len(messages)
    assert sum(row["kind"] == Kind.REFUSED for row in feed.changes.take()) == sum(told.refused.values())
    assert len(feed.books) == len(feed.names) == len(feed.exponents)


def _same(one: Any, other: Any) -> bool:
    return repr(one) == repr(other)  # a NaN is not equal to itself


def _blank(slots: Any) -> dict[str, Any]:
    rows = {slot.name: slot.codec for slot in slots if not slot.codec.nullable}
    return {
        name: "" if codec.codes.endswith("s") else (2016, 1, None, None) if codec.width == 4 else 1
        for name, codec in rows.items()
    }


def _ones(encode: Callable[..., bytes], number: int, template: Template, suffix: str = "") -> bytes:
    """Encode a message whose fields are 1 and whose groups have one entry."""
    fields = _blank(template.block.slots) | {group.name: [_blank(group.body.block.slots)] for group in template.groups}
    return encode(number, **{name + suffix: value for name, value in fields.items()})


def _entry(**fields: Any) -> dict[str, Any]:
    plain = {"MDEntryPx": 5, "MDEntrySize": 1, "SecurityID": 7, "RptSeq": 1, "MDPriceLevel": 1, "MDUpdateAction": 0}
    return {**plain, "MDEntryType": "0", **fields}


_CHANGE = {"side": 1, "change": 0, "price": 100.5, "amount": 10.0}
_CROSSING = {"side": 0, "change": 0, "price": 100.0, "amount": 10.0}
_LEVEL = {"side": 1, "price": 100.5, "amount": 10.0}
_UPDATE: dict[str, Any] = {"instrumentId": 1, "timestampMs": 1, "isLast": 1}
_SNAPSHOT: dict[str, Any] = {"instrumentId": 1, "timestampMs": 1, "changeId": 2, "isBookComplete": 1, "isLastInBook": 1}
_TRADE = {
    "direction": 0, "price": 100.5, "amount": 10.0, "timestampMs": 1, "tradeSeq": 1, "tradeId": 1, "tickDirection": 0,
    "liquidation": 0,
}  # fmt: skip
_TICKS: dict[str, Any] = {
    "tickSize": 0.5,
    "minTradeAmount": 10.0,
    "contractSize": 10.0,
    "instrumentName": "BTC-PERPETUAL",
}
_DERIBIT = [
    deribit.encode(1000, **_blank(deribit.SCHEMA.templates[1000].block.slots), **_TICKS),
    deribit.encode(1001, **_UPDATE, prevChangeId=0, changeId=1, changesList=[_CHANGE]),
]
_DERIBIT_MORE = [
    deribit.encode(1001, **_UPDATE, prevChangeId=1, changeId=2, changesList=[_CHANGE, _CROSSING]),
    deribit.encode(1004, **_SNAPSHOT, levelsList=[_LEVEL]),
    deribit.encode(1002, instrumentId=1, tradesList=[_TRADE]),
]
_CME = [cme.encode(46, TransactTime=1, MatchEventIndicator=128, NoMDEntries=[_entry()])]
_CME_MORE = [_ones(cme.encode, number, template) for number, template in cme.SCHEMA.templates.items()]
_STARBASE = [_ones(starbase.encode, number, template, "_") for number, template in starbase.SCHEMA.templates.items()]
_IEX = [
    iex.encode(code, **{name: "A" if kind[0] == "c" else 1 for name, kind in layout.rows[1:]})
    for code, layout in iex.LAYOUTS.items()
]

TARGETS: dict[str, Callable[[bytes], None]] = {
    "sbe_message": sbe_message,
    "starbase_packet": starbase_packet,
    "starbase_message": starbase_message,
    "deribit_packet": deribit_packet,
    "deribit_message": deribit_message,
    "cme_packet": cme_packet,
    "cme_message": cme_message,
    "iex_segment": iex_segment,
    "iex_message": iex_message,
    "iex_gap_fill": iex_gap_fill,
    "deribit_feed": deribit_feed,
    "cme_feed": cme_feed,
    "iex_feed": iex_feed,
}

CORPUS: dict[str, list[bytes]] = {
    "sbe_message": [NESTED.encode(1, version=3, **_blank(NESTED.templates[1].block.slots) | {"g": b"abc"}, outer=[
        {"h": 1, "inner": [{"i": 1}, {}], "note": "n"}, {"h": 2},
    ], name="x", blob=b"yz")],
    "starbase_packet": [starbase.encode_packet(5, _STARBASE[:3]), starbase.encode_packet(5)],
    "starbase_message": _STARBASE,
    "deribit_packet": [deribit.encode_packet(5, _DERIBIT + _DERIBIT_MORE, channel_id=2)],
    "deribit_message": _DERIBIT + _DERIBIT_MORE,
    "cme_packet": [cme.encode_packet(5, _CME_MORE)],
    "cme_message": _CME_MORE,
    "iex_segment": [iex.encode_segment(5, _IEX), iex.encode_segment(5)],
    "iex_message": _IEX,
    "iex_gap_fill": [iex.encode_gap_fill([(1, 2), (5, 9)], session_id=1)],
    "deribit_feed": [deribit.encode_packet(5, _DERIBIT_MORE, channel_id=2), *_DERIBIT_MORE],
    "cme_feed": [cme.encode_packet(5, _CME_MORE), *_CME_MORE],
    "iex_feed": [iex.encode_segment(1, _IEX), *_IEX],
}  # fmt: skip
