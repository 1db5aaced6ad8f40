"""Binance over WebSocket: `<symbol>@depth` of spot and of USD-M futures, and the snapshot over HTTP that goes before.

    event       U first and u last update that it holds; futures name the event before, too (pu)
    snapshot    GET depth; lastUpdateId is the last update that it holds
    the seam    events are held from before the snapshot is asked for; those with u <= lastUpdateId are dropped; the
                first one applied begins at or before the snapshot's end and ends behind it
    after it    spot: U is the u before plus one; futures: pu is the u before. Else another snapshot is fetched
    quantity    absolute, 0 removes; to remove what is not there is normal

Spot and futures differ in what comes before an event: U - 1, or pu. The documents let the first event of futures begin
at lastUpdateId (U <= lastUpdateId <= u); an event that follows the snapshot exactly (pu = lastUpdateId) is taken, too.

Orders from before a tick or a lot was made coarser still rest on the finer grid (three in an hour of BTCUSDT in 2024),
so the exponents of a book are the assets' precision, not the increments'.

Combined streams only (`/stream`; of futures `/public/stream`, since the paths without `/public` ended in April 2026),
because a message then names its topic: {"stream": ..., "data": ...}.

Source: developers.binance.com: web-socket-streams (spot), "How to manage a local order book correctly" (spot, USD-M),
"Websocket Market Streams" (USD-M: 10 messages a second, 1024 streams, 24 hours), "Important WebSocket Change Notice"
(USD-M), exchangeInfo, depth (weights).
Checked against recordings of 2021 (spot) and 2024 (spot and USD-M).

Leaves out: trades, tickers, partial books, SBE streams, user data.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

import msgspec

from netfeed.errors import WireError
from netfeed.feed.dialect import Acknowledged, Beat, Fetch, Leaving, Limits, Liveness, Puzzling, Refused, Said
from netfeed.machine import Buffer
from netfeed.venues import answers
from netfeed.venues.depth_market import DepthMarket
from netfeed.venues.depth_rules import Numbering, Rules, Snapshots
from netfeed.venues.depth_shape import Node, Role, Rung, Shape
from netfeed.venues.entries import Listed, each
from netfeed.venues.instrument import Instrument, Kind, finer, grid, milliseconds, whole

VENUE: Final = "binance"
INTERVAL: Final = "100ms"
SECOND: Final = 1_000_000_000
HOUR: Final = 3_600 * SECOND

SHAPE: Final = Shape(
    Node({
        "stream": Role.NAME,
        "data": Node({
            "e": Role.CHANNEL,
            "E": Role.MILLISECONDS,
            "U": Role.FIRST,
            "u": Role.NUMBER,
            "pu": Role.BEFORE,
            "b": Role.BIDS,
            "a": Role.ASKS,
        }, entry=True),
    }),
    Rung(price=0, quantity=1), accept="depthUpdate",
)  # fmt: skip
SNAPSHOT: Final = Shape(
    Node({"lastUpdateId": Role.NUMBER, "E": Role.MILLISECONDS, "bids": Role.BIDS, "asks": Role.ASKS}, entry=True),
    Rung(price=0, quantity=1), accept="",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Product:
    """One of Binance's markets: where it is, what it allows, and its rules."""

    host: str
    fetch_host: str
    depth_target: str
    depth_weight: int
    instruments_target: str
    limits: Limits
    rules: Rules = field(repr=False)
    path: str = "/stream"


def _product(
    host: str, fetch_host: str, root: str, weight: int, limits: Limits, numbering: Numbering, path: str = "/stream"
) -> Product:  # fmt: skip
    target = root + "/depth?symbol={}&limit=1000"

    def ask(topic: str) -> Fetch:
        return Fetch(topic, target.format(topic.split("@")[0].upper()), weight)

    rules = Rules(SHAPE, numbering, straddle=True, fetch=Snapshots(SNAPSHOT, ask))
    return Product(host, fetch_host, target, weight, f"{root}/exchangeInfo", limits, rules, path)


# A burst of five and then a refill would be more than five in the first second: the burst is smaller than the limit.
SPOT: Final = _product(
    "stream.binance.com", "api.binance.com", "/api/v3", 50,
    Limits(topics_per_connection=1024, topics_per_request=100, connections=50, budget_rate=2, budget_burst=3,
           lifetime_ns=24 * HOUR, fetch_rate=100, fetch_burst=3_000),
    Numbering.FIRST,
)  # fmt: skip
USDM: Final = _product(
    "fstream.binance.com", "fapi.binance.com", "/fapi/v1", 20,
    Limits(topics_per_connection=1024, topics_per_request=100, connections=50, budget_rate=5, budget_burst=5,
           lifetime_ns=24 * HOUR, fetch_rate=40, fetch_burst=1_200),
    Numbering.BEFORE, "/public/stream",
)  # fmt: skip
LIVENESS: Final = Liveness(ping_ns=30 * SECOND, silent_ns=75 * SECOND)
"""The venue's pings are frames; a question every now and then shows that it answers, however quiet the streams are."""


