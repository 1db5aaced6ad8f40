"""How Starbase writes what we count in integers: the instruments of an order session, their prices and quantities.

A price on the wire is an integer of 1e-9, a quantity a mantissa with its own exponent; inside, both are integers of the
instrument's exponents. Both ways are exact or refused: a price that the wire cannot hold is a misuse, one that comes
from the wire and is finer than the instrument's steps is bad bytes.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from netfeed.errors import MisuseError, WireError
from netfeed.wire.starbase_orders import PRICE_EXPONENT

MAX_VALUE: Final = 2**63 - 1
MAX_PRECISION: Final = 18
"""Decimals beyond this are not of this world; a Decimal72 may claim 127."""


@dataclass(frozen=True, slots=True)
class Terms:
    """One instrument as an order session needs it.

    `instrument` is ours, `venue_id` the venue's; `pair` is the venue's currencyPairId, the scope of a mass cancel.
    """

    instrument: int
    venue_id: int
    price_exponent: int
    quantity_exponent: int
    pair: int = 0

    def price_out(self, price: int) -> int:
        """Write a price. Units: from the instrument's to 1e-9. Raises: MisuseError when 1e-9 cannot hold it."""
        value, rest = _scaled(price, self.price_exponent - PRICE_EXPONENT)
        if rest or not abs(value) <= MAX_VALUE:
            raise MisuseError(f"a price of {price}e{self.price_exponent} does not fit Starbase's 64 bits of 1e-9")
        return value

    def price_in(self, price9: int) -> int:
        """Read a price. Units: from 1e-9 to the instrument's. Raises: WireError when it is finer than those."""
        return self._read(price9, PRICE_EXPONENT - self.price_exponent, "price")

    def quantity_out(self, quantity: int) -> tuple[int, int]:
        """Write a quantity as mantissa and exponent."""
        return quantity, self.quantity_exponent

    def quantity_in(self, decimal: Any) -> int:
        """Read a quantity. Raises: WireError when it is finer than the instrument's."""
        mantissa, exponent = decimal
        if not mantissa:
            return 0
        if abs(exponent) > MAX_PRECISION:
            raise WireError("Starbase quantity", offset=0, found=f"exponent {exponent}", wanted=f"-{MAX_PRECISION} up")
        return self._read(mantissa, exponent - self.quantity_exponent, "quantity")

    def _read(self, value: int, shift: int, what: str) -> int:
        read, rest = _scaled(value, shift)
        if rest or not abs(read) <= MAX_VALUE:
            found = f"{value} by 10**{shift} of instrument {self.instrument}"
            raise WireError(f"Starbase {what} does not fit its instrument", offset=0, found=found, wanted="an integer")
        return read


def _scaled(value: int, shift: int) -> tuple[int, int]:
    if shift >= 0:
        scaled: int = value * 10**shift
        return scaled, 0
    whole: tuple[int, int] = divmod(value, 10**-shift)
    return whole


class Instruments:
    """The instruments of a session, by our number and by the venue's."""

    def __init__(self, terms: Iterable[Terms]) -> None:
        listed = list(terms)
        self._ours = {one.instrument: one for one in listed}
        self._venue = {one.venue_id: one for one in listed}
        if len(self._ours) != len(listed) or len(self._venue) != len(listed):
            raise MisuseError("an instrument is listed twice")
        self.pairs = tuple(sorted({one.pair for one in listed}))

    def ours(self, instrument: int) -> Terms:
        """Find by our number. Raises: MisuseError when it is not listed."""
        found = self._ours.get(instrument)
        if found is None:
            raise MisuseError(f"instrument {instrument} is not one of this session's {len(self._ours)}")
        return found

    def theirs(self, venue_id: int) -> Terms:
        """Find by the venue's number. Raises: WireError when it is not listed."""
        found = self._venue.get(venue_id)
        if found is None:
            raise WireError(
                "Starbase instrument is not listed here", offset=0, found=venue_id, wanted=f"one of {len(self._venue)}"
            )
        return found
