"""Bybit v5 over WebSocket: `orderbook.{depth}.{symbol}` of spot, linear, inverse and options.

    snapshot    first on every subscription, and again at any time: it takes the place of the book
    delta       u is the u before plus one; quantities are absolute, 0 removes
    u = 1       the service was restarted: a snapshot, whatever the message calls itself
    depth 1     snapshots only; the last one comes again, with the same u, when nothing changed for 3 s

Source: bybit-exchange.github.io/docs/v5: websocket/public/orderbook, ws/connect, market/instrument. That u is
consecutive "in general" is said in the Chinese text of the orderbook page of v3 and in client libraries, not in the
English one of v5; no recording of v5 was found. A hole costs a new subscription and nothing else.

A request is refused as a whole, and the answer names the first topic that was wrong ("error:handler not found,topic:x",
"error:already subscribed,topic:x"): the others are asked for again.

An answer to options' requests (COMMAND_RESP) does not say whether topics came or went: it is read as that they came.

Leaves out: `orderbook.full`, trades, tickers, orders.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any, ClassVar, Final

import msgspec

from netfeed.errors import WireError
from netfeed.feed.dialect import Acknowledged, Beat, Limits, Liveness, Puzzling, Refused, Said, Throttled
from netfeed.machine import Buffer
from netfeed.venues import answers
from netfeed.venues.depth_market import DepthMarket
from netfeed.venues.depth_rules import Numbering, Rules
from netfeed.venues.depth_shape import Node, Role, Rung, Shape
from netfeed.venues.entries import Listed, each
from netfeed.venues.instrument import Instrument, Kind, Number, Right, grid, milliseconds, whole

VENUE: Final = "bybit"
HOST: Final = "stream.bybit.com"
PATHS: Final = {category: f"/v5/public/{category}" for category in ("spot", "linear", "inverse", "option")}
DEPTHS: Final = {category: (25, 100) if category == "option" else (50, 1, 200, 1000) for category in PATHS}
"""What each category offers, the usual number of levels first."""
DEPTH: Final = 50
PAGE: Final = 1000
"""Instruments of one page of a list, the most that can be asked for; spot has one page only."""
SECOND: Final = 1_000_000_000

SHAPE: Final = Shape(
    Node({
        "topic": Role.TOPIC,
        "type": Role.KIND,
        "ts": Role.MILLISECONDS,
        "data": Node({"b": Role.BIDS, "a": Role.ASKS, "u": Role.NUMBER}, entry=True),
    }),
    Rung(price=0, quantity=1), accept="orderbook.", update="delta",
)  # fmt: skip
RULES: Final = Rules(SHAPE, Numbering.ONE, restart=1)

LIMITS: Final = Limits(topics_per_connection=200, topics_per_request=10, connections=50, budget_rate=5, budget_burst=20)
"""Ten topics a request is spot's limit; no rate of requests is published, this one is a guess on the safe side."""
LIVENESS: Final = Liveness(ping_ns=20 * SECOND, silent_ns=50 * SECOND)


def topic(symbol: str, depth: int = DEPTH) -> str:
    """Name the topic of a symbol's book."""
    return f"orderbook.{depth}.{symbol}"


def market(instruments: Iterable[Instrument], depth: int = DEPTH, **options: Any) -> DepthMarket:
    """Make the market of some symbols."""
    made = DepthMarket(RULES, **options)
    for one in instruments:
        made.open(topic(one.name, depth), topic(one.name, depth), one.name, one.exponents)
    return made


class Dialect:
    """What is said to Bybit, and what it answers. The id of a request says whether topics shall come or go."""

    limits: ClassVar[Limits] = LIMITS
    liveness: ClassVar[Liveness] = LIVENESS

    def opening(self, request: int) -> Sequence[bytes]:
        """Say nothing: topics are asked for at once."""
        return ()

    def subscribe(self, topics: Sequence[str], request: int) -> bytes:
        """Ask for topics."""
        return msgspec.json.encode({"req_id": f"s{request}", "op": "subscribe", "args": list(topics)})

    def unsubscribe(self, topics: Sequence[str], request: int) -> bytes:
        """Ask for topics no longer."""
        return msgspec.json.encode({"req_id": f"u{request}", "op": "unsubscribe", "args": list(topics)})

    def ping(self, request: int) -> bytes | None:
        """Give the client's own heartbeat."""
        return msgspec.json.encode({"req_id": f"p{request}", "op": "ping"})

    def read(self, message: Buffer) -> Sequence[Said]:
        """Say what a message that is no market data means."""
        root = answers.said(message)
        if root is None:
            return (Puzzling("no JSON object"),)
        op = root.get("op")
        if op in ("ping", "pong"):
            return (Beat(),)
        request = _request(root.get("req_id"))
        if root.get("type") == "COMMAND_RESP":
            return _option_answer(request, root)
        if op not in ("subscribe", "unsubscribe"):
            return (Puzzling("a topic that nobody opened" if "topic" in root else "neither an answer nor a topic"),)
        if root.get("success") is True:
            return (Acknowledged(request, None, on=op == "subscribe"),)
        text = str(root.get("ret_msg"))[:200]
        if "too many" in text.lower():
            return (Throttled(SECOND, text, request),)
        return _refusal(request, text, on=op == "subscribe")


