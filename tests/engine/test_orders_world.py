"""Orders in a world: whatever order reports come in and however often, our account ends as the venue's.

And at every step, what the venue may still execute lies within what we think may come upon our position at worst.
"""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from netfeed.book.execution import (
    Amend,
    Ask,
    Cancel,
    CancelAll,
    Down,
    List,
    MassQuote,
    New,
    Quote,
    Rejected,
    Report,
    Request,
)
from netfeed.book.level import Side
from netfeed.engine.account import Account
from netfeed.engine.order import HARMLESS, State
from netfeed.machine import NEVER
from tests.engine.small_venue import SmallVenue

INSTRUMENTS = (1, 2)
SETTLE_NS = 10
QUANTITIES = st.integers(1, 9)
PRICES = st.integers(90, 110)
RESTING = (State.LIVE, State.PARTIAL)
SELDOM = st.sampled_from([False] * 7 + [True])


class World(RuleBasedStateMachine):
    """Our account, the venue, and the wire between them."""

    def __init__(self) -> None:
        super().__init__()
        self.account = Account({}, answer_ns=100, settle_ns=SETTLE_NS, kept=10_000)
        self.venue = SmallVenue()
        self.delivered: list[Report] = []
        self.now = 0
        self.last_id = 0
        self.overtaken = False

    # --- what we do

    def send(self, request: Request) -> None:
        self.account.decide(request, self.now)
        self.account.sent(request, 1, self.now)
        self.venue.inbox.append(request)

    def next_id(self) -> int:
        self.last_id += 1
        return self.last_id

    @rule(instrument=st.sampled_from(INSTRUMENTS), side=st.sampled_from(Side), price=PRICES, quantity=QUANTITIES)
    def new(self, instrument: int, side: Side, price: int, quantity: int) -> None:
        self.send(New(self.next_id(), instrument, side, price, quantity))

    @rule(bid=PRICES | st.none(), ask=PRICES | st.none(), quantity=QUANTITIES, group=st.integers(1, 2))
    def quote(self, bid: int | None, ask: int | None, quantity: int, group: int) -> None:
        self.send(MassQuote(self.next_id(), group, (Quote(1, bid, quantity, ask, quantity),)))

    @precondition(lambda self: any(one.state in RESTING for one in self.account.orders.open()))
    @rule(data=st.data(), price=PRICES, quantity=QUANTITIES)
    def amend(self, data: st.DataObject, price: int, quantity: int) -> None:
        can = [
            Amend(order.client_id, order.instrument, price, quantity)
            for order in self.account.orders.open()
            if order.group is None
        ]
        can = [request for request in can if self.account.orders.objection(request) is None][-3:]
        if can:
            self.send(data.draw(st.sampled_from(can)))

    @precondition(lambda self: self.account.orders.open_count > 2)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        orders = [Cancel(order.client_id, order.instrument) for order in self.account.orders.open()]
        if orders:
            self.send(data.draw(st.sampled_from(orders)))

    @rule(instrument=st.sampled_from(INSTRUMENTS) | st.none(), side=st.sampled_from(Side) | st.none(), all_=SELDOM)
    def cancel_all(self, instrument: int | None, side: Side | None, all_: bool) -> None:
        if not all_:
            return
        self.send(CancelAll(self.next_id(), instrument, side))

    @rule(step=st.sampled_from([1, 1, 1, 5, 20, 150]))
    def wait(self, step: int) -> None:
        self.now += step
        self.account.wake(self.now)
        assert self.account.deadline > self.now

    # --- what the venue does

    @precondition(lambda self: self.venue.inbox)
    @rule(refuse=SELDOM)
    def process(self, refuse: bool) -> None:
        self.venue.process(refuse)

    @precondition(lambda self: self.venue.resting)
    @rule(data=st.data(), quantity=QUANTITIES)
    def trade(self, data: st.DataObject, quantity: int) -> None:
        self.venue.trade(data.draw(st.sampled_from(sorted(self.venue.resting))), quantity)

    @precondition(lambda self: self.venue.resting)
    @rule(data=st.data())
    def take_out(self, data: st.DataObject) -> None:
        self.venue.cancel(data.draw(st.sampled_from(sorted(self.venue.resting))))

    @precondition(lambda self: self.venue.inbox)
    @rule(instrument=st.sampled_from(INSTRUMENTS), side=st.sampled_from(Side), quantity=QUANTITIES)
    def work(self, instrument: int, side: Side, quantity: int) -> None:
        """Everything is taken and told in order, and another order comes to rest."""
        self.send(New(self.next_id(), instrument, side, 100, quantity))
        while self.venue.inbox:
            self.venue.process()
        while self.venue.outbox:
            self.hear(self.venue.outbox.pop(0))

    # --- what the wire does

    @precondition(lambda self: self.venue.outbox)
    @rule(data=st.data())
    def deliver(self, data: st.DataObject) -> None:
        self.hear(self.venue.outbox.pop(data.draw(st.integers(0, len(self.venue.outbox) - 1))))

    @precondition(lambda self: self.delivered)
    @rule(data=st.data())
    def repeat(self, data: st.DataObject) -> None:
        report = data.draw(st.sampled_from(self.delivered))
        if not isinstance(report, Rejected) or report.ask is Ask.NEW:
            self.hear(report)

    @rule(breaks=SELDOM)
    def go_down(self, breaks: bool) -> None:
        if not breaks:
            return
        self.hear(Down(1, "the link broke", False))
        assert all(order.state is State.UNCERTAIN for order in self.account.orders.open())

    @rule(overtakes=SELDOM)
    def list(self, overtakes: bool) -> None:
        """Mostly when nothing is under way: what a list overtakes is not held against the worst case any more."""
        if (self.venue.inbox or self.venue.outbox) and not overtakes:
            return
        self.account.sent(List(self.next_id()), 1, self.now)
        self.account.apply(self.venue.listed(), self.now)
        self.overtaken = self.overtaken or bool(self.venue.inbox or self.venue.outbox)

    def hear(self, report: Report) -> None:
        self.delivered.append(report)
        self.account.apply(report, self.now)

    # --- what must hold

    @invariant()
    def the_worst_case_covers_the_venue(self) -> None:
        """Whatever the venue has executed, has resting, or has still to read, is within our worst case."""
        if self.overtaken:
            return  # a list overtook something for longer than `settle_ns`: that is told when it comes, at the latest
        for instrument in INSTRUMENTS:
            for side in Side:
                open_there = sum(
                    order.quantity - order.filled
                    for name, order in self.venue.resting.items()
                    if name[1:] == (instrument, side)
                )
                signed = self.venue.position(instrument) * (1 if side is Side.BID else -1)
                assert self.account.exposure.furthest(instrument, side) >= signed + open_there

    @invariant()
    def positions_are_the_executions_that_were_delivered(self) -> None:
        for instrument in INSTRUMENTS:
            waiting = sum(
                fill.quantity if fill.side is Side.BID else -fill.quantity
                for fill in self.venue.fills
                if fill.instrument == instrument and fill in self.venue.outbox
            )
            held = self.account.positions[instrument].quantity
            assert held == self.venue.position(instrument) - waiting == self.account.exposure.position(instrument)

    @invariant()
    def what_is_open_is_what_the_exposure_has(self) -> None:
        for instrument in INSTRUMENTS:
            for side in Side:
                open_there = sum(order.open for order in self.account.orders.at(instrument, side))
                assert self.account.exposure.open(instrument, side) >= open_there

    def teardown(self) -> None:
        while self.venue.inbox:
            self.venue.process()
        while self.venue.outbox:
            self.hear(self.venue.outbox.pop())
        self.now += 1_000
        self.account.wake(self.now)
        for _ in range(3):
            self.now += SETTLE_NS
            self.account.sent(List(self.next_id()), 1, self.now)
            self.account.apply(self.venue.listed(), self.now)
        self.ends_as_the_venue()

    def ends_as_the_venue(self) -> None:
        orders = self.account.orders
        assert self.account.reconciled is not None
        assert self.account.reconciled.agreed, self.account.reconciled
        assert self.account.agrees
        assert not orders.suspects
        assert orders.deadline == NEVER
        resting = {(one.client_id, one.instrument, one.side): one for one in orders.open()}
        assert set(resting) == set(self.venue.resting)
        for name, theirs in self.venue.resting.items():
            ours = resting[name]
            assert (ours.price, ours.quantity, ours.filled) == (theirs.price, theirs.quantity, theirs.filled)
            assert ours.state is (State.PARTIAL if theirs.filled else State.LIVE)
        for name, (how, filled) in self.venue.ended.items():
            order = orders.get(*name)
            assert order is not None
            assert (order.state.name, order.filled, order.open) == (how, filled, 0)
        for instrument in INSTRUMENTS:
            for side in Side:
                left = sum(
                    order.quantity - order.filled
                    for name, order in self.venue.resting.items()
                    if name[1:] == (instrument, side)
                )
                assert self.account.exposure.open(instrument, side) == left


