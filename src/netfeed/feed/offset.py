"""How far the venue's clock is ahead of ours: asked for, and believed of the quickest answer.

An answer that took `rtt` to come says the venue's time at some moment in between; taking the middle is wrong by rtt / 2
at most. So of the answers of the last WINDOW_NS the one with the smallest round trip is believed (NTP's clock filter,
RFC 5905, section 10), and half of its round trip is the error that is told with it. A venue that writes milliseconds
adds its own rounding, which is not known here.

Kept against the monotonic clock: setting the local clock changes what is told, and no sample.
"""

from collections import deque
from typing import Final, NamedTuple

WINDOW_NS: Final = 600_000_000_000
MAX_SAMPLES: Final = 64
_ABSURD_NS: Final = 2**62


class Sample(NamedTuple):
    """One answer. Units: ns; `ahead_ns` the venue's time less the monotonic one, `rtt_ns` the whole round trip."""

    at: int
    rtt_ns: int
    ahead_ns: int


class Offset:
    """The offset of one venue's clock."""

    def __init__(self) -> None:
        self._samples: deque[Sample] = deque(maxlen=MAX_SAMPLES)
        self.refused = 0

    def take(self, asked_at: int, now: int, ts_event_ns: int) -> None:
        """Take the answer `ts_event_ns` to a question that went out at `asked_at`. Units: ns."""
        if now < asked_at or not 0 < ts_event_ns < _ABSURD_NS:
            self.refused += 1
            return
        self._samples.append(Sample(now, now - asked_at, ts_event_ns - (asked_at + now) // 2))
        while self._samples[0].at < now - WINDOW_NS:
            self._samples.popleft()

    @property
    def best(self) -> Sample | None:
        """Give the quickest answer of the window."""
        return min(self._samples, key=lambda sample: sample.rtt_ns, default=None)

    def offset_ns(self, skew_ns: int) -> int | None:
        """Say how far the venue is ahead of a local clock that is `skew_ns` ahead of monotonic time. Units: ns."""
        best = self.best
        return None if best is None else best.ahead_ns - skew_ns

    @property
    def error_ns(self) -> int | None:
        """Say how wrong that may be, either way. Units: ns."""
        best = self.best
        return None if best is None else (best.rtt_ns + 1) // 2
