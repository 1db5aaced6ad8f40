"""Depth messages for tests: valid ones of each venue by a small table, and strategies that bend them."""

import json
import random
from collections.abc import Callable
from typing import Any

from netfeed.book import LevelBook
from netfeed.book.l2 import LevelBook as TwinBook
from netfeed.venues import depth_path, deribit_json, kraken
from netfeed.venues.depth_market import DepthMarket
from netfeed.venues.depth_rules import Rules

RULES: dict[str, Rules] = {"deribit": deribit_json.RULES, "kraken": kraken.rules(10)}
NAMES = {"deribit": "book.{}.100ms", "kraken": "{}"}
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


MESSAGES: dict[str, Callable[..., Any]] = {"deribit": deribit, "kraken": kraken_v2}


def market(venue: str, names: list[str], exponents: tuple[int, int] = (-2, -3), *, plain: bool = False) -> DepthMarket:
    """Make a market of a few books, by the build that runs or by the twins."""
    options: dict[str, Any] = {"path": depth_path.DepthPath, "new_book": TwinBook} if plain else {}
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
