"""The trading floor of a simulated venue: what happens on it, step by step, behind one interface for all protocols.

A floor knows its instruments and their books. It neither numbers messages nor sends them, and time is told to it.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

from netfeed.book.digest import Row


class Transaction(NamedTuple):
    """What is told of one action: its messages, and the instruments whose books it touched."""

    messages: Sequence[bytes]
    touched: Sequence[int]


class BookFacts(NamedTuple):
    """An instrument as it is: the levels of both sides, the best first, and the exponents of price and quantity."""

    name: str
    bids: Sequence[Row]
    asks: Sequence[Row]
    exponents: tuple[int, int]


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
