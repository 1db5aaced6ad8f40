"""Quotes around a worth: half a spread to either side, shifted by what we hold, sized in tiers, held where they are.

A quote's prices are made in this order, and each step can only take them away from the other side:

    1  the worth is shifted as if the forward stood lower by `skew_delta` for each unit of delta that we hold, and the
       volatility lower by `skew_vega` for each unit of vega: long positions make our bid and our ask cheaper
    2  half the spread: the largest of so many ticks, a share of the worth, a part of the volatility through its vega
    3  no nearer to the worth itself than the minimum edge and the maker's fee, wherever the shift would put it
    4  rounded outwards to a tick
    5  moved back where it would take what rests on the other side

Near a limit of the position, of delta, gamma or vega only the side is quoted that leads away from it; sizes are what is
left to the limit, in whole lots. What the limits of all orders together are is for risk to say.

What rests stays when it is not far enough from where a new quote would stand: its place in the queue is worth more than
a tick. How far is `requote_ticks`, and `front_ticks` when at most `front` rests before it. Nothing moves nearer sooner
than `cool_down_ns` after it was placed; away from the market everything moves at once. A quote that has lost its edge
or would trade is never held. For `fill_pause_ns` after a fill nothing new is placed; what rests stays, and may move.

Nothing is remembered here: each answer is made of the view alone.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from netfeed.book.execution import NONE, Flag
from netfeed.book.level import Side
from netfeed.engine.contract import Contract
from netfeed.engine.greeks import unit_delta
from netfeed.engine.placing import behind, beside, held_back, in_price, last_price, whole_lots
from netfeed.engine.strategy import NOTHING, Fair, Greeks, Targets, View, Want, Working
from netfeed.errors import MisuseError


@dataclass(frozen=True, slots=True)
class Tier:
    """One step of a ladder: half the spread times `spread`, for `quantity` in the instrument's units."""

    spread: float
    quantity: int


@dataclass(frozen=True, slots=True)
class QuoterSettings:
    """How wide, how far, how much.

    Units: `half_ticks`, `requote_ticks`, `front_ticks`, `edge_ticks` in ticks; `half_share` of the worth;
    `half_volatility` a volatility; `skew_delta` in quote currency for a delta of 1; `skew_vega` a volatility for a vega
    of 1 of the quote currency; `max_position`, `front` and a tier's quantity in the instrument's quantity;
    `max_delta`, `max_gamma`, `max_vega` as `Greeks`. `refill`: the share of a tier that must be left for its order to
    be kept.
    """

    tiers: tuple[Tier, ...]
    half_ticks: float = 1.0
    half_share: float = 0.0
    half_volatility: float = 0.0
    edge_ticks: float = 0.0
    skew_delta: float = 0.0
    skew_vega: float = 0.0
    max_position: int = 2**62
    max_delta: float = float("inf")
    max_gamma: float = float("inf")
    max_vega: float = float("inf")
    requote_ticks: int = 1
    front_ticks: int = 2
    front: int = 0
    refill: float = 0.5
    cool_down_ns: int = 0
    fill_pause_ns: int = 0
    mass_quote: bool = True
    protected: bool = True

    def __post_init__(self) -> None:
        if not self.tiers or any(tier.quantity <= 0 or not tier.spread > 0 for tier in self.tiers):
            raise MisuseError("a quoter needs at least one tier, each with a positive spread and quantity")
        if not self.half_ticks > 0:
            raise MisuseError("half_ticks of a quoter must be positive: its bid and its ask would meet")
        if any(b.spread <= a.spread for a, b in zip(self.tiers, self.tiers[1:], strict=False)):
            raise MisuseError("the tiers of a quoter stand one behind the other: each needs a wider spread")


class _Place(NamedTuple):
    """One side of one instrument, as it is quoted now.

    Units: `middle`, `half` numbers as the price; `last`: the last price that earns its edge and takes nothing; `room`
    in the instrument's quantity.
    """

    view: View
    contract: Contract
    side: Side
    middle: float
    half: float
    last: int
    room: float


