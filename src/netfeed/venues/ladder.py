"""One side of a book whose levels are named by their position: CME's market by price.

Source: CME's client documentation of market by price, FIX 5.0 SP2 for the two actions that CME lists without an example
(`Delete Thru`: the best levels down to the one named; `Delete From`: the one named and all worse ones).

    New       the level is inserted at its position, those behind it move back, what leaves the depth is gone
    Change    the level at the position is another; nothing moves
    Delete    the level goes, those behind it move forward
    Overlay   whatever stands at the position is replaced; nothing moves

A position that was never told is a hole (None): a late join knows some levels and not others. A ladder is *sound* when
it has no hole and its prices grow worse with every position - that is what a complete book must be at the end of an
event.
"""

from collections.abc import Iterable
from itertools import pairwise
from typing import Final

from netfeed.book.level import Level, Side
from netfeed.wire.cme import MDUpdateAction

MAX_DEPTH: Final = 255
"""Positions are one byte on the wire."""


class Ladder:
    """The levels of one side by position, the best first."""

    __slots__ = ("_rungs", "_side", "depth")

    def __init__(self, side: Side, depth: int) -> None:
        self.depth = depth
        self._side = side
        self._rungs: list[Level | None] = []

    @classmethod
    def of(cls, side: Side, depth: int, rungs: Iterable[Level | None]) -> "Ladder":
        """Make a ladder of what stands at each position, None where that is not known."""
        made = cls(side, depth)
        made._rungs = list(rungs)
        return made

    def apply(self, action: int, position: int, price: int | None, quantity: int | None, orders: int = 0) -> bool:
        """Do what one entry says, and say whether that made sense. To delete, price and quantity may be absent."""
        at = position - 1
        if not 0 <= at < self.depth or action not in _ACTIONS:
            return False
        if action in _WRITING:
            return self._write(action, at, price, quantity, orders)
        if at >= len(self._rungs) or (action == MDUpdateAction.DELETE and self._is_other(at, price)):
            return False
        first = 0 if action == MDUpdateAction.DELETE_THRU else at
        end = len(self._rungs) if action == MDUpdateAction.DELETE_FROM else at + 1
        del self._rungs[first:end]
        return True

    def _write(self, action: int, at: int, price: int | None, quantity: int | None, orders: int) -> bool:
        if price is None or quantity is None or quantity < 0:
            return False
        if action == MDUpdateAction.CHANGE and self._is_other(at, price):
            return False
        level = Level(price, quantity, max(0, orders))
        self._rungs += [None] * (at - len(self._rungs) + (action != MDUpdateAction.NEW))
        if action == MDUpdateAction.NEW:
            self._rungs.insert(at, level)
            del self._rungs[self.depth :]
        else:
            self._rungs[at] = level
        return True

    def _is_other(self, at: int, price: int | None) -> bool:
        known = self._rungs[at] if at < len(self._rungs) else None
        return known is not None and price is not None and known.price != price

    def clear(self) -> None:
        """Remove all levels."""
        self._rungs.clear()

    @property
    def sound(self) -> bool:
        """Say whether there is no hole and every price is worse than the one before."""
        prices = [rung.price for rung in self._rungs if rung]
        worse = -1 if self._side == Side.BID else 1
        ordered = all((b - a) * worse > 0 for a, b in pairwise(prices))
        return ordered and len(prices) == len(self._rungs)

    def levels(self) -> list[Level]:
        """List the levels that are known, one for each price."""
        return list({rung.price: rung for rung in reversed(self._rungs) if rung}.values())[::-1]


_ACTIONS: Final = frozenset(MDUpdateAction)
_WRITING: Final = frozenset({MDUpdateAction.NEW, MDUpdateAction.CHANGE, MDUpdateAction.OVERLAY})
