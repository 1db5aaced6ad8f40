"""What can be read off any book: mid, spread, microprice, imbalance, and what it costs to sweep a quantity.

A book is whatever has a `bid`, an `ask` and a `depth` (`BookView`); which venue or which machine filled it does not
matter. Everything is exact: an integer where the answer is one, else a `Fraction`, in the units of the book's prices
and quantities. `float(...)` is the reader's step. None means that the book cannot answer: a side is missing, or not as
much rests there as was asked for. Nothing here looks at the state of the book: ask `quotable` first.
"""

from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple, Protocol

from netfeed.book.level import Level, Side

_FIRST_DEPTH = 16


class BookView(Protocol):
    """A book of one instrument, as far as it is read here."""

    @property
    def bid(self) -> Level | None:
        """Give the highest bid."""

    @property
    def ask(self) -> Level | None:
        """Give the lowest ask."""

    def depth(self, side: int, n: int, /) -> Sequence[Level]:
        """List up to `n` levels of a side, the best first."""


class Sweep(NamedTuple):
    """What taking a quantity from one side comes to. Units: `cost` in price unit x quantity unit."""

    quantity: int
    cost: int
    worst: int
    """The price of the last level that was needed."""
    levels: int

    @property
    def vwap(self) -> Fraction:
        """Give the average price, weighted by quantity. Units: price unit."""
        return Fraction(self.cost, self.quantity)


def mid(book: BookView) -> Fraction | None:
    """Give the middle between the best prices. Units: price unit, in halves."""
    bid, ask = book.bid, book.ask
    return Fraction(bid.price + ask.price, 2) if bid and ask else None


def spread(book: BookView) -> int | None:
    """Give how far the best ask is above the best bid; 0 when locked, negative when crossed. Units: price unit."""
    bid, ask = book.bid, book.ask
    return ask.price - bid.price if bid and ask else None


def microprice(book: BookView) -> Fraction | None:
    """Give the mid weighted by the quantity of the *other* side: it leans to where less rests. Units: price unit."""
    bid, ask = book.bid, book.ask
    if not bid or not ask:
        return None
    return Fraction(bid.price * ask.quantity + ask.price * bid.quantity, bid.quantity + ask.quantity)


def imbalance(book: BookView, depth: int = 1) -> Fraction | None:
    """Give (bids - asks) / (bids + asks) over the quantities of the best `depth` levels: 1 is all bid, -1 all ask."""
    bids, asks = (sum(level.quantity for level in book.depth(side, depth)) for side in Side)
    return Fraction(bids - asks, bids + asks) if bids and asks else None


def sweep(book: BookView, side: Side, quantity: int) -> Sweep | None:
    """Say what taking `quantity` from the resting `side` comes to (ASK to buy, BID to sell), None if less rests there.

    Raises: ValueError when the quantity is not positive.
    """
    if quantity <= 0:
        raise ValueError(f"cannot take a quantity of {quantity}")
    n = _FIRST_DEPTH
    levels = book.depth(side, n)
    while len(levels) == n and sum(level.quantity for level in levels) < quantity:
        n *= 2
        levels = book.depth(side, n)
    return _walk(levels, quantity)


def vwap(book: BookView, side: Side, quantity: int) -> Fraction | None:
    """Give the average price of taking `quantity` from the resting `side`; see `sweep`. Units: price unit."""
    swept = sweep(book, side, quantity)
    return swept.vwap if swept else None


def _walk(levels: Sequence[Level], quantity: int) -> Sweep | None:
    left, cost = quantity, 0
    for count, level in enumerate(levels, 1):
        taken = min(left, level.quantity)
        left, cost = left - taken, cost + taken * level.price
        if not left:
            return Sweep(quantity, cost, level.price, count)
    return None
