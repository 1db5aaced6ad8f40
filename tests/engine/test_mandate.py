"""Mandates: what the hot step sends is what the plain path would have sent and risk would have let through."""

from collections.abc import Callable
from dataclasses import replace
from itertools import count
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from netfeed.book.change import NO_PRICE
from netfeed.book.execution import Cancel, CancelAll, List, Listed, MassQuote, New, Quote, Report, Request
from netfeed.book.level import Side
from netfeed.engine.account import Account
from netfeed.engine.cleared import FRESH_NS, Seal
from netfeed.engine.contract import Contract, Payoff
from netfeed.engine.door import Door
from netfeed.engine.forward import Forward, Source
from netfeed.engine.hot_quotes import HotQuotes, is_gridded
from netfeed.engine.limits import Limits, Pace, Rule
from netfeed.engine.mandate import Mandates
from netfeed.engine.quote_door import QuoteDoor
from netfeed.engine.quote_words import NO_STEP, Array
from netfeed.engine.quoter import Quoter, QuoterSettings, Tier
from netfeed.engine.risk import Risk
from netfeed.engine.risk_checks import Seen
from netfeed.engine.targets import Abilities, Differ
from netfeed.engine.worth import moved
from netfeed.errors import MisuseError
from tests.engine.small_venue import SmallVenue
from tests.engine.stage import CALL, CONTRACTS, FAIRS, LINEAR, Stage

QUOTED = (CALL, LINEAR)


class Rows:
    """A session that takes rows, unless it is told not to."""

    def __init__(self) -> None:
        self.sent: list[tuple[list[Any], int, int]] = []
        self.refuses = False

    def send(self, rows: Array, number: int, client_id: int, group: int) -> None:
        if self.refuses:
            raise MisuseError("the session is not up")
        self.sent.append((rows[:number].tolist(), client_id, group))


def agreed(account: Account) -> None:
    account.decide(List(0), 0)
    account.sent(List(0), 1, 0)
    account.apply(Listed(1, (), (), None), 0)


class Pass:
    """A stage with a quoter whose quotes rest, and the hot step behind it."""

    def __init__(self, chosen: QuoterSettings, limits: Limits | None = None) -> None:
        self.stage, self.quoter, self.rows = Stage(), Quoter(QUOTED, chosen), Rows()
        self.ids = count(1)
        self.account = Account({contract.index: contract for contract in CONTRACTS})
        self.risk = Risk(self.account, limits or Limits())
        self.mandates = self.risk.mandates(0, QUOTED)
        self.hot = HotQuotes(self.quoter, self.risk, self.mandates)
        self.door = QuoteDoor(self.account, 1, self.mandates, lambda: next(self.ids), self.rows.send)
        self.differ = Differ(Abilities(), lambda: next(self.ids))
        agreed(self.account)
        self.see()
        self.stage.send(self.plain())

    def see(self) -> None:
        board = self.stage.board
        for one in QUOTED:
            fair, contract, book = board.fair(one), board.contracts[one], board.book(one)
            value = None if fair is None else round(fair.value / 10.0**contract.price_exponent)
            bid, ask = (level.price if level else None for level in (book.bid, book.ask))
            self.risk.see(one, Seen(board.now, True, bid, ask, value))

    def plain(self) -> list[Request]:
        return self.differ.requests(self.stage.board, self.quoter.decide(self.stage.board, QUOTED))

    def prepare(self, lead: float = 100_000.0) -> int:
        return self.hot.prepare(self.stage.board, FAIRS, lead, QUOTED, QUOTED)

    def forward(self, lead: float) -> None:
        """Move all worths the plain way."""
        for one in QUOTED:
            at = lead * (FAIRS[one].forward / 100_000.0)
            self.stage.board.set_fairs(
                {one: moved(CONTRACTS[one], FAIRS[one], Forward(at, 1.0, Source.SPOT, self.stage.board.now))}
            )


PLAIN = QuoterSettings((Tier(1.5, 20),), half_ticks=2, edge_ticks=0.5)


