"""A beat among interruptions is found, whatever lies between, and what only looks like one is not."""

from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netfeed.latency.rhythm import TICKS_NS, Rhythm, find_rhythms

MS = 1_000_000
SECOND = 1000 * MS


def found(gaps: list[tuple[int, int]], periods: Any = TICKS_NS, *, seconds: int = 2, **options: int) -> list[Rhythm]:
    gaps = sorted(gaps)
    at, length = (np.array([one[k] for one in gaps], np.int64) for k in (0, 1))
    return find_rhythms(at + 10**15, length, periods, begun_ns=10**15, ended_ns=10**15 + seconds * SECOND, **options)


def beat(period: int, random: Random, *, seconds: int = 2, length: int = 5000, jitter: int = 20_000) -> Any:
    phase = random.randrange(period)
    return [
        (phase + number * period + random.randrange(jitter), length) for number in range(seconds * SECOND // period - 1)
    ]


def noise(count: int, random: Random, *, seconds: int = 2) -> Any:
    return [(random.randrange(seconds * SECOND), random.randrange(1000, 100_000)) for _ in range(count)]


@pytest.mark.parametrize("period", TICKS_NS)
@settings(max_examples=20)
@given(seed=st.integers(0, 2**32))
def test_a_tick_is_found_among_as_many_others(period: int, seed: int) -> None:
    random = Random(seed)
    told = found(beat(period, random) + noise(SECOND * 2 // period // 4, random))
    assert [one.period_ns for one in told] == [period]
    assert told[0].covered > 0.9
    assert told[0].length_ns == pytest.approx(5000, rel=2)


@settings(max_examples=30)
@given(seed=st.integers(0, 2**32), count=st.integers(0, 5000))
def test_what_comes_by_chance_has_no_beat(seed: int, count: int) -> None:
    assert found(noise(count, Random(seed))) == []


def test_one_long_gap_each_second_is_a_beat_of_its_own() -> None:
    random = Random(1)
    gaps = beat(4 * MS, random, seconds=5) + [(second * SECOND + 900 * MS, 50 * MS) for second in range(5)]
    assert [one.period_ns for one in found(gaps, seconds=5)] == [4 * MS]
    (one,) = found(gaps, [SECOND], seconds=5, least_ns=25 * MS)
    assert one == Rhythm(SECOND, 5, 1.0, 50 * MS)


def test_a_beat_whose_phase_lies_at_the_end_of_the_period_is_one() -> None:
    gaps = [(number * MS + (20_000 if number % 2 else -20_000), 3000) for number in range(1, 2000)]
    assert [one.period_ns for one in found(gaps)] == [MS]


@pytest.mark.parametrize("gaps", [[], [(5, 5)], [(5, 5), (1_000_005, 5)]])
def test_a_few_gaps_have_no_beat(gaps: list[tuple[int, int]]) -> None:
    assert found(gaps) == []


def test_what_was_watched_for_less_than_three_periods_is_not_judged() -> None:
    assert found([(1, 5 * MS), (SECOND, 5 * MS)], [SECOND], seconds=2) == []
