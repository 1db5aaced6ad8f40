"""Bring delta back into its band, in the instrument that is cheapest now, and say what is left.

A strategy like others (`Strategy`): its wants are orders in hedging instruments. Delta is that of all positions in the
underlying. One hedge is under way at a time: while an order is unanswered, leaving or uncertain nothing else is wanted,
and another instrument, or a taker after a maker, only when no order is left that could be filled besides.

    inside the band     nothing rests
    outside             so much that delta is back on the edge of the band (or at nothing: `to_middle`), in whole lots,
                        no more than `clip` at a time, than what rests at the prices that are taken, and than its limits
    patience > 0        a maker first, at the best price of its own side, until that long after delta left the band,
                        then a taker; beyond `urgent` bands a taker at once

Cost is what a taker pays for one unit of delta as a share: half the spread, the fee, and `carry` (what holding the
instrument is expected to cost besides: funding, basis). While the worth of something held is unknown nothing is done.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from netfeed.book.execution import NONE, Flag, TimeInForce
from netfeed.book.level import Side
from netfeed.engine.board import best
from netfeed.engine.contract import Contract
from netfeed.engine.gate import two_sided
from netfeed.engine.greeks import unit_delta
from netfeed.engine.hedge_band import Band
from netfeed.engine.placing import meets, whole_lots
from netfeed.engine.strategy import NOTHING, Fair, Phase, Targets, View, Want, Working
from netfeed.errors import MisuseError


class Standing(Enum):
    """What came of a decision."""

    INSIDE = "delta is inside its band"
    MAKING = "a maker's order shall rest"
    TAKING = "an order takes what rests"
    UNDER_WAY = "an order is unanswered, or leaving"
    UNKNOWN = "the worth of something that is held is not known"
    UNCERTAIN = "an order of a hedging instrument is uncertain"
    NO_MARKET = "no hedging instrument has a book that can be believed"
    LIMIT = "no hedging instrument has room within its limit"
    SMALL = "what is left is less than a lot"


KEEP: Final = 1.25
"""A maker's order is left alone until so many times its quantity is wished."""
DEPTH: Final = 64
"""Levels that are looked at for what a taker can be filled with."""


@dataclass(frozen=True, slots=True)
class Hedge:
    """What to hedge with. Units: `max_position` and `clip` the quantity of it; `carry` what a long costs, a share."""

    instrument: int
    max_position: int
    clip: int
    carry: float = 0.0


@dataclass(frozen=True, slots=True)
class HedgerSettings:
    """How to hedge. Units: `patience_ns` ns; `urgent` in half widths of the band; `through_ticks` ticks of the taker's
    price beyond the best, beyond which it does not follow.
    """

    patience_ns: int = 0
    urgent: float = 4.0
    through_ticks: int = 0
    to_middle: bool = False


@dataclass(frozen=True, slots=True)
class HedgeReport:
    """What was decided last. Units: delta in underlying. `residual` is the delta that stays when what is wanted is
    filled.
    """

    standing: Standing
    delta: float = 0.0
    half_width: float = 0.0
    instrument: int | None = None
    side: Side | None = None
    quantity: int = 0
    residual: float = 0.0
    since_ns: int | None = None


@dataclass(frozen=True, slots=True)
class _Choice:
    """An instrument as it could be used now."""

    hedge: Hedge
    contract: Contract
    fair: Fair
    cost: float


