"""How often which duration was seen: log-linear, from 1 ns to an hour, to three significant digits. Mergeable.

Values below 2048 ns are counted one by one; each octave above has 1024 buckets, so a bucket is never wider than a
thousandth of what it holds. This twin defines `netfeed._core.histogram`.
Source: Gil Tene's HdrHistogram, whose layout with unit 1 and three digits it is.

What lies outside is not lost: a negative duration (two clocks that disagree) counts as 0 and in `negative`, one beyond
an hour counts as an hour and in `over`.
"""

from math import ceil
from typing import Any, Final

import numpy as np

TOP_NS: Final = 3_600_000_000_000
_FINE: Final = 2048
_HALF: Final = 1024
_BUCKETS: Final = 33_792


class Histogram:
    """How often which duration was seen."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self.count = self.negative = self.over = self.total_ns = 0
        self.min_ns: int | None = None
        self.max_ns: int | None = None
        self._buckets: Any = np.zeros(_BUCKETS, np.uint64)

    def record(self, value_ns: int, times: int = 1) -> None:
        """Count a duration."""
        if not times:
            return
        if value_ns < 0:
            self.negative += times
        elif value_ns > TOP_NS:
            self.over += times
        value = min(max(value_ns, 0), TOP_NS)
        self._buckets[_bucket(value)] += np.uint64(times)
        self.count += times
        self.total_ns += value * times
        self._widen(value, value)

    def record_all(self, values_ns: Any) -> None:
        """Count an array of durations. Shape: int64, contiguous."""
        for value in values_ns.tolist():
            self.record(value)

    def merge(self, other: "Histogram") -> None:
        """Add what another one counted."""
        self._buckets += other._buckets
        self.count += other.count
        self.negative += other.negative
        self.over += other.over
        self.total_ns += other.total_ns
        if other.min_ns is not None and other.max_ns is not None:
            self._widen(other.min_ns, other.max_ns)

    def percentile(self, percent: float) -> int | None:
        """Give the duration that `percent` of those counted do not exceed; None when none was counted.

        Units: ns; the highest that its bucket holds, and never beyond `min_ns` and `max_ns`.
        Raises: ValueError for what is no percentage.
        """
        if not 0 <= percent <= 100:
            raise ValueError(f"{percent} is no percentage")
        if self.min_ns is None or self.max_ns is None:
            return None
        wanted = max(1, min(ceil(self.count * percent / 100), self.count))
        bucket = int(np.searchsorted(np.cumsum(self._buckets), wanted))
        return max(self.min_ns, min(_highest(bucket), self.max_ns))

    def at_most(self, value_ns: int) -> int:
        """Count the durations up to `value_ns`, its own bucket included."""
        if value_ns < 0:
            return 0
        return self.count if value_ns >= TOP_NS else int(self._buckets[: _bucket(value_ns) + 1].sum())

    def buckets(self) -> list[tuple[int, int]]:
        """List (highest duration, count) of each bucket that is not empty."""
        return [(_highest(int(k)), int(self._buckets[k])) for k in np.flatnonzero(self._buckets)]

    def _widen(self, low: int, high: int) -> None:
        self.min_ns = low if self.min_ns is None else min(low, self.min_ns)
        self.max_ns = high if self.max_ns is None else max(high, self.max_ns)


def _bucket(value: int) -> int:
    shift = value.bit_length() - 11
    return value if shift <= 0 else shift * _HALF + (value >> shift)


def _highest(bucket: int) -> int:
    shift = bucket // _HALF - 1
    return bucket if shift <= 0 else ((bucket % _HALF + _HALF + 1) << shift) - 1
