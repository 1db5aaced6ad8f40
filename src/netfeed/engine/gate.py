"""May we quote here, now? A state machine an instrument, that shuts at once and opens only after things stayed good.

    SHUT      nothing of ours may rest; the reason stands beside it
    SETTLING  all has been good since a moment; nothing rests yet
    OPEN      a strategy's wants are let through

What is looked at: that the instrument's book is LIVE and not crossed, the book of its hedge likewise and two-sided,
that its worth is known and neither its forward nor its volatility is too old, the clock, the time to its expiry, that
no order of ours there is UNCERTAIN, and what others hold it shut for (a person, the venue's protection, a refused
order). TRANSITIONS is the whole behaviour. Who asks decides how soon it is seen: `Desk` asks in the call that brings
the change.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from math import isfinite
from typing import Final

from netfeed.book.state import BookState
from netfeed.engine.strategy import Book, Fair, Phase, View
from netfeed.machine import NEVER


class Reason(Enum):
    """Why nothing may rest on an instrument."""

    NONE = "good"
    START = "not looked at yet"
    SETTLING = "all is good, but not for long enough"
    CLOCK = "the clock is off, or nobody knows"
    BOOK = "its book is not LIVE"
    CROSSED = "its book is crossed"
    HEDGE = "the book of its hedge is not LIVE, crossed, or one-sided"
    WORTH = "its worth is not known"
    FORWARD = "its forward is too old"
    MODEL = "its volatility is too old"
    HELD = "the worth of something that we hold is not known"
    EXPIRY = "it expires too soon"
    UNCERTAIN = "an order of ours is uncertain"
    HALTED = "a person has halted it"
    PROTECTION = "the venue's market-maker protection has tripped"
    REFUSED = "the venue refuses our orders"
    BROKEN = "the strategy has failed"


class Passage(Enum):
    """The state of a gate."""

    SHUT = 0
    SETTLING = 1
    OPEN = 2


class Sight(Enum):
    """What a look has shown."""

    BAD = 0
    GOOD = 1
    SETTLED = 2  # good, and for long enough


TRANSITIONS: Final[dict[tuple[Passage, Sight], Passage]] = {
    (Passage.SHUT, Sight.BAD): Passage.SHUT,
    (Passage.SHUT, Sight.GOOD): Passage.SETTLING,
    (Passage.SHUT, Sight.SETTLED): Passage.OPEN,
    (Passage.SETTLING, Sight.BAD): Passage.SHUT,
    (Passage.SETTLING, Sight.GOOD): Passage.SETTLING,
    (Passage.SETTLING, Sight.SETTLED): Passage.OPEN,
    (Passage.OPEN, Sight.BAD): Passage.SHUT,
    (Passage.OPEN, Sight.GOOD): Passage.OPEN,
    (Passage.OPEN, Sight.SETTLED): Passage.OPEN,
}


@dataclass(frozen=True, slots=True)
class GateSettings:
    """How old and how far off is too much. Units: ns. `needs_worth` False: a book is enough (a hedge)."""

    max_clock_off_ns: int = 5_000_000
    max_forward_age_ns: int = 1_000_000_000
    max_model_age_ns: int = 60_000_000_000
    min_expiry_ns: int = 600_000_000_000
    settle_ns: int = 500_000_000
    needs_worth: bool = True


@dataclass(frozen=True, slots=True)
class GateStatistics:
    """Counters of a `Gate`: how many are open now, how often which reason has shut an open one."""

    open: int
    looked: int
    pulled: dict[str, int]


@dataclass(slots=True)
class _State:
    passage: Passage = Passage.SHUT
    reason: Reason = Reason.START
    good_since: int = NEVER


class Gate:
    """The gates of some instruments; `hedges` names the instrument that each is hedged with, where there is one."""

    def __init__(self, settings: GateSettings, hedges: Mapping[int, int] | None = None) -> None:
        self._settings = settings
        self._hedges = dict(hedges or {})
        self._dependents: dict[int, set[int]] = {}
        for instrument, hedge in self._hedges.items():
            self._dependents.setdefault(hedge, set()).add(instrument)
        self._states: dict[int, _State] = {}
        self._holds: dict[int, dict[Reason, int]] = {}
        self._pulled: Counter[str] = Counter()

    def look(self, view: View, instrument: int) -> Reason:
        """Look at an instrument and move its gate. Returns why nothing may rest there; NONE only when it is OPEN."""
        state = self._states.setdefault(instrument, _State())
        reason = self.why(view, instrument)
        if reason is not Reason.NONE:
            state.good_since = NEVER
            self._move(state, Sight.BAD, reason)
            return reason
        state.good_since = min(state.good_since, view.now)
        settled = view.now - state.good_since >= self._settings.settle_ns
        self._move(state, Sight.SETTLED if settled else Sight.GOOD, Reason.NONE)
        return Reason.NONE if state.passage is Passage.OPEN else Reason.SETTLING

    def why(self, view: View, instrument: int) -> Reason:
        """Say what is bad about an instrument now, NONE when nothing is; the gate does not move."""
        if not self.clock_is_good(view):
            return Reason.CLOCK
        for reason, until in self._holds.get(instrument, {}).items():
            if view.now < until:
                return reason
        if any(order.phase is Phase.UNCERTAIN for order in view.working(instrument)):
            return Reason.UNCERTAIN
        reason = _of_book(view.book(instrument))
        if reason is not Reason.NONE:
            return reason
        hedge = self._hedges.get(instrument)
        if hedge is not None and not two_sided(view.book(hedge)):
            return Reason.HEDGE
        return self._of_worth(view, instrument)

    def clock_is_good(self, view: View) -> bool:
        """Say whether it is known that the clock is near enough."""
        return view.clock_off_ns is not None and abs(view.clock_off_ns) <= self._settings.max_clock_off_ns

    def hold(self, instrument: int, reason: Reason, until_ns: int = NEVER) -> None:
        """Hold an instrument shut for a reason, until a time or until `free`. Units: monotonic ns."""
        self._holds.setdefault(instrument, {})[reason] = until_ns

    def free(self, instrument: int, reason: Reason) -> None:
        """Take back a hold; nothing happens when there is none."""
        self._holds.get(instrument, {}).pop(reason, None)

    def dependents(self, instrument: int) -> frozenset[int]:
        """Give the instruments that are hedged with this one."""
        return frozenset(self._dependents.get(instrument, ()))

    def is_open(self, instrument: int) -> bool:
        """Say whether the last look has let a strategy's wants through."""
        return self.state(instrument)[0] is Passage.OPEN

    def state(self, instrument: int) -> tuple[Passage, Reason]:
        """Give the state of a gate, and the reason that shut it last."""
        state = self._states.get(instrument, _State())
        return state.passage, state.reason

    def statistics(self) -> GateStatistics:
        """Return a snapshot of the counters."""
        opened = sum(state.passage is Passage.OPEN for state in self._states.values())
        return GateStatistics(opened, len(self._states), dict(self._pulled))

    def _move(self, state: _State, sight: Sight, reason: Reason) -> None:
        after = TRANSITIONS[state.passage, sight]
        if state.passage is Passage.OPEN and after is Passage.SHUT:
            self._pulled[reason.name] += 1
        state.passage, state.reason = after, reason

    def _of_worth(self, view: View, instrument: int) -> Reason:
        limits, contract, fair = self._settings, view.contracts[instrument], view.fair(instrument)
        if contract.expiry_ns is not None and contract.expiry_ns - view.wall_ns < limits.min_expiry_ns:
            return Reason.EXPIRY
        if not limits.needs_worth:
            return Reason.NONE
        if fair is None or not _is_number(fair):
            return Reason.WORTH
        if view.now - fair.forward_at_ns > limits.max_forward_age_ns:
            return Reason.FORWARD
        if contract.is_option and view.now - fair.model_at_ns > limits.max_model_age_ns:
            return Reason.MODEL
        return Reason.HELD if view.greeks(contract.underlying).unknown else Reason.NONE


def _of_book(book: Book) -> Reason:
    if book.state is not BookState.LIVE:
        return Reason.BOOK
    bid, ask = book.bid, book.ask
    return Reason.CROSSED if bid and ask and bid.price >= ask.price else Reason.NONE


def _is_number(fair: Fair) -> bool:
    """Say whether a worth is one that prices can be made of."""
    return all(map(isfinite, (fair.value, fair.forward, fair.delta, fair.vega))) and fair.forward > 0


def two_sided(book: Book) -> bool:
    """Say whether a book can be believed and traded on: LIVE, both sides there, not crossed."""
    bid, ask = book.bid, book.ask
    return book.state is BookState.LIVE and bid is not None and ask is not None and bid.price < ask.price
