"""The venues that `netfeed run` can talk to, as one table: where they are, what they list, what is made of that.

    endpoint     where messages are had, where the configuration does not say
    question     asked first over WebSocket, for the instruments; None where they are listed over HTTP
    listing      the address of that list, where there is one
    instruments  reads the list; None for a message that is none
    made         dialect, market and topics for the instruments that are wanted
    asked        reads a request of ours: which topics it asks for (True) or gives up (False); None for any other
    fetched      where snapshots are had over HTTP, for venues whose books want such

Leaves out: what each venue says (`netfeed.venues`), and connections (`venue_link`).
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any, Final, NamedTuple

import msgspec

from netfeed.app.configuration import Venue, VenueLimits
from netfeed.errors import ConfigurationError
from netfeed.feed.dialect import Dialect, Limits, Market
from netfeed.machine import Buffer
from netfeed.venues import binance, bybit, coinbase, deribit_json, kraken, okx
from netfeed.venues.instrument import Instrument

QUESTION: Final = 1
"""The id of the first request."""
Asked = tuple[bool, list[str]]


class Made(NamedTuple):
    """What a venue's connections need. `books` are the topics of the market's books, in their order.

    `events` has what is no book: trades and tickers; None where there are none.
    """

    dialect: Dialect
    market: Market
    topics: tuple[str, ...]
    books: tuple[str, ...]
    events: Any = None


class Kind(NamedTuple):
    """One kind of venue. `categories` are the parts of it that can be named; the first one where none is."""

    endpoint: Callable[[Venue], str]
    instruments: Callable[[Buffer], list[Instrument] | None]
    made: Callable[[Venue, Sequence[Instrument]], Made]
    asked: Callable[[Buffer], Asked | None]
    question: Callable[[Venue], bytes] | None = None
    listing: Callable[[Venue], str] | None = None
    fetched: Callable[[Venue], str] | None = None
    categories: tuple[str, ...] = ()
    depths: tuple[int, ...] = ()


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


def credentials_of(config: Venue, environment: Mapping[str, str]) -> tuple[str, str] | None:
    """Give id and secret of who logs in, None where nobody does. Raises: ConfigurationError."""
    if config.client_id is None or config.client_secret_env is None:
        return None
    secret = environment.get(config.client_secret_env)
    if not secret:
        raise ConfigurationError(f"venues.{config.name}: the variable {config.client_secret_env} is not set")
    return config.client_id, secret


def limited(dialect: Dialect, limits: VenueLimits) -> Dialect:
    """Put what the configuration says over what the venue publishes."""
    said = {name: getattr(limits, name) for name in limits.__struct_fields__}
    said = {name: value for name, value in said.items() if value is not None}
    return Limited(dialect, replace(dialect.limits, **said)) if said else dialect


def _books(
    config: Venue, instruments: Sequence[Instrument], dialect: Dialect, market: Market, topic: Callable[[str], str]
) -> Made:  # fmt: skip
    """Put together what has books and nothing else."""
    topics = tuple(topic(one.name) for one in instruments)
    return Made(limited(dialect, config.limits), market, topics, topics)


class _Request(msgspec.Struct):
    """What a request of ours can say, in the words of any of them."""

    method: str = ""
    op: str = ""
    type: str = ""
    channel: str = ""
    params: msgspec.Raw = msgspec.Raw()
    args: msgspec.Raw = msgspec.Raw()
    product_ids: list[str] = []


_REQUEST: Final = msgspec.json.Decoder(_Request)
_UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_ON: Final = {
    "public/subscribe": True, "private/subscribe": True, "subscribe": True, "SUBSCRIBE": True,
    "public/unsubscribe": False, "private/unsubscribe": False, "unsubscribe": False, "UNSUBSCRIBE": False,
}  # fmt: skip


def _asking(topics: Callable[[_Request], list[str]]) -> Callable[[Buffer], Asked | None]:
    """Make what reads a request, from what finds the topics in it."""

    def asked(message: Buffer) -> Asked | None:
        try:
            request = _REQUEST.decode(message)
            on = _ON.get(request.method or request.op or request.type)
            found = [] if on is None else topics(request)
        except (*_UNREADABLE, KeyError, TypeError):
            return None
        return (on, found) if on is not None and found else None

    return asked


# --- Deribit


class _Id(msgspec.Struct):
    id: int | str | None = None


_ID: Final = msgspec.json.Decoder(_Id)


def _deribit_question(config: Venue) -> bytes:
    params = {"currency": config.currency, "expired": False}
    asked = {"jsonrpc": "2.0", "id": QUESTION, "method": "public/get_instruments", "params": params}
    return msgspec.json.encode(asked)


def _deribit_instruments(message: Buffer) -> list[Instrument] | None:
    try:
        if _ID.decode(message).id != QUESTION:
            return None
    except _UNREADABLE:
        return None
    return deribit_json.instruments(message)


def _deribit(config: Venue, instruments: Sequence[Instrument]) -> Made:
    market, events = deribit_json.market(instruments, config.interval)
    kinds = [kind for kind, on in (("book", True), ("trades", config.trades), ("ticker", config.tickers)) if on]
    topics = tuple(f"{kind}.{one.name}.{config.interval}" for one in instruments for kind in kinds)
    books = tuple(deribit_json.topic(one.name, config.interval) for one in instruments)
    dialect = deribit_json.Dialect(credentials_of(config, os.environ))
    return Made(limited(dialect, config.limits), market, topics, books, events)


def _channels(request: _Request) -> list[str]:
    return list(msgspec.json.decode(request.params)["channels"])


# --- Kraken


class _Channel(msgspec.Struct):
    channel: str = ""


_CHANNEL: Final = msgspec.json.Decoder(_Channel)


def _kraken_instruments(message: Buffer) -> list[Instrument] | None:
    try:
        if _CHANNEL.decode(message).channel != "instrument":
            return None
    except _UNREADABLE:
        return None
    return kraken.instruments(message)


def _kraken(config: Venue, instruments: Sequence[Instrument]) -> Made:
    depth = config.depth or kraken.DEPTH
    market = kraken.market(instruments, depth)
    return _books(config, instruments, kraken.Dialect(depth), market, lambda name: kraken.topic(name, depth))


def _pairs(request: _Request) -> list[str]:
    params = msgspec.json.decode(request.params)
    return [kraken.topic(name, params["depth"]) for name in params["symbol"]]


# --- Binance


def _product(config: Venue) -> binance.Product:
    return binance.USDM if config.category == "usdm" else binance.SPOT


def _binance(config: Venue, instruments: Sequence[Instrument]) -> Made:
    product = _product(config)
    market = binance.market(instruments, product, config.interval)
    return _books(
        config, instruments, binance.Dialect(product), market, lambda name: binance.topic(name, config.interval)
    )  # fmt: skip


def _params(request: _Request) -> list[str]:
    return list(msgspec.json.decode(request.params))


# --- OKX, Bybit, Coinbase


def _okx(config: Venue, instruments: Sequence[Instrument]) -> Made:
    return _books(config, instruments, okx.Dialect(), okx.market(instruments), okx.topic)


def _okx_topics(request: _Request) -> list[str]:
    return [okx.topic(one["instId"], one["channel"]) for one in msgspec.json.decode(request.args)]


def _bybit(config: Venue, instruments: Sequence[Instrument]) -> Made:
    depth = config.depth or bybit.DEPTH
    market = bybit.market(instruments, depth)
    return _books(config, instruments, bybit.Dialect(), market, lambda name: bybit.topic(name, depth))


def _args(request: _Request) -> list[str]:
    return list(msgspec.json.decode(request.args))


def _coinbase(config: Venue, instruments: Sequence[Instrument]) -> Made:
    names = frozenset(one.name for one in instruments)
    return _books(config, instruments, coinbase.Dialect(names), coinbase.market(instruments), coinbase.topic)


def _products(request: _Request) -> list[str]:
    return [coinbase.topic(name) for name in request.product_ids] if request.channel == "level2" else []


def _category(config: Venue) -> str:
    return config.category or KINDS[config.venue].categories[0]


KINDS: Final[Mapping[str, Kind]] = {
    "deribit": Kind(
        lambda config: f"wss://{deribit_json.HOST}{deribit_json.PATH}", _deribit_instruments, _deribit,
        _asking(_channels), question=_deribit_question,
    ),
    "kraken": Kind(
        lambda config: f"wss://{kraken.HOST}{kraken.PATH}", _kraken_instruments, _kraken, _asking(_pairs),
        question=lambda config: kraken.instruments_request(QUESTION), depths=kraken.DEPTHS,
    ),
    "binance": Kind(
        lambda config: f"wss://{_product(config).host}{_product(config).path}", binance.instruments, _binance,
        _asking(_params), listing=lambda config: f"https://{_product(config).fetch_host}{_product(config).instruments_target}",
        fetched=lambda config: f"https://{_product(config).fetch_host}", categories=("spot", "usdm"),
    ),
    "okx": Kind(
        lambda config: f"wss://{okx.HOST}:8443{okx.PATH}", okx.instruments, _okx, _asking(_okx_topics),
        listing=lambda config: f"https://www.okx.com/api/v5/public/instruments?instType={_category(config)}",
        categories=("SPOT", "SWAP", "FUTURES"),
    ),
    "bybit": Kind(
        lambda config: f"wss://{bybit.HOST}{bybit.PATHS[_category(config)]}", bybit.instruments, _bybit, _asking(_args),
        listing=lambda config: f"https://api.bybit.com/v5/market/instruments-info?limit=1000&category={_category(config)}",
        categories=tuple(bybit.PATHS), depths=(1, 50, 200, 1000),
    ),
    "coinbase": Kind(
        lambda config: f"wss://{coinbase.HOST}{coinbase.PATH}", coinbase.instruments, _coinbase, _asking(_products),
        listing=lambda config: "https://api.coinbase.com/api/v3/brokerage/market/products",
    ),
}  # fmt: skip
"""By the name that the configuration gives them."""