@given(
    st.floats(99_600, 100_400), st.sampled_from([1, 2, 5]), st.sampled_from([0, 1000]), st.floats(0.5, 4),
    st.floats(0, 3), st.lists(st.tuples(st.integers(0, 2), st.integers(-3, 3)), max_size=2),
)  # fmt: skip
@settings(max_examples=60)
def test_a_step_sends_what_a_full_pass_would(
    lead: float, requote: int, cool: int, half: float, edge: float, tops: list[tuple[int, int]]
) -> None:
    chosen = replace(PLAIN, half_ticks=half, edge_ticks=edge, requote_ticks=requote, cool_down_ns=cool)
    one = Pass(chosen)
    one.stage.pass_time(500)
    for empty, away in tops:
        bids, asks = ((290 + 5 * away, 40),), ((315 + 5 * away, 30),)
        one.stage.show(CALL, () if empty == 1 else bids, () if empty == 2 else asks)
    one.see()
    one.stage.send(one.plain())
    assume(one.prepare() == 2)
    went = one.door.move(lead, one.stage.board.now)
    one.forward(lead)
    assume(not went.left)
    ticks = [CONTRACTS[at].tick_at(int(fair.value / 10.0 ** CONTRACTS[at].price_exponent)) for at in QUOTED
             if (fair := one.stage.board.fair(at))]  # fmt: skip
    assume(ticks == [5, 50])  # spread and edge are those of the last full pass
    wanted = one.plain()
    assert [one.quotes for one in wanted if isinstance(one, MassQuote)] == (
        [went.request.quotes] if went.request else []
    )


def test_a_mandate_serves_once_and_what_went_is_in_the_account() -> None:
    one = Pass(PLAIN)
    assert one.prepare() == 2
    now = one.stage.board.now
    assert one.door.move(100_000.0, now).request is None
    went = one.door.move(100_300.0, now)
    assert went.request is not None
    assert {quote.instrument for quote in went.request.quotes} == set(QUOTED)
    assert (one.door.sent, one.mandates.used, len(one.rows.sent)) == (1, 2, 1)
    assert sorted(order.price for order in one.account.orders.open() if order.price) == sorted(
        price for quote in went.request.quotes for price in (quote.bid, quote.ask) if price
    )
    assert {order.state.name for order in one.account.orders.open()} == {"PENDING"}
    assert one.door.move(100_400.0, now).request is None
    assert not one.mandates.has(CALL, now)


def held(one: Pass) -> list[int]:
    return [one.account.exposure.open(instrument, side) for instrument in QUOTED for side in Side]


def test_what_a_mandate_may_add_counts_as_open_until_it_is_gone() -> None:
    one = Pass(PLAIN)
    before = held(one)
    assert one.prepare() == 2
    assert held(one) == [more + 20 for more in before]
    one.mandates.void(None)
    assert held(one) == before
    one.prepare()
    assert one.door.move(100_300.0, one.stage.board.now).request is not None
    assert held(one) == [20, 20, 20, 20]


def test_a_side_without_a_price_is_in_no_mandate() -> None:
    one = Pass(PLAIN)
    before = held(one)
    assert one.risk.mandate(one.mandates, Quote(CALL, None, 20, 315, 20), one.stage.board.now) is None
    assert held(one) == [before[0], before[1] + 20, *before[2:]]
    one.mandates.void(None)
    assert held(one) == before
    refusal = one.risk.mandate(one.mandates, Quote(CALL, 285, 20, 317, 20), one.stage.board.now)
    assert refusal is not None
    assert (refusal.rule, refusal.side) == (Rule.CONTRACT, Side.ASK)  # off tick
    assert held(one) == before


def test_a_mandate_ends_with_the_age_of_its_check_and_of_its_book() -> None:
    for limits, ends in ((Limits(), FRESH_NS), (Limits(stale_ns=1_000), 1_000)):
        one = Pass(PLAIN, limits)
        assert one.prepare() == 2
        now = one.stage.board.now
        assert one.mandates.has(CALL, now + ends)
        assert not one.mandates.has(CALL, now + ends + 1)
        assert one.door.move(100_300.0, now + ends + 1).request is None


Change = Callable[[Pass], object]


