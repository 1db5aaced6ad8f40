"""The engine: books, reports and deadlines go in, requests come out, through pricer, desks, risk and router.

    engine.touch(instruments, sequence)               books have changed
    engine.hear(session, report, now, until)          a session says something; what must leave leaves in this call
    engine.doubt(session, now)                        a session says something that nobody can read
    engine.step(now, wall_ns, clock_off_ns)           one pass; it does nothing where nothing has changed
    engine.deadline, engine.wake(...)                 as of any machine

No I/O and no clock: the same engine runs live, in a replay and in a simulation. The order of a step is its point:

    1  worths follow the books                         `pricer.follow`: a step from Black, no fit
    2  what must be pulled leaves                      `risk.watch`, the kill switch; flushed
    3  desks are asked; what their gates shut, and every cancel, leaves first; flushed
    4  hedges leave, unless something of their underlying is in doubt: what nobody holds is not hedged; flushed
    5  quotes leave, in one write a session
    6  an expiry is fitted anew, some rounds a step, when nothing else was to do (or its turn is long overdue)

Nothing but cancels and questions passes until a list of the venue has agreed. The engine asks when a session comes up,
when something is in doubt, and every `list_ns`; where a venue answers no more, everything of ours leaves.

What a strategy, a fit or a pricer raises ends here: its quotes leave first, then `ready` says what it was, and a person
arms it again. `ready` is empty only when the engine may quote.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from netfeed.book.execution import List, Listed, Report, Request
from netfeed.engine.account import Account
from netfeed.engine.answers import Answers
from netfeed.engine.board import Board
from netfeed.engine.clearing import Clearing
from netfeed.engine.client_ids import ClientIds
from netfeed.engine.desk import Desk, check_owners, name_of
from netfeed.engine.exits import Exits
from netfeed.engine.expiries import expired
from netfeed.engine.journal import Absolved, Adopted, Heard, Record, Settled, Woke
from netfeed.engine.order_events import Event, Executed, Moved, Pull
from netfeed.engine.ours import Ours
from netfeed.engine.outgoing import Outgoing, named, takes_out
from netfeed.engine.picture import EnginePicture
from netfeed.engine.portrait import portrait, why_not
from netfeed.engine.pricer import Fairs, Pricer
from netfeed.engine.questions import Questions
from netfeed.engine.risk import Risk
from netfeed.engine.router import Router, SessionStatistics
from netfeed.engine.senses import Senses
from netfeed.engine.targets import UNNUMBERED
from netfeed.errors import MisuseError
from netfeed.machine import NEVER

PRICER: Final = "pricer"
OWN: Final = ("pulled", "rejected", "tripped", "settled", "foreign", "failed", "unread", "silent", "unhedged")
"""Counters of the engine itself: requests that took out, refusals and trips of venues, expiries, what nobody listed;
what was raised; what nobody could read, questions that were left open, hedges that were left out because of a doubt."""


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """How often. Units: ns. `look_ns`: how soon age alone is seen; `queues`: look for what rests before our orders."""

    look_ns: int = 100_000_000
    list_ns: int = 30_000_000_000
    again_ns: int = 1_000_000_000
    patience_ns: int = 2_000_000_000
    queues: bool = True


@dataclass(frozen=True, slots=True)
class EngineStatistics:
    """Counters of an `Engine`. `failed`: what was raised, by where; `counters`: all else, by name."""

    ready: str
    steps: int
    orders: int
    fills: int
    hedges: int
    uncertain: int
    refused: dict[str, int]
    anomalies: dict[str, int]
    failed: dict[str, str]
    sessions: tuple[SessionStatistics, ...]
    counters: dict[str, int]


class Engine:
    """The engine. `desks` quote, those in `hedging` hedge: theirs goes first and never waits."""

    def __init__(
        self, account: Account, board: Board, risk: Risk, router: Router, pricer: Pricer, ids: ClientIds, *,
        desks: Sequence[Desk], record: Callable[[Record], None], hedging: Sequence[Desk] = (),
        settings: EngineSettings | None = None,
    ) -> None:  # fmt: skip
        self.settings = settings or EngineSettings()
        self.account, self.board, self.risk, self.router, self.pricer = account, board, risk, router, pricer
        self.desks, self.hedging = tuple(desks), tuple(hedging)
        check_owners((*self.desks, *self.hedging), board.contracts)
        again = self.settings.again_ns
        self.failed: dict[str, str] = {}
        self.count: Counter[str] = Counter()
        self._senses = Senses(account, board, risk)
        self.out = Outgoing(account, risk, router, ids, self._senses, record)
        self._ours = Ours(account, board, queues=self.settings.queues)
        self.questions = Questions(
            router.venues, every_ns=self.settings.list_ns, again_ns=again, patience_ns=self.settings.patience_ns
        )
        self._exits = Exits(
            account, router, self.questions, self.count, again_ns=again, send=self._send, follow=self._after
        )
        self.leaving = ""
        self.beside: list[Callable[[], dict[str, int]]] = []  # what is shown with our counters
        self._now = 0
        self._look_at: int | None = None
        self._clock: int | None = None
        self._heard, self._busy = True, False
        self._answers = Answers(account, self.questions, self.clearing, (*self.desks, *self.hedging), self.count)
        for route in router.routes():
            if route.is_up:
                self.questions.up(route.venue, 0)

    # --- what comes in

    def touch(self, instruments: Collection[int], sequence: int) -> None:
        """Note that books have changed. `sequence`: of the last change, for the journal."""
        self._busy = True
        self.board.touch([one for one in instruments if one in self.board.contracts])
        self.out.sequence = sequence

    def hear(self, session: int, report: Report, now: int, until: int = NEVER) -> None:
        """Take what a session says; what must leave because of it leaves at once."""
        self._now = max(self._now, now)
        self._heard = True
        self.out.note(Heard(now, report, until), now)
        self.router.heard(session, report)
        self._follow(self.account.apply(report, now, until=until), now)
        self._answers.take(session, report, now, until)
        self._answers.protections()
        if isinstance(report, Listed):
            for instrument, price in list(expired(self.account, self.board)):
                self.count["settled"] += 1
                self.settle(instrument, price, now)
        self.router.flush()

    def margin(self, used: int | None, equity: int, of: str, now: int) -> None:
        """Take what a venue says of the margin (`Risk.margin`); what must leave because of it leaves at once."""
        self.risk.margin(used, equity, of=of)
        if self.risk.limits.margin_percent is not None:
            self._now = max(self._now, now)
            self._heard = True
            self._follow(self.risk.watch(now), now)
            self.router.flush()

    def doubt(self, session: int, now: int) -> None:
        """Note that a session said what nobody could read: it may have been an execution, and the venue is asked."""
        self._now = max(self._now, now)
        self._heard = True
        self.count["unread"] += 1
        self.questions.doubt(self.account.venues.of_session(session), now)

    def took(self, session: int, request: Request, events: list[Event], now: int) -> None:
        """Take note of quotes that have left by the door of the hot step (`hot_engine`)."""
        self.out.took(session, request, now)
        self._after(events, now)

    def fail(self, desk: Desk, error: Exception) -> None:
        """Take note that a desk's strategy has raised elsewhere than in a step; the next pulls all of its quotes."""
        self._heard = True
        self._fail(name_of(desk), error)

    def step(self, now: int, wall_ns: int, clock_off_ns: int | None) -> None:
        """Do one pass."""
        self._now = max(self._now, now)
        self.board.at(now, wall_ns, clock_off_ns)
        self.risk.clock(clock_off_ns)
        clock_is_new, self._clock = clock_off_ns != self._clock, clock_off_ns
        due = now >= self.deadline
        if not (due or self._heard or clock_is_new or self.board.is_touched):
            return
        self.count["steps"] += 1
        self._heard = False
        looks = self._look_at is None or now >= self._look_at
        if looks:
            self._look_at = now + self.settings.look_ns
        touched = self._price(self.board.take_touched())
        self._wake_account(now)
        self._watch(touched, now, everything=looks or clock_is_new)
        self._clear(now)
        self._ask(now)
        self.router.flush()
        self._decide(touched | self.board.take_touched(), now, first=not self.count["asked"])
        self._clear(now)
        self.router.flush()
        if (
            PRICER not in self.failed
            and self.pricer.wants_refit
            and (not self._busy or self.pricer.late_ns(now) > self.pricer.settings.refit_ns)
        ):
            self._take_fairs(lambda: self.pricer.refit(self.board))
        self._busy = False

    def wake(self, now: int, wall_ns: int, clock_off_ns: int | None) -> None:
        """Act on a deadline that has passed. A call before it does nothing."""
        if now >= self.deadline:
            self.step(now, wall_ns, clock_off_ns)

    @property
    def deadline(self) -> int:
        """Say when something is due though nothing comes in. Units: monotonic ns."""
        out = self.risk.switch.is_killed or bool(self.leaving)
        if self._look_at is None or self._heard or self.board.is_touched or (out and not self._exits.has_begun):
            return self._now
        asked = (desk for desk in (*self.desks, *self.hedging) if name_of(desk) not in self.failed)
        desks = min((desk.deadline for desk in asked), default=NEVER)
        return min(
            self._look_at, desks, self.account.deadline, NEVER if PRICER in self.failed else self.pricer.deadline,
            self.questions.deadline, self.clearing.deadline if out else NEVER,
        )  # fmt: skip

    # --- what a person says

    def kill(self, by: str, why: str, now: int) -> None:
        """Throw the kill switch: everything of ours leaves, and again, until every venue says that nothing rests."""
        self._now = max(self._now, now)
        self._heard = True
        self.risk.kill(by, why, now)
        self._clear(now)
        self.router.flush()

    def arm(self, by: str, now: int) -> None:
        """Arm the switch, what has failed, and protections that wait for a person. Raises: MisuseError where none."""
        self._now = max(self._now, now)
        broken = [desk for desk in (*self.desks, *self.hedging) if desk.broken is not None]
        frozen = [number for number, group in self.account.groups.items() if group.until == NEVER]
        if self.risk.switch.is_killed:
            self.risk.switch.rearm(by)
        elif not by.strip():
            raise MisuseError("say who arms the engine again")
        elif not (broken or self.failed or frozen):
            raise MisuseError("nothing is killed, broken or frozen: there is nothing to arm")
        self._heard = True
        self._exits.stop()
        self.failed.clear()
        self.out.unwritten = ""
        for desk in broken:
            desk.arm()
        for number in frozen:
            self.account.groups[number].reset()
            self.out.resets.add(number)
            self._answers.freed(number)

    def leave(self, why: str, now: int) -> None:
        """Leave the market for good: everything of ours leaves, and nothing is asked for any more; see `is_out`."""
        self._now = max(self._now, now)
        self._heard = True
        self.leaving = self.out.closed = why
        self._clear(now)
        self.router.flush()

    @property
    def is_out(self) -> bool:
        """Say whether nothing of ours rests any more, by our account and by the venues' lists."""
        return self._exits.has_begun and self.clearing.is_clear and not self.account.orders.open_count

    @property
    def clearing(self) -> Clearing:
        """Give how far everything has left."""
        return self._exits.clearing

    def adopt(self, by: str, instrument: int, quantity: int, price: int, now: int) -> None:
        """Hold what a person says that we hold; what is missing was traded at this price."""
        self.out.note(Adopted(now, by, instrument, quantity, price), now)
        self.account.adopt(instrument, quantity, price)
        self._position(instrument, None)

    def absolve(self, by: str, instrument: int, now: int) -> None:
        """Believe an instrument again that a person has looked at."""
        self.out.note(Absolved(now, by, instrument), now)
        self.account.orders.absolve(instrument)
        self._heard = True

    def settle(self, instrument: int, price: int, now: int) -> None:
        """Close what is held of a contract that has expired."""
        self.out.note(Settled(now, instrument, price), now)
        self.account.settle(instrument, price)
        self._position(instrument, None)

    # --- what it shows

    @property
    def ready(self) -> str:
        """Say why it does not quote; empty when it may."""
        return why_not(self)

    def picture(self, *, chain: bool = True) -> EnginePicture:
        """Show everything, as of the last step; but for the instruments where the `chain` is not looked at."""
        return portrait(self, chain=chain)

    def statistics(self) -> EngineStatistics:
        """Return a snapshot of the counters."""
        refused = {rule.value: count for rule, count in self.risk.refused.items()}
        anomalies = {anomaly.name: count for anomaly, count in self.account.orders.anomalies.items()}
        broken = {f"strategy {number}": desk.broken for number, desk in enumerate(self.desks) if desk.broken}
        fits = {f"fit {key}": why for key, why in self.pricer.broken.items()}
        return EngineStatistics(
            self.ready, self.count["steps"], self.out.count["orders"], self.count["fills"], self.count["hedges"],
            self.account.orders.uncertain, refused, anomalies, {**self.failed, **broken, **fits},
            tuple(self.router.statistics()), self.counters(),
        )  # fmt: skip

    def counters(self) -> dict[str, int]:
        """Count everything else by name."""
        choices = {f"chosen_{why}": count for why, count in self.router.chosen.items()}
        refusals = {f"route_{why}": count for why, count in self.router.refused.items()}
        own = {name: self.count[name] for name in OWN}
        asked = {"lists": self.questions.asked_count, "sweeps": self.clearing.sweeps}
        beside = {name: count for counters in self.beside for name, count in counters().items()}
        return {**self.out.count, **own, **asked, **choices, **refusals, **self.pricer.statistics(), **beside}

    # --- prices

    def _price(self, touched: frozenset[int]) -> frozenset[int]:
        self._take_fairs(lambda: self.pricer.follow(self.board, touched))
        return touched | self.board.take_touched()

    def _take_fairs(self, priced: Callable[[], Fairs]) -> None:
        """Put worths on the board; where the pricer raises, none is known any more, and all quotes leave."""
        try:
            fairs = {} if PRICER in self.failed else priced()
        except Exception as error:
            self._fail(PRICER, error)
            fairs = dict.fromkeys(self.board.contracts)
        self.board.set_fairs(fairs)
        self._senses.changed(fairs)

    def _fail(self, where: str, error: Exception) -> None:
        self.failed.setdefault(where, f"{type(error).__name__}: {error}")
        self.count["failed"] += 1

    # --- what must leave

    def _wake_account(self, now: int) -> None:
        if now >= self.account.deadline:
            self.out.note(Woke(now), now)
            self._follow(self.account.wake(now), now)

    def _watch(self, touched: frozenset[int], now: int, *, everything: bool) -> None:
        open_ = {order.instrument for order in self.account.orders.open()} if everything else touched
        resting = self._ours.resting(open_)
        self._senses.keep(resting)
        self._senses.look(resting)
        self._ours.refresh(resting, now)
        self._follow(self.risk.watch(now, None if everything else resting), now)

    def _follow(self, events: Iterable[Event], now: int) -> None:
        """Do what events ask for: what must be pulled is, first of all; the board shows the rest."""
        waiting = list(events)
        while waiting:
            pulls = {event.instrument for event in waiting if isinstance(event, Pull)}
            for event in waiting:
                if isinstance(event, Executed):
                    self.count["fills"] += 1
                    self._position(event.fill.instrument, now)
            self._ours.refresh({event.instrument for event in waiting if isinstance(event, Moved)}, now)
            waiting = self._exits.pull(pulls, now) if pulls else []

    def _clear(self, now: int) -> None:
        """While the switch is thrown, or it leaves: cancel everything by every session, until nothing rests."""
        if self.risk.switch.is_killed or self.leaving:
            self._exits.clear(now)

    def _after(self, events: list[Event], now: int) -> None:
        if events:
            self._follow(events, now)

    # --- what is asked

    def _ask(self, now: int) -> None:
        if self.account.orders.uncertain:
            for venue in self.router.venues:
                if any(self.account.venue_of(one) == venue for one in self._doubtful()):
                    self.questions.doubt(venue, now)
        for venue in self.questions.due(now):
            before = self.out.count["list"]
            self._follow(self._send(List(UNNUMBERED), now, urgent=True, venue=venue), now)
            if self.out.count["list"] > before:
                self.questions.asked(venue, now)
            else:
                self.questions.later(venue, now)
        self._follow(self._exits.leave_silent(now), now)

    def _doubtful(self) -> set[int]:
        return {
            order.instrument for order in self.account.orders.open() if self.account.orders.in_doubt(order.instrument)
        }

    def _decide(self, touched: frozenset[int], now: int, *, first: bool) -> None:
        """Ask the desks and send what they say: what takes out, then hedges, then all else."""
        hedges: list[Request] = []
        quotes: list[Request] = []
        for desk, rest in [(one, hedges) for one in self.hedging] + [(one, quotes) for one in self.desks]:
            for request in self._asked(desk, None if first else touched, now):
                if takes_out(request):
                    self._after(self._send(request, now, urgent=True), now)
                else:
                    rest.append(request)
        self.count["asked"] += 1
        self.router.flush()
        for request in hedges:
            before = self.out.count["orders"]
            self._after(self._send(request, now, urgent=True), now)
            self.count["hedges"] += self.out.count["orders"] - before
        self.router.flush()
        for request in quotes:
            self._after(self._send(request, now), now)
        self.router.flush()

    def _asked(self, desk: Desk, touched: frozenset[int] | None, now: int) -> list[Request]:
        """Ask a desk; one that raises owns nothing from here on, and what it had leaves."""
        where = name_of(desk)
        if where in self.failed:
            self._after(self._exits.pull(desk.instruments, now), now)
            return []
        try:
            requests = desk.step(self.board, touched)
        except Exception as error:
            self._fail(where, error)
            self._after(self._exits.pull(desk.instruments, now), now)
            return []
        if desk in self.hedging and self.account.doubts(desk.instruments):
            self.count["unhedged"] += any(not takes_out(one) for one in requests)
            self._after(self._exits.pull(desk.instruments, now), now)
            return [one for one in requests if takes_out(one)]
        return requests

    def _send(
        self, request: Request, now: int, *, urgent: bool = False, session: int | None = None, venue: str | None = None
    ) -> list[Event]:
        events = self.out.send(request, now, urgent=urgent, session=session, venue=venue)
        self._ours.refresh(named(request), now)
        return events

    def _position(self, instrument: int, filled_ns: int | None) -> None:
        self._heard = True
        if instrument not in self.board.contracts:
            self.count["foreign"] += 1
            return
        self.board.set_position(instrument, self.account.positions[instrument].quantity, filled_ns)
        self._senses.mark(instrument)
