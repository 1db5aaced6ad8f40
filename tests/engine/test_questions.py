"""When a venue is asked what rests, and when everything is cancelled again."""

from netfeed.engine.clearing import Clearing
from netfeed.engine.questions import Questions
from netfeed.machine import NEVER

EVERY, AGAIN, PATIENCE = 1_000, 100, 50


def questions() -> Questions:
    return Questions(["a", "b"], every_ns=EVERY, again_ns=AGAIN, patience_ns=PATIENCE)


def test_nobody_is_asked_before_something_happens() -> None:
    asked = questions()
    assert (asked.due(5), asked.deadline) == ([], NEVER)


def test_a_session_that_came_up_is_asked_at_once_and_then_now_and_then() -> None:
    asked = questions()
    asked.up("a", 7)
    assert asked.due(7) == ["a"]
    asked.asked("a", 7)
    assert (asked.due(8), asked.deadline) == ([], 7 + PATIENCE)
    asked.answered("a", 10, agreed=True)
    assert (asked.due(10 + EVERY - 1), asked.deadline) == ([], 10 + EVERY)
    assert asked.due(10 + EVERY) == ["a"]


def test_what_did_not_agree_was_refused_or_could_not_be_asked_is_asked_again_soon() -> None:
    asked = questions()
    asked.up("a", 0)
    asked.asked("a", 0)
    asked.answered("a", 5, agreed=False)
    assert asked.deadline == 5 + AGAIN
    asked.asked("a", 5 + AGAIN)
    asked.later("a", 110)
    assert (asked.due(110 + AGAIN - 1), asked.due(110 + AGAIN)) == ([], ["a"])


def test_doubt_asks_but_not_sooner_than_a_while_after_the_last_question() -> None:
    asked = questions()
    asked.doubt("b", 0)
    assert asked.due(0) == ["b"]
    asked.asked("b", 0)
    asked.answered("b", 1, agreed=True)
    asked.doubt("b", 2)
    assert (asked.due(AGAIN - 1), asked.due(AGAIN)) == ([], ["b"])
    asked.doubt("nobody", 3)
    assert asked.last("nobody") == -NEVER


def test_a_question_that_nobody_answers_is_given_up_and_one_is_open_at_a_time() -> None:
    asked = questions()
    asked.up("a", 0)
    asked.asked("a", 0)
    asked.doubt("a", 10)
    assert asked.due(PATIENCE - 1) == []
    assert asked.due(PATIENCE) == ["a"]


# --- clearing


def test_everything_is_cancelled_again_until_a_list_that_was_asked_for_since_has_nothing() -> None:
    clearing = Clearing(["a", "b"], again_ns=AGAIN)
    assert (clearing.is_clear, clearing.due(0)) == (True, [])
    clearing.begin(0)
    assert clearing.due(0) == ["a", "b"]
    clearing.asked("a", 0)
    clearing.asked("b", 0)
    clearing.listed("a", 0, -1)  # asked before everything was cancelled
    clearing.listed("b", 2, 1)
    assert (clearing.is_clear, clearing.deadline) == (False, AGAIN)
    clearing.listed("a", 0, 1)
    assert clearing.due(AGAIN) == ["b"]
    clearing.asked("b", AGAIN)
    clearing.listed("b", 0, AGAIN)
    assert (clearing.is_clear, clearing.deadline, clearing.sweeps) == (True, NEVER, 3)


def test_a_venue_that_cannot_list_is_clear_when_it_has_answered_and_nothing_of_ours_is_left() -> None:
    clearing = Clearing(["a"], again_ns=AGAIN)
    clearing.begin(0)
    clearing.asked("a", 0)
    clearing.unlisted("a", 0)
    assert not clearing.is_clear
    clearing.canceled("a")
    clearing.unlisted("a", 1)
    assert not clearing.is_clear
    clearing.unlisted("a", 0)
    assert clearing.is_clear


def test_what_comes_to_life_later_begins_it_anew_and_arming_ends_it() -> None:
    clearing = Clearing(["a"], again_ns=AGAIN)
    clearing.begin(0)
    clearing.asked("a", 0)
    clearing.listed("a", 0, 0)
    clearing.again("a", 30)
    assert clearing.due(30) == ["a"]
    clearing.stop()
    assert (clearing.due(99), clearing.is_clear) == ([], True)