@pytest.mark.parametrize(
    ("change", "left"),
    [
        (lambda one: one.risk.kill("a person", "smoke", 0), 0),
        (lambda one: one.risk.switch.kill("a person", "smoke", 0), 0),
        (lambda one: (one.risk.switch.kill("a", "b", 0), one.risk.switch.rearm("c")), 0),
        (lambda one: (one.risk.feel(CALL, 0.5, 0.0, 1.0), one.risk.feel(CALL, float("nan"), 0.0, 1.0)), 0),
        (lambda one: one.risk.feel(CALL, 0.5, 0.0, 1.0), 2),
        (lambda one: one.see(), 2),
        (lambda one: one.risk.see(CALL, Seen(0, False, None, None, None)), 1),
        (lambda one: one.account.apply(Listed(1, (), (), None), 0), 0),
        (lambda one: one.account.adopt(LINEAR, 10, 5), 0),
        (lambda one: one.risk.pass_(New(next(one.ids), LINEAR, Side.BID, 50, 10), 0), 1),
        (lambda one: one.risk.pass_(CancelAll(next(one.ids)), 0), 0),
    ],
)
def test_whatever_changes_takes_back_what_it_is_about(change: Change, left: int) -> None:
    one = Pass(PLAIN)
    assert one.prepare() == 2
    change(one)
    went = one.door.move(100_300.0, one.stage.board.now)
    assert (0 if went.request is None else len(went.request.quotes)) == left


@pytest.mark.parametrize(
    ("limits", "wrong"),
    [
        (Limits(clock_offset_ns=5), lambda risk: risk.clock(6)),
        (Limits(margin_percent=50), lambda risk: risk.margin(60, 100)),
    ],
)
def test_a_world_that_turns_bad_takes_all_back(limits: Limits, wrong: Callable[[Risk], None]) -> None:
    one = Pass(PLAIN, limits)
    one.risk.clock(0)
    one.risk.margin(1, 100)
    assert one.prepare() == 2
    one.risk.clock(1)
    assert one.mandates.has(CALL, one.stage.board.now)
    wrong(one.risk)
    assert not one.mandates.has(CALL, one.stage.board.now)


def test_other_sensitivities_take_all_back_only_where_a_sum_is_beyond_its_limit() -> None:
    one = Pass(PLAIN, Limits(vega=10.0))
    for instrument in QUOTED:
        one.risk.feel(instrument, 0.5, 0.0, 1e-3)
    assert one.prepare() == 2
    one.risk.feel(CALL, 0.5, 0.0, 2e-3)
    assert set(one.mandates.held) == set(QUOTED)
    one.risk.feel(CALL, 0.5, 0.0, 1e3)
    assert one.mandates.held == ()
    assert one.mandates.void_by == {"greeks": 2}


def test_a_mandate_is_dropped_whose_worth_comes_from_another_fit_or_another_basis() -> None:
    one = Pass(PLAIN)
    assert one.prepare() == 2
    board = one.stage.board
    one.hot.drop_old(board, FAIRS, 100_000.0)
    assert set(one.mandates.held) == set(QUOTED)
    one.hot.drop_old(board, {**FAIRS, CALL: replace(FAIRS[CALL], vega=1.0)}, 100_000.0)
    assert CALL not in one.mandates.held
    one.hot.drop_old(board, FAIRS, 100_001.0)
    assert one.mandates.held == ()


def test_a_session_that_refuses_leaves_everything_as_it_was() -> None:
    one = Pass(PLAIN)
    before = held(one)
    one.prepare()
    one.rows.refuses = True
    went = one.door.move(100_300.0, one.stage.board.now)
    assert went.request is None
    assert sorted(went.left) == sorted(QUOTED)
    assert (one.door.unsent, held(one), one.account.orders.open_count) == (1, before, 0)


def test_a_pace_without_room_leaves_what_does_not_fit() -> None:
    one = Pass(PLAIN, Limits(rate=1, burst=2))
    one.prepare()
    now = one.stage.board.now
    went = one.door.move(100_300.0, now)  # the first list has cost nothing here: it was not asked of risk
    assert went.request is not None
    assert len(went.request.quotes) == 2
    one = Pass(PLAIN, Limits(rate=1, burst=1))
    one.prepare()
    went = one.door.move(100_300.0, now)
    assert went.request is not None
    assert len(went.request.quotes) == 1
    assert len(went.left) == 1


def test_the_part_of_the_pace_that_is_kept_for_hedges_is_not_the_hot_steps() -> None:
    one = Pass(PLAIN, Limits(rate=1, burst=20))
    one.prepare()
    one.risk._pace.spend(one.stage.board.now, 17)  # type: ignore[union-attr]
    went = one.door.move(100_300.0, one.stage.board.now)
    assert went.request is not None
    assert (len(went.request.quotes), len(went.left)) == (1, 1)


