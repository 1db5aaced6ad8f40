"""What is wanted against what is acknowledged: asked once per connection, whatever was answered, never forgotten."""

from random import Random

import pytest

from netfeed.feed.subscriptions import (
    ANSWER_NS,
    FIRST_REST_NS,
    IN_FLIGHT,
    MAX_REFUSED,
    MAX_REST_NS,
    Ask,
    State,
    Subscriptions,
)
from netfeed.machine import NEVER

S = 10**9


def some(*topics: str, per_request: int = 10) -> Subscriptions:
    made = Subscriptions(per_request=per_request)
    made.want(topics)
    return made


def ask(topics: Subscriptions, request: int, now: int = 0) -> Ask:
    """Ask for what is due."""
    due = topics.due()
    assert due is not None
    topics.sent(due, request, now)
    return due


def test_what_is_wanted_is_asked_for_once_and_is_on_when_the_venue_says_so() -> None:
    topics = some("a", "b")
    assert ask(topics, 1) == Ask(True, ("a", "b"))
    assert topics.due() is None
    assert topics.acknowledged(1, None, on=True, now=1) == ["a", "b"]
    assert (topics.on, topics.settled, topics.deadline) == (["a", "b"], True, NEVER)


def test_to_want_what_is_wanted_changes_nothing() -> None:
    topics = some("a")
    ask(topics, 1)
    topics.want(["a"])
    assert topics.due() is None
    topics.acknowledged(1, None, on=True, now=1)
    topics.want(["a"])
    assert topics.due() is None


def test_a_request_holds_no_more_topics_than_the_venue_takes_and_few_requests_wait_at_a_time() -> None:
    topics = some(*(f"t{k}" for k in range(20)), per_request=3)
    asked = [ask(topics, number) for number in range(IN_FLIGHT)]
    assert {len(one.topics) for one in asked} == {3}
    assert topics.due() is None
    topics.acknowledged(0, None, on=True, now=1)
    assert topics.due() == Ask(True, ("t12", "t13", "t14"))


def test_a_hundred_reconnects_ask_for_each_topic_once_each() -> None:
    topics, asked = some("a", "b", "c", per_request=2), 0
    for connection in range(100):
        while (due := topics.due()) is not None:
            topics.sent(due, asked, connection)
            topics.acknowledged(asked, due.topics, on=True, now=connection)
            asked += 1
        assert topics.on == ["a", "b", "c"]
        assert sorted(topics.lost()) == ["a", "b", "c"]
        topics.want(["a", "b", "c"])
    assert (topics.asked, asked) == (300, 200)


def test_what_is_not_answered_is_asked_again_later_and_later() -> None:
    topics, now, waits = some("a"), 0, []
    for request in range(12):
        ask(topics, request, now)
        assert topics.deadline == now + ANSWER_NS
        assert topics.wake(now + ANSWER_NS - 1) == []
        now += ANSWER_NS
        assert topics.wake(now) == ["a"]
        waits.append(topics.deadline - now)
        now = topics.deadline
        assert topics.wake(now) == []
    assert waits[:4] == [FIRST_REST_NS << k for k in range(4)]
    assert waits[-1] == MAX_REST_NS


def test_an_answer_for_some_of_the_topics_leaves_the_others_waiting() -> None:
    topics = some("a", "b")
    ask(topics, 1)
    assert topics.acknowledged(1, ["a"], on=True, now=1) == ["a"]
    assert topics.wake(ANSWER_NS) == ["b"]
    assert (topics.state("a"), topics.state("b")) == (State.ON, State.RESTING)


def test_an_answer_that_comes_after_all_is_believed() -> None:
    topics = some("a")
    ask(topics, 1)
    topics.wake(ANSWER_NS)
    assert topics.acknowledged(None, ["a"], on=True, now=ANSWER_NS + 1) == ["a"]
    assert (topics.due(), topics.deadline) == (None, NEVER)


def test_a_final_refusal_is_final_until_somebody_wants_the_topic_again() -> None:
    topics = some("a", "b")
    ask(topics, 1)
    assert topics.refused(1, ["a"], final=True, now=1) == ["a"]
    topics.acknowledged(1, ["b"], on=True, now=1)
    assert (topics.state("a"), topics.due(), topics.deadline) == (State.FINAL, None, NEVER)
    topics.lost()
    assert ask(topics, 2) == Ask(True, ("b",))
    topics.want(["a"])
    assert topics.due() == Ask(True, ("a",))


def test_another_refusal_rests_and_is_tried_again() -> None:
    topics = some("a")
    ask(topics, 1)
    assert topics.refused(1, None, final=False, now=5) == ["a"]
    assert topics.deadline == 5 + FIRST_REST_NS
    topics.wake(5 + FIRST_REST_NS)
    assert topics.due() == Ask(True, ("a",))


