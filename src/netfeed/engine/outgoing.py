"""The one way out: a request gets its number, is judged, written down, and handed to a session, in this order.

    choose a session -> number -> risk -> record(Decided) -> door -> record(Sent or Unsent)

The number is given last of all before risk, so that client ids grow in the order of passing, whichever desk asked
first. A request for which no session is there is turned away before anything is decided; one that risk is known to
refuse whole (killed, not reconciled, in doubt) is held back without asking, and counted as `held`.

What cannot be written down is not sent: the kill switch is thrown, and only what takes orders out still goes.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

from netfeed.book.execution import Amend, Cancel, CancelAll, List, MassQuote, New, Request
from netfeed.engine.account import Account
from netfeed.engine.client_ids import ClientIds
from netfeed.engine.journal import Decided, Record, Sent, Unsent
from netfeed.engine.order_events import Event
from netfeed.engine.orders import ASKS
from netfeed.engine.risk import Risk
from netfeed.engine.router import Router
from netfeed.engine.senses import Senses


class Outgoing:
    """Send requests. `sequence`: of the last change of a book that whoever decides has seen."""

    def __init__(
        self, account: Account, risk: Risk, router: Router, ids: ClientIds, senses: Senses,
        record: Callable[[Record], None],
    ) -> None:  # fmt: skip
        self._account, self._risk, self._router = account, risk, router
        self._ids, self._senses, self._record = ids, senses, record
        self.sequence = 0
        self.unwritten = ""
        self.closed = ""
        """Why nothing is asked for any more; empty while that is not so."""
        self.count: Counter[str] = Counter()
        self.resets: set[int] = set()
        """Protection groups that the next mass quote lifts: a person said so."""

    def send(
        self, request: Request, now: int, *, urgent: bool = False, session: int | None = None, venue: str | None = None
    ) -> list[Event]:
        """Send a request, or count why not. Gives what follows for our orders."""
        hopeful = self._hopeful(request)
        if hopeful is None:
            self.count["held"] += 1
            return []
        to = session if session is not None else self._router.choose(hopeful, now, venue=venue, urgent=urgent)
        if to is None:
            return []
        self._senses.look(named(hopeful))
        verdict = self._risk.pass_(self._numbered(hopeful), now, urgent=urgent)
        if verdict.cleared is None or verdict.request is None:
            return list(verdict.events)
        passed = verdict.request
        if not self.note(Decided(now, self.sequence, passed), now) and not takes_out(passed):
            return [*verdict.events, *self._account.unsent(passed, now)]
        sent, events = self._router.send(to, verdict.cleared, passed, now)
        ask = ASKS[type(passed)]
        self.note(Sent(now, to, ask, passed.client_id) if sent else Unsent(now, ask, passed.client_id), now)
        self._tally(passed, sent=sent)
        return [*verdict.events, *events]

    def took(self, session: int, request: Request, now: int) -> None:
        """Write down what has left already, by the door of the hot step."""
        if self.note(Decided(now, self.sequence, request), now):
            self.note(Sent(now, session, ASKS[type(request)], request.client_id), now)
        self._router.took(session, request, now)
        self._tally(request, sent=True)

    def take_id(self) -> int:
        """Give the next client id."""
        return self._ids.take()

    def note(self, record: Record, now: int) -> bool:
        """Write something down. Where that fails nobody may trade: the switch is thrown, and False."""
        try:
            self._record(record)
        except Exception as error:
            self.unwritten = f"{type(error).__name__}: {error}"
            self._risk.switch.kill("the journal", self.unwritten, now)
            return False
        return True

    def _numbered(self, request: Request) -> Request:
        if isinstance(request, Amend):
            made = self._account.orders.made(request.client_id)
            return replace(request, flags=made[0].flags) if made else request
        if isinstance(request, Cancel):
            return request
        numbered: Request = replace(request, client_id=self._ids.take())
        if isinstance(numbered, MassQuote) and numbered.group in self.resets and not takes_out(numbered):
            self.resets.discard(numbered.group)
            return replace(numbered, reset=True)
        return numbered

    def _hopeful(self, request: Request) -> Request | None:
        """Give what of a request risk may pass at all: None when that is nothing."""
        if takes_out(request) or isinstance(request, List):
            return request
        if isinstance(request, New | Amend):
            return request if self._may_ask(request.instrument) else None
        assert isinstance(request, MassQuote)
        quotes = tuple(
            one for one in request.quotes if (one.bid, one.ask) == (None, None) or self._may_ask(one.instrument)
        )
        if not quotes:
            return None
        return request if len(quotes) == len(request.quotes) else replace(request, quotes=quotes)

    def _may_ask(self, instrument: int) -> bool:
        return (
            not self.closed
            and not self._risk.switch.is_killed
            and self._account.agrees_in(instrument)
            and not self._account.orders.in_doubt(instrument)
        )

    def _tally(self, request: Request, *, sent: bool) -> None:
        if not sent:
            self.count["unsent"] += 1
        elif isinstance(request, MassQuote):
            self.count["mass_quotes"] += 1
            self.count["orders"] += sum((one.bid is not None) + (one.ask is not None) for one in request.quotes)
        else:
            self.count["orders"] += isinstance(request, New)
            self.count[ASKS[type(request)].name.lower()] += 1


def takes_out(request: Request) -> bool:
    """Say whether all that a request can do is to take orders out."""
    if isinstance(request, MassQuote):
        return all(quote.bid is None and quote.ask is None for quote in request.quotes)
    return isinstance(request, Cancel | CancelAll)


def named(request: Request) -> tuple[int, ...]:
    """Give the instruments that a request names."""
    if isinstance(request, MassQuote):
        return tuple(quote.instrument for quote in request.quotes)
    if isinstance(request, List) or request.instrument is None:
        return ()
    return (request.instrument,)
