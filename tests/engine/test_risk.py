"""Risk: each rule refuses what it is for, cancels always pass, nothing goes out uncleared or twice."""

import copy
import pickle
import re
from dataclasses import replace
from pathlib import Path

import pytest

from netfeed.book.execution import (
    Accepted,
    Amend,
    Cancel,
    CancelAll,
    Down,
    Filled,
    Flag,
    List,
    Listed,
    MassQuote,
    New,
    Quote,
    Quoted,
    QuoteSide,
    QuoteState,
    Request,
    Tripped,
)
from netfeed.book.execution import Cause as Why
from netfeed.book.level import Side
from netfeed.engine.account import Account
from netfeed.engine.cleared import FRESH_NS, Cleared, take_seal
from netfeed.engine.contract import Contract, Payoff
from netfeed.engine.door import Door
from netfeed.engine.kill_switch import KillSwitch, Thrown
from netfeed.engine.limits import RULES, Limits, Rule
from netfeed.engine.mmp import Protection
from netfeed.engine.order import State
from netfeed.engine.order_events import Pull
from netfeed.engine.risk import Risk, Verdict
from netfeed.engine.risk_checks import CHECKS, Seen
from netfeed.errors import MisuseError

CONTRACTS = {
    1: Contract(1, "CALL", Payoff.CALL, "BTC", True, -4, -1, 5, 2, strike=1.0, expiry_ns=100),
    2: Contract(2, "PERP", Payoff.PERPETUAL, "BTC", True, -1, 0, 5, 1, multiplier=10.0),
}
ORDER = New(1, 1, Side.BID, 100, 10)
SEEN = Seen(0, True, 95, 105, 100)
FILL = Filled(1, 1, "v", "m", Side.BID, 100, 10, 10, True, None)


class Desk:
    """Risk over an account that agrees with its venue, with a market that is seen, and a door."""

    def __init__(self, limits: Limits | None = None, **more: object) -> None:
        self.account = Account(CONTRACTS, **more)  # type: ignore[arg-type]
        self.risk = Risk(self.account, limits or Limits())
        self.out: list[Request] = []
        self.door = Door(self.account, 1, self.out.append)
        for one in CONTRACTS:
            self.risk.see(one, SEEN)
            self.risk.feel(one, 0.5, 0.01, 2.0)
            self.risk.mark(one, 100)
        self.agree()

    def agree(self) -> None:
        self.account.decide(List(0), 0)
        self.account.sent(List(0), 1, 0)
        self.account.apply(Listed(1, (), (), None), 0)

    def ask(self, request: Request, now: int = 0) -> Verdict:
        verdict = self.risk.pass_(request, now)
        if verdict.cleared is not None:
            self.door.send(verdict.cleared, now)
        return verdict

    def rules(self, request: Request, now: int = 0) -> list[Rule]:
        return [refusal.rule for refusal in self.ask(request, now).refusals]


def accept(desk: Desk, request: New = ORDER) -> None:
    assert desk.rules(request) == []
    desk.account.apply(
        Accepted(request.client_id, request.instrument, "v", request.price, request.quantity, 0, True, None), 0
    )


def test_what_passes_goes_through_the_door_once() -> None:
    desk = Desk()
    verdict = desk.risk.pass_(ORDER, 0)
    assert verdict.cleared is not None
    assert desk.account.orders.open_count == 1
    desk.door.send(verdict.cleared, 0)
    assert (desk.out, desk.door.sent, desk.risk.passed) == ([ORDER], 1, 1)
    with pytest.raises(MisuseError, match="nothing is ever sent twice"):
        desk.door.send(verdict.cleared, 0)
    assert desk.out == [ORDER]


