"""The floor of a simulated Starbase venue whose orders all have owners: a crowd trades, and whoever comes by a gateway.

It takes the place of `StarbaseFloor`, so that multicast, snapshots, retransmission and JSON-RPC tell of the same books.
What it does reaches the accounts by the switchboard; what accounts do waits there for the venue to be published.

Invariant: the same seed and the same requests give the same steps.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from netfeed.sim.crowd import Crowd
from netfeed.sim.draws import Draws
from netfeed.sim.exchange import Exchange
from netfeed.sim.exchange_log import Log
from netfeed.sim.exchange_rules import band
from netfeed.sim.exchange_trading import BAND, Outcome
from netfeed.sim.floor import Transaction
from netfeed.sim.margin import Rates
from netfeed.sim.starbase_chain import INDEXES, Instrument, chain, definition, index_definition
from netfeed.sim.starbase_floor import StarbaseFloor
from netfeed.sim.starbase_flow import Flow
from netfeed.sim.starbase_market import Market, Told
from netfeed.sim.switchboard import Switchboard
from netfeed.wire.starbase import TemplateId

ROUNDS: Final = 4
"""So many orders come to each side of each instrument before the session."""
_INFO: Final = 24
"""One step in so many tells a mark price and its band as well."""


class ExchangeFlow(Flow):
    """The instruments of the exchange, and what is told of them: its own bands."""

    band: int = BAND

    def info(self, market: Market) -> list[Told]:
        """Tell the mark price of an instrument, and the band that orders must keep."""
        mark = market.instrument.fair(self.index)
        low, high = band(market.instrument, mark, self.band)
        fields = {"minSellPrice": low, "maxBuyPrice": high, "markPrice": mark}
        return [(TemplateId.INSTRUMENT_INFO, {"instrumentId": market.instrument.id} | fields)]


class ExchangeFloor(StarbaseFloor):
    """The floor. `board` leads to its exchange; `crowd` may be silenced with `pace` of the venue.

    `listing`: other instruments than those of `starbase_chain`. Units: `wall_ns` makes ns since 1970 of its driver's
    clock; `at_ns` since 1970 is when it opens.
    """

    def __init__(
        self,
        seed: int,
        *,
        count: int | None = None,
        mean_gap_ns: int = 1_000_000,
        wall_ns: int = 0,
        at_ns: int = 0,
        bump_ns: int = 0,
        informed: bool = True,
        band: int = BAND,
        rates: Rates | None = None,
        log: Log | None = None,
        listing: Sequence[Instrument] | None = None,
    ) -> None:
        super().__init__(seed, count=count, mean_gap_ns=mean_gap_ns)
        self.flow = ExchangeFlow(Draws(seed), list(listing or chain(at_ns))[:count])
        self.flow.band = band
        self._markets = {market.instrument.id: market for market in self.flow.markets}
        self.exchange = Exchange(self.flow.markets, bump_ns=bump_ns, band=band, rates=rates, log=log)
        self.board = Switchboard(self.exchange, wall_ns)
        self.crowd = Crowd(self.exchange, seed, informed=informed)
        self._infos = Draws(seed ^ 0x1F0)

    def open(self, wall_ns: int) -> Iterator[Transaction]:
        """Define indexes and instruments; tell the orders that rest, or let the crowd's first ones come."""
        for index in INDEXES:
            yield Transaction([index_definition(index, wall_ns)], ())
        for market in self.flow.markets:
            yield Transaction([definition(market.instrument, wall_ns, halted=market.halted)], ())
        if any(market.orders for market in self.flow.markets):
            self.board.take()
            yield from (self._again(market, wall_ns) for market in self.flow.markets if market.orders)
        else:
            yield from (self._told(one.told, wall_ns) for one in self.crowd.open(ROUNDS, wall_ns))

    def step(self, wall_ns: int) -> Transaction:
        """Let the crowd do something, and time what is due."""
        done = [*self.exchange.wake(wall_ns), *self.crowd.step(wall_ns)]
        told = [message for one in done for message in self._of(one)]
        self.flow.index = self.exchange.trading.index
        draw = int(self._infos.below(1, _INFO * len(self.flow.markets))[0])
        if draw < len(self.flow.markets):
            told += self.flow.info(self.flow.markets[draw])
        return self._told(told, wall_ns)

    def waiting(self, wall_ns: int) -> Iterator[Transaction]:
        """Drain what accounts did, to be published."""
        self.flow.index = self.exchange.trading.index
        yield from (self._told(told, wall_ns) for told in self.board.take())

    def _of(self, outcome: Outcome) -> list[Told]:
        """Carry reports to their accounts, and give the messages for the feed."""
        self.board.route(outcome, outcome.at_ns - self.board.wall_ns)
        return [message for told in self.board.take() for message in told]
