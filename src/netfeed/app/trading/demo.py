"""All of netfeed at once: a simulated venue, the feed handler on its lines, an engine, its orders, and what is broken.

    start      sockets first, then the venue: the stream is seen from its first message on
    list       until every book of what the venue lists is LIVE and has two sides: then there are contracts
    log on     order gateways A and B, and JSON-RPC for what an order session does not tell; the engine asks for a list
    trade      until the duration is over or somebody stops it
    close      everything of ours leaves; until nothing rests and a list agrees, at most `CLOSING_NS`
    compare    what we hold and have resting, beside the venue's ledger

It is `netfeed run` with a guest: each phase is a turn of a machine in the loop.
"""

import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Final

from netfeed.app.account import account, is_ready
from netfeed.app.config import load
from netfeed.app.live import Live
from netfeed.app.run import Options, Run
from netfeed.app.trading.demo_engine import demo_engine, demo_hot
from netfeed.app.trading.demo_plan import plan
from netfeed.app.trading.demo_report import Outcome, Verdict, compared, quantity_text
from netfeed.app.trading.demo_venue import VENUE, DemoVenue, VenueError
from netfeed.app.trading.engine_drive import EngineDrive
from netfeed.app.trading.engine_sight import EngineSight
from netfeed.app.trading.engine_view import EngineView, Shown
from netfeed.app.trading.session_driver import Sessions, until_of
from netfeed.app.trading.starbase_listing import contracts, venue_ids
from netfeed.app.trading.traded import Traded
from netfeed.book.execution import Report, Tripped
from netfeed.book.state import BookState
from netfeed.engine.contract import Contract
from netfeed.engine.engine import Engine
from netfeed.machine import NEVER

STARTING_NS: Final = 30_000_000_000
CLOSING_NS: Final = 20_000_000_000
_LOOK_NS: Final = 20_000_000
_BEFORE_NS: Final = 250_000_000
"""So long before it happens a thing that is broken on purpose is told: the venue's clock began before we heard it."""
_QUIET_NS: Final = 200_000_000
"""So long nothing new is listed before the list is taken to be whole."""