def make(rule: Rule) -> tuple[Desk, Request]:
    """Make a desk on which a request is refused by one rule alone."""
    desk, request = Desk(), ORDER
    if rule is Rule.KILLED:
        desk.risk.kill("a person", "smoke", 0)
    elif rule is Rule.NOT_RECONCILED:
        desk.account.apply(Down(1, "", False), 0)
    elif rule is Rule.REQUEST:
        request = replace(ORDER, quantity=0)
    elif rule is Rule.CONTRACT:
        request = replace(ORDER, price=101)
    elif rule is Rule.UNCERTAIN:
        desk.account.apply(replace(FILL, client_id=50), 0)
    elif rule is Rule.CLOCK:
        desk = Desk(Limits(clock_offset_ns=5))
        desk.risk.clock(-6)
    elif rule is Rule.BOOK:
        desk.risk.see(1, replace(SEEN, live=False))
    elif rule is Rule.STALE:
        desk = Desk(Limits(stale_ns=5))
        desk.risk.see(1, replace(SEEN, at=-6))
    elif rule is Rule.MARKET_ORDER:
        request = replace(ORDER, price=None)
    elif rule is Rule.SIZE:
        desk = Desk(Limits(order_size={1: 8, None: 100}))
    elif rule is Rule.FAIR:
        desk = Desk(Limits(collar_ppm=0))
        request = replace(ORDER, price=105)
    elif rule is Rule.COLLAR:
        desk = Desk(Limits(collar_ppm=0, collar_ticks=1))
        desk.risk.see(1, replace(SEEN, fair=200))
        request = replace(ORDER, price=115)
    elif rule is Rule.SELF_TRADE:
        accept(desk, New(1, 1, Side.ASK, 110, 2))
        request = New(2, 1, Side.BID, 110, 2)
    elif rule is Rule.PROTECTION:
        desk = Desk(protections={0: Protection(100)})
        desk.account.apply(Tripped(0, "delta", None, None), 0)
        request = replace(ORDER, flags=Flag.MMP)
    elif rule is Rule.OPEN_ORDERS:
        desk = Desk(Limits(open_orders=1))
        accept(desk)
        request = replace(ORDER, client_id=2)
    elif rule is Rule.POSITION:
        desk = Desk(Limits(position={None: 18}))
        accept(desk)
        request = replace(ORDER, client_id=2)
    elif rule is Rule.EXPIRY:
        desk = Desk(Limits(expiry=0.9))
    elif rule is Rule.SENSITIVITY:
        desk = Desk(Limits(delta=100.0))
        desk.risk.feel(1, float("nan"), 0.0, 0.0)
    elif rule in (Rule.DELTA, Rule.GAMMA, Rule.VEGA):
        desk = Desk({
            Rule.DELTA: Limits(delta=0.49), Rule.GAMMA: Limits(gamma=0.0099), Rule.VEGA: Limits(vega=1.99),
        }[rule])  # fmt: skip
    elif rule is Rule.MARGIN:
        desk = Desk(Limits(margin_percent=50))
        desk.risk.margin(51, 100)
    elif rule is Rule.LOSS:
        desk = Desk(Limits(loss={"BTC": 0.0009}))
        desk.account.positions.trade(1, 2, 150)
    elif rule is Rule.UNMARKED:
        desk = Desk(Limits(loss={"BTC": 1.0}))
        desk.account.positions.trade(99, 2, 150)
    else:
        desk = Desk(Limits(rate=1, burst=1))
        accept(desk)
        request = replace(ORDER, client_id=2)
    return desk, request


@pytest.mark.parametrize("rule", Rule, ids=lambda one: one.value)
def test_each_rule_refuses_what_it_is_for_and_counts_it(rule: Rule) -> None:
    desk, request = make(rule)
    out = len(desk.out)
    verdict = desk.ask(request)
    assert [(refusal.rule, bool(refusal.detail)) for refusal in verdict.refusals] == [(rule, True)]
    assert verdict.cleared is None
    assert len(desk.out) == out
    assert desk.risk.refused == {rule: 1}


@pytest.mark.parametrize("rule", Rule, ids=lambda one: one.value)
def test_cancels_and_lists_pass_whatever_is_wrong(rule: Rule) -> None:
    desk, request = make(rule)
    desk.ask(request)
    for number, one in enumerate([Cancel(1, 1), CancelAll(100), List(101), CancelAll(100, 1, Side.BID)] * 3):
        assert desk.ask(one, number).cleared is not None


def test_every_rule_is_described_and_checked() -> None:
    assert set(RULES) == set(Rule)
    assert {rule for rule, _ in CHECKS} == set(Rule) - {Rule.REQUEST, Rule.RATE}


