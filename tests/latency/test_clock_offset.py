"""The offset of two clocks is wrong by no more than half of the least round trip, and the drift is seen."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netfeed.latency.clock_offset import MAX_WINDOWS, ClockOffset, Offset

SECOND = 1_000_000_000
WAY = st.integers(0, 10_000_000)


def exchange(offset: int, sent: int, there: int, held: int, back: int) -> tuple[int, int, int, int]:
    arrived = sent + there + offset
    return sent, arrived, arrived + held, sent + there + held + back


@given(offset=st.integers(-(10**15), 10**15), ways=st.lists(st.tuples(WAY, WAY, WAY), min_size=1, max_size=20))
def test_the_truth_lies_within_the_uncertainty(offset: int, ways: list[tuple[int, int, int]]) -> None:
    clock = ClockOffset()
    for number, (there, held, back) in enumerate(ways):
        clock.take(*exchange(offset, number * 1000, there, held, back))
    told = clock.estimate()
    assert told is not None
    assert abs(told.offset_ns - offset) <= told.uncertainty_ns + 1
    assert told.uncertainty_ns == min(there + back for there, _, back in ways) // 2


def test_the_exchange_with_the_least_delay_is_believed() -> None:
    clock = ClockOffset()
    clock.take(*exchange(500, 0, 9000, 10, 100))
    clock.take(*exchange(500, 1, 40, 10, 40))
    clock.take(*exchange(500, 2, 100, 10, 90_000))
    assert clock.estimate() == Offset(500, 40)


def test_a_clock_that_runs_faster_is_seen_to() -> None:
    clock = ClockOffset()
    for second in range(20):
        clock.take(*exchange(1_000 + second * 10_000, second * SECOND, 50, 10, 50))
    told = clock.estimate()
    assert told is not None
    assert told.drift_ppm == pytest.approx(10.0)
    assert clock.at(np.array([0, 10 * SECOND + SECOND // 2])).tolist() == [1_000, 106_000]


def test_a_bad_second_is_not_believed() -> None:
    clock = ClockOffset()
    for second, there in enumerate([50, 90_000, 50]):
        clock.take(*exchange(7, second * SECOND, there, 10, 50))
    assert clock.at(np.array([SECOND])).tolist() == [7]


def test_a_month_takes_no_more_memory_than_a_quarter_of_an_hour() -> None:
    clock = ClockOffset()
    for second in range(5 * MAX_WINDOWS):
        clock.take(*exchange(7, second * SECOND, 50, 10, 50))
    assert len(clock._best) <= MAX_WINDOWS
    assert clock.estimate() == Offset(7, 50, 0.0)


def test_without_an_exchange_there_is_no_offset() -> None:
    assert ClockOffset().estimate() is None
    with pytest.raises(ValueError, match="no exchange"):
        ClockOffset().at(np.array([1]))


def set_by(moved: int, second: int, drift: int = 0) -> ClockOffset:
    clock = ClockOffset()
    for number in range(10):
        offset = 1_000 + number * drift + (moved if number >= second else 0)
        clock.take(*exchange(offset, number * SECOND, 50, 10, 50))
    return clock


def test_a_clock_that_was_set_is_told_from_one_that_drifts() -> None:
    assert set_by(0, 0, drift=500_000).steps() == []
    told = set_by(-3_000_000, 4)
    assert told.steps() == [(3 * SECOND, 4 * SECOND, -3_000_000)]
    estimate = told.estimate()
    assert estimate is not None
    assert estimate.drift_ppm is None


def test_between_two_moments_that_it_was_set_between_no_offset_is_known() -> None:
    moments = np.array([3 * SECOND, 3 * SECOND + 1, 4 * SECOND - 1, 4 * SECOND])
    assert set_by(3_000_000, 4).known(moments).tolist() == [True, False, False, True]
    assert set_by(0, 0).known(moments).all()