class Phase(Enum):
    """Where a demo is."""

    STARTING = "the venue starts"
    LISTING = "the venue lists"
    LOGGING_ON = "order sessions log on"
    TRADING = "the engine trades"
    CLOSING = "everything leaves"
    OVER = "over"


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What the command line says. Units: `duration_ns` ns of trading, None until somebody stops it."""

    duration_ns: int | None = None
    seed: int = 7
    interface: str = "lo"
    quiet: bool = False


class Demo:
    """One demo. `stop` says whether somebody has had enough."""

    def __init__(self, options: DemoOptions, stop: Callable[[], bool]) -> None:
        self.options = options
        self.phase = Phase.STARTING
        self.why: list[str] = []
        self._stop = stop
        self._directory = Path(tempfile.mkdtemp(prefix="netfeed-demo-"))
        self._steps = plan(options.duration_ns)
        try:
            self._venue = DemoVenue(
                self._directory, seed=options.seed, steps=self._steps, interface=options.interface
            )  # fmt: skip
            feed = self._directory / "feed.toml"
            feed.write_text(self._venue.feed_text, encoding="utf-8")
            self._config = load(str(feed), {}, {})
            self._run = Run(self._config, Options(str(feed), {}, quiet=options.quiet), lambda: self.phase is Phase.OVER)
        except BaseException:
            self._clear()
            raise
        self.live: Live = self._run.live
        self._drive = EngineDrive(self.live, clock_off_ns=0, until_of=_until)  # both clocks are this host's
        self._sessions: Sessions | None = None
        self._contracts: list[Contract] = []
        self._view: EngineView | None = None
        self._sight: EngineSight | None = None
        self._verdict = Verdict()
        self._books: dict[str, int] = {}
        self._begun = self._began = self._traded = self._closed = self._next = 0
        self._listed: tuple[int, int] = (0, 0)

    def run(self, view: EngineView | None = None) -> Outcome | None:
        """Play it, on another screen than the terminal where one is given. None: it was stopped before it began.

        Raises: NetfeedError when something cannot be opened, and when the venue ends before the demo.
        """
        self.live.changes.consumers.append(self._drive)
        self.live.machines += [self, self._drive]
        self._view = view or (None if self.options.quiet else EngineView(self.shown))
        try:
            self._run.run()
            return self._outcome()
        finally:
            self._clear()

    # --- as a machine in the loop

    @property
    def deadline(self) -> int:
        """Say when to look again. Units: monotonic ns."""
        return self._next

    def wake(self, now: int) -> None:
        """Look where we are, and go on."""
        self._next = now + _LOOK_NS
        self._venue.check()
        match self.phase:
            case Phase.STARTING:
                self._begun = now
                self._venue.start()
                self.phase = Phase.LISTING
            case Phase.LISTING:
                self._list(now)
            case Phase.LOGGING_ON:
                self._wait(now)
            case Phase.TRADING:
                self._trade(now)
            case Phase.CLOSING:
                self._close(now)

    # --- phases

    def _list(self, now: int) -> None:
        if self._stop() or now - self._begun > STARTING_NS:
            if not self._stop():
                self.why.append(
                    f"no books within {STARTING_NS // 10**9} s: does multicast loop on {self.options.interface}? "
                    f"`netfeed doctor` says what is in its way; the venue: {self._venue.last_words()}"
                )
            self.phase = Phase.OVER
            return
        slot = self.live.slots[0]
        definitions, books = slot.feed.definitions, slot.feed.books
        if len(definitions) != self._listed[0]:
            self._began = self._began if self._listed[0] else now  # the venue speaks: its schedule counts from here
            self._listed = len(definitions), now
        whole = bool(definitions) and now - self._listed[1] > _QUIET_NS
        if whole and all(_is_open(books[index]) for index in definitions):
            self._log_on(slot.feed, now)

    def _log_on(self, feed: Any, now: int) -> None:
        self._contracts = contracts(feed.definitions, venue=VENUE)
        ids = venue_ids(feed.definitions)
        traded = [
            Traded(one.index, one.name, one.price_exponent, one.quantity_exponent, ids[one.index])
            for one in self._contracts
        ]
        sessions = Sessions(
            self._config.sessions, {VENUE: traded}, os.environ, hear=self._drive.hear, doubt=self._drive.doubt,
            tell=self._run.tell, sent=self._drive.sent,
        )  # fmt: skip
        self._sessions = sessions
        self.live.watch(sessions.fileno(), sessions.ready)
        self.live.machines.append(sessions)
        books = [feed.books[one.index] for one in self._contracts]
        engine = demo_engine(self._contracts, books, sessions.links, self._drive.record)
        self._drive.engine, self._drive.hot = engine, demo_hot(engine, self._contracts, sessions.links)
        self._sight = EngineSight("netfeed demo", self.live, self._engine, self._drive.pictures, self._run.tell)
        sessions.open()
        self._traded, self.phase = now, Phase.LOGGING_ON
        if self._view is not None:
            self._run.view = self._view
            self._view.start()

    def _wait(self, now: int) -> None:
        """Wait until a list of the venue has agreed; from there on the time counts."""
        self._narrate(now)
        if not self._engine.ready:
            self._traded, self.phase = now, Phase.TRADING
        elif self._stop():
            self._leave("somebody has stopped it", now)
        elif now - self._begun > STARTING_NS:
            self.why.append(f"it could not trade within {STARTING_NS // 10**9} s: {self._engine.ready}")
            self._leave("it cannot trade", now)

    def _trade(self, now: int) -> None:
        self._narrate(now)
        if self._stop():
            self._leave("somebody has stopped it", now)
        elif self.options.duration_ns is not None and now >= self._traded + self.options.duration_ns:
            self._leave("its time is over", now)

    def _narrate(self, now: int) -> None:
        """Tell what is broken on purpose, when it is."""
        while self._steps and self._steps[0].at_ns <= now - self._began + _BEFORE_NS:
            self._run.tell(f"on purpose: {self._steps.pop(0).words}")

    def _leave(self, why: str, now: int) -> None:
        self._engine.kill("the demo", why, now)
        self._closed, self.phase = now, Phase.CLOSING
        self._run.tell(f"{why}: no more quotes, and all that rests leaves")

    def _close(self, now: int) -> None:
        """Wait until nothing rests, a list that was asked for since agrees, and no gap is open."""
        engine = self._engine
        left = list(engine.account.orders.open())
        clear = not left and engine.clearing.is_clear and engine.account.agrees and is_ready(self.live)
        if not clear and now < self._closed + CLOSING_NS:
            return
        if left:
            self.why.append(f"{len(left)} orders of ours are not over after {CLOSING_NS // 10**9} s")
        elif not engine.account.agrees:
            self.why.append(f"no list of the venue has agreed with ours for {CLOSING_NS // 10**9} s: {engine.ready}")
        elif not clear:
            self.why.append(
                f"books are not LIVE, or the venue has not said that nothing rests, {CLOSING_NS // 10**9} s on"
            )
        self._verdict, self._books = self._compared(engine), account(self.live)["books"]
        self.phase = Phase.OVER

    def _compared(self, engine: Engine) -> Verdict:
        facts = self._venue.ledger()
        self.why += [f"the venue's ledger: {one}" for one in facts["complaints"]]
        held = {one.name: (engine.account.positions[one.index].quantity, one) for one in self._contracts}
        ours = {name: quantity_text(quantity, one.quantity_exponent) for name, (quantity, one) in held.items()}
        theirs = {one["instrument"]: one["quantity"] for one in facts["positions"]}
        resting = [str(order.client_id) for order in engine.account.orders.open()]
        return compared(ours, theirs, resting, [str(one["client_id"]) for one in facts["orders"]])

    # --- what is shown

    def shown(self) -> Shown:
        """Give what there is to see now."""
        assert self._sight is not None
        return self._sight.look()

    def _outcome(self) -> Outcome | None:
        if self._drive.engine is None:
            if self.why:
                raise VenueError("; ".join(self.why))
            return None
        told, engine = account(self.live), self._engine
        return Outcome(
            self._closed - self._traded, told["messages"], told["gaps"], told["messages_lost"], self._books,
            engine.picture(), self._verdict, self._drive.stages["tick>order"], tuple(self.why),
            hot=self._drive.hot_to_order,
        )  # fmt: skip

    @property
    def _engine(self) -> Engine:
        assert self._drive.engine is not None
        return self._drive.engine

    def _clear(self) -> None:
        """Leave nothing behind: no connection, no process, no file."""
        if self._view is not None and self._run.view is not None:
            self._view.stop()
        if self._sessions is not None:
            self._sessions.close()
        self._venue.close()
        shutil.rmtree(self._directory, ignore_errors=True)


def _is_open(book: Any) -> bool:
    """Say whether a book is LIVE and has two sides."""
    return book.state is BookState.LIVE and book.bid is not None and book.ask is not None


def _until(report: Report) -> int:
    return until_of(report) if isinstance(report, Tripped) else NEVER
