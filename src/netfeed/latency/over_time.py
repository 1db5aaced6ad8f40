"""A quantity over time in a bounded number of columns: where there are too many, two become one.

The interval of a column is a power of two of nanoseconds times the first one, so that a short capture is shown finely
and a long one fits. Times before the first are of the first column: a report begins with its first packet.

    Columns    a histogram for each interval: a heat map
    Extremes   the least or the greatest value of each interval: a series
"""

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from netfeed.latency import Histogram

FIRST_INTERVAL_NS: Final = 1_000_000
MAX_COLUMNS: Final = 64
"""A histogram is a quarter of a megabyte."""
MAX_POINTS: Final = 2048


class Columns:
    """Distributions over time."""

    def __init__(self, begin_ns: int, *, most: int = MAX_COLUMNS, interval_ns: int = FIRST_INTERVAL_NS) -> None:
        self.interval_ns = interval_ns
        self.columns: list[Any] = []
        self._begin_ns = begin_ns
        self._most = most

    def record_all(self, at_ns: Any, values_ns: Any) -> None:
        """Count durations at their times. Shape: int64 arrays of one length."""
        if not len(at_ns):
            return
        self.column(int(at_ns.max()))
        numbers = np.maximum(at_ns - self._begin_ns, 0) // self.interval_ns
        for number in np.unique(numbers):
            self.columns[number].record_all(np.ascontiguousarray(values_ns[numbers == number]))

    def column(self, at_ns: int) -> Any:
        """Give the histogram of the interval that a time lies in."""
        cell = max(at_ns - self._begin_ns, 0)
        while cell // self.interval_ns >= self._most:
            self._halve()
        while len(self.columns) <= cell // self.interval_ns:
            self.columns.append(Histogram())
        return self.columns[cell // self.interval_ns]

    def clock_set(self, by_ns: int) -> None:
        """Go on after the clock of the times was set. Units: ns."""
        self._begin_ns += by_ns

    def _halve(self) -> None:
        for left, right in zip(self.columns[::2], self.columns[1::2], strict=False):
            left.merge(right)
        self.columns = self.columns[::2]
        self.interval_ns *= 2


class Extremes:
    """The least (`np.minimum`) or the greatest (`np.maximum`) value of each interval."""

    def __init__(
        self, begin_ns: int, better: Callable[..., Any], *, most: int = MAX_POINTS,
        interval_ns: int = FIRST_INTERVAL_NS,
    ) -> None:  # fmt: skip
        self.interval_ns = interval_ns
        self._begin_ns = begin_ns
        self._better: Any = better
        self._values = np.zeros(most, np.int64)
        self._seen = np.zeros(most, bool)

    def take(self, at_ns: Any, values: Any) -> None:
        """Take values at their times. Shape: int64 arrays of one length."""
        if not len(at_ns):
            return
        cells = np.maximum(at_ns - self._begin_ns, 0)
        while int(cells.max()) // self.interval_ns >= len(self._values):
            self._halve()
        numbers = cells // self.interval_ns
        fresh = np.unique(numbers[~self._seen[numbers]])
        order = np.argsort(numbers, kind="stable")
        first = np.searchsorted(numbers[order], fresh)
        self._values[fresh] = values[order][first]
        self._seen[fresh] = True
        self._better.at(self._values, numbers, values)

    def points(self, empty: float) -> tuple[Any, Any]:
        """Give (begin of the interval, value) of each up to the last that has one; `empty` where nothing was seen.

        Shape: int64, float64. Units: ns since the first packet.
        """
        found = np.flatnonzero(self._seen)
        at = np.arange(int(found[-1]) + 1 if len(found) else 0, dtype=np.int64)
        return at * self.interval_ns, np.where(self._seen[at], self._values[at].astype(np.float64), empty)

    def _halve(self) -> None:
        half = len(self._values) // 2
        left, right = self._values[: half * 2 : 2], self._values[1 : half * 2 : 2]
        seen_left, seen_right = self._seen[: half * 2 : 2], self._seen[1 : half * 2 : 2]
        both = np.where(seen_left & seen_right, self._better(left, right), np.where(seen_left, left, right))
        seen = seen_left | seen_right
        self._values[:] = 0
        self._seen[:] = False
        self._values[:half], self._seen[:half] = both, seen
        self.interval_ns *= 2
