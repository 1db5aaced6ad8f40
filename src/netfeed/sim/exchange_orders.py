"""The orders of accounts at a simulated exchange: whose they are, how they came, and what is left of them.

A quote is an order, too, with the group that it was quoted under. An order that waits in the speed bump lives, but is
in no book. The books (`matching`) know prices and queues; this knows names.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from netfeed.book.execution import NONE, Flag, OpenOrder, TimeInForce
from netfeed.book.level import Side


@dataclass(slots=True)
class Live:
    """An order that lives. Units: `price` and `quantity` of the instrument; `quantity` with what was `filled`.

    `gateway`: by which it came. `group`: of a quote, its protection group.
    """

    id: int
    account: str
    gateway: int
    client_id: int
    instrument: int
    side: int
    price: int
    quantity: int
    sort: int
    flags: Flag = NONE
    time_in_force: TimeInForce = TimeInForce.GTC
    group: int | None = None
    filled: int = 0
    queued: bool = False

    @property
    def left(self) -> int:
        """Give what can still be filled."""
        return self.quantity - self.filled

    @property
    def signed(self) -> int:
        """Give what can still be filled, negative for a sale."""
        return -self.left if self.side else self.left

    @property
    def protected_by(self) -> int | None:
        """Give the group that its fills count for: its own, 0 of a single order flagged so, or none."""
        if self.group is not None:
            return self.group
        return 0 if self.flags & Flag.MMP else None

    def told(self) -> OpenOrder:
        """Tell it as a venue lists it."""
        client_id = self.client_id or None
        return OpenOrder(
            client_id, self.instrument, self.id, Side(self.side), self.price, self.quantity, self.filled,
            self.group is not None,
        )  # fmt: skip


ENDED: Final = 4_096
"""So many orders that are over are remembered, for whoever tells of the step in which they ended."""


class Orders:
    """All orders that live: by id, by account and client id, by quote."""

    def __init__(self) -> None:
        self.by_id: dict[int, Live] = {}
        self._by_account: dict[str, dict[int, Live]] = {}
        self._by_client: dict[tuple[str, int], Live] = {}
        self._quotes: dict[tuple[str, int, int, int], Live] = {}
        self._ended: dict[int, Live] = {}

    def __iter__(self) -> Iterator[Live]:
        return iter(list(self.by_id.values()))

    def of(self, account: str) -> Iterable[Live]:
        """List the orders of an account, the oldest first."""
        return list(self._by_account.get(account, {}).values())

    def count(self, account: str) -> int:
        """Count the orders of an account."""
        return len(self._by_account.get(account, {}))

    def find(self, account: str, client_id: int) -> Live | None:
        """Find a single order by what its account calls it."""
        return self._by_client.get((account, client_id))

    def quote(self, account: str, group: int, instrument: int, side: int) -> Live | None:
        """Find the quote of a group on a side of an instrument."""
        return self._quotes.get((account, group, instrument, side))

    def ever(self, order_id: int) -> Live | None:
        """Find an order that lives, or has ended lately."""
        return self.by_id.get(order_id) or self._ended.get(order_id)

    def add(self, live: Live) -> None:
        """Take an order in."""
        self.by_id[live.id] = live
        self._by_account.setdefault(live.account, {})[live.id] = live
        if live.group is None:
            self._by_client[live.account, live.client_id] = live
        else:
            self._quotes[live.account, live.group, live.instrument, live.side] = live

    def remove(self, live: Live) -> None:
        """Let an order go."""
        del self.by_id[live.id], self._by_account[live.account][live.id]
        self._ended[live.id] = live
        if len(self._ended) > ENDED:
            del self._ended[next(iter(self._ended))]
        if live.group is None:
            del self._by_client[live.account, live.client_id]
        else:
            del self._quotes[live.account, live.group, live.instrument, live.side]

    def reducing(self, account: str, instrument: int) -> list[Live]:
        """List the reduce-only orders of an account on an instrument, the oldest first."""
        mine = self._by_account.get(account, {}).values()
        return [live for live in mine if live.instrument == instrument and live.flags & Flag.REDUCE_ONLY]
