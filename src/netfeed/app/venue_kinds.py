"""The venues that `netfeed run` can talk to, as one table: what is asked first, and what is made of the answer.

    question     asked once on a connection of its own, for the instruments
    instruments  reads the answer; None for a message that is none
    made         dialect, market and topics for the instruments that are wanted
    asked        reads a request of ours: which topics it asks for (True) or gives up (False); None for any other

Leaves out: what each venue says (`netfeed.venues`), and connections (`venue_link`).
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any, Final, NamedTuple

import msgspec

from netfeed.app.configuration import Venue, VenueLimits
from netfeed.feed.dialect import Dialect, Limits, Market
from netfeed.machine import Buffer
from netfeed.venues import deribit_json
from netfeed.venues.instrument import Instrument

QUESTION: Final = 1
"""The id of the first request."""


class Made(NamedTuple):
    """What a venue's connections need. `books` are the topics of the market's books, in their order.

    `events` has what is no book: trades and tickers; None where there are none.
    """

    dialect: Dialect
    market: Market
    topics: tuple[str, ...]
    books: tuple[str, ...]
    events: Any


class Kind(NamedTuple):
    """One kind of venue."""

    endpoint: str
    question: Callable[[Venue], bytes]
    instruments: Callable[[Buffer], list[Instrument] | None]
    made: Callable[[Venue, Sequence[Instrument]], Made]
    asked: Callable[[Buffer], tuple[bool, list[str]] | None]


class Limited:
    """A dialect whose limits are others than the venue publishes."""

    def __init__(self, dialect: Dialect, limits: Limits) -> None:
        self.limits = limits
        self.liveness = dialect.liveness
        self.opening, self.subscribe, self.unsubscribe = dialect.opening, dialect.subscribe, dialect.unsubscribe
        self.ping, self.read = dialect.ping, dialect.read


def wanted(config: Venue, instruments: Sequence[Instrument]) -> list[Instrument]:
    """Choose the instruments that a configuration names, in the order of the venue.

    One that is listed twice is taken once, as it was listed first; a name that no topic can have is passed over.
    """
    named = [one for one in instruments if any(fnmatchcase(one.name, glob) for glob in config.instruments)]
    first = {one.name: one for one in reversed(named) if one.name.isascii() and one.name.isprintable()}
    return [first.pop(one.name) for one in named if one.name in first]


def limited(dialect: Dialect, limits: VenueLimits) -> Dialect:
    """Put what the configuration says over what the venue publishes."""
    said = {name: getattr(limits, name) for name in limits.__struct_fields__}
    said = {name: value for name, value in said.items() if value is not None}
    return Limited(dialect, replace(dialect.limits, **said)) if said else dialect


def _deribit_question(config: Venue) -> bytes:
    params = {"currency": config.currency, "expired": False}
    return msgspec.json.encode(
        {"jsonrpc": "2.0", "id": QUESTION, "method": "public/get_instruments", "params": params}
    )  # fmt: skip


class _Id(msgspec.Struct):
    id: int | str | None = None


_ID: Final = msgspec.json.Decoder(_Id)


def _deribit_instruments(message: Buffer) -> list[Instrument] | None:
    try:
        if _ID.decode(message).id != QUESTION:
            return None
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    return deribit_json.instruments(message)


def _deribit(config: Venue, instruments: Sequence[Instrument]) -> Made:
    market, events = deribit_json.market(instruments, config.interval)
    kinds = [kind for kind, on in (("book", True), ("trades", config.trades), ("ticker", config.tickers)) if on]
    topics = tuple(f"{kind}.{one.name}.{config.interval}" for one in instruments for kind in kinds)
    books = tuple(deribit_json.topic(one.name, config.interval) for one in instruments)
    return Made(limited(deribit_json.Dialect(), config.limits), market, topics, books, events)


class _Channels(msgspec.Struct):
    channels: list[str] = []


class _Request(msgspec.Struct):
    method: str = ""
    params: _Channels | None = None


_REQUEST: Final = msgspec.json.Decoder(_Request)
_SAID: Final = {"public/subscribe": True, "private/subscribe": True, "public/unsubscribe": False}


def _deribit_asked(message: Buffer) -> tuple[bool, list[str]] | None:
    try:
        request = _REQUEST.decode(message)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    on = _SAID.get(request.method)
    return None if on is None or request.params is None else (on, request.params.channels)


KINDS: Final[dict[str, Kind]] = {
    "deribit": Kind(
        f"wss://{deribit_json.HOST}{deribit_json.PATH}", _deribit_question, _deribit_instruments, _deribit,
        _deribit_asked,
    ),
}  # fmt: skip
"""By the name that the configuration gives them."""


def endpoints(config: Venue) -> tuple[str, ...]:
    """Give where a venue is, as configured or as it is known."""
    return tuple(config.endpoints) or (KINDS[config.venue].endpoint,)
