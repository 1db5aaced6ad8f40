"""What may not be passed, and the names under which risk refuses.

Every limit is a number of `Limits`; None: no limit. Which checks that makes is RULES, in the order in which they are
done; documents and tests read it.
"""

from dataclasses import dataclass, field
from enum import Enum
from math import isfinite
from typing import Final

from netfeed.errors import MisuseError
from netfeed.machine import NEVER

_SECOND: Final = 1_000_000_000
KEPT_FOR_HEDGES: Final = 10
"""One part of the burst in so many."""


class Rule(Enum):
    """Why a request was refused, by name; the metric's label."""

    KILLED = "killed"
    NOT_RECONCILED = "not_reconciled"
    REQUEST = "request"
    CONTRACT = "contract"
    UNCERTAIN = "uncertain"
    CLOCK = "clock"
    BOOK = "book"
    STALE = "stale"
    MARKET_ORDER = "market_order"
    SIZE = "size"
    FAIR = "fair"
    COLLAR = "collar"
    SELF_TRADE = "self_trade"
    PROTECTION = "protection"
    OPEN_ORDERS = "open_orders"
    POSITION = "position"
    EXPIRY = "expiry"
    SENSITIVITY = "sensitivity"
    DELTA = "delta"
    GAMMA = "gamma"
    VEGA = "vega"
    MARGIN = "margin"
    LOSS = "loss"
    UNMARKED = "unmarked"
    RATE = "rate"


RULES: Final[dict[Rule, str]] = {
    Rule.KILLED: "the kill switch is on; only cancels pass until a person re-arms",
    Rule.NOT_RECONCILED: "no list of the venue has agreed with our account since the session came up",
    Rule.REQUEST: "the request itself cannot be: a client id again, no quantity, an order that cannot be amended",
    Rule.CONTRACT: "no such contract; a price off its ticks or a quantity off its lots",
    Rule.UNCERTAIN: "an order of the instrument is UNCERTAIN, or something was said of it that cannot be",
    Rule.CLOCK: "the clock is further off than `clock_offset_ns`, or nobody has said how far",
    Rule.BOOK: "the instrument's book is not LIVE",
    Rule.STALE: "what is known of the book or of the fair value is older than `stale_ns`",
    Rule.MARKET_ORDER: "an order without a price, where `market_orders` does not allow it",
    Rule.SIZE: "more than `order_size` at once",
    Rule.FAIR: "worse than the fair value by more than the collar, or there is none",
    Rule.COLLAR: "worse than the other side of the book by more than the collar",
    Rule.SELF_TRADE: "would trade with an order of our own, or a quote's two sides cross",
    Rule.PROTECTION: "the group is frozen by market-maker protection",
    Rule.OPEN_ORDERS: "more than `open_orders` that are not over",
    Rule.POSITION: "with all orders of this side executed, the instrument would be beyond `position`",
    Rule.EXPIRY: "at worst the options of the expiry would come to more than `expiry`",
    Rule.SENSITIVITY: "something is held or asked for whose sensitivities are not known",
    Rule.DELTA: "at worst the delta would be beyond its limit, and further than it is",
    Rule.GAMMA: "at worst the gamma would be beyond its limit, and further than it is",
    Rule.VEGA: "at worst the vega would be beyond its limit, and further than it is",
    Rule.MARGIN: "more of the margin is used than `margin_percent`, or nobody has said how much",
    Rule.LOSS: "a currency has lost more than its limit, realised and at the marks; this kills",
    Rule.UNMARKED: "there is a limit of loss, and something that is held has no mark",
    Rule.RATE: "more messages than the venue takes; cancels pass and are paid for, and a part is kept for hedges",
}


@dataclass(frozen=True, slots=True)
class Limits:
    """What may not be passed. None: no limit.

    Units: `order_size` and `position` in the instrument's integer quantities, by instrument or, under None, for all
    others; `expiry` in units of the underlying; `delta`, `gamma`, `vega` as sensitivities are told; `collar_ppm`
    millionths of the price held against, at least `collar_ticks` ticks; `loss` by currency, in that currency; `rate`
    messages a second with `burst` at once, a mass quote counts one for each instrument; the others as they are called.
    """

    order_size: dict[int | None, int] = field(default_factory=dict)
    position: dict[int | None, int] = field(default_factory=dict)
    expiry: float | None = None
    delta: float | None = None
    gamma: float | None = None
    vega: float | None = None
    collar_ppm: int | None = None
    collar_ticks: int = 0
    market_orders: bool = False
    open_orders: int | None = None
    margin_percent: int | None = None
    loss: dict[str, float] = field(default_factory=dict)
    rate: int | None = None
    burst: int = 1
    stale_ns: int | None = None
    clock_offset_ns: int | None = None

    def __post_init__(self) -> None:
        """Refuse what nothing can be held against. Raises: MisuseError."""
        told = {"expiry": self.expiry, "delta": self.delta, "gamma": self.gamma, "vega": self.vega}
        for name, limit in (told | {f"loss of {currency}": most for currency, most in self.loss.items()}).items():
            if limit is not None and not (isfinite(limit) and limit >= 0):
                raise MisuseError(f"the limit of {name} is a number that is not negative, not {limit}; None for none")


class Pace:
    """So many messages a second and `burst` at once, as one number: when the bucket will be full again."""

    __slots__ = ("_burst", "_full_at", "_interval_ns")

    def __init__(self, rate: int, burst: int) -> None:
        if rate < 1 or burst < 1:
            raise MisuseError(f"a pace has a positive rate and burst, not {rate} and {burst}")
        self._interval_ns, self._burst = -(-_SECOND // rate), burst
        self._full_at = -NEVER

    def has(self, now: int, count: int, *, urgent: bool = True) -> bool:
        """Say whether so many may go now; what is not urgent leaves a tenth of the burst alone, unless all is there."""
        return count <= self.room(now, urgent=urgent)

    def room(self, now: int, *, urgent: bool = True) -> int:
        """Say how many may go now, as `has` does."""
        left = 0 if urgent or self._full_at <= now else self._burst // KEPT_FOR_HEDGES
        return (now + self._burst * self._interval_ns - max(self._full_at, now)) // self._interval_ns - left

    def spend(self, now: int, count: int) -> None:
        """Take note that so many went, whether they were there or not: what is owed is waited for."""
        self._full_at = max(self._full_at, now) + count * self._interval_ns
