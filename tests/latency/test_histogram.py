"""The histogram of durations: three digits, mergeable, and the compiled one counts as the plain one does."""

from math import ceil
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netfeed.build import PURE
from netfeed.latency import histogram as plain

CLASSES: list[Any] = [plain.Histogram]
if not PURE:
    from netfeed._core.histogram import Histogram as CoreHistogram

    CLASSES.append(CoreHistogram)
HOUR = 3_600_000_000_000
VALUES = st.lists(st.one_of(st.integers(-5, 5000), st.integers(0, 2 * HOUR)), max_size=50)


@pytest.fixture(params=CLASSES, ids=lambda one: one.__module__.split(".")[1])
def made(request: pytest.FixtureRequest) -> Any:
    return request.param()


def state(one: Any) -> Any:
    percentiles = [one.percentile(p) for p in (0, 1, 50, 99, 99.9, 100)]
    return (
        one.count, one.negative, one.over, one.total_ns, one.min_ns, one.max_ns, one.buckets(), percentiles,
        [one.at_most(v) for v in (-1, 0, 1, 2047, 2048, 10**6, HOUR, 2**62)],
    )  # fmt: skip


@given(VALUES, VALUES)
def test_the_twins_count_alike_one_by_one_at_once_and_merged(first: list[int], second: list[int]) -> None:
    states = []
    for one in CLASSES:
        left, right = one(), one()
        for value in first:
            left.record(value)
        right.record_all(np.array(second, np.int64))
        left.merge(right)
        together = one()
        together.record_all(np.array(first + second, np.int64))
        assert state(left) == state(together)
        states.append(state(left))
    assert all(one == states[0] for one in states)


@given(st.lists(st.integers(0, HOUR), min_size=1, max_size=50), st.floats(0, 100))
def test_a_percentile_is_right_to_three_digits(values: list[int], percent: float) -> None:
    exact = sorted(values)[max(1, ceil(len(values) * percent / 100)) - 1]
    for one in CLASSES:
        made = one()
        made.record_all(np.array(values, np.int64))
        assert exact <= made.percentile(percent) <= exact * 1.001


def test_one_that_counted_nothing_says_so(made: Any) -> None:
    assert state(made) == (0, 0, 0, 0, None, None, [], [None] * 6, [0] * 8)
    made.record(5, 0)
    assert made.count == 0


def test_what_lies_outside_is_counted_at_the_end(made: Any) -> None:
    made.record(-7)
    made.record(2 * HOUR, 3)
    assert (made.count, made.negative, made.over) == (4, 1, 3)
    assert (made.min_ns, made.max_ns, made.percentile(25), made.percentile(100)) == (0, HOUR, 0, HOUR)
    made.clear()
    assert made.count == made.negative == made.over == 0


def test_it_is_the_known_layout(made: Any) -> None:
    """Source: HdrHistogram, unit magnitude 0, three digits: highestEquivalentValue of these values."""
    for value, highest in (
        (1, 1),
        (2047, 2047),
        (2048, 2049),
        (4095, 4095),
        (4096, 4099),
        (10_000, 10_007),
        (1_000_000, 1_000_447),
    ):
        made.clear()
        made.record(value)
        assert made.buckets() == [(highest, 1)]


@pytest.mark.parametrize("percent", [-0.1, 100.1, float("nan")])
def test_no_percentage_raises(made: Any, percent: float) -> None:
    made.record(1)
    with pytest.raises(ValueError, match="no percentage"):
        made.percentile(percent)
