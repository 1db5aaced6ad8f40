"""Quotes of one instrument by Avellaneda and Stoikov: a price that leans against what we hold, and a spread around it.

    reservation price   s - q * gamma * sigma^2 * tau
    spread              gamma * sigma^2 * tau + (2 / gamma) * log(1 + gamma / kappa)

s is the worth, q what we hold in lots of `unit`, sigma the standard deviation of the price over one second, tau what is
left of the horizon, gamma the aversion to risk, kappa how fast orders become rarer with the distance. The paper ends at
a closing time; a market that never closes has none, and tau stays the whole `horizon_s` then (`closes_ns` None).

Rounding, the minimum edge and not crossing are as the quoter's: outwards, after fees, never through the market.
Source: M. Avellaneda, S. Stoikov, High-frequency trading in a limit order book (2008), equations 29 and 30.
"""

from collections.abc import Collection
from dataclasses import dataclass
from math import log1p

from netfeed.book.level import Side
from netfeed.engine.contract import Contract
from netfeed.engine.placing import behind, held_back, last_price, whole_lots
from netfeed.engine.strategy import NOTHING, Fair, Targets, View, Want, Working
from netfeed.errors import MisuseError


@dataclass(frozen=True, slots=True)
class AvellanedaSettings:
    """The model's numbers.

    Units: `sigma` price (as a number) for the square root of a second; `kappa` one over price; `gamma` one over price
    and unit; `unit`, `quantity` and `max_position` in the instrument's quantity; `edge` price; `closes_ns` ns since
    1970.
    """

    gamma: float
    kappa: float
    sigma: float
    horizon_s: float
    unit: int
    quantity: int
    max_position: int
    edge: float = 0.0
    requote_ticks: int = 1
    closes_ns: int | None = None

    def __post_init__(self) -> None:
        if not (self.gamma > 0 and self.kappa > 0 and self.sigma >= 0 and self.horizon_s > 0 and self.unit > 0):
            raise MisuseError("gamma, kappa, horizon_s and unit must be positive, and sigma not negative")


class AvellanedaStoikov:
    """A strategy that quotes one instrument."""

    def __init__(self, instrument: int, settings: AvellanedaSettings) -> None:
        self._instrument = instrument
        self.settings = settings

    def decide(self, view: View, touched: Collection[int], /) -> Targets:
        """Say what shall rest."""
        fair = view.fair(self._instrument)
        if self._instrument not in touched:
            return {}
        if fair is None:
            return {self._instrument: NOTHING}
        contract = view.contracts[self._instrument]
        return {self._instrument: [want for side in Side for want in self._side(view, contract, fair, side)]}

    def reservation(self, view: View, fair: Fair) -> float:
        """Give the price at which we would as soon hold one more as one less. Units: as the price."""
        held = view.position(self._instrument) / self.settings.unit
        return fair.value - held * self._risk(view)

    def spread(self, view: View) -> float:
        """Give the whole spread. Units: as the price."""
        gamma, kappa = self.settings.gamma, self.settings.kappa
        return self._risk(view) + 2.0 / gamma * log1p(gamma / kappa)

    def _risk(self, view: View) -> float:
        """Give gamma * sigma^2 * tau."""
        settings, left = self.settings, self.settings.horizon_s
        if settings.closes_ns is not None:
            left = min(left, max(0, settings.closes_ns - view.wall_ns) / 1e9)
        return settings.gamma * settings.sigma**2 * left

    def _side(self, view: View, contract: Contract, fair: Fair, side: Side) -> list[Want]:
        settings, away = self.settings, 1 if side is Side.ASK else -1
        room = settings.max_position + away * view.position(self._instrument)
        quantity = whole_lots(contract, min(settings.quantity, room))
        wanted = self.reservation(view, fair) + away * self.spread(view) / 2
        last = last_price(contract, fair, view.book(self._instrument), side, settings.edge)
        price = held_back(side, contract.up(wanted) if side is Side.ASK else contract.down(wanted), last)
        if quantity <= 0 or price <= 0:
            return []
        old = next((order for order in view.working(self._instrument) if order.side is side), None)
        return [Want(side, self._kept(contract, old, price, last), quantity)]

    def _kept(self, contract: Contract, old: Working | None, price: int, last: int) -> int:
        """Keep the price of what rests when it is near enough and not beyond the last good one."""
        if old is None or old.price is None or behind(old.side, last, old.price):
            return price
        near = abs(old.price - price) < self.settings.requote_ticks * contract.tick_at(min(old.price, price))
        return old.price if near else price
