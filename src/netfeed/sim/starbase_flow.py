"""What happens on a simulated Starbase venue, step by step: an index that walks, orders that come and go, quotes.

A step is one transaction: the messages of one action, on one instrument or, for the market maker's mass quote, on
several. `FLOW` says how often each action is taken. An action that cannot be (nothing rests) becomes a new order.

sortOrderId rises with time but for an order that waited in the speed bump: it has kept its place from before, and
arrives with a smaller one than orders that were published earlier.

Invariant: the same draws give the same messages; each tells the truth about the books (`starbase_market`).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from netfeed.sim.draws import Draws
from netfeed.sim.starbase_chain import INDEX, INDEXES, NANO, Instrument, chain
from netfeed.sim.starbase_market import ASK, BID, Market, Resting, Told
from netfeed.wire.starbase import InstrumentStatus, TemplateId

FLOW: Final = (
    # action, how often
    ("place", 36), ("amend", 14), ("reduce", 9), ("leave", 21), ("cross", 9), ("quote", 3), ("info", 3),
    ("move", 2), ("reference", 1), ("block", 1), ("status", 1),
)  # fmt: skip
_ACTIONS: Final = tuple(name for name, often in FLOW for _ in range(often))
BOOK_DEPTH: Final = 14
"""About so many orders rest on a side; above it orders leave instead of coming."""
_SORT_STEP: Final = 8
_QUOTED: Final = 8
"""A mass quote is for so many instruments."""


def gaps(draws: Draws, count: int, mean_gap_ns: int) -> list[int]:
    """Draw the times between steps: half of them a few microseconds, the others long. Units: ns."""
    lengths, waits, near, _ = draws.parts(count)
    return [
        2_000 + wait // 4 if close < 32_768 else 8 * mean_gap_ns * length * wait >> 32
        for length, wait, close in zip(lengths.tolist(), waits.tolist(), near.tolist(), strict=True)
    ]


class Flow:
    """The venue: its markets, and the numbers that rise."""

    def __init__(self, draws: Draws, instruments: Sequence[Instrument] | None = None) -> None:
        self.markets = [Market(instrument) for instrument in instruments or chain()]
        self.index = INDEXES[INDEX][1]
        self._draws = draws
        self._picks: Iterator[int] = iter(())
        self._order, self._sort, self._match = 7_000_000, 50_000_000, 400_000
        self._bumped: set[int] = set()

    def step(self) -> list[Told]:
        """Take one action and give its messages."""
        self.index += (self.below(2001) - 1000) * NANO // 100  # at most 10 USD
        # Half of all steps are in the futures.
        market = self.markets[self.below(min(2, len(self.markets))) if self.below(2) else self.below(len(self.markets))]
        if market.halted:
            return self.status(market)
        action: Callable[[Market], list[Told]] = getattr(self, _ACTIONS[self.below(len(_ACTIONS))])
        return action(market)

    def below(self, bound: int) -> int:
        """Draw a number from 0 to `bound` - 1."""
        pick = next(self._picks, None)
        if pick is None:
            self._picks = reversed((self._draws.words(4096) >> 32).tolist())
            pick = next(self._picks)
        return pick * bound >> 32

    # -- actions

    def place(self, market: Market) -> list[Told]:
        """A new order behind the touch or at it; in a full book one leaves instead."""
        side = self.below(2)
        if market.book.depth(side) > BOOK_DEPTH:
            return self.leave(market)
        order = self._new(market, side, self._price(market, side))
        # One in six waited in the speed bump.
        return market.put(order if self.below(6) else replace(order, sort=self._early())) if order.price else []

    def amend(self, market: Market) -> list[Told]:
        """An order gets another price, or more quantity at its own, and with it another place in the queue."""
        order = self._any(market)
        if order is None:
            return self.place(market)
        if self.below(3):
            price = self._price(market, order.side)
            return market.put(replace(order, price=price, sort=self._next_sort())) if price else []
        return market.put(replace(order, quantity=order.quantity + self._quantity(market), sort=self._next_sort()))

    def reduce(self, market: Market) -> list[Told]:
        """An order gets less quantity and keeps its place."""
        order = self._any(market)
        lots = order.quantity // market.instrument.lot if order else 0
        if order is None or lots < 2:
            return self.place(market)
        return market.shrink(order.id, (1 + self.below(lots - 1)) * market.instrument.lot)

    def leave(self, market: Market) -> list[Told]:
        """An order leaves."""
        order = self._any(market)
        return market.shrink(order.id, 0) if order else self.place(market)

    def cross(self, market: Market) -> list[Told]:
        """An order comes that is filled at once, and rests with what it does not get."""
        side = self.below(2)
        against = market.queue(1 - side)
        if not against:
            return self.place(market)
        deep = against[min(self.below(4), len(against) - 1)].price
        order = replace(self._new(market, side, deep), quantity=self._quantity(market) * (1 + self.below(4)))
        match, self._match = self._match + 1, self._match + 20
        return market.take(order, match, market.instrument.fair(self.index), self.index)

    def quote(self, market: Market) -> list[Told]:
        """The market maker moves both sides of several instruments at once."""
        first = self.below(len(self.markets))
        chosen = [self.markets[(first + place) % len(self.markets)] for place in range(_QUOTED)]
        return [one for market in chosen if not market.halted for one in self._quote(market)]

    def info(self, market: Market) -> list[Told]:
        """The venue tells a new mark price and the band around it."""
        mark = market.instrument.fair(self.index)
        fields = {"minSellPrice": mark * 9 // 10, "maxBuyPrice": mark * 11 // 10, "markPrice": mark}
        return [(TemplateId.INSTRUMENT_INFO, {"instrumentId": market.instrument.id} | fields)]

    def move(self, market: Market) -> list[Told]:
        """The venue tells the price of each index."""
        prices = {index: self.index if index == INDEX else price for index, (_, price) in INDEXES.items()}
        return [(TemplateId.INDEX_INFO, {"indexId": index, "indexPrice": price}) for index, price in prices.items()]

    def reference(self, market: Market) -> list[Told]:
        """Funding and open interest; what is not known yet is absent."""
        known = {"currentFunding": self.below(1000) / 2**20, "openInterest": float(self.below(10**6))}
        return [(TemplateId.INSTRUMENT_REF, {"instrumentId": market.instrument.id} | known)]

    def block(self, market: Market) -> list[Told]:
        """A trade that was agreed elsewhere; no order has to do with it."""
        self._match += 1
        mark = market.instrument.fair(self.index)
        fields = {
            "matchId": self._match, "instrumentId": market.instrument.id, "blockTradeId": 9_000_000 + self._match,
            "fillQty": 50 * self._quantity(market), "fillPrice": market.instrument.on_tick(mark), "markPrice": mark,
            "indexPrice": self.index, "takerFlags": self.below(2), "numberOfLegs": 1,
        }  # fmt: skip
        return [(TemplateId.BLOCK_TRADE, fields)]

    def status(self, market: Market) -> list[Told]:
        """An instrument halts, or opens again; while it is halted nothing else happens to it."""
        market.halted = not market.halted
        status = InstrumentStatus.HALTED if market.halted else InstrumentStatus.OPEN
        fields = {"instrumentId": market.instrument.id, "tradingStatus": int(status)}
        return [(TemplateId.INSTRUMENT_STATUS_UPDATE, fields)]

    def enter(self, market: Market, side: int, price: int, quantity: int) -> tuple[int, list[Told]]:
        """Let an order from outside in: it is filled as far as its price goes and rests with the rest. Give its id."""
        self._order += 1
        match, self._match = self._match + 1, self._match + 1 + market.book.depth(1 - side)
        order = Resting(self._order, side, price, quantity, self._next_sort())
        return order.id, market.take(order, match, market.instrument.fair(self.index), self.index)

    # -- what actions are made of

    def _new(self, market: Market, side: int, price: int) -> Resting:
        self._order += 1 + self.below(9)
        return Resting(self._order, side, price, self._quantity(market), self._next_sort())

    def _quote(self, market: Market) -> list[Told]:
        told: list[Told] = []
        for side in (BID, ASK):
            order_id = market.quotes[side]
            if order_id not in market.orders:
                self._order += 1 + self.below(9)
                order_id = self._order
            price = self._price(market, side)
            if price:
                market.quotes = (order_id, market.quotes[ASK]) if side == BID else (market.quotes[BID], order_id)
                told += market.put(Resting(order_id, side, price, 5 * self._quantity(market), self._next_sort()))
        return told

    def _any(self, market: Market) -> Resting | None:
        """Pick an order, the ones near the touch more often."""
        queue = market.queue(self.below(2))
        return queue[self.below(1 + self.below(len(queue)))] if queue else None

    def _price(self, market: Market, side: int) -> int:
        """Draw a price on the far side of the fair one that takes nothing; 0 when it would have to be 0."""
        instrument = market.instrument
        fair = instrument.fair(self.index)
        away = (1 + self.below(1 + self.below(12))) * instrument.step(fair)
        return market.passive(side, instrument.on_tick(fair - away if side == BID else fair + away))

    def _quantity(self, market: Market) -> int:
        return market.instrument.lot * (1 + self.below(1 + self.below(60)))

    def _next_sort(self) -> int:
        self._sort += _SORT_STEP
        return self._sort

    def _early(self) -> int:
        """Give a place from some time ago that nobody has."""
        early = self._sort - _SORT_STEP * self.below(40) + 1
        while early in self._bumped or early % _SORT_STEP == 0:
            early += 1
        self._bumped.add(early)
        return early
