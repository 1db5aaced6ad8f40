"""Measure a run by its traces: rings in, histograms out; what was stamped while the clock was set is left out.

A look at the clocks stands between two reads. When real time was set between two looks, the records of the read before
the second one, and of the read after it, may have stamps of both times: they are counted as `across_step`, and nowhere
else. So are those that their writer flagged.
"""

from typing import Any, Final

from netfeed.app.latency.clock_watch import ClockWatch
from netfeed.app.latency.trace_rings import TraceRings
from netfeed.latency import Histogram
from netfeed.latency.report import merged
from netfeed.latency.stage import Flag
from netfeed.latency.trace import Durations, Joiner, by_channel, by_line

COLUMNS: Final = 120
"""Intervals of a heat map; where more are measured, two become one."""
KEYS: Final = {"channel": by_channel, "line": by_line}


class Measurement:
    """What is known of a run so far. `per` names the groups: `channel`, `line`, or None.

    Units: `interval_ns` of the heat map, as long as it has few intervals.
    """

    def __init__(self, rings: TraceRings, per: str | None, interval_ns: int, now: int) -> None:
        self.rings = rings
        self.per = per
        self.clocks = ClockWatch()
        self.durations = Durations(KEYS.get(per or ""))
        self.joiner = Joiner()
        self.columns: list[Histogram] = []
        self.interval_ns = interval_ns
        self.began = self.now = now
        self.every = 0
        self.counter = False  # stamps are of the processor's counter
        self.across_step = 0
        self._tainted = False
        self._interval_end = now + interval_ns

    def turn(self, now: int) -> None:
        """Read what came. Units: `now` in monotonic ns."""
        packets, decisions = self.rings.read()
        stepped = self.clocks.turn() != 0
        self.now = now
        if stepped or self._tainted:
            self.across_step += len(packets) + len(decisions)
        else:
            self._count(packets, decisions)
        self._tainted = stepped
        while now >= self._interval_end:
            self._next_interval()

    def finish(self, now: int) -> None:
        """Read the rest, and close the last interval."""
        self.turn(now)
        self.joiner.finish()
        self._next_interval()

    @property
    def elapsed_ns(self) -> int:
        """Give how long has been measured."""
        return self.now - self.began

    def _count(self, packets: Any, decisions: Any) -> None:
        sound = packets["flags"] & Flag.STEPPED == 0
        self.across_step += int((~sound).sum())
        packets = packets[sound]
        if len(packets):
            self.every = int(packets["every"].max())
            self.counter |= bool((packets["flags"] & Flag.COUNTER).any())
        self.durations.count(packets)
        if self.rings.deciders:
            self.durations.count(self.joiner.join(packets, decisions))

    def _next_interval(self) -> None:
        self.columns.append(self.durations.cut())
        if len(self.columns) > COLUMNS:
            self.columns = [merged(self.columns[at : at + 2]) for at in range(0, len(self.columns), 2)]
            self.interval_ns *= 2
        self._interval_end = self.began + self.interval_ns * (len(self.columns) + 1)
