"""The engine of a run: from what the feeds list to quotes at a venue, and out of the market again before the run ends.

    LISTING   until nothing new is listed for `QUIET_NS` and every book is LIVE: then there are contracts
    TRADING   journal and account are brought back, sessions log on, venues are asked what rests, the engine quotes
    LEAVING   the run ends: everything of ours leaves, and `is_out` says when the venues list nothing any more

It is a machine in the loop of `Live`, as its drive, its sessions and its safety are. What cannot be made of the
configuration once the contracts are known ends the run: `ended` says why. Books are read while nobody moves them, with
`receive.how = "loop"` for the shortest way and with "thread", too.
"""

import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any, Final

from netfeed.app.account import is_slot_ready
from netfeed.app.configuration import Configuration
from netfeed.app.endpoints import Endpoints
from netfeed.app.live import Live
from netfeed.app.metrics import Metrics
from netfeed.app.trading.contracts import Known, known, once
from netfeed.app.trading.desk_words import DeskWords, desk_account, desk_summary
from netfeed.app.trading.engine_build import Plan, build, empty_account, plan
from netfeed.app.trading.engine_drive import EngineDrive
from netfeed.app.trading.hot_build import hot_engine
from netfeed.app.trading.journal_contracts import indexes
from netfeed.app.trading.kill import KillError
from netfeed.app.trading.kill import kill as throw
from netfeed.app.trading.kill_watch import UNTIL
from netfeed.app.trading.margins import Margins
from netfeed.app.trading.order_tally import OrderTally
from netfeed.app.trading.restart import Begun, restart
from netfeed.app.trading.safety import Safety
from netfeed.app.trading.session_driver import Sessions, terms, until_of
from netfeed.app.trading.session_numbers import SessionNumbers
from netfeed.app.trading.traded import Traded
from netfeed.book.execution import Report, Tripped
from netfeed.engine.contract import Contract
from netfeed.engine.engine import Engine
from netfeed.engine.journal import Record
from netfeed.engine.kill_switch import KillSwitch
from netfeed.errors import NetfeedError
from netfeed.machine import NEVER
from netfeed.venues.instrument import Instrument

QUIET_NS: Final = 500_000_000
PATIENCE_NS: Final = 10_000_000_000
"""After so long what is listed is taken for all of it, though a book is in doubt."""
_LOOK_NS: Final = 20_000_000
_SETTLE_NS: Final = 1_000_000_000
"""After the clock was set, nobody knows for so long how far it is off."""


class Phase(Enum):
    """Where the desk is."""

    LISTING = "the feeds have not listed all of it yet"
    TRADING = "it trades"
    LEAVING = "it leaves the market"