def _refusal(request: int | None, text: str, *, on: bool) -> Sequence[Said]:
    """Read a refusal of a whole request: what it names is decided, the other topics were not looked at.

    What is carried already, or not any more, is as it was asked to be.
    """
    _, _, name = text.partition(",topic:")
    named = (name,) if name else None
    rest = () if named is None else (Refused(request, None, text, text),)
    if on and "already subscribed" in text:
        return (Acknowledged(request, named), *rest)
    final = any(word in text for word in _FINAL) or (not on and "not subscribed" in text)
    return (Refused(request, named, text, text, final=final), *rest)


_FINAL: Final = ("handler not found", "Invalid symbol")


def _request(text: Any) -> int | None:
    number = text[1:] if isinstance(text, str) else ""
    return int(number) if number.isascii() and number.isdecimal() and len(number) < 19 else None


def _option_answer(request: int | None, root: dict[str, Any]) -> Sequence[Said]:
    taken, failed = (answers.texts(answers.part(root, "data", key)) for key in ("successTopics", "failTopics"))
    said: list[Said] = [Acknowledged(request, taken)] if taken else []
    if failed:
        said.append(Refused(request, failed, "failTopics", "the venue does not carry these topics", final=True))
    return said or (Puzzling("an answer about nothing"),)


# --- instruments


class _PriceFilter(msgspec.Struct):
    tickSize: Decimal


class _LotFilter(msgspec.Struct):
    minOrderQty: Decimal
    qtyStep: Decimal | None = None
    basePrecision: Decimal | None = None


class _Listed(msgspec.Struct):
    symbol: str
    baseCoin: str
    quoteCoin: str
    priceFilter: _PriceFilter
    lotSizeFilter: _LotFilter
    status: str = "Trading"
    contractType: str = ""
    optionsType: str = ""
    settleCoin: str = ""
    deliveryTime: str = ""


_Rows = list[msgspec.Raw]


class _Result(msgspec.Struct):
    category: str = ""
    list: _Rows = []
    nextPageCursor: str = ""


class _Listing(msgspec.Struct):
    result: _Result
    retCode: int = 0
    retMsg: str = ""


_LISTING: Final = msgspec.json.Decoder(_Listing)
_ROW: Final = msgspec.json.Decoder(_Listed)
_RIGHTS: Final = {"Call": Right.CALL, "Put": Right.PUT}


def instruments(body: Buffer) -> Listed:
    """Read a page of the answer of /v5/market/instruments-info.

    Raises: WireError for what is no list.
    """
    result = _page(body)
    return each(result.list, _ROW, partial(_instrument, category=result.category), "symbol")


def next_cursor(body: Buffer) -> str:
    """Give what names the page behind this one; the empty text when it is the last.

    Raises: WireError.
    """
    return _page(body).nextPageCursor


def _page(body: Buffer) -> _Result:
    listing = answers.decoded(_LISTING, body, "instruments-info")
    answers.succeeded("instruments-info", listing.retCode == 0, f"{listing.retCode} {listing.retMsg}")
    return listing.result


@dataclass(frozen=True, slots=True)
class _What:
    kind: Kind
    inverse: bool = False


_CONTRACTS: Final = {
    "": _What(Kind.SPOT), "LinearPerpetual": _What(Kind.PERPETUAL), "LinearFutures": _What(Kind.FUTURE),
    "InversePerpetual": _What(Kind.PERPETUAL, inverse=True), "InverseFutures": _What(Kind.FUTURE, inverse=True),
}  # fmt: skip


def _instrument(one: _Listed, category: str) -> Instrument:
    what = _What(Kind.OPTION) if category == "option" else _CONTRACTS.get(one.contractType)
    lot = one.lotSizeFilter.qtyStep or one.lotSizeFilter.basePrecision
    if what is None:
        raise WireError("contractType", offset=0, found=one.contractType, wanted=", ".join(_CONTRACTS))
    if lot is None:
        raise WireError("lotSizeFilter", offset=0, found="no step", wanted="qtyStep or basePrecision")
    price, quantity = grid([one.priceFilter.tickSize], [lot, one.lotSizeFilter.minOrderQty])
    is_option = what.kind is Kind.OPTION
    return Instrument(
        VENUE, one.symbol, what.kind, one.baseCoin, one.quoteCoin, one.settleCoin or one.quoteCoin, price, quantity,
        whole(one.priceFilter.tickSize, price), whole(lot, quantity),
        whole(one.lotSizeFilter.minOrderQty, quantity), inverse=what.inverse,
        strike=_strike(one.symbol) if is_option else None,
        right=_RIGHTS.get(one.optionsType) if is_option else None,
        expiry_ns=milliseconds(int(one.deliveryTime))
        if what.kind in (Kind.OPTION, Kind.FUTURE) and one.deliveryTime.isdecimal()
        and len(one.deliveryTime) < 18 else None,
        trading=one.status == "Trading",
    )  # fmt: skip


def _strike(symbol: str) -> Number:
    """Read a strike from the name, the only place where it stands: BTC-29DEC23-80000-C, or with -USDT behind."""
    parts = symbol.split("-")
    if len(parts) < 4 or not parts[2].replace(".", "", 1).isdecimal():
        raise WireError("symbol", offset=0, found="a name without a strike", wanted="an option's name with a strike")
    return Number.of(Decimal(parts[2]))
