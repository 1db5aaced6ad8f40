"""How evenly packets of one line come: the time between two, how far it scatters, and the jitter of RFC 3550.

Jitter needs to know when packets were sent: D is the difference of two packets' transit times, and J goes a sixteenth
of the way to |D| with each packet (RFC 3550, 6.4.1). The clocks of both ends need not agree. Where the sender tells no
time there is no jitter, only the deviation of the time between packets.

The bad case: a sender who stamps before it queues counts its own queue as jitter of the network.
"""

from math import sqrt
from typing import Any, Final

import numpy as np

from netfeed.latency import Histogram

GAIN: Final = 1 / 16
_MEMORY: Final = 512
"""Packets after which what was before weighs less than 1e-14."""
_WEIGHTS: Final = GAIN * (1 - GAIN) ** np.arange(_MEMORY)[::-1]


class Arrivals:
    """The times of one line's packets. Units: ns."""

    def __init__(self) -> None:
        self.between = Histogram()
        self.packets = 0
        self.fell = 0
        self.jitter_ns: float | None = None
        self.most_jitter_ns = 0
        self._last: int | None = None
        self._transit: int | None = None
        self._squares = 0.0

    def take(self, ts_ns: Any) -> None:
        """Take packets in order of the capture. Shape: int64."""
        if not len(ts_ns):
            return
        times = ts_ns if self._last is None else np.concatenate(([self._last], ts_ns))
        gaps = np.diff(times)
        self.fell += int((gaps < 0).sum())
        self.between.record_all(np.ascontiguousarray(gaps))
        self._squares += float((gaps.astype(np.float64) ** 2).sum())
        self._last = int(ts_ns[-1])
        self.packets += len(ts_ns)

    @property
    def deviation_ns(self) -> float:
        """Give the standard deviation of the time between packets."""
        count = self.between.count
        mean = self.between.total_ns / count if count else 0.0
        return sqrt(max(self._squares / count - mean * mean, 0.0)) if count else 0.0

    def take_sent(self, ts_ns: Any, sent_ns: Any) -> None:
        """Take those of the packets whose sender told a time: only they make jitter. Shape: int64, at least one."""
        transit_ns = ts_ns - sent_ns
        if self._transit is not None:
            transit_ns = np.concatenate(([self._transit], transit_ns))
        self._transit = int(transit_ns[-1])
        steps = np.abs(np.diff(transit_ns))
        if not len(steps):
            return
        self.most_jitter_ns = max(self.most_jitter_ns, int(steps.max()))
        recent = steps[-_MEMORY:]
        before = (self.jitter_ns or 0.0) * (1 - GAIN) ** len(steps)
        self.jitter_ns = before + float(recent @ _WEIGHTS[-len(recent) :])
