"""Axes: ticks are legible, say their unit, and lie where their values do."""

from itertools import pairwise
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netfeed.latency.plot.axis import (
    duration_axis,
    measured,
    nice_step,
    percent_of,
    quantity_axis,
    quantity_text,
    rarity,
    tail_axis,
    time_axis,
)
from tests.latency.samples import HOUR


def labels(axis: object) -> list[str]:
    return [text for _, text in axis.ticks]  # type: ignore[attr-defined]


def test_durations_far_apart_have_a_tick_a_decade() -> None:
    assert labels(duration_axis(900, 2_000_000, "latency")) == ["1 us", "10 us", "100 us", "1 ms"]


def test_durations_close_together_are_told_apart() -> None:
    assert labels(duration_axis(98_800, 102_300, "latency")) == [f"{at} us" for at in range(98, 104)]
    assert labels(duration_axis(98_800, 99_300, "latency")) == [f"{at / 10:.1f} us" for at in range(988, 994)]
    assert labels(duration_axis(5, 5, "latency")) == ["5 ns", "6 ns"]


@given(st.integers(0, HOUR), st.integers(0, HOUR))
def test_every_axis_of_durations_holds_its_ends_and_has_ticks_in_order(one: int, other: int) -> None:
    low, high = sorted((one, other))
    axis = duration_axis(low, high, "latency")
    assert 0 <= axis.place(max(low, 1)) <= axis.place(high) <= 1 or high == low == 0
    places = [axis.place(value) for value, _ in axis.ticks]
    assert places == sorted(places)
    assert all(0 <= place <= 1 for place in places)
    assert 1 <= len(places) <= 14
    assert len(set(labels(axis))) == len(places)
    assert all(text.split()[1] in ("ns", "us", "ms", "s") for text in labels(axis))


def test_the_tail_takes_as_much_room_as_what_it_is_rarer_than() -> None:
    axis = tail_axis(100_000)
    assert labels(axis) == ["0 %", "50 %", "90 %", "99 %", "99.9 %", "99.99 %", "99.999 %"]
    places = [axis.place(percent_of(nines)) for nines in range(5)]
    steps = [after - before for before, after in pairwise(places)]
    assert steps == pytest.approx([steps[0]] * 4)
    assert axis.place(100.0) == 1


@given(st.floats(0, 12))
def test_a_rarity_and_its_percentile_are_one(rare: float) -> None:
    assert rarity(percent_of(rare), 99) == pytest.approx(rare, abs=1e-3)
    assert rarity(100, rare) == rare


@pytest.mark.parametrize(
    ("high", "ticks"),
    [
        (15 * 10**9, ["0 s", "5 s", "10 s", "15 s"]), (10**9, ["0.0 s", "0.2 s", "0.4 s", "0.6 s", "0.8 s", "1.0 s"]),
        (3 * 10**6, ["0.0 ms", "0.5 ms", "1.0 ms", "1.5 ms", "2.0 ms", "2.5 ms", "3.0 ms"]),
        (HOUR, ["0 min", "10 min", "20 min", "30 min", "40 min", "50 min", "60 min"]),
        (5 * HOUR, ["0 h", "1 h", "2 h", "3 h", "4 h", "5 h"]), (3, ["0 ns", "1 ns", "2 ns", "3 ns"]),
    ],
    ids=str,
)  # fmt: skip
def test_time_is_counted_in_steps_that_people_count_in(high: int, ticks: list[str]) -> None:
    assert labels(time_axis(0, high)) == ticks


@given(st.integers(0, 10**18), st.integers(0, 10**18))
def test_an_axis_of_time_has_a_few_ticks(one: int, other: int) -> None:
    low, high = sorted((one, other))
    axis = time_axis(low, high)
    assert len(axis.ticks) <= 16
    assert all(0 <= axis.place(value) <= 1 for value, _ in axis.ticks)


@given(st.floats(-1e12, 1e12), st.floats(-1e12, 1e12))
def test_an_axis_of_quantities_holds_them_and_zero(one: float, other: float) -> None:
    low, high = sorted((one, other))
    axis = quantity_axis(high, "packets", low)
    assert all(-1e-9 <= axis.place(value) <= 1 + 1e-9 for value in (low, 0, high))
    assert 2 <= len(axis.ticks) <= 12


def test_nanoseconds_are_written_with_the_unit_that_reads_best() -> None:
    assert labels(quantity_axis(3_000.0, "ns")) == ["0 ns", "1 us", "2 us", "3 us"]
    assert measured(1_500.0, "ns") == "1.5 us"
    assert measured(1_500.0, "packets") == "1,500 packets"


@pytest.mark.parametrize(
    ("value", "text"), [(0.25, "0.25"), (900, "900"), (12_000, "12,000"), (3.4e6, "3.4M"), (2e9, "2G")]
)
def test_quantities_are_short(value: float, text: str) -> None:
    assert quantity_text(value) == text


@given(st.floats(1e-9, 1e15))
def test_a_step_is_one_two_or_five(least: float) -> None:
    step = nice_step(least)
    assert least * (1 - 1e-6) <= step <= least * 10
    assert step < inf
    assert f"{step:e}"[0] in "125"
