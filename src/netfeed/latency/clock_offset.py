"""How far two clocks are apart, from questions and answers with four stamps: NTP's estimate, with a filter.

    sent       t1, by the clock of who asked            offset  ((t2 - t1) + (t3 - t4)) / 2
    arrived    t2, by the clock of who answered         delay    (t4 - t1) - (t3 - t2)
    answered   t3, the same
    back       t4, by the clock of who asked

The offset is exact where both ways took equally long; however unequal they were, it is wrong by no more than half the
delay. So of each second the exchange with the least delay is believed, and half of it is the uncertainty. A line
through these tells the drift; what no drift explains is a clock that was set. Source: RFC 5905 section 8 and Mills'
minimum filter.

Leaves out: setting any clock. Bounded: seconds are put together in pairs when there are too many.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np

from netfeed.latency.clock import SLEW

WINDOW_NS: Final = 1_000_000_000
MAX_WINDOWS: Final = 1024
_LINE: Final = 3
"""Exchanges that a line is drawn through, at least."""


@dataclass(frozen=True, slots=True)
class Offset:
    """What to add to the asker's clock to have the answerer's. Units: ns; `drift_ppm` None where it cannot be told."""

    offset_ns: int
    uncertainty_ns: int
    drift_ppm: float | None = None


SAME_CLOCK: Final = Offset(0, 0, 0.0)
"""Of two programs on one kernel."""


class ClockOffset:
    """The estimate for one answerer."""

    def __init__(self) -> None:
        self._window_ns = WINDOW_NS
        self._best: dict[int, tuple[int, int, int]] = {}  # window -> (delay, offset, sent)

    def take(self, sent_ns: int, arrived_ns: int, answered_ns: int, back_ns: int) -> None:
        """Take one exchange."""
        delay = (back_ns - sent_ns) - (answered_ns - arrived_ns)
        offset = ((arrived_ns - sent_ns) + (answered_ns - back_ns)) // 2
        window = sent_ns // self._window_ns
        known = self._best.get(window)
        if known is None or delay < known[0]:
            self._best[window] = (delay, offset, sent_ns)
            if len(self._best) > MAX_WINDOWS:
                self._pair()

    def clock_set(self, by_ns: int) -> None:
        """Take what is known as if the asker's clock had always been what it was set to. Units: ns."""
        before, self._best = self._best, {}
        for delay, offset, sent in before.values():
            self._keep((delay, offset - by_ns, sent + by_ns))

    def estimate(self) -> Offset | None:
        """Give the offset of the exchange with the least delay; None before the first one."""
        if not self._best:
            return None
        delay, offset, _ = min(self._best.values())
        return Offset(offset, max(0, delay) // 2, self._drift())

    def at(self, sent_ns: Any) -> Any:
        """Give the offset at each of some moments. Shape: int64 both. Raises: ValueError before the first exchange."""
        good = self._good()
        if not good:
            raise ValueError("no exchange, no offset")
        moments = [sent for _, _, sent in good]
        return np.interp(sent_ns, moments, [offset for _, offset, _ in good]).round().astype(np.int64)

    def known(self, sent_ns: Any) -> Any:
        """Say at which moments the offset is known: not between the two that a clock was set between. Shape: bool."""
        known = np.ones(len(sent_ns), bool)
        for before, after, _ in self.steps():
            known &= (sent_ns <= before) | (sent_ns >= after)
        return known

    def steps(self) -> list[tuple[int, int, int]]:
        """List when a clock was set: (after this moment, before that one, by how much). Units: ns."""
        good = self._good()
        found = []
        for (delay, offset, sent), (next_delay, next_offset, next_sent) in pairwise(good):
            moved = next_offset - offset
            if abs(moved) > (delay + next_delay) / 2 + SLEW * (next_sent - sent):
                found.append((sent, next_sent, moved))
        return found

    def _good(self) -> list[tuple[int, int, int]]:
        """Give the best of each window, without those whose best is bad: twice the least delay."""
        least = min((delay for delay, _, _ in self._best.values()), default=0)
        good = [one for one in self._best.values() if one[0] <= 2 * max(least, 0)] or [*self._best.values()][:1]
        return sorted(good, key=lambda one: one[2])

    def _drift(self) -> float | None:
        good = self._good()
        if len(good) < _LINE or self.steps():
            return None
        moments = np.array([sent - good[0][2] for _, _, sent in good], np.float64)
        offsets = np.array([offset - good[0][1] for _, offset, _ in good], np.float64)
        return float(np.polyfit(moments, offsets, 1)[0] * 1e6)

    def _pair(self) -> None:
        before, self._best = self._best, {}
        self._window_ns *= 2
        for one in before.values():
            self._keep(one)

    def _keep(self, one: tuple[int, int, int]) -> None:
        window = one[2] // self._window_ns
        self._best[window] = min(self._best.get(window, one), one)
