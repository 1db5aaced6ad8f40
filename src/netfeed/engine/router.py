"""Which session a request goes by, and that each goes once: the only holder of the doors.

    session = router.choose(request, now, urgent=...)   None: no session takes it now; nothing was decided, ask later
    router.send(session, cleared, now)                  through that session's door, at most once; queued
    router.flush(now)                                   what is queued leaves, one write a session

Of a venue's sessions those are asked that are up and have a word for the request. An amend or a cancel goes by the
session that owns its order as `Owner` of the venue says. Among the rest: one that answers before one that owes an
answer for longer than `overdue_ns`, one with room in its pace, the cheaper one, the one that answered sooner lately
(one that was not used for long is tried), the lower number.

Cancels and hedges (`urgent`) go though nothing has room, are paid for, and never wait; anything else is turned away,
because a price of a moment later is another price. Small orders that are not urgent share the write of their step.

Nothing is sent again, whatever happens to a session: its orders are in doubt, and the venue is asked. `CHOICES` and
`REFUSALS` are what is counted.
"""

from collections import Counter, OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from netfeed.book.execution import Amend, Cancel, CancelAll, Down, List, Listed, MassQuote, Report, Request
from netfeed.engine.account import Account
from netfeed.engine.cleared import Cleared
from netfeed.engine.door import Door
from netfeed.engine.limits import Pace
from netfeed.engine.order_events import Event
from netfeed.engine.route import Route
from netfeed.errors import MisuseError

MAX_OWED: Final = 4_096
"""Requests of a session whose answer is waited for; the oldest beyond that are given up, and counted."""
CHOICES: Final = ("only", "owner", "healthy", "room", "fee", "latency", "number")
"""Why a session was chosen: the first thing in which it was better than the next best."""
REFUSALS: Final = ("no_session", "no_word", "owner_down", "no_room", "unsent", "flush_failed")
"""Why a request was not sent: no session is up; none of those has a message for it; its owner is down and the venue
lets no other; every pace is used up; the session would not take it after all; its socket failed under the write."""


class Owner(Enum):
    """Whose an order is, in the eyes of its venue."""

    ALWAYS = "only the session that sent an order may amend or cancel it"
    WHILE_UP = "its session as long as that is up, then any other"
    NEVER = "any session, the best one"


@dataclass(frozen=True, slots=True)
class SessionTerms:
    """What a session costs and bears. Units: `rate` messages a second (None: no limit) with `burst` at once; `fee` what
    an order by this session costs above the others, a share.
    """

    rate: int | None = None
    burst: int = 1
    fee: float = 0.0


@dataclass(frozen=True, slots=True)
class RouterSettings:
    """How venues and sessions differ. Units: ns. `owners` by venue, `terms` by the number of the session.

    `stale_ns`: how long a measured latency holds of a session that is not used; then it is tried again.
    """

    overdue_ns: int = 500_000_000
    stale_ns: int = 10_000_000_000
    owners: Mapping[str, Owner] | None = None
    owner: Owner = Owner.WHILE_UP
    terms: Mapping[int, SessionTerms] | None = None


@dataclass(frozen=True, slots=True)
class SessionStatistics:
    """Counters of one session. Units: ns; `owed` requests without an answer."""

    number: int
    name: str
    venue: str
    is_up: bool
    latency_ns: int | None
    sent: int
    unsent: int
    owed: int
    flushes: int


class _Session:
    """A route with its door, its pace, and what it has not answered."""

    def __init__(self, account: Account, route: Route, terms: SessionTerms) -> None:
        self.route = route
        self.door = Door(account, route.number, route.send)
        self.pace = None if terms.rate is None else Pace(terms.rate, terms.burst)
        self.fee = terms.fee
        self.owed: OrderedDict[tuple[bool, int], int] = OrderedDict()
        # whether it is a List, and its client id: when it went
        self.queued = False
        self.used_at = 0
        self.flushes = self.taken = 0

    def has_room(self, now: int, messages: int) -> bool:
        return self.pace is None or self.pace.has(now, messages)

    def is_overdue(self, now: int, overdue_ns: int) -> bool:
        oldest = next(iter(self.owed.values()), None)
        return oldest is not None and now - oldest > overdue_ns

    def owe(self, request: Request, now: int) -> bool:
        """Note that an answer is due; say whether an older one was given up for it."""
        self.owed.setdefault((isinstance(request, List), request.client_id), now)
        return len(self.owed) > MAX_OWED and self.owed.popitem(last=False) is not None


