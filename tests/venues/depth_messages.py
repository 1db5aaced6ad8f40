"""Depth messages for tests: valid ones of each venue by a small table, and strategies that bend them."""

import json
import random
from collections.abc import Callable
from typing import Any

from netfeed.book import LevelBook
from netfeed.book.l2 import LevelBook as TwinBook
from netfeed.venues import binance, bybit, coinbase, depth_path, deribit_json, kraken, okx
from netfeed.venues.depth_market import DepthMarket
from netfeed.venues.depth_rules import Rules

RULES: dict[str, Rules] = {
    "deribit": deribit_json.RULES, "kraken": kraken.rules(10), "binance_spot": binance.SPOT.rules,
    "binance_usdm": binance.USDM.rules, "okx": okx.rules(), "okx_old": okx.OLD_RULES, "bybit": bybit.RULES,
    "coinbase": coinbase.RULES,
}  # fmt: skip
NAMES = {
    "deribit": "book.{}.100ms", "kraken": "{}", "binance_spot": "{}@depth@100ms", "binance_usdm": "{}@depth@100ms",
    "okx": "{}", "okx_old": "{}", "bybit": "orderbook.50.{}", "coinbase": "{}",
}  # fmt: skip
"""How messages of a venue name the book of an instrument."""

Level = tuple[str, str]
Raw = str
"""Numbers are given as they shall be written."""


def number(text: str) -> Any:
    """Mark a text that shall stand in the message without quotes."""
    return f"\x00{text}\x00"


def written(message: Any) -> bytes:
    text = json.dumps(message, separators=(",", ":"))
    return text.replace('"\\u0000', "").replace('\\u0000"', "").encode()


def deribit(name: str, kind: str, before: int, after: int, bids: list[Level], asks: list[Level], **_: Any) -> Any:
    def rows(levels: list[Level]) -> list[Any]:
        return [["delete" if float(q) == 0 else "new", number(p), number(q)] for p, q in levels]

    data = {
        "type": "snapshot" if kind == "snapshot" else "change", "timestamp": 1_700_000_000_000 + after,
        "instrument_name": name, "change_id": after, "bids": rows(bids), "asks": rows(asks),
    }  # fmt: skip
    if kind != "snapshot":
        data["prev_change_id"] = before
    return {"jsonrpc": "2.0", "method": "subscription", "params": {"channel": f"book.{name}.100ms", "data": data}}


def kraken_v2(
    name: str, kind: str, before: int, after: int, bids: list[Level], asks: list[Level], checksum: int = 0, **_: Any
) -> Any:
    def rows(levels: list[Level]) -> list[Any]:
        return [{"price": number(p), "qty": number(q)} for p, q in levels]

    data = {
        "symbol": name, "bids": rows(bids), "asks": rows(asks), "checksum": checksum,
        "timestamp": "2026-10-06T08:04:57.000123Z",
    }  # fmt: skip
    return {"channel": "book", "type": kind, "data": [data]}


def binance_spot(name: str, kind: str, before: int, after: int, bids: list[Level], asks: list[Level], **_: Any) -> Any:
    data = {"e": "depthUpdate", "E": 1_700_000_000_000, "s": name, "U": before + 1, "u": after, "b": bids, "a": asks}
    return {"stream": f"{name}@depth@100ms", "data": data}


def binance_usdm(name: str, kind: str, before: int, after: int, bids: list[Level], asks: list[Level], **_: Any) -> Any:
    message = binance_spot(name, kind, before, after, bids, asks)
    message["data"] |= {"T": 1_700_000_000_000, "pu": before, "U": before + 3}
    return message


def okx_books(name: str, kind: str, before: int, after: int, bids: list[Level], asks: list[Level], **_: Any) -> Any:
    def rows(levels: list[Level]) -> list[Any]:
        return [[p, q, "0", "3"] for p, q in levels]

    data = {
        "asks": rows(asks), "bids": rows(bids), "ts": "1700000000000", "checksum": 0, "seqId": after,
        "prevSeqId": -1 if kind == "snapshot" else before,
    }  # fmt: skip
    return {"arg": {"channel": "books", "instId": name}, "action": kind, "data": [data]}


def okx_old(
    name: str, kind: str, before: int, after: int, bids: list[Level], asks: list[Level], checksum: int = 0, **_: Any
) -> Any:
    message = okx_books(name, kind, before, after, bids, asks)
    del message["data"][0]["seqId"], message["data"][0]["prevSeqId"]
    message["data"][0]["checksum"] = checksum
    return message


def bybit_v5(name: str, kind: str, before: int, after: int, bids: list[Level], asks: list[Level], **_: Any) -> Any:
    data = {"s": name, "b": bids, "a": asks, "u": before + 1, "seq": after}
    kind = "snapshot" if kind == "snapshot" else "delta"
    return {"topic": f"orderbook.50.{name}", "type": kind, "ts": 1_700_000_000_000, "data": data, "cts": 1}


def coinbase_l2(
    name: str, kind: str, before: int, after: int, bids: list[Level], asks: list[Level], line: int = 0, **_: Any
) -> Any:
    updates = [
        {"side": side, "event_time": "1970-01-01T00:00:00Z", "price_level": price, "new_quantity": quantity}
        for side, levels in (("bid", bids), ("offer", asks))
        for price, quantity in levels
    ]
    return {
        "channel": "l2_data", "client_id": "", "timestamp": "2023-02-09T20:32:50.714964855Z", "sequence_num": line,
        "events": [{"type": kind, "product_id": name, "updates": updates}],
    }  # fmt: skip


MESSAGES: dict[str, Callable[..., Any]] = {
    "deribit": deribit, "kraken": kraken_v2, "binance_spot": binance_spot, "binance_usdm": binance_usdm,
    "okx": okx_books, "okx_old": okx_old, "bybit": bybit_v5, "coinbase": coinbase_l2,
}  # fmt: skip


def snapshot_body(number: int, bids: list[Level], asks: list[Level]) -> bytes:
    """Write the answer to Binance's question for a snapshot."""
    return json.dumps({"lastUpdateId": number, "bids": bids, "asks": asks}).encode()


def market(
    venue: str, names: list[str], exponents: tuple[int, int] = (-2, -3), *, plain: bool = False, **options: Any
) -> DepthMarket:
    """Make a market of a few books, by the build that runs or by the twins."""
    if plain:
        options = {"path": depth_path.DepthPath, "new_book": TwinBook}
    made = DepthMarket(RULES[venue], **{"new_book": LevelBook, **options})
    for name in names:
        wire = NAMES[venue].format(name)
        made.open(wire, wire, name, exponents)
    return made


def told(made: DepthMarket) -> tuple[Any, ...]:
    """Give all that can be seen of a market; what is drained is gone."""
    levels = [tuple(tuple(book.depth(side, 1000)) for side in (0, 1)) for book in made.books]
    states = [book.state for book in made.books]
    standing = [made.standing(topic) for topic in made._books.by_topic]
    return levels, states, standing, made.statistics(), made.wants(), made.changes().tolist()


def shuffled(message: Any, rng: random.Random) -> Any:
    """Put the keys of all objects in another order."""
    if isinstance(message, dict):
        keys = list(message)
        rng.shuffle(keys)
        return {key: shuffled(message[key], rng) for key in keys}
    if isinstance(message, list):
        return [shuffled(one, rng) for one in message]
    return message
