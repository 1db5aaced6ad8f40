"""Orders of ours at a fill model: by our name, by the place of a quote, and in the order in which they are filled."""

from collections import Counter
from dataclasses import dataclass
from typing import Final

from netfeed.book.execution import NONE, Canceled, Cause, Flag, OpenOrder, TimeInForce
from netfeed.book.level import Side
from netfeed.engine.placing import meets
from netfeed.sim.fill_queue import Place

MAX_ORDERS: Final = 10_000
"""Orders of ours that may rest at a time; one more is refused."""


@dataclass(slots=True, eq=False)
class Own:
    """An order of ours. Units: `quantity` with what was `filled`; `turn` grows with the time of arrival.

    `place` None: the record does not tell where it stands, and nothing is filled. `group`: of a quote.
    """

    order_id: int
    client_id: int
    instrument: int
    side: Side
    price: int
    quantity: int
    turn: int
    flags: Flag = NONE
    time_in_force: TimeInForce = TimeInForce.GTC
    group: int | None = None
    filled: int = 0
    place: Place | None = None

    @property
    def left(self) -> int:
        """Give what can still be filled."""
        return self.quantity - self.filled

    @property
    def rank(self) -> tuple[int, int]:
        """Give what orders of a side are filled by: the price, then the time."""
        return (-self.price if self.side is Side.BID else self.price), self.turn

    def canceled(self, cause: Cause, why: str, at_ns: int) -> Canceled:
        """Tell that it has left."""
        return Canceled(
            self.client_id, self.instrument, self.order_id, self.filled, cause, why, at_ns,
            quote=self.group is not None,
        )  # fmt: skip

    def told(self) -> OpenOrder:
        """Tell it as a venue lists it."""
        return OpenOrder(
            self.client_id, self.instrument, self.order_id, self.side, self.price, self.quantity, self.filled,
            self.group is not None,
        )  # fmt: skip


Quoted = tuple[int, int, Side]
"""Group, instrument, side."""


class OwnOrders:
    """All that rests of ours, and what we hold."""

    def __init__(self) -> None:
        self.positions: Counter[int] = Counter()
        self._all: dict[int, Own] = {}
        self._named: dict[int, Own] = {}
        self._quotes: dict[Quoted, Own] = {}
        self._sides: dict[tuple[int, Side], list[Own]] = {}

    def __len__(self) -> int:
        return len(self._all)

    def add(self, own: Own) -> None:
        """Take one in."""
        self._all[own.order_id] = own
        if own.group is None:
            self._named[own.client_id] = own
        else:
            self._quotes[own.group, own.instrument, own.side] = own
        self._sides.setdefault((own.instrument, own.side), []).append(own)

    def remove(self, own: Own) -> None:
        """Forget one."""
        del self._all[own.order_id]
        if own.group is None:
            del self._named[own.client_id]
        else:
            del self._quotes[own.group, own.instrument, own.side]
        self._sides[own.instrument, own.side].remove(own)

    def rests(self, own: Own) -> bool:
        """Say whether it rests."""
        return own.order_id in self._all

    def named(self, client_id: int, instrument: int) -> Own | None:
        """Find one by our name for it."""
        own = self._named.get(client_id)
        return own if own is not None and own.instrument == instrument else None

    def quote(self, group: int, instrument: int, side: Side) -> Own | None:
        """Find one side of a quote."""
        return self._quotes.get((group, instrument, side))

    def of(self, instrument: int | None = None, side: Side | None = None) -> list[Own]:
        """List those of an instrument and a side, in the order of their arrival."""
        return [own for own in self._all.values() if instrument in (None, own.instrument) and side in (None, own.side)]

    def in_turn(self, instrument: int, side: Side) -> list[Own]:
        """List those of one side in the order in which they are filled."""
        return sorted(self._sides.get((instrument, side), ()), key=lambda own: own.rank)

    def instruments(self) -> set[int]:
        """Give the instruments on which something rests."""
        return {instrument for (instrument, _), there in self._sides.items() if there}

    def meets_own(self, instrument: int, side: Side, price: int | None) -> bool:
        """Say whether an order would trade with one of ours."""
        others = self._sides.get((instrument, Side.ASK if side is Side.BID else Side.BID), ())
        return any(price is None or meets(side, price, own.price) for own in others)

    def reducible(self, instrument: int, side: Side, but: Own | None = None) -> int:
        """Give how much of what we hold an order of a side may still reduce."""
        held = self.positions[instrument]
        against = -held if side is Side.BID else held
        others = self._sides.get((instrument, side), ())
        return max(0, against - sum(own.left for own in others if own.flags & Flag.REDUCE_ONLY and own is not but))
