"""Tables as lines of text: columns under each other, and in a narrow place what can be told more shortly.

A table that is too wide is told without the columns in which all rows are alike, which stand once above it; one of few
rows that is still too wide is turned: a line for each column. Only then do lines grow wider than the place.
"""

from collections.abc import Collection, Sequence
from textwrap import wrap
from typing import Final

from netfeed.latency.report import Table
from netfeed.latency.wording import heading, printable, value_text, worded

MAX_ROWS: Final = 60
GAP: Final = "  "
FEW_ROWS: Final = 4
_WIDEST_HEAD: Final = 24
_NARROWEST: Final = 12
"""A column of text is not cut to less."""

Lines = list[str]


def table_lines(one: Table, width: int) -> Lines:
    """Lay out a table below its name."""
    rows = [[worded(name, value) for name, value in zip(one.columns, row, strict=True)] for row in one.rows[:MAX_ROWS]]
    more = [f"... and {value_text(len(one.rows) - MAX_ROWS)} more rows"] if len(one.rows) > MAX_ROWS else []
    return [printable(one.name), *(_laid(one, rows, width) if one.columns else []), *more]


def _laid(one: Table, rows: list[list[str]], width: int) -> Lines:
    every = list(range(len(one.columns)))
    lines = _under_heads(one, rows, every)
    if _fits(lines, width):
        return lines
    alike = [at for at in every if len(rows) > 1 and len({row[at] for row in rows}) == 1]
    apart = [at for at in every if at not in alike]
    if alike and apart:
        said = ", ".join(f"{heading(one.columns[at])} {rows[0][at]}" for at in alike)
        lines = [*wrap(f"in all rows: {said}", width, break_on_hyphens=False), *_under_heads(one, rows, apart, width)]
    else:
        lines = _under_heads(one, rows, every, width)
    if len(rows) <= FEW_ROWS and not _fits(lines, width):
        turned = [[heading(one.columns[at]), *(row[at] for row in rows)] for at in every]
        return min(aligned(turned, width=width), lines, key=lambda found: max(map(len, found)))
    return lines


def _fits(lines: Lines, width: int) -> bool:
    return max(map(len, lines), default=0) <= width


def _under_heads(one: Table, rows: list[list[str]], places: list[int], width: int | None = None) -> Lines:
    text = [at for at in places if any(isinstance(row[at], str) for row in one.rows)]
    head = [
        heading(one.columns[at]) if at in text else cut_apart([heading(one.columns[at])], _WIDEST_HEAD)[0]
        for at in places
    ]
    cells = [[row[at] for at in places] for row in rows]
    return aligned([head, *cells], left=[places.index(at) for at in text], width=width)


def aligned(rows: Sequence[Sequence[str]], *, left: Collection[int] = (0,), width: int | None = None) -> list[str]:
    """Lay out rows of one length under each other: columns `left` begin together, the others end together.

    The `left` ones are cut short where all of it would be wider than `width`, so that what differs still does.
    """
    wide = [max(map(len, column)) for column in zip(*rows, strict=True)]
    spare = 0 if width is None else sum(wide) + len(GAP) * (len(wide) - 1) - width
    for at in sorted(left, key=lambda at: -wide[at]):
        cut = min(max(spare, 0), max(0, wide[at] - _NARROWEST))
        wide[at] -= cut
        spare -= cut
    columns = [
        [cell.ljust(size) for cell in cut_apart(column, size)] if at in left else [cell.rjust(size) for cell in column]
        for at, (column, size) in enumerate(zip(zip(*rows, strict=True), wide, strict=True))
    ]
    return [GAP.join(row).rstrip() for row in zip(*columns, strict=True)]


def cut_apart(texts: Sequence[str], most: int) -> list[str]:
    """Shorten texts to `most` signs: all at their ends, or at their beginnings where that tells more of them apart."""
    ends, beginnings = [text[: most - 2] + ".." for text in texts], [".." + text[2 - most :] for text in texts]
    ways = [
        [text if len(text) <= most else cut for text, cut in zip(texts, way, strict=True)] for way in (ends, beginnings)
    ]
    return max(ways, key=lambda way: len(set(way)))
