"""How a strategy is written: what it sees (`View`), and what it answers (`Targets`). This is all of the interface.

    class Strategy(Protocol):
        def decide(self, view, touched) -> dict[instrument, list[Want]]

A strategy does not send, cancel or remember orders. It says what should rest, as often as it is asked, and the engine
sends the difference to what does (`targets`). So an answer that was lost, a fill in between or a restart needs no code
in a strategy: the next answer is right again. It reads no clock and no socket; all it knows stands in the view, so that
one and the same runs live, in a replay and in a simulation.

    answer                          what it means
    {7: [Want(...), Want(...)]}     these shall rest on instrument 7, and nothing else of ours
    {7: []}                         nothing shall rest there
    {} (7 is left out)              what rests there stays as it is

Whatever a strategy answers, a quote on a book that is not LIVE is pulled by `gate`, and no request leaves without risk.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Protocol

from netfeed.book.execution import Flag, TimeInForce
from netfeed.book.level import Level, Side
from netfeed.book.state import BookState
from netfeed.engine.contract import Contract


class Phase(IntEnum):
    """Where an order of ours stands, as far as a decision depends on it."""

    SENT = 0  # a new order or an amendment that nobody answered yet
    RESTS = 1
    LEAVING = 2  # a cancel was sent
    UNCERTAIN = 3  # nobody knows; it is neither touched nor counted on


@dataclass(frozen=True, slots=True)
class Working:
    """An order of ours, or one side of a quote, that rests or may rest.

    Units: `price` and `quantity` (what is left) in the instrument's; `placed_ns` monotonic ns, when it was last given
    its price; `asked_price` is what an unanswered amendment asks for: until the answer it may rest at either. `ahead`
    is what would be filled before it, None where the book does not tell. `price` None: at the market.
    """

    client_id: int
    instrument: int
    side: Side
    price: int | None
    quantity: int
    phase: Phase = Phase.RESTS
    filled: int = 0
    placed_ns: int = 0
    ahead: int | None = None
    asked_price: int | None = None
    quote: bool = False

    @property
    def settled(self) -> bool:
        """Say whether it rests and nothing of ours is under way to change that."""
        return self.phase is Phase.RESTS


@dataclass(frozen=True, slots=True)
class Want:
    """An order that shall rest (or, as IOC, be filled at once). `quote`: as a side of a mass quote, where there are
    any.
    """

    side: Side
    price: int
    quantity: int
    time_in_force: TimeInForce = TimeInForce.GTC
    flags: Flag = Flag.POST_ONLY
    quote: bool = False


@dataclass(frozen=True, slots=True)
class Fair:
    """What one unit of an instrument is worth, and how that moves.

    Units: `value` as its price is quoted, as a number (an inverse option in coin); `forward` in the quote currency.
    `delta` in underlying; of an inverse option the net one, premium paid in coin (delta - value). `gamma`: change of
    the delta for 1 of the forward. `vega`, `theta`: change of the value in the quote currency for a volatility of 1,
    and in a year. All of one unit of quantity and a multiplier of 1: see `greeks`. `forward_at_ns`, `model_at_ns`:
    the monotonic time of the oldest input that the forward, and the volatility, was made of.
    """

    value: float
    forward: float
    delta: float
    forward_at_ns: int
    model_at_ns: int
    gamma: float = 0.0
    vega: float = 0.0
    theta: float = 0.0
    volatility: float = 0.0


@dataclass(frozen=True, slots=True)
class Greeks:
    """What our positions in one underlying come to. Units: as `Fair`, for all of the quantity.

    `unknown` are instruments that we hold and whose worth is not known: they are in no sum, so that it is not the
    truth.
    """

    delta: float = 0.0
    gamma: float = 0.0
    vega: float = 0.0
    theta: float = 0.0
    unknown: tuple[int, ...] = ()


class Book(Protocol):
    """A book as a decision reads it; `OrderBook` and `LevelBook` are ones."""

    @property
    def state(self) -> BookState:
        """Tell what the book knows of itself; only a LIVE one is right."""

    @property
    def bid(self) -> Level | None:
        """Give the highest bid."""

    @property
    def ask(self) -> Level | None:
        """Give the lowest ask."""

    def depth(self, side: int, n: int, /) -> Sequence[Level]:
        """List up to `n` levels of a side, the best first."""


class View(Protocol):
    """What a strategy sees. It is read only, and true until `decide` returns."""

    @property
    def now(self) -> int:
        """Give the time for intervals and ages. Units: monotonic ns."""

    @property
    def wall_ns(self) -> int:
        """Give the time for expiries. Units: ns since 1970."""

    @property
    def clock_off_ns(self) -> int | None:
        """Say how far the wall clock may be off; None when nobody knows, which is as bad as far."""

    @property
    def contracts(self) -> Mapping[int, Contract]:
        """Give the instruments by their index."""

    def book(self, instrument: int, /) -> Book:
        """Give a book, whatever its state."""

    def working(self, instrument: int, /) -> Sequence[Working]:
        """List our own orders and quotes."""

    def position(self, instrument: int, /) -> int:
        """Give what we hold, signed. Units: the instrument's quantity."""

    def fair(self, instrument: int, /) -> Fair | None:
        """Give what it is worth, None where that is not known."""

    def greeks(self, underlying: str, /) -> Greeks:
        """Give what all positions in an underlying come to."""

    def filled_ns(self, instrument: int, /) -> int | None:
        """Say when we were last filled there, None when never. Units: monotonic ns."""


Targets = Mapping[int, Sequence[Want]]
"""What shall rest, by instrument."""
NOTHING: Final[Sequence[Want]] = ()


class Strategy(Protocol):
    """Whatever decides. `Quoter`, `AvellanedaStoikov` and `Hedger` are ones."""

    def decide(self, view: View, touched: Collection[int], /) -> Targets:
        """Say what shall rest on the instruments whose book, orders, position or worth has changed (or on others)."""