def test_a_forward_that_went_too_far_is_left_to_the_plain_path() -> None:
    one = Pass(PLAIN)
    one.prepare()
    went = one.door.move(101_000.0, one.stage.board.now)
    assert went.request is None
    assert sorted(went.left) == sorted(QUOTED)


def test_quotes_that_are_under_way_or_not_what_is_wanted_get_no_mandate() -> None:
    one = Pass(PLAIN)
    orders = one.stage.board.working(CALL)
    one.stage.board.set_working(CALL, orders[:1])
    assert one.prepare() == 1
    one.stage.board.set_working(CALL, [replace(order, quantity=5) for order in orders])
    assert one.prepare() == 1
    one.stage.board.set_working(CALL, orders)
    assert one.hot.prepare(one.stage.board, FAIRS, 100_000.0, QUOTED, (LINEAR,)) == 1
    assert not one.mandates.has(CALL, one.stage.board.now)


def test_a_book_off_the_ticks_gets_no_mandate_for_prices_beside_it_would_be_off_them_too() -> None:
    one = Pass(PLAIN)
    one.stage.show(CALL, ((301, 40),), ((320, 30),))
    one.see()
    one.stage.send(one.plain())
    granted = one.prepare()
    went = one.door.move(99_600.0, one.stage.board.now)
    quotes = () if went.request is None else went.request.quotes
    assert all(
        price % CONTRACTS[quote.instrument].tick_at(price) == 0
        for quote in quotes for price in (quote.bid, quote.ask) if price
    )  # fmt: skip
    assert granted == 1


@pytest.mark.parametrize("far", [2**54, 2**62, 2**63 - 5])
def test_a_book_with_prices_that_no_float_can_tell_apart_gets_no_mandate(far: int) -> None:
    one = Pass(PLAIN)
    far -= far % 5
    one.stage.show(CALL, ((290, 40),), ((far, 30),))
    one.see()
    one.stage.send(one.plain())
    assert one.prepare() == 1
    assert not one.mandates.has(CALL, one.stage.board.now)


def test_a_grid_whose_steps_do_not_meet_gets_no_mandate() -> None:
    for steps in ((), ((50, 5),), ((50, 5), (100, 10))):
        assert is_gridded(replace(CONTRACTS[CALL], steps=steps))
    for wrong in (((50, 5), (102, 10)), ((48, 5),), ((50, 0),), ((100, 5), (50, 10)), ((-5, 5),), ((50, 2**53),)):
        assert not is_gridded(replace(CONTRACTS[CALL], steps=wrong))
    one = Pass(PLAIN)
    one.stage.board._contracts[CALL] = replace(CONTRACTS[CALL], steps=((48, 5),))
    assert one.prepare() == 1
    with pytest.raises(MisuseError, match="10000 ticks"):
        HotQuotes(Quoter(QUOTED, replace(PLAIN, requote_ticks=10_001)), one.risk, one.mandates)


def test_a_mandate_of_another_group_takes_back_the_one_before() -> None:
    one = Pass(PLAIN)
    other = one.risk.mandates(7, QUOTED)
    assert one.prepare() == 2
    assert one.risk.mandate(other, Quote(CALL, None, 0, 290, 20), one.stage.board.now) is None
    assert not one.mandates.has(CALL, one.stage.board.now)  # else our bid of one could meet our ask of the other
    assert one.mandates.has(LINEAR, one.stage.board.now)
    assert held(one)[:2] == [0, 20]


def test_mandates_are_made_by_risk_alone() -> None:
    one = Pass(PLAIN)
    with pytest.raises(MisuseError, match="only"):
        Mandates(Seal(), 0, (1,), one.account.exposure, None, lambda: True, lambda _: None)
    with pytest.raises(MisuseError, match="only"):
        one.mandates.grant(Seal(), Quote(CALL, 5, 1, 10, 1), None, None, 2**62)
    with pytest.raises(MisuseError, match="no kinds"):
        type("More", (Mandates,), {})
    with pytest.raises(MisuseError, match="only"):
        QuoteDoor(one.account, 1, object(), lambda: 1, one.rows.send)  # type: ignore[arg-type]
    with pytest.raises(MisuseError, match="one slot"):
        one.risk.mandates(0, (1, 1))
    with pytest.raises(MisuseError, match="one tier"):
        HotQuotes(Quoter(QUOTED, replace(PLAIN, mass_quote=False)), one.risk, one.mandates)


