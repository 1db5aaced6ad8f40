"""The life of an order: the table is whole, and keeps the rules that it was made by."""

import pytest

from netfeed.book.level import Side
from netfeed.engine.order import HARMLESS, LIFE, MAX_PAST, OVER, WAITING, Anomaly, Input, Order, Special, State

OURS = {Input.SENT, Input.UNSENT, Input.AMEND, Input.CANCEL}


def order(quantity: int = 10) -> Order:
    return Order(7, 1, Side.BID, 100, quantity, number=1)


def test_every_state_has_a_step_for_every_input() -> None:
    assert set(LIFE) == set(State)
    assert all(set(steps) == set(Input) for steps in LIFE.values())


@pytest.mark.parametrize("state", State, ids=lambda one: one.name)
def test_only_what_we_do_ourselves_can_be_a_misuse(state: State) -> None:
    assert {what for what in Input if LIFE[state][what].to is Special.MISUSE} <= OURS


@pytest.mark.parametrize("state", sorted(set(State) - OVER), ids=lambda one: one.name)
def test_nonsense_about_a_live_order_makes_it_uncertain_unless_it_ends_it(state: State) -> None:
    nonsense = [step for step in LIFE[state].values() if step.odd is not None and step.odd not in HARMLESS]
    assert nonsense
    assert {step.to for step in nonsense} <= {State.UNCERTAIN, *OVER}


@pytest.mark.parametrize("what", Input, ids=lambda one: one.name)
def test_what_was_in_doubt_is_believed_again_only_by_its_end_or_by_a_list(what: Input) -> None:
    to = LIFE[State.UNCERTAIN][what].to
    assert to in {Special.STAYS, Special.MISUSE, State.UNCERTAIN, *OVER} or what is Input.LISTED


@pytest.mark.parametrize("state", sorted(OVER), ids=lambda one: one.name)
def test_what_is_over_lives_again_only_in_doubt_and_never_in_silence(state: State) -> None:
    for step in LIFE[state].values():
        if isinstance(step.to, State) and step.to not in OVER:
            assert step.to is State.UNCERTAIN
            assert step.odd is not None
            assert step.odd not in HARMLESS


def test_nothing_is_sent_twice_and_a_cancel_is_never_a_misuse() -> None:
    assert [state for state in State if LIFE[state][Input.SENT].to is not Special.MISUSE] == [State.NEW]
    assert all(LIFE[state][Input.CANCEL].to is not Special.MISUSE for state in State)


def test_whoever_waits_for_an_answer_is_uncertain_without_one() -> None:
    assert {state for state in State if LIFE[state][Input.SILENT].to is State.UNCERTAIN} == set(WAITING)


def test_a_session_that_goes_down_leaves_nothing_believed() -> None:
    alive = set(State) - OVER - {State.UNCERTAIN}
    assert {state for state in State if LIFE[state][Input.DOWN].to is State.UNCERTAIN} == alive


def test_every_anomaly_of_the_table_says_what_it_is() -> None:
    assert all(one.value for one in Anomaly)
    assert len({one.value for one in Anomaly}) == len(Anomaly)


def test_an_amend_that_is_not_answered_counts_by_the_larger_quantity() -> None:
    one = order(10)
    one.state, one.rests, one.asked = State.AMENDING, True, (101, 15)
    assert (one.most, one.open, one.resumed()) == (15, 15, State.AMENDING)
    one.asked = (101, 4)
    assert one.open == 10


def test_what_an_order_resumes_follows_from_what_is_known_of_it() -> None:
    one = order(10)
    assert one.resumed() is State.PENDING
    one.rests = True
    assert one.resumed() is State.LIVE
    one.filled = 3
    assert one.resumed() is State.PARTIAL
    one.filled = 10
    assert one.resumed() is State.FILLED


def test_what_the_venue_has_told_and_not_shown_is_open_after_the_end() -> None:
    one = order(10)
    one.state, one.filled, one.told = State.CANCELED, 2, 5
    assert one.open == 3
    one.final = 4
    assert one.open == 2
    one.state = State.REJECTED
    assert one.open == 0


def test_former_prices_are_remembered_within_a_bound() -> None:
    one = order(10)
    for price in range(101, 101 + 3 * MAX_PAST):
        one.become(price, 10)
    assert len(one.past) == MAX_PAST
    assert one.knows(one.past[0][0], 10)
    assert not one.knows(100, 10)
