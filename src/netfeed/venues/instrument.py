"""An instrument as every venue's is told here: what it is, and the integers that its prices and quantities are made of.

A venue publishes its instruments in words of its own; each venue's module reads them into this. Ticks and lots are
integers of the exponents that its book is opened with, so that all prices and quantities of the book are whole numbers
of them.

    >>> number = Number.of(Decimal("0.0005"))
    >>> number.mantissa, number.exponent
    (5, -4)

Leaves out: fees, margins and limits of orders.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import Final, NamedTuple

from netfeed.errors import WireError

FINEST: Final = -30
"""The finest exponent that is believed."""
MAX_INSTRUMENTS: Final = 100_000
"""Instruments of one answer; the largest venues list some thousands."""


class Kind(Enum):
    """What is traded."""

    SPOT = "spot"
    PERPETUAL = "perpetual"
    FUTURE = "future"
    OPTION = "option"
    COMBO = "combo"


class Right(Enum):
    """What an option gives a right to."""

    CALL = "call"
    PUT = "put"


class Number(NamedTuple):
    """A decimal number: mantissa x 10**exponent."""

    mantissa: int
    exponent: int

    @classmethod
    def of(cls, value: Decimal) -> "Number":
        """Take a decimal as it is, with the coarsest exponent, 0 or less, at which it is whole."""
        exponent = exponent_of([value])
        return cls(whole(value, exponent), exponent)


class Step(NamedTuple):
    """Above a price the tick is another. Units: the instrument's price unit."""

    above: int
    tick: int


@dataclass(frozen=True, slots=True)
class Instrument:
    """One instrument of one venue.

    Units: `tick` and `steps` in 10**`price_exponent`, `lot` and `minimum` in 10**`quantity_exponent`, `expiry_ns` in ns
    since 1970, None where it never ends. `contract`: how much of the underlying, or of the quote currency where it is
    `inverse`, one unit of quantity is; None where quantities are the base currency itself. `maker_fee`,
    `taker_fee`: as listed for everybody, shares of the notional; None where a venue does not list them.
    """

    venue: str
    name: str
    kind: Kind
    base: str
    quote: str
    settlement: str
    price_exponent: int
    quantity_exponent: int
    tick: int
    lot: int
    minimum: int
    inverse: bool = False
    contract: Number | None = None
    strike: Number | None = None
    right: Right | None = None
    expiry_ns: int | None = None
    steps: tuple[Step, ...] = ()
    trading: bool = True
    maker_fee: Number | None = None
    taker_fee: Number | None = None

    @property
    def exponents(self) -> tuple[int, int]:
        """Give the exponents that its book is opened with."""
        return self.price_exponent, self.quantity_exponent


def exponent_of(values: Iterable[Decimal]) -> int:
    """Give the coarsest exponent, 0 or less, at which all values are whole.

    Raises: WireError for what is no finite number, or finer than FINEST.

    >>> exponent_of([Decimal("0.010"), Decimal("10")])
    -2
    """
    return min([0, *(believed(value)[1] for value in values)])


def believed(value: Decimal) -> tuple[int, int]:
    """Give the mantissa of a number, without zeros at its end, and the exponent.

    Raises: WireError for what is no finite number, finer than FINEST, or absurdly large.
    """
    if value.is_finite() and not value:
        return 0, 0
    if not value.is_finite() or value.adjusted() > -FINEST:
        raise WireError("number", offset=0, found=str(value)[:80], wanted=f"a number below 10**{-FINEST}")
    sign, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)  # it is finite
    kept = bytes(digits).rstrip(b"\0")
    exponent += len(digits) - len(kept)
    if exponent < FINEST:
        raise WireError("number", offset=0, found=str(value)[:80], wanted=f"a number of at most {-FINEST} decimals")
    mantissa = int("".join(map(str, kept)))
    return -mantissa if sign else mantissa, exponent


def whole(value: Decimal, exponent: int) -> int:
    """Give a decimal as an integer of 10**`exponent`, at which it is whole.

    Raises: WireError for what is no number, or absurdly large, or not whole.
    """
    mantissa, own = believed(value)
    if own < exponent and mantissa:
        raise WireError("number", offset=0, found=str(value)[:80], wanted=f"a multiple of 10**{exponent}")
    power: int = 10 ** max(0, own - exponent)
    return mantissa * power


def grid(ticks: Iterable[Decimal], lots: Iterable[Decimal]) -> tuple[int, int]:
    """Give the exponents of price and quantity at which all increments are whole.

    Raises: WireError when an increment is not above 0.
    """
    tick_list, lot_list = list(ticks), list(lots)
    for value in tick_list + lot_list:
        if not value.is_finite() or value <= 0:
            raise WireError("increment", offset=0, found=value, wanted="a number above 0")
    return exponent_of(tick_list), exponent_of(lot_list)


HEADROOM: Final = 1_000
"""How many of the largest orders may rest at one price before its quantity does not fit 64 bits."""


def finer(exponent: int, precision: int, largest: Decimal) -> int:
    """Give an exponent finer than an increment's, down to -`precision`, while the `largest` order has HEADROOM.

    Orders from before a venue made its ticks coarser rest where they were: only its full precision holds them all.

    >>> finer(0, 8, Decimal(9_000_000)), finer(0, 8, Decimal(10) ** 12), finer(-2, 0, Decimal(1))
    (-8, -3, -2)
    """
    believed(largest)
    room = 2**63 // (HEADROOM * max(1, int(largest)))
    while exponent > -precision and 10 ** (1 - exponent) <= room:
        exponent -= 1
    return exponent


def milliseconds(value: int | None) -> int | None:
    """Give a venue's milliseconds since 1970 as ns; None for none, and for 0. Units: ms, ns."""
    return value * 10**6 if value else None
