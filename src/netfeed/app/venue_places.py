"""What a configured venue comes to: where it is, where its lists and snapshots are had, and what it has not.

The table of venues is `venue_kinds`.
"""

from netfeed.app.configuration import Venue
from netfeed.app.venue_kinds import KINDS


def endpoints(config: Venue) -> tuple[str, ...]:
    """Give where a venue is, as configured or as it is known."""
    return tuple(config.endpoints) or (KINDS[config.venue].endpoint(config),)


def listing(config: Venue) -> str | None:
    """Give the address of the list of instruments over HTTP, None where it is asked for over WebSocket."""
    known = KINDS[config.venue].listing
    return None if known is None else config.listing or known(config)


def fetch_endpoint(config: Venue) -> str | None:
    """Give where snapshots are had over HTTP, None where no book wants such."""
    known = KINDS[config.venue].fetched
    return None if known is None else config.fetch or known(config)


def misfits(config: Venue) -> list[str]:
    """Name what a venue has not."""
    kind = KINDS[config.venue]
    found = []
    if config.category and config.category not in kind.categories:
        found.append(f"category: {config.venue} has {', '.join(kind.categories) or 'none'}")
    if config.depth is not None and config.depth not in kind.depths:
        found.append(f"depth: {config.venue} has {', '.join(map(str, kind.depths)) or 'none to choose'}")
    if config.venue != "deribit" and (config.trades or config.tickers):
        found.append(f"trades, tickers: books only of {config.venue} so far")
    if config.interval != "100ms" and config.venue != "deribit":
        found.append(f"interval: only deribit has {config.interval}")
    if (config.client_id is None) != (config.client_secret_env is None):
        found.append("client_id and client_secret_env go together")
    if config.client_id is not None and config.venue != "deribit":
        found.append(f"client_id: nobody logs in to {config.venue} so far")
    if config.client_id is None and config.venue == "deribit" and config.interval == "raw":
        found.append("interval: raw is for who logs in: client_id and client_secret_env")
    if config.listing is not None and kind.listing is None:
        found.append(f"listing: {config.venue} lists its instruments over WebSocket")
    if config.fetch is not None and kind.fetched is None:
        found.append(f"fetch: {config.venue} has its snapshots over WebSocket")
    return found