@given(st.integers(1, 50), st.integers(1, 30), st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 4))))
def test_a_pace_has_the_room_that_it_says(rate: int, burst: int, spent: list[tuple[int, int]]) -> None:
    pace, now = Pace(rate, burst), 0
    for later, number in spent:
        now += later
        pace.spend(now, number)
        for urgent in (True, False):
            room = pace.room(now, urgent=urgent)
            assert not pace.has(now, room + 1, urgent=urgent)
            assert room < 0 or pace.has(now, room, urgent=urgent)


# --- against Risk.pass_ at that instant

OPTIONS = {
    1: Contract(1, "CALL", Payoff.CALL, "BTC", False, -1, -1, 5, 2, strike=1.0, expiry_ns=100),
    2: Contract(2, "PUT", Payoff.PUT, "BTC", False, -1, -1, 5, 1, strike=1.0, expiry_ns=100),
}
LIMITS = Limits(
    order_size={None: 6}, position={None: 9}, expiry=1.6, delta=0.7, gamma=0.021, vega=6.2, collar_ppm=50_000,
    open_orders=9, rate=4, burst=5, stale_ns=900_000_000, loss={"USD": 50.0}, clock_offset_ns=5, margin_percent=50,
)  # fmt: skip
GREEKS = {1: (0.55, 0.013, 3.1), 2: (-0.45, 0.011, 4.1)}
VALUES, DELTAS = {1: 10.0, 2: 10.0}, {1: 0.5, 2: -0.5}
numbers = st.sampled_from([1, 2])
orders = st.lists(
    st.tuples(numbers, st.sampled_from(Side), st.sampled_from([18, 19, 20, 21, 22]), st.integers(1, 4)), max_size=4
)


