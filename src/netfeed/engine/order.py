"""The life of one order of ours, as a table: every state against everything that can happen to it.

    NEW        decided: it counts for every limit, nothing of it has been sent
    PENDING    sent; whether it rests, or what became of it, is not known yet
    LIVE       rests at the venue
    PARTIAL    rests, and some of it was executed
    AMENDING   rests; another price or quantity was asked for
    CANCELING  it was asked to leave
    UNCERTAIN  nobody knows: the session went down, no answer came in time, or the venue contradicted itself
    FILLED     over: all of it was executed
    CANCELED   over: what was left has left the book
    REJECTED   over: the venue never took it, or it was never sent

LIFE is the whole behaviour; documents and tests read it. Three rules made its cells:

1. What the venue executed is executed, whatever the state: a fill is never left uncounted because it comes late.
2. Nonsense about an order that may live makes it UNCERTAIN; nonsense about one that is over leaves it over, unless the
   venue says that it lives.
3. An order that was in doubt is believed again only by a report that ends it or by the venue's own list.
"""

from enum import Enum, IntEnum
from typing import Final, NamedTuple

from netfeed.book.execution import NONE, Flag, TimeInForce, VenueId
from netfeed.book.level import Side

MAX_PAST: Final = 8
"""Former prices and quantities that are remembered, so that a report that comes twice is known for what it is."""


class State(IntEnum):
    NEW = 0
    PENDING = 1
    LIVE = 2
    PARTIAL = 3
    AMENDING = 4
    CANCELING = 5
    UNCERTAIN = 6
    FILLED = 7
    CANCELED = 8
    REJECTED = 9


OVER: Final = frozenset({State.FILLED, State.CANCELED, State.REJECTED})
WAITING: Final = frozenset({State.NEW, State.PENDING, State.AMENDING, State.CANCELING})
"""States that somebody's answer must end, within a bound."""


class Input(Enum):
    """What can happen to an order."""

    SENT = "handed to the session"
    UNSENT = "the session would not take it"
    AMEND = "we ask for another price or quantity"
    CANCEL = "we ask it to leave"
    ACCEPTED = "acknowledged, and rests"
    ACCEPTED_GONE = "acknowledged, and does not rest"
    ACCEPTED_AGAIN = "acknowledged once more"
    REFUSED = "refused, and nothing was heard of it before"
    REFUSED_KNOWN = "refused, after it was acknowledged or executed"
    AMENDED = "amended as asked, and rests"
    AMENDED_GONE = "amended as asked, and does not rest"
    AMENDED_AGAIN = "amended to what it is, or was"
    AMENDED_WRONG = "amended to what nobody asked for"
    AMEND_REFUSED = "it stays as it was"
    AMEND_LOST = "no such order, says the answer to an amend"
    CANCEL_REFUSED = "it does not leave"
    CANCEL_LOST = "no such order, says the answer to a cancel"
    FILL = "a part was executed"
    FILL_WHOLE = "all that was left was executed"
    FILL_UNEXPECTED = "executed after it had left, and the venue had not said that this would come"
    CANCELED = "it has left"
    REPLACED = "it must have left: its successor rests, its group or all was cancelled"
    DOWN = "the session went down, or its successor was not answered"
    SILENT = "no answer within the bound"
    LISTED = "the venue lists it as resting"
    UNLISTED = "the venue's list does not have it"
    NONSENSE = "a report about it cannot be"


class Anomaly(Enum):
    """What was odd about a report, by name. Those of HARMLESS come with every reordering and repetition."""

    REPEATED = "said before"
    LATE = "overtaken by what ended the order"
    LATE_FILL = "executed before it left, told after"
    REPEATED_FILL = "this execution was counted before"
    NOT_SENT = "about an order that was never sent"
    UNKNOWN_ORDER = "about an order that we do not have"
    ACCEPT_AFTER_REJECT = "acknowledged after it was refused"
    REJECT_AFTER_ACCEPT = "refused after it was acknowledged or executed"
    FILL_AFTER_END = "executed after it had left"
    FILL_AFTER_REJECT = "executed after it was refused"
    CANCEL_AFTER_REJECT = "left after it was refused"
    CANCEL_AND_REFUSAL = "it left, and it was refused to leave"
    WRONG_AMEND = "amended to what nobody asked for"
    RISEN = "listed as resting after it was over"
    MISSING = "not listed, and no report ended it"
    OWED = "more was executed than was told one by one"
    POSITION = "the venue holds another position for us"
    BAD_QUANTITY = "a quantity that cannot be"
    BAD_TOTAL = "a total that cannot be"
    OVERFILLED = "more was executed than was ordered"
    WRONG_SIDE = "of the other side"
    WRONG_INSTRUMENT = "of another instrument"
    WRONG_PRICE = "at a price that nobody asked for"
    CHANGED_FILL = "an execution that was told otherwise before"


