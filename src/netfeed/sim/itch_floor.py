"""The floor of a simulated ITCH venue: the stocks, actions and tempo of `itch_day`, lived through at any time of day.

Each message is a transaction of its own; a step that takes several resting orders is several messages, and one
transaction here. The books are in price-time priority (`itch_stock`).

Invariant: the same seed gives the same steps and times.
"""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from netfeed.errors import MisuseError
from netfeed.sim.draws import Draws
from netfeed.sim.floor import BookFacts, Transaction
from netfeed.sim.itch_day import MAX_SYMBOLS, TIDY
from netfeed.sim.itch_flow import Flow
from netfeed.sim.itch_stock import MARGIN, WIDTH, Stock, rows, stocks
from netfeed.sim.itch_tempo import Step, Tempo

EXPONENTS: Final = (-4, 0)
_DAY_NS: Final = 86_400 * 10**9
_FAR_NS: Final = 2**46
_TIME: Final = 2**48 - 1


class ItchFloor:
    """`count` stocks that hold about `live_orders` orders together."""

    def __init__(self, seed: int, *, count: int = 20, live_orders: int = 1_000, mean_gap_ns: int = 1_000_000) -> None:
        if not 1 <= count <= MAX_SYMBOLS:
            raise MisuseError(f"a floor has 1 to {MAX_SYMBOLS} stocks, not {count}")
        self._draws = Draws(seed)
        weights = np.array(self._draws.shuffled([10**9 // (rank + 2) for rank in range(count)]))
        self._stocks = stocks(live_orders, self._draws, weights.tolist())
        self._tempo = Tempo(self._draws, weights)
        self._flow = Flow()
        self._mean_ns = mean_gap_ns
        self._steps: Iterator[Step] = iter(())
        self._step: Step | None = None
        self._last_ns = 0
        self._blocks = 0
        self._filled = False

    @property
    def instruments(self) -> Sequence[int]:
        """Name the stocks by their locate codes."""
        return range(1, len(self._stocks) + 1)

    def open(self, wall_ns: int) -> Iterator[Transaction]:
        """Introduce the stocks; tell the orders that rest, or let the first ones come, one after another."""
        stamp = wall_ns % _DAY_NS
        self._flow.say("S", None, stamp, event_code="O")
        for stock in self._stocks:
            self._flow.introduce(stock, stamp)
        for code in "SQ":
            self._flow.say("S", None, stamp, event_code=code)
        yield self._taken(())
        for stock in self._stocks:
            if self._filled:
                self._flow.repeat(stock, stamp)
                yield self._taken([stock.locate])
            else:
                yield from self._first_orders(stock, stamp)
        self._filled = True

    def snapshot(self, wall_ns: int) -> list[bytes]:
        """Tell everything that a newcomer must know: the stocks, and the orders that rest."""
        stamp = wall_ns % _DAY_NS
        for code in "OSQ":
            self._flow.say("S", None, stamp, event_code=code)
        for stock in self._stocks:
            self._flow.introduce(stock, stamp)
        for stock in self._stocks:
            self._flow.repeat(stock, stamp)
        return list(self._taken(()).messages)

    def gap_ns(self) -> int:
        """Draw the time until the next step."""
        time_ns = self._next()[2] & _TIME
        gap, self._last_ns = time_ns - self._last_ns, time_ns
        return gap

    def pace(self, mean_gap_ns: int) -> None:
        """Let steps follow each other this fast from now on."""
        self._mean_ns = mean_gap_ns
        self._steps, self._step = iter(()), None

    def step(self, wall_ns: int) -> Transaction:
        """Take the next step."""
        action, index, stamp, distance, shares, pick = self._next()
        self._step = None
        stock = self._stocks[index]
        act = self._flow.action(len(stock.live) > stock.target, action)
        act(stock, stamp - (stamp & _TIME) + wall_ns % _DAY_NS, distance, shares, pick)
        return self._taken([stock.locate])

    def facts(self, instrument: int) -> BookFacts:
        """Give the book of a stock."""
        stock = self._stocks[instrument - 1]
        bids, asks = rows(stock, stock.bids, best_last=True), rows(stock, stock.asks)
        return BookFacts(stock.name.decode().rstrip(), bids, asks, EXPONENTS)

    def _next(self) -> Step:
        if self._step is None:
            self._step = next(self._steps, None)
        if self._step is None:
            steps, _ = self._tempo.steps(0, self._mean_ns, _FAR_NS)
            self._steps, self._last_ns = iter(steps), 0
            self._step = next(self._steps)
            self._move()
        return self._step

    def _move(self) -> None:
        """Let the fair prices walk, and now and then drop executed orders."""
        self._blocks += 1
        for stock, move in zip(self._stocks, self._draws.below(len(self._stocks), 7).tolist(), strict=True):
            stock.fair = min(max(stock.fair + move - 3, MARGIN), WIDTH - MARGIN - 1)
            if self._blocks % TIDY == 0:
                stock.forget()

    def _first_orders(self, stock: Stock, stamp: int) -> Iterator[Transaction]:
        count = stock.target * 6 // 10
        distances, lots, picks, _ = self._draws.parts(count)
        for distance, lot, pick in zip(distances.tolist(), lots.tolist(), picks.tolist(), strict=True):
            self._flow.add(stock, stamp, distance % 30, 100 * (1 + lot % 9), pick)
            yield self._taken([stock.locate])

    def _taken(self, touched: Sequence[int]) -> Transaction:
        messages = [record[2:] for record in self._flow.out]
        self._flow.out.clear()
        return Transaction(messages, touched)
