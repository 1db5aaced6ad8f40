"""The venue's clock: the quickest answer is believed, for a while, and half its round trip is the error."""

from netfeed.feed.offset import MAX_SAMPLES, WINDOW_NS, Offset

MS = 1_000_000
SKEW = 10**18
"""What real time is ahead of monotonic time."""


def test_the_quickest_answer_is_believed() -> None:
    clock = Offset()
    assert (clock.offset_ns(SKEW), clock.error_ns) == (None, None)
    for asked, there, back in [(0, 9 * MS, 1 * MS), (100 * MS, 1 * MS, 1 * MS), (200 * MS, 30 * MS, 2 * MS)]:
        clock.take(asked, asked + there + back, asked + there + SKEW + 7 * MS)
    assert (clock.offset_ns(SKEW), clock.error_ns) == (7 * MS, 1 * MS)


def test_the_truth_lies_within_the_error_however_lopsided_the_way_is() -> None:
    clock = Offset()
    clock.take(0, 10 * MS, 10 * MS + SKEW)
    offset, error = clock.offset_ns(SKEW), clock.error_ns
    assert offset is not None
    assert error is not None
    assert abs(offset - 0) <= error


def test_setting_the_local_clock_moves_the_offset_and_loses_no_sample() -> None:
    clock = Offset()
    clock.take(0, 2 * MS, 1 * MS + SKEW)
    assert clock.offset_ns(SKEW) == 0
    assert clock.offset_ns(SKEW + 5 * MS) == -5 * MS


def test_an_old_answer_is_forgotten_and_a_drifting_clock_is_followed() -> None:
    clock = Offset()
    clock.take(0, 2 * MS, 1 * MS + SKEW)
    later = WINDOW_NS + 10 * MS
    clock.take(later, later + 8 * MS, later + 4 * MS + SKEW + 3 * MS)
    assert clock.offset_ns(SKEW) == 3 * MS


def test_nonsense_is_refused_and_few_answers_are_kept() -> None:
    clock = Offset()
    for asked, now, told in [(5, 4, 10**18), (0, 1, 0), (0, 1, -5), (0, 1, 2**63)]:
        clock.take(asked, now, told)
    assert (clock.best, clock.refused) == (None, 4)
    for now in range(10_000):
        clock.take(now, now + 1, SKEW)
    assert len(clock._samples) == MAX_SAMPLES
