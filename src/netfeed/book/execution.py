"""Orders of our own: what is asked of a venue, and what it says of them, whatever words it uses itself.

These are the words between whoever decides (`engine`) and whoever talks to a venue (`proto`, `venues`): requests go one
way, reports the other, and neither side knows the other. A session turns requests into its venue's messages and the
venue's answers into reports; what a report cannot say (a field that the venue does not send) is None, never 0.

    request        reports that may answer it
    New            Accepted, then Filled and Canceled as they come; or Rejected
    Amend          Amended, or Rejected
    Cancel         Canceled, or Rejected
    CancelAll      AllCanceled, and a Canceled for each order that it took; or Rejected
    MassQuote      Quoted, and Filled as they come; or Rejected
    List           Listed; or Rejected
    none           Filled, Canceled (the venue's own doing), Tripped, Freed, Up, Down

Units: prices and quantities are integers of the instrument's exponents; times ns since 1970; `client_id` is ours,
chosen before anything is sent, and never used twice.
"""

from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import Final

from netfeed.book.level import Side

MAX_CLIENT_ID: Final = 2**63 - 1
MAX_QUOTES: Final = 256
"""Quotes of one request; a session cuts them into as many messages as its venue wants."""

VenueId = int | str
"""How a venue names an order or a match: some number them, some do not."""


class TimeInForce(IntEnum):
    """How long an order may rest."""

    GTC = 0  # until it is cancelled
    IOC = 1  # not at all: what is not filled at once is cancelled
    FOK = 2  # all at once, or nothing
    DAY = 3


class Flag(IntFlag):
    """What else an order asks for."""

    POST_ONLY = 1  # never takes; the venue moves its price so that it rests
    POST_ONLY_REJECT = 2  # never takes; the venue refuses it where it would
    REDUCE_ONLY = 4  # never makes a position larger
    MMP = 8  # counts for the venue's market-maker protection
    KEEP = 16  # stays when the connection is lost; without it a venue that can cancels it then


NONE: Final = Flag(0)


class Ask(IntEnum):
    """What kind of request a report answers."""

    NEW = 1
    AMEND = 2
    CANCEL = 3
    CANCEL_ALL = 4
    QUOTE = 5
    LIST = 6


class Cause(IntEnum):
    """Why an order ended or was refused, in words that all venues share; the venue's own stand beside them."""

    OTHER = 0
    REQUESTED = 1
    TIME_IN_FORCE = 2
    SELF_MATCH = 3
    PROTECTION = 4  # market-maker protection
    DISCONNECTED = 5
    LIQUIDATION = 6
    VENUE = 7  # its own doing: a halt, an expiry, an administrator
    POST_ONLY = 8
    INSTRUMENT = 9  # unknown, expired, or not open
    PRICE = 10  # off tick, outside of the band
    QUANTITY = 11  # off lot, too small or too large
    MARGIN = 12
    LIMIT = 13  # of positions or open orders
    RATE = 14
    DUPLICATE = 15  # the client id was used before
    NOT_FOUND = 16  # no such order (any more)
    STATE = 17  # the market does not take this now


# --- requests


@dataclass(frozen=True, slots=True)
class New:
    """A new order. `price` None: at the market."""

    client_id: int
    instrument: int
    side: Side
    price: int | None
    quantity: int
    time_in_force: TimeInForce = TimeInForce.GTC
    flags: Flag = NONE


@dataclass(frozen=True, slots=True)
class Amend:
    """Another price and total quantity (what was filled included) for an order that rests.

    `flags` are those that the order had: where a venue takes them anew with each amendment, an order that was POST_ONLY
    must not cease to be.
    """

    client_id: int
    instrument: int
    price: int
    quantity: int
    flags: Flag = NONE


@dataclass(frozen=True, slots=True)
class Cancel:
    """An order shall leave."""

    client_id: int
    instrument: int


@dataclass(frozen=True, slots=True)
class CancelAll:
    """All orders and quotes shall leave: of everything, of an instrument, of a side.

    A session cancels what is its venue's; `venue` says to our own books which one that is, "" where there is only one.
    """

    client_id: int
    instrument: int | None = None
    side: Side | None = None
    venue: str = ""


@dataclass(frozen=True, slots=True)
class Quote:
    """Both sides of one instrument; a side without a price is pulled. It replaces the one before, whole."""

    instrument: int
    bid: int | None
    bid_quantity: int
    ask: int | None
    ask_quantity: int


@dataclass(frozen=True, slots=True)
class MassQuote:
    """Quotes of several instruments in one step, under one protection group.

    A session that must cut it into several messages tells what became of each. `reset` lifts the protection that has
    tripped before.
    """

    client_id: int
    group: int
    quotes: tuple[Quote, ...]
    reset: bool = False


