"""Snapshot groups that are joined when a book waits for a snapshot, and left when none does (`snapshot_join`)."""

from collections.abc import Callable, Sequence
from typing import Final

from netfeed.app.inlet import Inlet
from netfeed.app.slots import Slot

LOOK_NS: Final = 100_000_000
STAY_NS: Final = 2_000_000_000
"""What a group is kept for after nobody needs it: joins and leaves cost the switch more than they cost us."""


class SnapshotJoin:
    """Join and leave the snapshot groups of one channel. A late join stays until it has books, and all are right."""

    def __init__(
        self, slot: Slot, inlets: Sequence[Inlet], join: Callable[[Inlet], None], leave: Callable[[Inlet], None]
    ) -> None:
        self.deadline = 0
        self.joins = 0
        self._slot, self._inlets, self._join, self._leave = slot, inlets, join, leave
        self._needed_at: int | None = None

    def wake(self, now: int) -> None:
        """Look whether snapshots are needed. Units: monotonic ns."""
        self.deadline = now + LOOK_NS
        feed = self._slot.feed
        if not feed.books or feed.needs_snapshot:
            self._needed_at = now
        joined = any(inlet.socket is not None for inlet in self._inlets)
        if not joined and self._needed_at == now:
            self.joins += 1
            for inlet in self._inlets:
                self._join(inlet)
        elif joined and (self._needed_at is None or now - self._needed_at > STAY_NS):
            for inlet in self._inlets:
                self._leave(inlet)
