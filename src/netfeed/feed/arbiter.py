"""Which line brought what first: a count for each line, and how far the others are behind.

The lines of a channel carry the same messages; the first copy of each wins and the rest are duplicates. Arbitration
itself needs no choice - whoever comes first fills the sequence (`sequencer`) - so what is left to keep is the account
that tells an operator which line is slow, silent or lossy.

A duplicate is compared with the first copy when it begins with the same number; lines may pack differently, and then
nothing is compared. First arrivals are remembered for the last MAX_FIRSTS packets.
"""

from collections import deque
from dataclasses import dataclass
from enum import Enum
from typing import Final

from netfeed.feed.ports import port_name

MAX_FIRSTS: Final = 4096
"""First arrivals that are remembered: a line that is further behind is not measured any more."""
MAX_RECENT: Final = 256
"""Latest delays that are kept for each line."""


class Part(Enum):
    """What a packet brought to the stream."""

    FIRST = "something new"
    DUPLICATE = "nothing new"
    LATE = "what had been given up"
    NONE = "no messages, or not of the stream"


@dataclass(frozen=True, slots=True)
class Behind:
    """How long after the other line's copy this line's came. Units: ns; `recent` in order of arrival."""

    count: int = 0
    min_ns: int = 0
    max_ns: int = 0
    sum_ns: int = 0
    recent: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class LineStatistics:
    """The account of one line. `last_heard`: when a packet that could be read came, monotonic ns; None: none did."""

    port: int
    name: str
    packets: int
    bytes: int
    first: int
    duplicates: int
    late: int
    malformed: int
    behind: Behind
    last_heard: int | None


class _Line:
    """The counters of one line, while they move."""

    __slots__ = ("behind", "bytes", "last_heard", "malformed", "packets", "parts", "recent")

    def __init__(self) -> None:
        self.packets = self.bytes = self.malformed = 0
        self.parts = dict.fromkeys(Part, 0)
        self.last_heard: int | None = None
        self.behind = (0, 0, 0, 0)  # count, min, max, sum
        self.recent: deque[int] = deque(maxlen=MAX_RECENT)

    def note_behind(self, delay: int) -> None:
        count, least, most, total = self.behind
        self.behind = (count + 1, delay if not count else min(least, delay), max(most, delay), total + delay)
        self.recent.append(delay)

    def merge_behind(self, more: int, low: int, high: int, sum_: int) -> None:
        count, least, most, total = self.behind
        if more and count:
            self.behind = (count + more, min(least, low), max(most, high), total + sum_)
        elif more:
            self.behind = (more, low, high, sum_)


class Arbiter:
    """Keep the account of the lines of one stream."""

    def __init__(self) -> None:
        self._lines: dict[int, _Line] = {}
        self._firsts: dict[int, tuple[int, int]] = {}

    def hear(self, port: int, size: int) -> None:
        """Count a packet of `size` bytes, whatever it is."""
        line = self._line(port)
        line.packets += 1
        line.bytes += size

    def note_read(self, port: int, now: int) -> None:
        """Take note that a packet fits its specification: the line is heard. Noise is no sign of life."""
        self._line(port).last_heard = now

    def note_malformed(self, port: int) -> None:
        """Count a packet that does not fit its specification."""
        self._line(port).malformed += 1

    def note(self, port: int, sequence: int, part: Part, now: int) -> None:
        """Count what a packet brought, and how far it was behind when another line had brought it first."""
        line = self._line(port)
        line.parts[part] += 1
        if part is Part.FIRST:
            self._firsts[sequence] = (now, port)
            if len(self._firsts) > MAX_FIRSTS:
                del self._firsts[next(iter(self._firsts))]
        elif part is Part.DUPLICATE and sequence in self._firsts:
            came, by = self._firsts[sequence]
            if by != port:
                line.note_behind(now - came)

    def restart(self) -> None:
        """Forget the first arrivals: the numbers begin anew."""
        self._firsts.clear()

    def merge(
        self, port: int, *, packets: int, first: int, duplicates: int, bytes: int, last_heard: int,
        behind: tuple[int, int, int, int] = (0, 0, 0, 0),
    ) -> None:  # fmt: skip
        """Add what a fast path counted for a line; `behind` is its (count, min, max, sum) of delays."""
        line = self._line(port)
        line.packets += packets
        line.bytes += bytes
        line.parts[Part.FIRST] += first
        line.parts[Part.DUPLICATE] += duplicates
        line.last_heard = last_heard if line.last_heard is None else max(line.last_heard, last_heard)
        line.merge_behind(*behind)

    def statistics(self) -> tuple[LineStatistics, ...]:
        """Give the account of every line that was heard, in order of its port."""
        return tuple(self._statistics(port) for port in sorted(self._lines))

    def _line(self, port: int) -> _Line:
        if port not in self._lines:
            self._lines[port] = _Line()
        return self._lines[port]

    def _statistics(self, port: int) -> LineStatistics:
        line = self._lines[port]
        parts = line.parts
        return LineStatistics(
            port, port_name(port), line.packets, line.bytes, parts[Part.FIRST], parts[Part.DUPLICATE],
            parts[Part.LATE], line.malformed, Behind(*line.behind, tuple(line.recent)), line.last_heard,
        )  # fmt: skip
