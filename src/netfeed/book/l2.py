"""A book of price levels (market by price, L2): the plain twin that defines `netfeed._core.l2`.

For feeds that say what rests at a price, not who: an update is an absolute quantity, and 0 removes the level. To remove
a level that is not there is normal, because venues repeat themselves. What makes no sense (a negative quantity, a side
that is neither, one level more than the bound) changes no level: it is counted in `refused` and the book is SUSPECT.

An argument that is not an integer is a TypeError, one that does not fit in 64 bits an OverflowError; a side or a count
that a reader cannot mean is a ValueError. None of them changes anything. A book belongs to one thread at a time.

Left out: what venue messages mean (`venues`), sequence (`feed`), single orders (`l3`).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from operator import index
from typing import Any, Final

import numpy as np

from netfeed.book.level import Level, Side
from netfeed.book.state import TRANSITIONS, BookState
from netfeed.errors import MisuseError

MAX_LEVELS: Final = 65536
"""Levels of one side that a hostile feed can make us hold; a real book has a few thousand."""

_MOST_LEVELS: Final = 2**31 - 1
_MOST_ORDERS: Final = 2**32 - 1
_BEST: Final = (max, min)

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class LevelBookStatistics:
    """Counters of a `LevelBook`, as of the call."""

    updates: int
    refused: int
    bids: int
    asks: int


class LevelBook:
    """The price levels of one instrument, each an absolute quantity."""

    def __init__(self, max_levels: int = MAX_LEVELS) -> None:
        if not 1 <= _int64(max_levels) <= _MOST_LEVELS:
            raise ValueError(f"max_levels {max_levels} is not in 1 to {_MOST_LEVELS}")
        self._max_levels = index(max_levels)
        self._sides: list[dict[int, Level]] = [{}, {}]
        self._state = BookState.EMPTY
        self._updates = self._refused = 0

    # --- changing

    def update(self, side: int, price: int, quantity: int, orders: int = 0) -> bool:
        """Set what rests at a price, 0 for nothing; say whether the best of either side changed."""
        side, level = _int64(side), Level(_int64(price), _int64(quantity), _int64(orders))
        if side not in (Side.BID, Side.ASK) or not _makes_sense(level):
            return self._refuse()
        levels = self._sides[side]
        if level.quantity and level.price not in levels and len(levels) == self._max_levels:
            return self._refuse()
        best = self.best(side)
        if level.quantity:
            levels[level.price] = level
        else:
            levels.pop(level.price, None)
        self._updates += 1
        return self.best(side) != best

    def update_many(self, sides: Array, prices: Array, quantities: Array, orders: Array | None = None) -> int:
        """Do `update` for each row of the arrays; return how many of them changed the best of either side.

        Shape: equal lengths, one dimension, C-contiguous; uint8, int64, int64, uint32.
        Raises: TypeError for what is not a numpy array, ValueError for one of another type or shape.
        """
        side = _column(sides, np.uint8)
        price, quantity = _column(prices, np.int64, len(side)), _column(quantities, np.int64, len(side))
        count = [0] * len(side) if orders is None else _column(orders, np.uint32, len(side))
        return sum(map(self.update, side, price, quantity, count))

    def replace(self, bids: Iterable[tuple[int, int, int]], asks: Iterable[tuple[int, int, int]]) -> bool:
        """Put a snapshot in the place of all levels, or refuse all of it; say whether the best changed.

        The levels are (price, quantity, orders) in any order; those of quantity 0 are left out. A price that stands
        there twice makes no sense. The state does not change, and `updates` does not count snapshots.
        """
        snapshot = tuple(bids), tuple(asks)
        sides = [[Level(_int64(p), _int64(q), _int64(o)) for p, q, o in levels] for levels in snapshot]
        books = [{level.price: level for level in levels if level.quantity} for levels in sides]
        for levels, book in zip(sides, books, strict=True):
            distinct = len(book) == sum(level.quantity != 0 for level in levels)
            if not distinct or len(book) > self._max_levels or not all(map(_makes_sense, levels)):
                return self._refuse()
        best = self.bid, self.ask
        self._sides = books
        return (self.bid, self.ask) != best

    def truncate(self, side: int, n: int) -> None:
        """Keep the best `n` levels of a side."""
        self._sides[_side(side)] = {level.price: level for level in self.depth(side, n)}

    def clear(self, side: int | None = None) -> None:
        """Remove all levels, of one side or of both."""
        for one in Side if side is None else (_side(side),):
            self._sides[one] = {}

    # --- reading

    @property
    def bid(self) -> Level | None:
        """Give the highest bid, None when there is none."""
        return self.best(Side.BID)

    @property
    def ask(self) -> Level | None:
        """Give the lowest ask, None when there is none."""
        return self.best(Side.ASK)

    def best(self, side: int) -> Level | None:
        """Give the best level of a side, None when there is none."""
        side = _side(side)
        levels = self._sides[side]
        return levels[_BEST[side](levels)] if levels else None

    def depth(self, side: int, n: int) -> list[Level]:
        """List up to `n` levels of a side, the best first."""
        side, n = _side(side), _int64(n)
        if n < 0:
            raise ValueError(f"there are no {n} levels")
        levels = self._sides[side]
        return [levels[price] for price in sorted(levels, reverse=side == Side.BID)[:n]]

    def depth_arrays(self, side: int, n: int) -> tuple[Array, Array]:
        """Give the prices and the quantities of up to `n` levels of a side, the best first, as new int64 arrays."""
        levels = self.depth(side, n)
        return np.array([x.price for x in levels], np.int64), np.array([x.quantity for x in levels], np.int64)

    def quantity_at(self, side: int, price: int) -> int:
        """Give what rests at a price, 0 when nothing does."""
        level = self._sides[_side(side)].get(_int64(price))
        return level.quantity if level else 0

    def levels(self, side: int) -> int:
        """Count the levels of a side."""
        return len(self._sides[_side(side)])

    @property
    def crossed(self) -> bool:
        """Say whether the best bid is not below the best ask."""
        return self.bid is not None and self.ask is not None and self.bid.price >= self.ask.price

    # --- state

    @property
    def state(self) -> BookState:
        """Give the state of the book."""
        return self._state

    def to(self, state: int) -> None:
        """Move the book to another state; the same state again does nothing.

        Raises: MisuseError when the step is not one of `book.state.TRANSITIONS`.
        """
        state = _int64(state)
        if state == self._state:
            return
        if state not in TRANSITIONS[self._state]:
            raise MisuseError(f"a book cannot go from {self._state.name} to state {state}")
        self._state = BookState(state)

    @property
    def quotable(self) -> bool:
        """Say whether the book is LIVE."""
        return self._state == BookState.LIVE

    @property
    def updates(self) -> int:
        """Count the updates that were taken, those that changed nothing included."""
        return self._updates

    @property
    def refused(self) -> int:
        """Count the updates and snapshots that were refused."""
        return self._refused

    def statistics(self) -> LevelBookStatistics:
        """Return the counters, as of the call."""
        return LevelBookStatistics(self._updates, self._refused, self.levels(Side.BID), self.levels(Side.ASK))

    def _refuse(self) -> bool:
        self._refused += 1
        self._state = BookState.SUSPECT
        return False


def _int64(value: int) -> int:
    number = index(value)
    if not -(2**63) <= number < 2**63:
        raise OverflowError(f"{number} does not fit in 64 bits")
    return number


def _side(side: int) -> Side:
    if _int64(side) not in (Side.BID, Side.ASK):
        raise ValueError(f"side {side} is neither 0 (bid) nor 1 (ask)")
    return Side(index(side))


def _makes_sense(level: Level) -> bool:
    return level.quantity >= 0 and 0 <= level.orders <= _MOST_ORDERS


def _column(array: Array, kind: type, length: int | None = None) -> list[int]:
    if not isinstance(array, np.ndarray):
        raise TypeError(f"wanted a numpy array, found {type(array).__name__}")
    plain = array.dtype == kind and array.flags.c_contiguous and array.flags.aligned
    if not plain or array.ndim != 1 or length not in (None, len(array)):
        raise ValueError(
            f"wanted a row of items as long as the others and of the right type, found {array.dtype} {array.shape}"
        )
    return list(array.tolist())