class Hedger:
    """Hedge the delta of one underlying."""

    def __init__(self, underlying: str, hedges: Sequence[Hedge], band: Band, settings: HedgerSettings) -> None:
        if not hedges or any(hedge.clip <= 0 or hedge.max_position < 0 for hedge in hedges):
            raise MisuseError("a hedger needs an instrument, each with a positive clip and a limit")
        self._underlying = underlying
        self._hedges = tuple(hedges)
        self._band = band
        self.settings = settings
        self._since: int | None = None
        self._standings: Counter[str] = Counter()
        self.report = HedgeReport(Standing.INSIDE)

    def decide(self, view: View, touched: Collection[int], /) -> Targets:
        """Say what shall rest in the hedging instruments; `touched` does not matter, delta is of everything."""
        report = self.report = self._judge(view)
        self._standings[report.standing.name] += 1
        wants: dict[int, Sequence[Want]] = {hedge.instrument: NOTHING for hedge in self._hedges}
        if report.standing is Standing.UNDER_WAY:
            return {one: NOTHING for one in wants if all(order.settled for order in view.working(one))}
        if report.instrument is not None and report.side is not None:
            wants[report.instrument] = [self._want(view, report.instrument, report.side, report.quantity)]
        return wants

    def standings(self) -> dict[str, int]:
        """Count the decisions by what came of them."""
        return dict(self._standings)

    # --- how much

    def _judge(self, view: View) -> HedgeReport:
        held, orders = view.greeks(self._underlying), self._orders(view)
        if held.unknown:
            return HedgeReport(Standing.UNKNOWN, held.delta, residual=held.delta, since_ns=self._since)
        if any(order.phase is Phase.UNCERTAIN for order in orders):
            return HedgeReport(Standing.UNCERTAIN, held.delta, residual=held.delta, since_ns=self._since)
        choices = sorted(self._choices(view, held.delta), key=lambda choice: choice.cost)
        if not choices:
            return HedgeReport(Standing.NO_MARKET, held.delta, residual=held.delta, since_ns=self._since)
        half = self._band.half_width(held, choices[0].fair.forward, choices[0].cost)
        if abs(held.delta) <= half:
            self._since = None
            return HedgeReport(Standing.INSIDE, held.delta, half, residual=held.delta)
        self._since = view.now if self._since is None else self._since
        return self._outside(view, held.delta, half, choices, orders)

    def _outside(
        self, view: View, delta: float, half: float, choices: Sequence[_Choice], orders: Sequence[Working]
    ) -> HedgeReport:
        goal = 0.0 if self.settings.to_middle else (half if delta > 0 else -half)
        waits = view.now - (self._since or 0) < self.settings.patience_ns
        making = waits and abs(delta) <= self.settings.urgent * half
        places = {order.instrument for order in orders}
        if len(places) > 1 or any(not order.settled for order in orders) or (orders and not making):
            return HedgeReport(Standing.UNDER_WAY, delta, half, residual=delta, since_ns=self._since)
        for choice in choices:
            quantity = self._quantity(view, choice, goal - delta, making=making)
            if quantity > 0 and places <= {choice.hedge.instrument}:
                standing = Standing.MAKING if making else Standing.TAKING
                residual = delta + _signed(choice, goal - delta, quantity)
                side, instrument = _side(choice, goal - delta), choice.hedge.instrument
                return HedgeReport(standing, delta, half, instrument, side, quantity, residual, self._since)
        lots = (whole_lots(choice.contract, _wished(choice, goal - delta)) for choice in choices)
        standing = Standing.LIMIT if any(lots) else Standing.SMALL
        return HedgeReport(standing, delta, half, residual=delta, since_ns=self._since)

    def _quantity(self, view: View, choice: _Choice, change: float, *, making: bool) -> int:
        """Give how much of an instrument to trade for a change of delta. Units: its quantity."""
        side, contract = _side(choice, change), choice.contract
        room = choice.hedge.max_position - (1 if side is Side.BID else -1) * view.position(contract.index)
        most = [_wished(choice, change), choice.hedge.clip, room]
        if not making:
            most.append(_resting(view, contract, side, self._limit_price(view, contract, side)))
        return whole_lots(contract, min(most))

    # --- where

    def _choices(self, view: View, delta: float) -> Iterator[_Choice]:
        for hedge in self._hedges:
            contract, fair = view.contracts[hedge.instrument], view.fair(hedge.instrument)
            book = view.book(hedge.instrument)
            if fair is None or not two_sided(book) or unit_delta(contract, fair) == 0.0:
                continue
            yield _Choice(hedge, contract, fair, self._cost(view, contract, hedge, delta))

    def _cost(self, view: View, contract: Contract, hedge: Hedge, delta: float) -> float:
        """Give what trading one unit of delta costs, as a share of its value, never less than nothing."""
        book = view.book(contract.index)
        bid, ask = best(book, Side.BID) or 0, best(book, Side.ASK) or 0
        crossing = (ask - bid) / (ask + bid)
        carry = hedge.carry if delta < 0 else -hedge.carry
        return max(0.0, crossing + max(0.0, contract.taker_fee) + carry)

    def _orders(self, view: View) -> list[Working]:
        return [order for hedge in self._hedges for order in view.working(hedge.instrument)]

    # --- how

    def _want(self, view: View, instrument: int, side: Side, quantity: int) -> Want:
        if self.report.standing is Standing.TAKING:
            price = self._limit_price(view, view.contracts[instrument], side)
            return Want(side, price, quantity, TimeInForce.IOC, NONE)
        price = best(view.book(instrument), side) or 0
        for order in view.working(instrument):
            # a little less than what is wished keeps its place in the queue
            if order.price == price and order.quantity <= quantity <= KEEP * order.quantity:
                quantity = order.quantity
        return Want(side, price, quantity, flags=Flag.POST_ONLY)

    def _limit_price(self, view: View, contract: Contract, side: Side) -> int:
        """Give the worst price that a taker of a side pays: so many ticks beyond the best of the other side."""
        price = best(view.book(contract.index), Side.ASK if side is Side.BID else Side.BID) or 0
        for _ in range(self.settings.through_ticks):
            price += contract.tick_at(price) if side is Side.BID else -contract.tick_at(price - 1)
        return price


def _side(choice: _Choice, change: float) -> Side:
    return Side.BID if change / unit_delta(choice.contract, choice.fair) > 0 else Side.ASK


def _wished(choice: _Choice, change: float) -> float:
    """Give the quantity that makes a change of delta. Units: the instrument's quantity, not rounded."""
    units = abs(change / unit_delta(choice.contract, choice.fair)) / 10.0**choice.contract.quantity_exponent
    near = round(units)
    return float(near) if abs(units - near) < 1e-9 * max(1.0, units) else units


def _signed(choice: _Choice, change: float, quantity: int) -> float:
    size = choice.contract.size(quantity) * abs(unit_delta(choice.contract, choice.fair))
    return size if change > 0 else -size


def _resting(view: View, contract: Contract, side: Side, price: int) -> int:
    """Give what rests on the other side up to a price."""
    opposite = Side.ASK if side is Side.BID else Side.BID
    levels = view.book(contract.index).depth(opposite, DEPTH)
    return sum(level.quantity for level in levels if meets(side, price, level.price))