@pytest.mark.parametrize(
    ("limits", "request_"),
    [
        (Limits(order_size={1: 10}), ORDER),
        (Limits(position={1: 10}), ORDER),
        (Limits(expiry=1.0), ORDER),
        (Limits(delta=0.5, gamma=0.01, vega=2.0), ORDER),
        (Limits(collar_ppm=50_000), replace(ORDER, price=105)),
        (Limits(collar_ppm=0, collar_ticks=1), replace(ORDER, price=105)),
        (Limits(collar_ppm=0), replace(ORDER, price=5)),
        (Limits(collar_ppm=0), replace(ORDER, side=Side.ASK, price=1_000)),
        (Limits(market_orders=True), replace(ORDER, price=None)),
        (Limits(open_orders=1), ORDER),
    ],
)
def test_what_is_exactly_at_a_limit_passes(limits: Limits, request_: New) -> None:
    assert Desk(limits).rules(request_) == []


def test_what_makes_a_position_smaller_passes_where_it_is_beyond_its_limit() -> None:
    desk = Desk(Limits(position={None: 4}, delta=0.1))
    desk.account.adopt(1, 10, 100)
    assert desk.rules(replace(ORDER, quantity=2)) == [Rule.POSITION]
    assert desk.rules(New(2, 1, Side.ASK, 110, 4)) == []


def test_an_amend_counts_by_what_it_adds_and_one_that_adds_nothing_is_no_matter_of_position() -> None:
    desk = Desk(Limits(position={None: 12}))
    accept(desk)
    assert desk.rules(Amend(1, 1, 105, 14)) == [Rule.POSITION]
    assert desk.rules(Amend(1, 1, 105, 12)) == []
    assert desk.account.exposure.furthest(1, Side.BID) == 12
    assert desk.rules(Amend(1, 1, 105, 2)) == [Rule.REQUEST]


def test_a_mass_quote_is_judged_side_by_side_and_what_is_refused_is_pulled() -> None:
    desk = Desk(Limits(position={1: 10, None: 100}))
    verdict = desk.ask(MassQuote(1, 1, (Quote(1, 100, 12, 110, 10), Quote(2, 100, 10, 110, 10))))
    assert [(one.rule, one.instrument, one.side) for one in verdict.refusals] == [(Rule.POSITION, 1, Side.BID)]
    assert desk.out == [MassQuote(1, 1, (Quote(1, None, 0, 110, 10), Quote(2, 100, 10, 110, 10)))]


def test_the_sides_of_one_mass_quote_add_up() -> None:
    desk = Desk(Limits(delta=0.5, open_orders=2))
    desk.risk.feel(2, 0.05, 0.0, 0.0)
    verdict = desk.ask(MassQuote(1, 1, (Quote(1, 100, 10, None, 0), Quote(2, 100, 1, 110, 1))))
    assert [(one.rule, one.instrument, one.side) for one in verdict.refusals] == [(Rule.DELTA, 2, Side.BID)]
    verdict = desk.ask(MassQuote(2, 2, (Quote(2, None, 0, 110, 1),)))
    assert [one.rule for one in verdict.refusals] == [Rule.OPEN_ORDERS]


def test_a_mass_quote_may_cross_what_it_replaces_but_not_itself_or_another_group() -> None:
    desk = Desk()
    rests = QuoteSide(QuoteState.RESTS, None, None, 10, 0, Why.OTHER, "")
    desk.ask(MassQuote(1, 1, (Quote(1, 100, 10, 110, 10),)))
    bid, ask = replace(rests, price=100), replace(rests, price=110)
    desk.account.apply(Quoted(1, 1, ((1, bid, ask),), None), 0)
    assert desk.rules(MassQuote(2, 1, (Quote(1, 115, 10, 120, 10),))) == []
    assert desk.rules(MassQuote(3, 1, (Quote(1, 100, 10, 100, 10),))) == [Rule.SELF_TRADE] * 2
    assert desk.rules(MassQuote(4, 2, (Quote(1, 110, 10, None, 0),))) == [Rule.SELF_TRADE]


def test_a_kill_turns_a_mass_quote_into_its_pulls() -> None:
    desk = Desk()
    desk.risk.kill("a person", "smoke", 0)
    desk.ask(MassQuote(1, 1, (Quote(1, 100, 10, 110, 10),)))
    assert desk.out == [MassQuote(1, 1, (Quote(1, None, 0, None, 0),))]


