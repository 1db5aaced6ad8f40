"""The gap tracker: time is a number, and every step says what is missing."""

import pytest

from netfeed.errors import MisuseError
from netfeed.feed.gap import MAX_GAPS, GapTracker, Piece, unwrap
from netfeed.machine import NEVER


def tracker(start: int = 1) -> GapTracker:
    return GapTracker(start, reorder_window_ns=10, recovery_window_ns=100)


def spans(gaps: object) -> list[tuple[int, int]]:
    return [(gap.first, gap.end) for gap in gaps]  # type: ignore[attr-defined]


def test_a_stream_in_order_has_no_gap_and_no_deadline() -> None:
    gaps = tracker()
    assert gaps.take(1, 4, now=0) == [Piece(1, 4, False)]
    assert gaps.take(4, 5, now=1) == [Piece(4, 5, False)]
    assert (gaps.next, gaps.high, gaps.deadline) == (5, 5, NEVER)


def test_a_hole_is_opened_after_the_reorder_window_and_lost_after_the_recovery_window() -> None:
    gaps = tracker()
    gaps.take(5, 6, now=1000)
    assert (gaps.next, gaps.high, gaps.deadline) == (1, 6, 1010)
    assert gaps.open(1009) == []
    assert spans(gaps.open(1010)) == [(1, 5)]
    assert gaps.deadline == 1100
    assert not gaps.is_overdue(1099)
    assert gaps.is_overdue(1100)
    assert gaps.lose(1100)[2] == [(1, 5)]
    assert (gaps.next, gaps.deadline) == (6, NEVER)


def test_a_hole_that_is_filled_within_the_reorder_window_is_never_opened() -> None:
    gaps = tracker()
    gaps.take(3, 4, now=0)
    assert gaps.take(1, 3, now=5) == [Piece(1, 3, False)]
    assert spans(gaps.filled()) == [(1, 3)]
    assert (gaps.next, gaps.deadline, gaps.open(50)) == (4, NEVER, [])


def test_only_what_is_still_missing_is_opened() -> None:
    gaps = tracker()
    gaps.take(10, 11, now=0)
    gaps.take(4, 6, now=3)
    assert spans(gaps.open(10)) == [(1, 4), (6, 10)]
    assert gaps.take(1, 4, now=20) == [Piece(1, 4, True)]
    assert spans(gaps.filled()) == [(1, 4)]
    assert gaps.next == 6


def test_an_opened_gap_stays_one_gap_while_it_is_filled_in_part() -> None:
    gaps = tracker()
    gaps.take(10, 11, now=0)
    gaps.open(10)
    gaps.take(4, 6, now=20)
    assert gaps.filled() == []
    opened, gap, lost = gaps.lose(100)
    assert (opened, (gap.first, gap.end), lost) == ([], (1, 10), [(1, 4), (6, 10)])


def test_a_packet_that_overlaps_the_end_of_a_gap_closes_it() -> None:
    gaps = tracker()
    gaps.take(5, 7, now=0)
    gaps.open(10)
    assert gaps.take(3, 9, now=20) == [Piece(3, 5, True), Piece(7, 9, False)]
    assert gaps.take(0, 4, now=20) == [Piece(1, 3, True)]
    assert spans(gaps.filled()) == [(1, 5)]
    assert gaps.next == 9


def test_one_packet_may_reach_over_several_gaps() -> None:
    gaps = tracker()
    gaps.take(3, 4, now=0)
    gaps.take(6, 7, now=1)
    assert gaps.take(1, 9, now=2) == [Piece(1, 3, False), Piece(4, 6, False), Piece(7, 9, False)]
    assert spans(gaps.filled()) == [(1, 3), (4, 6)]


def test_a_heartbeat_reveals_a_gap_at_the_tail() -> None:
    gaps = tracker()
    assert gaps.take(8, 8, now=0) == []
    assert (gaps.next, gaps.high, gaps.deadline) == (1, 8, 10)
    assert gaps.take(1, 8, now=1) == [Piece(1, 8, False)]


def test_what_came_before_brings_nothing() -> None:
    gaps = tracker()
    gaps.take(1, 5, now=0)
    assert gaps.take(1, 5, now=1) == []
    assert gaps.take(2, 2, now=1) == []


def test_a_gap_that_is_lost_before_its_reorder_window_was_over_is_opened_first() -> None:
    gaps = tracker()
    gaps.take(5, 6, now=0)
    gaps.take(2, 3, now=0)
    opened, _, lost = gaps.lose(1)
    assert spans(opened) == lost == [(1, 2), (3, 5)]


def test_numbers_that_a_snapshot_covers_are_missing_no_more() -> None:
    gaps = tracker()
    gaps.take(10, 11, now=0)
    gaps.take(20, 21, now=0)
    assert gaps.forgive(16) == [(1, 10), (11, 16)]
    assert (gaps.next, spans(gaps.filled())) == (16, [(1, 10)])
    assert gaps.forgive(10**9) == [(16, 20)]
    assert gaps.high == 21, "a snapshot does not move the high-water mark"


def test_more_gaps_than_the_bound_are_told() -> None:
    gaps = tracker()
    for number in range(2, 2 * MAX_GAPS + 1, 2):
        gaps.take(number, number + 1, now=0)
    assert not gaps.crowded
    gaps.take(2 * MAX_GAPS + 2, 2 * MAX_GAPS + 3, now=0)
    assert gaps.crowded


@pytest.mark.parametrize(
    ("raw", "near", "number"),
    [(0, 2**32 - 1, 2**32), (2**32 - 1, 2**32, 2**32 - 1), (5, 5, 5), (7, 3 * 2**32 + 9, 3 * 2**32 + 7), (1, 0, 1)],
)
def test_a_counter_that_wraps_is_continued(raw: int, near: int, number: int) -> None:
    assert unwrap(raw, near, 2**32) == number


@pytest.mark.parametrize("windows", [(-1, 5), (6, 5)])
def test_windows_that_make_no_sense_are_refused(windows: tuple[int, int]) -> None:
    with pytest.raises(MisuseError, match="window"):
        GapTracker(1, reorder_window_ns=windows[0], recovery_window_ns=windows[1])
