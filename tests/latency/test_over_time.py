"""A quantity over time in few columns: nothing is lost when two become one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netfeed.latency.over_time import Columns, Extremes

POINTS = st.lists(st.tuples(st.integers(0, 10**11), st.integers(-1000, 10**6)), min_size=1, max_size=50)


@given(POINTS, st.sampled_from([1, 4, 50]), st.sampled_from([np.minimum, np.maximum]))
def test_the_extreme_of_an_interval_is_that_of_its_values(
    points: list[tuple[int, int]], size: int, better: np.ufunc
) -> None:
    extremes = Extremes(1000, better, most=16)
    for begin in range(0, len(points), size):
        some = points[begin : begin + size]
        extremes.take(np.array([at for at, _ in some]), np.array([value for _, value in some]))
    at, values = extremes.points(np.nan)
    assert at.tolist() == list(range(0, len(at) * extremes.interval_ns, extremes.interval_ns))
    at, values = at[~np.isnan(values)], values[~np.isnan(values)]
    best: dict[int, list[int]] = {}
    for when, value in points:
        best.setdefault(max(when - 1000, 0) // extremes.interval_ns, []).append(value)
    wanted = {cell: (min if better is np.minimum else max)(found) for cell, found in best.items()}
    assert dict(zip((at // extremes.interval_ns).tolist(), values.tolist(), strict=True)) == wanted
    assert len(at) <= 16


@given(POINTS, st.sampled_from([1, 4, 50]))
def test_a_heat_map_counts_every_value_in_its_interval(points: list[tuple[int, int]], size: int) -> None:
    columns = Columns(0, most=8)
    for begin in range(0, len(points), size):
        some = points[begin : begin + size]
        columns.record_all(np.array([at for at, _ in some]), np.array([value for _, value in some]))
    assert len(columns.columns) <= 8
    for number, histogram in enumerate(columns.columns):
        mine = [value for at, value in points if at // columns.interval_ns == number]
        assert (histogram.count, histogram.negative) == (len(mine), sum(value < 0 for value in mine))


def test_a_short_time_is_shown_finely() -> None:
    extremes = Extremes(0, np.maximum)
    extremes.take(np.array([0, 1_000_000, 2_500_000]), np.array([1, 5, 3]))
    at, values = extremes.points(0.0)
    assert (at.tolist(), values.tolist()) == ([0, 1_000_000, 2_000_000], [1, 5, 3])


def test_a_pause_is_told_as_such() -> None:
    extremes = Extremes(0, np.maximum)
    extremes.take(np.array([0, 3_000_000]), np.array([4, 2]))
    assert extremes.points(0.0)[1].tolist() == [4, 0, 0, 2]


@pytest.mark.parametrize("empty", [Columns(0), Extremes(0, np.minimum)])
def test_nothing_is_nothing(empty: Columns | Extremes) -> None:
    none = np.zeros(0, np.int64)
    if isinstance(empty, Columns):
        empty.record_all(none, none)
        assert empty.columns == []
    else:
        empty.take(none, none)
        assert [len(one) for one in empty.points(0.0)] == [0, 0]
