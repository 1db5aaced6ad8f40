"""A report as a page: one file that needs no network, by day and by night, and runs no script but its own.

Every text is escaped, and a content security policy names the one script by its digest: a name that a peer chose
can neither become markup nor be run.
"""

import base64
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import netfeed
from netfeed.latency.compare import FASTER, SLOWER
from netfeed.latency.page_style import SCRIPT, STYLE
from netfeed.latency.plot.distributions import extremes, spark
from netfeed.latency.plot.sheet import MAX_PLOTS, MAX_TOGETHER, plots, undrawn
from netfeed.latency.plot.svg import escaped, inline
from netfeed.latency.report import PERCENTILES, Distribution, Report, Table, Value
from netfeed.latency.wording import heading, worded
from netfeed.units import count_text, duration_text

MAX_ROWS: Final = 2000
LONG_FACT: Final = 60
MARKS: Final = {FASTER: "good", SLOWER: "bad"}
"""Words that a reader looks for."""
_DIGEST: Final = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
_POLICY: Final = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{_DIGEST}'"


def report_html(report: Report) -> str:
    """Write a report as one page of HTML."""
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escaped(report.title)}</title><style>{STYLE}</style></head>\n<body><main>\n"
        + "\n".join(_sections(report))
        + f"\n</main><script>{SCRIPT}</script></body></html>\n"
    )


def _sections(report: Report) -> Iterator[str]:
    yield f'<h1>{escaped(report.title)}</h1><p class="kind">latency report: {escaped(report.kind)}</p>'
    if report.notes:
        yield _section("Read this first", f'<ul class="notes">{"".join(_tags("li", report.notes))}</ul>')
    if report.distributions:
        yield _section("Latencies", _summary(report.distributions))
    yield from (f'<section class="wide">{inline(one)}</section>' for one in plots(report))
    if more := undrawn(report):
        yield _section("Not drawn", f"<p>{count_text(more, 'plot')} more: the first {MAX_PLOTS} are here.</p>")
    yield from (_section(one.name, _table(one)) for one in report.tables)
    if report.facts:
        yield _section("What was measured", f"<dl>{''.join(_facts(report))}</dl>")
    yield f"<footer>Drawn by netfeed {netfeed.__version__}. Times are of three significant digits.</footer>"


def _section(name: str, inside: str) -> str:
    return f'<section><h2>{escaped(name)}</h2><div class="wide">{inside}</div></section>'


def _tags(tag: str, texts: Iterable[str]) -> Iterator[str]:
    return (f"<{tag}>{escaped(text)}</{tag}>" for text in texts)


def _facts(report: Report) -> Iterator[str]:
    for name, value in report.facts.items():
        text = worded(name, value)
        wide = ' class="long"' if len(text) > LONG_FACT else ""
        yield f"<div{wide}><dt>{escaped(heading(name))}</dt><dd>{escaped(text)}</dd></div>"


def _summary(found: Sequence[Distribution]) -> str:
    """Lay out the percentiles of all distributions, each with its picture."""
    low, high = extremes([one.histogram for one in found])
    numbers = ["count", "min", *(f"p{percent:g}" for percent in PERCENTILES), "max"]
    head = '<th class="text">name</th><th class="text"></th>' + "".join(_tags("th", numbers))
    counted = [one for one in found if one.histogram.count]
    rows = []
    for one in found:
        at = next((k for k, other in enumerate(counted) if other is one), 0) % MAX_TOGETHER
        picture = inline(spark(one, at, low, high)) if one.histogram.count else ""
        rows.append(f'<tr>{_name(one)}<td class="spark">{picture}</td>{"".join(_numbers(one))}</tr>')
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _name(one: Distribution) -> str:
    h = one.histogram
    outside = [f"{h.negative:,} negative"] * bool(h.negative) + [f"{h.over:,} over an hour"] * bool(h.over)
    small = "; ".join([*outside, *([one.note] if one.note else [])])
    return f'<td class="text">{escaped(one.name)}{f"<small>{escaped(small)}</small>" if small else ""}</td>'


def _numbers(one: Distribution) -> Iterator[str]:
    h = one.histogram
    yield f'<td data-value="{h.count}">{h.count:,}</td>'
    for value in (h.min_ns, *(h.percentile(percent) for percent in PERCENTILES), h.max_ns):
        if value is None:
            yield "<td>-</td>"
        else:
            yield f'<td data-value="{value}" title="{value:,} ns">{escaped(duration_text(value))}</td>'


def _table(one: Table) -> str:
    text = [any(isinstance(row[at], str) for row in one.rows) for at in range(len(one.columns))]
    side = [' class="text"' if is_text else "" for is_text in text]
    head = "".join(f"<th{where}>{escaped(heading(name))}</th>" for where, name in zip(side, one.columns, strict=True))
    rows = "".join(f"<tr>{''.join(map(_cell, one.columns, row, side))}</tr>" for row in one.rows[:MAX_ROWS])
    more = f"<p>and {len(one.rows) - MAX_ROWS:,} more rows</p>" if len(one.rows) > MAX_ROWS else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>{more}"


def _cell(name: str, value: Value, side: str) -> str:
    number = f' data-value="{value}"' if isinstance(value, int | float) and not isinstance(value, bool) else ""
    text = escaped(worded(name, value))
    if isinstance(value, str) and value in MARKS:
        text = f'<b class="{MARKS[value]}">{text}</b>'
    return f"<td{side}{number}>{text}</td>"
