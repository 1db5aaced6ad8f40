"""Is one side faster than the other? A verdict stands only where the difference exceeds the noise.

What the noise is depends on what there is. Several runs a side: what runs of one side differ by. One run each: what
its slices of time differ by, where a heat map has them, else how far a percentile of so many durations can be trusted;
neither knows what another run would have brought. Whichever it is, the chance of a false verdict is kept over all
rows together.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import exp, log
from typing import Final

import numpy as np

from netfeed.latency import Histogram
from netfeed.latency.order_statistics import bounds
from netfeed.latency.permutation import Shuffle, chances
from netfeed.latency.report import PERCENTILES, Report, merged

CHANCE: Final = 0.05
"""How likely a report may be that has a verdict, any at all, where nothing differs."""
RARE: Final = 10
"""A percentile is looked at where so many durations lie above it."""
SLICES: Final = 20
FEWEST_SLICES: Final = 6
RESOLUTION: Final = 0.0005
"""What two durations of one bucket can differ by, as a share."""

FASTER, SLOWER, SAME = "faster", "slower", "no difference shown"
RUNS, TIME, RANKS = "runs", "slices of time", "ranks"


@dataclass(frozen=True, slots=True)
class Row:
    """One percentile of one distribution on both sides. `a_range` and `b_range` are the noise: what runs or slices of
    that side spread over, or the bounds of the true percentile. `chance` is that of a false verdict, over all rows.
    """

    name: str
    percent: float
    a_ns: int
    b_ns: int
    a_range: tuple[int, int]
    b_range: tuple[int, int]
    noise: str
    chance: float | None
    verdict: str


@dataclass(frozen=True, slots=True)
class _Values:
    """A percentile in every run, or slice, of both sides. Units: ns."""

    name: str
    percent: float
    a: list[int]
    b: list[int]


def compare(a: Sequence[Report], b: Sequence[Report], shuffle: Shuffle) -> list[Row]:
    """Compare the distributions that all reports of both sides have, B against A."""
    if len(a) > 1 or len(b) > 1:
        return _by_runs(a, b, shuffle)
    return _by_one_run(a[0], b[0], shuffle)


def shared_names(reports: Sequence[Report]) -> list[str]:
    """List the distributions in which every report has counted something, in the order of the first."""
    counted = [{one.name for one in report.distributions if one.histogram.count} for report in reports]
    return [one.name for one in reports[0].distributions if all(one.name in names for names in counted)]


def histogram_of(report: Report, name: str) -> Histogram:
    """Give the distribution of a name; of several that share it, all together."""
    return merged(one.histogram for one in report.distributions if one.name == name)


def _by_runs(a: Sequence[Report], b: Sequence[Report], shuffle: Shuffle) -> list[Row]:
    kept: list[_Values] = []
    for name in shared_names([*a, *b]):
        first, second = ([histogram_of(one, name) for one in side] for side in (a, b))
        kept += [_values(name, percent, first, second) for percent in _shown(first + second)]
    return list(_judged(kept, RUNS, shuffle, CHANCE))


def _values(name: str, percent: float, a: Sequence[Histogram], b: Sequence[Histogram]) -> _Values:
    return _Values(name, percent, *([one.percentile(percent) or 0 for one in side] for side in (a, b)))


def _shown(histograms: Sequence[Histogram], rare: int = RARE) -> list[float]:
    """List the percentiles that each has enough durations above to speak of."""
    least = min(one.count for one in histograms)
    return [percent for percent in PERCENTILES if least * (100 - percent) >= 100 * rare - 1e-6]


def _judged(kept: Sequence[_Values], noise: str, shuffle: Shuffle, chance: float) -> Iterator[Row]:
    """Judge rows of which each side has several values."""
    if not kept:
        return
    first, second = (np.log(np.maximum(side, 1).T) for side in ([row.a for row in kept], [row.b for row in kept]))
    found = chances(first, second, shuffle, floor=RESOLUTION)
    for row, luck in zip(kept, found.tolist(), strict=True):
        one, other = middle(row.a), middle(row.b)
        differs = luck <= chance and one != other
        verdict = (FASTER if other < one else SLOWER) if differs else SAME
        ours, theirs = (min(row.a), max(row.a)), (min(row.b), max(row.b))
        yield Row(row.name, row.percent, one, other, ours, theirs, noise, luck, verdict)


def middle(values: Sequence[int]) -> int:
    """Give the median, of two in the middle their geometric mean, as the logarithms that are compared."""
    return round(exp(float(np.median([log(max(value, 1)) for value in values]))))


def _by_one_run(a: Report, b: Report, shuffle: Shuffle) -> list[Row]:
    rows: list[Row] = []
    names = shared_names((a, b))
    for name in names:
        sliced = _slices(a, name), _slices(b, name)
        whole = histogram_of(a, name), histogram_of(b, name)
        timed = _timed(sliced)
        share = CHANCE / len(names) / (2 if timed else 1)
        rows += _judged([_values(name, percent, *sliced) for percent in timed], TIME, shuffle, share)
        rest = [percent for percent in _shown(whole) if percent not in timed]
        rows += [_ranked(name, percent, *whole, share / 2 / len(rest)) for percent in rest]
    return rows


def _timed(sliced: tuple[list[Histogram], list[Histogram]]) -> list[float]:
    """List the percentiles that every slice of both sides can show."""
    return _shown(sliced[0] + sliced[1]) if min(map(len, sliced)) >= FEWEST_SLICES else []


def _slices(report: Report, name: str) -> list[Histogram]:
    """Cut a run into slices of time by its heat map; what lacks most of its durations is no slice but a rest."""
    for one in report.heat_maps:
        if one.name == name:
            columns = one.coarser(SLICES).columns
            usual = float(np.median([column.count for column in columns])) if columns else 0.0
            return [column for column in columns if column.count >= usual / 2 and column.count]
    return []


def _ranked(name: str, percent: float, a: Histogram, b: Histogram, chance: float) -> Row:
    """Judge by the bounds of the true percentiles: where they do not meet, the two are not one."""
    ours, theirs = bounds(a, percent, chance), bounds(b, percent, chance)
    verdict = FASTER if theirs[1] < ours[0] else SLOWER if theirs[0] > ours[1] else SAME
    one, other = a.percentile(percent) or 0, b.percentile(percent) or 0
    return Row(name, percent, one, other, ours, theirs, RANKS, None, verdict)
