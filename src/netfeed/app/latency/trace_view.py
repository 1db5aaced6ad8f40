"""The percentiles of a run while it is measured: a table on a terminal, a line an interval elsewhere."""

import sys
from typing import Final

from rich.live import Live as Screen
from rich.table import Table

from netfeed.app.latency.trace_measure import Measurement
from netfeed.app.tables import console
from netfeed.latency import Histogram
from netfeed.latency.stage import TO_BOOK, named
from netfeed.units import duration_text

PERCENTILES: Final = (50.0, 90.0, 99.0, 99.9)


class TraceView:
    """Shows a measurement once an interval; quietly it shows nothing."""

    def __init__(self, quiet: bool) -> None:
        self._quiet = quiet
        self._screen: Screen | None = None
        if not quiet and sys.stderr.isatty():
            self._screen = Screen(console=console(sys.stderr), auto_refresh=False, transient=True)
            self._screen.start()

    def show(self, measured: Measurement) -> None:
        """Show what is known."""
        if self._screen is not None:
            self._screen.update(table(measured), refresh=True)
        elif not self._quiet:
            print(line(measured), file=sys.stderr, flush=True)

    def close(self) -> None:
        """Give the terminal back."""
        if self._screen is not None:
            self._screen.stop()


def table(measured: Measurement) -> Table:
    """Lay out the percentiles of every duration that there is."""
    found = Table(title=title(measured), title_justify="left")
    for column in ("", "count", *(f"p{percent:g}" for percent in PERCENTILES), "max"):
        found.add_column(column, justify="right" if column else "left")
    for pair, histogram in measured.durations.every.items():
        if histogram.count:
            found.add_row(named(pair), f"{histogram.count:,}", *percentiles(histogram))
    return found


def line(measured: Measurement) -> str:
    """Say the whole in a line: from the kernel to the book, in the interval that ended last."""
    latest = measured.columns[-1] if measured.columns else measured.durations.latest
    names = (*(f"p{percent:g}" for percent in PERCENTILES), "max")
    told = "  ".join(f"{name} {value}" for name, value in zip(names, percentiles(latest), strict=True))
    return f"{title(measured)}  {named(TO_BOOK)}: {latest.count:,}  {told}"


def title(measured: Measurement) -> str:
    """Say how far the measurement is."""
    lost = f", {measured.rings.lost} records lost" if measured.rings.lost else ""
    return f"{measured.rings.name} {measured.elapsed_ns / 1e9:.0f} s{lost}"


def percentiles(histogram: Histogram) -> list[str]:
    """Give the percentiles and the most as text."""
    values = [*(histogram.percentile(percent) for percent in PERCENTILES), histogram.max_ns]
    return ["-" if value is None else duration_text(value) for value in values]
