"""One request from a shell to a venue: log on, ask what rests and is held, have it judged, send it once, wait.

    with OrderDesk(config, "starbase-a", os.environ) as desk:
        desk.connect()
        desk.take_stock()                      two lists: the first is taken in, the second has to agree
        outcome = desk.ask(New(...))           through Risk and the Door of the session, as everything

The only way to a session is its Door, which takes what Risk has cleared. Orders stay when the command ends: sessions
are logged on without cancel-on-disconnect, and orders bear KEEP.

Where the named session's protocol lists nothing (Starbase), another session of the same venue that does is opened, too.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from types import TracebackType
from typing import Any, Final, Self

import msgspec

from netfeed.app.configuration import Configuration, Session
from netfeed.app.trading.order_limits import shell_limits, shell_switch
from netfeed.app.trading.session_driver import Sessions, until_of
from netfeed.app.trading.session_link import SessionLink
from netfeed.app.trading.session_places import instruments_of, traded_of
from netfeed.app.trading.stock import take_in
from netfeed.app.trading.traded import Traded
from netfeed.app.trading.venue_contracts import UnreachableError, ask_instruments, contracts_of
from netfeed.book.execution import (
    AllCanceled,
    Cancel,
    CancelAll,
    Down,
    List,
    Listed,
    New,
    Rejected,
    Report,
    Request,
    Tripped,
)
from netfeed.engine.account import Account
from netfeed.engine.client_ids import MAX_RUN, ClientIds
from netfeed.engine.contract import Contract
from netfeed.engine.door import Door
from netfeed.engine.order import State
from netfeed.engine.risk import Refusal, Risk
from netfeed.engine.risk_checks import Seen
from netfeed.errors import ConfigurationError, ConfigurationFileError
from netfeed.machine import NEVER

_S: Final = 1_000_000_000
TIMEOUT_NS: Final = 10 * _S
AFTER_NS: Final = 100_000_000
"""How long executions are waited for behind an answer that says that an order rests."""
GOODBYE_NS: Final = _S
SHELL_RUNS: Final = 2**30
"""Client ids of shells are those of runs from here on: the seconds since 1970; engines count theirs from 0."""
FIRST_ID: Final = 0
"""Of the first list: what rests is taken in after it, and client ids only grow."""
LISTS: Final = frozenset({"deribit", "ouch"})
_OPEN: Final = frozenset({State.NEW, State.PENDING, State.AMENDING, State.CANCELING})


class Fate(Enum):
    """What became of a request."""

    DONE = "done"
    REFUSED = "refused by risk: nothing was sent"
    REJECTED = "rejected by the venue: nothing of it happened"
    UNCERTAIN = "UNCERTAIN: nobody knows whether it happened"


@dataclass(slots=True)
class Outcome:
    """What became of a request, and all that was told meanwhile."""

    fate: Fate
    refusals: tuple[Refusal, ...] = ()
    reports: list[Report] = field(default_factory=list)
    why: str = ""


class OrderDesk:
    """The desk. `tell` is given what an operator should know. Units: `timeout_ns` ns for each wait."""

    def __init__(
        self, config: Configuration, session: str, environment: Mapping[str, str], *, has_fair: bool = False,
        timeout_ns: int = TIMEOUT_NS, tell: Callable[[str], None] = lambda text: None,
        lists: bool = True, clock: Callable[[], int] = time.monotonic_ns, wall: Callable[[], int] = time.time_ns,
    ) -> None:  # fmt: skip
        """Read secrets; ask what the venue lists, where no session names instruments.

        `lists`: the venue's list of orders is needed; `has_fair`: orders come with what they are worth.

        Raises: ConfigurationError; UnreachableError.
        """
        chosen = self._chosen(config.sessions, session, lists)
        every = [one for one in config.sessions if one.venue == chosen[0].venue]
        self.contracts, traded = known_of(every, chosen, timeout_ns)
        self.account = Account(self.contracts)
        engine: Any = getattr(config, "engine", None)
        limits = shell_limits(self.contracts, fair=has_fair, said=getattr(engine, "limits", None))
        self.risk = Risk(self.account, limits, switch=shell_switch(getattr(engine, "kill_path", None)))
        self.ids = shell_ids(wall())
        self.last: Listed | None = None
        self._timeout_ns, self._clock = timeout_ns, clock
        self._heard: list[Report] = []
        self._down = ""
        self.sessions = Sessions(
            list(map(_staying, chosen)), {chosen[0].venue: traded}, environment, hear=self._hear, tell=tell,
        )  # fmt: skip
        self._doors = {one.number: Door(self.account, one.number, one.send) for one in self.sessions.links}

    @property
    def link(self) -> SessionLink:
        """Give the session that was named."""
        return self.sessions.links[0]

    @property
    def stays(self) -> bool:
        """Say whether an order rests when the command ends: an OUCH port may be one that cancels then."""
        return not self.link.config.cancel_on_disconnect

    @property
    def lister(self) -> SessionLink:
        """Give the session that lists."""
        return self.sessions.links[-1]

    def __enter__(self) -> Self:
        self.sessions.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.sessions.hang_up()
        self._turn(lambda: self.sessions.is_idle, GOODBYE_NS)
        self.sessions.close()

    # --- what can be asked

    def connect(self) -> None:
        """Wait until all sessions that are needed are up. Raises: UnreachableError."""
        if self._turn(lambda: all(one.is_up for one in self.sessions.links), self._timeout_ns):
            return
        missing = [one for one in self.sessions.links if not one.is_up]
        why = "; ".join(f"{one.name}: {', '.join(one.reconnects) or 'no answer'}" for one in missing)
        raise UnreachableError(f"not up within {self._timeout_ns / _S:g} s: {why}")

    def listed(self) -> Listed:
        """Ask what rests and what is held. Raises: UnreachableError when nobody answers."""
        before = self.last
        request = List(FIRST_ID if before is None else self.ids.take())
        self._pass(request, self.lister)
        self._turn(lambda: self.last is not before or self._said_no(request), self._timeout_ns)
        if self.last is None or self.last is before:
            raise UnreachableError(f"{self.lister.name}: the list was not answered: {self._why_not(request)}")
        return self.last

    def take_stock(self) -> str:
        """Know what rests and what is held; give what stands against sending anything, empty where nothing does."""
        take_in(self.account, self.listed(), self._clock())
        self.account.reconciled = None
        self.listed()
        found = self.account.reconciled
        if found is None or found.agreed:
            return ""
        return "; ".join(f"{one.found.value} ({one.client_id or '-'})" for one in found.findings) or "orders in doubt"

    def ask(self, request: Request, fair: int | None = None) -> Outcome:
        """Have a request judged, send it once, and wait for what becomes of it. Raises: UnreachableError."""
        if isinstance(request, New):  # the person who types stands in for the book
            self.risk.see(request.instrument, Seen(self._clock(), True, None, None, fair))
        self._heard = []
        refusals = self._pass(request, self.link)
        if refusals:
            return Outcome(Fate.REFUSED, refusals)
        try:
            done = self._turn(lambda: self._is_settled(request), self._timeout_ns)
            if done and isinstance(request, New):
                self._turn(lambda: False, AFTER_NS)
        except KeyboardInterrupt:
            return Outcome(Fate.UNCERTAIN, reports=self._heard, why="interrupted before the answer")
        return self._outcome(request, done)

    # --- inside

    def _chosen(self, sessions: Sequence[Session], name: str, lists: bool) -> list[Session]:
        named = next((one for one in sessions if one.name == name), None)
        if named is None:
            known = ", ".join(one.name for one in sessions) or "none"
            raise ConfigurationError(f"no session {name!r} in the configuration; there are {known}")
        if not lists or named.protocol in LISTS:
            return [named]
        lister = next((one for one in sessions if one.venue == named.venue and one.protocol in LISTS), None)
        if lister is None:
            raise ConfigurationFileError(
                f"{name}: {named.protocol} does not list what rests, and no other session of {named.venue} does: "
                f'name one of protocol = "deribit" beside it'
            )
        return [named, lister]

    def _pass(self, request: Request, link: SessionLink) -> tuple[Refusal, ...]:
        now = self._clock()
        verdict = self.risk.pass_(request, now)
        if verdict.cleared is None:
            return verdict.refusals
        if not link.is_up:
            raise UnreachableError(f"{link.name}: {self._down or 'not up'}; nothing was sent")
        unsent = self._doors[link.number].unsent
        self._doors[link.number].send(verdict.cleared, now)
        if self._doors[link.number].unsent > unsent:
            raise UnreachableError(f"{link.name}: the session refused it ({dict(link.refused)}); nothing was sent")
        link.flush()
        return ()

    def _hear(self, number: int, report: Report, now: int) -> None:
        if not isinstance(report, Down) and not self.sessions.links[number - 1].is_up:
            return  # what was said before we came (OUCH reads its day again): the list has what is left of it
        self._heard.append(report)
        if isinstance(report, Down):
            self._down = report.reason
        if isinstance(report, Listed):
            if self.last is None:  # the first is taken in, not held against an account that knows nothing
                self.last = report
                return
            self.last = report
        until = until_of(report) if isinstance(report, Tripped) else NEVER
        self.account.apply(report, now, until=until)

    def _is_settled(self, request: Request) -> bool:
        if self._said_no(request) or any(isinstance(one, Down) for one in self._heard):
            return True
        if isinstance(request, CancelAll):
            return any(isinstance(one, AllCanceled) and one.client_id == request.client_id for one in self._heard)
        order = self.account.orders.get(request.client_id)
        if order is None:
            return False
        if isinstance(request, Cancel):
            return order.is_over or order.state is State.UNCERTAIN
        return order.state not in _OPEN

    def _said_no(self, request: Request) -> bool:
        return any(isinstance(one, Rejected) and one.client_id == request.client_id for one in self._heard)

    def _why_not(self, request: Request) -> str:
        refused = [one for one in self._heard if isinstance(one, Rejected) and one.client_id == request.client_id]
        return refused[0].venue_reason if refused else self._down or "no answer in time"

    def _outcome(self, request: Request, done: bool) -> Outcome:
        if self._said_no(request):
            return Outcome(Fate.REJECTED, reports=self._heard, why=self._why_not(request))
        order = self.account.orders.get(request.client_id)
        doubted = order is not None and order.state in (*_OPEN, State.UNCERTAIN)
        lost = any(isinstance(one, Down) for one in self._heard)
        if not done or doubted or (order is None and lost):
            return Outcome(Fate.UNCERTAIN, reports=self._heard, why=self._why_not(request))
        return Outcome(Fate.DONE, reports=self._heard)

    def _turn(self, until: Callable[[], bool], timeout_ns: int) -> bool:
        """Let the sessions turn until something holds; False when it did not in time."""
        end = self._clock() + timeout_ns
        while not until():
            now = self._clock()
            if now >= end:
                return False
            self.sessions.loop.turn(min(end, self.account.deadline))
            self.account.wake(self._clock())
        return True


def _staying(one: Session) -> Session:
    """Let what rests stay when the command ends; whether an OUCH port cancels is not ours to say."""
    return one if one.protocol == "ouch" else msgspec.structs.replace(one, cancel_on_disconnect=False)


def known_of(
    sessions: Sequence[Session], chosen: Sequence[Session], timeout_ns: int
) -> tuple[dict[int, Contract], list[Traded]]:  # fmt: skip
    """Give what a venue's sessions trade: what they name, else what the venue lists to those that know it by name.

    Raises: UnreachableError; ConfigurationFileError where neither tells.
    """
    if any(one.instruments for one in sessions):
        return {index: one for index, (_, one) in instruments_of(sessions).items()}, traded_of(sessions)
    asked = chosen[0]
    if any(one.protocol != "deribit" for one in chosen):
        raise ConfigurationFileError(
            f"sessions of {sessions[0].venue}: {asked.protocol} knows instruments as the configuration has them: "
            f"name each under `instruments`, as in "
            f'instruments = [{{ name = "BTC-PERPETUAL", id = 1001, tick = "0.5", lot = "10", payoff = "perpetual" }}]; '
            f"`netfeed order` goes by a session of protocol deribit without"
        )
    return contracts_of(ask_instruments(asked, timeout_ns))


def shell_ids(wall_ns: int) -> ClientIds:
    """Give client ids that no engine and no other shell gives: the second is the run, the rest of it the counter."""
    seconds, rest = divmod(wall_ns, _S)
    return ClientIds(min(MAX_RUN, SHELL_RUNS + seconds % SHELL_RUNS), rest)


def named(contracts: Mapping[int, Any], name: str) -> Any:
    """Find a contract by name. Raises: ConfigurationError."""
    found = next((one for one in contracts.values() if one.name == name), None)
    if found is None:
        known = ", ".join(one.name for one in list(contracts.values())[:5]) or "none"
        raise ConfigurationError(
            f"no instrument {name!r} among those that the venue lists, or its sessions name; the first are {known}"
        )
    return found
