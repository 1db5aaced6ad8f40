"""An engine beside live channels: changes of books touch it, its turn is the loop's, and each order has its tick.

    live.changes.consumers.append(drive); live.machines.append(drive)

One step a turn: whatever a batch of packets changed is decided on once. What a step sends belongs to the oldest packet
of its batch, so that the time from packet to order is told too long rather than too short:

    wire>book      from the kernel's stamp of a packet to the books that it changed
    decide         from there to the first thing that the engine decides, risk and all
    send           from there until that is handed to the kernel
    tick>order     from the kernel's stamp to that: all of it
    tick>hot       the same of quotes of the hot step, which leave before the engine takes its step

With a hot step (`hot`) it moves behind every batch that has touched what leads, before the engine's pass; mandates for
the next move are asked for a few at a time, behind the pass and in turns of their own while nothing else is due.
"""

import time
from collections.abc import Callable, Mapping
from typing import Final

from netfeed.app.changes import Rows
from netfeed.app.live import Live
from netfeed.app.trading.feed_screen import StagePicture
from netfeed.book.change import NO_BOOK, NO_TIME
from netfeed.book.execution import Report, Request
from netfeed.engine.engine import Engine
from netfeed.engine.hot_engine import HotEngine
from netfeed.engine.journal import Decided, Record
from netfeed.latency import Histogram
from netfeed.machine import NEVER

STAGES: Final = ("decide", "send", "tick>order")


class EngineDrive:
    """Turns an engine. `clock_off_ns`: how far the wall clock may be off; `until_of`: what a report says it lasts.

    `instruments`: the engine's number of a book by that of its changes, where they are not the same; what is not in it
    is none of the engine's. Books are read while nobody moves them (`Live.held`).
    """

    def __init__(
        self, live: Live, *, clock_off_ns: int | None, until_of: Callable[[Report], int] = lambda report: NEVER
    ) -> None:
        self.engine: Engine | None = None
        self.hot: HotEngine | None = None
        self.instruments: Mapping[int, int] | None = None
        self.clock_off_ns = clock_off_ns
        self.stages = {name: Histogram() for name in STAGES}
        self.hot_to_order = Histogram()
        self._live, self._until_of = live, until_of
        self._stamp_ns = self._changed_at = self._decided_at = 0
        self._due = self._moving = False

    # --- what comes in

    def take(self, rows: Rows) -> None:
        """Note which books changed, and by what packets."""
        if self.engine is None:
            return
        touched = set(rows["book"][rows["book"] != NO_BOOK].tolist())
        if self.instruments is not None:
            touched = {self.instruments[book] for book in touched if book in self.instruments}
        if not touched:
            return
        self.engine.touch(touched, int(rows["sequence"].max()))
        stamps = rows["ts_recv_ns"][rows["ts_recv_ns"] != NO_TIME]
        if len(stamps) and not self._stamp_ns:
            self._stamp_ns, self._changed_at = int(stamps.min()), time.time_ns()
        self._due = True

    def hear(self, session: int, report: Report, now: int) -> None:
        """Take what a session says."""
        if self.engine is not None:
            with self._live.held():
                self.engine.hear(session, report, now, self._until_of(report))
            self._due = True

    def margin(self, used: int | None, equity: int, of: str, now: int) -> None:
        """Take what a session says of the margin."""
        if self.engine is not None:
            with self._live.held():
                self.engine.margin(used, equity, of, now)
            self._due = True

    def doubt(self, session: int, now: int) -> None:
        """Take note that a session said what nobody could read."""
        if self.engine is not None:
            self.engine.doubt(session, now)
            self._due = True

    def record(self, record: Record) -> None:
        """Note when the first thing of a step was decided."""
        if isinstance(record, Decided) and self._stamp_ns and not self._decided_at and not self._moving:
            self._decided_at = time.time_ns()
            self.stages["decide"].record(max(0, self._decided_at - self._changed_at))

    def sent(self, request: Request, at: int) -> None:
        """Note when the first thing of a step, or of a move before it, was handed to the kernel."""
        if self._moving and self._stamp_ns:
            self.hot_to_order.record(max(0, time.time_ns() - self._stamp_ns))
        elif self._decided_at and self._stamp_ns:
            sent_at = time.time_ns()
            self.stages["send"].record(max(0, sent_at - self._decided_at))
            self.stages["tick>order"].record(max(0, sent_at - self._stamp_ns))
            self._stamp_ns = self._decided_at = 0

    # --- its turn

    @property
    def deadline(self) -> int:
        """Say when it must be turned. Units: monotonic ns."""
        if self.engine is None:
            return NEVER
        return 0 if self._due or (self.hot is not None and self.hot.wants) else self.engine.deadline

    def wake(self, now: int) -> None:
        """Let the hot step move, and the engine do one pass; where nothing is due, ask for mandates."""
        if self.engine is None:
            return
        with self._live.held():
            if self.hot is not None and not self._due and now < self.engine.deadline:
                self.hot.prepare()
                return
            self._due = False
            self._move(now)
            self.engine.step(now, time.time_ns(), self.clock_off_ns)
            if self.hot is not None:
                self.hot.prepare()  # some at once: there may be no turn without a tick
        self._stamp_ns = self._decided_at = 0

    def _move(self, now: int) -> None:
        """Let quotes follow what leads, where its book has changed."""
        if self.hot is None or not self.hot.is_led:
            return
        self._moving = True
        try:
            self.hot.move(now, self.clock_off_ns)
        finally:
            self._moving = False

    def tick_to_order(self) -> Histogram:
        """Give the times from the kernel's stamp of a packet to its order, by either way."""
        every = Histogram()
        every.merge(self.stages["tick>order"])
        every.merge(self.hot_to_order)
        return every

    def pictures(self) -> list[StagePicture]:
        """Give how long each stage takes."""
        hot = [] if self.hot is None else [("tick>hot", self.hot_to_order)]
        named = [("wire>book", self._live.latency()), *self.stages.items(), *hot]
        return [
            StagePicture(name, one.count, one.percentile(50) or 0, one.percentile(99) or 0, one.max_ns or 0)
            for name, one in named
        ]
