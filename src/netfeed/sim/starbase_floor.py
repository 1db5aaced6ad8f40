"""The floor of a simulated Starbase venue: the order flow of `starbase_flow` as transactions on the wire.

Invariant: the same seed gives the same steps and times. An order from outside is matched in the same books; its
transaction is returned to whoever brought it, to be published like any other.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from netfeed.sim.draws import Draws
from netfeed.sim.floor import BookFacts, Transaction
from netfeed.sim.starbase_chain import INDEXES, chain, definition, index_definition
from netfeed.sim.starbase_flow import Flow, gaps
from netfeed.sim.starbase_market import ASK, BID, Market, Told, put
from netfeed.sim.starbase_packets import transaction
from netfeed.wire.starbase import TemplateId

FILLED: Final = 8
"""So many orders come to each instrument before the session."""
_BLOCK: Final = 1024
_BOOK: Final = range(TemplateId.BID_PUT, TemplateId.ASK_DELETE + 1)


class StarbaseFloor:
    """A chain of a perpetual, a future and options; `count` of its instruments."""

    def __init__(self, seed: int, *, count: int | None = None, mean_gap_ns: int = 1_000_000) -> None:
        self._draws = Draws(seed)
        self._times = Draws(seed ^ 0x7135)
        self.flow = Flow(self._draws, chain()[:count])
        self._markets = {market.instrument.id: market for market in self.flow.markets}
        self._mean_ns = mean_gap_ns
        self._gaps: Iterator[int] = iter(())
        self._filled = False

    @property
    def instruments(self) -> Sequence[int]:
        """Name the instruments by their ids."""
        return list(self._markets)

    def market(self, instrument: int) -> Market | None:
        """Give the market of an instrument."""
        return self._markets.get(instrument)

    def open(self, wall_ns: int) -> Iterator[Transaction]:
        """Define indexes and instruments; tell the orders that rest, or let the first ones come, one after another."""
        for index in INDEXES:
            yield Transaction([index_definition(index, wall_ns)], ())
        for market in self.flow.markets:
            yield Transaction([definition(market.instrument, wall_ns, halted=market.halted)], ())
        if self._filled:
            yield from (self._again(market, wall_ns) for market in self.flow.markets if market.orders)
        else:
            self._filled = True
            rounds = [market for _ in range(FILLED) for market in self.flow.markets]
            yield from (self._told(self.flow.place(market), wall_ns) for market in rounds)

    def gap_ns(self) -> int:
        """Draw the time until the next step."""
        gap = next(self._gaps, None)
        if gap is None:
            self._gaps = iter(gaps(self._times, _BLOCK, self._mean_ns))
            gap = next(self._gaps)
        return gap

    def pace(self, mean_gap_ns: int) -> None:
        """Let steps follow each other this fast from now on."""
        self._mean_ns = mean_gap_ns
        self._gaps = iter(())

    def step(self, wall_ns: int) -> Transaction:
        """Take the next step of the flow."""
        return self._told(self.flow.step(), wall_ns)

    def facts(self, instrument: int) -> BookFacts:
        """Give the book of an instrument."""
        market = self._markets[instrument]
        named = market.instrument
        return BookFacts(named.name, market.rows(BID), market.rows(ASK), named.exponents)

    def enter(self, instrument: int, side: int, price: int, quantity: int, wall_ns: int) -> tuple[int, Transaction]:
        """Let an order from outside in; give its id and what is told of it."""
        order_id, told = self.flow.enter(self._markets[instrument], side, price, quantity)
        return order_id, self._told(told, wall_ns)

    def cancel(self, instrument: int, order_id: int, wall_ns: int) -> Transaction:
        """Let an order leave. Nothing is told of one that does not rest."""
        market = self._markets[instrument]
        told = market.shrink(order_id, 0) if order_id in market.orders else []
        return self._told(told, wall_ns)

    def _again(self, market: Market, wall_ns: int) -> Transaction:
        return self._told([put(market, order) for side in (BID, ASK) for order in market.queue(side)], wall_ns)

    def _told(self, told: Sequence[Told], wall_ns: int) -> Transaction:
        touched = dict.fromkeys(int(fields["instrumentId"]) for template, fields in told if template in _BOOK)
        return Transaction(transaction(told, wall_ns), list(touched), told)
