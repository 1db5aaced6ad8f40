"""Verdicts: none where nothing differs, and one where it does; by runs, by slices of time, by ranks."""

from typing import Any

import numpy as np
import pytest

from netfeed.latency.compare import CHANCE, FASTER, RANKS, RUNS, SAME, SLOWER, TIME, Row, compare, middle, shared_names
from netfeed.latency.report import Distribution, HeatMap, Report, merged
from tests.latency.samples import counted, run

WIRE = "wire to book"


def shuffle(seed: int = 1) -> Any:
    generator = np.random.default_rng(seed)
    return lambda matrix: generator.permuted(matrix, axis=1)


def verdicts(rows: list[Row], name: str = WIRE) -> dict[float, str]:
    return {row.percent: row.verdict for row in rows if row.name == name}


def runs(start: int, count: int, **more: Any) -> list[Report]:
    return [run(seed, **more) for seed in range(start, start + count)]


def test_a_shift_of_20_percent_over_five_runs_a_side_is_shown() -> None:
    rows = compare(runs(0, 5), runs(100, 5, middle_ns=14_400), shuffle())
    assert verdicts(rows)[50.0] == verdicts(rows)[90.0] == SLOWER
    assert set(verdicts(rows, "decode").values()) == {SAME}
    assert {row.noise for row in rows} == {RUNS}
    back = compare(runs(100, 5, middle_ns=14_400), runs(0, 5), shuffle())
    assert verdicts(back)[50.0] == FASTER


def test_without_a_difference_there_is_hardly_ever_a_verdict() -> None:
    false = 0
    for seed in range(40):
        rows = compare(runs(1000 * seed, 5, size=400), runs(1000 * seed + 500, 5, size=400), shuffle(seed))
        false += any(row.verdict != SAME for row in rows)
    assert false <= 5  # two are allowed by the chance of 5 %


def test_runs_that_differ_much_among_themselves_need_a_larger_difference() -> None:
    close = compare(runs(0, 5, runs_differ=0.01), runs(100, 5, middle_ns=13_000, runs_differ=0.01), shuffle())
    wide = compare(runs(0, 5, runs_differ=0.2), runs(100, 5, middle_ns=13_000, runs_differ=0.2), shuffle())
    assert verdicts(close)[50.0] == SLOWER
    assert verdicts(wide)[50.0] == SAME


@pytest.mark.parametrize("count", [1, 2, 3])
def test_too_few_runs_show_nothing_however_far_apart(count: int) -> None:
    rows = compare(runs(0, 3), runs(100, count, middle_ns=120_000), shuffle())
    assert set(verdicts(rows).values()) == {SAME}


def test_one_run_each_is_judged_by_its_slices_of_time() -> None:
    a, b = run(1, slices=40, runs_differ=0), run(2, slices=40, runs_differ=0, middle_ns=14_400)
    rows = compare([a], [b], shuffle())
    assert {(row.percent, row.noise) for row in rows if row.name == WIRE} == {
        (50.0, TIME), (90.0, TIME), (99.0, TIME), (99.9, RANKS),
    }  # fmt: skip
    assert set(verdicts(rows).values()) == {SLOWER}
    assert {row.noise for row in rows if row.name == "decode"} == {RANKS}
    assert set(verdicts(rows, "decode").values()) == {SAME}


def test_slices_that_wander_are_noise_that_ranks_would_not_see() -> None:
    """The same wandering load in both, one later than the other; each duration alone would say that they differ."""

    def wandering(seed: int, phase: float) -> Report:
        parts = [run(seed + k, runs_differ=0, middle_ns=12_000 * (1 + 0.5 * np.sin(phase + k / 3))) for k in range(20)]
        columns = tuple(part.distributions[0].histogram for part in parts)
        whole = Distribution(WIRE, merged(columns))
        return Report("stages", "t", {}, (whole,), heat_maps=(HeatMap(WIRE, 1, columns),))

    one, other = wandering(0, 0.0), wandering(100, 0.6)
    assert verdicts(compare([one], [other], shuffle()))[50.0] == SAME
    bare = [Report("stages", "t", {}, report.distributions) for report in (one, other)]
    assert verdicts(compare(bare[:1], bare[1:], shuffle()))[50.0] != SAME


def test_one_run_each_without_a_heat_map_is_judged_by_ranks() -> None:
    rows = compare([run(1, runs_differ=0)], [run(2, runs_differ=0, middle_ns=14_400)], shuffle())
    assert {row.noise for row in rows} == {RANKS}
    assert verdicts(rows)[50.0] == SLOWER
    assert all(row.a_range[0] <= row.a_ns <= row.a_range[1] and row.chance is None for row in rows)


@pytest.mark.parametrize("slices", [0, 24])
def test_one_run_each_of_the_same_has_hardly_ever_a_verdict(slices: int) -> None:
    false = 0
    for seed in range(14):
        a, b = (run(2 * seed + k, runs_differ=0, size=300, slices=slices) for k in (0, 1))
        false += any(row.verdict != SAME for row in compare([a], [b], shuffle(seed)))
    assert false <= 3


def test_a_percentile_is_looked_at_where_enough_lies_above_it() -> None:
    rows = compare([run(1, size=999)], [run(2, size=100_000)], shuffle())
    assert [row.percent for row in rows if row.name == WIRE] == [50.0, 90.0]
    rows = compare([run(1, size=1000)], [run(2, size=100_000)], shuffle())
    assert [row.percent for row in rows if row.name == WIRE] == [50.0, 90.0, 99.0]


def test_the_chance_of_a_false_verdict_is_said() -> None:
    rows = compare(runs(0, 4), runs(100, 4, middle_ns=24_000), shuffle())
    shown = [row for row in rows if row.verdict != SAME]
    assert shown
    assert all(row.chance is not None and row.chance <= CHANCE for row in shown)


def test_only_what_all_reports_counted_is_compared() -> None:
    one = Report("k", "t", distributions=(Distribution("a", counted(5)), Distribution("b", counted(5))))
    other = Report("k", "t", distributions=(Distribution("b", counted(7)), Distribution("a", counted())))
    assert shared_names([one, other]) == ["b"]


def test_the_middle_of_two_is_that_of_their_logarithms() -> None:
    assert middle([100, 400]) == 200
    assert middle([1, 50, 10**9]) == 50
    assert middle([0]) == 1
