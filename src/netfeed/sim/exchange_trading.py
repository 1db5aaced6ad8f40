"""The floor of a simulated exchange where orders have owners: what happens to books, ledger and orders in one step.

Each action changes all three together, and adds to the `Outcome` of its step: reports for whoever they concern, and the
messages of one transaction for the market-data feed, through `Market`, so that the books of the feed are these books.

What an order may be is judged before (`exchange_rules`); who asks for what, and what is answered, is `exchange`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from netfeed.book.execution import (
    Amended,
    Canceled,
    Cause,
    Filled,
    Report,
    TimeInForce,
    Tripped,
)  # fmt: skip
from netfeed.book.level import Side
from netfeed.machine import NEVER
from netfeed.sim.exchange_match import Plan, SelfMatch, capacity, plan
from netfeed.sim.exchange_orders import Live, Orders
from netfeed.sim.ledger import Ledger
from netfeed.sim.margin import Exposure, Marks, Rates
from netfeed.sim.matching import BID, Resting
from netfeed.sim.protection import Group, Limits, Sizes
from netfeed.sim.protection_sizes import sizes
from netfeed.sim.starbase_chain import INDEX, INDEXES
from netfeed.sim.starbase_market import Market, Told
from netfeed.sim.terms import FEE_EXPONENT, Fees, reported, terms_of
from netfeed.wire.starbase import TemplateId, TradeFlags

BAND: Final = 100_000
"""How far from the mark an order may be better than that. Units: out of a million."""
_FIRST_ORDER: Final = 7_000_000
_FIRST_SORT: Final = 50_000_000
_FIRST_MATCH: Final = 400_000
_RESTING: Final = (TimeInForce.GTC, TimeInForce.DAY)


class Delivery(NamedTuple):
    """A report, the account that it is for, and the gateway by which its order came."""

    account: str
    gateway: int
    report: Report


@dataclass(slots=True)
class Outcome:
    """What one step led to: reports in order, and the messages of one transaction. Units: ns since 1970."""

    at_ns: int
    deliveries: list[Delivery] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)
    matches: int = 0

    def report(self, live: Live, report: Report) -> None:
        """Tell the owner of an order."""
        self.deliveries.append(Delivery(live.account, live.gateway, report))


@dataclass(frozen=True, slots=True)
class Permit:
    """What an account may do. None, or an instrument that is not named: no limit.

    `rate` requests a second, `burst` at once; `max_orders` live at a time, quotes included; `max_positions` by
    instrument, in its quantities, all that rests counted as filled; `groups` of market-maker protection, 0 that of
    single orders, and their names over JSON-RPC, where they have other ones than their numbers.
    """

    fees: Fees = field(default_factory=Fees)
    rate: float | None = None
    burst: int = 20
    max_orders: int = 1_000
    max_positions: dict[int, int] = field(default_factory=dict)
    self_match: SelfMatch = SelfMatch.CANCEL_MAKER
    groups: dict[int, Limits] = field(default_factory=dict)
    group_names: dict[int, str] = field(default_factory=dict)


class Trading:
    """Books, ledger and orders of one exchange. Units: `band` out of a million of the mark."""

    def __init__(self, markets: Sequence[Market], rates: Rates, band: int = BAND) -> None:
        self.markets = {market.instrument.id: market for market in markets}
        self.ledger = Ledger(terms_of(market.instrument) for market in markets)
        self.orders = Orders()
        self.permits: dict[str, Permit] = {}
        self.groups: dict[tuple[str, int], Group] = {}
        self.rates, self.band = rates, band
        self.index = INDEXES[INDEX][1]
        self._order, self._sort, self._match = _FIRST_ORDER, _FIRST_SORT, _FIRST_MATCH
        self.move(self.index)

    # -- reading

    def position(self, account: str, instrument: int) -> int:
        """Give what an account holds of an instrument."""
        return self.ledger.accounts[account].quantity(instrument)

    def exposure(self, account: str) -> Exposure:
        """Give what an account has and needs, all its orders included."""
        made = Exposure(self.ledger.accounts[account], self.ledger, self.valued)
        for live in self.orders.of(account):
            made.add(live.instrument, live.side, live.price, live.left)
        return made

    def plan(self, live: Live) -> Plan:
        """Say what an order would do now."""
        market, mode = self.markets[live.instrument], self.permits[live.account].self_match
        return plan(market.book, self.orders, live, mode, self.position)

    def reducible(self, account: str, instrument: int, side: int, but: Live | None = None) -> int:
        """Give how much of a position reduce-only orders of a side could still reduce, `but` one of them."""
        resting = sum(live.left for live in self.orders.reducing(account, instrument) if live is not but)
        return max(capacity(self.position(account, instrument), side) - resting, 0)

    # -- changing

    def move(self, index: int) -> None:
        """Let the index be at another price, and all marks with it."""
        self.index = index
        self.marks = {number: market.instrument.fair(index) for number, market in self.markets.items()}
        self.valued = Marks(self.ledger.terms, self.marks, index, self.rates)

    def next_order(self) -> int:
        """Give an order id that was never given before."""
        self._order += 1
        return self._order

    def next_sort(self) -> int:
        """Give a place at the end of all queues."""
        self._sort += 8
        return self._sort

    def enter(self, outcome: Outcome, live: Live, *, forced: bool = False) -> Cause | None:
        """Let an order into its book: it takes what it can, and rests, or what is left of it leaves.

        It is one of `orders` already. Gives why it left, None while it rests or when it was filled.
        """
        made = self.plan(live)
        if live.time_in_force is TimeInForce.FOK and made.filled < live.left:
            return self.leave(outcome, live, Cause.TIME_IN_FORCE, "fill_or_kill")
        for own in made.drops:
            self.leave(outcome, own, Cause.SELF_MATCH, "self_match")
        for maker, left in made.trims:
            self._cut(outcome, maker, left)
        rests = live.time_in_force in _RESTING and not made.stopped
        self._take(outcome, live, live.left if rests else made.filled, forced=forced)
        if not live.left:
            self.orders.remove(live)
        elif not rests:
            why = (Cause.SELF_MATCH, "self_match") if made.stopped else (Cause.TIME_IN_FORCE, "immediate_or_cancel")
            return self.leave(outcome, live, *why)
        return None

    def leave(self, outcome: Outcome, live: Live, cause: Cause, reason: str, *, silent: bool = False) -> Cause:
        """Let an order leave; `silent`: its owner is told in another way."""
        self.withdraw(outcome, live)
        self.orders.remove(live)
        if not silent:
            told = Canceled(
                live.client_id, live.instrument, live.id, live.filled, cause, reason, outcome.at_ns,
                quote=live.group is not None,
            )  # fmt: skip
            outcome.report(live, told)
        return cause

    def withdraw(self, outcome: Outcome, live: Live) -> None:
        """Take an order out of its book, where it is in it; it lives on."""
        market = self.markets[live.instrument]
        if live.id in market.orders:
            outcome.told += market.shrink(live.id, 0)

    def change(self, outcome: Outcome, live: Live, price: int, left: int) -> Cause | None:
        """Give an order another price, and so much to be filled from now on.

        Less at the same price keeps its place in the queue; anything else gets one at the end.
        """
        market, same = self.markets[live.instrument], price == live.price
        if same and left <= live.left:
            if left < live.left:
                outcome.told += market.shrink(live.id, left)
            live.quantity = live.filled + left
            return None
        live.price, live.quantity, live.sort = price, live.filled + left, self.next_sort()
        if self.plan(live).takes:
            self.withdraw(outcome, live)
            return self.enter(outcome, live)
        outcome.told += market.put(_resting(live, left))
        return None

    def finish(self, outcome: Outcome) -> None:
        """End a step: cut what may only reduce to what its fills have left to be reduced."""
        filled = [(one.account, one.report) for one in outcome.deliveries]
        keys = [(account, report.instrument) for account, report in filled if isinstance(report, Filled)]
        for key in dict.fromkeys(keys):
            self._trim(outcome, *key)

    # -- inside

    def _take(self, outcome: Outcome, live: Live, size: int, *, forced: bool) -> None:
        if not size:
            return
        market, first = self.markets[live.instrument], self._match + 1
        order = _resting(live, size)
        fills = market.book.matched(order)
        told = market.take(order, first, self.marks[live.instrument], self.index)
        outcome.told += [_forced(one) for one in told] if forced else told
        self._match += len(fills)
        tripped: list[tuple[Live, str]] = []
        for place, (maker, quantity) in enumerate(fills):
            tripped += self._fill(outcome, self.orders.by_id[maker.id], live, quantity, first + place)
        for quote, trigger in tripped:
            self._trip(outcome, quote, trigger)

    def _fill(self, outcome: Outcome, maker: Live, taker: Live, quantity: int, match: int) -> list[tuple[Live, str]]:
        """Book a match for both; give the quote that it has tripped the protection of."""
        outcome.matches += 1
        for live in (maker, taker):
            live.filled += quantity
            signed = quantity if live.side == BID else -quantity
            is_maker = live is maker
            fee = self.ledger.fill(live.account, live.instrument, signed, maker.price, maker=is_maker)
            told = Filled(
                live.client_id, live.instrument, live.id, match, Side(live.side), maker.price, quantity, live.filled,
                is_maker, outcome.at_ns, reported(fee), FEE_EXPONENT, quote=live.group is not None,
            )  # fmt: skip
            outcome.report(live, told)
        if not maker.left:
            self.orders.remove(maker)
        group = None if maker.protected_by is None else self.groups.get((maker.account, maker.protected_by))
        if group is None or group.frozen:
            return []
        trigger = group.count(self._sizes(maker, quantity, outcome.at_ns), outcome.at_ns)
        return [(maker, trigger)] if trigger else []

    def _sizes(self, maker: Live, quantity: int, now: int) -> Sizes:
        signed = quantity if maker.side == BID else -quantity
        market = self.markets[maker.instrument]
        return sizes(market.instrument, self.ledger.terms[maker.instrument], signed, self.index, now)

    def _trip(self, outcome: Outcome, maker: Live, trigger: str) -> None:
        number = maker.protected_by
        assert number is not None
        group = self.groups[maker.account, number]
        if group.frozen:
            return
        until = group.trip(outcome.at_ns, NEVER)
        for live in self.orders.of(maker.account):
            if live.protected_by == number:
                self.leave(outcome, live, Cause.PROTECTION, f"mmp_{trigger}")
        outcome.report(maker, Tripped(number, trigger, until, outcome.at_ns, orders=maker.group is None))

    def _trim(self, outcome: Outcome, account: str, instrument: int) -> None:
        """Cut reduce-only orders to what there is to reduce; the newest first."""
        held = self.position(account, instrument)
        for side in (0, 1):
            room = capacity(held, side)
            for live in self.orders.reducing(account, instrument):
                if live.side == side:
                    if live.left > room:
                        self._cut(outcome, live, room)
                    room -= min(live.left, room)

    def _cut(self, outcome: Outcome, live: Live, left: int) -> None:
        """Leave a reduce-only order only so much."""
        if not left:
            self.leave(outcome, live, Cause.QUANTITY, "reduce_only")
            return
        market = self.markets[live.instrument]
        if live.id in market.orders:
            outcome.told += market.shrink(live.id, left)
        live.quantity = live.filled + left
        told = Amended(
            live.client_id, live.instrument, live.id, live.price, live.quantity, live.filled, True,
            outcome.at_ns,
        )  # fmt: skip
        outcome.report(live, told)


def remove_all(trading: Trading, outcome: Outcome, orders: Iterable[Live], cause: Cause, reason: str) -> int:
    """Let orders leave; give how many did."""
    gone = list(orders)
    for live in gone:
        trading.leave(outcome, live, cause, reason)
    return len(gone)


def _resting(live: Live, quantity: int) -> Resting:
    return Resting(live.id, live.side, live.price, quantity, live.sort)


def _forced(told: Told) -> Told:
    """Tell a match as a liquidation."""
    template, fields = told
    if template != TemplateId.TRADE_SUMMARY:
        return told
    return template, fields | {"takerFlags": fields["takerFlags"] | TradeFlags.IS_LIQUIDATION}
