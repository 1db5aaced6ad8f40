"""The contracts of a capture, from what it lists itself: a first walk through it, before anything is decided.

    starbase    instrument definitions: options, futures, perpetuals
    itch50      every stock as SPOT in dollars, a tick of a cent, a hundredth of one below a dollar (Rule 612)
    iex         likewise

What is listed twice under one name is taken once. Books of anything else are not traded here, and are counted.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from netfeed.app.changes import Book
from netfeed.app.replay import Options, Replay
from netfeed.app.trading.starbase_listing import contracts as starbase_contracts
from netfeed.engine.contract import Contract, Payoff

_STOCKS: Final = frozenset({"itch50", "iex"})


@dataclass(frozen=True, slots=True)
class Fees:
    """What a venue takes, as shares of the notional; negative for a rebate."""

    maker: float = 0.0
    taker: float = 0.0


@dataclass(frozen=True, slots=True)
class Listing:
    """What can be traded, by our number. `left_out`: books that are no contracts here."""

    contracts: Mapping[int, Contract]
    left_out: int


def listing(options: Options, fees: Fees, stop: Callable[[], bool] = lambda: False) -> Listing:
    """Walk through a capture and list its contracts. Raises: SourceError."""
    replay = Replay(options, stop=stop)
    replay.run()
    return of_books(replay.catalogue.chosen(), fees)


def of_books(books: list[Book], fees: Fees) -> Listing:
    """List the contracts of books."""
    found: dict[int, Contract] = {}
    names: set[str] = set()
    for book in books:
        made = None if book.name in names else _contract(book, len(found), fees)
        if made is not None:
            names.add(book.name)
            found[made.index] = made
    return Listing(found, len(books) - len(found))


def _contract(book: Book, index: int, fees: Fees) -> Contract | None:
    feed: Any = book.feed
    if feed.protocol in _STOCKS:
        return _stock(book, index, fees)
    definition = getattr(feed, "definitions", {}).get(book.number)
    if definition is None:
        return None
    made = starbase_contracts({index: definition}, maker_fee=fees.maker, taker_fee=fees.taker)
    return made[0] if made else None


def _stock(book: Book, index: int, fees: Fees) -> Contract:
    price_exponent, quantity_exponent = book.exponents
    dollar, cent = 10**-price_exponent, 10 ** -(price_exponent + 2)
    return Contract(
        index, book.name, Payoff.SPOT, book.name, False, price_exponent, quantity_exponent,
        max(1, cent // 100), 1, steps=((dollar, cent),), maker_fee=fees.maker, taker_fee=fees.taker,
    )  # fmt: skip