class Judged(RuleBasedStateMachine):
    """Two accounts with the same life: one with mandates, one without, whose risk is asked at each instant."""

    def __init__(self) -> None:
        super().__init__()
        self.venue, self.now, self.ids = SmallVenue(), 0, count(1)
        self.accounts = [Account(OPTIONS), Account(OPTIONS)]
        self.risks = [Risk(account, LIMITS) for account in self.accounts]
        self.hot, self.judge = self.risks
        self.doors = [Door(account, 1, lambda _: None) for account in self.accounts]
        self.mandates = self.hot.mandates(0, (1, 2))
        self.rows = Rows()
        self.door = QuoteDoor(self.accounts[0], 1, self.mandates, lambda: next(self.ids), self.rows.send)
        self.seen: dict[int, Seen] = {}
        self.lead = 100.0
        for account in self.accounts:
            agreed(account)
        self.both(lambda risk: risk.clock(0))
        self.both(lambda risk: risk.margin(1, 100))
        for one in OPTIONS:
            self.see(one, True, 90, 110)
            self.both(lambda risk, one=one: risk.feel(one, *GREEKS[one]))  # type: ignore[misc]
            self.both(lambda risk, one=one: risk.mark(one, 100))  # type: ignore[misc]

    def both(self, act: Callable[[Risk], object]) -> None:
        for risk in self.risks:
            act(risk)

    def worth(self, one: int) -> float:
        return VALUES[one] + DELTAS[one] * (self.lead - 100.0)

    def apply(self, report: Report) -> None:
        for account in self.accounts:
            account.apply(report, self.now)

    @rule(one=numbers, live=st.sampled_from([True, True, True, False]), bid=st.integers(17, 20),
          ask=st.integers(20, 23))  # fmt: skip
    def see(self, one: int, live: bool, bid: int, ask: int) -> None:
        bid, ask = (bid, ask) if bid > 30 else (bid * 5, ask * 5)
        fair = round(self.worth(one) / 0.1)
        self.seen[one] = Seen(self.now, live, bid, max(ask, bid + 5), fair)
        self.both(lambda risk: risk.see(one, self.seen[one]))

    @rule(one=numbers, greeks=st.sampled_from([GREEKS[1], GREEKS[2], (3.0, 0.1, 9.0)]))
    def feel(self, one: int, greeks: tuple[float, float, float]) -> None:
        self.both(lambda risk: risk.feel(one, *greeks))

    @rule(what=st.sampled_from(["clock", "nobody", "margin", "kill", "kill and rearm", "loss"]))
    def upset(self, what: str) -> None:
        """Let something be bad of the whole world."""
        match what:
            case "clock":
                self.both(lambda risk: risk.clock(9))
            case "nobody":
                self.both(lambda risk: risk.clock(None))
            case "margin":
                self.both(lambda risk: risk.margin(60, 100))
            case "loss":
                self.both(lambda risk: risk.mark(1, 5))
                self.both(lambda risk: risk.mark(2, 5_000))
            case _:
                self.both(lambda risk: risk.kill("a", "b", self.now))
        if what == "kill and rearm":
            self.both(lambda risk: risk.switch.rearm("c"))

    @rule()
    def heal(self) -> None:
        """Let all be good again, and everything be answered."""
        while self.venue.inbox:
            self.venue.process()
        while self.venue.outbox:
            self.apply(self.venue.outbox.pop(0))
        self.both(lambda risk: risk.mark(1, 100))
        self.both(lambda risk: risk.mark(2, 100))
        self.both(lambda risk: risk.switch.rearm("c") if risk.switch.is_killed else None)
        self.both(lambda risk: risk.clock(0))
        self.both(lambda risk: risk.margin(1, 100))
        for one in OPTIONS:
            self.see(one, True, 90, 110)
            self.feel(one, GREEKS[one])

    @rule(ns=st.sampled_from([1, 300_000_000, 950_000_000]))
    def wait(self, ns: int) -> None:
        self.now += ns
        for account in self.accounts:
            account.wake(self.now)

    @rule(one=numbers, side=st.sampled_from(Side), price=st.integers(18, 22), quantity=st.integers(1, 4))
    def new(self, one: int, side: Side, price: int, quantity: int) -> None:
        self.ask(New(next(self.ids), one, side, price * 5, quantity))

    @rule(both=st.booleans(), one=numbers, quantity=st.sampled_from([2, 4]))
    def quote(self, both: bool, one: int, quantity: int) -> None:
        quotes = tuple(Quote(at, 90, quantity, 110, quantity) for at in ((1, 2) if both else (one,)))
        self.ask(MassQuote(next(self.ids), 0, quotes))

    @rule(everything=st.booleans())
    def cancel(self, everything: bool) -> None:
        orders = list(self.accounts[0].orders.open())
        if everything:
            self.ask(CancelAll(next(self.ids)))
        elif orders:
            self.ask(Cancel(orders[0].client_id, orders[0].instrument))

    def ask(self, request: Request) -> None:
        """Ask both; what the one with mandates lets through the other one does, too."""
        verdict = self.hot.pass_(request, self.now)
        if verdict.cleared is None:
            return
        passed = verdict.cleared._request
        other = self.judge.pass_(passed, self.now)
        assert other.cleared is not None
        assert not other.refusals
        for door, cleared in zip(self.doors, (verdict.cleared, other.cleared), strict=True):
            door.send(cleared, self.now)
        self.venue.inbox.append(passed)

    @rule(refuse=st.sampled_from([False, False, True]))
    def process(self, refuse: bool) -> None:
        if self.venue.inbox:
            self.venue.process(refuse)

    @rule()
    def deliver(self) -> None:
        if self.venue.outbox:
            self.apply(self.venue.outbox.pop(0))

    @rule(which=st.integers(0, 3), quantity=st.integers(1, 3))
    def trade(self, which: int, quantity: int) -> None:
        names = sorted(self.venue.resting)
        if names:
            self.venue.trade(names[which % len(names)], quantity)

    @rule(one=numbers, quantity=st.sampled_from([2, 4]), sides=st.sampled_from(["both", "bid", "ask"]))
    def grant(self, one: int, quantity: int, sides: str) -> None:
        seen = self.seen[one]
        bid, ask = (90 if sides != "ask" else None), (110 if sides != "bid" else None)
        self.mandates.slots[one - 1] = (
            VALUES[one], 100.0, 1.0, DELTAS[one], 0.0, 0.0, 0.5, 0.1, 0.0, 0.0, 0.1, 5, *[NO_STEP] * 3, 5, 5, 5,
            seen.bid, seen.ask, *(NO_PRICE if price is None else price for price in (bid, ask)),
            *[0 if price is None else quantity for price in (bid, ask)] * 2, 1, 1, 0, 0, 0,
        )  # fmt: skip
        quote = Quote(one, bid, quantity if bid else 0, ask, quantity if ask else 0)
        self.hot.mandate(self.mandates, quote, self.now)

    @rule(
        orders=orders, trades=st.booleans(), grants=st.lists(st.sampled_from([2, 4]), min_size=2, max_size=2),
        between=st.sampled_from(["", "clock", "kill and rearm", "margin", "loss", "see", "feel", "wait", "orders"]),
        more=orders, lead=st.sampled_from([99.5, 100.0, 100.5]) | st.floats(99.5, 100.5),
    )  # fmt: skip
    def grant_and_move(
        self, orders: list[Any], trades: bool, grants: list[int], between: str, more: list[Any], lead: float
    ) -> None:
        """Let one thing happen between mandates and their use."""
        self.heal()
        self.ask(CancelAll(next(self.ids)))
        for one in orders:
            self.new(*one)
        self.heal()
        if trades:
            self.trade(0, 3)
        self.heal()
        self.now += 10**9
        self.heal()
        for instrument, quantity in zip(OPTIONS, grants, strict=True):
            self.grant(instrument, quantity, "both")
        match between:
            case "see":
                self.see(1, False, 90, 110)
            case "feel":
                self.feel(1, (3.0, 0.1, 9.0))
            case "wait":
                self.wait(950_000_000)
            case "orders":
                for one in more:
                    self.new(*one)
            case "":
                pass
            case _:
                self.upset(between)
        self.move(lead)

    @rule(lead=st.floats(99.5, 100.5))
    def move(self, lead: float) -> None:
        self.lead = lead
        went = self.door.move(lead, self.now)
        if went.request is None:
            return
        for quote in went.request.quotes:
            one = quote.instrument
            self.judge.see(one, replace(self.seen[one], fair=round(self.worth(one) / 0.1)))
        verdict = self.judge.pass_(went.request, self.now)
        assert verdict.cleared is not None, verdict.refusals
        assert not verdict.refusals, verdict.refusals
        self.doors[1].send(verdict.cleared, self.now)
        self.both(lambda risk: [risk.see(one, seen) for one, seen in self.seen.items()])
        self.venue.inbox.append(went.request)

    @invariant()
    def the_same_is_known_of_all_orders(self) -> None:
        assert self.accounts[0].snapshot() == self.accounts[1].snapshot()

    @invariant()
    def what_mandates_hold_is_within_the_limits(self) -> None:
        exposure = self.accounts[0].exposure
        for one in OPTIONS if self.mandates._held else ():
            assert exposure.furthest(one, Side.BID) <= 9 or one not in self.mandates._held


