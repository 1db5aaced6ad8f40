"""How far delta may go before it is worth paying to bring it back.

    fixed             a width
    Whalley-Wilmott   (3/2 * exp(-rate * years) * cost * forward * gamma^2 / aversion) ^ (1/3)

The second is the limit for small costs of what an investor with exponential utility does: inside the band he waits, at
its edge he trades just so much that he is back on the edge. `cost` is the share of the traded value that trading costs.
Where there is no gamma there is no reason to wait for it to come back by itself, and the band is `least`.

Source: A. Whalley, P. Wilmott, An asymptotic analysis of an optimal hedging model for option pricing with transaction
costs (1997).
"""

from dataclasses import dataclass
from math import exp
from typing import Protocol

from netfeed.engine.strategy import Greeks
from netfeed.errors import MisuseError


class Band(Protocol):
    """Whatever says how far delta may go."""

    def half_width(self, held: Greeks, forward: float, cost: float) -> float:
        """Give how far delta may be from nothing. Units: underlying."""


@dataclass(frozen=True, slots=True)
class Fixed:
    """A band of one width. Units: underlying."""

    half: float

    def half_width(self, held: Greeks, forward: float, cost: float) -> float:
        """Give the width, whatever is held."""
        return self.half


@dataclass(frozen=True, slots=True)
class WhalleyWilmott:
    """A band that widens with gamma and with costs.

    Units: `aversion` one over quote currency; `least` and `most` underlying; `years` to the end of what is hedged.
    """

    aversion: float
    least: float = 0.0
    most: float = float("inf")
    rate: float = 0.0
    years: float = 0.0

    def __post_init__(self) -> None:
        if not self.aversion > 0 or not 0 <= self.least <= self.most:
            raise MisuseError("a band needs a positive aversion, and least <= most, neither negative")

    def half_width(self, held: Greeks, forward: float, cost: float) -> float:
        """Give how far delta may be from nothing."""
        discounted = 1.5 * exp(-self.rate * self.years) * cost * forward
        width: float = (discounted * held.gamma**2 / self.aversion) ** (1.0 / 3.0)
        return min(self.most, max(self.least, width))
