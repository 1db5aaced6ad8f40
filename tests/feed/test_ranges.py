"""RangeSet against the plainest thing that can do the same: a set of integers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netfeed.errors import MisuseError
from netfeed.feed.ranges import RangeSet

SPANS = st.tuples(st.integers(0, 40), st.integers(0, 40))
STEPS = st.lists(st.tuples(st.sampled_from(["add", "subtract"]), SPANS), max_size=30)


def as_ranges(numbers: set[int]) -> list[tuple[int, int]]:
    ranges: list[tuple[int, int]] = []
    for number in sorted(numbers):
        if ranges and ranges[-1][1] == number:
            ranges[-1] = (ranges[-1][0], number + 1)
        else:
            ranges.append((number, number + 1))
    return ranges


@given(STEPS, SPANS)
def test_it_does_what_a_set_of_integers_does(steps: list[tuple[str, tuple[int, int]]], span: tuple[int, int]) -> None:
    ranges, numbers = RangeSet(), set[int]()
    for step, (first, end) in steps:
        getattr(ranges, step)(first, end)
        if step == "add":
            numbers |= set(range(first, end))
        else:
            numbers -= set(range(first, end))
        assert list(ranges) == as_ranges(numbers)
    assert ranges.total == len(numbers)
    assert ranges.lowest == min(numbers, default=None)
    assert len(ranges) == len(as_ranges(numbers))
    assert [number for number in range(-1, 42) if number in ranges] == sorted(numbers)
    assert ranges.overlap(*span) == as_ranges(numbers & set(range(*span)))


def test_ranges_that_touch_become_one() -> None:
    assert list(RangeSet([(1, 3), (5, 8), (3, 5)])) == [(1, 8)]


def test_a_long_range_costs_no_more_than_a_short_one() -> None:
    ranges = RangeSet([(1, 2**63)])
    ranges.subtract(10, 11)
    assert list(ranges) == [(1, 10), (11, 2**63)]


@given(st.lists(SPANS, max_size=30), st.integers(1, 4))
def test_a_full_set_forgets_the_lowest(spans: list[tuple[int, int]], limit: int) -> None:
    ranges = RangeSet(limit=limit)
    for first, end in spans:
        ranges.add(first, end)
        assert len(ranges) <= limit
        assert first >= end or end - 1 in ranges or (ranges.lowest is not None and ranges.lowest >= end)
    full = RangeSet([(0, 10), (20, 30)], limit=2)
    full.subtract(24, 26)
    assert list(full) == [(20, 24), (26, 30)]


def test_sets_are_equal_by_what_they_hold() -> None:
    assert RangeSet([(1, 2), (2, 4)]) == RangeSet([(1, 4)])
    assert RangeSet([(1, 2)]) != RangeSet()
    assert RangeSet() != object()
    assert repr(RangeSet([(1, 4)])) == "RangeSet([(1, 4)])"
    assert not RangeSet()


def test_clearing_empties_it() -> None:
    ranges = RangeSet([(1, 4)])
    ranges.clear()
    assert list(ranges) == []


def test_a_set_for_no_range_is_refused() -> None:
    with pytest.raises(MisuseError, match="at least one"):
        RangeSet(limit=0)
