"""The contracts of a capture, from what it lists itself: a first walk through it, before anything is decided.

What is listed twice under one name is taken once. What nobody defines is not traded here, and is counted.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from netfeed.app.changes import Book
from netfeed.app.engine_configuration import Fees
from netfeed.app.replay import Options, Replay
from netfeed.app.trading.contracts import known
from netfeed.engine.contract import Contract

VENUE = ""
"""There is one account, and the fill model has it."""


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
    venues = {id(book.feed): VENUE for book in books}
    named = {one.contract.name: one.contract for one in known(list(enumerate(books))[::-1], venues, {}, fees)}
    first = sorted(named.values(), key=lambda contract: contract.index)
    contracts = {index: replace(contract, index=index) for index, contract in enumerate(first)}
    return Listing(contracts, len(books) - len(contracts))
