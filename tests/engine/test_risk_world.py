"""Random requests against limits, judged once more by a model of its own: nothing passes that may not, by a cent.

The model knows nothing of `engine`: it keeps every order in a dictionary and adds everything up in fractions each time.
Both ways: what passes is within every limit, and what is refused would have been beyond the limit that is named.
"""

from dataclasses import dataclass, replace
from fractions import Fraction

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from netfeed.book.execution import (
    Amend,
    Amended,
    Ask,
    Cancel,
    Canceled,
    Filled,
    List,
    Listed,
    MassQuote,
    New,
    Quote,
    Quoted,
    Rejected,
    Report,
    Request,
)
from netfeed.book.level import Side
from netfeed.engine.account import Account
from netfeed.engine.contract import Contract, Payoff
from netfeed.engine.door import Door
from netfeed.engine.limits import Limits, Rule
from netfeed.engine.risk import Risk
from netfeed.engine.risk_checks import Seen
from tests.engine.small_venue import SmallVenue

CONTRACTS = {
    1: Contract(1, "CALL", Payoff.CALL, "BTC", True, -4, -1, 5, 2, strike=1.0, expiry_ns=100),
    2: Contract(2, "PUT", Payoff.PUT, "BTC", True, -4, -1, 5, 1, strike=1.0, expiry_ns=100),
    3: Contract(3, "PERP", Payoff.PERPETUAL, "BTC", True, -1, 0, 5, 1, multiplier=0.1),
}
GREEKS = {1: (0.55, 0.013, 3.1), 2: (-0.45, 0.011, 4.1), 3: (0.01, 0.0005, 0.1)}
LIMITS = Limits(
    order_size={None: 8, 3: 9}, position={None: 9, 3: 20}, expiry=1.6, delta=0.7, gamma=0.021, vega=6.2,
    collar_ppm=50_000, collar_ticks=1, open_orders=6, rate=4, burst=5, loss={"BTC": 0.02},
)  # fmt: skip
FAIR, BID, ASK = 100, 95, 110
QUARTER_NS = 250_000_000
PRICES = st.integers(16, 24).map(lambda one: one * 5)


def limit_of(instrument: int) -> int:
    return 20 if instrument == 3 else 9


@dataclass
class Known:
    """One order as the model has it."""

    instrument: int
    side: Side
    price: int
    quantity: int
    group: int | None = None
    asked: tuple[int, int] | None = None
    filled: int = 0
    alive: bool = True

    @property
    def left(self) -> int:
        return max(self.quantity, self.asked[1] if self.asked else 0) - self.filled if self.alive else 0


