"""Bursts: no window that slides over the packets holds more than what is told, however they come in."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netfeed.latency.bursts import Burst, Windows

MS = 1_000_000


def run(times: list[int], cuts: list[int], width: int, *, keep: int = 10, bits: list[int] | None = None) -> Windows:
    """Feed packets in the pieces that `cuts` make."""
    windows = Windows(width, keep=keep)
    bits = bits or [800] * len(times)
    places = sorted({0, len(times), *(cut % (len(times) + 1) for cut in cuts)})
    for begin, end in pairwise(places):
        windows.take(
            np.array(times[begin:end], np.int64), np.array(bits[begin:end], np.int64), np.arange(begin, end)
        )  # fmt: skip
    return windows


def brute(times: list[int], width: int) -> list[tuple[int, int]]:
    """Count what lies in (t - width, t] for the time t of each packet, and name the first of it."""
    found = []
    for at in times:
        inside = [index for index, one in enumerate(times) if at - width < one <= at]
        found.append((len(inside), inside[0]))
    return found


RISING = st.lists(st.integers(0, 40), min_size=1, max_size=60).map(lambda steps: np.cumsum(steps).tolist())


@given(RISING, st.lists(st.integers(0, 60), max_size=6), st.sampled_from([1, 7, 50]), st.data())
def test_the_fullest_window_is_that_of_counting_by_hand(
    times: list[int], cuts: list[int], width: int, data: Any
) -> None:
    bits = data.draw(st.lists(st.integers(1, 999), min_size=len(times), max_size=len(times)))
    windows = run(times, cuts, width, bits=bits)
    by_hand = brute(times, width)
    assert windows.packets == len(times)
    assert windows.fullest is not None
    assert windows.fullest.packets == max(count for count, _ in by_hand)
    assert (windows.fullest.packets, windows.fullest.first) in by_hand
    assert windows.widest is not None
    assert windows.widest.bits == max(
        sum(bit for bit, one in zip(bits, times, strict=True) if at - width < one <= at) for at in times
    )


@given(RISING, st.lists(st.integers(0, 60), max_size=6), st.sampled_from([1, 7, 50]))
def test_what_is_told_does_not_depend_on_the_pieces(times: list[int], cuts: list[int], width: int) -> None:
    whole, pieces = run(times, [], width), run(times, cuts, width)
    assert (whole.fullest, whole.widest) == (pieces.fullest, pieces.widest)


@given(RISING, st.lists(st.integers(0, 60), max_size=6), st.sampled_from([1, 7, 50]))
def test_the_greatest_bursts_are_windows_that_do_not_overlap_the_fullest_first(
    times: list[int], cuts: list[int], width: int
) -> None:
    windows = run(times, cuts, width)
    top = windows.top()
    assert top
    assert top[0].packets == max(count for count, _ in brute(times, width))
    assert [one.packets for one in top] == sorted((one.packets for one in top), reverse=True)
    assert not any(one.overlaps(other) for index, one in enumerate(top) for other in top[:index])
    for one in top:
        assert one.packets == sum(one.begin_ns <= at <= one.end_ns for at in times)
        assert one.end_ns - one.begin_ns < width


def test_a_burst_across_the_boundary_of_a_millisecond_is_found() -> None:
    """Five packets each side of a full millisecond: aligned windows would see five."""
    times = [5 * MS - 50_000 + 10_000 * k for k in range(10)]
    windows = run(times, [], MS)
    assert windows.fullest == Burst(10, 8000, times[0], times[-1], 0)


def test_a_burst_across_two_batches_is_found() -> None:
    times = [k * 100 for k in range(20)]
    assert run(times, [7, 8, 13], 10_000).fullest == Burst(20, 16_000, 0, 1900, 0)


def test_a_window_does_not_hold_what_is_a_whole_width_earlier() -> None:
    assert run([0, 1000], [], 1000).fullest == Burst(1, 800, 0, 0, 0)
    assert run([1, 1000], [], 1000).fullest == Burst(2, 1600, 1, 1000, 0)


def test_packets_of_one_instant_take_no_more_memory_than_one() -> None:
    windows = Windows(MS)
    for _ in range(50):
        windows.take(np.zeros(1000, np.int64), np.ones(1000, np.int64), np.arange(1000))
    assert windows.fullest == Burst(50_000, 50_000, 0, 0, 0)
    assert len(windows._times) == 1


def test_a_time_that_falls_a_little_counts_as_the_latest_and_one_that_falls_far_begins_anew() -> None:
    jitter = run([0, 1000, 400, 1200], [], 1000)
    assert (jitter.steps, jitter.fullest) == (0, Burst(3, 2400, 1000, 1200, 1))
    stepped = run([10_000 * MS, 10_000 * MS + 1, 0, 1, 2, 5], [3], 100)
    assert (stepped.steps, stepped.packets) == (1, 6)
    assert stepped.fullest == Burst(4, 3200, 0, 5, 2)


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=40), st.lists(st.integers(0, 40), max_size=4))
def test_times_in_any_order_lose_no_packet(times: list[int], cuts: list[int]) -> None:
    windows = run(times, cuts, MS)
    assert windows.packets == len(times)
    assert windows.fullest is not None
    assert 1 <= windows.fullest.packets <= len(times)


@pytest.mark.parametrize("keep", [1, 3])
def test_only_so_many_bursts_are_told(keep: int) -> None:
    times = [burst * MS + k for burst in range(9) for k in range(burst + 1)]
    top = run(times, [], 1000, keep=keep).top()
    assert [one.packets for one in top] == [9, 8, 7][:keep]
