"""Traders of a simulated exchange, from a seed: some who act at random, and one who knows what comes.

The random ones rest orders behind the touch, change and cancel them, and take from either side. The informed one sees
where the index goes before it is told, and takes what is then mispriced by more than EDGE steps: whoever quotes loses
to it when he is slow. All of them have accounts and limits like anybody, and ask in the same words.

Invariant: the same seed and the same books give the same steps.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from netfeed.book.execution import Amend, Cancel, Flag, New, Request, TimeInForce
from netfeed.book.level import Side
from netfeed.sim.draws import Draws
from netfeed.sim.exchange import Exchange
from netfeed.sim.exchange_orders import Live
from netfeed.sim.exchange_trading import Outcome, Permit
from netfeed.sim.matching import ASK, BID
from netfeed.sim.starbase_chain import NANO
from netfeed.sim.starbase_market import Market
from netfeed.sim.terms import MONEY, Fees

GATEWAY: Final = -1
"""The way by which they come; no client of a test has it."""
INFORMED: Final = "informed"
FLOW: Final = (("rest", 44), ("change", 14), ("leave", 20), ("take", 14), ("move", 8))
LEAST, DEPTH = 6, 14
"""About so many orders rest on a side: where there are fewer, one comes; where there are more, one leaves."""
EDGE: Final = 2
_LOOKS: Final = 6
"""At so many instruments the informed one looks before a move."""
_ACTIONS: Final = tuple(name for name, often in FLOW for _ in range(often))
_DEPOSIT: Final = 100_000 * MONEY
_WALK: Final = 10 * NANO
"""The index goes at most so far in one move. Units: 1e-9 USD."""


class Crowd:
    """The traders; `count` of them act at random."""

    def __init__(
        self, exchange: Exchange, seed: int, *, count: int = 10, informed: bool = True, fees: Fees | None = None
    ) -> None:
        self.exchange = exchange
        self.names = [f"crowd-{number}" for number in range(1, count + 1)]
        self._markets: Sequence[Market] = list(exchange.trading.markets.values())
        self._informed = informed
        self._draws = Draws(seed)
        self._words: Iterator[int] = iter(())
        self._client_id = 0
        permit = Permit(fees=fees or Fees(maker=0, taker=300))
        for name in [*self.names, INFORMED]:
            exchange.join(name, permit, _DEPOSIT)

    def open(self, rounds: int, now: int) -> Iterator[Outcome]:
        """Let the first orders come: so many on each side of each instrument, one after another."""
        for _ in range(rounds):
            for market in self._markets:
                for side in (BID, ASK):
                    yield from self._rest(market, side, now)

    def step(self, now: int) -> list[Outcome]:
        """Let one trader do one thing. Units: ns since 1970. Nothing may come of it."""
        market = self._markets[self.below(len(self._markets))]
        if market.halted:
            return []
        for side in (BID, ASK):
            if market.book.depth(side) < LEAST:
                return self._rest(market, side, now)
        actions: dict[str, Callable[[Market, int], list[Outcome]]] = {
            "rest": self.rest, "change": self.change, "leave": self.leave, "take": self.take, "move": self.move,
        }  # fmt: skip
        return actions[_ACTIONS[self.below(len(_ACTIONS))]](market, now)

    def below(self, bound: int) -> int:
        """Draw a number from 0 to `bound` - 1."""
        word = next(self._words, None)
        if word is None:
            self._words = iter((self._draws.words(4096) >> 32).tolist())
            word = next(self._words)
        return word * bound >> 32

    # -- actions

    def rest(self, market: Market, now: int) -> list[Outcome]:
        """Rest an order behind the touch or at it; where many rest already, one leaves."""
        side = self.below(2)
        if market.book.depth(side) > DEPTH:
            return self.leave(market, now)
        return self._rest(market, side, now)

    def change(self, market: Market, now: int) -> list[Outcome]:
        """Give an order another price, or less quantity."""
        name = self._name()
        mine = self._mine(name, market)
        if not mine:
            return self.rest(market, now)
        live = mine[self.below(len(mine))]
        if self.below(3):
            price, quantity = self._passive(market, live.side), live.quantity
        else:
            price, quantity = live.price, live.filled + market.instrument.lot
        return (
            [self._ask(name, Amend(live.client_id, live.instrument, price, quantity, live.flags), now)] if price else []
        )

    def leave(self, market: Market, now: int) -> list[Outcome]:
        """Cancel an order."""
        name = self._name()
        mine = self._mine(name, market)
        if not mine:
            return []
        live = mine[self.below(len(mine))]
        return [self._ask(name, Cancel(live.client_id, live.instrument), now)]

    def take(self, market: Market, now: int) -> list[Outcome]:
        """Take from a side, at most a few levels deep."""
        side = self.below(2)
        against = market.queue(1 - side)
        if not against:
            return self._rest(market, side, now)
        price = against[min(self.below(4), len(against) - 1)].price
        return [self._take(self._name(), market, side, price, self._quantity(market) * (1 + self.below(3)), now)]

    def move(self, market: Market, now: int) -> list[Outcome]:
        """Let the index move; before it is told, the informed one acts on it."""
        index = self.exchange.trading.index + self.below(2 * _WALK + 1) - _WALK
        done: list[Outcome] = []
        for _ in range(_LOOKS if self._informed else 0):
            done += self._pick(self._markets[self.below(len(self._markets))], index, now)
        return [*done, self.exchange.move(index, now)]

    # -- inside

    def _pick(self, market: Market, index: int, now: int) -> list[Outcome]:
        """Take the best quote where it is wrong, given where the index goes."""
        if market.halted:
            return []
        fair = market.instrument.fair(index)
        edge = EDGE * market.instrument.step(fair)
        for side, sign in ((BID, 1), (ASK, -1)):
            queue = market.queue(1 - side)
            if queue and sign * (fair - queue[0].price) > edge:
                return [self._take(INFORMED, market, side, queue[0].price, queue[0].quantity, now)]
        return []

    def _rest(self, market: Market, side: int, now: int) -> list[Outcome]:
        price = self._passive(market, side)
        if not price:
            return []
        self._client_id += 1
        asked = New(
            self._client_id, market.instrument.id, Side(side), price, self._quantity(market), flags=Flag.POST_ONLY
        )
        return [self._ask(self._name(), asked, now)]

    def _take(self, name: str, market: Market, side: int, price: int, quantity: int, now: int) -> Outcome:
        self._client_id += 1
        asked = New(self._client_id, market.instrument.id, Side(side), price, quantity, TimeInForce.IOC)
        return self._ask(name, asked, now)

    def _ask(self, name: str, request: Request, now: int) -> Outcome:
        return self.exchange.request(name, request, now, GATEWAY)

    def _mine(self, name: str, market: Market) -> list[Live]:
        number = market.instrument.id
        return [live for live in self.exchange.trading.orders.of(name) if live.instrument == number and not live.queued]

    def _passive(self, market: Market, side: int) -> int:
        """Draw a price on the far side of the fair one that takes nothing; 0 when there is none."""
        of = market.instrument
        fair = of.fair(self.exchange.trading.index)
        away = (1 + self.below(1 + self.below(12))) * of.step(fair)
        return market.passive(side, of.on_tick(fair - away if side == BID else fair + away))

    def _quantity(self, market: Market) -> int:
        return market.instrument.lot * (1 + self.below(1 + self.below(60)))

    def _name(self) -> str:
        return self.names[self.below(len(self.names))]
