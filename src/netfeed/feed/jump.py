"""A jump of the count that two packets agreed on, for as long as the stream may go on below it and prove it a lie.

Two packets that agree are all that a receiver can ask for before it believes that much was lost; two forged ones agree
as well as two true ones. But a true stream does not stay behind: whoever goes on exactly where the count was before the
jump (a heartbeat that says so, too) speaks for the old place, whoever goes on at its new end for the new one. When the
old place is MARGIN ahead, the jump is taken back.

A slow line that still brings what the fast one lost looks the same, which does no harm: nothing has been declared lost,
and what was held of the far side comes again, or is asked for.

Leaves out: what was lost before the verdict; a jump that nobody contradicts within the recovery window stands.
"""

from typing import Final

MARGIN: Final = 2
"""So many more packets must go on at the old place than at the new one."""


class Jump:
    """One jump from `end`, the end of what was known to exist before. `reach`: how far a packet may lie from there."""

    __slots__ = ("_ahead", "_reach", "end")

    def __init__(self, end: int, reach: int) -> None:
        self.end = end
        self._reach = reach
        self._ahead = 0

    def is_refuted(self, number: int, count: int, high: int) -> bool:
        """Take note of a packet of the lines; `high` is the end of what is believed to exist, before it."""
        if number == high:
            self._ahead = max(self._ahead - 1, -MARGIN)
        elif number == self.end:
            self._ahead += 1
        if self._ahead < MARGIN and number <= self.end + self._reach:
            self.end = max(self.end, number + count)
        return self._ahead >= MARGIN
