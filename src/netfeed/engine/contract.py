"""An instrument as whoever decides sees it: what it pays, in which currency, and the steps of its prices and lots.

The words of venues end before this; `app` makes contracts of what venues list. Prices and quantities stay integers in
orders and books; `price_of` and `ticks_of` are the door to and from the floats of option maths.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final

YEAR_NS: Final = 31_536_000 * 10**9
"""365 days, as Deribit counts. Units: ns."""


class Payoff(Enum):
    """What a contract pays."""

    PERPETUAL = "perpetual"
    FUTURE = "future"
    CALL = "call"
    PUT = "put"
    SPOT = "spot"


@dataclass(frozen=True, slots=True)
class Contract:
    """One instrument.

    Units: prices in 10**`price_exponent`, quantities in 10**`quantity_exponent`; `multiplier`: what a unit of quantity
    (as a number, not as an integer) is, of the underlying, or of the quote currency where a future is `inverse`.
    `inverse`: settled in the underlying itself: an option is priced in it, a future's gain is paid in it.
    `steps` are (price from which on, tick) beside `tick`, the lowest first. Fees are shares of the notional. `venue`:
    whose account its orders and positions are in; "" where there is only one.
    """

    index: int
    name: str
    payoff: Payoff
    underlying: str
    inverse: bool
    price_exponent: int
    quantity_exponent: int
    tick: int
    lot: int
    multiplier: float = 1.0
    strike: float | None = None
    expiry_ns: int | None = None
    steps: tuple[tuple[int, int], ...] = ()
    maker_fee: float = 0.0
    taker_fee: float = 0.0
    venue: str = ""

    @property
    def is_option(self) -> bool:
        """Say whether it is a call or a put."""
        return self.payoff in (Payoff.CALL, Payoff.PUT)

    def tick_at(self, price: int) -> int:
        """Give the step of prices at a price."""
        for above, tick in reversed(self.steps):
            if price >= above:
                return tick
        return self.tick

    def down(self, price: float) -> int:
        """Round a price down to one that can be quoted. Units: from a number to 10**`price_exponent`."""
        return self._on_tick(price, up=False)

    def up(self, price: float) -> int:
        """Round a price up to one that can be quoted. Units: from a number to 10**`price_exponent`."""
        return self._on_tick(price, up=True)

    def number(self, price: int) -> float:
        """Give a price as a number."""
        return price * 10.0**self.price_exponent

    def size(self, quantity: int) -> float:
        """Give a quantity as a number."""
        return quantity * 10.0**self.quantity_exponent

    def years(self, now_ns: int) -> float:
        """Give the time to the expiry, never less than nothing. Units: years of 365 days."""
        return 0.0 if self.expiry_ns is None else max(0, self.expiry_ns - now_ns) / YEAR_NS

    def _on_tick(self, price: float, *, up: bool) -> int:
        """Round to the grid; a price within a billionth of a tick of it is on it: a float cannot say more."""
        scaled = price / 10.0**self.price_exponent
        tick = self.tick_at(int(scaled))
        steps = scaled / tick
        near = round(steps)
        if abs(steps - near) < 1e-9 * max(1.0, abs(steps)):
            return near * tick
        whole = int(steps // 1)
        return (whole + up) * tick
