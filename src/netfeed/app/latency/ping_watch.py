"""Events of a pinger become an account, and a line each second for who looks on."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from netfeed.latency import Histogram
from netfeed.latency.round_trip import RoundTrips
from netfeed.proto.probe import Pinger
from netfeed.proto.probe_words import Answered, Done, Missed
from netfeed.units import count_text, duration_text
from netfeed.wire.capture import NO_TIME

SECOND_NS: Final = 1_000_000_000


class Watch:
    """The account of one run, as it grows. `tell` is given a line each second."""

    def __init__(self, pinger: Pinger, *, tell: Callable[[str], None] | None = None) -> None:
        self.pinger = pinger
        self.trips = RoundTrips(absent=NO_TIME, interval_ns=pinger.plan.interval_ns)
        self.is_done = False
        self._tell, self._due = tell, SECOND_NS
        self._recent, self._missed = Histogram(), 0

    def take(self, events: Sequence[Any]) -> list[Any]:
        """Take what a machine told, and give what was not the pinger's."""
        other = []
        for event in events:
            if isinstance(event, Answered):
                if event.is_counted:
                    self.trips.answered(event)
                    self._recent.record(event.back_ns - event.due_ns)
            elif isinstance(event, Missed):
                if event.is_counted:
                    self.trips.missed(event.due_ns, event.sent_ns, event.silent, is_first=event.is_first)
                    self._missed += 1
            elif isinstance(event, Done):
                self.is_done = True
            else:
                other.append(event)
        return other

    def glance(self, elapsed_ns: int) -> None:
        """Say how the last second was, when it is over."""
        if self._tell is None or elapsed_ns < self._due:
            return
        self._due += SECOND_NS * (1 + (elapsed_ns - self._due) // SECOND_NS)
        self._tell(self._line(elapsed_ns // SECOND_NS))
        self._recent.clear()
        self._missed = 0

    def _line(self, second: int) -> str:
        h = self._recent
        said = [count_text(h.count, "answer")]
        said += [f"{name} {duration_text(h.percentile(at) or 0)}" for name, at in _SHOWN if h.count]
        said += [f"{self._missed:,} missed"] * bool(self._missed)
        return f"{second} s: {', '.join(said)}"


_SHOWN: Final = (("p50", 50), ("p99", 99), ("max", 100))
