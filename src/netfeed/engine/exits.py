"""How everything leaves: what must be pulled, and all of it while the switch is thrown or the engine leaves.

`pull` asks for as little as takes some instruments out; `sweep` cancels everything by every session of a venue, and
again, until the venue lists nothing (`clearing`). Both give what follows for our orders; the engine does that.
"""

from collections import Counter
from collections.abc import Callable, Collection
from typing import Final, Protocol

from netfeed.book.execution import CancelAll, List, MassQuote, Request
from netfeed.engine.account import Account
from netfeed.engine.clearing import Clearing
from netfeed.engine.order_events import Event
from netfeed.engine.pulls import Pulls, Words
from netfeed.engine.questions import Questions
from netfeed.engine.router import Router
from netfeed.engine.targets import UNNUMBERED

_NO_QUOTES: Final = MassQuote(UNNUMBERED, 0, ())


class Send(Protocol):
    """The engine's own way of sending a request."""

    def __call__(
        self, request: Request, now: int, /, *, urgent: bool = False, session: int | None = None
    ) -> list[Event]:
        """Send it, and give what follows."""


Follow = Callable[[list[Event], int], None]


class Exits:
    """The ways out. `send` and `follow` are the engine's."""

    def __init__(
        self, account: Account, router: Router, questions: Questions, count: Counter[str], *, again_ns: int,
        send: Send, follow: Follow,
    ) -> None:  # fmt: skip
        self._account, self._router, self._questions, self._count = account, router, questions, count
        self._send, self._follow = send, follow
        self._pulls = Pulls(account, again_ns=again_ns)
        self.clearing = Clearing(router.venues, again_ns=again_ns)
        self._began = False

    def pull(self, instruments: Collection[int], now: int) -> list[Event]:
        """Take everything of ours out of these instruments."""
        events: list[Event] = []
        by_venue: dict[str, list[int]] = {}
        for instrument in instruments:
            by_venue.setdefault(self._account.venue_of(instrument), []).append(instrument)
        for venue, members in by_venue.items():
            if any(self._account.orders.in_doubt(one) for one in members):
                self._questions.doubt(venue, now)
            for request in self._pulls.requests(members, venue, self._words(venue), now):
                self._count["pulled"] += 1
                events += self._send(request, now, urgent=True)
        return events

    def leave_silent(self, now: int) -> list[Event]:
        """Take everything of ours out where a venue answers no more what rests."""
        events: list[Event] = []
        for venue in self._questions.silent():
            self._count["silent"] += 1
            self._account.distrust(venue)
            events += self.pull(self._ours_at(venue), now)
        return events

    def clear(self, now: int) -> None:
        """Cancel everything by every session where that is due; what comes to life later begins it anew."""
        if not self._began:
            self._began = True
            self.clearing.begin(now)
        for venue in {self._account.venue_of(order.instrument) for order in self._account.orders.open()}:
            self.clearing.again(venue, now)
        for venue in self.clearing.due(now):
            self._sweep(venue, now)

    def stop(self) -> None:
        """Cancel no more: a person has armed again."""
        self._began = False
        self.clearing.stop()

    @property
    def has_begun(self) -> bool:
        """Say whether everything was asked to leave."""
        return self._began

    def _ours_at(self, venue: str) -> set[int]:
        ours = {order.instrument for order in self._account.orders.open()}
        return {one for one in ours if self._account.venue_of(one) == venue}

    def _words(self, venue: str) -> Words:
        up = [route for route in self._router.routes(venue) if route.is_up]
        probe = CancelAll(UNNUMBERED, venue=venue)
        return Words(any(route.takes(probe) for route in up), any(route.takes(_NO_QUOTES) for route in up))

    def _sweep(self, venue: str, now: int) -> None:
        request = CancelAll(UNNUMBERED, venue=venue)
        routes = [route for route in self._router.routes(venue) if route.is_up and route.takes(request)]
        self.clearing.asked(venue, now)
        for route in routes:
            self._follow(self._send(request, now, urgent=True, session=route.number), now)
        if not routes:
            self._follow(self.pull(self._ours_at(venue), now), now)
        if not any(route.takes(List(UNNUMBERED)) for route in self._router.routes(venue)):
            self.clearing.unlisted(venue, len(self._ours_at(venue)))
        self._questions.up(venue, now)
