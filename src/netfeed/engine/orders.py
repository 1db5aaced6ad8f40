"""All orders of ours, by client id: what was asked, what the venue said, and what follows.

    decide(request)    NEW: it counts for every limit from here on; who calls is `risk`, before anything is sent
    sent, unsent       it was handed to a session, or that one would not take it
    apply(report)      events; each execution once, each oddity by name, and first of all which quotes must go
    wake(now)          what is not answered within the bound is UNCERTAIN, and said to be

Nothing is ever sent twice: client ids only grow, and an order that is decided, amended in doubt or sent again is a
misuse that is refused before anything changes. Reports never raise. `suspects` are the instruments of which something
was said that cannot be; they stay so until somebody who has compared with the venue says otherwise (`absolve`).
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from netfeed.book.execution import (
    MAX_QUOTES,
    Accepted,
    AllCanceled,
    Amend,
    Amended,
    Ask,
    Cancel,
    CancelAll,
    Canceled,
    Cause,
    Down,
    Filled,
    List,
    MassQuote,
    New,
    OpenOrder,
    Quoted,
    QuoteSide,
    QuoteState,
    Rejected,
    Report,
    Request,
    Tripped,
)  # fmt: skip
from netfeed.book.level import Side
from netfeed.engine import order_reports
from netfeed.engine.exposure import Exposure
from netfeed.engine.fill_memory import KEPT, FillMemory, Seen
from netfeed.engine.mass_quotes import Mass
from netfeed.engine.order import HARMLESS, LIFE, OVER, Anomaly, Input, Order, Special, State
from netfeed.engine.order_events import Event, Executed, Moved, Odd, Pull, pulls_first
from netfeed.engine.order_register import MAX_OPEN, Register
from netfeed.engine.venue import Venues
from netfeed.errors import MisuseError

ANSWER_NS: Final = 2_000_000_000
"""How long a venue may take to answer before an order is UNCERTAIN."""
KEPT_OVER: Final = 4_096
"""Orders that are over and kept for reports that come late."""

ASKS: Final[dict[type[Request], Ask]] = {
    New: Ask.NEW,
    Amend: Ask.AMEND,
    Cancel: Ask.CANCEL,
    CancelAll: Ask.CANCEL_ALL,
    MassQuote: Ask.QUOTE,
    List: Ask.LIST,
}
_ASKED: Final = frozenset({Input.SENT, Input.AMEND, Input.CANCEL, Input.ACCEPTED_GONE, Input.AMENDED_GONE})
"""After these an answer is waited for anew, even where the state is the same."""


class Orders:
    """All orders. `exposure` is told what may still be executed; `venues`: whose an instrument is."""

    def __init__(
        self, exposure: Exposure, *, answer_ns: int = ANSWER_NS, kept: int = KEPT_OVER, fills: int = KEPT,
        venues: Venues | None = None,
    ) -> None:  # fmt: skip
        self._register = Register(exposure, answer_ns=answer_ns, kept=kept)
        self._fills = FillMemory(fills)
        self._venues = venues or Venues()
        self._number = 0
        self.last_id = -1
        self.suspects: dict[int, Anomaly] = {}
        self.anomalies: Counter[Anomaly] = Counter()

    def resume(self, fresh: "Orders") -> None:
        """Go on under the settings of others."""
        self._register.resume(fresh._register)

    # --- looking

    def get(self, client_id: int, instrument: int | None = None, side: Side | None = None) -> Order | None:
        """Give an order by its client id; one side of a mass quote with instrument and side."""
        if instrument is not None and side is not None:
            quoted = self._register.get((client_id, instrument, side))
            if quoted is not None:
                return quoted
        return self._register.get(client_id)

    def open(self, instrument: int | None = None, side: Side | None = None) -> Iterator[Order]:
        """Give the orders that are not over: all, or those of an instrument, or of one side of it."""
        return self._register.open(instrument, side)

    def at(self, instrument: int, side: Side) -> Iterable[Order]:
        """Give the orders of one side of an instrument that are not over, without a search."""
        return self._register.at(instrument, side)

    def made(self, client_id: int) -> Sequence[Order]:
        """Give the orders that one request made: one, or the sides of a mass quote."""
        return self._register.made(client_id)

    @property
    def open_count(self) -> int:
        """Say how many orders are not over; each side of a quote is one."""
        return self._register.open_count

    @property
    def uncertain(self) -> int:
        """Say how many orders are UNCERTAIN."""
        return sum(self._register.uncertain.values())

    def in_doubt(self, instrument: int) -> bool:
        """Say whether nothing new may be asked for in an instrument: something of it is UNCERTAIN, or was nonsense."""
        return instrument in self.suspects or self._register.uncertain[instrument] > 0

    @property
    def deadline(self) -> int:
        """Say when the first answer is overdue. Units: monotonic ns, NEVER when none is waited for."""
        return self._register.deadline

    def snapshot(self) -> list[tuple[object, ...]]:
        """Give all that is known of all orders, to compare."""
        return [order.snapshot() for order in self._register.all()]

    # --- what we ask

    def objection(self, request: Request) -> str | None:
        """Say why a request cannot be decided, None when it can."""
        if isinstance(request, Cancel | CancelAll | List):
            return None
        if isinstance(request, Amend):
            return self._objection_to_amend(request)
        if request.client_id <= self.last_id:
            return f"client id {request.client_id} is not above {self.last_id}: each is used once, in order"
        if isinstance(request, New) and not order_reports.is_sane(request.quantity):
            return f"no quantity: {request.quantity}"
        if isinstance(request, MassQuote) and (why := _objection_to_quotes(request)):
            return why
        return "too many orders that are not over" if self.open_count >= MAX_OPEN else None

    def decide(self, request: Request, now: int) -> list[Event]:
        """Take down what will be asked. Raises: MisuseError with the objection; nothing has changed."""
        objection = self.objection(request)
        if objection is not None:
            raise MisuseError(objection)
        events: list[Event] = []
        if isinstance(request, Amend):
            order = self._register.made(request.client_id)[0]
            order.asked = (request.price, request.quantity)
            self._step(order, Input.AMEND, None, now, events)
        elif isinstance(request, Cancel):
            self._ask_to_leave(self._of_client(request.client_id, request.instrument), now, events)
        else:
            self.last_id = max(self.last_id, request.client_id)
            self._number += 1
            self._decide_new(request, now, events)
        return events

    def may_send(self, request: Request) -> bool:
        """Say whether a request that was decided can be handed to a session: it was not sent, withdrawn or given up."""
        if not isinstance(request, New | MassQuote):
            return True
        orders = self._register.made(request.client_id)
        return all(LIFE[order.state][Input.SENT].to is not Special.MISUSE for order in orders)

    def sent(self, request: Request, session: int, now: int) -> list[Event]:
        """Take note that a request is handed to a session. Raises: MisuseError when that was done before."""
        if not self.may_send(request):
            raise MisuseError(f"{request.client_id} was sent, withdrawn or given up before: nothing is ever sent twice")
        if not isinstance(request, New | MassQuote):
            return []
        orders = self._register.made(request.client_id)
        for order in orders:
            order.session = session
        return self._all(orders, Input.SENT, now)

    def unsent(self, request: Request, now: int) -> list[Event]:
        """Take note that no session would take a request: nothing of it was sent, all is as before.

        Raises: MisuseError when it may have been sent.
        """
        if not self.may_send(request):
            raise MisuseError(f"{request.client_id} may have been sent")
        refusal = Rejected(request.client_id, ASKS[type(request)], Cause.STATE, "not sent", None)
        if not isinstance(request, New | MassQuote):
            return self.apply(refusal, now)
        events = self._all(self._register.made(request.client_id), Input.UNSENT, now)
        if isinstance(request, MassQuote):
            self._stay(request.client_id, now, events)
        return events

    # --- what the venue says

    def apply(self, report: Report, now: int) -> list[Event]:
        """Take a report, whatever it says. Those that are about no order give nothing."""
        events: list[Event] = []
        if isinstance(report, Filled):
            self._filled(report, now, events)
        elif isinstance(report, Accepted | Amended | Canceled):
            self._said(report, now, events)
        elif isinstance(report, Rejected):
            self._rejected(report, now, events)
        elif isinstance(report, Quoted):
            self._quoted(report, now, events)
        elif isinstance(report, AllCanceled):
            for order in self._register.swept(report.client_id):
                if order.group is not None:
                    self._step(order, Input.REPLACED, None, now, events)
        elif isinstance(report, Tripped):
            for order in self._register.places.of_group(report.group):
                if order.state not in (State.NEW, State.PENDING):
                    self._step(order, Input.REPLACED, None, now, events)
        elif isinstance(report, Down):
            return self._all([one for one in self.open() if one.session == report.session], Input.DOWN, now)
        return pulls_first(events)

    def listed(self, entry: OpenOrder, now: int) -> list[Event]:
        """Take an order of ours as the venue lists it."""
        order = None if entry.client_id is None else self.get(entry.client_id, entry.instrument, entry.side)
        events: list[Event] = []
        if order is None:
            self._odd(Anomaly.UNKNOWN_ORDER, entry.client_id or 0, entry.instrument, events)
        else:
            self._step(order, *order_reports.listed(order, entry), now, events)
        return pulls_first(events)

    def unlisted(self, order: Order, now: int) -> list[Event]:
        """Take note that the venue's list does not have an order that it should."""
        return self._all([order], Input.UNLISTED, now)

    def absolve(self, instrument: int) -> None:
        """Take note that an instrument agrees with what the venue says, or that a person has looked at it."""
        self.suspects.pop(instrument, None)

    def suspect(self, instrument: int, anomaly: Anomaly) -> Pull:
        """Take note that something is wrong with an instrument that no report of an order told."""
        self.suspects.setdefault(instrument, anomaly)
        return Pull(instrument, anomaly.value)

    def doubt_all(self, now: int) -> list[Event]:
        """Doubt all that is not over: after a restart nobody knows what became of it."""
        return self._all(list(self.open()), Input.DOWN, now)

    def wake(self, now: int) -> list[Event]:
        """Give up waiting for what is overdue. A call before the deadline does nothing."""
        events: list[Event] = []
        for order in self._register.overdue(now):
            self._step(order, Input.SILENT, None, now, events)
            for older in self._register.older(order):
                self._step(older, Input.DOWN, None, now, events)
        return pulls_first(events)

    # --- requests

    def _objection_to_amend(self, request: Amend) -> str | None:
        order = self._register.get(request.client_id)
        if order is None or order.instrument != request.instrument:
            return f"no order {request.client_id} to amend"
        if LIFE[order.state][Input.AMEND].to is Special.MISUSE:
            return f"{order.state.name} cannot be amended"
        return None if order_reports.is_sane(request.quantity) else f"no quantity: {request.quantity}"

    def _decide_new(self, request: Request, now: int, events: list[Event]) -> None:
        if isinstance(request, New):
            order = Order(
                request.client_id, request.instrument, request.side, request.price, request.quantity,
                number=self._number, flags=request.flags, time_in_force=request.time_in_force,
            )  # fmt: skip
            self._register.enter(order, now)
        elif isinstance(request, MassQuote):
            self._decide_quotes(request, now, events)
        elif isinstance(request, CancelAll):
            at = request.venue
            swept = [
                order
                for order in self.open(request.instrument, request.side)
                if not at or self._venues.of(order.instrument) == at
            ]
            self._register.keep_sweep(request.client_id, swept)
            self._ask_to_leave(swept, now, events)

    def _decide_quotes(self, request: MassQuote, now: int, events: list[Event]) -> None:
        mass = Mass(request.client_id, request.group, self._number)
        for quote in request.quotes:
            sides = ((Side.BID, quote.bid, quote.bid_quantity), (Side.ASK, quote.ask, quote.ask_quantity))
            for side, price, quantity in sides:
                if price is None:
                    mass.emptied.add((quote.instrument, side))
                    place = (request.group, quote.instrument, side)
                    self._ask_to_leave(self._register.places.before(place, self._number), now, events)
                    continue
                order = Order(
                    request.client_id, quote.instrument, side, price, quantity, number=self._number, group=request.group
                )
                mass.made[quote.instrument, side] = order
                self._register.enter(order, now)
        self._register.keep_mass(mass)

    def _ask_to_leave(self, orders: Iterable[Order], now: int, events: list[Event]) -> None:
        for order in orders:
            self._step(order, Input.CANCEL, None, now, events)

    def _of_client(self, client_id: int, instrument: int) -> list[Order]:
        return [order for order in self._register.made(client_id) if order.instrument == instrument]

    # --- reports

    def _said(self, report: Accepted | Amended | Canceled, now: int, events: list[Event]) -> None:
        order = self._register.get(report.client_id)
        if order is None and isinstance(report, Canceled):
            order = self._side_of(report)
        if order is None:
            self._odd(Anomaly.UNKNOWN_ORDER, report.client_id, report.instrument, events)
        elif isinstance(report, Accepted):
            self._step(order, *order_reports.accepted(order, report), now, events)
        elif isinstance(report, Amended):
            self._step(order, *order_reports.amended(order, report), now, events)
        else:
            self._step(order, *order_reports.canceled(order, report), now, events)

    def _side_of(self, report: Canceled) -> Order | None:
        """Find the side of a quote that a report is about: by the venue's name, or because only one is left."""
        sides = self._of_client(report.client_id, report.instrument)
        named = [order for order in sides if order.order_id == report.order_id]
        left = named or [order for order in sides if not order.is_over]
        return left[0] if len(left) == 1 else None

    def _rejected(self, report: Rejected, now: int, events: list[Event]) -> None:
        if report.ask is Ask.CANCEL_ALL:
            for order in self._register.swept(report.client_id):
                self._step(order, Input.CANCEL_REFUSED, None, now, events)
        elif report.ask is not Ask.LIST:
            orders, mass = self._register.made(report.client_id), self._register.mass(report.client_id)
            if not orders and mass is None:
                self._odd(Anomaly.UNKNOWN_ORDER, report.client_id, None, events)
            for order in orders:
                self._step(order, *order_reports.rejected(order, report), now, events)
            if report.ask is Ask.QUOTE:
                self._stay(report.client_id, now, events)

    def _stay(self, client_id: int, now: int, events: list[Event]) -> None:
        """Let what a mass quote would have taken out stay: nothing of it happened."""
        mass = self._register.mass(client_id)
        if mass is None:
            return
        for instrument, side in sorted(mass.emptied):
            for order in self._register.places.before((mass.group, instrument, side), mass.number):
                self._step(order, Input.CANCEL_REFUSED, None, now, events)

    def _quoted(self, report: Quoted, now: int, events: list[Event]) -> None:
        mass = self._register.mass(report.client_id)
        for instrument, bid, ask in report.sides:
            for side, said in ((Side.BID, bid), (Side.ASK, ask)):
                if mass is not None and (instrument, side) in mass:
                    self._quoted_side(mass, (instrument, side), said, now, events)
                elif said.state is not QuoteState.NONE:
                    self._odd(Anomaly.UNKNOWN_ORDER, report.client_id, instrument, events)

    def _quoted_side(self, mass: Mass, at: tuple[int, Side], said: QuoteSide, now: int, events: list[Event]) -> None:
        """Take what became of one side: of the order that was made, and of those that were there before it."""
        order, rests = mass.made.get(at), said.state is QuoteState.RESTS
        if order is not None:
            self._step(order, *order_reports.quoted(order, said), now, events)
        elif rests:
            self._odd(Anomaly.UNKNOWN_ORDER, mass.client_id, at[0], events)
        unclear = said.state is QuoteState.REFUSED or (order is None and rests)
        for older in self._register.places.before((mass.group, *at), mass.number):
            self._step(older, Input.DOWN if unclear else Input.REPLACED, None, now, events)

    def _filled(self, report: Filled, now: int, events: list[Event]) -> None:
        order = self.get(report.client_id, report.instrument, report.side)
        if not order_reports.is_sane(report.quantity):
            self._nonsense(order, Anomaly.BAD_QUANTITY, report, now, events)
            return
        seen = self._fills.see(report)
        if seen is Seen.REPEATED:
            self._odd(Anomaly.REPEATED_FILL, report.client_id, report.instrument, events)
        elif seen is Seen.CHANGED:
            self._nonsense(order, Anomaly.CHANGED_FILL, report, now, events)
        else:
            events.append(Executed(report, order))
            misfit = Anomaly.UNKNOWN_ORDER if order is None else order_reports.misfit(order, report)
            if order is None or misfit is not None:
                self._nonsense(order, misfit or Anomaly.UNKNOWN_ORDER, report, now, events)
            else:
                self._step(order, *order_reports.filled(order, report), now, events)

    def _nonsense(self, order: Order | None, anomaly: Anomaly, report: Filled, now: int, events: list[Event]) -> None:
        if order is not None:
            self._step(order, Input.NONSENSE, anomaly, now, events)
        if order is None or order.instrument != report.instrument:
            self._odd(anomaly, report.client_id, report.instrument, events)

    # --- one step of one order

    def _all(self, orders: Iterable[Order], what: Input, now: int) -> list[Event]:
        events: list[Event] = []
        for order in orders:
            self._step(order, what, None, now, events)
        return pulls_first(events)

    def _step(self, order: Order, what: Input, odd: Anomaly | None, now: int, events: list[Event]) -> None:
        """Do what the table says, then what an oddity of the numbers asks for."""
        before, step = order.state, LIFE[order.state][what]
        to = order.resumed() if step.to is Special.RESUMES else step.to
        if isinstance(to, State):
            order.state = to
            order.guessed = what if to is State.CANCELED and what in (Input.REPLACED, Input.UNLISTED) else None
        if (order.state not in OVER or order.guessed is not None) and order.filled >= order.most:
            order.state, order.guessed = State.FILLED, None  # an amend that would have left more was refused
        if odd is not None and odd not in HARMLESS:
            nonsense = LIFE[order.state][Input.NONSENSE].to
            order.state = nonsense if isinstance(nonsense, State) else order.state
        moved = order.state is not before
        self._register.settle(order, before, now, moved=moved or what in _ASKED)
        for instrument in self._register.forgotten_owing():
            events.append(self.suspect(instrument, Anomaly.OWED))
        if moved:
            events.append(Moved(order.key, order.instrument, before, order.state))
            if order.state is State.UNCERTAIN:
                events.append(Pull(order.instrument, f"an order is UNCERTAIN: {what.value}"))
        for anomaly in dict.fromkeys((step.odd, odd)):
            if anomaly is not None:
                self._odd(anomaly, order.client_id, order.instrument, events)

    def _odd(self, anomaly: Anomaly, client_id: int, instrument: int | None, events: list[Event]) -> None:
        self.anomalies[anomaly] += 1
        events.append(Odd(anomaly, client_id, instrument))
        if anomaly not in HARMLESS and instrument is not None:
            events.append(self.suspect(instrument, anomaly))


def _objection_to_quotes(request: MassQuote) -> str | None:
    if len(request.quotes) > MAX_QUOTES or len({quote.instrument for quote in request.quotes}) < len(request.quotes):
        return f"a mass quote has at most {MAX_QUOTES} instruments, each once"
    for quote in request.quotes:
        sides = ((quote.bid, quote.bid_quantity), (quote.ask, quote.ask_quantity))
        if any(price is not None and not order_reports.is_sane(quantity) for price, quantity in sides):
            return f"no quantity: {quote}"
    return None