def topic(symbol: str, interval: str = INTERVAL) -> str:
    """Name the topic of a symbol's book: its stream."""
    return f"{symbol.lower()}@depth@{interval}"


def market(
    instruments: Iterable[Instrument], product: Product = SPOT, interval: str = INTERVAL, **options: Any
) -> DepthMarket:
    """Make the market of some symbols of one product."""
    made = DepthMarket(product.rules, **options)
    for one in instruments:
        stream = topic(one.name, interval)
        made.open(stream, stream, one.name, one.exponents)
    return made


@dataclass(frozen=True, slots=True)
class Dialect:
    """What is said to Binance, and what it answers.

    An answer says nothing but the id: that is twice the request's, and one more where something is given up.
    """

    product: Product = SPOT
    liveness: Liveness = LIVENESS

    @property
    def limits(self) -> Limits:
        """Give what the endpoint allows."""
        return self.product.limits

    def opening(self, request: int) -> Sequence[bytes]:
        """Say nothing: topics are asked for at once."""
        return ()

    def subscribe(self, topics: Sequence[str], request: int) -> bytes:
        """Ask for topics."""
        return _ask("SUBSCRIBE", topics, 2 * request)

    def unsubscribe(self, topics: Sequence[str], request: int) -> bytes:
        """Ask for topics no longer."""
        return _ask("UNSUBSCRIBE", topics, 2 * request + 1)

    def ping(self, request: int) -> bytes | None:
        """Ask for the list of streams: any answer shows that the venue lives."""
        return msgspec.json.encode({"method": "LIST_SUBSCRIPTIONS", "id": 2 * request})

    def read(self, message: Buffer) -> Sequence[Said]:
        """Say what a message that is no market data means."""
        root = answers.said(message)
        if root is None:
            return (Puzzling("no JSON object"),)
        if "serverShutdown" in (root.get("e"), answers.part(root, "data", "e")):
            return (Leaving("the server is about to shut down"),)
        number = answers.whole_number(root.get("id"))
        error = root.get("error", root if "code" in root else None)
        if error is not None:
            code, text = answers.part(error, "code"), answers.part(error, "msg")
            return (
                Refused(None if number is None else number >> 1, None, str(code), str(text)[:200], final=code == 2),
            )
        if number is None or "result" not in root:
            return (Puzzling("a stream that nobody opened" if "stream" in root else "neither an answer nor a stream"),)
        if root["result"] is None:
            return (Acknowledged(number >> 1, None, on=not number & 1),)
        return (Beat(),)


def _ask(method: str, topics: Sequence[str], number: int) -> bytes:
    return msgspec.json.encode({"method": method, "params": list(topics), "id": number})


# --- instruments


class _Filter(msgspec.Struct):
    filterType: str
    maxPrice: Decimal | None = None
    tickSize: Decimal | None = None
    stepSize: Decimal | None = None
    minQty: Decimal | None = None
    maxQty: Decimal | None = None


class _Symbol(msgspec.Struct):
    symbol: str
    status: str
    baseAsset: str
    quoteAsset: str
    filters: list[_Filter]
    marginAsset: str = ""
    contractType: str = ""
    deliveryDate: int | None = None
    quotePrecision: int = 8
    baseAssetPrecision: int = 8


class _Listing(msgspec.Struct):
    symbols: list[msgspec.Raw]


_LISTING: Final = msgspec.json.Decoder(_Listing)
_ROW: Final = msgspec.json.Decoder(_Symbol)


def instruments(body: Buffer) -> Listed:
    """Read the answer of exchangeInfo, of spot or of USD-M futures.

    Raises: WireError for what is no list.
    """
    return each(answers.decoded(_LISTING, body, "exchangeInfo").symbols, _ROW, _instrument, "symbol")


def _instrument(one: _Symbol) -> Instrument:
    filters = {filter.filterType: filter for filter in one.filters}
    prices, lots = filters.get("PRICE_FILTER"), filters.get("LOT_SIZE")
    if prices is None or lots is None or prices.tickSize is None or lots.stepSize is None:
        raise WireError("filters", offset=0, found=", ".join(filters) or "none", wanted="PRICE_FILTER and LOT_SIZE")
    price, quantity = grid([prices.tickSize], [lots.stepSize])
    price = finer(price, one.quotePrecision, prices.maxPrice or prices.tickSize)
    quantity = finer(quantity, one.baseAssetPrecision, lots.maxQty or lots.stepSize)
    kind = Kind.SPOT if not one.contractType else Kind.PERPETUAL if "PERPETUAL" in one.contractType else Kind.FUTURE
    minimum = lots.minQty or lots.stepSize
    return Instrument(
        VENUE, one.symbol, kind, one.baseAsset, one.quoteAsset, one.marginAsset or one.quoteAsset, price, quantity,
        whole(prices.tickSize, price), whole(lots.stepSize, quantity), whole(minimum, quantity),
        expiry_ns=milliseconds(one.deliveryDate) if kind is Kind.FUTURE else None, trading=one.status == "TRADING",
    )  # fmt: skip
