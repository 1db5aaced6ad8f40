"""Which of two lines brings a packet first, and by how much: pairs of copies, found by session and sequence.

The first copy on each line counts; a line that repeats itself is not measured by its repetitions. A copy waits for the
other line's until MAX_LEAD_NS of the capture have passed (then it came on one line only), or until there are
MAX_WAITING of them. A stream that begins anew under the same session is no trouble when that is longer ago than
MAX_LEAD_NS.
"""

from typing import Any, Final

import numpy as np

from netfeed.latency import Histogram

MAX_LEAD_NS: Final = 2_000_000_000
"""Copies that are further apart are none. Units: ns."""
MAX_WAITING: Final = 1 << 18
WAITING: Final = np.dtype([("session", "<i8"), ("sequence", "<i8"), ("ts_ns", "<i8"), ("line", "i1"), ("paired", "?")])


class Lead:
    """The copies of one channel on two lines, 0 and 1; `led[k]` is by how much line k was first. Units: ns."""

    def __init__(self) -> None:
        self.led = (Histogram(), Histogram())
        self.same = 0
        self.only = [0, 0]
        self._waiting: Any = np.zeros(0, WAITING)

    @property
    def pairs(self) -> int:
        """Count the packets that came on both lines."""
        return self.led[0].count + self.led[1].count + self.same

    def take(self, session: Any, sequence: Any, ts_ns: Any, line: Any) -> None:
        """Take packets of both lines. Shape: arrays of one length; `line` is 0 or 1."""
        if not len(ts_ns):
            return
        fresh = np.zeros(len(ts_ns), WAITING)
        fresh["session"], fresh["sequence"], fresh["ts_ns"], fresh["line"] = session, sequence, ts_ns, line
        self._match(np.concatenate((self._waiting, fresh)), int(ts_ns.max()) - MAX_LEAD_NS)

    def finish(self) -> None:
        """Count what still waits: no copy comes any more."""
        self._match(self._waiting, None)

    def _match(self, rows: Any, before_ns: int | None) -> None:
        order = np.lexsort((rows["ts_ns"], rows["line"], rows["sequence"], rows["session"]))
        rows = rows[order]
        same = _equal(rows, "session") & _equal(rows, "sequence")
        again = same & _equal(rows, "line") & (np.diff(rows["ts_ns"], prepend=0) <= MAX_LEAD_NS)
        rows = rows[~again]  # the first copy on each line
        other = _equal(rows, "session") & _equal(rows, "sequence") & ~_equal(rows, "line")
        at = np.flatnonzero(other & ~rows["paired"])
        at = at[~rows["paired"][at - 1]]
        behind = rows["ts_ns"][at] - rows["ts_ns"][at - 1]  # line 1 less line 0
        near = np.abs(behind) <= MAX_LEAD_NS
        at, behind = at[near], behind[near]
        self.led[0].record_all(np.ascontiguousarray(behind[behind > 0]))
        self.led[1].record_all(np.ascontiguousarray(-behind[behind < 0]))
        self.same += int((behind == 0).sum())
        rows["paired"][at] = rows["paired"][at - 1] = True
        self._drop(rows, before_ns)

    def _drop(self, rows: Any, before_ns: int | None) -> None:
        """Give up what waited too long. Paired copies stay that long too: a repetition is no copy to be paired."""
        old = np.ones(len(rows), bool) if before_ns is None else rows["ts_ns"] < before_ns
        if before_ns is not None and len(rows) - int(old.sum()) > MAX_WAITING:
            limit = np.partition(rows["ts_ns"], len(rows) - MAX_WAITING)[len(rows) - MAX_WAITING]
            old = rows["ts_ns"] < limit
        alone = rows[old & ~rows["paired"]]
        for number in (0, 1):
            self.only[number] += int((alone["line"] == number).sum())
        self._waiting = rows[~old]


def _equal(rows: Any, field: str) -> Any:
    """Say of each row whether it has the value of the row before it."""
    values = rows[field]
    return np.concatenate(([False], values[1:] == values[:-1]))[: len(values)]