HARMLESS: Final = frozenset({Anomaly.REPEATED, Anomaly.LATE, Anomaly.LATE_FILL, Anomaly.REPEATED_FILL})


class Special(Enum):
    """Cells that are no state."""

    STAYS = "nothing changes"
    RESUMES = "what it was before the question: PENDING, LIVE, PARTIAL; FILLED when all of it is executed"
    MISUSE = "a mistake of the caller: refused before anything changes"


class Step(NamedTuple):
    """What an input does in a state."""

    to: State | Special
    odd: Anomaly | None


_N, _P, _L, _T, _A, _C, _U, _F, _X, _R = State
_o, _re, _mis = Special.STAYS, Special.RESUMES, Special.MISUSE
_again, _late, _fill, _unsent = Anomaly.REPEATED, Anomaly.LATE, Anomaly.LATE_FILL, Anomaly.NOT_SENT
_AR, _RA, _CR = Anomaly.ACCEPT_AFTER_REJECT, Anomaly.REJECT_AFTER_ACCEPT, Anomaly.CANCEL_AFTER_REJECT
_FE, _FR, _both = Anomaly.FILL_AFTER_END, Anomaly.FILL_AFTER_REJECT, Anomaly.CANCEL_AND_REFUSAL
_WA, _risen, _miss = Anomaly.WRONG_AMEND, Anomaly.RISEN, Anomaly.MISSING
_Cell = State | Special | Anomaly | tuple[State, Anomaly]
_AX, _RX, _UX, _FX = (_U, _AR), (_U, _risen), (_U, _FR), (_F, _FR)
_NF, _NX, _XF, _XR = (_F, _unsent), (_X, _unsent), (_F, _fill), (_R, _late)

# A state: it goes there. An anomaly alone: it stays when that is harmless, or when it is over; else it is UNCERTAIN.
_GRID: Final[dict[Input, tuple[_Cell, ...]]] = {
    # from                  NEW      PENDING  LIVE     PARTIAL  AMENDING CANCEL.  UNCERT.  FILLED   CANCELED REJECTED
    Input.SENT:            (_P,      _mis,    _mis,    _mis,    _mis,    _mis,    _mis,    _mis,    _mis,    _mis),
    Input.UNSENT:          (_R,      _mis,    _mis,    _mis,    _mis,    _mis,    _mis,    _mis,    _mis,    _mis),
    Input.AMEND:           (_mis,    _mis,    _A,      _A,      _mis,    _mis,    _mis,    _mis,    _mis,    _mis),
    Input.CANCEL:          (_X,      _C,      _C,      _C,      _C,      _o,      _o,      _o,      _o,      _o),
    Input.ACCEPTED:        (_unsent, _re,     _o,      _o,      _o,      _o,      _o,      _late,   _late,   _AX),
    Input.ACCEPTED_GONE:   (_unsent, _P,      _P,      _P,      _o,      _o,      _o,      _late,   _late,   _AX),
    Input.ACCEPTED_AGAIN:  (_unsent, _again,  _again,  _again,  _again,  _again,  _again,  _again,  _again,  _AX),
    Input.REFUSED:         (_unsent, _R,      _RA,     _RA,     _RA,     _R,      _R,      _RA,     _XR,     _again),
    Input.REFUSED_KNOWN:   (_unsent, _RA,     _RA,     _RA,     _RA,     _RA,     _RA,     _RA,     _RA,     _RA),
    Input.AMENDED:         (_unsent, _re,     _re,     _re,     _re,     _o,      _o,      _late,   _late,   _late),
    Input.AMENDED_GONE:    (_unsent, _P,      _P,      _P,      _P,      _o,      _o,      _late,   _late,   _late),
    Input.AMENDED_AGAIN:   (_unsent, _again,  _again,  _again,  _again,  _again,  _again,  _late,   _late,   _late),
    Input.AMENDED_WRONG:   (_unsent, _WA,     _WA,     _WA,     _WA,     _WA,     _WA,     _late,   _late,   _WA),
    Input.AMEND_REFUSED:   (_unsent, _late,   _late,   _late,   _re,     _o,      _o,      _late,   _late,   _late),
    Input.AMEND_LOST:      (_unsent, _U,      _U,      _U,      _U,      _o,      _o,      _late,   _late,   _late),
    Input.CANCEL_REFUSED:  (_unsent, _late,   _late,   _late,   _late,   _re,     _o,      _late,   _both,   _late),
    Input.CANCEL_LOST:     (_unsent, _U,      _U,      _U,      _U,      _U,      _o,      _late,   _late,   _late),
    Input.FILL:            (_unsent, _o,      _T,      _T,      _o,      _o,      _o,      _o,      _fill,   _UX),
    Input.FILL_WHOLE:      (_NF,     _F,      _F,      _F,      _F,      _F,      _F,      _o,      _XF,     _FX),
    Input.FILL_UNEXPECTED: (_FE,     _FE,     _FE,     _FE,     _FE,     _FE,     _FE,     _FE,     _FE,     _FE),
    Input.CANCELED:        (_NX,     _X,      _X,      _X,      _X,      _X,      _X,      _late,   _again,  _CR),
    Input.REPLACED:        (_o,      _X,      _X,      _X,      _X,      _X,      _X,      _o,      _o,      _o),
    Input.DOWN:            (_U,      _U,      _U,      _U,      _U,      _U,      _o,      _o,      _o,      _o),
    Input.SILENT:          (_U,      _U,      _o,      _o,      _U,      _U,      _o,      _o,      _o,      _o),
    Input.LISTED:          (_unsent, _re,     _o,      _o,      _o,      _o,      _re,     _RX,     _RX,     _RX),
    Input.UNLISTED:        (_o,      _o,      _miss,   _miss,   _miss,   _o,      _X,      _o,      _o,      _o),
    Input.NONSENSE:        (_U,      _U,      _U,      _U,      _U,      _U,      _o,      _o,      _o,      _o),
}  # fmt: skip


