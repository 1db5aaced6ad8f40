"""Our orders and positions held against what the venue lists, until both say the same.

    ours at the question     theirs             what follows
    LIVE, PARTIAL, AMENDING  listed, the same   -
                             listed, different  UNCERTAIN, found DIFFERENT
                             not listed         UNCERTAIN, found MISSING
    UNCERTAIN                listed             what the venue says of it holds
                             not listed         found DOUBTED; CANCELED when a list that was asked for `settle_ns` later
                                                does not have it either: a request may still be on its way
    over                     listed             UNCERTAIN, found RISEN
    unknown                  listed             found UNKNOWN: a person, or a CancelAll, takes it out
    NEW, PENDING, CANCELING  any                their answer is waited for
    position                 another            found POSITION

What changed between the question and the answer is not judged by it: the list may be older. Nothing is ever sent again,
and no position is ever changed here: a difference that no report explains stays, is reported, and quoting stays off
(`agreed` is False) until the lists agree or a person says what holds.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from netfeed.book.execution import Listed, OpenOrder
from netfeed.engine.order import Anomaly, Key, Order, State
from netfeed.engine.order_events import Event, pulls_first
from netfeed.engine.orders import Orders
from netfeed.engine.position import Positions
from netfeed.engine.venue import Venues

SETTLE_NS: Final = 1_000_000_000
"""How long a request may be under way inside of a venue: longer than any was seen to take, short for a person."""
_RESTING: Final = (State.LIVE, State.PARTIAL, State.AMENDING)


class Found(Enum):
    """What a comparison can find."""

    UNKNOWN = "rests at the venue and is none of ours"
    MISSING = "rests by our account and not by the venue's"
    DIFFERENT = "rests otherwise than we think"
    RISEN = "rests at the venue and was over"
    DOUBTED = "is UNCERTAIN still"
    OWED = "was executed for more than we were told of"
    POSITION = "the venue holds another position for us"


@dataclass(frozen=True, slots=True)
class Finding:
    """One difference. `ours` and `theirs`: quantities of a position, totals of an order; None where there is none."""

    found: Found
    instrument: int
    client_id: int | None
    ours: int | None
    theirs: int | None


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What a list showed. `agreed`: nothing is different, and nothing UNCERTAIN."""

    events: tuple[Event, ...]
    findings: tuple[Finding, ...]
    agreed: bool


@dataclass(slots=True)
class _Question:
    """What held when the list was asked for, and which positions there were since."""

    at: int
    states: dict[Key, State]
    last_id: int
    positions: dict[int, set[int]]


class Reconciler:
    """Compare, list by list."""

    def __init__(
        self, orders: Orders, positions: Positions, *, settle_ns: int = SETTLE_NS,
        venues: Venues | None = None,
    ) -> None:  # fmt: skip
        self._orders, self._positions, self.settle_ns = orders, positions, settle_ns
        self._venues = venues or Venues()
        self._questions: dict[str, _Question] = {}
        self._unlisted: dict[Key, int] = {}

    def restarted(self) -> None:
        """Forget what was asked and missed before: its times may be those of another start of the machine."""
        self._questions.clear()
        self._unlisted.clear()

    def asked(self, now: int, venue: str = "") -> None:
        """Take note that a venue's list is asked for: the answer is judged by what holds now."""
        states = {order.key: order.state for order in self._orders.open()}
        held = {instrument: {self._positions[instrument].quantity} for instrument in self._positions}
        self._questions[venue] = _Question(now, states, self._orders.last_id, held)

    def moved(self, instrument: int) -> None:
        """Take note of an execution."""
        for question in self._questions.values():
            question.positions.setdefault(instrument, {0}).add(self._positions[instrument].quantity)

    def take(self, listed: Listed, now: int, venue: str = "") -> Reconciled:
        """Compare with a venue's list. One that nobody asked for settles nothing: `agreed` is False."""
        question = self._questions.pop(venue, None)
        if question is None:
            return Reconciled((), (), False)
        events: list[Event] = []
        findings: list[Finding] = []
        there: set[Key] = set()
        for entry in listed.orders:
            there.add(self._listed(entry, question, now, events, findings))
        for order in [one for one in self._open(venue) if one.key not in there]:
            self._not_listed(order, question, now, events, findings)
        doubtful = {order.key for order in self._orders.open() if order.state is State.UNCERTAIN}
        self._unlisted = {key: at for key, at in self._unlisted.items() if key in doubtful}
        self._compare_positions(listed, question, venue, events, findings)
        doubted = {order.instrument for order in self._open(venue) if order.state is State.UNCERTAIN}
        clear = {finding.instrument for finding in findings} | doubted
        for instrument in [one for one in self._orders.suspects if one not in clear and self._venues.of(one) == venue]:
            self._orders.absolve(instrument)
        return Reconciled(tuple(pulls_first(events)), tuple(findings), not findings and not doubted)

    def _open(self, venue: str) -> list[Order]:
        return [order for order in self._orders.open() if self._venues.of(order.instrument) == venue]

    def _listed(
        self, entry: OpenOrder, question: _Question, now: int, events: list[Event], findings: list[Finding]
    ) -> Key:
        order = None if entry.client_id is None else self._orders.get(entry.client_id, entry.instrument, entry.side)
        if order is None:
            events += self._orders.listed(entry, now)
            findings.append(Finding(Found.UNKNOWN, entry.instrument, entry.client_id, None, entry.quantity))
            return -1
        self._unlisted.pop(order.key, None)
        then, before = question.states.get(order.key), order.state
        if then is None and order.is_over and order.client_id <= question.last_id:
            events += self._orders.listed(entry, now)
            findings.append(_of(Found.RISEN, order, entry))
        elif (then is State.UNCERTAIN and before is State.UNCERTAIN) or (then in _RESTING and before in _RESTING):
            events += self._orders.listed(entry, now)
            if order.state is State.UNCERTAIN:
                findings.append(_of(Found.DIFFERENT, order, entry))
        if not order.is_over and entry.filled > order.filled:
            findings.append(_of(Found.OWED, order, entry))
        return order.key

    def _not_listed(
        self, order: Order, question: _Question, now: int, events: list[Event], findings: list[Finding]
    ) -> None:
        then = question.states.get(order.key)
        if then in _RESTING and order.state in _RESTING:
            events += self._orders.unlisted(order, now)
            findings.append(_of(Found.MISSING, order, None))
        if order.state is not State.UNCERTAIN:
            self._unlisted.pop(order.key, None)
        elif then is State.UNCERTAIN:
            first = self._unlisted.setdefault(order.key, question.at)
            if question.at - first >= self.settle_ns:
                del self._unlisted[order.key]
                events += self._orders.unlisted(order, now)
            else:
                findings.append(_of(Found.DOUBTED, order, None))

    def _compare_positions(
        self, listed: Listed, question: _Question, venue: str, events: list[Event], findings: list[Finding]
    ) -> None:
        theirs = {position.instrument: position.quantity for position in listed.positions}
        ours_there = {instrument for instrument in self._positions if self._venues.of(instrument) == venue}
        for instrument in sorted({*theirs, *ours_there}):
            ours = self._positions[instrument].quantity
            there = theirs.get(instrument, 0)
            if there != ours and there not in question.positions.get(instrument, ()):
                findings.append(Finding(Found.POSITION, instrument, None, ours, there))
                events.append(self._orders.suspect(instrument, Anomaly.POSITION))


def _of(found: Found, order: Order, entry: OpenOrder | None) -> Finding:
    theirs = None if entry is None else entry.filled
    return Finding(found, order.instrument, order.client_id, order.filled, theirs)
