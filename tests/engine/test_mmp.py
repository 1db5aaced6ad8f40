"""The mirror of market-maker protection: windows, limits, frozen times, and the venue's word above ours."""

from hypothesis import given
from hypothesis import strategies as st

from netfeed.engine import mmp
from netfeed.engine.mmp import Group, Protection
from netfeed.machine import NEVER


def test_what_reaches_a_limit_within_the_window_freezes_and_what_is_older_does_not_count() -> None:
    group = Group(Protection(window_ns=100, frozen_ns=50, quantity=10))
    assert not group.fill(0, 6, 0, 0)
    assert not group.fill(100, 6, 0, 0)
    assert group.fill(101, 4, 0, 0)
    assert (group.is_frozen(101), group.is_frozen(150), group.is_frozen(151)) == (True, True, False)
    assert (group.why, group.trips) == ("quantity", 1)
    assert not group.fill(151, 9, 0, 0)


def test_delta_and_vega_are_net() -> None:
    group = Group(Protection(window_ns=100, delta=10, vega=5))
    assert not group.fill(0, 1, 9, 4)
    assert not group.fill(1, 1, -18, 0)
    assert group.fill(2, 1, 0, -9)
    assert group.why == "vega"


def test_without_a_frozen_time_it_is_frozen_until_it_is_reset() -> None:
    group = Group(Protection(window_ns=100, quantity=1))
    assert group.fill(0, 1, 0, 0)
    assert group.until == NEVER
    assert not group.fill(1, 1, 0, 0)
    group.reset()
    assert not group.is_frozen(1)


def test_the_venues_word_freezes_it_too() -> None:
    group = Group(Protection(window_ns=100))
    group.trip("the venue: delta", 70)
    assert group.is_frozen(69)
    assert not group.is_frozen(70)


def test_a_window_holds_so_many_executions_and_no_more(monkeypatch) -> None:
    monkeypatch.setattr(mmp, "MAX_FILLS", 3)
    group = Group(Protection(window_ns=100))
    assert [group.fill(0, 1, 0, 0) for _ in range(4)] == [False, False, False, True]


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(1, 5), st.integers(-5, 5)), max_size=30))
def test_it_freezes_exactly_when_a_sum_over_the_window_says_so(fills: list[tuple[int, int, int]]) -> None:
    group = Group(Protection(window_ns=50, frozen_ns=30, quantity=12, delta=8))
    since: list[tuple[int, int, int]] = []
    now, until = 0, 0
    for wait, quantity, delta in fills:
        now += wait
        froze = group.fill(now, quantity, delta, 0)
        if now < until:
            assert not froze
            continue
        since.append((now, quantity, delta))
        inside = [one for one in since if one[0] > now - 50]
        expected = sum(one[1] for one in inside) >= 12 or abs(sum(one[2] for one in inside)) >= 8
        assert froze == expected
        if froze:
            since, until = [], now + 30
        assert group.is_frozen(now) == (now < until)
