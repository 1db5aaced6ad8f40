"""Recordings of crypto venues as lists of messages, and a reader of final levels that shares no code with netfeed."""

import gzip
import json
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from netfeed.book.level import Level
from netfeed.venues.depth_market import DepthMarket
from tests.data import recording

CRYPTO = "crypto_ws"
_FRAME = re.compile(r"(\d+\.\d+): (.*)\Z")


def frames(name: str) -> list[bytes]:
    """Give the messages that came in a WebSocket recording of cryptofeed's."""
    with recording(f"{CRYPTO}/cryptofeed/{name}").open() as lines:
        return [match[2].encode() for line in lines if (match := _FRAME.match(line.rstrip("\n")))]


def answer(name: str, part: str) -> bytes:
    """Give the first answer over HTTP whose address has a part."""
    with recording(f"{CRYPTO}/cryptofeed/{name}").open() as lines:
        found = next(line for line in lines if line.startswith("http") and part in line.split(" -> ")[0])
    return found.split(" -> ", 1)[1].split(": ", 1)[1].strip().encode()


def stamped(name: str) -> Iterator[tuple[int, bytes]]:
    """Give the time and the text of each message of a recording of hftbacktest's. Units: ns."""
    with gzip.open(recording(f"{CRYPTO}/hftbacktest/{name}"), "rt") as lines:
        for line in lines:
            stamp, text = line.split(" ", 1)
            yield int(stamp), text.strip().encode()


def exact_json(text: bytes) -> Any:
    """Read JSON, numbers as decimals."""
    return json.loads(text, parse_float=Decimal, parse_int=Decimal)


Sides = tuple[dict[Decimal, Decimal], dict[Decimal, Decimal]]


def put(side: dict[Decimal, Decimal], levels: Any) -> None:
    """Set levels of (price, quantity, ...), 0 removes."""
    for price, quantity, *_ in levels:
        side.pop(Decimal(price), None)
        if Decimal(quantity):
            side[Decimal(price)] = Decimal(quantity)


def agree(market: DepthMarket, index: int, sides: Sides, depth: int = 100_000) -> None:
    """Check that a book holds exactly these levels."""
    price_exponent, quantity_exponent = market.exponents[index]
    for side, levels in enumerate(sides):
        wanted = [
            (price.scaleb(-price_exponent), quantity.scaleb(-quantity_exponent))
            for price, quantity in sorted(levels.items(), reverse=side == 0)[:depth]
        ]
        found: list[Level] = market.books[index].depth(side, 100_000)
        assert [(level.price, level.quantity) for level in found] == wanted