@dataclass(frozen=True, slots=True)
class List:
    """What rests, and what do we hold? Answered by Listed."""

    client_id: int


Request = New | Amend | Cancel | CancelAll | MassQuote | List


# --- reports


@dataclass(frozen=True, slots=True)
class Accepted:
    """An order is known to the venue; `rests` is whether any of it is in the book."""

    client_id: int
    instrument: int
    order_id: VenueId
    price: int | None
    quantity: int
    filled: int
    rests: bool
    ts_event_ns: int | None


@dataclass(frozen=True, slots=True)
class Amended:
    """An order has another price and total quantity."""

    client_id: int
    instrument: int
    order_id: VenueId
    price: int
    quantity: int
    filled: int
    rests: bool
    ts_event_ns: int | None


@dataclass(frozen=True, slots=True)
class Rejected:
    """A request was refused: nothing of it happened. `venue_reason` is the venue's own word.

    `instruments`: those of the message that was refused, where a MassQuote was cut into several; none: all of it.
    """

    client_id: int
    ask: Ask
    cause: Cause
    venue_reason: str
    ts_event_ns: int | None
    instruments: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Filled:
    """So much of an order, or of a quote, was executed. `match_id` with `side` names it once and for all.

    `filled` is the order's total so far, where the venue says it. `fee` in 10**`fee_exponent` of the settlement
    currency, positive where we pay; None where the venue does not say it here. `quote`: it was one of a mass quote.
    """

    client_id: int
    instrument: int
    order_id: VenueId
    match_id: VenueId
    side: Side
    price: int
    quantity: int
    filled: int | None
    maker: bool | None
    ts_event_ns: int | None
    fee: int | None = None
    fee_exponent: int = 0
    quote: bool = False


@dataclass(frozen=True, slots=True)
class Canceled:
    """An order has left the book. `filled` is its total, where the venue says it.

    `quote`: it was one of a mass quote.
    """

    client_id: int
    instrument: int
    order_id: VenueId
    filled: int | None
    cause: Cause
    venue_reason: str
    ts_event_ns: int | None
    quote: bool = False


@dataclass(frozen=True, slots=True)
class AllCanceled:
    """A CancelAll was done; `count` orders left, where the venue says how many."""

    client_id: int
    count: int | None
    ts_event_ns: int | None


class QuoteState(IntEnum):
    """What became of one side of a quote."""

    NONE = 0
    RESTS = 1
    FILLED = 2
    CANCELED = 3
    REFUSED = 4


@dataclass(frozen=True, slots=True)
class QuoteSide:
    """One side of a quote as the venue has it now."""

    state: QuoteState
    order_id: VenueId | None
    price: int | None
    quantity: int
    filled: int
    cause: Cause
    venue_reason: str


@dataclass(frozen=True, slots=True)
class Quoted:
    """A mass quote was taken; each instrument with its bid and its ask."""

    client_id: int
    group: int
    sides: tuple[tuple[int, QuoteSide, QuoteSide], ...]
    ts_event_ns: int | None


@dataclass(frozen=True, slots=True)
class Tripped:
    """The venue's market-maker protection has cancelled a group's quotes. `until_ns` None: until somebody resets it.

    `orders`: it was that of single orders, whose groups are the venue's currency pairs.
    """

    group: int
    why: str
    until_ns: int | None
    ts_event_ns: int | None
    orders: bool = False


@dataclass(frozen=True, slots=True)
class Freed:
    """A group may quote again. `orders` as in Tripped."""

    group: int
    ts_event_ns: int | None
    orders: bool = False


@dataclass(frozen=True, slots=True)
class Up:
    """The session is logged on and in sequence. It is not reconciled yet: that is the caller's to ask."""

    session: int


@dataclass(frozen=True, slots=True)
class Down:
    """The session is gone, and every request that nobody answered uncertain.

    `cancels` is whether the venue was told to cancel what rests when that happens.
    """

    session: int
    reason: str
    cancels: bool


@dataclass(frozen=True, slots=True)
class OpenOrder:
    """An order that rests, as the venue lists it. `client_id` None: it is none of ours that anybody knows."""

    client_id: int | None
    instrument: int
    order_id: VenueId
    side: Side
    price: int | None
    quantity: int
    filled: int
    quote: bool


@dataclass(frozen=True, slots=True)
class Position:
    """What the venue says that we hold. Units: `quantity` signed; `average_price` None where it says none."""

    instrument: int
    quantity: int
    average_price: int | None


@dataclass(frozen=True, slots=True)
class Listed:
    """All orders that rest and all positions, as asked for; what is held against our own to reconcile."""

    session: int
    orders: tuple[OpenOrder, ...]
    positions: tuple[Position, ...]
    ts_event_ns: int | None


Report = Accepted | Amended | Rejected | Filled | Canceled | AllCanceled | Quoted | Tripped | Freed | Up | Down | Listed
