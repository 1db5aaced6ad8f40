"""The account of one numbered stream as one line brought it, or all lines together: what is missing, what came twice.

Simpler than `feed`: nothing is held back and nothing is recovered. A number beyond the next one opens a hole; what
comes later and lies in a hole closes it (`reordered`); what lies in none is a duplicate. A count that begins anew shows
as RESTART packets in a row that follow each other below the next number: `restarts`, and the holes before it stay lost.
A jump of more than MAX_JUMP is taken for a restart too, not for a loss of that size.
"""

from typing import Final

from netfeed.feed.ranges import RangeSet

MAX_HOLES: Final = 4096
"""Holes that are remembered; of older ones only the size."""
MAX_JUMP: Final = 10_000_000
RESTART: Final = 16


class Sequence:
    """What has come of a row of numbers."""

    __slots__ = (
        "_lost_before", "_old_first", "_old_next", "_old_run", "_one_line", "_since", "duplicates", "first", "holes",
        "missing", "next", "numbers", "packets", "reordered", "restarts",
    )  # fmt: skip

    def __init__(self, *, one_line: bool = True) -> None:
        """Begin; numbers that several lines bring never begin anew: a line that lags looks like a new count."""
        self.first: int | None = None  # of this count
        self.next = 0
        self.packets = self.numbers = self.duplicates = self.reordered = self.restarts = self.holes = 0
        self.missing = RangeSet(limit=MAX_HOLES)
        self._one_line = one_line
        self._since = self._lost_before = 0  # numbers of this count; what counts before it lost
        self._old_first, self._old_next, self._old_run = 0, -1, 0

    @property
    def lost(self) -> int:
        """Count the numbers that were skipped and never came."""
        first = self.next if self.first is None else self.first
        return self._lost_before + self.next - first - self._since

    def take(self, sequence: int, count: int) -> bool:
        """Note a packet with the numbers from `sequence` on, `count` 0: it only names the next one.

        Gives whether it brought something new.
        """
        self.packets += count > 0
        if self.first is None:
            self.first = self.next = sequence
        if sequence > self.next + MAX_JUMP:
            self._restart(sequence, sequence)
        end = sequence + count
        if sequence > self.next:
            self.missing.add(self.next, sequence)
            self.holes += 1
            self.next = sequence
        if end > self.next:
            self._count(end - self.next)
            self.next = end
            self._old_run = 0
            return True
        return count > 0 and self._old(sequence, end)

    def _old(self, sequence: int, end: int) -> bool:
        """Take what lies below the next number: it fills a hole, begins a new count, or is a duplicate."""
        filled = sum(stop - start for start, stop in self.missing.overlap(sequence, end))
        if filled:
            self.missing.subtract(sequence, end)
            self._count(filled)
            self.reordered += 1
            return True
        self.duplicates += 1
        if sequence != self._old_next:
            self._old_first, self._old_run = sequence, 0
        self._old_run, self._old_next = self._old_run + 1, end
        if self._old_run < RESTART or not self._one_line:
            return False
        self.duplicates -= RESTART
        self._restart(self._old_first, end)
        return True

    def _restart(self, first: int, end: int) -> None:
        """Begin a new count of which `first` up to, not including, `end` has come."""
        self._lost_before, self._since = self.lost, 0
        self.first, self.next = first, end
        self._count(end - first)
        self.missing.clear()
        self.restarts += 1
        self._old_run = 0

    def _count(self, numbers: int) -> None:
        self._since += numbers
        self.numbers += numbers
