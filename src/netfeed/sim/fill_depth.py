"""What a recorded book still offers us: what rests there, less what we have taken of it already.

A record does not know us: what our orders took of a level stays in it. So it is remembered, and is not there again
before as much has left the level, or before what came to it is more than that. A level that is gone is forgotten.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from netfeed.book.level import Level, Side
from netfeed.book.state import BookState
from netfeed.engine.placing import meets
from netfeed.engine.strategy import Book

_FIRST: Final = 8
MAX_LEVELS: Final = 4096
"""Levels that one order may look through; what lies beyond is not there for it."""


class NoBook:
    """A book that nothing is known of yet."""

    state = BookState.EMPTY
    bid = ask = None

    def depth(self, side: int, n: int, /) -> Sequence[Level]:
        """Give nothing."""
        return ()


class Depth:
    """What can be taken of one instrument."""

    def __init__(self, book: Book) -> None:
        self.book = book
        self._taken: tuple[dict[int, int], dict[int, int]] = ({}, {})

    def best(self, side: Side) -> Level | None:
        """Give the best level of the record."""
        return self.book.bid if side is Side.BID else self.book.ask

    @property
    def crossed(self) -> bool:
        """Say whether the record's own sides meet: an auction or a halt, where nothing trades in turn."""
        bid, ask = self.book.bid, self.book.ask
        return bid is not None and ask is not None and bid.price >= ask.price

    def offered(self, side: Side, limit: int | None) -> list[tuple[int, int]]:
        """List (price, quantity) that an order of `side` could take up to its limit, the best first."""
        found = []
        for level in self.left(Side.ASK if side is Side.BID else Side.BID):
            if limit is not None and not meets(side, limit, level.price):
                break
            found.append((level.price, level.quantity))
        return found

    def is_taken(self, side: Side) -> bool:
        """Say whether anything that rests on a side was taken by us."""
        return bool(self._taken[side])

    def left(self, side: Side) -> Iterator[Level]:
        """Give the levels of a side less what we took, the best first."""
        taken = self._taken[side]
        for level in self.levels(side):
            quantity = level.quantity - taken.get(level.price, 0)
            if quantity > 0:
                yield level._replace(quantity=quantity)

    def take(self, side: Side, price: int, quantity: int) -> None:
        """Note that an order of `side` took so much at a price."""
        taken = self._taken[Side.ASK if side is Side.BID else Side.BID]
        taken[price] = taken.get(price, 0) + quantity

    def look(self) -> None:
        """Forget what the record shows to be gone."""
        for side in Side:
            if self._taken[side]:
                self._forget(side, self._taken[side])

    def levels(self, side: Side) -> Iterator[Level]:
        """Give the levels of a side, the best first; a few are asked for at first, and more when they are needed."""
        count, given = _FIRST, 0
        while count <= MAX_LEVELS:
            levels: Sequence[Level] = self.book.depth(side, count)
            yield from levels[given:]
            if len(levels) < count:
                return
            count, given = 4 * count, len(levels)

    def _forget(self, side: Side, taken: dict[int, int]) -> None:
        worst = min(taken) if side is Side.BID else max(taken)
        there = {}
        for level in self.levels(side):
            if (level.price < worst) if side is Side.BID else (level.price > worst):
                break
            there[level.price] = level.quantity
        for price in list(taken):
            left = min(taken[price], there.get(price, 0))
            if left:
                taken[price] = left
            else:
                del taken[price]
