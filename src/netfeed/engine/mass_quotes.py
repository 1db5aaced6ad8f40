"""Mass quotes and cancels of many: which orders of ours one request is about.

A side of a quote has a place: group, instrument, side. A new one goes to the same place, and until the venue has said
that it took the old one's place both may be executed, so both are kept, in the order in which they were asked for.
"""

from dataclasses import dataclass, field

from netfeed.book.level import Side
from netfeed.engine.order import Order

Place = tuple[int, int, Side]
"""Group, instrument, side."""


@dataclass(slots=True)
class Mass:
    """One mass quote: the orders that it made, and the places that it shall empty. `number`: its turn among all."""

    client_id: int
    group: int
    number: int
    made: dict[tuple[int, Side], Order] = field(default_factory=dict)
    emptied: set[tuple[int, Side]] = field(default_factory=set)

    def __contains__(self, place: tuple[int, Side]) -> bool:
        return place in self.made or place in self.emptied


class Places:
    """Who may rest where: for each place the orders that are not over, the oldest first."""

    def __init__(self) -> None:
        self._places: dict[Place, dict[int, Order]] = {}

    def enter(self, order: Order) -> None:
        """Take in a side of a quote."""
        assert order.group is not None
        self._places.setdefault((order.group, order.instrument, order.side), {})[order.number] = order

    def leave(self, order: Order) -> None:
        """Forget one that is over."""
        assert order.group is not None
        place = (order.group, order.instrument, order.side)
        there = self._places.get(place, {})
        there.pop(order.number, None)
        if not there:
            self._places.pop(place, None)

    def before(self, place: Place, number: int) -> list[Order]:
        """Give those at a place that were asked for before the request of this number."""
        return [order for turn, order in self._places.get(place, {}).items() if turn < number]

    def of_group(self, group: int) -> list[Order]:
        """Give all of a group."""
        return [order for place, there in self._places.items() if place[0] == group for order in there.values()]
