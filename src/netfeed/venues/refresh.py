"""Natural refresh: a book of positions becomes right again by what comes after a loss, without a snapshot.

Source: CME's client documentation of market by price, "natural refresh". It is sound for levels that are named by their
position in a book of a known depth, because every position up to that depth is either told or known to be empty:

    at the loss         every position is untold: it may hold anything
    New, at a position  told; those behind it move back, the last one falls out of the depth
    Change, Overlay     told
    Delete              gone; those behind it move forward, the last position is empty: what belongs there comes as New
    Delete Thru, From   likewise, for as many as they name

When no position of either outright side is untold any more, the book depends on nothing from before the loss. An entry
that contradicts what was told since (a Change of another price, a level behind an empty position) begins it anew.

Implied levels come along as far as they were told: an untold one is a hole, as after a late join.

Leaves out: books of prices or orders without a depth (Deribit, IEX, ITCH, Starbase). There a message that was lost may
have added what no later message ever names, so that nothing but a snapshot can tell that the book is whole.
"""

from collections.abc import Sequence
from enum import Enum
from typing import Any, Final

from netfeed.book.level import Level, Side
from netfeed.venues.ladder import Ladder
from netfeed.wire.cme import MDUpdateAction


class Rung(Enum):
    """What stands at a position where no level is known."""

    UNTOLD = "it may hold anything"
    EMPTY = "nothing"


_Rungs = list[Any]
"""Levels, or a Rung, by position."""
_WRITING: Final = frozenset({MDUpdateAction.NEW, MDUpdateAction.CHANGE, MDUpdateAction.OVERLAY})


class Refresh:
    """What was told since a loss of the outright (0) and the implied book (1), whose depths are given."""

    __slots__ = ("_rungs", "depths")

    def __init__(self, depths: Sequence[int]) -> None:
        self.depths = tuple(depths)
        self._rungs: list[tuple[_Rungs, _Rungs]] = []
        self.begin()

    def begin(self) -> None:
        """Know nothing."""
        self._rungs = [([Rung.UNTOLD] * depth, [Rung.UNTOLD] * depth) for depth in self.depths]

    @property
    def whole(self) -> bool:
        """Say whether every position of both outright sides is told, or empty."""
        return not any(Rung.UNTOLD in side for side in self._rungs[0])

    def apply(
        self, book: int, side: Side, action: int, position: int, price: int | None, quantity: int | None, orders: int
    ) -> None:
        """Take one entry; one that contradicts what was told begins anew."""
        rungs, at = self._rungs[book][side], position - 1
        sound = 0 <= at < len(rungs)
        if sound and action in _WRITING:
            sound = self._write(rungs, action, at, price, quantity, orders)
        elif sound:
            sound = _is_level(rungs[at], price if action == MDUpdateAction.DELETE else None)
            first = 0 if action == MDUpdateAction.DELETE_THRU else at
            end = len(rungs) if action == MDUpdateAction.DELETE_FROM else at + 1
            rungs[first:end] = []
            rungs += [Rung.EMPTY] * (end - first)
        if not sound:
            self.begin()

    def ladders(self) -> list[tuple[Ladder, Ladder]] | None:
        """Give the books as ladders; None when the outright one is none."""
        made = [tuple(self._ladder(book, side) for side in Side) for book in (0, 1)]
        return made if all(ladder.sound for ladder in made[0]) else None  # type: ignore[return-value]

    def _write(self, rungs: _Rungs, action: int, at: int, price: int | None, quantity: int | None, orders: int) -> bool:
        if price is None or quantity is None or quantity < 0 or (at and rungs[at - 1] is Rung.EMPTY):
            return False
        if action == MDUpdateAction.CHANGE and not _is_level(rungs[at], price):
            return False
        level = Level(price, quantity, max(0, orders))
        if action == MDUpdateAction.NEW:
            rungs.insert(at, level)
            del rungs[-1]
        else:
            rungs[at] = level
        return True

    def _ladder(self, book: int, side: Side) -> Ladder:
        rungs = self._rungs[book][side]
        while rungs and rungs[-1] is Rung.EMPTY:
            rungs = rungs[:-1]
        return Ladder.of(side, self.depths[book], [one if isinstance(one, Level) else None for one in rungs])


def _is_level(rung: Any, price: int | None) -> bool:
    """Say whether a level can stand there, of that price where one is given."""
    if isinstance(rung, Level):
        return price is None or rung.price == price
    return rung is Rung.UNTOLD
