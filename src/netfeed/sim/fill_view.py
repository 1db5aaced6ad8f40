"""A recorded book as an engine of ours would have seen it: less what we took, and with our orders in its queues.

An engine that saw what it has taken already would take it again, and again, and never get it. What rests of ours is not
in its levels: a record does not know us.
"""

from collections.abc import Sequence
from itertools import islice

from netfeed.book.level import Level, Order, Side
from netfeed.book.state import BookState
from netfeed.sim.fill_depth import Depth
from netfeed.sim.fill_orders import OwnOrders


class SeenBook:
    """One book; it keeps nothing and is always up to date."""

    __slots__ = ("_depth", "_instrument", "_orders")

    def __init__(self, depth: Depth, orders: OwnOrders, instrument: int) -> None:
        self._depth, self._orders, self._instrument = depth, orders, instrument

    @property
    def state(self) -> BookState:
        """Tell what the book knows of itself."""
        return self._depth.book.state

    @property
    def bid(self) -> Level | None:
        """Give the best bid, None on an empty side."""
        return self._best(Side.BID)

    @property
    def ask(self) -> Level | None:
        """Give the best ask, None on an empty side."""
        return self._best(Side.ASK)

    def depth(self, side: int, n: int, /) -> Sequence[Level]:
        """List up to `n` levels of a side, the best first."""
        side = Side(side)
        return list(islice(self._depth.left(side), max(n, 0))) if self._depth.is_taken(side) else (
            self._depth.book.depth(side, n)
        )  # fmt: skip

    def queue(self, side: Side, price: int) -> list[Order]:
        """List our orders at one price among all that is before each, as a book of single orders lists them.

        Of the others it says only how much they are.
        """
        rows: list[Order] = []
        before = 0
        for own in self._orders.in_turn(self._instrument, side):
            if own.price == price and own.place is not None:
                rows.append(Order(0, side, price, own.place.ahead - before, len(rows)))
                rows.append(Order(own.order_id, side, price, own.left, len(rows)))
                before = own.place.ahead
        return rows

    def _best(self, side: Side) -> Level | None:
        return next(self._depth.left(side), None) if self._depth.is_taken(side) else self._depth.best(side)
