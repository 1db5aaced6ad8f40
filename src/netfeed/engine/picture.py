"""What an engine shows of itself: one frozen picture, for a screen, a summary or metrics; nothing decides by it.

Prices are integers of their contract, worths and Greeks floats, money integers of a named exponent. None: not known.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from netfeed.book.state import BookState


@dataclass(frozen=True, slots=True)
class QuotePicture:
    """What rests of ours on one side: the best price, all that is left, and whether an answer is awaited."""

    price: int
    quantity: int
    under_way: bool = False


@dataclass(frozen=True, slots=True)
class InstrumentPicture:
    """One instrument of the chain, or one that hedges it. `shut`: why the gate is shut, empty when it is open.

    Units: `bid`, `ask` and quotes in the contract's; `fair` as its price is quoted; `volatility` of a year.
    """

    instrument: int
    name: str
    state: BookState
    bid: int | None
    ask: int | None
    price_exponent: int
    quantity_exponent: int
    strike: float | None
    expiry_ns: int | None
    is_call: bool | None
    fair: float | None
    volatility: float | None
    our_bid: QuotePicture | None
    our_ask: QuotePicture | None
    position: int
    shut: str = ""


@dataclass(frozen=True, slots=True)
class ExpiryPicture:
    """What is held of one expiry (None: what never expires), and the curve it is valued by. `fitted_ns`: its age."""

    expiry_ns: int | None
    forward: float | None
    fitted_ns: int | None
    verdict: str
    delta: float
    gamma: float
    vega: float
    theta: float


@dataclass(frozen=True, slots=True)
class LimitPicture:
    """How much of a limit is used. Units: `used` and `limit` those of the rule."""

    rule: str
    used: float
    limit: float


@dataclass(frozen=True, slots=True)
class RoutePicture:
    """An order session. Units: ns."""

    number: int
    name: str
    is_up: bool
    latency_ns: int | None
    sent: int
    unsent: int


@dataclass(frozen=True, slots=True)
class MoneyPicture:
    """Profit and loss in one currency. Units: integers of 10**`exponent`."""

    currency: str
    exponent: int
    realised: int
    unrealised: int | None
    fees: int


@dataclass(frozen=True, slots=True)
class EnginePicture:
    """All of an engine, as of `now`. `ready`: why it does not quote, empty when it may. Units: monotonic ns.

    `hedge` is what the hedger last decided, in words. `refused` counts requests by the risk rule that refused them;
    `held` counts the instruments of which something is held.
    """

    now: int
    wall_ns: int
    ready: str
    killed: str
    reconciled: bool
    instruments: tuple[InstrumentPicture, ...]
    expiries: tuple[ExpiryPicture, ...]
    limits: tuple[LimitPicture, ...]
    routes: tuple[RoutePicture, ...]
    money: tuple[MoneyPicture, ...]
    hedge: str
    orders: int
    fills: int
    hedges: int
    uncertain: int
    refused: Mapping[str, int]
    counters: Mapping[str, int]
    held: int = 0