def test_where_the_pace_has_no_room_only_pulls_are_left_of_a_mass_quote() -> None:
    desk = Desk(Limits(rate=1, burst=2))
    two = (Quote(1, 100, 10, 110, 10), Quote(2, 100, 10, 110, 10))
    assert desk.rules(MassQuote(1, 1, two)) == []
    assert desk.rules(MassQuote(2, 1, two)) == [Rule.RATE]
    assert desk.rules(MassQuote(3, 1, (two[0], Quote(2, None, 0, 110, 10)))) == [Rule.RATE]
    assert desk.rules(MassQuote(4, 1, (Quote(1, None, 0, None, 0),))) == []
    assert [one.client_id for one in desk.out if isinstance(one, MassQuote)] == [1, 3, 4]
    assert desk.out[1] == MassQuote(3, 1, (Quote(2, None, 0, None, 0),))
    assert desk.rules(MassQuote(5, 1, two), 3 * 10**9) == [Rule.RATE]  # the two pulls are paid for
    assert desk.rules(MassQuote(6, 1, two), 4 * 10**9) == []


def test_a_loss_beyond_its_limit_kills_until_a_person_arms_again() -> None:
    desk, request = make(Rule.LOSS)
    assert desk.rules(request) == [Rule.LOSS]
    assert desk.risk.switch.is_killed
    desk.risk.mark(1, 150)
    assert desk.rules(request) == [Rule.KILLED]
    with pytest.raises(MisuseError, match="say who"):
        desk.risk.switch.rearm(" ")
    desk.risk.switch.rearm("the head of the desk")
    assert desk.rules(request) == []
    with pytest.raises(MisuseError, match="not thrown"):
        desk.risk.switch.rearm("the head of the desk")


def test_the_first_who_kills_is_named() -> None:
    switch = KillSwitch()
    switch.kill("a file", "/run/kill", 1)
    switch.kill("a signal", "SIGUSR2", 2)
    assert (switch.thrown, switch.kills) == (Thrown("a file", "/run/kill", 1), 2)
    assert KillSwitch(killed=Thrown("a crash", "", 0)).is_killed


def test_between_requests_the_watch_pulls_what_could_not_be_asked_for_now() -> None:
    desk = Desk(Limits(stale_ns=100, loss={"BTC": 0.001}))
    accept(desk)
    assert desk.risk.watch(100) == []
    assert [event.instrument for event in desk.risk.watch(101) if isinstance(event, Pull)] == [1]
    desk.account.apply(FILL, 0)
    assert desk.risk.watch(101) == []
    desk.risk.mark(1, 80)
    desk.risk.watch(101)
    assert desk.risk.switch.is_killed
    assert not desk.risk.refused


def test_a_kill_pulls_every_instrument_that_something_rests_in() -> None:
    desk = Desk()
    accept(desk)
    assert [event.instrument for event in desk.risk.kill("a person", "", 0) if isinstance(event, Pull)] == [1]


def test_executions_of_protected_makers_freeze_their_group_and_pull_it() -> None:
    desk = Desk(protections={0: Protection(1_000, 50, quantity=10**18)})
    accept(desk, replace(ORDER, flags=Flag.MMP))
    accept(desk, New(2, 2, Side.BID, 100, 1, flags=Flag.MMP))
    taker = replace(FILL, quantity=5, filled=5, maker=False)
    assert not [one for one in desk.account.apply(taker, 0) if isinstance(one, Pull)]
    assert not desk.account.groups[0].is_frozen(0)
    desk.account.apply(replace(FILL, match_id="n", quantity=4, filled=9), 1)
    assert not desk.account.groups[0].is_frozen(1)
    told = desk.account.apply(replace(FILL, client_id=2, instrument=2, quantity=1, filled=1, price=100), 2)
    assert desk.account.groups[0].is_frozen(51)
    assert not desk.account.groups[0].is_frozen(52)
    assert told[0] == Pull(1, "group 0 is frozen: quantity")
    assert desk.rules(New(3, 2, Side.BID, 100, 1, flags=Flag.MMP)) == [Rule.PROTECTION]


# --- no way around it


def test_nobody_else_can_clear_a_request() -> None:
    with pytest.raises(MisuseError, match="only `risk`"):
        take_seal()
    with pytest.raises(MisuseError, match="only `Risk"):
        Cleared(object(), ORDER, 0)  # type: ignore[arg-type]
    with pytest.raises(MisuseError, match="has no kinds"):
        type("Mine", (Cleared,), {})
    desk = Desk()
    with pytest.raises(MisuseError, match="only what risk has cleared"):
        desk.door.send(ORDER, 0)  # type: ignore[arg-type]
    assert desk.out == []


