"""Our side of the truth: orders, positions, what may come upon them, and the groups' protections, kept in step.

One report goes to all of them in one call, so that no two of them ever differ. `risk` judges over an Account, the
journal makes one again from its records.

One account may span venues: limits are about the sum of what we hold, so that an account a venue could not keep them.
What a venue says of itself stays its own: a list is held against the instruments of its venue alone (`Contract.venue`),
and a session that is lost takes back the agreement with its venue alone (`sessions` says whose it is).
"""

from collections.abc import Callable, Collection, Iterable, Mapping

from netfeed.book.execution import (
    Down,
    Filled,
    Flag,
    Freed,
    List,
    Listed,
    MassQuote,
    Quoted,
    Report,
    Request,
    Tripped,
)
from netfeed.book.level import Side
from netfeed.engine.contract import Contract
from netfeed.engine.exposure import Exposure
from netfeed.engine.mmp import Group, Protection
from netfeed.engine.order import Order
from netfeed.engine.order_events import Event, Executed, Odd, Pull, pulls_first
from netfeed.engine.orders import ANSWER_NS, KEPT_OVER, Orders
from netfeed.engine.position import Positions
from netfeed.engine.reconcile import SETTLE_NS, Reconciled, Reconciler
from netfeed.engine.venue import Venues
from netfeed.machine import NEVER

NO_GROUP = 0
"""The protection group of orders with the MMP flag that no mass quote made."""

Watcher = Callable[[Collection[int] | None], None]
"""Is told of a change of the account: of these instruments, None: of any."""


