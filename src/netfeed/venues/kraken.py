"""Kraken spot over WebSocket v2: the `book` channel, whose checksum says whether all was told.

    snapshot    first on every subscription, and again at any time: it takes the place of the book
    update      levels set, or removed by a quantity of 0; then the book is cut to the depth that was asked for, because
                levels that fall out of it are not removed by a message
    checksum    CRC32 over the digits of the ten best asks, from low to high, then the ten best bids, from high to low:
                price and then quantity of each at the pair's full precision, without point and leading zeros

Messages are not numbered: what is lost shows in the next checksum. Numbers are JSON numbers whose trailing zeros may be
missing, so the exponents are the pair's own precision (`instrument` channel), and the digits summed are those of the
integers.

Source: docs.kraken.com (Spot WebSocket v2: book, instrument, heartbeat, ping; guide "Book checksum (WebSocket v2)").
Checked against a recording of 2026-10-06 (a snapshot and three updates, 4 of 4 checksums).

Leaves out: level3, trades, tickers, orders. Limits of requests are not published for the public feed: `budget_rate` is
a guess on the safe side.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any, ClassVar, Final

import msgspec

from netfeed.errors import MisuseError
from netfeed.feed.dialect import Acknowledged, Beat, Clock, Limits, Liveness, Puzzling, Refused, Said
from netfeed.machine import Buffer
from netfeed.venues import answers
from netfeed.venues.depth_market import DepthMarket
from netfeed.venues.depth_rules import Numbering, Rules, Summing
from netfeed.venues.depth_shape import Node, Role, Rung, Shape
from netfeed.venues.depth_text import nanoseconds
from netfeed.venues.entries import Listed, each
from netfeed.venues.instrument import Instrument, Kind, grid, whole

VENUE: Final = "kraken"
HOST, PATH = "ws.kraken.com", "/v2"
DEPTHS: Final = (10, 25, 100, 500, 1000)
DEPTH: Final = 100
SECOND: Final = 1_000_000_000

SHAPE: Final = Shape(
    Node({
        "channel": Role.CHANNEL,
        "type": Role.KIND,
        "data": Node({
            "symbol": Role.NAME,
            "timestamp": Role.TIMESTAMP,
            "checksum": Role.CHECKSUM,
            "bids": Role.BIDS,
            "asks": Role.ASKS,
        }, entry=True, many=True),
    }),
    Rung(price="price", quantity="qty"), accept="book",
)  # fmt: skip

LIMITS: Final = Limits(topics_per_connection=200, topics_per_request=50, connections=10, budget_rate=2, budget_burst=20)
LIVENESS: Final = Liveness(heartbeat_ns=SECOND, silent_ns=10 * SECOND)


@cache
def rules(depth: int = DEPTH) -> Rules:
    """Give the rules of books of a depth.

    Raises: MisuseError for a depth that is not on offer.
    """
    if depth not in DEPTHS:
        raise MisuseError(f"Kraken has no depth of {depth}; it is one of {DEPTHS}")
    return Rules(SHAPE, Numbering.NOTHING, summing=Summing.DIGITS, depth=depth)


def topic(instrument: str, depth: int = DEPTH) -> str:
    """Name the topic of a pair's book."""
    return f"book.{depth}.{instrument}"


def market(instruments: Iterable[Instrument], depth: int = DEPTH, **options: Any) -> DepthMarket:
    """Make the market of some pairs."""
    made = DepthMarket(rules(depth), **options)
    for one in instruments:
        made.open(topic(one.name, depth), one.name, one.name, one.exponents)
    return made


