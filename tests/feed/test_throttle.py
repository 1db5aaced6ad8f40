"""The budget of requests: weights, a burst, what is urgent, and a venue that says "too many"."""

import pytest

from netfeed.errors import MisuseError
from netfeed.feed.throttle import MAX_DEBT_NS, MAX_HOLD_NS, MIN_HOLD_NS, Statistics, Throttle

MS = 1_000_000
S = 1000 * MS


def test_requests_go_out_by_their_weight() -> None:
    budget = Throttle(rate=100, burst=10)
    assert [budget.take(0, 5) for _ in range(3)] == [True, True, False]
    assert budget.ready_at(5) == 50 * MS
    assert budget.take(50 * MS, 5)


def test_what_is_urgent_never_waits_but_is_paid_for() -> None:
    budget = Throttle(rate=10, burst=1)
    for _ in range(3):
        budget.spend(0)
    assert budget.ready_at() == 300 * MS
    assert budget.statistics() == Statistics(requests=0, weight=3, urgent=3, throttled=0)


def test_a_venue_that_says_too_many_is_believed_within_bounds() -> None:
    budget = Throttle(rate=1000, burst=10)
    assert budget.hold(5 * S, now=0) == 5 * S
    assert not budget.take(5 * S - 1)
    assert budget.take(5 * S)
    assert budget.hold(-1, now=6 * S) == 6 * S + MIN_HOLD_NS
    assert budget.hold(2**62, now=7 * S) == 7 * S + MAX_HOLD_NS
    assert budget.statistics().throttled == 3


def test_a_request_beyond_the_whole_budget_is_a_mistake() -> None:
    with pytest.raises(MisuseError):
        Throttle(rate=1, burst=3).take(0, 4)


def test_what_is_owed_is_bounded_however_much_goes_out_at_once() -> None:
    throttle = Throttle(rate=10, burst=10)
    for _ in range(100_000):
        throttle.spend(0)
    assert throttle.ready_at() <= MAX_DEBT_NS + 100_000_000
    assert throttle.statistics().urgent == 100_000