class Account:
    """One account. `protections`: by group; `quote`: the currency of linear contracts; `sessions`: venues by number."""

    def __init__(
        self,
        contracts: Mapping[int, Contract],
        *,
        protections: Mapping[int, Protection] | None = None,
        quote: str = "USD",
        answer_ns: int = ANSWER_NS,
        settle_ns: int = SETTLE_NS,
        kept: int = KEPT_OVER,
        sessions: Mapping[int, str] | None = None,
    ) -> None:
        self.contracts = contracts
        self.venues = Venues(contracts, sessions)
        self.exposure = Exposure(contracts)
        self.orders = Orders(self.exposure, answer_ns=answer_ns, kept=kept, venues=self.venues)
        self.positions = Positions(contracts, quote=quote)
        self.groups = {number: Group(protection) for number, protection in (protections or {}).items()}
        self.reconciled: Reconciled | None = None
        """What the last list showed; None before the first."""
        self._agreed: set[str] = set()
        self._reconciler = Reconciler(self.orders, self.positions, settle_ns=settle_ns, venues=self.venues)
        self._watcher: Watcher | None = None

    # --- whether it is the truth

    def venue_of(self, instrument: int) -> str:
        """Give the venue of an instrument; "" of one that nobody knows."""
        return self.venues.of(instrument)

    def agrees_in(self, instrument: int) -> bool:
        """Say whether a list of its venue said the same as we do, and no session there was lost since.

        What is different in one instrument later stops that one alone (`orders.in_doubt`).
        """
        return self.venue_of(instrument) in self._agreed

    @property
    def agrees(self) -> bool:
        """Say whether we agree with every venue."""
        return self.venues.names() <= self._agreed

    def doubts(self, instruments: Collection[int]) -> bool:
        """Say whether a position in an underlying of these is in doubt: a delta that is told may not be there."""
        doubted, of = self.orders.suspects, self.contracts
        if not doubted:
            return False
        underlyings = {of[one].underlying for one in instruments}
        return any(one not in of or of[one].underlying in underlyings for one in doubted)

    def distrust(self, venue: str) -> None:
        """Take the agreement with a venue back: it says no more what it has of ours."""
        self._agreed.discard(venue)
        self._changed(None)

    def watch(self, watcher: Watcher) -> None:
        """Tell this one of every change from here on, before whoever caused it goes on: for `risk` alone."""
        self._watcher = watcher

    def __getstate__(self) -> dict[str, object]:
        """Give what is kept of an account: whoever watches it does not go with it."""
        return self.__dict__ | {"_watcher": None}

    def _changed(self, instruments: Collection[int] | None) -> None:
        if self._watcher is not None:
            self._watcher(instruments)

    # --- what we do

    def decide(self, request: Request, now: int) -> list[Event]:
        """Take down what will be asked: for `risk` alone. Raises: MisuseError."""
        events = self.orders.decide(request, now)
        self._changed(about(request))
        return events

    def sent(self, request: Request, session: int, now: int) -> list[Event]:
        """Take note that a request is handed to a session. Raises: MisuseError when it was before."""
        events = self.orders.sent(request, session, now)
        if isinstance(request, List):
            self._reconciler.asked(now, self.venues.of_session(session))
        self._changed(about(request))
        return events

    def unsent(self, request: Request, now: int) -> list[Event]:
        """Take note that no session would take a request: all is as before. Raises: MisuseError."""
        events = self.orders.unsent(request, now)
        self._changed(about(request))
        return events

    def wake(self, now: int) -> list[Event]:
        """Give up waiting for what is overdue."""
        events = self.orders.wake(now)
        if events:
            self._changed(None)
        return events

    @property
    def deadline(self) -> int:
        """Say when the first answer is overdue. Units: monotonic ns."""
        return self.orders.deadline

    # --- what the venue says

    def apply(self, report: Report, now: int, *, until: int = NEVER) -> list[Event]:
        """Take a report. `until`: when a Tripped group may quote again, on our clock. Units: monotonic ns."""
        events = self._apply(report, now, until)
        odd = isinstance(report, Filled) or any(isinstance(event, Odd | Pull) for event in events)
        self._changed(None if odd else about(report))
        return events

    def _apply(self, report: Report, now: int, until: int) -> list[Event]:
        if isinstance(report, Listed):
            venue = self.venues.of_session(report.session)
            self.reconciled = self._reconciler.take(report, now, venue)
            if self.reconciled.agreed:
                self._agreed.add(venue)
            return list(self.reconciled.events)
        events = self.orders.apply(report, now)
        pulls: list[Event] = []
        for event in events:
            if isinstance(event, Executed):
                pulls += self._executed(event.fill, event.order, now)
        if isinstance(report, Tripped) and report.group in self.groups:
            self.groups[report.group].trip(f"the venue: {report.why}", until)
        elif isinstance(report, Freed) and report.group in self.groups:
            self.groups[report.group].reset()
        elif isinstance(report, Down):
            self._agreed.discard(self.venues.of_session(report.session))
        return pulls_first(pulls + events)

    def _executed(self, fill: Filled, order: Order | None, now: int) -> Iterable[Event]:
        self.positions.fill(fill)
        self.exposure.set_position(fill.instrument, self.positions[fill.instrument].quantity)
        self._reconciler.moved(fill.instrument)
        number = _group_of(fill, order)
        group = None if number is None else self.groups.get(number)
        if group is None or not self._counts(group, fill, now):
            return []
        resting = {one.instrument for one in self.orders.open() if _is_of(one, number)}
        return [Pull(one, f"group {number} is frozen: {group.why}") for one in sorted(resting)]

    def _counts(self, group: Group, fill: Filled, now: int) -> bool:
        """Count an execution for its group; say whether that froze it."""
        units = self.exposure.sensitivity(fill.instrument)
        signed = fill.quantity if fill.side is Side.BID else -fill.quantity
        delta, vega = (0, 0) if units is None else (signed * units.delta, signed * units.vega)
        return group.fill(now, self.exposure.size(fill.instrument, fill.quantity), delta, vega)

    # --- what a person or the market says

    def adopt(self, instrument: int, quantity: int, price: int) -> None:
        """Hold what a person says that we hold; what is missing was traded at this price."""
        self.positions.adopt(instrument, quantity, price)
        self._position_changed(instrument)

    def settle(self, instrument: int, price: int) -> None:
        """Close what is held of a contract that has expired, at its settlement price."""
        self.positions.settle(instrument, price)
        self._position_changed(instrument)

    def restarted(self, now: int) -> list[Event]:
        """Doubt every order that is not over: nobody knows what became of it while we were away."""
        self._agreed.clear()
        self._reconciler.restarted()
        events = self.orders.doubt_all(now)
        self._changed(None)
        return events

    def know(self, contracts: Mapping[int, Contract]) -> None:
        """Know of more contracts; those that are not listed any more stay known."""
        self.contracts = {**self.contracts, **contracts}
        self.venues.know(self.contracts)
        self.exposure.know(self.contracts)
        self.positions.know(contracts)
        self._changed(None)

    def resume(self, fresh: "Account", now: int) -> None:
        """Go on under the contracts and settings of an empty account: since the journal they may be others.

        A freeze that ends by itself ends as if it began now: the time of another start of the machine says nothing.
        """
        self.know(fresh.contracts)
        self.venues.resume(fresh.venues)
        self.orders.resume(fresh.orders)
        self._reconciler.settle_ns = fresh._reconciler.settle_ns
        for number, group in fresh.groups.items():
            known = self.groups.setdefault(number, group)
            known.protection = group.protection
            if known.until != NEVER:
                known.until = min(known.until, now + group.protection.frozen_ns)
        self._changed(None)

    def snapshot(self) -> tuple[object, ...]:
        """Give all that is known, to compare."""
        return self.orders.snapshot(), self.positions.snapshot()

    def _position_changed(self, instrument: int) -> None:
        self.exposure.set_position(instrument, self.positions[instrument].quantity)
        self._reconciler.moved(instrument)
        self._changed(None)


def about(word: Request | Report) -> Collection[int] | None:
    """Give the instruments that a request or a report is about; None where it may be about any."""
    if isinstance(word, MassQuote):
        return [quote.instrument for quote in word.quotes]
    if isinstance(word, Quoted):
        return [instrument for instrument, _, _ in word.sides]
    instrument = getattr(word, "instrument", None)
    return None if instrument is None else (instrument,)


def _group_of(fill: Filled, order: Order | None) -> int | None:
    """Give the group that an execution counts for, None when for none: only makers of protected orders do."""
    if fill.maker is False:
        return None
    if order is None:
        return NO_GROUP if fill.quote else None
    return order.group if order.group is not None else NO_GROUP if order.flags & Flag.MMP else None


def _is_of(order: Order, group: int | None) -> bool:
    return order.group == group or (group == NO_GROUP and bool(order.flags & Flag.MMP))
