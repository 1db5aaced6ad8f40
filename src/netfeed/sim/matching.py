"""A limit order book that matches: price first, then `sort`, the place in the queue; a smaller one is filled first.

An order that comes is filled by those that rest on the other side, the best first, each at the price of the one that
rests; what is left rests itself. Which number `sort` is, is the venue's rule: the time of arrival, or an id that an
amend renews.

Invariant: an order that was `matched` and `executed` before it rests crosses nothing. Both sides are kept in order, so
that the best is read, not searched.

Leaves out: what is told about it (`starbase_market`), hidden and stop orders, self-match rules.
"""

from bisect import bisect_left, insort
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from netfeed.book.digest import Row, digest

BID: Final = 0
ASK: Final = 1

_Place = tuple[int, int, int]
"""Price (negative for bids), sort, id."""


@dataclass(frozen=True, slots=True)
class Resting:
    """An order in the book."""

    id: int
    side: int
    price: int
    quantity: int
    sort: int


class Fill(NamedTuple):
    """So much of a resting order, at its own price."""

    maker: Resting
    quantity: int


class MatchingBook:
    """The orders of one instrument. `orders` may be read by anyone, and is changed here only."""

    def __init__(self) -> None:
        self.orders: dict[int, Resting] = {}
        self._sides: tuple[list[_Place], list[_Place]] = ([], [])

    # -- reading

    def queue(self, side: int) -> list[Resting]:
        """List the orders of a side, the next to be filled first."""
        return [self.orders[place[2]] for place in self._sides[side]]

    def depth(self, side: int) -> int:
        """Count the orders of a side."""
        return len(self._sides[side])

    def best(self, side: int) -> int | None:
        """Give the best price of a side."""
        places = self._sides[side]
        return self.orders[places[0][2]].price if places else None

    def rows(self, side: int) -> tuple[Row, ...]:
        """Give the levels of a side, the best first."""
        levels: dict[int, tuple[int, int]] = {}
        for _, _, order_id in self._sides[side]:
            order = self.orders[order_id]
            quantity, count = levels.get(order.price, (0, 0))
            levels[order.price] = (quantity + order.quantity, count + 1)
        return tuple((price, *level) for price, level in levels.items())

    def digest(self) -> int:
        """Give the digest of the whole book."""
        return digest(self.rows(BID), self.rows(ASK))

    def matched(self, order: Resting) -> list[Fill]:
        """Say which resting orders would fill a new one, and how much of each; nothing changes."""
        fills, left = [], order.quantity
        for _, _, order_id in self._sides[1 - order.side]:
            maker = self.orders[order_id]
            beyond = maker.price > order.price if order.side == BID else maker.price < order.price
            if not left or beyond:
                break
            fills.append(Fill(maker, min(left, maker.quantity)))
            left -= fills[-1].quantity
        return fills

    # -- changing

    def put(self, order: Resting) -> None:
        """Rest an order, or give a known one another price, quantity and place."""
        if order.id in self.orders:
            self._leave(self.orders[order.id])
        self.orders[order.id] = order
        insort(self._sides[order.side], _place(order))

    def shrink(self, order_id: int, left: int) -> Resting:
        """Leave an order only so much, at its place, or remove it when that is nothing; give it as it was."""
        order = self.orders[order_id]
        if left:
            self.orders[order_id] = replace(order, quantity=left)
        else:
            self._leave(order)
            del self.orders[order_id]
        return order

    def enter(self, order: Resting) -> list[Fill]:
        """Fill an order from the other side as far as its price goes, and rest what is left."""
        fills = self.matched(order)
        for maker, quantity in fills:
            self.shrink(maker.id, maker.quantity - quantity)
        left = order.quantity - sum(fill.quantity for fill in fills)
        if left:
            self.put(replace(order, quantity=left))
        return fills

    def _leave(self, order: Resting) -> None:
        places = self._sides[order.side]
        del places[bisect_left(places, _place(order))]


def _place(order: Resting) -> _Place:
    return (order.price if order.side == ASK else -order.price, order.sort, order.id)