def test_a_request_that_was_not_heard_is_due_at_once() -> None:
    topics = some("a")
    ask(topics, 1)
    topics.unheard(1)
    assert topics.due() == Ask(True, ("a",))


def test_a_topic_is_had_anew_by_leaving_it_first() -> None:
    topics = some("a", "b")
    ask(topics, 1)
    assert not topics.anew("a"), "it begins with a snapshot anyway"
    topics.acknowledged(1, None, on=True, now=1)
    assert topics.anew("a")
    assert ask(topics, 2) == Ask(False, ("a",))
    assert topics.due() is None
    assert topics.acknowledged(2, None, on=False, now=2) == ["a"]
    assert ask(topics, 3) == Ask(True, ("a",))
    assert not topics.anew("nobody wants this")


def test_to_leave_is_tried_again_when_the_venue_says_nothing() -> None:
    topics = some("a")
    ask(topics, 1)
    topics.acknowledged(1, None, on=True, now=1)
    topics.anew("a")
    ask(topics, 2, 1)
    assert topics.wake(1 + ANSWER_NS) == ["a"]
    assert topics.due() == Ask(False, ("a",))


def test_an_acknowledgement_the_other_way_round_answers_nothing() -> None:
    topics = some("a")
    ask(topics, 1)
    topics.acknowledged(1, None, on=True, now=1)
    topics.anew("a")
    ask(topics, 2, 1)
    assert topics.acknowledged(2, None, on=True, now=2) == []
    assert topics.acknowledged(2, ["a"], on=False, now=3) == ["a"]


def test_what_is_no_longer_wanted_is_let_go_wherever_it_is() -> None:
    topics = some("off", "asked", "on", per_request=1)
    topics = Subscriptions(per_request=1)
    topics.want(["on"])
    ask(topics, 1)
    topics.acknowledged(1, None, on=True, now=0)
    topics.want(["asked"])
    ask(topics, 2)
    topics.want(["off"])
    topics.drop(["off", "asked", "on", "never heard of"])
    assert topics.topics == []
    assert ask(topics, 3) == Ask(False, ("on",))
    topics.acknowledged(2, None, on=True, now=1)
    assert ask(topics, 4) == Ask(False, ("asked",))
    topics.acknowledged(3, None, on=False, now=2)
    topics.acknowledged(4, None, on=False, now=2)
    assert [topics.state(name) for name in ("off", "asked", "on")] == [None, None, None]


def test_a_topic_that_is_wanted_again_while_it_leaves_comes_back() -> None:
    topics = some("a")
    ask(topics, 1)
    topics.acknowledged(1, None, on=True, now=0)
    topics.drop(["a"])
    ask(topics, 2)
    topics.want(["a"])
    topics.acknowledged(2, None, on=False, now=1)
    assert topics.due() == Ask(True, ("a",))


def test_a_topic_that_the_venue_ends_is_asked_for_again_but_not_at_once() -> None:
    topics = some("a")
    ask(topics, 1)
    topics.acknowledged(1, None, on=True, now=0)
    assert topics.acknowledged(None, ["a"], on=False, now=9) == ["a"]
    assert (topics.due(), topics.deadline) == (None, 9 + FIRST_REST_NS)


def test_what_nobody_asked_for_is_counted_and_not_kept() -> None:
    topics = some("a")
    for number in range(1000):
        topics.acknowledged(None, [f"strange {number}"], on=True, now=0)
    assert (topics.unasked, topics.topics) == (1000, ["a"])


def test_an_heir_wants_the_same_and_knows_what_was_refused_for_good() -> None:
    topics = some("a", "b", "c")
    ask(topics, 1)
    topics.refused(1, ["b"], final=True, now=0)
    topics.acknowledged(1, ["a", "c"], on=True, now=0)
    assert topics.heir().due() == Ask(True, ("a", "c"))


