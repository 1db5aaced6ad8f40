"""When to try again: pauses double below a cap, jitter is full, only health forgives, and one budget binds all."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netfeed.errors import MisuseError
from netfeed.machine import NEVER, Machine
from netfeed.proto.backoff import Attempt, Backoff, Pauses, State
from netfeed.proto.bucket import TokenBucket

S = 10**9
PAUSES = Pauses(first_ns=S, cap_ns=10 * S, healthy_ns=60 * S)


def longest() -> float:
    return 1 - 2**-53


def begun(random: object = longest, budget: TokenBucket | None = None) -> Backoff:
    backoff = Backoff(random, pauses=PAUSES, budget=budget)  # type: ignore[arg-type]
    assert isinstance(backoff, Machine)
    backoff.begin(0)
    return backoff


def test_the_first_attempt_is_due_at_once() -> None:
    backoff = begun()
    assert backoff.deadline == 0
    assert backoff.wake(0) == [Attempt(0, 0)]
    assert (backoff.state, backoff.deadline) == (State.TRYING, NEVER)
    assert backoff.wake(10**15) == [], "who tries has a deadline of its own"


def test_pauses_double_up_to_the_cap_however_long_it_fails() -> None:
    backoff, now, pauses = begun(), 0, []
    for _ in range(100):
        (attempt,) = backoff.wake(now)
        backoff.failed(now)
        pauses.append(round((backoff.deadline - now) / S))
        assert backoff.wake(backoff.deadline - 1) == []
        now = backoff.deadline
    assert pauses[:6] == [1, 2, 4, 8, 10, 10]
    assert set(pauses[4:]) == {10}
    assert attempt.failures == 99
    assert attempt.waited_ns == pytest.approx(10 * S, abs=1)


@given(st.integers(0, 2**32))
def test_jitter_is_full_between_nothing_and_the_longest_pause(seed: int) -> None:
    random = Random(seed)
    backoff, drawn = begun(random.random), Random(seed)
    for failures in range(1, 20):
        backoff.wake(backoff.deadline)
        backoff.failed(0)
        assert backoff.deadline == int(drawn.random() * min(10 * S, S * 2 ** (failures - 1)))


def test_a_connection_that_dies_at_once_does_not_clear_the_count_and_a_healthy_one_does() -> None:
    backoff = begun()
    for _ in range(4):
        backoff.wake(backoff.deadline)
        backoff.failed(0)
    backoff.wake(backoff.deadline)
    backoff.opened(100 * S)
    backoff.failed(160 * S - 1)
    assert backoff.deadline - 160 * S > 9 * S, "open for too short a time: the fifth failure in a row"
    backoff.wake(backoff.deadline)
    backoff.opened(200 * S)
    backoff.failed(260 * S)
    assert S - 5 <= backoff.deadline - 260 * S < S, "healthy: the first failure again"
    assert backoff.statistics().failures_in_a_row == 1


def test_the_servers_own_word_is_obeyed_beyond_the_cap() -> None:
    backoff = begun(lambda: 0.0)
    backoff.wake(0)
    backoff.failed(0, not_before=3600 * S)
    assert backoff.deadline == 3600 * S
    backoff.wake(3600 * S)
    backoff.failed(3600 * S, not_before=5)
    assert backoff.deadline == 3600 * S, "a word about the past changes nothing"


def test_one_budget_binds_all_endpoints_and_none_is_forgotten() -> None:
    budget = TokenBucket(rate=10, burst=2)
    endpoints = [begun(lambda: 0.0, budget) for _ in range(20)]
    made: list[int] = []
    now = 0
    while any(one.state is State.WAITING for one in endpoints):
        now = max(now, min(one.deadline for one in endpoints))
        made += [now for one in endpoints for _ in one.wake(now)]
    assert made == [0, 0] + [S // 10 * turn for turn in range(1, 19)]
    assert endpoints[-1].statistics().starved == 18
    assert endpoints[0].statistics().starved == 0


def test_who_stops_waits_for_nothing_and_begins_afresh() -> None:
    backoff = begun()
    backoff.wake(0)
    backoff.failed(0)
    backoff.stop()
    assert (backoff.state, backoff.deadline) == (State.IDLE, NEVER)
    backoff.begin(5)
    assert backoff.wake(5) == [Attempt(0, 0)]


@pytest.mark.parametrize(
    "misuse",
    [
        lambda one: one.begin(0),
        lambda one: one.opened(0),
        lambda one: one.failed(0),
        lambda one: Pauses(first_ns=0),
        lambda one: Pauses(first_ns=2, cap_ns=1),
        lambda one: Pauses(healthy_ns=-1),
    ],
)
def test_what_is_out_of_order_is_the_callers_mistake(misuse: object) -> None:
    backoff = begun()
    with pytest.raises(MisuseError):
        misuse(backoff)  # type: ignore[operator]
    assert (backoff.state, backoff.deadline) == (State.WAITING, 0)
