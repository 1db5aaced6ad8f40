"""Two clocks: the offset lies between the quickest of both directions, and half the room between is its uncertainty."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from netfeed.latency.capture_offset import Offset, estimate

WAYS = st.lists(st.integers(0, 10**6), min_size=1, max_size=30)
NONE = np.zeros(0, np.int64)


@given(st.integers(-(10**12), 10**12), WAYS, WAYS, st.booleans())
def test_the_true_offset_is_within_the_uncertainty(
    offset: int, there: list[int], back: list[int], turned: bool
) -> None:
    forth = offset + np.array(there)
    other = offset - np.array(back)
    found = estimate(*((other, forth) if turned else (forth, other)))
    assert found is not None
    assert found.uncertainty_ns is not None
    assert abs(found.offset_ns - offset) <= found.uncertainty_ns
    assert found.uncertainty_ns <= (min(there) + min(back) + 1) // 2


def test_equally_long_ways_give_the_offset_itself() -> None:
    assert estimate(np.array([1000 + 50, 1000 + 90]), np.array([1000 - 50, 1000 - 70])) == Offset(1000, 50, (2, 2))


def test_one_way_only_has_no_uncertainty_that_is_known() -> None:
    assert estimate(np.array([70, 40]), NONE) == Offset(40, None, (2, 0))
    assert estimate(NONE, np.array([70, 40])) == Offset(40, None, (0, 2))


def test_nothing_in_common_and_a_clock_that_was_stepped_give_no_estimate() -> None:
    assert estimate(NONE, NONE) is None
    assert estimate(np.array([0, 100]), np.array([50, -50])) is None
