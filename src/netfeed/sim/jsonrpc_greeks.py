"""What a ticker of a simulated Deribit venue says of an option beside its prices: volatility and Greeks.

Source: F. Black, The pricing of commodity contracts (1976), without interest; the units of Deribit's ticker: volatility
in percent a year, vega and rho for one percent, theta for one day, all in USD; delta and gamma for one USD.

Floats, because a report is made of them; no book is. Leaves out: the settlement average of the last half hour.
"""

import math
from statistics import NormalDist
from typing import Final, NamedTuple

YEAR_NS: Final = 365 * 86_400 * 10**9
LEAST_NS: Final = 86_400 * 10**9
"""An option that expires sooner, or has, is told as if it had a day: a report must not divide by nothing."""
MAX_VOLATILITY: Final = 5.0
_STEPS: Final = 40
_CDF, _PDF = NormalDist().cdf, NormalDist().pdf


class Option(NamedTuple):
    """An option on `forward`. Units: `forward` and `strike` in USD, `years` to expiry."""

    call: bool
    forward: float
    strike: float
    years: float

    def price(self, volatility: float) -> float:
        """Give the price. Units: USD."""
        d1, d2 = self._d(volatility)
        if self.call:
            return self.forward * _CDF(d1) - self.strike * _CDF(d2)
        return self.strike * _CDF(-d2) - self.forward * _CDF(-d1)

    def volatility(self, price: float) -> float:
        """Give the volatility that makes this price, 0 when it is worth no more than at once. Units: price in USD."""
        low, high = 0.0, MAX_VOLATILITY
        if price <= max(self.forward - self.strike if self.call else self.strike - self.forward, 0.0):
            return 0.0
        for _ in range(_STEPS):
            middle = (low + high) / 2
            low, high = (middle, high) if self.price(middle) < price else (low, middle)
        return (low + high) / 2

    def greeks(self, volatility: float) -> dict[str, float]:
        """Give the Greeks, rounded as the venue rounds them."""
        d1, d2 = self._d(volatility)
        density, root = _PDF(d1), math.sqrt(self.years)
        sign = 1 if self.call else -1
        told = {
            "delta": sign * _CDF(sign * d1),
            "gamma": density / (self.forward * max(volatility, 1e-9) * root),
            "vega": self.forward * density * root / 100,
            "theta": -self.forward * density * volatility / (2 * root) / 365,
            "rho": sign * self.strike * self.years * _CDF(sign * d2) / 100,
        }
        return {name: round(value, 5) for name, value in told.items()}

    def _d(self, volatility: float) -> tuple[float, float]:
        spread = max(volatility, 1e-9) * math.sqrt(self.years)
        d1 = math.log(self.forward / self.strike) / spread + spread / 2
        return d1, d1 - spread