@dataclass(frozen=True, slots=True)
class Dialect:
    """What is said to Kraken, and what it answers, for books of one depth."""

    depth: int = DEPTH
    limits: ClassVar[Limits] = LIMITS
    liveness: ClassVar[Liveness] = LIVENESS

    def opening(self, request: int) -> Sequence[bytes]:
        """Say nothing: the venue speaks first."""
        return ()

    def subscribe(self, topics: Sequence[str], request: int) -> bytes:
        """Ask for books."""
        return _ask("subscribe", topics, self.depth, request)

    def unsubscribe(self, topics: Sequence[str], request: int) -> bytes:
        """Ask for books no longer."""
        return _ask("unsubscribe", topics, self.depth, request)

    def ping(self, request: int) -> bytes | None:
        """Give the client's own heartbeat."""
        return msgspec.json.encode({"method": "ping", "req_id": request})

    def read(self, message: Buffer) -> Sequence[Said]:
        """Say what a message that is no market data means."""
        root = answers.said(message)
        if root is None:
            return (Puzzling("no JSON object"),)
        if root.get("channel") in ("heartbeat", "status"):
            return (Beat(),)
        method, request = root.get("method"), answers.whole_number(root.get("req_id"))
        if method == "pong":
            return (*_clock(root, request), Beat())
        if method not in ("subscribe", "unsubscribe"):
            return (Puzzling("neither an answer nor a channel that is known"),)
        symbol = root.get("symbol") or answers.part(root, "result", "symbol")
        named = (topic(symbol, self.depth),) if isinstance(symbol, str) else None
        if root.get("success") is True:
            return (Acknowledged(request, named, on=method == "subscribe"), *_clock(root, request))
        text = str(root.get("error"))[:200]
        return (_refusal(request, named, text, on=method == "subscribe"),)


def _refusal(request: int | None, named: tuple[str, ...] | None, text: str, *, on: bool) -> Said:
    """Read a refusal; what is carried already, or not any more, is as it was asked to be."""
    lower = text.lower()
    if on and "already subscribed" in lower:
        return Acknowledged(request, named)
    final = "not supported" in lower or "not found" in lower or (not on and "not subscribed" in lower)
    return Refused(request, named, text, text, final=final)


def _ask(method: str, topics: Sequence[str], depth: int, request: int) -> bytes:
    prefix = topic("", depth)
    if strays := [one for one in topics if not one.startswith(prefix)]:
        raise MisuseError(f"these topics are no books of depth {depth}: {strays}")
    params = {"channel": "book", "symbol": [one.removeprefix(prefix) for one in topics], "depth": depth}
    return msgspec.json.encode({"method": method, "params": params, "req_id": request})


def _clock(root: dict[str, Any], request: int | None) -> tuple[Said, ...]:
    time = root.get("time_out")
    ns = nanoseconds(time) if isinstance(time, str) else 0
    return (Clock(ns, request),) if ns > 0 else ()


# --- instruments


class _Pair(msgspec.Struct):
    symbol: str
    base: str
    quote: str
    price_precision: int
    qty_precision: int
    price_increment: Decimal
    qty_increment: Decimal
    qty_min: Decimal
    status: str = "online"


class _Data(msgspec.Struct):
    pairs: list[msgspec.Raw]


class _Listing(msgspec.Struct):
    channel: str
    data: _Data


_LISTING: Final = msgspec.json.Decoder(_Listing)
_ROW: Final = msgspec.json.Decoder(_Pair)
MOST_PRECISION: Final = 18


def instruments_request(request: int) -> bytes:
    """Ask for the `instrument` channel, whose snapshot lists all pairs."""
    return msgspec.json.encode({"method": "subscribe", "params": {"channel": "instrument"}, "req_id": request})


def instruments(body: Buffer) -> Listed:
    """Read a message of the `instrument` channel.

    Raises: WireError for what is no list.
    """
    return each(answers.decoded(_LISTING, body, "instrument").data.pairs, _ROW, _instrument, "symbol")


def _instrument(one: _Pair) -> Instrument:
    """Take the precision as the exponent: the checksum is summed over so many digits, whatever the increment is."""
    price, quantity = grid([one.price_increment], [one.qty_increment])
    price = min(price, -min(max(one.price_precision, 0), MOST_PRECISION))
    quantity = min(quantity, -min(max(one.qty_precision, 0), MOST_PRECISION))
    return Instrument(
        VENUE, one.symbol, Kind.SPOT, one.base, one.quote, one.quote, price, quantity,
        whole(one.price_increment, price), whole(one.qty_increment, quantity), whole(one.qty_min, quantity),
        trading=one.status == "online",
    )  # fmt: skip
