"""What was measured, before anybody draws it: the one thing that text, JSON, HTML and pictures are made from.

Leaves out: where it is written (`app/latency`), and any judgement (`compare`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from netfeed.latency import Histogram

Value = str | int | float | bool | None

PERCENTILES: Final = (50.0, 90.0, 99.0, 99.9, 99.99)
"""What is told of a distribution, beside the least and the most."""
LARGEST: Final = 1e250
"""No quantity is told as more than this, so that sums and differences of some are numbers, whatever a file holds."""


@dataclass(frozen=True, slots=True)
class Distribution:
    """How often which duration was seen. `note` states what was not subtracted, or what the stamps are worth."""

    name: str
    histogram: Histogram
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Series:
    """A quantity over time; not a number where there is none. Shape: `at_ns` int64, since the report's beginning;
    `values` float64, as long.
    """

    name: str
    unit: str
    at_ns: Any
    values: Any

    def told(self) -> tuple[Any, Any]:
        """Give times and values in order of time: none beyond LARGEST, and not a number where there is none."""
        at, values = np.asarray(self.at_ns, np.int64), np.asarray(self.values, np.float64)
        order = np.argsort(at, kind="stable")
        finite = np.where(np.isfinite(values), values, np.nan)
        return at[order], np.clip(finite, -LARGEST, LARGEST)[order]

    def coarser(self, most: int) -> "Series":
        """Give the same in at most `most` points: the least and the most of each stretch, so that no burst is lost."""
        at, values = np.asarray(self.at_ns, np.int64), np.asarray(self.values, np.float64)
        if len(at) <= most:
            return self
        told = np.flatnonzero(np.isfinite(values))
        stretches = [part for part in np.array_split(told, most // 2) if len(part)]
        ends = [(part[values[part].argmin()], part[values[part].argmax()]) for part in stretches]
        kept = np.unique(np.array(ends, np.int64))
        return Series(self.name, self.unit, at[kept], values[kept])


@dataclass(frozen=True, slots=True)
class HeatMap:
    """A distribution for each interval of time, from the report's beginning on. Units: `interval_ns` ns."""

    name: str
    interval_ns: int
    columns: tuple[Histogram, ...]

    def coarser(self, most: int) -> "HeatMap":
        """Give the same in at most `most` columns, by merging neighbours."""
        width = -(-len(self.columns) // most)
        if width <= 1:
            return self
        starts = range(0, len(self.columns), width)
        return HeatMap(
            self.name, self.interval_ns * width, tuple(merged(self.columns[at : at + width]) for at in starts)
        )


def merged(histograms: Iterable[Histogram]) -> Histogram:
    """Give one histogram of all that was counted."""
    together = Histogram()
    for one in histograms:
        together.merge(one)
    return together


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of plain values under named columns; a column's unit stands in its name."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Value, ...], ...]


@dataclass(frozen=True, slots=True)
class Report:
    """All of one measurement. `facts` are what was measured, on what machine, with which settings; `notes` what a
    reader has to know before he believes a number.
    """

    kind: str
    title: str
    facts: Mapping[str, Value] = field(default_factory=dict)
    distributions: tuple[Distribution, ...] = ()
    series: tuple[Series, ...] = ()
    heat_maps: tuple[HeatMap, ...] = ()
    tables: tuple[Table, ...] = ()
    notes: tuple[str, ...] = ()