def _step(state: State, cell: _Cell) -> Step:
    if isinstance(cell, tuple):
        return Step(*cell)
    if not isinstance(cell, Anomaly):
        return Step(cell, None)
    stays = cell in HARMLESS or state in OVER
    return Step(Special.STAYS if stays else State.UNCERTAIN, cell)


LIFE: Final[dict[State, dict[Input, Step]]] = {
    state: {what: _step(state, row[state]) for what, row in _GRID.items()} for state in State
}


Key = int | tuple[int, int, Side]
"""What names an order here: its client id; for one side of a mass quote that of the request, instrument, and side."""


class Order:
    """One order, or one side of a quote: what was asked, what the venue said, what was executed.

    `asked`: price and quantity of an amend that is not answered. `rests`: as the venue said last; None before it did.
    `told`: the largest total of executions that the venue named; `final`: the one that it ended with. `guessed`: what
    it was concluded from that it is CANCELED, where the venue did not say so of this very order.
    `group`: of a mass quote; None for an order. Units: as in `book.execution`.
    """

    __slots__ = (
        "asked", "client_id", "counted", "filled", "final", "flags", "group", "guessed", "instrument", "number",
        "order_id", "past", "price", "quantity", "rests", "session", "side", "state", "time_in_force", "told",
    )  # fmt: skip

    def __init__(
        self,
        client_id: int,
        instrument: int,
        side: Side,
        price: int | None,
        quantity: int,
        *,
        number: int,
        group: int | None = None,
        flags: Flag = NONE,
        time_in_force: TimeInForce = TimeInForce.GTC,
    ) -> None:
        self.client_id, self.instrument, self.side = client_id, instrument, side
        self.price, self.quantity, self.group, self.number = price, quantity, group, number
        self.flags, self.time_in_force = flags, time_in_force
        self.state = State.NEW
        self.asked: tuple[int, int] | None = None
        self.past: tuple[tuple[int | None, int], ...] = ()
        self.order_id: VenueId | None = None
        self.rests: bool | None = None
        self.filled = self.told = self.counted = 0
        self.final: int | None = None
        self.guessed: Input | None = None
        self.session: int | None = None

    @property
    def key(self) -> Key:
        """Give what names it."""
        return self.client_id if self.group is None else (self.client_id, self.instrument, self.side)

    @property
    def is_over(self) -> bool:
        """Say whether nothing more is expected of it."""
        return self.state in OVER

    @property
    def most(self) -> int:
        """Give what can be executed of it at most, what was executed included."""
        return self.quantity if self.asked is None else max(self.quantity, self.asked[1])

    @property
    def open(self) -> int:
        """Give what it can still add to a position. Once it is over: what the venue has told and not shown yet."""
        if self.state not in OVER:
            return max(0, self.most - self.filled)
        if self.state is State.REJECTED:
            return 0
        return max(0, (self.told if self.final is None else self.final) - self.filled)

    def resumed(self) -> State:
        """Give the state that it has when no question about it is open."""
        if self.filled >= self.most:
            return State.FILLED
        if self.asked is not None:
            return State.AMENDING
        if not self.rests:
            return State.PENDING
        return State.PARTIAL if self.filled else State.LIVE

    def become(self, price: int | None, quantity: int) -> None:
        """Have another price and quantity, and remember the former."""
        if (price, quantity) != (self.price, self.quantity):
            self.past = (*self.past, (self.price, self.quantity))[-MAX_PAST:]
            self.price, self.quantity = price, quantity
        self.asked = None

    def knows(self, price: int | None, quantity: int) -> bool:
        """Say whether this is, or was, its price and quantity."""
        return (price, quantity) == (self.price, self.quantity) or (price, quantity) in self.past

    def snapshot(self) -> tuple[object, ...]:
        """Give all that is known of it, to compare."""
        return tuple(getattr(self, name) for name in self.__slots__)
