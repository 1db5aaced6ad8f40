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
from netfeed.sim.matching import ASK, BID, Fill, MatchingBook, Resting
from netfeed.sim.starbase_chain import Instrument
from netfeed.wire.starbase import TemplateId, TradeFlags

__all__ = ["ASK", "BID", "Market", "Resting", "Told", "put"]

Told = tuple[int, dict[str, Any]]
"""A message before it is encoded: template and fields."""
_REDUCED: Final = TemplateId.BID_QTY_REDUCED


@dataclass(slots=True)
class Market:
    """One instrument and the book of its orders. `quotes` are the market maker's two order ids."""

    instrument: Instrument
    book: MatchingBook = field(default_factory=MatchingBook)
    quotes: tuple[int, int] = (0, 0)
    halted: bool = False

    # -- reading

    @property
    def orders(self) -> dict[int, Resting]:
        """Give the orders by id."""
        return self.book.orders

    def queue(self, side: int) -> list[Resting]:
        """List the orders of a side, the next to be filled first."""
        return self.book.queue(side)

    def best(self, side: int) -> int | None:
        """Give the best price of a side."""
        return self.book.best(side)

    def rows(self, side: int) -> tuple[Row, ...]:
        """Give the levels of a side, the best first."""
        return self.book.rows(side)

    def passive(self, side: int, price: int) -> int:
        """Move a price so that it takes nothing. 0: it cannot be quoted."""
        other = self.best(1 - side)
        if side == ASK:
            return max(price, (other or 0) + self.instrument.step(other or 0))
        return max(price if other is None else min(price, self.instrument.on_tick(other - 1)), 0)

    # -- actions

    def put(self, order: Resting) -> list[Told]:
        """Rest an order, or give a known one another price, quantity and priority."""
        self.book.put(order)
        return [put(self, order)]

    def shrink(self, order_id: int, left: int) -> list[Told]:
        """Leave an order only so much, or remove it when that is nothing."""
        order = self.book.shrink(order_id, left)
        named = {"orderId": order_id, "instrumentId": self.instrument.id}
        if not left:
            return [(TemplateId.BID_DELETE + order.side, named)]
        return [(_REDUCED + order.side, named | {"quantity": left})]

    def take(self, order: Resting, match: int, mark: int, index: int) -> list[Told]:
        """Fill an order from the other side as far as its price goes; what is left rests. `match`: its first match."""
        fills = self.book.matched(order)
        filled = sum(quantity for _, quantity in fills)
        left = replace(order, quantity=order.quantity - filled)
        if not fills:
            return self.put(left)
        told = [self._summary(order, fills, filled, mark, index)]
        told += [self._trade(match + place, *fill) for place, fill in enumerate(fills)]
        told += self.put(left) if left.quantity else []
        return told + [one for maker, quantity in fills for one in self.shrink(maker.id, maker.quantity - quantity)]

    def _summary(self, taker: Resting, fills: list[Fill], filled: int, mark: int, index: int) -> Told:
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


def put(market: Market, order: Resting) -> Told:
    """Tell an order as it rests."""
    fields = {
        "orderId": order.id, "instrumentId": market.instrument.id, "quantity": order.quantity, "price": order.price,
        "sortOrderId": order.sort,
    }  # fmt: skip
    return TemplateId.BID_PUT + order.side, fields
