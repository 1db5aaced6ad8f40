"""The orders that a plain reader of TotalView-ITCH 5.0 holds after any part of a stream.

Source: TotalView-ITCH 5.0, offsets of the messages A F E C X D U. A simulated day knows its books at the end; what a
reader holds who saw a part of it, or missed some, is worked out here: in a dict, with the offsets written down anew, so
that codecs and books can be held against it.

Messages about orders that were never seen change nothing. Leaves out: everything but who rests where.
"""

from typing import Final

from netfeed.sim.account import Row

Resting = tuple[str, str, int, int]
"""Stock, side, price in 1/10000, shares."""

_LENGTHS: Final = {b"A": 36, b"F": 40, b"E": 31, b"C": 36, b"X": 23, b"D": 19, b"U": 35, b"R": 39}


def number(message: bytes, at: int, size: int) -> int:
    """Read an integer of a message."""
    return int.from_bytes(message[at : at + size])


class Ledger:
    """Orders by reference, and the stocks that were named."""

    def __init__(self) -> None:
        self.orders: dict[int, Resting] = {}
        self.stocks: dict[str, None] = {}

    def apply(self, message: bytes) -> None:
        """Take one message; one of another type or a wrong length changes nothing."""
        kind = message[:1]
        if _LENGTHS.get(kind) != len(message):
            return
        reference = number(message, 11, 8)
        if kind == b"R":
            self.stocks[_name(message, 11)] = None
        elif kind in b"AF":
            self._rest(reference, _name(message, 24), chr(message[19]), number(message, 32, 4), number(message, 20, 4))
        elif reference in self.orders:
            self._change(kind, reference, message)

    def rows(self, stock: str, side: str) -> list[Row]:
        """Give the levels of a side, the best first."""
        levels: dict[int, tuple[int, int]] = {}
        for name, its_side, price, shares in self.orders.values():
            if (name, its_side) == (stock, side):
                quantity, orders = levels.get(price, (0, 0))
                levels[price] = (quantity + shares, orders + 1)
        return [(price, *levels[price]) for price in sorted(levels, reverse=side == "B")]

    def _rest(self, reference: int, stock: str, side: str, price: int, shares: int) -> None:
        self.stocks[stock] = None
        self.orders[reference] = (stock, side, price, shares)

    def _change(self, kind: bytes, reference: int, message: bytes) -> None:
        stock, side, price, shares = self.orders.pop(reference)
        if kind == b"U":
            self._rest(number(message, 19, 8), stock, side, number(message, 31, 4), number(message, 27, 4))
        elif kind != b"D" and (left := shares - number(message, 19, 4)) > 0:
            self.orders[reference] = (stock, side, price, left)


def _name(message: bytes, at: int) -> str:
    return message[at : at + 8].decode().rstrip()
