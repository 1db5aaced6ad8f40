"""A report as a log of HdrHistogram, which its plotters read: each interval of a heat map, or a whole distribution.

Source: HdrHistogram, `HistogramLogWriter`, format 1.3. Times are seconds since the report's beginning, which the log
puts at 0; a name stands as a tag, and the most of a line is in milliseconds, as other tools expect it.
"""

import re
from collections.abc import Iterator
from typing import Final

from netfeed.latency import Histogram, hdr
from netfeed.latency.report import Report

_HEAD: Final = (
    "#[Logged with netfeed]",
    "#[Histogram log format version 1.3]",
    "#[StartTime: 0.000 (seconds since epoch), the beginning of the report]",
    "#[BaseTime: 0.000 (seconds since epoch)]",
    '"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"',
)
_NO_TAG: Final = re.compile(r"[^\w.:/+-]+", re.ASCII)
Entry = tuple[int, int, str, Histogram]
"""(start, length, name, histogram). Units: ns."""


def hlog(report: Report) -> str:
    """Write a log; a distribution that a heat map has by its intervals is not written once more as a whole."""
    entries = sorted(_entries(report), key=lambda entry: entry[0])
    return "\n".join((*_HEAD, *map(_line, entries))) + "\n"


def _entries(report: Report) -> Iterator[Entry]:
    for one in report.heat_maps:
        for at, column in enumerate(one.columns):
            yield at * one.interval_ns, one.interval_ns, one.name, column
    timed = {one.name for one in report.heat_maps}
    length = max((one.interval_ns * len(one.columns) for one in report.heat_maps), default=0)
    for whole in report.distributions:
        if whole.name not in timed:
            yield 0, length, whole.name, whole.histogram


def _line(entry: Entry) -> str:
    start, length, name, histogram = entry
    most = (histogram.max_ns or 0) / 1e6
    tag = _NO_TAG.sub("_", name)
    return f"Tag={tag},{start / 1e9:.6f},{length / 1e9:.6f},{most:.6f},{hdr.encode(histogram)}"
