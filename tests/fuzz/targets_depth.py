"""Fuzz targets of depth messages: any bytes to any venue, by the compiled and the plain way, and the same in the end.

Each input is cut at newlines into messages. An untouched book of the same market must stay as it was.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from netfeed.book.state import BookState
from netfeed.build import PURE
from netfeed.errors import WireError
from netfeed.venues import binance, bybit, coinbase, deribit_json, kraken, okx
from netfeed.venues.deribit_events import Events
from netfeed.venues.entries import MAX_REASONS
from tests.venues.depth_messages import MESSAGES, NAMES, RULES, market, snapshot_body, told, written

DIALECTS: dict[str, Any] = {
    "deribit": deribit_json.Dialect(), "kraken": kraken.Dialect(10), "binance": binance.Dialect(),
    "okx": okx.Dialect(), "bybit": bybit.Dialect(), "coinbase": coinbase.Dialect(frozenset({"X-1"})),
}  # fmt: skip
LISTINGS: dict[str, Callable[[bytes], Any]] = {
    "deribit": deribit_json.instruments, "kraken": kraken.instruments, "binance": binance.instruments,
    "okx": okx.instruments, "bybit": bybit.instruments, "coinbase": coinbase.instruments,
}  # fmt: skip
UNTOUCHED = "Q-7"


def valid(venue: str, name: str, kind: str, before: int, after: int, line: int) -> bytes:
    """Write one message of a venue that makes sense, but for its checksum."""
    levels = [("9.5", "1.25"), ("9", "2")], [("11", "1"), ("12.25", "0")]
    make = MESSAGES[venue]
    return written(make(name, kind, before, after, *levels, line=line)).replace(b'"checksum":0,', b"")


def market_target(venue: str) -> Callable[[bytes], None]:
    """Feed any messages to two builds of a market; both say the same, and nobody else is disturbed."""

    def run(data: bytes) -> None:
        markets = [market(venue, ["X-1", UNTOUCHED], plain=plain) for plain in ((True,) if PURE else (False, True))]
        for one in markets:
            for name in ("X-1", UNTOUCHED):
                one.joined(0, NAMES[venue].format(name))
                one.apply([valid(venue, name, "snapshot", 0, 10, 1 if name == "X-1" else 2)], 0)
                one.fetched(NAMES[venue].format(name), snapshot_body(10, [("9", "1")], [("11", "1")]), 0)
        before = markets[0].books[1].depth(0, 9)
        messages = data.split(b"\n")
        foreign = [one.apply(messages, 1) for one in markets]
        assert all(one == foreign[0] for one in foreign)
        seen = [told(one) for one in markets]
        assert all(one == seen[0] for one in seen)
        if UNTOUCHED.encode() not in data and RULES[venue].numbered:
            assert markets[0].books[1].state in (BookState.LIVE, BookState.EMPTY)
            assert markets[0].books[1].depth(0, 9) == before

    return run


def dialect_target(venue: str) -> Callable[[bytes], None]:
    """Read any bytes as a message of the conversation, as a list of instruments, and as trades."""

    def run(data: bytes) -> None:
        for said in DIALECTS[venue].read(data):
            assert said is not None
        with suppress(WireError):
            told = LISTINGS[venue](data)
            assert len(told.passed) <= MAX_REASONS + 1
            assert str(told).isprintable()
            told.some()
        if venue == "deribit":
            Events({}).take(data, 0, 0)

    return run


TARGETS: dict[str, Callable[[bytes], None]] = {
    **{f"market_{venue}": market_target(venue) for venue in RULES},
    **{f"dialect_{venue}": dialect_target(venue) for venue in DIALECTS},
}

_LISTED = {
    "deribit": b"""{"result":[{"instrument_name":"A","kind":"option","base_currency":"B","quote_currency":"B",
        "tick_size":0.0005,"min_trade_amount":0.1,"contract_size":1,"strike":1e3,
        "tick_size_steps":[{"above_price":1,"tick_size":2}]}]}""",
    "kraken": b"""{"channel":"instrument","data":{"pairs":[{"symbol":"A/B","base":"A","quote":"B","qty_precision":8,
        "price_precision":1,"qty_increment":1e-08,"price_increment":0.1,"qty_min":0.1}]}}""",
    "binance": b"""{"symbols":[{"symbol":"AB","status":"TRADING","baseAsset":"A","quoteAsset":"B","filters":[
        {"filterType":"PRICE_FILTER","tickSize":"0.1"},{"filterType":"LOT_SIZE","stepSize":"1","maxQty":"90"}]}]}""",
    "okx": b"""{"data":[{"instId":"A-B","instType":"OPTION","tickSz":"0.1","lotSz":"1","minSz":"1","ctVal":"1",
        "stk":"2","expTime":"1652515200000","uly":"A-B"}]}""",
    "bybit": b"""{"result":{"category":"option","list":[{"symbol":"A-1-2-C","baseCoin":"A","quoteCoin":"B",
        "priceFilter":{"tickSize":"5"},"lotSizeFilter":{"minOrderQty":"1","qtyStep":"0.1"},"deliveryTime":"1"}]}}""",
    "coinbase": b"""{"products":[{"product_id":"A-B","base_increment":"1","quote_increment":"0.1","base_min_size":"1",
        "product_type":"FUTURE","future_product_details":{"contract_expiry":"2025-12-26T16:00:00Z"}}]}""",
}
_SAID = [
    b'{"id":2,"result":["a"],"usOut":1}', b'{"id":2,"error":{"code":1,"message":"x"}}', b'{"id":3,"result":null}',
    b'{"event":"error","id":"7","code":"60012","msg":"x"}', b'{"channel":"heartbeat"}',
    b'{"success":true,"req_id":"s7","op":"subscribe"}',
    b'{"method":"pong","req_id":7,"time_out":"2023-09-24T14:10:23Z"}',
    b'{"channel":"subscriptions","events":[{"subscriptions":{"level2":["X-1"]}}]}',
    b"""{"method":"subscription","params":{"channel":"trades.A.raw","data":[{"instrument_name":"A","trade_id":"1",
        "trade_seq":1,"direction":"buy","price":1,"amount":1,"timestamp":1}]}}""",
]  # fmt: skip
CORPUS: dict[str, list[bytes]] = {
    **{
        f"market_{venue}": [
            b"\n".join(valid(venue, "X-1", kind, at, at + 1, at - 7) for at, kind in enumerate(kinds, 10))
            for kinds in (["update"] * 3, ["update", "snapshot", "update"])
        ]
        for venue in RULES
    },
    **{f"dialect_{venue}": [_LISTED[venue], *_SAID] for venue in DIALECTS},
}
