"""Where an order of ours stands in a recorded queue: how much would be filled before it.

It joins behind all that rests at its price when it arrives. From there on it only moves up:

    single orders (L3)    exactly: those that were there with their priority are ahead while they rest; one that came
                          later, or that lost its priority, is behind
    levels alone (L2)     by the careful rule: what was traded at the price is taken off what is ahead, and what was
                          cancelled is taken off what is behind, as long as there is anything behind

What rests at better prices is ahead, too, whenever it came. `moved` tells how much of what was ahead has left since the
last look: a packet that holds both trades and cancels does not say which of the two it was for, and then all of it was
filled before us.
"""

from collections.abc import Sequence
from typing import Any, Final

from netfeed.book.level import Level, Side
from netfeed.engine.placing import behind
from netfeed.sim.fill_depth import Depth
from netfeed.sim.fill_tape import Traded

MAX_BETTER: Final = 64
"""Levels before ours that are watched; an order behind more of them is not filled by what is traded in one packet."""


class Place:
    """The place of one order. Units: of the instrument's quantity."""

    __slots__ = ("_better", "_marks", "_price", "_side", "ahead")

    def __init__(self, depth: Depth, side: Side, price: int) -> None:
        self._side, self._price = side, price
        self._better, here = self._look(depth)
        self._marks = _queue(depth.book, side, price)
        self.ahead = sum(self._marks.values()) if self._marks is not None else _at(depth.book, side, price, here)

    @property
    def before(self) -> int | None:
        """Give all that would be filled before it; None where too many levels are before it."""
        return None if self._better is None else self.ahead + sum(self._better.values())

    def moved(self, depth: Depth, trades: Sequence[Traded]) -> int | None:
        """Look again; give how much that was before us has gone, beyond what was traded at better prices.

        None: it was too deep to know.
        """
        better, here = self._look(depth)
        was, old = self._better, self.ahead
        gone = sum(max(0, quantity - (better or {}).get(price, 0)) for price, quantity in (was or {}).items())
        outran = sum(one.quantity for one in trades if behind(self._side, self._price, one.price))
        at_price = sum(one.quantity for one in trades if one.price == self._price)
        self._better = better
        self.ahead = self._ahead(depth, here, at_price)
        if was is None:
            return None
        return max(0, gone - outran) + max(0, old - self.ahead)

    def _ahead(self, depth: Depth, here: int | None, at_price: int) -> int:
        if self._marks is None:
            left = max(0, self.ahead - at_price)
            return left if here is None else min(left, here)
        if self._marks:
            self._marks = _left(depth.book, self._marks, self._price)
        return sum(self._marks.values())

    def _look(self, depth: Depth) -> tuple[dict[int, int] | None, int | None]:
        """Give the levels before our price, and what rests at it; None and None when it is too deep to look."""
        better: dict[int, int] = {}
        for level in depth.levels(self._side):
            if not behind(self._side, self._price, level.price):
                return better, level.quantity if level.price == self._price else 0
            if len(better) == MAX_BETTER:
                return None, None
            better[level.price] = level.quantity
        return better, 0


Marks = dict[tuple[int, int], int]
"""What is left of orders, by their id and priority."""


def _queue(book: Any, side: Side, price: int) -> Marks | None:
    """List the orders at a price; None where the book knows levels alone."""
    queue = getattr(book, "queue", None)
    if queue is None:
        return None
    return {(order.order_id, order.priority): order.quantity for order in queue(side, price)}


def _left(book: Any, before: Marks, price: int) -> Marks:
    """Keep those that are still there, with what is left of them."""
    now = {}
    for order_id, priority in before:
        order = book.order(order_id)
        if order is not None and order.price == price and order.priority == priority:
            now[order_id, priority] = order.quantity
    return now


def _at(book: Any, side: Side, price: int, here: int | None) -> int:
    """Give what rests at a price, however deep."""
    if here is not None:
        return here
    levels: Sequence[Level] = book.depth(side, 1 << 16)
    return next((level.quantity for level in levels if level.price == price), 0)
