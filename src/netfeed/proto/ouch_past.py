"""What a client of an OUCH session knows of its orders: which number is whose, and how much of each is open.

UserRefNums rise strictly within a day and a port: what comes with a lower one is ignored by the venue in silence. Each
new order and each replacement takes the next; an order is known by the last that was accepted.

Bounds: the newest MAX_ORDERS orders and twice as many numbers; what is older is forgotten.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TypeVar

from netfeed.book.execution import Ask
from netfeed.book.level import Side
from netfeed.errors import MisuseError
from netfeed.proto.ouch_words import Terms
from netfeed.wire.ouch import MAX_URN

MAX_ORDERS: Final = 20_000
MAX_CANCEL_ALLS: Final = 256

K = TypeVar("K")
V = TypeVar("V")


@dataclass(slots=True)
class Order:
    """One order. Units: shares; `price` as the instrument's. `open` is what of it is not executed or cancelled.

    `pending` is the number of a replacement that nobody has answered, 0 for none.
    """

    client_id: int
    terms: Terms
    side: Side
    price: int
    quantity: int
    urn: int
    open: int
    filled: int = 0
    order_id: int = 0
    pending: int = 0
    over: bool = False


@dataclass(slots=True)
class All:
    """A CancelAll: which orders it waits for, how many there were, and whether one would not go."""

    left: set[int]
    count: int
    refused: bool = False


class Past:
    """What outlives a connection: the session and its next message, the next UserRefNum, the orders.

    `told` is how many messages the venue had sent before the login that reads the day again: an answer among them is
    one to an earlier login, and no word about the next UserRefNum.
    """

    def __init__(self) -> None:
        self.session = ""
        self.next_sequence = self.told = 0
        self.next_urn = 1
        self.orders: dict[int, Order] = {}
        self.cancels: dict[int, All] = {}
        self._urns: dict[int, tuple[int, Ask]] = {}

    def take_urn(self, client_id: int, ask: Ask) -> int:
        """Take the next UserRefNum for a request. Raises: MisuseError when the day has none left."""
        if self.next_urn > MAX_URN:
            raise MisuseError("no UserRefNum is left for today")
        self.know(self.next_urn, client_id, ask)
        return self.next_urn - 1

    def know(self, urn: int, client_id: int, ask: Ask) -> None:
        """Take note of whose a number is."""
        self.next_urn = max(self.next_urn, urn + 1)
        remember(self._urns, urn, (client_id, ask), 2 * MAX_ORDERS)

    def whose(self, urn: int) -> tuple[Order | None, Ask]:
        """Give the order of a number, and what the number was taken for."""
        client_id, ask = self._urns.get(urn, (-1, Ask.NEW))
        return self.orders.get(client_id), ask

    def open(self, order: Order) -> None:
        """Take note of an order."""
        remember(self.orders, order.client_id, order, MAX_ORDERS)

    def alive(self) -> Iterator[Order]:
        """Give the orders that may rest."""
        return (one for one in self.orders.values() if not one.over)

    def ended(self, order: Order, *, refused: bool = False) -> list[tuple[int, All]]:
        """Take note that an order is over, or would not go; give each CancelAll that waited for it alone."""
        done = []
        for number, waits in list(self.cancels.items()):
            if order.client_id in waits.left:
                waits.left.discard(order.client_id)
                waits.refused |= refused
                if not waits.left:
                    done.append((number, self.cancels.pop(number)))
        return done


def remember(known: dict[K, V], key: K, value: V, most: int) -> None:
    """Put a value into a dictionary that forgets its oldest."""
    known[key] = value
    if len(known) > most:
        del known[next(iter(known))]
