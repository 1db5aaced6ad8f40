"""Bounds of a percentile: as textbooks tabulate them, and right as often as they say."""

from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netfeed.latency import Histogram
from netfeed.latency.order_statistics import bounds, ranks
from tests.latency.samples import counted, drawn


def below(count: int, share: float, most: int) -> float:
    """Give the chance that `most` or fewer of `count` lie below a quantile, by its definition."""
    return sum(comb(count, k) * share**k * (1 - share) ** (count - k) for k in range(most + 1))


@pytest.mark.parametrize(("count", "low", "high"), [(10, 2, 9), (20, 6, 15), (50, 18, 33), (100, 40, 61)])
def test_the_median_lies_where_the_sign_test_says(count: int, low: int, high: int) -> None:
    """The ranks of 95 % in any table of the sign test."""
    assert ranks(count, 0.5, 0.05) == (low, high)


@given(st.integers(1, 120), st.sampled_from([0.5, 0.9, 0.99]), st.sampled_from([0.2, 0.05, 0.001]))
def test_ranks_are_the_tightest_that_keep_the_chance(count: int, share: float, chance: float) -> None:
    low, high = ranks(count, share, chance)
    assert below(count, share, low - 1) <= chance / 2 + 1e-12
    assert below(count, share, low) > chance / 2 - 1e-12
    assert 1 - below(count, share, high - 1) <= chance / 2 + 1e-9
    assert high == 0 or 1 - below(count, share, high - 2) > chance / 2 - 1e-9


def test_few_durations_bound_a_rare_percentile_on_one_side_only() -> None:
    low, high = ranks(100, 0.999, 0.05)
    assert high == 101
    assert low <= 100
    assert bounds(counted(*range(1, 101)), 99.9, 0.05)[1] == 100


def test_more_durations_bound_more_narrowly_without_end() -> None:
    last = 1.0
    for count in (100, 10_000, 10**6, 10**9):
        low, high = ranks(count, 0.5, 0.05)
        assert (high - low) / count < last
        last = (high - low) / count
    huge = Histogram()
    huge.record(1000, 10**14)
    assert bounds(huge, 50, 0.05) == (1000, 1000)


def test_the_truth_lies_outside_as_rarely_as_was_said() -> None:
    truth, wrong = 12_000, 0
    for seed in range(400):
        low, high = bounds(drawn(np.random.default_rng(seed), 300, truth), 50, 0.1)
        wrong += not low <= truth <= high
    assert wrong <= 55  # 40 are allowed; 55 would be seen once in 200 such tests


def test_of_nothing_nothing_is_known() -> None:
    with pytest.raises(ValueError, match="nothing was counted"):
        bounds(counted(), 50, 0.05)
