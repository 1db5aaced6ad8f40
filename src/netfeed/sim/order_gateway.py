"""A gateway of a simulated exchange in the words of `book.execution`: the seam below which a wire may stand, or none.

    gateway.open("mm", session, now)       Up(session)
    gateway.request("mm", New(...), now)   what the exchange says, by way of the faults
    gateway.kill(now)                      Down(session), and orders without KEEP are cancelled
    gateway.kill_after(1)                  the same right after the next request, whose answers nobody gets

What a gateway loses has happened all the same: `listed` of the exchange is the truth, and a client finds it out by
List. An account has one session at a time on each gateway. What it is told while it has none is lost, and counted
(`missed`).

It keeps the contract of a machine: time alone delivers what is delayed; `take` drains what is due.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from netfeed.book.execution import (
    Amend,
    Ask,
    Cancel,
    CancelAll,
    Cause,
    Down,
    List,
    Listed,
    MassQuote,
    New,
    Rejected,
    Report,
    Request,
    Up,
)
from netfeed.errors import MisuseError
from netfeed.machine import NEVER
from netfeed.sim.order_faults import NONE, Judge, OrderFaults
from netfeed.sim.switchboard import Switchboard

ASKS: Final[dict[type[Request], Ask]] = {
    New: Ask.NEW, Amend: Ask.AMEND, Cancel: Ask.CANCEL, CancelAll: Ask.CANCEL_ALL, MassQuote: Ask.QUOTE, List: Ask.LIST,
}  # fmt: skip


@dataclass(slots=True)
class _Session:
    """A session of an account. `cancels`: its orders leave when it is lost. `waiting`: when, and what."""

    number: int
    cancels: bool
    up: bool = True
    waiting: deque[tuple[int, Report]] = field(default_factory=deque)


class OrderGateway:
    """One gateway. `faults` may be changed at any time. `counts`: lost, duplicated, refused, missed reports."""

    def __init__(self, board: Switchboard, number: int, *, seed: int = 1, faults: OrderFaults = NONE) -> None:
        self.number = number
        self.faults = faults
        self.dead = False
        self.counts = dict.fromkeys(("lost", "duplicated", "refused", "missed"), 0)
        self._board = board
        self._judge = Judge(seed)
        self._sessions: dict[str, _Session] = {}
        self._lives: int | None = None
        board.attach(self)

    # -- of a client

    def open(self, account: str, session: int, now: int, *, cancels: bool = True) -> None:
        """Begin a session. Raises: MisuseError while the gateway is dead, or the account has a session here."""
        known = self._sessions.get(account)
        if self.dead or (known is not None and known.up):
            raise MisuseError(f"gateway {self.number} is dead, or {account!r} has a session on it")
        made = _Session(session, cancels)
        if known is not None:
            made.waiting.extend(known.waiting)
        self._sessions[account] = made
        made.waiting.append((now, Up(session)))

    def request(self, account: str, request: Request, now: int) -> None:
        """Ask for something. Raises: MisuseError unless the session is up."""
        session = self._sessions.get(account)
        if session is None or not session.up:
            raise MisuseError(f"{account!r} has no session on gateway {self.number}")
        if self._judge.judge(self.faults).refused:
            self.counts["refused"] += 1
            told = Rejected(request.client_id, ASKS[type(request)], Cause.RATE, "gateway_overloaded", self._wall(now))
            self._queue(session, told, now)
            return
        if self._lives is not None:
            self._lives -= 1
        self._board.request(account, request, now, self.number)
        if self._lives == 0:
            self.kill(now)

    def close(self, account: str, now: int, reason: str = "closed by the client") -> None:
        """End a session; what is on its way is lost. Does nothing where there is none."""
        session = self._sessions.get(account)
        if session is None or not session.up:
            return
        session.up = False
        self.counts["lost"] += sum(not isinstance(report, Up | Down) for due, report in session.waiting if due > now)
        kept = [(due, report) for due, report in session.waiting if due <= now]
        session.waiting = deque([*kept, (now, Down(session.number, reason, session.cancels))])
        if session.cancels:
            self._board.disconnect(account, self.number, now)

    def take(self, account: str, now: int) -> list[Report]:
        """Drain what has come for an account by now."""
        session, taken = self._sessions.get(account), []
        while session is not None and session.waiting and session.waiting[0][0] <= now:
            taken.append(session.waiting.popleft()[1])
        return taken

    @property
    def deadline(self) -> int:
        """Say when something is due for an account. Units: monotonic ns."""
        return min((one.waiting[0][0] for one in self._sessions.values() if one.waiting), default=NEVER)

    # -- of a driver

    def kill(self, now: int) -> None:
        """Let the gateway die: all sessions end, what was on its way is lost."""
        self.dead, self._lives = True, None
        for account in self._sessions:
            self.close(account, now, "the gateway died")

    def kill_after(self, requests: int) -> None:
        """Let it die when so many more requests are done, before any report of the last one has left."""
        if requests < 1:
            raise MisuseError("a gateway dies after one request or more")
        self._lives = requests

    def revive(self) -> None:
        """Let it be there again; nobody is logged on."""
        self.dead = False

    def deliver(self, account: str, reports: Sequence[Report], now: int) -> None:
        """Take what the exchange says to an account."""
        session = self._sessions.get(account)
        if session is None or not session.up or self._lives == 0:
            self.counts["missed"] += len(reports)
            return
        for report in reports:
            told = replace(report, session=session.number) if isinstance(report, Listed) else report
            self._queue(session, told, now)

    def _queue(self, session: _Session, report: Report, now: int) -> None:
        copies, delay_ns, _ = self._judge.judge(self.faults)
        self.counts["lost"] += copies == 0
        self.counts["duplicated"] += copies == 2
        due = max(now + delay_ns, session.waiting[-1][0] if session.waiting else 0)
        session.waiting.extend([(due, report)] * copies)

    def _wall(self, now: int) -> int:
        return self._board.wall_ns + now
