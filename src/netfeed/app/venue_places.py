"""What a configured venue comes to: where it is, where its lists and snapshots are had, and what it has not.

The table of venues is `venue_kinds`.
"""

from collections.abc import Iterable
from urllib.parse import urlsplit, urlunsplit

from netfeed.app.configuration import Venue
from netfeed.app.venue_kind import Kind
from netfeed.app.venue_kinds import KINDS
from netfeed.app.venue_lists import ANY


def endpoints(config: Venue) -> tuple[str, ...]:
    """Give where a venue is, as configured or as it is known."""
    return tuple(config.endpoints) or (KINDS[config.venue].endpoint(config),)


def listing(config: Venue) -> str | None:
    """Give the address of the list of instruments over HTTP, None where it is asked for over WebSocket.

    A configured one without a path has the venue's own, and the venue's own query where it has none.
    """
    known = KINDS[config.venue].listing
    if known is None:
        return None
    own, said = urlsplit(known(config)), urlsplit(config.listing or known(config))
    path = said.path if said.path != "/" else ""
    return urlunsplit((said.scheme, said.netloc, path or own.path, said.query or own.query, ""))


def target_of(address: str) -> str:
    """Give what is asked of the host of an address."""
    return urlunsplit(("", "", *urlsplit(address)[2:])) or "/"


def fetch_endpoint(config: Venue) -> str | None:
    """Give where snapshots are had over HTTP, None where no book wants such."""
    known = KINDS[config.venue].fetched
    return None if known is None else config.fetch or known(config)


def misfits(config: Venue) -> list[str]:
    """Name what a venue has not."""
    kind = KINDS[config.venue]
    return [*_parts(config, kind), *_topics(config), *_login(config), *_addresses(config, kind)]


def _parts(config: Venue, kind: Kind) -> Iterable[str]:
    if config.category and config.category not in kind.categories:
        yield f"category: {config.venue} has {', '.join(kind.categories) or 'none'}"
        return
    depths = kind.depths(config)
    if config.depth is not None and config.depth not in depths:
        yield f"depth: {config.venue} has {', '.join(map(str, sorted(set(depths)))) or 'none to choose'}"
    category = config.category or "".join(kind.categories[:1])
    if config.currency != ANY and category not in kind.currencies:
        yield f"currency: {config.venue} lists {category or 'what it has'} of all currencies; name the instruments"
    if config.currency == ANY and config.venue == "okx" and category == "OPTION":
        yield 'currency: okx lists the options of one currency: currency = "BTC", say'


def _topics(config: Venue) -> Iterable[str]:
    if config.venue == "deribit":
        return
    if config.trades or config.tickers:
        yield f"trades, tickers: books only of {config.venue} so far"
    if config.interval != "100ms":
        yield f"interval: only deribit has {config.interval}"


def _login(config: Venue) -> Iterable[str]:
    if (config.client_id is None) != (config.client_secret_env is None):
        yield "client_id and client_secret_env go together"
    if config.client_id is not None and config.venue != "deribit":
        yield f"client_id: nobody logs in to {config.venue} so far"
    if config.client_id is None and config.venue == "deribit" and config.interval == "raw":
        yield "interval: raw is for who logs in: client_id and client_secret_env"


def _addresses(config: Venue, kind: Kind) -> Iterable[str]:
    if config.listing is not None and kind.listing is None:
        yield f"listing: {config.venue} lists its instruments over WebSocket"
    if config.fetch is not None and kind.fetched is None:
        yield f"fetch: {config.venue} has its snapshots over WebSocket"
