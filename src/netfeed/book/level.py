"""The words of a book: a side, a level, an order."""

from enum import IntEnum
from typing import NamedTuple


class Side(IntEnum):
    """The side of a book that an order rests on."""

    BID = 0
    ASK = 1


class Level(NamedTuple):
    """All that rests at one price. Units: `price` in the instrument's price unit, `quantity` in its quantity unit."""

    price: int
    quantity: int
    orders: int
    """Number of orders; 0 where the feed does not tell."""


class Order(NamedTuple):
    """One resting order. `priority`: the smaller is filled first within its price."""

    order_id: int
    side: Side
    price: int
    quantity: int
    priority: int
