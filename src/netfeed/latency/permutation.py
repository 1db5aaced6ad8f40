"""Whether two groups of runs differ by more than runs of one kind do: the labels are dealt out anew, in all ways.

If nothing but chance divides the groups, every way to deal the labels is as likely as the one that was seen. So the
share of ways in which *any* row differs as much as this one did is the chance to be wrong about this row, over all
rows together: many percentiles may be looked at without finding something by looking long enough.
Source: Westfall and Young, Resampling-Based Multiple Testing, 2.3 (step-down left out).
"""

from collections.abc import Callable
from itertools import combinations
from math import comb
from typing import Any, Final

import numpy as np

ALL_WAYS: Final = 13_000
"""Up to so many ways (eight runs a side) each is tried, and nothing is drawn."""
SOME_WAYS: Final = 10_000

Shuffle = Callable[[Any], Any]
"""Permutes each row of a matrix on its own: the entropy, given by who runs this."""


def chances(first: Any, second: Any, shuffle: Shuffle, *, floor: float) -> Any:
    """Give for each row the chance that so large a difference in any row is none.

    `first` and `second` hold a row for each run and a column for each quantity that is compared; a spread below `floor`
    counts as that: what was measured is not finer.
    """
    values, count = np.concatenate((first, second)), len(first)
    ways = _ways(len(values), count, shuffle)
    found = np.stack([_distances(column[ways], count, floor) for column in values.T], axis=1)
    tops = found.max(axis=1)
    return (tops[:, np.newaxis] >= found[0] * (1 - 1e-9)).mean(axis=0)


def least_chance(first: int, second: int) -> float:
    """Give the least chance of error that so many runs a side can show."""
    ways = comb(first + second, first)
    return (2 if first == second else 1) / ways


def _ways(runs: int, count: int, shuffle: Shuffle) -> Any:
    """Give ways to deal the labels, one a row: the runs of the first group, then the others. The first is what was."""
    together = range(runs)
    if comb(runs, count) <= ALL_WAYS:
        dealt = [(*chosen, *(k for k in together if k not in chosen)) for chosen in combinations(together, count)]
        return np.array(dealt)
    drawn = shuffle(np.tile(np.arange(runs), (SOME_WAYS, 1)))
    return np.concatenate((np.arange(runs)[np.newaxis], drawn))


def _distances(dealt: Any, count: int, floor: float) -> Any:
    """Give how far apart the medians of the two groups are, in spreads within the groups."""
    one, other = dealt[:, :count], dealt[:, count:]
    within = count * one.var(axis=1) + other.shape[1] * other.var(axis=1)
    spread = np.sqrt(within / max(1, dealt.shape[1] - 2) + floor**2)
    return np.abs(np.median(one, axis=1) - np.median(other, axis=1)) / spread
