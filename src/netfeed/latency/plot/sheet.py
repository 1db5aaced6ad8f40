"""Which plots a report has, in the order in which they are looked at."""

from collections.abc import Iterator
from textwrap import wrap
from typing import Final

from netfeed.latency.plot.distributions import histogram_plot, percentile_plot
from netfeed.latency.plot.frame import WIDTH, clipped
from netfeed.latency.plot.over_time import heat_plot, series_plot
from netfeed.latency.plot.palette import SERIES
from netfeed.latency.plot.shapes import Drawing, Words
from netfeed.latency.report import Report
from netfeed.latency.wording import heading, worded

MAX_TOGETHER: Final = len(SERIES)
"""More curves in one plot cannot be told apart."""
MAX_PLOTS: Final = 48
"""A canvas of matplotlib holds no more, and nobody scrolls further."""

TITLE_LETTERS: Final = 76
FACT_LETTERS: Final = 128


def headline(report: Report) -> Drawing:
    """Draw the title of a report, and its facts."""
    facts = [f"{heading(name)}: {worded(name, value)}" for name, value in report.facts.items()]
    lines = wrap(" · ".join(facts), FACT_LETTERS)
    words = [Words((0, 22), clipped(report.title, TITLE_LETTERS), "headline")]
    words += [Words((0, 46 + 18 * at), line, "label") for at, line in enumerate(lines)]
    return Drawing(report.title, WIDTH, 32 + 18 * len(lines), tuple(words))


def plots(report: Report) -> list[Drawing]:
    """Draw a report: percentiles, histogram, heat maps, series; what counted nothing is left out."""
    return [one for one, _ in zip(_plots(report), range(MAX_PLOTS), strict=False)]


def undrawn(report: Report) -> int:
    """Count the plots that were too many."""
    counted = sum(1 for one in report.distributions if one.histogram.count)
    heats = sum(any(column.count for column in one.columns) for one in report.heat_maps)
    return max(0, 2 * -(-counted // MAX_TOGETHER) + heats + len(report.series) - MAX_PLOTS)


def _plots(report: Report) -> Iterator[Drawing]:
    counted = [one for one in report.distributions if one.histogram.count]
    groups = [counted[at : at + MAX_TOGETHER] for at in range(0, len(counted), MAX_TOGETHER)]
    for number, group in enumerate(groups, 1):
        which = f" ({number} of {len(groups)})" if len(groups) > 1 else ""
        yield percentile_plot(group, f"Percentiles{which}")
        yield histogram_plot(group, f"Distribution{which}")
    for heat in report.heat_maps:
        if (drawn := heat_plot(heat)) is not None:
            yield drawn
    for series in report.series:
        if (drawn := series_plot(series)) is not None:
            yield drawn
