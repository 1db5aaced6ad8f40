"""Deribit over WebSocket: JSON-RPC 2.0, books by `book.{instrument}.{interval}`.

    snapshot     first on every subscription; no prev_change_id
    change       prev_change_id is the change_id of the one before; ids are not consecutive, and are chained by equality
    a hole       unsubscribe and subscribe: a new snapshot comes
    heartbeat    public/set_heartbeat; a `test_request` is answered with public/test, or the connection is closed

`raw` needs an authorised connection (public/auth with client credentials, said first); `100ms` and `agg2` do not.

Source: docs.deribit.com (API 2.1.1: subscription-management, book.instrument_name.interval, public/set_heartbeat, rate
limits: credits of 3,000 a subscription of at most 30,000, refilled by 10,000 a second; error 10028 ends the session).
Checked against a recording of 2021: 10 snapshots and 36 chained changes. `retry_ns` of 10028 is not documented; one
second refills three subscriptions.

Leaves out: `book.{instrument}.{group}.{depth}.{interval}` (each push is whole), signed logins, fresh
tokens (each connection logs in anew), orders.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, Final

import msgspec

from netfeed.errors import WireError
from netfeed.feed.dialect import (
    Acknowledged,
    Beat,
    Clock,
    Limits,
    Liveness,
    Puzzling,
    Refused,
    Said,
    Throttled,
)
from netfeed.machine import Buffer
from netfeed.venues import answers
from netfeed.venues.depth_market import DepthMarket
from netfeed.venues.depth_rules import Numbering, Rules
from netfeed.venues.depth_shape import Node, Role, Rung, Shape
from netfeed.venues.deribit_events import Events
from netfeed.venues.entries import Listed, each
from netfeed.venues.instrument import Instrument, Kind, Number, Right, Step, grid, milliseconds, whole

VENUE: Final = "deribit"
HOST, PATH = "www.deribit.com", "/ws/api/v2"
INTERVAL: Final = "100ms"
HEARTBEAT_S: Final = 10
SECOND: Final = 1_000_000_000

SHAPE: Final = Shape(
    Node({
        "params": Node({
            "channel": Role.TOPIC,
            "data": Node({
                "type": Role.KIND,
                "timestamp": Role.MILLISECONDS,
                "prev_change_id": Role.BEFORE,
                "change_id": Role.NUMBER,
                "bids": Role.BIDS,
                "asks": Role.ASKS,
            }, entry=True),
        }),
    }),
    Rung(action=0, price=1, quantity=2), accept="book.", update="change",
)  # fmt: skip
RULES: Final = Rules(SHAPE, Numbering.BEFORE)

BURST: Final = 24_000
"""Less than the venue's 30,000: requests that waited on the way come at once, and its full pool was not refilled while
they did. This leaves them 0.6 s."""

LIMITS: Final = Limits(
    topics_per_connection=500, topics_per_request=100, connections=32, budget_rate=10_000, budget_burst=BURST,
    request_weight=500, subscribe_weight=3_000,
)  # fmt: skip
LIVENESS: Final = Liveness(heartbeat_ns=HEARTBEAT_S * SECOND, silent_ns=3 * HEARTBEAT_S * SECOND)

_FINAL: Final = frozenset({-32601, -32602, 11050, 13020, 13021})
"""Errors that the same request meets again: unknown method or params, bad request, no such instrument or channel."""
_THROTTLED: Final = frozenset({10028, 10047})


def topic(instrument: str, interval: str = INTERVAL) -> str:
    """Name the topic of an instrument's book."""
    return f"book.{instrument}.{interval}"


def market(instruments: Iterable[Instrument], interval: str = INTERVAL, **options: Any) -> tuple[DepthMarket, Events]:
    """Make the market of some instruments, and what takes their trades and tickers."""
    listed = list(instruments)
    events = Events({one.name: one for one in listed})
    made = DepthMarket(RULES, other=events.take, **options)
    for one in listed:
        made.open(topic(one.name, interval), topic(one.name, interval), one.name, one.exponents)
    return made, events


class Dialect:
    """What is said to Deribit, and what it answers.

    An answer to `unsubscribe` looks like one to `subscribe`: the id on the wire is twice the request's, and one more
    where something is given up. `credentials`: id and secret of who logs in; None: nobody does.
    """

    limits = LIMITS
    liveness = LIVENESS

    def __init__(self, credentials: tuple[str, str] | None = None) -> None:
        self._calls: list[tuple[str, dict[str, Any]]] = [
            ("public/set_heartbeat", {"interval": HEARTBEAT_S}), ("public/get_time", {})
        ]  # fmt: skip
        if credentials is not None:
            grant = {"client_id": credentials[0], "client_secret": credentials[1]}
            self._calls.insert(0, ("public/auth", {"grant_type": "client_credentials"} | grant))

    def opening(self, request: int) -> Sequence[bytes]:
        """Log in where there are credentials; ask for heartbeats, and for the time."""
        return [_call(2 * (request + place), *call) for place, call in enumerate(self._calls)]

    def subscribe(self, topics: Sequence[str], request: int) -> bytes:
        """Ask for topics."""
        return _call(2 * request, "public/subscribe", {"channels": list(topics)})

    def unsubscribe(self, topics: Sequence[str], request: int) -> bytes:
        """Ask for topics no longer."""
        return _call(2 * request + 1, "public/unsubscribe", {"channels": list(topics)})

    def ping(self, request: int) -> bytes | None:
        """Give a call that does nothing."""
        return _call(2 * request, "public/test", {})

    def read(self, message: Buffer) -> Sequence[Said]:
        """Say what a message that is no market data means."""
        root = answers.said(message)
        if root is None:
            return (Puzzling("no JSON object"),)
        if root.get("method") == "heartbeat":
            asked = answers.part(root, "params", "type") == "test_request"
            return (Beat(_call(0, "public/test", {}) if asked else None),)
        if root.get("method") == "subscription":
            return (Puzzling("subscription of an unknown channel"),)
        number = answers.whole_number(root.get("id"))
        request = None if number is None else number >> 1
        if "error" in root:
            return (_refusal(request, root["error"]),)
        if "result" in root:
            return _answer(request, root, on=number is None or not number & 1)
        return (Puzzling("neither an answer nor a notification"),)