class Router:
    """The sessions of all venues."""

    def __init__(self, account: Account, routes: Iterable[Route], settings: RouterSettings | None = None) -> None:
        self._account, self._settings = account, settings or RouterSettings()
        terms = self._settings.terms or {}
        self._sessions: dict[int, _Session] = {}
        for route in routes:
            if route.number in self._sessions:
                raise MisuseError(f"two sessions have the number {route.number}")
            self._sessions[route.number] = _Session(account, route, terms.get(route.number, SessionTerms()))
            account.venues.sent_by(route.number, route.venue)
        self.chosen: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.given_up = 0

    # --- which sessions there are

    @property
    def venues(self) -> list[str]:
        """Give the venues that a session goes to."""
        return sorted({one.route.venue for one in self._sessions.values()})

    def route(self, session: int) -> Route:
        """Give a session's route. Raises: MisuseError when there is none of this number."""
        if session not in self._sessions:
            raise MisuseError(f"there is no session {session}")
        return self._sessions[session].route

    def routes(self, venue: str | None = None) -> list[Route]:
        """List the sessions: all, or those of a venue."""
        return [one.route for one in self._sessions.values() if venue in (None, one.route.venue)]

    # --- the choice

    def choose(
        self, request: Request, now: int, *, venue: str | None = None, urgent: bool = False
    ) -> int | None:  # fmt: skip
        """Give the number of the session for a request; None, and a count, when none takes it now.

        `venue` is needed where the request names none (List).
        """
        venue = self._venue(request) if venue is None else venue
        there = [one for one in self._sessions.values() if one.route.venue == venue and one.route.is_up]
        able = [one for one in there if one.route.takes(request)]
        if not able:
            return self._refuse("no_word" if there else "no_session")
        owner = self._owner(request)
        how = (self._settings.owners or {}).get(venue, self._settings.owner)
        if owner is not None and how is not Owner.NEVER:
            mine = [one for one in able if one.route.number == owner]
            if mine and (isinstance(request, Cancel) or urgent or mine[0].has_room(now, 1)):
                self.chosen["owner"] += 1
                return owner
            if mine:
                return self._refuse("no_room")
            if how is Owner.ALWAYS:
                return self._refuse("owner_down")
        urgent = urgent or isinstance(request, Cancel | CancelAll | List)
        return self._best(able, _messages(request), now, urgent=urgent)

    def _best(self, able: list[_Session], messages: int, now: int, *, urgent: bool) -> int | None:
        ranked = sorted((self._rank(one, messages, now, urgent=urgent), one.route.number) for one in able)
        if not urgent:
            ranked = [(rank, number) for rank, number in ranked if not rank[1]]
        if not ranked:
            return self._refuse("no_room")
        self.chosen[_why(ranked)] += 1
        return ranked[0][1]

    def _rank(self, session: _Session, messages: int, now: int, *, urgent: bool) -> tuple[bool, bool, float, float]:
        return (
            session.is_overdue(now, self._settings.overdue_ns), not session.has_room(now, messages), session.fee,
            self._latency(session, now, urgent=urgent),
        )  # fmt: skip

    def _latency(self, session: _Session, now: int, *, urgent: bool) -> float:
        """Give what a session takes to answer. Nobody knows of one that was not used for long: it is tried, but not
        with what is urgent.
        """
        latency = session.route.latency_ns
        unknown = latency is None or now - session.used_at > self._settings.stale_ns
        return float(latency or 0) if not unknown else float("inf") if urgent else 0.0

    def _venue(self, request: Request) -> str:
        if isinstance(request, MassQuote):
            return self._account.venue_of(request.quotes[0].instrument) if request.quotes else ""
        if isinstance(request, CancelAll) and request.instrument is None:
            return request.venue
        return "" if isinstance(request, List) else self._account.venue_of(request.instrument or 0)

    def _owner(self, request: Request) -> int | None:
        if not isinstance(request, Amend | Cancel):
            return None
        orders = self._account.orders.made(request.client_id)
        return orders[0].session if orders else None

    def _refuse(self, why: str) -> int | None:
        self.refused[why] += 1
        return None

    # --- sending

    def send(self, session: int, cleared: Cleared, request: Request, now: int) -> tuple[bool, list[Event]]:
        """Hand what was cleared to a session, once; it leaves with the next flush. False: the session would not.

        Raises: MisuseError as the door does.
        """
        to = self._sessions[session]
        before = to.door.sent
        events = to.door.send(cleared, now)
        if to.door.sent == before:
            self.refused["unsent"] += 1
            return False, events
        to.queued = True
        self.took(session, request, now)
        return True, events

    def flush(self) -> None:
        """Write what is queued, one write a session."""
        for one in self._sessions.values():
            if one.queued:
                one.queued = False
                one.flushes += 1
                try:
                    one.route.flush()
                except OSError:
                    self.refused["flush_failed"] += 1  # what was queued is in doubt when its answer is overdue

    def heard(self, session: int, report: Report) -> None:
        """Take note that a session has said something."""
        one = self._sessions.get(session)
        if one is None:
            return
        if isinstance(report, Down):
            one.owed.clear()
        elif isinstance(report, Listed):
            for key in [key for key in one.owed if key[0]]:
                del one.owed[key]
        else:
            one.owed.pop((False, getattr(report, "client_id", -1)), None)

    def room(self, session: int, now: int) -> int:
        """Say how many messages a session would take now that are not urgent."""
        to = self._sessions[session]
        if not to.route.is_up:
            return 0
        return MAX_OWED if to.pace is None else max(0, to.pace.room(now))

    def took(self, session: int, request: Request, now: int) -> None:
        """Take note that a session has a request, by this way or by that of `quote_door`: it is paid for, and owed."""
        to = self._sessions[session]
        to.used_at = now
        to.taken += 1
        if to.pace is not None:
            to.pace.spend(now, _messages(request))
        self.given_up += to.owe(request, now)

    # --- what it shows

    def statistics(self) -> list[SessionStatistics]:
        """Give the counters of each session."""
        return [
            SessionStatistics(
                one.route.number, one.route.name, one.route.venue, one.route.is_up, one.route.latency_ns,
                one.taken, one.door.unsent, len(one.owed), one.flushes,
            )
            for one in self._sessions.values()
        ]  # fmt: skip


def _messages(request: Request) -> int:
    """Say how many messages a request counts for: a mass quote one for each instrument, as in `limits`."""
    return max(1, len(request.quotes)) if isinstance(request, MassQuote) else 1


def _why(ranked: list[tuple[tuple[bool, bool, float, float], int]]) -> str:
    """Name the first thing in which the best is better than the next."""
    if len(ranked) == 1:
        return "only"
    (best, _), (next_, _) = ranked[:2]
    names = ("healthy", "room", "fee", "latency")
    return next((name for name, a, b in zip(names, best, next_, strict=True) if a != b), "number")