TestJudged = Judged.TestCase
TestJudged.settings = settings(max_examples=60, stateful_step_count=20, deadline=None)


def test_the_rules_that_refuse_a_wish_refuse_its_mandate() -> None:
    one = Pass(PLAIN, Limits(order_size={None: 5}))
    refusal = one.risk.mandate(one.mandates, Quote(CALL, 285, 20, 315, 20), one.stage.board.now)
    assert refusal is not None
    assert refusal.rule is Rule.SIZE
    assert not one.mandates.has(CALL, one.stage.board.now)
    assert not one.risk.refused
    twice = Quote(CALL, 285, -1, 315, 20)
    refusal = one.risk.mandate(one.mandates, twice, one.stage.board.now)
    assert refusal is not None
    assert refusal.rule is Rule.REQUEST


def test_a_mandate_ends_at_our_own_orders_and_counts_among_those_that_are_open() -> None:
    one = Pass(PLAIN, Limits(open_orders=5))
    assert one.risk.pass_(New(next(one.ids), CALL, Side.ASK, 295, 1), one.stage.board.now).cleared is not None
    assert one.prepare() == 2
    assert one.mandates._limits["bid_most"].tolist()[0] == 294
    went = one.door.move(100_300.0, one.stage.board.now)
    assert went.left == [CALL]  # its bid would have met our own ask
    one = Pass(PLAIN, Limits(open_orders=4))
    assert one.prepare() == 2
    verdict = one.risk.pass_(New(next(one.ids), CALL, Side.BID, 5, 1), one.stage.board.now)
    assert [refusal.rule for refusal in verdict.refusals] == [Rule.OPEN_ORDERS]
