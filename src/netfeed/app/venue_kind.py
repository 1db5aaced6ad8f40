"""What a kind of venue is to `netfeed run`, and what is the same of all kinds: who is wanted, whose limits hold.

    endpoint     where messages are had, where the configuration does not say
    question     asked first over WebSocket, for the instruments; None where they are listed over HTTP
    listing      the address of that list, where there is one
    more         what is asked for next, after a page of that list: (target, page) to target; None after the last one
    instruments  reads the list, or a page of it; None for a message that is none
    made         dialect, market and topics for the instruments that are wanted
    asked        reads a request of ours: which topics it asks for (True) or gives up (False); None for any other
    depths       how many levels a book may have, the usual number first
    fetched      where snapshots are had over HTTP, for venues whose books want such

Leaves out: which kinds there are (`venue_kinds`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any, Final, NamedTuple

import msgspec

from netfeed.app.configuration import Venue, VenueLimits
from netfeed.errors import ConfigurationError
from netfeed.feed.dialect import Dialect, Limits, Market
from netfeed.machine import Buffer
from netfeed.venues.entries import Listed
from netfeed.venues.instrument import Instrument

Asked = tuple[bool, list[str]]
UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What decoding may raise for bytes that are no message of a form that is looked for."""


class Made(NamedTuple):
    """What a venue's connections need. `books` are the topics of the market's books, in their order.

    `events` has what is no book: trades and tickers; None where there are none.
    """

    dialect: Dialect
    market: Market
    topics: tuple[str, ...]
    books: tuple[str, ...]
    events: Any = None


def only_page(target: str, page: Buffer) -> str | None:
    """Say that a list has one page."""
    return None


def no_depths(config: Venue) -> tuple[int, ...]:
    """Say that there is nothing to choose."""
    return ()


class Kind(NamedTuple):
    """One kind of venue. `categories` are the parts of it that can be named; the first one where none is.

    `currencies` are those parts whose list can be had for one currency; "" where there are no parts.
    """

    endpoint: Callable[[Venue], str]
    instruments: Callable[[Buffer], Listed | None]
    made: Callable[[Venue, Sequence[Instrument]], Made]
    asked: Callable[[Buffer], Asked | None]
    question: Callable[[Venue], bytes] | None = None
    listing: Callable[[Venue], str] | None = None
    more: Callable[[str, Buffer], str | None] = only_page
    fetched: Callable[[Venue], str] | None = None
    categories: tuple[str, ...] = ()
    depths: Callable[[Venue], tuple[int, ...]] = no_depths
    currencies: tuple[str, ...] = ()


class Limited:
    """A dialect whose limits are others than the venue publishes."""

    def __init__(self, dialect: Dialect, limits: Limits) -> None:
        self.limits = limits
        self.liveness = dialect.liveness
        self.opening, self.subscribe, self.unsubscribe = dialect.opening, dialect.subscribe, dialect.unsubscribe
        self.ping, self.read = dialect.ping, dialect.read


def limited(dialect: Dialect, limits: VenueLimits) -> Dialect:
    """Put what the configuration says over what the venue publishes."""
    said = {name: getattr(limits, name) for name in limits.__struct_fields__}
    said = {name: value for name, value in said.items() if value is not None}
    return Limited(dialect, replace(dialect.limits, **said)) if said else dialect


def wanted(config: Venue, instruments: Sequence[Instrument]) -> list[Instrument]:
    """Choose the instruments that a configuration names, in the order of the venue.

    One that is listed twice is taken as it was listed first; a name that no topic can have is passed over.
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