def _call(request: int, method: str, params: dict[str, Any]) -> bytes:
    return msgspec.json.encode({"jsonrpc": "2.0", "id": request, "method": method, "params": params})


def _refusal(request: int | None, error: Any) -> Said:
    code, text = answers.whole_number(answers.part(error, "code")), answers.part(error, "message")
    if code in _THROTTLED:
        return Throttled(SECOND, str(code), request)
    return Refused(request, None, str(code), str(text)[:200], final=code in _FINAL)


def _answer(request: int | None, root: dict[str, Any], *, on: bool) -> Sequence[Said]:
    """Read the result of a call: a list of channels, a time, or a word of assent."""
    result, sent_us = root["result"], answers.whole_number(root.get("usOut"))
    channels = answers.texts(result)
    if channels is not None:
        # What is not in the list was not taken: Deribit drops unknown channels in silence.
        return (Acknowledged(request, channels, on),)
    if sent_us is not None and 0 < sent_us < 2**53:
        return (Clock(sent_us * 1_000, request), Beat())
    return (Beat(),)


# --- instruments


class _TickStep(msgspec.Struct):
    above_price: Decimal
    tick_size: Decimal


class _Listed(msgspec.Struct):
    instrument_name: str
    kind: str
    base_currency: str
    quote_currency: str
    tick_size: Decimal
    min_trade_amount: Decimal
    counter_currency: str = ""
    settlement_currency: str = ""
    instrument_type: str = ""
    settlement_period: str = ""
    strike: Decimal | None = None
    option_type: str | None = None
    expiration_timestamp: int | None = None
    tick_size_steps: list[_TickStep] = []
    is_active: bool = True
    maker_commission: Decimal | None = None
    taker_commission: Decimal | None = None


class _Listing(msgspec.Struct):
    result: list[msgspec.Raw]


_LISTING: Final = msgspec.json.Decoder(_Listing)
_ROW: Final = msgspec.json.Decoder(_Listed)
_KINDS: Final = {
    "option": Kind.OPTION, "spot": Kind.SPOT, "future": Kind.FUTURE, "future_combo": Kind.COMBO,
    "option_combo": Kind.COMBO,
}  # fmt: skip
_RIGHTS: Final = {"call": Right.CALL, "put": Right.PUT}
_UNIT: Final = Number(1, 0)
"""What one of an amount is: a dollar of an inverse future, a coin of all else. `contract_size` only says how much of
that makes a contract: 10 of BTC-PERPETUAL.
"""


def instruments(body: Buffer) -> Listed:
    """Read the answer of public/get_instruments.

    Raises: WireError for what is no list.
    """
    return each(answers.decoded(_LISTING, body, "public/get_instruments").result, _ROW, _instrument, "instrument_name")


def _share(commission: Decimal | None) -> Number | None:
    return None if commission is None else Number.of(commission)


def _instrument(one: _Listed) -> Instrument:
    steps = [(step.above_price, step.tick_size) for step in one.tick_size_steps]
    price, quantity = grid([one.tick_size, *(tick for _, tick in steps)], [one.min_trade_amount])
    price = min([price, *(Number.of(above).exponent for above, _ in steps)])
    kind = _KINDS.get(one.kind)
    if kind is None:
        raise WireError("kind", offset=0, found=one.kind, wanted=", ".join(_KINDS))
    if kind is Kind.FUTURE and (one.settlement_period == "perpetual" or one.instrument_name.endswith("-PERPETUAL")):
        kind = Kind.PERPETUAL
    # Before 2022 the answer had no instrument_type; all but USDC instruments were settled in the base currency.
    inverse = one.instrument_type == "reversed" or (not one.instrument_type and one.quote_currency != "USDC")
    return Instrument(
        VENUE, one.instrument_name, kind, one.base_currency, one.quote_currency,
        one.settlement_currency or (one.base_currency if inverse else one.quote_currency),
        price, quantity, whole(one.tick_size, price), whole(one.min_trade_amount, quantity),
        whole(one.min_trade_amount, quantity), inverse and kind is not Kind.SPOT, _UNIT,
        None if one.strike is None or kind is not Kind.OPTION else Number.of(one.strike),
        _RIGHTS.get(one.option_type or "") if kind is Kind.OPTION else None,
        None if kind in (Kind.PERPETUAL, Kind.SPOT) else milliseconds(one.expiration_timestamp),
        tuple(Step(whole(above, price), whole(tick, price)) for above, tick in steps), one.is_active,
        _share(one.maker_commission), _share(one.taker_commission),
    )  # fmt: skip
