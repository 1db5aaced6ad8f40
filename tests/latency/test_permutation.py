"""Permutations: the chance is that of its definition, over all rows together."""

from itertools import permutations
from typing import Any

import numpy as np
import pytest

from netfeed.latency.permutation import ALL_WAYS, SOME_WAYS, chances, least_chance


def shuffle(seed: int = 1) -> Any:
    generator = np.random.default_rng(seed)
    return lambda matrix: generator.permuted(matrix, axis=1)


def never(matrix: Any) -> Any:
    raise AssertionError("few runs need no chance")


def test_two_groups_that_lie_apart_have_the_least_chance() -> None:
    first, second = np.array([[1.0], [2], [3], [4]]), np.array([[11.0], [12], [13], [14]])
    (chance,) = chances(first, second, never, floor=0.001)
    assert chance == pytest.approx(2 / 70)
    assert least_chance(4, 4) == pytest.approx(2 / 70)
    assert least_chance(3, 3) == pytest.approx(2 / 20)
    assert least_chance(1, 5) == pytest.approx(1 / 6)


def test_the_chance_is_the_share_of_all_ways_to_deal_the_labels() -> None:
    values = [1.0, 4.0, 2.5, 3.0, 7.0, 6.5]

    def distance(dealt: tuple[float, ...]) -> float:
        one, other = np.array(dealt[:3]), np.array(dealt[3:])
        spread = np.sqrt((3 * one.var() + 3 * other.var()) / 4 + 1e-6)
        return float(abs(np.median(one) - np.median(other)) / spread)

    seen = distance(tuple(values))
    every = [distance(dealt) for dealt in permutations(values)]
    wanted = sum(one >= seen * (1 - 1e-9) for one in every) / len(every)
    rows = np.array(values)[:, np.newaxis]
    assert chances(rows[:3], rows[3:], never, floor=0.001)[0] == pytest.approx(wanted)


def test_the_more_rows_are_looked_at_the_less_one_of_them_says() -> None:
    generator = np.random.default_rng(3)
    noise = generator.normal(size=(10, 30))
    noise[5:, 0] += 2
    alone = chances(noise[:5, :1], noise[5:, :1], never, floor=0.001)[0]
    among = chances(noise[:5], noise[5:], never, floor=0.001)[0]
    assert alone < 0.05 < among


def test_equal_values_show_nothing() -> None:
    same = np.ones((6, 2))
    assert chances(same, same, never, floor=0.001).tolist() == [1, 1]


def test_many_runs_are_dealt_by_chance_and_the_seed_repeats_it() -> None:
    generator = np.random.default_rng(5)
    first, second = generator.normal(size=(20, 2)), generator.normal(size=(20, 2))
    second[:, 0] += 5
    one, again, other = (chances(first, second, shuffle(seed), floor=0.001) for seed in (1, 1, 2))
    assert one.tolist() == again.tolist()
    assert one[0] == 1 / (SOME_WAYS + 1)
    assert one[1] > 0.2
    assert one[1] != other[1]
    assert ALL_WAYS > 12_870  # eight runs a side are still tried in every way
