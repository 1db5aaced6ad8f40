"""Which numbers of a stream are missing, and for how long.

Everything is derived from two things: `high`, the end of what is known to exist, and `missing`, the ranges below it
that have not come. The next number to deliver is the lowest missing one, or `high`.

    a hole is seen  --reorder window-->  the gap is opened  --recovery window-->  the gap is lost
                    \\__ filled: nothing happened            \\__ filled: closed

Both windows run from the moment when the hole was seen, so nothing waits longer than the recovery window behind one.
A packet may fill a gap in part, overlap its ends, or reach over several; what counts is only what is still missing,
never whether a packet begins or ends where a gap does.

Source of the idea: Aeron's LossDetector (time is an argument, a gap is announced after a delay and once) and the two
failures of older clients that it avoids: a timer that is looked at only when packets come, and the end of a gap
recognised by equality.

Leaves out: messages, and whether a number can be believed (`epoch`).
"""

from collections import deque
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from netfeed.errors import MisuseError
from netfeed.feed.ranges import Range, RangeSet
from netfeed.machine import NEVER

MAX_GAPS: Final = 1024
"""More gaps than this at one time are no stream that can be repaired; the oldest is given up."""


def unwrap(raw: int, near: int, modulus: int) -> int:
    """Continue a counter that wraps: give the number that is `raw` modulo `modulus` and lies nearest to `near`.

    >>> unwrap(3, 2**32 - 2, 2**32) - 2**32, unwrap(2**32 - 1, 2**32 + 1, 2**32) - 2**32
    (3, -1)
    """
    half = modulus // 2
    return near + (raw - near + half) % modulus - half


@dataclass(slots=True)
class Gap:
    """Numbers from `first` up to, not including, `end` that were found missing together.

    `span`: first and last as it was opened, whatever was cut off since; pieces of one gap have it in common.
    """

    first: int
    end: int
    seen_at: int
    opened_at: int | None = None
    span: Range | None = None


class Piece(NamedTuple):
    """New numbers of a packet; `recovered`: they were missing in an opened gap."""

    first: int
    end: int
    recovered: bool


class GapTracker:
    """Keep account of what is missing below the high-water mark."""

    def __init__(self, start: int, *, reorder_window_ns: int, recovery_window_ns: int) -> None:
        if not 0 <= reorder_window_ns <= recovery_window_ns:
            raise MisuseError("the reorder window must lie between 0 and the recovery window")
        self.high = start
        self.missing = RangeSet()
        self.gaps: deque[Gap] = deque()
        self._reorder_ns = reorder_window_ns
        self._recovery_ns = recovery_window_ns

    @property
    def next(self) -> int:
        """Give the lowest number that has not come."""
        lowest = self.missing.lowest
        return self.high if lowest is None else lowest

    @property
    def deadline(self) -> int:
        """Give when the first gap must be opened or given up. Units: monotonic ns, NEVER without gaps."""
        return min((self._due(gap) for gap in self.gaps), default=NEVER)

    @property
    def crowded(self) -> bool:
        """Say whether there are more gaps than MAX_GAPS."""
        return len(self.gaps) > MAX_GAPS

    @property
    def last_missing(self) -> int:
        """Give the last missing number of the oldest gap; there is one."""
        return self.missing.overlap(self.gaps[0].first, self.gaps[0].end)[-1][1] - 1

    def opened(self) -> list[Range]:
        """Give what is missing in opened gaps, in rising order."""
        ranges = [
            part for gap in self.gaps if gap.opened_at is not None for part in self.missing.overlap(gap.first, gap.end)
        ]
        return sorted(ranges)

    def reveal(self, end: int, now: int) -> None:
        """Take note that all numbers below `end` exist: those that have not come are missing from now on."""
        if end > self.high:
            self.missing.add(self.high, end)
            self.gaps.append(Gap(self.high, end, now))
            self.high = end

    def take(self, first: int, end: int, now: int) -> list[Piece]:
        """Take note that `first` up to, not including, `end` have come; give what of it is new, in rising order."""
        pieces = [
            Piece(low, high, gap.opened_at is not None)
            for gap in self.gaps
            for low, high in self.missing.overlap(max(first, gap.first), min(end, gap.end))
        ]
        self.missing.subtract(first, end)
        self.reveal(first, now)
        if end > self.high:
            pieces.append(Piece(max(first, self.high), end, False))
            self.high = end
        return pieces

    def filled(self) -> list[Gap]:
        """Remove the gaps of which nothing is missing any more, and give them."""
        done: list[Gap] = []
        rest = deque[Gap]()
        for gap in self.gaps:
            missing = self.missing.overlap(gap.first, gap.end)
            (rest if missing else done).append(gap)
        self.gaps = rest
        return done

    def open(self, now: int) -> list[Gap]:
        """Open the gaps whose reorder window has passed, each as what is still missing of it, and give them."""
        opened, gaps = [], deque[Gap]()
        for gap in self.gaps:
            ripe = gap.opened_at is None and gap.seen_at + self._reorder_ns <= now
            parts = self._open(gap, now) if ripe else [gap]
            opened += parts if ripe else []
            gaps += parts
        self.gaps = gaps
        return opened

    def is_overdue(self, now: int) -> bool:
        """Say whether the recovery window of the oldest gap has passed."""
        return bool(self.gaps) and self.gaps[0].seen_at + self._recovery_ns <= now

    def lose(self, now: int) -> tuple[list[Gap], Gap, list[Range]]:
        """Give up the oldest gap: what had to be opened for it, the gap, and the ranges that are lost."""
        gap = self.gaps.popleft()
        opened = self._open(gap, now) if gap.opened_at is None else []
        lost = self.missing.overlap(gap.first, gap.end)
        self.missing.subtract(gap.first, gap.end)
        return opened, gap, lost

    def cut(self, at: int) -> None:
        """Make two gaps of the one that has something missing both below a number and from it on."""
        for place, gap in enumerate(self.gaps):
            if self.missing.overlap(gap.first, min(at, gap.end)) and self.missing.overlap(max(at, gap.first), gap.end):
                self.gaps[place] = replace(gap, end=at)
                self.gaps.insert(place + 1, replace(gap, first=at))
                return

    def retract(self, end: int) -> None:
        """Take note that nothing from `end` on exists: whoever revealed it was wrong."""
        self.missing.subtract(end, self.high)
        self.gaps = deque(replace(gap, end=max(gap.first, min(gap.end, end))) for gap in self.gaps)
        self.high = end

    def forgive(self, end: int) -> list[Range]:
        """Take note that nothing below `end` is needed any more; give what was missing there."""
        first = self.next
        excused = self.missing.overlap(first, end)
        self.missing.subtract(first, end)
        return excused

    def _open(self, gap: Gap, now: int) -> list[Gap]:
        missing = self.missing.overlap(gap.first, gap.end)
        return [Gap(first, end, gap.seen_at, now, (first, end - 1)) for first, end in missing]

    def _due(self, gap: Gap) -> int:
        return gap.seen_at + (self._reorder_ns if gap.opened_at is None else self._recovery_ns)
