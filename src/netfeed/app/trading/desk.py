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
from netfeed.app.trading.contracts import Known, known
from netfeed.app.trading.engine_build import Plan, build, empty_account, plan
from netfeed.app.trading.engine_drive import EngineDrive
from netfeed.app.trading.hot_build import hot_engine
from netfeed.app.trading.journal_contracts import indexes
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
        self.phase = Phase.LISTING
        self.ended: NetfeedError | None = None
        self.endpoints: Endpoints | None = None
        self.engine: Engine | None = None
        self.sessions: Sessions | None = None
        self.safety: Safety | None = None
        self.drive = EngineDrive(live, clock_off_ns=self.said.clock_off, until_of=_until)
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
        return self._next if self.safety is None else min(self._next, self.safety.deadline)

    def wake(self, now: int) -> None:
        """Look where we are, and go on."""
        self._next = now + _LOOK_NS
        self._look_at_clock(now)
        self.guard(now)
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
        """Throw the kill switch, by a signal."""
        if self.safety is None:
            self._tell(f"{by}, {why}: nothing is quoted yet; the kill file keeps it so")
        else:
            self.safety.kill("signal", by, why, time.monotonic_ns())

    def why_not_ready(self) -> str:
        """Say why orders are not ready, for /readyz; empty when they are."""
        if self.engine is None:
            return f"orders: {self.phase.value}"
        return ""  # the safety says what the engine says

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
        chosen = self.live.catalogue.selection  # changes of other books are told to nobody
        books = [(index, book) for index, book in enumerate(self.live.catalogue.books) if chosen.has(book.name)]
        found: dict[str, Known] = {}
        for one in known(books, venue_of, listed, self.said.fees):
            name = self._name(one.contract)
            found.setdefault(name, replace(one, contract=replace(one.contract, name=name)))
        return list(found.values())

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
            kill_file = self.said.kill_file or f"{self.folder}.kill"
            self.safety = Safety(
                engine, switch, begun, tally, kill_file, tell=self._tell,
                tick_to_order=self.drive.tick_to_order, stall_s=self.said.stall / 1e9 or None,
            )  # fmt: skip
        except BaseException:
            sessions.close()
            raise
        self.safety.attach(self.endpoints, self._metrics)
        self.drive.instruments = {one.contract.index: index for index, one in traded.items()}
        self.engine, self.drive.hot = engine, hot
        self.drive.engine = engine
        self.sessions = sessions
        self.live.watch(sessions.fileno(), sessions.ready)
        self.live.machines.append(sessions)
        sessions.open()

    def _log_on(self, traded: Mapping[int, Known], begun: Begun) -> Sessions:
        by_venue: dict[str, list[Traded]] = {}
        for index, one in traded.items():
            by_venue.setdefault(one.contract.venue, []).append(replace(one.traded, instrument=index))
        sessions = Sessions(
            self.config.sessions, by_venue, self._environment, hear=self.drive.hear, tell=self._tell,
            sent=self.drive.sent, paced=False,
        )  # fmt: skip
        sides = {order.client_id: order.side for order in begun.account.orders.open()}
        for link in sessions.links:
            if link.config.protocol == "starbase":
                link.keep(SessionNumbers(str(Path(self.folder, f"{link.name}.numbers"))), sides)
        return sessions

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
