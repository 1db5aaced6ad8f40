"""How far a percentile of one run can be trusted: between which two durations the true one lies, and how surely.

The number of durations below the true percentile p is binomial (n, p), whatever the distribution is; so the k-th least
and the m-th least enclose it with a chance that can be reckoned exactly. Nothing is drawn and nothing is assumed but
that the durations do not depend on each other - which bursts make less than true: the bounds are narrow, not wide.
Source: David and Nagaraja, Order Statistics, 7.1 (distribution-free confidence intervals for quantiles).
"""

from math import ceil, floor, log, sqrt
from typing import Final

import numpy as np

from netfeed.latency import Histogram
from netfeed.latency.hdr import bounds_of, index_of

MOST_COUNTED: Final = 10**9
"""Beyond it a run counts as so many: the bounds become wider, never narrower."""


def bounds(histogram: Histogram, percent: float, chance: float) -> tuple[int, int]:
    """Give bounds that a true percentile lies outside of with a chance of no more than `chance`. Units: ns.

    Raises: ValueError for an empty histogram.
    """
    if not histogram.count:
        raise ValueError("nothing was counted")
    counted = min(histogram.count, MOST_COUNTED)
    below, above = ranks(counted, percent / 100, chance)
    scale = histogram.count / counted
    least, most = histogram.min_ns or 0, histogram.max_ns or 0
    low = least if below < 1 else max(least, _at(histogram, floor(below * scale))[0])
    high = most if above > counted else min(most, _at(histogram, ceil(above * scale))[1])
    return low, high


def ranks(count: int, share: float, chance: float) -> tuple[int, int]:
    """Give the ranks (the least is 1) between which the quantile `share` of `count` lies; 0 and `count` + 1 are open.

    At each side the chance of error is no more than half of `chance`.
    """
    spread = 12 * sqrt(count * share * (1 - share)) + 40
    first, last = max(0, floor(count * share - spread)), min(count, ceil(count * share + spread))
    k = np.arange(first, last, dtype=np.float64)
    steps = np.log((count - k) / (k + 1)) + log(share / (1 - share))
    logs = np.concatenate(([0.0], np.cumsum(steps)))
    weights = np.exp(logs - logs.max())
    upto = np.cumsum(weights) / weights.sum()  # chance that k or fewer lie below
    over = np.cumsum(weights[::-1])[::-1] / weights.sum()  # chance that k or more do
    below = first + int(np.searchsorted(upto, chance / 2, side="right"))
    above = first + int(len(over) - np.searchsorted(over[::-1], chance / 2, side="right"))
    return min(below, count), min(max(above, 1), count + 1)


def _at(histogram: Histogram, rank: int) -> tuple[int, int]:
    """Give the bounds of the bucket that holds the duration of a rank."""
    seen = 0
    for highest, count in histogram.buckets():  # noqa: B007
        seen += count
        if seen >= rank:
            break
    return bounds_of(index_of(highest))
