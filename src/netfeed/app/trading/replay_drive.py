"""An engine in a replay: packets to books, books to the engine, its requests to a fill model, all by the file's clock.

For a packet of time t, in this order:

    1  whatever is due before t, the earliest first: a channel's deadline, a request that arrives, a report that does,
       the engine's own deadline, a mark-out
    2  the packet moves the books
    3  the fill model looks at them, then the engine decides; what it sends is on its way from t on

So nothing is ever known before its time, and one capture, one configuration and one seed give one and the same run.
After the last packet nothing is decided any more: what is under way arrives, and is heard.
"""

from collections.abc import Callable, Collection
from typing import Final, Protocol

from netfeed.app.changes import Rows
from netfeed.app.replay import Replay
from netfeed.app.trading.replay_books import ReplayBooks
from netfeed.book.execution import Report
from netfeed.errors import MisuseError
from netfeed.machine import NEVER
from netfeed.sim.fill_ledger import FillLedger
from netfeed.sim.fill_model import FillModel
from netfeed.sim.fill_route import FillRoute
from netfeed.sim.fill_tape import Tape, read

MAX_AGAIN: Final = 10_000
"""So often one moment may come up again; what does not come to an end then never does."""


class Deciding(Protocol):
    """What is replayed: an `Engine`."""

    @property
    def deadline(self) -> int:
        """Say when it is to be woken."""

    def touch(self, instruments: Collection[int], sequence: int, /) -> None:
        """Note that books have changed."""

    def hear(self, session: int, report: Report, now: int, /) -> object:
        """Take what a session says."""

    def step(self, now: int, wall_ns: int, clock_off_ns: int | None, /) -> object:
        """Decide."""


class EngineReplay:
    """One run. `replay` is driven from outside (`Replay.run`); this listens to it."""

    def __init__(
        self, replay: Replay, books: ReplayBooks, engine: Deciding, route: FillRoute, model: FillModel,
        ledger: FillLedger,
    ) -> None:  # fmt: skip
        self.on_begin: list[Callable[[int], None]] = []
        self.steps = 0
        self.packets = 0
        self._replay, self._books, self._engine = replay, books, engine
        self._route, self._model, self._ledger = route, model, ledger
        self._rows: list[Rows] = []
        self._touched: set[int] = set()
        self._position: tuple[int | None, ...] = ()
        self._begun = False
        self._last_due, self._again = -NEVER, 0
        replay.batch_packets = 1
        replay.before.append(self._before)
        replay.changes.consumers.append(self)
        replay.seen.append(lambda capture, packets, wanted: self._after())
        replay.stepped.append(self._after)

    def take(self, rows: Rows) -> None:
        """Take changes, whoever made them: a packet, or a channel's deadline."""
        self._rows.append(rows)

    def finish(self) -> None:
        """Let what is under way arrive, and be heard."""
        while self._begun and self._model.deadline < NEVER:
            self._hear(self._model.deadline)
        self._ledger.wake(self._replay.now_ns or 0)

    # --- a packet

    def _before(self, ts_ns: int) -> None:
        """Let happen what is due before a packet; the engine begins with the first that is asked for."""
        if not self._begun:
            return
        while (due := self._due()) < ts_ns:
            self._elapse(due)
            self._look_out(due)

    def _look_out(self, due: int) -> None:
        """Refuse to go round in circles at one moment. Raises: MisuseError."""
        self._again = self._again + 1 if due == self._last_due else 0
        self._last_due = due
        if self._again > MAX_AGAIN:
            raise MisuseError(f"woken {MAX_AGAIN} times at {due} ns, something still asks to be woken then")

    def _begin(self, now: int) -> None:
        self._begun = True
        for call in self.on_begin:
            call(now)
        self._model.begin(now)
        self._books.find()
        self._touched = set(self._books.instruments.values())

    def _due(self) -> int:
        return min(
            self._replay.deadline, self._model.deadline, self._engine.deadline, self._ledger.deadline,
        )  # fmt: skip

    def _elapse(self, due: int) -> None:
        now = max(due, self._replay.now_ns or due)
        self._ledger.wake(now)
        if self._replay.deadline <= now:
            self._replay.wake(now)
            self._look(now)
        self._hear(now)
        self._decide(now)

    def _after(self) -> None:
        now = self._replay.now_ns
        if now is None or now < (self._replay.changes.since_ns or now):
            return
        if not self._begun:
            self._begin(now)
        self.packets += 1
        position = self._replay.position
        if self._rows or self._touched or position != self._position:  # else it was the copy of the other line
            self._position = position
            self._look(now)
        self._decide(now)

    # --- the three that are driven

    def _look(self, now: int) -> None:
        """Show the model and the engine what the books have become."""
        self._books.find()
        tape = self._tape()
        self._model.market(tape, None, now)
        self._bring()  # against the mids before this packet: what it did to them is inventory
        self._ledger.look(self._touched)
        if self._touched:
            self._engine.touch(self._touched, tape.sequence)
            self._touched = set()

    def _tape(self) -> Tape:
        rows, self._rows = self._rows, []
        tape = Tape()
        for one in rows:
            found = read(one, self._books.instruments)
            for instrument, trades in found.trades.items():
                tape.trades.setdefault(instrument, []).extend(trades)
            tape.blind |= found.blind
            tape.left_out += found.left_out
            tape.sequence = max(tape.sequence, found.sequence)
            known = self._books.instruments
            self._touched.update(known[book] for book in set(one["book"].tolist()) if book in known)
        return tape

    def _hear(self, now: int) -> None:
        reports = self._model.wake(now)
        self._bring()
        for report in reports:
            self._route.hear(report)
            self._engine.hear(self._route.number, report, now)
        self._send(now)

    def _decide(self, now: int) -> None:
        self.steps += 1
        self._engine.step(now, now, 0)
        self._send(now)

    def _send(self, now: int) -> None:
        for request in self._route.drain():
            self._model.send(request, now)

    def _bring(self) -> None:
        for fill in self._model.fills():
            self._ledger.fill(fill, fill.ts_event_ns or 0)