class Model:
    """What may not be passed, added up anew each time."""

    def __init__(self) -> None:
        self.orders: dict[tuple[int, int, Side], Known] = {}
        self.fills: list[Filled] = []
        self.tokens, self.then = Fraction(LIMITS.burst), 0

    # --- limits

    def position(self, instrument: int) -> int:
        signed = [
            one.quantity * (1 if one.side is Side.BID else -1) for one in self.fills if one.instrument == instrument
        ]
        return sum(signed)

    def left(self, instrument: int, side: Side, extra: dict[tuple[int, Side], int]) -> int:
        there = sum(one.left for one in self.orders.values() if (one.instrument, one.side) == (instrument, side))
        return there + extra.get((instrument, side), 0)

    def count(self) -> int:
        return sum(one.alive for one in self.orders.values())

    def far(self, which: int, up: bool, extra: dict[tuple[int, Side], int]) -> Fraction:
        total = Fraction(0)
        for instrument, contract in CONTRACTS.items():
            unit = Fraction(str(GREEKS[instrument][which])) * Fraction(10) ** contract.quantity_exponent
            total += self.position(instrument) * unit
            for side, sign in ((Side.BID, 1), (Side.ASK, -1)):
                way = sign * self.left(instrument, side, extra) * unit
                total += way if (way > 0) == up else 0
        return total if up else -total

    def expiry(self, extra: dict[tuple[int, Side], int]) -> Fraction:
        units = sum(
            max(
                abs(self.position(one) + self.left(one, Side.BID, extra)),
                abs(self.position(one) - self.left(one, Side.ASK, extra)),
            )
            for one in (1, 2)
        )
        return Fraction(units, 10)

    def loss(self) -> Fraction:
        """Cash out of every execution, marked at the fair value, in coins."""
        total = Fraction(0)
        for instrument, contract in CONTRACTS.items():
            size = Fraction(10) ** contract.quantity_exponent * Fraction(str(contract.multiplier))
            for fill in self.fills:
                if fill.instrument == instrument:
                    sign = fill.quantity if fill.side is Side.BID else -fill.quantity
                    number = Fraction(10) ** contract.price_exponent
                    if contract.is_option:
                        total += sign * size * (FAIR - fill.price) * number
                    else:
                        total += sign * size * (1 / (fill.price * number) - 1 / (FAIR * number))
        return -total

    def broken(
        self, wish: Known, more: int, extra: dict[tuple[int, Side], int], fresh: bool, replaces: int | None
    ) -> set[Rule]:
        """Give every rule that a wish would break."""
        broken = set()
        contract = CONTRACTS[wish.instrument]
        after = {**extra, (wish.instrument, wish.side): extra.get((wish.instrument, wish.side), 0) + more}
        if wish.price % 5 or wish.quantity % contract.lot:
            broken.add(Rule.CONTRACT)
        if wish.quantity > (LIMITS.order_size[3] if wish.instrument == 3 else LIMITS.order_size[None]):
            broken.add(Rule.SIZE)
        buys = wish.side is Side.BID
        if (wish.price - FAIR if buys else FAIR - wish.price) > 5:
            broken.add(Rule.FAIR)
        if (wish.price - ASK if buys else BID - wish.price) > 5:
            broken.add(Rule.COLLAR)
        for one in self.orders.values():
            if one.alive and one.instrument == wish.instrument and one.side is not wish.side:
                for price in [one.price, *([one.asked[0]] if one.asked else [])]:
                    meets = wish.price >= price if buys else wish.price <= price
                    if meets and (replaces is None or one.group != replaces):
                        broken.add(Rule.SELF_TRADE)
        if fresh and self.count() >= 6:
            broken.add(Rule.OPEN_ORDERS)
        held = self.position(wish.instrument) * (1 if buys else -1)
        if more and held + self.left(wish.instrument, wish.side, after) > limit_of(wish.instrument):
            broken.add(Rule.POSITION)
        if self.expiry(after) > max(Fraction("1.6"), self.expiry(extra)):
            broken.add(Rule.EXPIRY)
        for which, (name, limit) in enumerate(((Rule.DELTA, "0.7"), (Rule.GAMMA, "0.021"), (Rule.VEGA, "6.2"))):
            for up in (True, False):
                if self.far(which, up, after) > max(Fraction(limit), self.far(which, up, extra)):
                    broken.add(name)
        if self.loss() > Fraction("0.02"):
            broken.add(Rule.LOSS)
        return broken

    # --- the pace

    def refill(self, now: int) -> None:
        self.tokens = min(Fraction(LIMITS.burst), self.tokens + Fraction(now - self.then, QUARTER_NS))
        self.then = now

    # --- what is told

    def hear(self, report: Report) -> None:
        mine = [one for name, one in self.orders.items() if name[0] == getattr(report, "client_id", None)]
        if isinstance(report, Filled):
            self.fills.append(report)
            one = self.orders[report.client_id, report.instrument, report.side]
            one.filled += report.quantity
            one.alive = one.alive and one.left > 0
        elif isinstance(report, Canceled):
            named = [name for name in self.orders if name[0] == report.client_id]
            for name in named:
                if report.order_id == f"{name[0]}/{name[1]}/{name[2].name}":
                    self.orders[name].alive = False
        elif isinstance(report, Amended):
            mine[0].price, mine[0].quantity, mine[0].asked = report.price, report.quantity, None
            mine[0].alive = mine[0].alive and mine[0].left > 0
        elif isinstance(report, Rejected) and report.ask is Ask.AMEND:
            mine[0].asked = None
            mine[0].alive = mine[0].alive and mine[0].left > 0
        elif isinstance(report, Rejected) and report.ask is Ask.NEW:
            mine[0].alive = False
        elif isinstance(report, Quoted):
            for instrument, _, _ in report.sides:
                for name, one in self.orders.items():
                    if one.group == report.group and one.instrument == instrument and name[0] < report.client_id:
                        one.alive = False