class Quoter:
    """A strategy that quotes some instruments, all with the same settings."""

    def __init__(self, instruments: Collection[int], settings: QuoterSettings) -> None:
        self._instruments = frozenset(instruments)
        self.settings = settings
        self._flags = Flag.POST_ONLY | (Flag.MMP if settings.protected else NONE)

    def decide(self, view: View, touched: Collection[int], /) -> Targets:
        """Say what shall rest on those of the touched instruments that are ours."""
        return {instrument: self._quotes(view, instrument) for instrument in touched if instrument in self._instruments}

    def _quotes(self, view: View, instrument: int) -> tuple[Want, ...]:
        contract, fair = view.contracts[instrument], view.fair(instrument)
        if fair is None:
            return tuple(NOTHING)
        bids = tuple(self._ladder(self._place(view, contract, fair, Side.BID), None))
        asks = self._ladder(self._place(view, contract, fair, Side.ASK), bids[0].price if bids else None)
        return bids + tuple(asks)

    def _ladder(self, place: _Place, ours: int | None) -> Iterator[Want]:
        """Build the tiers of a side, the best price first; `ours` is the best price of our other side."""
        contract, side, room, previous = place.contract, place.side, place.room, ours
        for number, tier in enumerate(self.settings.tiers):
            quantity = whole_lots(contract, min(tier.quantity, room))
            price = self._price(place, tier)
            if previous is not None and not behind(side, price, previous):
                price = beside(contract, side, previous)
            old = self._resting(place, number)
            if old is not None and self._stays(place, old, price, quantity, previous):
                price, quantity = old.price or price, whole_lots(contract, min(old.quantity, quantity))
            elif old is None and self._pauses(place):
                return
            if not quantity or price <= 0:
                return
            yield self._want(side, price, quantity, number)
            previous, room = price, room - quantity

    def _want(self, side: Side, price: int, quantity: int, tier: int) -> Want:
        return Want(side, price, quantity, flags=self._flags, quote=self._quoted(tier))

    # --- where

    def _place(self, view: View, contract: Contract, fair: Fair, side: Side) -> _Place:
        held, edge = view.greeks(contract.underlying), self.edge(contract, fair)
        return _Place(
            view, contract, side, fair.value - self.shift(contract, fair, held), self.half_spread(contract, fair),
            last_price(contract, fair, view.book(contract.index), side, edge), self._room(view, contract, fair, side),
        )  # fmt: skip

    def _price(self, place: _Place, tier: Tier) -> int:
        away = 1 if place.side is Side.ASK else -1
        wanted = place.middle + away * tier.spread * place.half
        price = place.contract.down(wanted) if place.side is Side.BID else place.contract.up(wanted)
        return held_back(place.side, price, place.last)

    def shift(self, contract: Contract, fair: Fair, held: Greeks) -> float:
        """Give how much cheaper what we hold makes the worth. Units: as the price."""
        forward_down, volatility_down = self.settings.skew_delta * held.delta, self.settings.skew_vega * held.vega
        return in_price(contract, fair, fair.delta * forward_down + fair.vega * volatility_down)

    def half_spread(self, contract: Contract, fair: Fair) -> float:
        """Give half the spread. Units: as the price."""
        ticks = self.settings.half_ticks * _tick(contract, fair)
        by_vega = in_price(contract, fair, self.settings.half_volatility * fair.vega)
        return max(ticks, self.settings.half_share * abs(fair.value), by_vega)

    # --- how much

    def size(self, view: View, contract: Contract, fair: Fair, side: Side) -> int:
        """Give how much the best quote of a side asks for. Units: the instrument's quantity."""
        return whole_lots(contract, min(self.settings.tiers[0].quantity, self._room(view, contract, fair, side)))

    def edge(self, contract: Contract, fair: Fair) -> float:
        """Give the least that a fill shall earn after its fee. Units: as the price."""
        return self.settings.edge_ticks * _tick(contract, fair)

    def _room(self, view: View, contract: Contract, fair: Fair, side: Side) -> float:
        """Give how much of a side may be filled before a limit is reached. Units: the instrument's quantity."""
        sign = 1 if side is Side.BID else -1
        held, unit = view.greeks(contract.underlying), 10.0**contract.quantity_exponent
        size = contract.multiplier * sign * unit if contract.is_option else 0.0
        return min(
            float(self.settings.max_position - sign * view.position(contract.index)),
            _left(self.settings.max_delta, held.delta, sign * unit_delta(contract, fair) * unit),
            _left(self.settings.max_gamma, held.gamma, fair.gamma * size),
            _left(self.settings.max_vega, held.vega, fair.vega * size),
        )

    # --- whether

    def _resting(self, place: _Place, number: int) -> Working | None:
        """Find the order that rests for a tier: the sides of mass quotes are the first one's."""
        quote = self._quoted(number)
        orders = [
            order for order in place.view.working(place.contract.index)
            if order.side is place.side and order.price is not None and order.quote is quote
        ]  # fmt: skip
        rank = number - (self.settings.mass_quote and not quote)
        orders.sort(key=lambda order: order.price or 0, reverse=place.side is Side.BID)
        return orders[rank] if rank < len(orders) else None

    def _quoted(self, number: int) -> bool:
        return self.settings.mass_quote and number == 0

    def _stays(self, place: _Place, old: Working, price: int, quantity: int, previous: int | None) -> bool:
        """Say whether an order stays where it is, though a new one would stand at `price`."""
        if old.price is None or behind(old.side, place.last, old.price):
            return False
        if previous is not None and not behind(old.side, old.price, previous):
            return False
        if behind(old.side, old.price, price) and place.view.now - old.placed_ns < self.settings.cool_down_ns:
            return True
        return old.quantity >= self.settings.refill * quantity and self._near(place.contract, old, old.price, price)

    def _near(self, contract: Contract, old: Working, at: int, price: int) -> bool:
        """Say whether an order is near enough to where a new one would stand, for its place in the queue."""
        in_front = old.ahead is not None and old.ahead <= self.settings.front
        far = self.settings.front_ticks if in_front else self.settings.requote_ticks
        return at == price or abs(at - price) < far * contract.tick_at(min(at, price))

    def _pauses(self, place: _Place) -> bool:
        filled = place.view.filled_ns(place.contract.index)
        return filled is not None and place.view.now - filled < self.settings.fill_pause_ns


def _tick(contract: Contract, fair: Fair) -> float:
    return contract.number(contract.tick_at(int(fair.value / 10.0**contract.price_exponent)))


def _left(limit: float, held: float, unit: float) -> float:
    """Give how many units go until `held` has reached the limit in the direction that `unit` moves it."""
    if unit == 0.0:
        return float("inf")
    return max(0.0, limit - held) / unit if unit > 0 else max(0.0, limit + held) / -unit
