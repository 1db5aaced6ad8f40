"""A report for people at a terminal: facts, percentiles, small bars of each distribution, tables, notes.

Leaves out: colours. What a capture or a peer put into a name cannot steer a terminal: it is escaped.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final

import numpy as np

from netfeed.latency import Histogram
from netfeed.latency.report import Distribution, Report, Series, Table, Value
from netfeed.units import duration_text

PERCENTILES: Final = (50.0, 90.0, 99.0, 99.9, 99.99)
MAX_ROWS: Final = 60
_BLOCKS: Final = " ▁▂▃▄▅▆▇█"
_ASCII: Final = " .:-=+*#@"


def report_text(report: Report, *, width: int = 80, blocks: bool = True) -> str:
    """Write a report as lines of text. Bars are of unicode blocks, or of plain signs without `blocks`."""
    parts = [
        [printable(report.title)],
        [f"  {printable(name)}: {value_text(value)}" for name, value in report.facts.items()],
        _distributions(report.distributions, width, blocks),
        *(_series(one, width, blocks) for one in report.series),
        *(_table(one) for one in report.tables),
        [f"note: {printable(note)}" for note in report.notes],
    ]
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def printable(text: str) -> str:
    """Replace what is not printable by escapes."""
    return text if text.isprintable() else "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)


def value_text(value: Value) -> str:
    """Write a plain value."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.6g}" if isinstance(value, float) else printable(value)


def aligned(rows: Sequence[Sequence[str]], *, left: Iterable[int] = (0,)) -> list[str]:
    """Lay out rows of one length under each other: columns `left` begin together, the others end together."""
    wide = [max(map(len, column)) for column in zip(*rows, strict=True)]
    to_left = set(left)
    return [
        "  ".join(
            cell.ljust(size) if at in to_left else cell.rjust(size)
            for at, (cell, size) in enumerate(zip(row, wide, strict=True))
        ).rstrip()
        for row in rows
    ]


def _distributions(found: Sequence[Distribution], width: int, blocks: bool) -> list[str]:
    if not found:
        return []
    head = ["", "count", "min", *(f"p{percent:g}" for percent in PERCENTILES), "max"]
    lines = aligned([head, *(_row(one) for one in found)])
    for one in found:
        if one.histogram.count:
            lines += ["", *_bars(one, width, blocks)]
    return lines


def _row(one: Distribution) -> list[str]:
    h = one.histogram
    middle = (h.percentile(percent) for percent in PERCENTILES)
    return [printable(one.name), f"{h.count:,}", *(_time(value) for value in (h.min_ns, *middle, h.max_ns))]


def _time(value: int | None) -> str:
    return "-" if value is None else duration_text(value)


def _bars(one: Distribution, width: int, blocks: bool) -> list[str]:
    h = one.histogram
    low, high = duration_text(h.min_ns or 0), duration_text(h.max_ns or 0)
    outside = [f"{h.negative:,} negative"] * bool(h.negative) + [f"{h.over:,} over an hour"] * bool(h.over)
    said = [printable(one.name), *outside, *([printable(one.note)] if one.note else [])]
    counts = log_bins(h, width - len(low) - len(high) - 4)
    return [": ".join(said[:1] + [", ".join(said[1:])] * bool(said[1:])), f"{low} |{bars(counts, blocks)}| {high}"]


def bars(values: Sequence[float], blocks: bool) -> str:
    """Draw values as one line of bars; what is more than nothing is seen."""
    signs = _BLOCKS if blocks else _ASCII
    top = max(values, default=0) or 1
    return "".join(signs[max(1, round(value / top * (len(signs) - 1)))] if value > 0 else " " for value in values)


def log_bins(histogram: Histogram, bins: int) -> list[int]:
    """Count durations in `bins` intervals from the least to the most, each wider than the one before by one factor."""
    low, high = max(histogram.min_ns or 0, 1), max(histogram.max_ns or 0, 1)
    edges = np.unique(np.geomspace(low, max(high, low + 1), max(2, bins) + 1).astype(np.int64))
    below = [0, *(histogram.at_most(int(edge)) for edge in edges[1:-1]), histogram.count]
    return [after - before for before, after in pairwise(below)]


def _series(one: Series, width: int, blocks: bool) -> list[str]:
    values = np.asarray(one.values, np.float64)
    values = values[np.isfinite(values)]
    if not len(values):
        return []
    parts = np.array_split(values, min(len(values), max(10, width - 4)))
    tops = [float(part.max()) for part in parts]
    said = f"least {float(values.min()):.6g}, mean {float(values.mean()):.6g}, most {float(values.max()):.6g}"
    return [f"{printable(one.name)} over time ({printable(one.unit)}): {said}", f"  {bars(tops, blocks)}"]


def _table(one: Table) -> list[str]:
    shown = [[value_text(value) for value in row] for row in one.rows[:MAX_ROWS]]
    text = [at for at in range(len(one.columns)) if any(isinstance(row[at], str) for row in one.rows)]
    lines = aligned([list(map(printable, one.columns)), *shown], left=text) if one.columns else []
    more = [f"... and {len(one.rows) - MAX_ROWS:,} more rows"] if len(one.rows) > MAX_ROWS else []
    return [printable(one.name), *lines, *more]
