"""Plots over time: quantities with their bursts, and distributions as heat maps."""

from collections.abc import Iterator
from itertools import groupby
from typing import Any, Final

import numpy as np

from netfeed.latency import Histogram
from netfeed.latency.plot.axis import duration_axis, measured, quantity_axis, time_axis
from netfeed.latency.plot.distributions import densities, extremes, log_edges
from netfeed.latency.plot.frame import Frame
from netfeed.latency.plot.palette import HEAT
from netfeed.latency.plot.shapes import Area, Drawing, Line, Point, Shape, box_polygon
from netfeed.latency.report import HeatMap, Series
from netfeed.units import duration_text

COLUMNS: Final = 160
ROWS: Final = 56
GAMMA: Final = 0.4
"""How fast a shade grows with what was counted: one in a thousand is still seen, and a half is not yet full."""
MAX_POINTS: Final = 430
"""Two pixels a point: of more, the least and the most of each stretch are drawn, and all stretches are of as many."""

Stretch = tuple[int, int, float, float, float]
"""(start, end, least, mean, most)."""


def series_plot(one: Series) -> Drawing | None:
    """Draw a quantity over time, every burst in its full height, and nothing where there was none; None without any."""
    runs = [list(run) for told, run in groupby(_stretches(one), lambda stretch: stretch is not None) if told]
    stretches = [stretch for run in runs for stretch in run if stretch is not None]
    if not stretches:
        return None
    start, end = stretches[0][0], stretches[-1][1]
    most, least = max(at[4] for at in stretches), min(at[2] for at in stretches)
    frame = Frame(f"{one.name} over time", time_axis(start, end), quantity_axis(most, one.unit, least), height=280)
    for run in runs:
        frame.shapes += _band(frame, run, stands=len(one.values) <= MAX_POINTS)
    for left, right, low, mean, top in stretches:
        least_text, mean_text, most_text = (measured(value, one.unit) for value in (low, mean, top))
        said = most_text if low == top else f"{least_text} to {most_text}, mean {mean_text}"
        frame.column(left, right, f"{duration_text(left)}: {said}")
    return frame.drawing()


def _band(frame: Frame, run: list[Any], *, stands: bool) -> list[Shape]:
    """Draw stretches that follow each other: from the least to the most of each, or from the ground if it `stands`."""
    upper = [(frame.x(at), frame.y(top)) for left, right, _, _, top in run for at in (left, right)]
    lower = [(frame.x(at), frame.y(0 if stands else low)) for left, right, low, _, _ in run for at in (left, right)]
    return [Area(((*upper, *reversed(lower)),), "area0"), Line(tuple(upper), "line0")]


def _stretches(one: Series) -> Iterator[Stretch | None]:
    """Give the stretches of a series, MAX_POINTS at most; None for one in which there is no quantity at all."""
    at, values = one.told()
    if not len(at):
        return
    step = max(1, (int(at[-1]) - int(at[0])) // max(1, len(at) - 1))
    of_one = -(-len(at) // MAX_POINTS)
    for begin in range(0, len(at), of_one):
        part = values[begin : begin + of_one]
        start, end = int(at[begin]), int(at[min(begin + of_one, len(at)) - 1]) + step
        seen = part[np.isfinite(part)]
        yield (start, end, float(seen.min()), float(seen.mean()), float(seen.max())) if len(seen) else None


def heat_plot(whole: HeatMap) -> Drawing | None:
    """Draw how often which duration was seen when, with the median and the 99th percentile; None when it is empty."""
    one = whole.coarser(COLUMNS)
    low, high = extremes(one.columns)
    if not any(column.count for column in one.columns):
        return None
    frame = Frame(
        f"{one.name} over time", time_axis(0, one.interval_ns * len(one.columns)), duration_axis(low, high, "latency"),
        height=380, legend=[("heat7", "often"), ("heat1", "rarely"), ("middle", "median"), ("tail", "p99")],
    )  # fmt: skip
    frame.shapes += _cells(frame, one, log_edges(low, high, ROWS))
    for percent, style in ((50.0, "middle"), (99.0, "tail")):
        frame.shapes += [Line(points, style) for points in _runs(frame, one, percent)]
    for at, column in enumerate(one.columns):
        start = at * one.interval_ns
        frame.column(start, start + one.interval_ns, _said(start, start + one.interval_ns, column))
    return frame.drawing()


def _said(start: int, end: int, column: Histogram) -> str:
    texts = [f"{name} {duration_text(column.percentile(percent) or 0)}"
             for name, percent in (("p50", 50), ("p99", 99), ("max", 100))]  # fmt: skip
    counted = [f"{column.count:,} counted", *texts] if column.count else ["nothing counted"]
    return "\n".join([f"{duration_text(start)} to {duration_text(end)}", *counted])


def _cells(frame: Frame, one: HeatMap, edges: list[int]) -> list[Area]:
    """Draw the cells, those of one shade together."""
    counts = np.array([densities(column, edges) for column in one.columns])
    shades = np.ceil((counts / counts.max()) ** GAMMA * len(HEAT)).astype(int)
    found: dict[int, list[tuple[Point, ...]]] = {}
    for at, shaded in enumerate(shades.tolist()):
        left, right = frame.x(at * one.interval_ns), frame.x((at + 1) * one.interval_ns)
        row = 0
        for shade, same in groupby(shaded):
            top = row + len(list(same))
            if shade:
                polygon = box_polygon(left, frame.y(edges[top]), right, frame.y(edges[row]))
                found.setdefault(shade, []).append(polygon)
            row = top
    return [Area(tuple(polygons), f"heat{shade - 1}") for shade, polygons in sorted(found.items())]


def _runs(frame: Frame, one: HeatMap, percent: float) -> Iterator[tuple[Point, ...]]:
    """Give the lines of a percentile: it ends where nothing was counted."""
    values = [column.percentile(percent) for column in one.columns]
    for told, run in groupby(enumerate(values), lambda pair: pair[1] is not None):
        if told:
            edges = [
                (frame.x(k * one.interval_ns), frame.x((k + 1) * one.interval_ns), frame.y(v or 0)) for k, v in run
            ]
            yield tuple(point for left, right, y in edges for point in ((left, y), (right, y)))
