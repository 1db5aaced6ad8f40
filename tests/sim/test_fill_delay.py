"""Delays: what a distribution says it draws, from a seed and from nothing else."""

from statistics import median

import pytest

from netfeed.errors import MisuseError
from netfeed.latency import Histogram
from netfeed.sim.fill_delay import Chance, Delay, Fixed, Lognormal, Recorded, Uniform


def drawn(delay: Delay, seed: int = 7, count: int = 4_000) -> list[int]:
    chance = Chance(seed)
    return [delay.draw(chance) for _ in range(count)]


def test_a_seed_names_one_sequence_and_another_another() -> None:
    assert drawn(Uniform(1, 10**6)) == drawn(Uniform(1, 10**6)) != drawn(Uniform(1, 10**6), seed=8)


def test_each_distribution_is_where_it_says() -> None:
    assert set(drawn(Fixed(250))) == {250}
    evenly = drawn(Uniform(100, 300))
    assert min(evenly) == 100
    assert max(evenly) == 300
    assert 195 < median(evenly) < 205
    leaning = drawn(Lognormal(10_000, 0.5))
    assert 9_500 < median(leaning) < 10_500
    assert 0.25 < sum(value > 13_400 for value in leaning) / len(leaning) < 0.31  # beyond 0.585 sigma


def test_what_was_measured_comes_as_often_as_it_was_measured() -> None:
    histogram = Histogram()
    histogram.record(100, 3)
    histogram.record(900, 1)
    found = drawn(Recorded(histogram.buckets(), "a report"))
    assert set(found) == {100, 900}
    assert 0.72 < found.count(100) / len(found) < 0.78


def test_no_delay_is_nothing_or_beyond_an_hour() -> None:
    assert set(drawn(Fixed(-5))) == {1}
    assert set(drawn(Fixed(10**15))) == {3_600 * 10**9}
    assert min(drawn(Lognormal(1, 10.0))) == 1


@pytest.mark.parametrize(
    "make", [lambda: Uniform(2, 1), lambda: Lognormal(0, 1.0), lambda: Lognormal(5, -1.0), lambda: Recorded([], "x")]
)  # fmt: skip
def test_a_distribution_that_cannot_be_is_a_misuse(make: object) -> None:
    with pytest.raises(MisuseError):
        make()  # type: ignore[operator]


def test_they_say_what_they_are() -> None:
    assert [str(one) for one in (Fixed(1_500), Uniform(1_000, 2_000), Lognormal(10_000, 0.5))] == [
        "1.5 us always", "evenly 1 us to 2 us", "lognormal, median 10 us, sigma 0.5",
    ]  # fmt: skip
