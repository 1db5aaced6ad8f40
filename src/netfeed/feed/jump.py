"""A jump of the count, for as long as the stream may go on below it and prove it a lie.

A jump beyond `max_jump` is believed when two packets agree, a smaller one at once: as far as anybody can know, that is
a loss. Forged packets say the same. But a true stream does not stay behind: whoever goes on exactly where the count was
before the jump (a heartbeat that says so, too) speaks for the old place, whoever is on the far side for the new one.
When the old place is a margin ahead, the jump is taken back.

    a jump that                         margin   and nobody was on the far side for
    two packets agreed on, far away     FAR      0
    one packet made, a little ahead     NEAR     LIVELY_NS

Every loss begins with a small jump, so that one needs proof that honest lines do not give. A slow line repeats what has
been delivered, which counts for nothing; or it brings what the fast line lost while that one goes on at the far side.
Only where the fast one falls silent in that moment does it look like a lie, which does no harm as long as nothing has
been given up: what was held of the far side comes again, or is asked for. And an old burst that is sent again is not
missing; if it was lost, the stream has gone on at the far side since: a small jump confirmed by a margin stands.

A packet below the far side that does not go on at the old place moves it only when another one goes on behind it: a
single one neither proves nor disturbs anything.

Leaves out: what was lost before the verdict. Two forged packets that agree, below the far side, move the old place up
by at most `reach`; the stream must come there before it can speak again.
"""

from typing import Final

FAR: Final = 2
NEAR: Final = 16
"""So many more packets must go on at the old place than at the new one."""
LIVELY_NS: Final = 50_000_000
"""A stream that was heard so short a time ago is not over, whatever others say."""


class Jump:
    """One jump from `end`, the end of what was known to exist before, to `far`. `agreed`: two packets made it.

    `reach`: how far a packet may lie from the end. Units: `now` in ns.
    """

    __slots__ = ("_ahead", "_beside", "_far", "_heard", "_margin", "_quiet_ns", "_reach", "agreed", "end")

    def __init__(self, end: int, far: int, now: int, *, reach: int, agreed: bool) -> None:
        self.end = end
        self.agreed = agreed
        self._far = far
        self._heard = now
        self._margin, self._quiet_ns = (FAR, 0) if agreed else (NEAR, LIVELY_NS)
        self._reach = reach
        self._ahead = 0
        self._beside = end

    @property
    def stands(self) -> bool:
        """Say whether the far side has been confirmed by a margin."""
        return self._ahead <= -self._margin

    @property
    def is_doubtful(self) -> bool:
        """Say whether the old place is as good as the new one, as far as is known."""
        return self.agreed or self._ahead >= 0

    def confirm(self, now: int) -> None:
        """Take note that the stream goes on at the far side."""
        self._ahead = max(self._ahead - 1, -self._margin)
        self._heard = now

    def move(self, far: int, now: int) -> None:
        """Take note that another small jump followed at the far side, of which nothing is confirmed yet."""
        self._far, self._heard, self._ahead = far, now, max(self._ahead, 0)

    def is_refuted(self, number: int, count: int, now: int, *, missing: bool) -> bool:
        """Take note of a packet of the lines; `missing`: its first number has not been delivered."""
        if number >= self._far:
            self.confirm(now)
        elif number == self.end:
            self._ahead = min(self._ahead + missing, self._margin)
            if missing and self._ahead == self._margin and now - self._heard >= self._quiet_ns:
                return True
            self.end += count
        elif self.end < number <= self.end + self._reach:
            if number == self._beside:
                self.end = number + count
            self._beside = number + count
        return False