@pytest.mark.parametrize("seed", range(200))
def test_whatever_is_answered_all_that_is_wanted_is_on_in_the_end(seed: int) -> None:
    random, topics, now, request = Random(seed), Subscriptions(per_request=3), 0, 0
    names = [f"t{k}" for k in range(8)]
    wanted: set[str] = set()
    carried: set[str] = set()
    for step in range(200):
        now += random.choice([0, S, 20 * S])
        fair = step > 150
        match random.randrange(3 if fair else 9):
            case 0 | 1 | 2:
                topics.wake(now)
                while (due := topics.due()) is not None:
                    request += 1
                    topics.sent(due, request, now)
                    answer = 1.0 if fair else random.random()
                    if answer > 0.5:
                        carried = carried | set(due.topics) if due.on else carried - set(due.topics)
                        topics.acknowledged(request, None if answer > 0.7 else due.topics, on=due.on, now=now)
                    elif answer > 0.3 and due.on:
                        topics.refused(request, None, final=False, now=now)
            case 3:
                names_now = random.sample(names, 3)
                wanted |= set(names_now)
                topics.want(names_now)
            case 4:
                names_now = random.sample(names, 2)
                wanted -= set(names_now)
                topics.drop(names_now)
            case 5:
                topics.lost()
                carried.clear()
            case 6:
                topics.anew(random.choice(names))
            case 7:
                topics.acknowledged(random.randrange(request + 1), None, on=random.random() < 0.5, now=now)
            case 8:
                topics.unheard(random.randrange(request + 1))
    for _ in range(400):  # answers that were wrong have been believed: one more connection, and all is right
        if _ == 100:
            topics.lost()
        now += 60 * S
        topics.wake(now)
        while (due := topics.due()) is not None:
            request += 1
            topics.sent(due, request, now)
            topics.acknowledged(request, None, on=due.on, now=now)
    assert (set(topics.on), set(topics.topics)) == (wanted, wanted), f"seed {seed}"
    assert topics.settled


def test_a_topic_that_was_never_answered_may_be_on_so_who_drops_it_says_so() -> None:
    topics = some("a")
    ask(topics, 1)
    assert topics.wake(ANSWER_NS) == ["a"]
    topics.drop(["a"])
    assert ask(topics, 2, ANSWER_NS) == Ask(False, ("a",))
    assert topics.acknowledged(2, None, on=False, now=ANSWER_NS) == ["a"]
    assert topics.state("a") is None


def test_a_topic_that_was_dropped_while_it_was_asked_for_and_never_answered_is_let_go_as_well() -> None:
    topics = some("a")
    ask(topics, 1)
    topics.drop(["a"])
    topics.wake(ANSWER_NS)
    assert ask(topics, 2, ANSWER_NS) == Ask(False, ("a",))
    topics.refused(2, None, final=True, now=ANSWER_NS)
    assert topics.state("a") is None


def test_a_topic_that_the_venue_will_not_let_go_is_asked_off_again_later_and_at_last_taken_for_gone() -> None:
    topics = some("a")
    ask(topics, 0)
    topics.acknowledged(0, None, on=True, now=0)
    topics.drop(["a"])
    now = 0
    for request in range(1, MAX_REFUSED + 1):
        assert ask(topics, request, now) == Ask(False, ("a",))
        assert topics.refused(request, None, final=False, now=now) == []
        assert topics.due() is None
        assert topics.deadline > now
        now = topics.deadline
        topics.wake(now)
    ask(topics, 99, now)
    assert topics.refused(99, None, final=False, now=now) == ["a"]
    assert topics.state("a") is None


def test_a_topic_that_is_wanted_again_while_it_was_not_let_go_stays_on() -> None:
    topics = some("a")
    ask(topics, 0)
    topics.acknowledged(0, None, on=True, now=0)
    topics.drop(["a"])
    ask(topics, 1)
    topics.refused(1, None, final=False, now=0)
    topics.want(["a"])
    topics.wake(MAX_REST_NS)
    assert (topics.due(), topics.on) == (None, ["a"])


def test_doubt_ends_with_the_connection_and_what_was_in_doubt_may_have_been_carried() -> None:
    topics = some("a", "b")
    ask(topics, 1)
    topics.wake(ANSWER_NS)
    assert topics.lost() == ["a", "b"]
    topics.drop(["a"])
    assert topics.state("a") is None


def test_a_request_that_was_not_looked_at_leaves_no_doubt() -> None:
    topics = some("a")
    ask(topics, 1)
    assert topics.unheard(1) == ["a"]
    topics.drop(["a"])
    assert topics.state("a") is None


def test_a_topic_in_doubt_that_is_refused_may_be_on_so_it_is_let_go_first() -> None:
    topics = some("a")
    ask(topics, 1)
    topics.wake(ANSWER_NS)
    now = topics.deadline
    topics.wake(now)
    assert ask(topics, 2, now) == Ask(True, ("a",))
    assert topics.refused(2, None, final=False, now=now) == []
    assert ask(topics, 3, now) == Ask(False, ("a",))
    topics.acknowledged(3, None, on=False, now=now)
    assert ask(topics, 4, now) == Ask(True, ("a",))


def test_a_topic_about_whose_going_the_venue_is_silent_is_taken_for_gone_at_last() -> None:
    topics = some("a")
    ask(topics, 0)
    topics.acknowledged(0, None, on=True, now=0)
    topics.drop(["a"])
    now, asked = 0, 0
    while topics.due() is not None:
        asked += 1
        ask(topics, asked, now)
        now = topics.deadline
        topics.wake(now)
    assert asked == MAX_REFUSED + 1
    assert topics.state("a") is None
