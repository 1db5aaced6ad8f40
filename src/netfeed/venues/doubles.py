"""Doubles of a venue as exact integers: by their shortest decimal, or not at all.

A venue that sends prices as IEEE doubles means the decimal that they were made from, and the shortest decimal that
reads back as the same double is that one, as long as it has no more than 15 digits. What is finer than the exponent
of the instrument is not rounded: there is no integer for it.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import Final

from netfeed.units import parse_decimal

FINEST: Final = -15
"""The finest exponent that is believed: a double has no more digits than that."""


def exact(value: float, exponent: int) -> int | None:
    """Give a double as an integer of 10**`exponent`; None when it is finer than that, or not a number.

    >>> exact(0.1, -1), exact(27782.4664, -4), exact(0.15, -1), exact(float("nan"), 0)
    (1, 277824664, None, None)
    """
    try:
        return parse_decimal(repr(value), exponent)
    except ValueError:
        return None


def decimals(values: Iterable[float | None]) -> int | None:
    """Give the coarsest exponent, 0 or less, at which all values are whole; None when one is not a positive number.

    >>> decimals([0.0001, 0.01]), decimals([10.0]), decimals([0.5, None])
    (-4, 0, None)
    """
    finest = 0
    for value in values:
        if value is None or not 0 < value < 1e15:
            return None
        digits = Decimal(repr(value)).normalize().as_tuple().exponent
        assert isinstance(digits, int)  # a finite number
        finest = min(finest, digits)
    return finest if finest >= FINEST else None
