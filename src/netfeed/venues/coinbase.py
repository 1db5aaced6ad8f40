"""Coinbase Advanced Trade over WebSocket: the channel `level2`, whose messages call themselves `l2_data`.

    snapshot        first on every subscription
    update          new_quantity is absolute, 0 removes
    sequence_num    counts the messages of the connection, of all channels: a hole may have touched every book of it
    heartbeats      a channel that is asked for on every connection; without it quiet ones end after 60 to 90 s
    subscriptions   lists what the connection carries now: that acknowledges both what came and what went

Books have no numbers of their own, so two lines cannot be arbitrated message by message: one is followed, the other
takes over with a snapshot when the first one leaves.

Source: docs.cdp.coinbase.com: Advanced Trade WebSocket overview, channels, rate limits (8 messages a second for public
ones), and its AsyncAPI document; REST: market/products. That sequence_num rises by one over all channels is not stated
there in words; client libraries rely on it. The recording at hand is of the older Exchange feed, which has no numbers,
so this rule is not checked on data.

Leaves out: authentication (`jwt`), trades, tickers, orders.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, ClassVar, Final

import msgspec

from netfeed.feed.dialect import Acknowledged, Beat, Limits, Liveness, Puzzling, Refused, Said, Throttled
from netfeed.machine import Buffer
from netfeed.venues import answers
from netfeed.venues.depth_market import DepthMarket
from netfeed.venues.depth_rules import Numbering, Rules
from netfeed.venues.depth_shape import Node, Role, Rung, Shape
from netfeed.venues.entries import Listed, each
from netfeed.venues.instrument import Instrument, Kind, Number, grid, whole

VENUE: Final = "coinbase"
HOST, PATH = "advanced-trade-ws.coinbase.com", "/"
SECOND: Final = 1_000_000_000

SHAPE: Final = Shape(
    Node({
        "channel": Role.CHANNEL,
        "timestamp": Role.TIMESTAMP,
        "sequence_num": Role.LINE,
        "events": Node({"type": Role.KIND, "product_id": Role.NAME, "updates": Role.LEVELS}, entry=True, many=True),
    }),
    Rung(price="price_level", quantity="new_quantity", side="side"), accept="l2_data",
)  # fmt: skip
RULES: Final = Rules(SHAPE, Numbering.LINE)

LIMITS: Final = Limits(topics_per_connection=100, topics_per_request=50, connections=50, budget_rate=5, budget_burst=8)
LIVENESS: Final = Liveness(heartbeat_ns=SECOND, silent_ns=10 * SECOND)


def topic(product: str) -> str:
    """Name the topic of a product's book."""
    return f"level2:{product}"


def market(instruments: Iterable[Instrument], **options: Any) -> DepthMarket:
    """Make the market of some products."""
    made = DepthMarket(RULES, **options)
    for one in instruments:
        made.open(topic(one.name), one.name, one.name, one.exponents)
    return made


@dataclass(frozen=True, slots=True)
class Dialect:
    """What is said to Coinbase, and what it answers. `products`: all that may be asked for, on any connection."""

    products: frozenset[str]
    limits: ClassVar[Limits] = LIMITS
    liveness: ClassVar[Liveness] = LIVENESS

    def opening(self, request: int) -> Sequence[bytes]:
        """Ask for heartbeats."""
        return (msgspec.json.encode({"type": "subscribe", "channel": "heartbeats"}),)

    def subscribe(self, topics: Sequence[str], request: int) -> bytes:
        """Ask for books."""
        return _ask("subscribe", topics)

    def unsubscribe(self, topics: Sequence[str], request: int) -> bytes:
        """Ask for books no longer."""
        return _ask("unsubscribe", topics)

    def ping(self, request: int) -> bytes | None:
        """Leave it to WebSocket: the venue has heartbeats of its own."""
        return None

    def read(self, message: Buffer) -> Sequence[Said]:
        """Say what a message that is no market data means."""
        root = answers.said(message)
        if root is None:
            return (Puzzling("no JSON object"),)
        channel = root.get("channel")
        if channel == "heartbeats":
            return (Beat(),)
        if channel == "subscriptions":
            return self._subscriptions(root.get("events"))
        if root.get("type") == "error":
            text = str(root.get("message"))[:200]
            if "rate limit" in text.lower():
                return (Throttled(SECOND, text),)
            return (Refused(None, None, text, text),)
        return (Puzzling("a channel that nobody opened" if channel else "neither an answer nor a channel"),)

    def _subscriptions(self, events: Any) -> Sequence[Said]:
        """Read what the connection carries now: what is not in the list has gone."""
        listed = events[-1] if isinstance(events, list) and events else None
        carried = answers.texts(answers.part(listed, "subscriptions", "level2") or [])
        if carried is None or not isinstance(answers.part(listed, "subscriptions"), dict):
            return (Puzzling("subscriptions of another form"),)
        gone = tuple(topic(one) for one in sorted(self.products.difference(carried)))
        said: list[Said] = [Acknowledged(None, tuple(map(topic, carried)))] if carried else []
        return [*said, *([Acknowledged(None, gone, on=False)] if gone else []), Beat()]


def _ask(kind: str, topics: Sequence[str]) -> bytes:
    products = [one.removeprefix("level2:") for one in topics]
    return msgspec.json.encode({"type": kind, "product_ids": products, "channel": "level2"})


# --- instruments


class _Future(msgspec.Struct):
    contract_expiry: str = ""
    contract_size: str = ""
    contract_expiry_type: str = ""


class _Product(msgspec.Struct):
    product_id: str
    base_increment: Decimal
    quote_increment: Decimal
    base_min_size: Decimal
    price_increment: Decimal | None = None
    base_currency_id: str = ""
    quote_currency_id: str = ""
    product_type: str = "SPOT"
    status: str = ""
    trading_disabled: bool = False
    future_product_details: _Future | None = None


class _Listing(msgspec.Struct):
    products: list[msgspec.Raw]


_LISTING: Final = msgspec.json.Decoder(_Listing)
_ROW: Final = msgspec.json.Decoder(_Product)


def instruments(body: Buffer) -> Listed:
    """Read the answer of market/products.

    Raises: WireError for what is no list.
    """
    return each(answers.decoded(_LISTING, body, "market/products").products, _ROW, _instrument, "product_id")


def _instrument(one: _Product) -> Instrument:
    tick = one.price_increment or one.quote_increment
    price, quantity = grid([tick], [one.base_increment])
    future = one.future_product_details if one.product_type == "FUTURE" else None
    kind = Kind.SPOT if future is None else Kind.PERPETUAL if not _expiry(future) else Kind.FUTURE
    quantity = min(quantity, Number.of(one.base_min_size).exponent)
    return Instrument(
        VENUE, one.product_id, kind, one.base_currency_id, one.quote_currency_id, one.quote_currency_id, price,
        quantity, whole(tick, price), whole(one.base_increment, quantity), whole(one.base_min_size, quantity),
        contract=Number.of(Decimal(future.contract_size)) if future and _is_number(future.contract_size) else None,
        expiry_ns=_expiry(future) if future else None, trading=not one.trading_disabled,
    )  # fmt: skip


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).isdecimal()


def _expiry(future: _Future) -> int | None:
    """Give when a future ends, None where it does not. Units: ns."""
    if future.contract_expiry_type == "PERPETUAL" or not future.contract_expiry:
        return None
    try:
        moment = datetime.fromisoformat(future.contract_expiry)
    except ValueError:
        return None
    return int(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()) * 10**9
