"""Reconciling: what is unknown, missing, different, in doubt; nothing is settled by a list that may be older."""

from dataclasses import replace

from netfeed.book.execution import Accepted, Canceled, Cause, Down, Filled, List, Listed, New, OpenOrder, Position
from netfeed.book.level import Side
from netfeed.engine.account import Account
from netfeed.engine.order import State
from netfeed.engine.order_events import Pull
from netfeed.engine.reconcile import Found, Reconciled

ENTRY = OpenOrder(1, 5, "v1", Side.BID, 100, 10, 0, False)
ACK = Accepted(1, 5, "v1", 100, 10, 0, True, None)
FILL = Filled(1, 5, "v1", "m1", Side.BID, 100, 4, 4, True, None)
SETTLE_NS = 1_000


def account(*, accepted: bool = True) -> Account:
    made = Account({}, settle_ns=SETTLE_NS)
    request = New(1, 5, Side.BID, 100, 10)
    made.decide(request, 0)
    made.sent(request, 1, 0)
    if accepted:
        made.apply(ACK, 0)
    return made


def ask(made: Account, now: int) -> None:
    made.decide(List(10_000 + now), now)
    made.sent(List(10_000 + now), 1, now)


def compare(made: Account, now: int, *orders: OpenOrder, held: int = 0) -> Reconciled:
    ask(made, now)
    return take(made, now, *orders, held=held)


def take(made: Account, now: int, *orders: OpenOrder, held: int = 0) -> Reconciled:
    made.apply(Listed(1, orders, (Position(5, held, None),), None), now)
    assert made.reconciled is not None
    return made.reconciled


def found(said: Reconciled) -> list[Found]:
    return [finding.found for finding in said.findings]


def state(made: Account) -> State:
    order = made.orders.get(1)
    assert order is not None
    return order.state


def test_what_is_the_same_agrees() -> None:
    made = account()
    assert not made.agrees
    assert compare(made, 1, ENTRY).agreed
    assert made.agrees


def test_an_unknown_order_is_found_and_its_quotes_are_pulled_until_it_is_gone() -> None:
    made = account()
    said = compare(made, 1, ENTRY, replace(ENTRY, client_id=None), replace(ENTRY, client_id=77))
    assert found(said) == [Found.UNKNOWN, Found.UNKNOWN]
    assert isinstance(said.events[0], Pull)
    assert made.orders.in_doubt(5)
    assert compare(made, 2, ENTRY).agreed
    assert not made.orders.in_doubt(5)


def test_a_missing_order_is_in_doubt_and_gone_once_a_later_list_misses_it_too() -> None:
    made = account()
    assert found(compare(made, 1)) == [Found.MISSING]
    assert state(made) is State.UNCERTAIN
    assert found(compare(made, 2)) == [Found.DOUBTED]
    assert found(compare(made, 1 + SETTLE_NS)) == [Found.DOUBTED]
    assert compare(made, 2 + SETTLE_NS).agreed
    assert state(made) is State.CANCELED


def test_one_that_was_in_flight_and_rests_after_all_is_no_longer_taken_for_gone() -> None:
    made = account(accepted=False)
    made.apply(Down(1, "", False), 1)
    compare(made, 2)
    assert compare(made, 2 + SETTLE_NS).agreed
    assert state(made) is State.CANCELED
    told = made.apply(ACK, 3 + SETTLE_NS)
    assert isinstance(told[0], Pull)
    assert state(made) is State.UNCERTAIN
    compare(made, 4 + SETTLE_NS, ENTRY)
    assert state(made) is State.LIVE


def test_what_rests_otherwise_is_in_doubt_and_the_next_list_says_what_holds() -> None:
    made = account()
    other = replace(ENTRY, price=99, quantity=7)
    assert found(compare(made, 1, other)) == [Found.DIFFERENT]
    assert compare(made, 2, other).agreed
    order = made.orders.get(1)
    assert order is not None
    assert (order.price, order.quantity, order.state) == (99, 7, State.LIVE)


def test_what_was_over_and_rests_is_in_doubt() -> None:
    made = account()
    made.apply(Canceled(1, 5, "v1", 0, Cause.REQUESTED, "", None), 1)
    assert found(compare(made, 2, ENTRY)) == [Found.RISEN]
    assert state(made) is State.UNCERTAIN


def test_a_list_does_not_judge_what_changed_since_it_was_asked_for() -> None:
    made = account()
    ask(made, 1)
    made.apply(FILL, 2)
    made.apply(Canceled(1, 5, "v1", 4, Cause.REQUESTED, "", None), 3)
    assert take(made, 4, ENTRY, held=0).agreed
    assert state(made) is State.CANCELED
    ask(made, 5)
    later = New(20_000, 5, Side.BID, 100, 10)
    made.decide(later, 6)
    made.sent(later, 1, 6)
    made.apply(replace(ACK, client_id=20_000), 6)
    assert take(made, 7, held=4).agreed


def test_one_that_fell_into_doubt_after_the_question_stays_there() -> None:
    made = account()
    ask(made, 1)
    made.apply(Down(1, "", False), 2)
    assert not take(made, 3, ENTRY).agreed
    assert state(made) is State.UNCERTAIN
    assert not made.agrees


def test_another_position_is_found_and_only_a_person_or_a_later_list_ends_it() -> None:
    made = account()
    said = compare(made, 1, ENTRY, held=3)
    assert found(said) == [Found.POSITION]
    assert (said.findings[0].ours, said.findings[0].theirs) == (0, 3)
    assert made.orders.in_doubt(5)
    assert made.positions[5].quantity == 0
    made.adopt(5, 3, 100)
    assert compare(made, 2, ENTRY, held=3).agreed
    assert made.exposure.position(5) == 3


def test_executions_that_were_told_by_their_total_alone_are_found() -> None:
    made = account()
    said = compare(made, 1, replace(ENTRY, filled=4), held=4)
    assert found(said) == [Found.OWED, Found.POSITION]
    made.apply(FILL, 2)
    assert compare(made, 3, replace(ENTRY, filled=4), held=4).agreed


def test_a_list_that_nobody_asked_for_settles_nothing() -> None:
    made = account()
    before = made.snapshot()
    assert not take(made, 1).agreed
    assert made.snapshot() == before


def test_after_a_restart_everything_that_is_open_is_in_doubt() -> None:
    made = account()
    compare(made, 1, ENTRY)
    made.restarted(2)
    assert (state(made), made.agrees) == (State.UNCERTAIN, False)
    assert compare(made, 3, ENTRY).agreed
    assert made.agrees
