"""The trading floor of a simulated venue: what happens on it, step by step, behind one interface for all protocols.

A floor knows its instruments and their books. It neither numbers messages nor sends them, and time is told to it.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from netfeed.book.digest import Row


class Transaction(NamedTuple):
    """What is told of one action: its messages, and the instruments whose books it touched.

    `told`: the messages before they were encoded, for a venue that says the same in another language.
    """

    messages: Sequence[bytes]
    touched: Sequence[int]
    told: Sequence[tuple[int, Mapping[str, Any]]] = ()


class BookFacts(NamedTuple):
    """An instrument as it is: the levels of both sides, the best first, and the exponents of price and quantity."""

    name: str
    bids: Sequence[Row]
    asks: Sequence[Row]
    exponents: tuple[int, int]


class Watched(NamedTuple):
    """A transaction as it happened, with each book that it touched as it was right after it. Units: monotonic ns."""

    at_ns: int
    transaction: Transaction
    books: Mapping[int, BookFacts]


class Floor(Protocol):
    """What a venue needs of its floor. Units: `wall_ns` since 1970."""

    @property
    def instruments(self) -> Sequence[int]:
        """Name the instruments by their numbers on the wire."""

    def open(self, wall_ns: int) -> Iterator[Transaction]:
        """Introduce the instruments; tell the orders that rest, or let the first ones come, one after another."""

    def gap_ns(self) -> int:
        """Draw the time until the next step."""

    def step(self, wall_ns: int) -> Transaction:
        """Take the next step."""

    def facts(self, instrument: int) -> BookFacts:
        """Give the book of an instrument."""

    def pace(self, mean_gap_ns: int) -> None:
        """Let steps follow each other this fast from now on."""
