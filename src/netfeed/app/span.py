"""The span of time that is asked for, laid over the packets of captures.

A time of day is one of the day on which the first packet came. Records without a time are always within.
"""

from netfeed.app.changes import Rows
from netfeed.app.clock import Moment
from netfeed.wire.capture import NO_TIME


class Span:
    """From `since` to `until`, each None where nobody asked."""

    def __init__(self, since: Moment | None, until: Moment | None) -> None:
        self.over = False  # what follows is later than asked for
        self._since, self._until = since, until
        self._day_ns: int | None = None

    def cut(self, packets: Rows) -> Rows:
        """Leave out what is earlier, and everything from the first packet on that is later."""
        if not len(packets):
            return packets
        day_ns = self._day(packets)
        if self._since is not None:
            times = packets["ts_ns"]
            packets = packets[(times >= self._since.at(day_ns)) | (times == NO_TIME)]
        if self._until is not None:
            late = packets["ts_ns"] > self._until.at(day_ns)
            if late.any():
                self.over = True
                packets = packets[: int(late.argmax())]
        return packets

    def _day(self, packets: Rows) -> int:
        if self._day_ns is None:
            timed = packets["ts_ns"][packets["ts_ns"] != NO_TIME]
            self._day_ns = int(timed[0]) if len(timed) else None
        return self._day_ns or 0
