"""One instrument of a simulated Starbase venue: its orders, and the messages that tell what happens to them.

Priority within a price is `sortOrderId` alone, smaller first. An action changes the book and gives the messages of one
transaction as (template, fields); who sends them sets flags and time.

    rest a new order                    Put
    change price, or more quantity      Put of the known order, with a new sortOrderId
    less quantity                       QtyReduced with what remains; the priority stays
    leave                               Delete
    an order that takes others          TradeSummary, a Trade for each maker, Put of what it leaves to rest, then Delete
                                        or QtyReduced of the makers: the book is crossed in between

Invariant: between transactions nothing is crossed.
"""

from dataclasses import dataclass, field, replace
from typing import Any, Final

from netfeed.sim.account import Row
from netfeed.sim.starbase_chain import Instrument
from netfeed.wire.starbase import TemplateId, TradeFlags

BID: Final = 0
ASK: Final = 1
Told = tuple[int, dict[str, Any]]
"""A message before it is encoded: template and fields."""


@dataclass(frozen=True, slots=True)
class Resting:
    """An order in the book."""

    id: int
    side: int
    price: int
    quantity: int
    sort: int


@dataclass(slots=True)
class Market:
    """The orders of one instrument. `quotes` are the market maker's two order ids."""

    instrument: Instrument
    orders: dict[int, Resting] = field(default_factory=dict)
    quotes: tuple[int, int] = (0, 0)
    halted: bool = False

    # -- reading

    def queue(self, side: int) -> list[Resting]:
        """List the orders of a side, the next to be filled first."""
        sign = 1 if side == ASK else -1
        mine = (order for order in self.orders.values() if order.side == side)
        return sorted(mine, key=lambda order: (sign * order.price, order.sort))

    def best(self, side: int) -> int | None:
        """Give the best price of a side."""
        queue = self.queue(side)
        return queue[0].price if queue else None

    def rows(self, side: int) -> tuple[Row, ...]:
        """Give the levels of a side, the best first."""
        levels: dict[int, tuple[int, int]] = {}
        for order in self.queue(side):
            quantity, count = levels.get(order.price, (0, 0))
            levels[order.price] = (quantity + order.quantity, count + 1)
        return tuple((price, *level) for price, level in levels.items())

    def passive(self, side: int, price: int) -> int:
        """Move a price so that it takes nothing. 0: it cannot be quoted."""
        other = self.best(1 - side)
        if side == ASK:
            return max(price, (other or 0) + self.instrument.step(other or 0))
        return max(price if other is None else min(price, self.instrument.on_tick(other - 1)), 0)

    # -- actions

    def put(self, order: Resting) -> list[Told]:
        """Rest an order, or give a known one another price, quantity and priority."""
        self.orders[order.id] = order
        fields = {
            "orderId": order.id, "instrumentId": self.instrument.id, "quantity": order.quantity, "price": order.price,
            "sortOrderId": order.sort,
        }  # fmt: skip
        return [(TemplateId.BID_PUT + order.side, fields)]

    def shrink(self, order_id: int, left: int) -> list[Told]:
        """Leave an order only so much, or remove it when that is nothing."""
        order = self.orders.pop(order_id)
        named = {"orderId": order_id, "instrumentId": self.instrument.id}
        if not left:
            return [(TemplateId.BID_DELETE + order.side, named)]
        self.orders[order_id] = replace(order, quantity=left)
        return [(TemplateId.BID_QTY_REDUCED + order.side, named | {"quantity": left})]

    def take(self, order: Resting, match: int, mark: int, index: int) -> list[Told]:
        """Fill an order from the other side as far as its price goes; what is left rests. `match`: its first match."""
        fills = self._fills(order)
        filled = sum(quantity for _, quantity in fills)
        left = replace(order, quantity=order.quantity - filled)
        if not fills:
            return self.put(left)
        told = [self._summary(order, fills, filled, mark, index)]
        told += [self._trade(match + place, *fill) for place, fill in enumerate(fills)]
        told += self.put(left) if left.quantity else []
        return told + [one for maker, quantity in fills for one in self.shrink(maker.id, maker.quantity - quantity)]

    def _fills(self, order: Resting) -> list[tuple[Resting, int]]:
        fills, left = [], order.quantity
        for maker in self.queue(1 - order.side):
            beyond = maker.price > order.price if order.side == BID else maker.price < order.price
            if not left or beyond:
                break
            fills.append((maker, min(left, maker.quantity)))
            left -= fills[-1][1]
        return fills

    def _summary(self, taker: Resting, fills: list[tuple[Resting, int]], filled: int, mark: int, index: int) -> Told:
        return TemplateId.TRADE_SUMMARY, {
            "instrumentId": self.instrument.id, "takerOrderId": taker.id, "totalFilled": filled,
            "deepestPrice": fills[-1][0].price, "markPrice": mark, "indexPrice": index, "tradeCount": len(fills),
            "takerFlags": int(TradeFlags.IS_SELL) if taker.side == ASK else 0,
        }  # fmt: skip

    def _trade(self, match: int, maker: Resting, quantity: int) -> Told:
        return TemplateId.TRADE, {
            "matchId": match, "instrumentId": self.instrument.id, "makerOrderId": maker.id, "fillQty": quantity,
            "fillPrice": maker.price, "makerFlags": int(TradeFlags.IS_SELL) if maker.side == ASK else 0,
        }  # fmt: skip
