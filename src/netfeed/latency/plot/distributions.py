"""Plots of distributions: percentiles as HdrHistogram draws them, and how often which duration was seen."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import log10
from typing import Any, Final

import numpy as np

from netfeed.latency import Histogram
from netfeed.latency.hdr import bounds_of, index_of
from netfeed.latency.plot.axis import duration_axis, percent_of, quantity_axis, tail_axis
from netfeed.latency.plot.frame import Frame, thinned
from netfeed.latency.plot.shapes import Area, Dot, Drawing, Line, box_polygon
from netfeed.latency.report import Distribution
from netfeed.units import duration_text

BINS: Final = 96
STOPS: Final = 60
"""Places along a percentile plot that say what stands above them."""
MARKED: Final = (50.0, 90.0, 99.0, 99.9, 99.99, 99.999)
SPARK_WIDTH, SPARK_HEIGHT = 150.0, 26.0


def percentile_plot(found: Sequence[Distribution], title: str) -> Drawing:
    """Draw which duration which share does not exceed: the tail takes as much room as the middle."""
    low, high = extremes([one.histogram for one in found])
    count = max(one.histogram.count for one in found)
    legend = [(f"solid{at}", one.name) for at, one in enumerate(found)]
    frame = Frame(title, tail_axis(count), duration_axis(low, high, "latency"), height=400, legend=legend)
    for at, one in enumerate(found):
        points = ((frame.x(percent), frame.y(value)) for percent, value in staircase(one.histogram))
        frame.shapes.append(Line(thinned(points), f"line{at}"))
    _say_percentiles(frame, found, log10(max(count, 10)))
    for at, one in enumerate(found):
        frame.shapes += list(_dots(frame, one, at))
    return frame.drawing()


def _say_percentiles(frame: Frame, found: Sequence[Distribution], rarest: float) -> None:
    """Say the percentiles of all to whoever points at a place between the dots."""
    for left, right in pairwise(np.linspace(0, rarest, STOPS + 1).tolist()):
        percent = percent_of((left + right) / 2)
        values = ((one.name, one.histogram.percentile(percent) or 0) for one in found)
        said = [f"p{percent:.6g}", *(f"{name}: {duration_text(value)}" for name, value in values)]
        frame.column(percent_of(left), percent_of(right), "\n".join(said))


def staircase(histogram: Histogram) -> Iterator[tuple[float, int]]:
    """Give (percentile, duration) where the curve turns: each duration holds for a stretch of percentiles."""
    seen = 0
    for highest, count in histogram.buckets():
        value = max(histogram.min_ns or 0, min(highest, histogram.max_ns or 0))
        yield 100 * seen / histogram.count, value
        seen += count
        yield 100 * seen / histogram.count, value


def _dots(frame: Frame, one: Distribution, at: int) -> Iterator[Dot]:
    shown = [percent for percent in MARKED if one.histogram.count * (100 - percent) >= 100]
    for percent, name in [*((percent, f"p{percent:g}") for percent in shown), (100.0, "max")]:
        value = one.histogram.percentile(percent) or 0
        said = f"{one.name}\n{name}: {duration_text(value)} ({value:,} ns)"
        yield Dot((frame.x(percent), frame.y(value)), f"solid{at}", said)


def histogram_plot(found: Sequence[Distribution], title: str) -> Drawing:
    """Draw how often which duration was seen, as shares, over each other."""
    low, high = extremes([one.histogram for one in found])
    edges = log_edges(low, high, BINS)
    shares = [100 * counts_between(one.histogram, edges) / one.histogram.count for one in found]
    heights = [np.minimum(100 * densities(one.histogram, edges) / one.histogram.count, 100) for one in found]
    top = max(float(height.max()) for height in heights)
    legend = [(f"solid{at}", one.name) for at, one in enumerate(found)]
    frame = Frame(title, duration_axis(low, high, "latency"), quantity_axis(top, "share, %"), height=320, legend=legend)
    for at, height in enumerate(heights):
        outline = [(frame.x(edge), frame.y(value)) for (left, right), value in zip(pairwise(edges), height, strict=True)
                   for edge in (left, right)]  # fmt: skip
        ground = ((outline[-1][0], frame.y(0)), (outline[0][0], frame.y(0)))
        frame.shapes += [Area(((*outline, *ground),), f"area{at}"), Line(tuple(outline), f"line{at}")]
    for number, (left, right) in enumerate(pairwise(edges)):
        said = [f"{duration_text(left)} to {duration_text(right)}"]
        said += [
            f"{one.name}: {share[number]:.3g} %" for one, share in zip(found, shares, strict=True) if share[number]
        ]
        frame.column(left, right, "\n".join(said))
    return frame.drawing()


def spark(one: Distribution, at: int, low: int, high: int) -> Drawing:
    """Draw a distribution as small as a word, between the extremes of its neighbours."""
    edges = log_edges(low, high, 50)
    counts = densities(one.histogram, edges)
    wide = SPARK_WIDTH / (len(edges) - 1)
    top = float(counts.max())
    bars = tuple(
        box_polygon(k * wide, SPARK_HEIGHT * (1 - max(count / top, 0.06)), (k + 0.85) * wide, SPARK_HEIGHT)
        for k, count in enumerate(counts.tolist())
        if count
    )
    return Drawing(f"distribution of {one.name}", SPARK_WIDTH, SPARK_HEIGHT, (Area(bars, f"solid{at}"),))


def extremes(histograms: Sequence[Histogram]) -> tuple[int, int]:
    """Give the least and the most of all; what counted nothing has none."""
    least = [one.min_ns for one in histograms if one.min_ns is not None]
    most = [one.max_ns for one in histograms if one.max_ns is not None]
    return min(least, default=1), max(most, default=1)


def log_edges(low_ns: int, high_ns: int, bins: int) -> list[int]:
    """Cut a range of durations into `bins` at most, each wider than the one before by one factor, as nearly as buckets
    can be parted.
    """
    low, high = max(low_ns, 1), max(high_ns, low_ns + 1, 2)
    inner = (bounds_of(index_of(round(edge)))[1] for edge in np.geomspace(low, high, bins + 1)[1:-1].tolist())
    return [low, *(edge for edge in dict.fromkeys(inner) if low < edge < high), high]


def counts_between(histogram: Histogram, edges: Sequence[int]) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    """Count the durations up to each edge and above the one before; the ends take what lies beyond."""
    highest, counts = buckets(histogram)
    below = np.concatenate(([0], np.cumsum(counts)))
    upto = below[np.searchsorted(highest, np.array(edges[1:-1], np.int64), side="right")]
    return np.diff(np.concatenate(([0], upto, [histogram.count])))


def densities(histogram: Histogram, edges: Sequence[int]) -> "np.ndarray[Any, np.dtype[np.float64]]":
    """Count as `counts_between`, and even out that some bins are wider than others."""
    widths = np.diff(np.log(np.array(edges, np.float64)))
    evened: np.ndarray[Any, np.dtype[np.float64]] = counts_between(histogram, edges) * (widths.mean() / widths)
    return evened


def buckets(histogram: Histogram) -> "tuple[np.ndarray[tuple[int], np.dtype[np.int64]], ...]":
    """Give the buckets as two arrays: highest duration, count."""
    found = np.array(histogram.buckets(), np.int64).reshape(-1, 2)
    return found[:, 0], found[:, 1]