class RiskWorld(RuleBasedStateMachine):
    """Risk, the venue and the model."""

    def __init__(self) -> None:
        super().__init__()
        self.venue, self.model = SmallVenue(), Model()
        self.account = Account(CONTRACTS, answer_ns=10**15)
        self.risk = Risk(self.account, LIMITS)
        self.door = Door(self.account, 1, self.venue.inbox.append)
        self.now, self.last_id, self.killed = 0, 0, False
        for one in CONTRACTS:
            self.risk.see(one, Seen(0, True, BID, ASK, FAIR))
            self.risk.feel(one, *GREEKS[one])
            self.risk.mark(one, FAIR)
        self.account.decide(List(0), 0)
        self.account.sent(List(0), 1, 0)
        self.account.apply(Listed(1, (), (), None), 0)

    def next_id(self) -> int:
        self.last_id += 1
        return self.last_id

    def judge(self, request: Request, broken: set[Rule]) -> bool:
        """Let risk judge a request for one thing, and hold its judgement against the model's."""
        verdict = self.risk.pass_(request, self.now)
        rules = [refusal.rule for refusal in verdict.refusals]
        self.model.refill(self.now)
        if self.killed:
            assert rules == [Rule.KILLED]
            return False
        if not broken and self.model.tokens < 1:
            broken = {Rule.RATE}
        if broken:
            assert len(rules) == 1
            assert rules[0] in broken
            assert verdict.cleared is None
            self.killed = rules == [Rule.LOSS]
            return False
        assert rules == []
        assert verdict.cleared is not None
        self.model.tokens -= 1
        self.door.send(verdict.cleared, self.now)
        return True

    @rule(
        instrument=st.sampled_from([1, 2, 3]), side=st.sampled_from(Side), price=PRICES,
        quantity=st.integers(1, 10), off=st.sampled_from([0, 0, 0, 0, 1]),
    )  # fmt: skip
    def new(self, instrument: int, side: Side, price: int, quantity: int, off: int) -> None:
        wish = Known(instrument, side, price + off, quantity)
        broken = self.model.broken(wish, quantity, {}, True, None)
        client_id = self.next_id()
        if self.judge(New(client_id, instrument, side, price + off, quantity), broken):
            self.model.orders[client_id, instrument, side] = wish

    @rule(data=st.data(), price=PRICES, quantity=st.integers(1, 10))
    def amend(self, data: st.DataObject, price: int, quantity: int) -> None:
        names = [
            name
            for name, one in self.model.orders.items()
            if one.alive
            and one.group is None
            and self.account.orders.objection(Amend(name[0], name[1], price, quantity)) is None
        ]
        if not names:
            return
        name = data.draw(st.sampled_from(names))
        known = self.model.orders[name]
        wish = replace(known, price=price, quantity=quantity)
        more = max(0, quantity - known.quantity)
        if self.judge(Amend(name[0], name[1], price, quantity), self.model.broken(wish, more, {}, False, None)):
            known.asked = (price, quantity)

    @rule(
        instrument=st.sampled_from([1, 2, 3]), bid=PRICES, spread=st.integers(1, 2),
        quantity=st.integers(1, 5),
    )  # fmt: skip
    def quote(self, instrument: int, bid: int, spread: int, quantity: int) -> None:
        """Quote one instrument; a side that the model would refuse must be pulled."""
        client_id, made, extra = self.next_id(), [], {}
        expected = []
        for side, price in ((Side.BID, bid), (Side.ASK, bid + 5 * spread)):
            wish = Known(instrument, side, price, quantity, group=1)
            broken = self.model.broken(wish, quantity, extra, False, 1)
            if self.model.count() + len(made) >= 6:
                broken.add(Rule.OPEN_ORDERS)
            expected.append(broken)
            if not broken:
                made.append(wish)
                extra[instrument, side] = quantity
        verdict = self.risk.pass_(
            MassQuote(client_id, 1, (Quote(instrument, bid, quantity, bid + 5 * spread, quantity),)), self.now
        )
        self.model.refill(self.now)
        if self.killed:
            made = []
        elif made and self.model.tokens < 1:
            assert [one.rule for one in verdict.refusals][-1:] == [Rule.RATE]
            if len(made) == 1:
                assert verdict.cleared is not None
                self.model.tokens -= 1
            made = []
        else:
            rules = {refusal.side: refusal.rule for refusal in verdict.refusals}
            for side, broken in zip(Side, expected, strict=True):
                assert (side in rules) == bool(broken)
                assert not broken or rules[side] in broken or self.risk.switch.is_killed
            self.model.tokens -= 1
        if self.killed:
            self.model.tokens -= 1
        self.killed = self.risk.switch.is_killed
        if verdict.cleared is not None:
            self.door.send(verdict.cleared, self.now)
            for wish in made:
                self.model.orders[client_id, instrument, wish.side] = wish

    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        """Cancels pass at any pace, and are paid for."""
        names = [name for name, one in self.model.orders.items() if one.alive]
        if names:
            name = data.draw(st.sampled_from(names))
            verdict = self.risk.pass_(Cancel(name[0], name[1]), self.now)
            assert verdict.cleared is not None
            self.door.send(verdict.cleared, self.now)
            self.model.refill(self.now)
            self.model.tokens -= 1

    @rule(quarters=st.integers(1, 8))
    def wait(self, quarters: int) -> None:
        self.now += quarters * QUARTER_NS

    @precondition(lambda self: self.venue.inbox)
    @rule(refuse=st.sampled_from([False, False, True]))
    def process(self, refuse: bool) -> None:
        self.venue.process(refuse)
        self.deliver()

    @precondition(lambda self: self.venue.resting)
    @rule(data=st.data(), quantity=st.integers(1, 9))
    def trade(self, data: st.DataObject, quantity: int) -> None:
        self.venue.trade(data.draw(st.sampled_from(sorted(self.venue.resting))), quantity)
        self.deliver()

    @precondition(lambda self: self.killed)
    @rule()
    def rearm(self) -> None:
        self.risk.switch.rearm("a person")
        self.killed = False

    def deliver(self) -> None:
        while self.venue.outbox:
            report = self.venue.outbox.pop(0)
            if isinstance(report, Rejected) and report.ask is Ask.QUOTE:
                for name, one in self.model.orders.items():
                    one.alive = one.alive and name[0] != report.client_id
            self.model.hear(report)
            self.account.apply(report, self.now)

    @invariant()
    def no_limit_is_passed(self) -> None:
        assert self.model.count() <= 6
        for instrument in CONTRACTS:
            limit = limit_of(instrument)
            held = self.model.position(instrument)
            assert held + self.model.left(instrument, Side.BID, {}) <= limit
            assert -held + self.model.left(instrument, Side.ASK, {}) <= limit
        assert self.model.expiry({}) <= Fraction("1.6")
        for which, limit in enumerate(("0.7", "0.021", "6.2")):
            assert max(self.model.far(which, up, {}) for up in (True, False)) <= Fraction(limit)

    @invariant()
    def no_two_orders_of_ours_would_trade(self) -> None:
        """At the venue, where quotes of a group have replaced each other."""
        resting = self.venue.resting.values()
        for bid in resting:
            for ask in resting:
                if (bid.name[1], bid.name[2], ask.name[2]) == (ask.name[1], Side.BID, Side.ASK):
                    assert bid.price < ask.price


RiskWorld.TestCase.settings = settings(max_examples=20, stateful_step_count=40)
test_no_limit_is_passed_and_nothing_is_refused_without_cause = RiskWorld.TestCase


class LongRiskWorld(RiskWorld):
    """The same, for longer and more often."""


LongRiskWorld.TestCase.settings = settings(max_examples=40, stateful_step_count=60)
test_no_limit_is_passed_in_a_long_day = pytest.mark.slow(LongRiskWorld.TestCase)
