"""A report for people at a terminal: facts, percentiles, small bars of each distribution, tables, notes.

Leaves out: colours. What a capture or a peer put into a name is escaped (`wording`).
"""

from collections.abc import Iterator, Sequence
from textwrap import wrap
from typing import Final

import numpy as np

from netfeed.latency.plot.axis import measured
from netfeed.latency.plot.distributions import densities, log_edges
from netfeed.latency.report import PERCENTILES, Distribution, HeatMap, Report, Series
from netfeed.latency.text_table import GAP, aligned, cut_apart, table_lines
from netfeed.latency.wording import heading, printable, worded
from netfeed.units import duration_text

_BLOCKS: Final = " ▁▂▃▄▅▆▇█"
_PLAIN: Final = " .:-=+*#@"


def report_text(report: Report, *, width: int = 80, blocks: bool = True) -> str:
    """Write a report as lines of text. Bars are of unicode blocks, or of plain signs without `blocks`."""
    parts = [
        wrap(printable(report.title), width),
        list(_facts(report, width)),
        percentile_lines(report.distributions, width),
        *(list(_bars(one, width, blocks)) for one in report.distributions),
        *(list(_heat(one, width, blocks)) for one in report.heat_maps),
        *(list(_series(one, width, blocks)) for one in report.series),
        *(table_lines(one, width) for one in report.tables),
        [line for note in report.notes for line in _hanging("note: ", printable(note), width)],
    ]
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def _facts(report: Report, width: int) -> Iterator[str]:
    wide = max((len(heading(name)) for name in report.facts), default=0)
    for name, value in report.facts.items():
        yield from _hanging(f"  {heading(name).ljust(min(wide, width // 3))}  ", worded(name, value), width)


def _hanging(head: str, text: str, width: int) -> list[str]:
    """Wrap a text behind its head, its further lines below the first."""
    return wrap(text, max(width, len(head) + 20), initial_indent=head, subsequent_indent=" " * len(head)) or [head]


def percentile_lines(found: Sequence[Distribution], width: int) -> list[str]:
    """Lay out the percentiles of distributions: narrow ones without the least, and with long names above."""
    if not found:
        return []
    head = ["", "count", "min", *(f"p{percent:g}" for percent in PERCENTILES), "max"]
    rows = [head, *(_row(one) for one in found)]
    lines = aligned(rows)
    if max(map(len, lines)) <= width:
        return lines
    numbers = aligned([row[1:2] + row[3:] for row in rows], left=())
    room = width - len(numbers[0]) - len(GAP)
    wide = max((len(row[0]) for row in rows if len(row[0]) <= room), default=0)
    return [line for row, told in zip(rows, numbers, strict=True) for line in _under(row[0], told, wide, width)]


def _under(name: str, told: str, wide: int, width: int) -> list[str]:
    """Put a name beside its numbers where it fits into the column, else above them."""
    if len(name) <= wide:
        return [name.ljust(wide) + GAP + told]
    return [cut_apart([name], width)[0], " " * wide + GAP + told]


def _row(one: Distribution) -> list[str]:
    h = one.histogram
    middle = (h.percentile(percent) for percent in PERCENTILES)
    return [printable(one.name), f"{h.count:,}", *(_time(value) for value in (h.min_ns, *middle, h.max_ns))]


def _time(value: int | None) -> str:
    return "-" if value is None else duration_text(value)


def _bars(one: Distribution, width: int, blocks: bool) -> Iterator[str]:
    h = one.histogram
    outside = [f"{h.negative:,} negative"] * bool(h.negative) + [f"{h.over:,} over an hour"] * bool(h.over)
    said = [*outside, *([printable(one.note)] if one.note else [])]
    if not h.count and not said:
        return
    yield from _hanging(printable(one.name) + (": " if said else ""), ", ".join(said), width)
    if h.count:
        low, high = duration_text(h.min_ns or 0), duration_text(h.max_ns or 0)
        edges = log_edges(h.min_ns or 0, h.max_ns or 0, max(10, width - len(low) - len(high) - 6))
        yield f"  {low} |{bars(densities(h, edges).tolist(), blocks)}| {high}"


def bars(values: Sequence[float], blocks: bool, floor: float = 0.0) -> str:
    """Draw values above `floor` as one line of bars; what is more than nothing is seen."""
    signs = _BLOCKS if blocks else _PLAIN
    top = (max(values, default=0.0) - floor) or 1.0
    heights = (max(1, round((value - floor) / top * (len(signs) - 1))) if value else 0 for value in values)
    return "".join(signs[height] for height in heights)


def _heat(one: HeatMap, width: int, blocks: bool) -> Iterator[str]:
    """Draw the 99th percentile over time, from the least to the most of it, by its logarithm."""
    columns = one.coarser(max(10, width - 4)).columns
    tails = [column.percentile(99) or 0 for column in columns]
    told = [tail for tail in tails if tail]
    if told:
        yield (f"{printable(one.name)} over {duration_text(one.interval_ns * len(one.columns))}: p99 from "
               f"{duration_text(min(told))} to {duration_text(max(told))}")  # fmt: skip
        logs = [float(np.log(tail)) + 1 if tail else 0.0 for tail in tails]
        yield f"  {bars(logs, blocks, floor=min(log for log in logs if log))}"


def _series(one: Series, width: int, blocks: bool) -> Iterator[str]:
    _, every = one.told()
    values = every[np.isfinite(every)]
    if not len(values):
        return
    parts = np.array_split(every, min(len(every), max(10, width - 4)))
    least, mean, most = (measured(float(value), one.unit) for value in (values.min(), values.mean(), values.max()))
    said = f"least {least}, mean {mean}, most {most}"
    yield from _hanging(f"{printable(one.name)} over time: ", printable(said), width)
    tops = [float(np.nanmax(part)) if np.isfinite(part).any() else 0.0 for part in parts]
    yield f"  {bars(tops, blocks, floor=min(0.0, *tops))}"