World.TestCase.settings = settings(max_examples=30, stateful_step_count=40)
test_whatever_the_wire_does_our_orders_end_as_the_venues = World.TestCase


class LongWorld(World):
    """The same, for longer and more often."""


LongWorld.TestCase.settings = settings(max_examples=120, stateful_step_count=60)
test_whatever_the_wire_does_for_long_our_orders_end_as_the_venues = pytest.mark.slow(LongWorld.TestCase)


class OrderlyWorld(World):
    """The same, where each report comes once and in order, in time, and no session is lost: nothing is odd."""

    deliver = repeat = go_down = list = wait = None  # type: ignore[assignment]

    @precondition(lambda self: self.venue.outbox)
    @rule()
    def deliver_next(self) -> None:
        self.hear(self.venue.outbox.pop(0))

    def teardown(self) -> None:
        while self.venue.inbox:
            self.venue.process()
        while self.venue.outbox:
            self.hear(self.venue.outbox.pop(0))
        self.account.sent(List(self.next_id()), 1, self.now)
        self.account.apply(self.venue.listed(), self.now)
        assert not {one for one in self.account.orders.anomalies if one not in HARMLESS}
        self.ends_as_the_venue()


OrderlyWorld.TestCase.settings = settings(max_examples=20, stateful_step_count=40)
test_in_an_orderly_world_nothing_is_odd = OrderlyWorld.TestCase