def test_what_is_cleared_is_not_copied_changed_or_pickled() -> None:
    cleared = Desk().risk.pass_(ORDER, 0).cleared
    assert cleared is not None
    for way in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(MisuseError):
            way(cleared)
    with pytest.raises(MisuseError):
        cleared.at = 5
    with pytest.raises(MisuseError):
        object.__new__(Cleared).spend(0)


def test_a_check_holds_for_a_moment_only_and_a_cancel_for_ever() -> None:
    desk = Desk()
    verdict, cancel = desk.risk.pass_(ORDER, 0), desk.risk.pass_(Cancel(7, 1), 0)
    assert verdict.cleared is not None
    assert cancel.cleared is not None
    with pytest.raises(MisuseError, match="checked too long ago"):
        desk.door.send(verdict.cleared, FRESH_NS + 1)
    desk.door.send(cancel.cleared, 10 * FRESH_NS)
    assert desk.out == [Cancel(7, 1)]


def test_what_was_withdrawn_between_check_and_door_stays_here() -> None:
    desk = Desk()
    verdict = desk.risk.pass_(ORDER, 0)
    assert verdict.cleared is not None
    desk.ask(Cancel(1, 1))
    with pytest.raises(MisuseError, match="withdrawn"):
        desk.door.send(verdict.cleared, 0)
    assert desk.out == [Cancel(1, 1)]


def test_what_the_session_will_not_take_is_taken_back() -> None:
    desk = Desk()

    def refuse(request: Request) -> None:
        raise MisuseError("the session is not up")

    verdict = desk.risk.pass_(ORDER, 0)
    assert verdict.cleared is not None
    door = Door(desk.account, 1, refuse)
    door.send(verdict.cleared, 0)
    order = desk.account.orders.get(1)
    assert order is not None
    assert (order.state, door.unsent, door.sent) == (State.REJECTED, 1, 0)
    assert desk.account.exposure.furthest(1, Side.BID) == 0


def test_only_risk_names_the_seal_and_only_the_door_spends() -> None:
    source = Path(__file__).resolve().parents[2] / "src" / "netfeed"
    texts = {path.relative_to(source).as_posix(): path.read_text() for path in source.rglob("*.py")}
    seal = {path for path, text in texts.items() if re.search(r"take_seal|_GENUINE|\b_Seal\b", text)}
    makes = {path for path, text in texts.items() if re.search(r"\bCleared\(", text)}
    spends = {path for path, text in texts.items() if re.search(r"cleared\.spend\(", text)}
    assert seal == {"engine/cleared.py", "engine/risk.py"}
    assert makes == {"engine/risk.py"}
    assert spends == {"engine/door.py"}


def test_the_margin_of_every_account_and_currency_counts_and_one_that_nobody_knows_refuses() -> None:
    desk = Desk(Limits(margin_percent=50))
    desk.risk.margin(None, of="a BTC")
    assert desk.risk.margin_used is None
    desk.risk.margin(49, 100, of="a USD")
    assert desk.risk.margin_used == 0.49
    assert desk.ask(ORDER).refusals[0].detail == "nobody has said how much is used of a BTC"
    desk.risk.margin(5, 10, of="a BTC")
    assert desk.ask(ORDER).cleared is not None
    desk.risk.margin(6, 10, of="a BTC")
    verdict = desk.ask(replace(ORDER, client_id=2))
    assert [(one.rule, one.detail) for one in verdict.refusals] == [(Rule.MARGIN, "6 of 10 is used")]
    assert [event.instrument for event in desk.risk.watch(0) if isinstance(event, Pull)] == [1]


def test_one_that_was_made_around_its_constructor_goes_through_no_door() -> None:
    desk = Desk()
    forged = Cleared.__new__(Cleared)
    twin = type("Twin", (), {"__slots__": Cleared.__slots__})()
    twin._request, twin._spent, twin.at, twin._seal = ORDER, False, 0, None
    try:
        twin.__class__ = Cleared
    except TypeError:
        twin = forged
    for name, value in (("_request", ORDER), ("_spent", False), ("at", 0)):
        object.__setattr__(forged, name, value)
    for one in (forged, twin):
        with pytest.raises(MisuseError, match="clears requests"):
            desk.door.send(one, 0)
    assert desk.out == []