class TradingDesk:
    """The desk of a run. `folder`: where the configuration lies, and a strategy of one's own beside it."""

    def __init__(
        self, live: Live, config: Configuration, *, metrics: Metrics, tell: Callable[[str], None], folder: str = ".",
        environment: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        assert config.engine is not None
        assert config.engine.journal is not None  # checked with the file
        self.config, self.said, self.live, self.folder = config, config.engine, live, config.engine.journal
        self.kill_file = config.engine.kill_path or ""
        self.phase = Phase.LISTING
        self.ended: NetfeedError | None = None
        self.endpoints: Endpoints | None = None
        self.engine: Engine | None = None
        self.sessions: Sessions | None = None
        self.safety: Safety | None = None
        self.words: DeskWords | None = None
        self.tally: OrderTally | None = None
        self.drive = EngineDrive(live, clock_off_ns=self.said.clock_off, until_of=_until)
        self._margins = Margins(config.sessions, self.drive.margin)
        self._metrics, self._tell, self._folder = metrics, tell, folder
        self._environment = os.environ if environment is None else environment
        self._next = 0
        self._steps, self._stepped_at = live.clock_steps, 0
        self._seen: tuple[int, int] = (0, live.now)
        self._said_waiting = False

    # --- as a machine in the loop

    @property
    def deadline(self) -> int:
        """Say when to look again. Units: monotonic ns."""
        if self.ended is not None:
            return NEVER
        if self.live.clock_steps != self._steps:
            return 0  # before the engine does a step by a clock that nobody believes
        return self._next if self.safety is None else min(self._next, self.safety.deadline)

    def wake(self, now: int) -> None:
        """Look where we are, and go on."""
        self._next = now + _LOOK_NS
        self._look_at_clock(now)
        self.guard(now)
        if self.words is not None:
            self.words.turn(now)
        if self.phase is Phase.LISTING:
            try:
                self._list(now)
            except NetfeedError as error:
                self.ended = error

    def guard(self, now: int) -> None:
        """Look at what may kill, with each turn of the loop: machines wait while packets do, a kill file does not."""
        if self.safety is not None:
            self.safety.turn(now)

    def kill(self, by: str, why: str) -> None:
        """Throw the kill switch, by a signal: before there is one, what it will look at first."""
        if self.safety is not None:
            self.safety.kill("signal", by, why, time.monotonic_ns())
            return
        try:
            throw(self.kill_file, by, why)
        except KillError as error:
            self.ended = error
        else:
            self._tell(f"KILLED by {by}: {why}; {UNTIL}")

    def why_not_ready(self) -> str:
        """Say why orders are not ready, for /readyz; empty when they are."""
        if self.engine is None:
            return f"orders: {self.phase.value}"
        return ""  # the safety says what the engine says

    def account(self) -> dict[str, Any] | None:
        """Give what was traded, as plain values; None before there is an engine."""
        if self.engine is None or self.tally is None:
            return None
        with self.live.held():
            return desk_account(self.engine.picture(), self.tally)

    def summary(self) -> str:
        """Say what was traded; empty before there is an engine."""
        told = self.account()
        return "" if told is None else desk_summary(told)

    # --- listing

    def _list(self, now: int) -> None:
        with self.live.held():
            found = self._known()
            whole = self._is_whole()
        if len(found) != self._seen[0]:
            self._seen = len(found), now
        quiet = bool(found) and now - self._seen[1] >= QUIET_NS
        patient = now - self.live.began <= PATIENCE_NS
        if quiet and (whole or not patient):
            self._begin(found, now)
        elif not self._said_waiting and not patient:
            self._said_waiting = True
            self._tell("engine: no feed lists anything that could be traded yet: are its definitions multicast?")

    def _known(self) -> list[Known]:
        accounts = self._accounts()
        venue_of = {id(one.feed): accounts[one.name] for one in self.live.sources if one.name in accounts}
        listed = {id(one.feed): one.instruments for one in self.live.venues.links}
        asked: dict[str, dict[str, Instrument]] = {}
        for link in self.live.venues.links:
            if link.name in accounts:
                asked.setdefault(accounts[link.name], {}).update(link.instruments)
        chosen = self.live.catalogue.selection  # changes of other books are told to nobody
        books = [(index, book) for index, book in enumerate(self.live.catalogue.books) if chosen.has(book.name)]
        found = once(known(books, venue_of, listed, self.said.fees, asked))
        return [replace(one, contract=replace(one.contract, name=self._name(one.contract))) for one in found]

    def _name(self, contract: Contract) -> str:
        """Give the name of a contract here: with its venue behind it, but for the venue of the first session."""
        first = contract.venue == self.config.sessions[0].venue
        return contract.name if first else f"{contract.name}@{contract.venue}"

    def _accounts(self) -> dict[str, str]:
        """Give the venue of each feed: as it is said, or the only one."""
        if self.said.accounts:
            return self.said.accounts
        only = self.config.sessions[0].venue
        feeds = [channel.name for channel in self.config.channels] + [venue.name for venue in self.config.venues]
        return dict.fromkeys(feeds, only)

    def _is_whole(self) -> bool:
        """Say whether all that the feeds have is listed: no instrument can be there that has no book yet."""
        accounts = self._accounts()
        slots = [slot for slot in self.live.slots if slot.name in accounts]
        return all(
            is_slot_ready(self.live, slot) and not getattr(slot.feed, "needs_snapshot", False) for slot in slots
        ) and all(link.is_ready for link in self.live.venues.links if link.name in accounts)

    # --- trading

    def _begin(self, found: list[Known], now: int) -> None:
        """Bring the account back, make the engine, and log on. Raises: NetfeedError when that cannot be."""
        numbers = indexes(self.folder, (one.contract.name for one in found))
        traded = {numbers[one.contract.name]: one for one in found}
        planned = plan(
            self.said, [replace(one.contract, index=index) for index, one in sorted(traded.items())], self._folder
        )
        venues = {number: one.venue for number, one in enumerate(self.config.sessions, 1)}
        begun = restart(self.folder, lambda: empty_account(planned, venues), now, time.time_ns(), sessions=venues)
        try:
            self._start(planned, begun, traded)
        except BaseException:
            begun.close()
            raise
        self.phase = Phase.TRADING
        quoted = sum(len(instruments) for _, instruments in planned.made)
        hedged = sum(len(instruments) for _, instruments in planned.hedging)
        self._tell(f"engine: {quoted} instruments are quoted, {hedged} hedge; run {begun.ids.run} of {self.folder}")

    def _start(self, planned: Plan, begun: Begun, traded: Mapping[int, Known]) -> None:
        tally = OrderTally(begun.journal.record)

        def record(one: Record) -> None:
            self.drive.record(one)
            tally(one)

        sessions = self._log_on(traded, begun)
        switch = KillSwitch()
        books: dict[int, Any] = {index: one.book.view for index, one in traded.items()}
        try:
            with self.live.held():
                engine = build(
                    planned,
                    books,
                    sessions.links,
                    record,
                    account=begun.account,
                    ids=begun.ids,
                    switch=switch,
                    terms=terms(self.config.sessions),
                )
                hot = hot_engine(planned, engine, sessions.links)
            self.safety = Safety(
                engine, switch, begun, tally, self.kill_file, tell=self._tell,
                tick_to_order=self.drive.tick_to_order, stall_s=self.said.stall / 1e9 or None,
            )  # fmt: skip
        except BaseException:
            sessions.close()
            raise
        self.safety.attach(self.endpoints, self._metrics)
        self.tally, self.words = tally, DeskWords(engine, self._tell)
        self.drive.instruments = {one.contract.index: index for index, one in traded.items()}
        self.engine, self.drive.hot = engine, hot
        self.drive.engine = engine
        self.sessions = sessions
        self._margins.begin(time.monotonic_ns())
        self.live.watch(sessions.fileno(), sessions.ready)
        self.live.machines.append(sessions)
        sessions.open()

    def _log_on(self, traded: Mapping[int, Known], begun: Begun) -> Sessions:
        by_venue: dict[str, list[Traded]] = {}
        for index, one in traded.items():
            by_venue.setdefault(one.contract.venue, []).append(replace(one.traded, instrument=index))
        sessions = Sessions(
            self.config.sessions, by_venue, self._environment, hear=self._hear, doubt=self.drive.doubt,
            tell=self._tell, sent=self.drive.sent, valued=self._margins.take, paced=False,
        )  # fmt: skip
        sides = {order.client_id: order.side for order in begun.account.orders.open()}
        for link in sessions.links:
            if link.config.protocol == "starbase":
                link.keep(SessionNumbers(str(Path(self.folder, f"{link.name}.numbers"))), sides)
        return sessions

    def _hear(self, number: int, report: Report, now: int) -> None:
        self.drive.hear(number, report, now)
        if self.words is not None:
            self.words.hear(self.config.sessions[number - 1].name, report, now)

    def _look_at_clock(self, now: int) -> None:
        """Take a clock that was set for one of which nobody knows how far it is off, for a while."""
        if self.live.clock_steps != self._steps:
            self._steps, self._stepped_at = self.live.clock_steps, now
        recently = bool(self._stepped_at) and now - self._stepped_at < _SETTLE_NS
        self.drive.clock_off_ns = None if recently else self.said.clock_off

    # --- leaving

    def leave(self, why: str) -> None:
        """Stop quoting, and have everything of ours leave."""
        self.phase = Phase.LEAVING
        if self.engine is not None:
            with self.live.held():
                self.engine.leave(why, time.monotonic_ns())

    def escape(self, why: str, end: int) -> None:
        """Leave the market though the loop of the run has failed: engine and sessions are turned by themselves.

        What fails again is left out, and the rest goes on. Units: `end` monotonic ns, the latest.
        """
        if self.engine is None or self.sessions is None or self.is_out:
            return
        self._tell(f"the run fails ({why}): everything of ours leaves first")
        with suppress(Exception):
            self.leave(f"the run fails: {why}")
        while not self.is_out and (now := time.monotonic_ns()) < end:
            until = min(end, now + _LOOK_NS, max(now, self.engine.deadline))
            for one in (partial(self.sessions.loop.turn, until), self._step_alone, self._guard_alone):
                with suppress(Exception):
                    one()

    def _step_alone(self) -> None:
        self.drive.wake(time.monotonic_ns())

    def _guard_alone(self) -> None:
        self.guard(time.monotonic_ns())

    @property
    def is_out(self) -> bool:
        """Say whether nothing of ours rests any more."""
        return self.engine is None or self.engine.is_out

    def close(self) -> None:
        """Close sessions and journal, and say what was left behind."""
        if self.engine is not None and not self.engine.is_out:
            left = self.engine.account.orders.open_count
            what = f"{left} orders of ours may rest still" if left else "no list has said that nothing rests"
            self._tell(f"engine: {what}: `netfeed order list` asks the venue")
        try:
            if self.sessions is not None:
                self.live.forget(self.sessions.fileno())
                self.sessions.close()
        finally:
            if self.safety is not None and not self.safety.close():
                self._tell("the order journal could not be written to its end: look at the disk before the next start")
            self.drive.engine = self.drive.hot = None


def _until(report: Report) -> int:
    return until_of(report) if isinstance(report, Tripped) else NEVER
