"""What we hold and what may still come upon it, at worst: every open order of a side as if it were executed whole.

Kept by integers and step by step, so that a check before an order costs the same with one order or a thousand, and so
that sums are exact: sensitivities (delta, gamma, vega) come as floats and become integers of 10**-18 for one integer
unit of quantity, once (`sensitivity`); all that is added afterwards is exact.

    long and short of an instrument   position + all bids; -(position - all asks)
    delta, gamma, vega, up and down   sum over instruments of what the position has, and of every open order that
                                      pushes that way: any of them may be the ones that are executed
    an expiry                         sum over its options of the larger of long and short, in units of the underlying

Where an instrument is held or asked for and its sensitivities are not known, it stands in `unknown`.
"""

import math
from collections import Counter
from collections.abc import Mapping
from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction
from functools import lru_cache
from typing import Final, NamedTuple

from netfeed.book.level import Side
from netfeed.engine.contract import Contract

_EXACT: Final = Context(prec=40, rounding=ROUND_HALF_EVEN)
"""A float is written with 17 digits at most: nothing is rounded before the end."""
SCALE: Final = 10**18
"""Sensitivities and sizes are integers of one part in this."""


class Sensitivity(NamedTuple):
    """What one integer unit of quantity adds. Units: 10**-18."""

    delta: int
    gamma: int
    vega: int


def exact(number: float) -> Fraction:
    """Give a configured number as it is written: 0.1 is a tenth. Raises: ValueError when it is not finite."""
    if not math.isfinite(number):
        raise ValueError(f"not a number: {number}")
    return Fraction(repr(number))


@lru_cache(maxsize=1024)
def scaled(number: float) -> int:
    """Give a number in parts of SCALE, rounded once. Raises: ValueError when it is not finite."""
    return round(exact(number) * SCALE)


def sensitivity(contract: Contract, delta: float, gamma: float, vega: float) -> Sensitivity | None:
    """Make integers of the sensitivities of a size of 1 (the multiplier included); None when one is not finite."""
    if not all(map(math.isfinite, (delta, gamma, vega))):
        return None
    digits = 18 + contract.quantity_exponent
    return Sensitivity(_shifted(delta, digits), _shifted(gamma, digits), _shifted(vega, digits))


def _shifted(number: float, digits: int) -> int:
    """Give a number times 10**`digits`, as it is written and rounded once, half to even: what a Fraction gives.

    Every tick of an underlying asks it for all that rests, and a Decimal takes a tenth of a Fraction's time.
    """
    return int(_EXACT.to_integral_value(_EXACT.scaleb(Decimal(repr(number)), digits)))


class Worst(NamedTuple):
    """How far a sum can come, either way. Units: 10**-18."""

    down: int
    up: int


class _Part:
    """What one instrument adds to the sums."""

    __slots__ = ("asks", "bids", "gross", "position", "sensitivity", "spans")

    def __init__(self) -> None:
        self.position = self.bids = self.asks = self.gross = 0
        self.sensitivity: Sensitivity | None = None
        self.spans: list[tuple[int, int]] = [(0, 0)] * 3


class Exposure:
    """The sums over all instruments."""

    def __init__(self, contracts: Mapping[int, Contract]) -> None:
        self._contracts = contracts
        self._parts: dict[int, _Part] = {}
        self._sums = [[0, 0], [0, 0], [0, 0]]
        self._expiries: Counter[int] = Counter()
        self._units: dict[int, int] = {}
        self.unknown: set[int] = set()

    # --- what changes

    def know(self, contracts: Mapping[int, Contract]) -> None:
        """Know of more contracts; what is known of the others stays."""
        self._contracts = contracts

    def add_open(self, instrument: int, side: Side, quantity: int) -> None:
        """Add to (or take from) what may still be executed of a side."""
        part = self._part(instrument)
        if side is Side.BID:
            part.bids += quantity
        else:
            part.asks += quantity
        self._bring_up(instrument, part)

    def set_position(self, instrument: int, quantity: int) -> None:
        """Have another position. Units: `quantity` signed."""
        part = self._part(instrument)
        part.position = quantity
        self._bring_up(instrument, part)

    def set_sensitivity(self, instrument: int, sensitivity: Sensitivity | None) -> None:
        """Have other sensitivities; None: they are not known (any more)."""
        part = self._part(instrument)
        if part.sensitivity != sensitivity:
            part.sensitivity = sensitivity
            self._bring_up(instrument, part)

    # --- what is asked

    def position(self, instrument: int) -> int:
        """Give what is held, signed."""
        return self._part(instrument).position

    def open(self, instrument: int, side: Side) -> int:
        """Give what may still be executed of a side."""
        part = self._part(instrument)
        return part.bids if side is Side.BID else part.asks

    def sensitivity(self, instrument: int) -> Sensitivity | None:
        """Give what one unit of an instrument adds, None when that is not known."""
        return self._part(instrument).sensitivity

    def furthest(self, instrument: int, side: Side, more: int = 0) -> int:
        """Give how far long (bids) or short (asks) an instrument can come, with so much more on that side."""
        part = self._part(instrument)
        return part.position + part.bids + more if side is Side.BID else part.asks + more - part.position

    def worst(self, which: int) -> Worst:
        """Give how far a sum can come: 0 delta, 1 gamma, 2 vega."""
        return Worst(*self._sums[which])

    def of_expiry(self, expiry_ns: int) -> int:
        """Give what the options of an expiry can come to. Units: 10**-18 of the underlying."""
        return self._expiries[expiry_ns]

    def with_more(self, instrument: int, side: Side, more: int) -> int:
        """Give what the options of its expiry can come to with so much more of an instrument; 0 where it has none."""
        contract = self._contracts.get(instrument)
        if contract is None or contract.expiry_ns is None or not contract.is_option:
            return 0
        part = self._part(instrument)
        bids, asks = (part.bids + more, part.asks) if side is Side.BID else (part.bids, part.asks + more)
        gross = max(abs(part.position + bids), abs(part.position - asks)) * self._unit(instrument, contract)
        return self._expiries[contract.expiry_ns] - part.gross + gross

    def size(self, instrument: int, quantity: int) -> int:
        """Give a quantity in units of the underlying; of a contract that nobody knows as it is. Units: 10**-18."""
        contract = self._contracts.get(instrument)
        return quantity * (SCALE if contract is None else self._unit(instrument, contract))

    # --- sums

    def _part(self, instrument: int) -> _Part:
        part = self._parts.get(instrument)
        if part is None:
            part = self._parts[instrument] = _Part()
        return part

    def _bring_up(self, instrument: int, part: _Part) -> None:
        """Take out what the instrument added before, and put in what it adds now."""
        units = part.sensitivity or Sensitivity(0, 0, 0)
        for which, unit in enumerate(units):
            held, bids, asks = part.position * unit, part.bids * unit, -part.asks * unit
            down, up = held + min(bids, 0) + min(asks, 0), held + max(bids, 0) + max(asks, 0)
            before, total = part.spans[which], self._sums[which]
            total[0] += down - before[0]
            total[1] += up - before[1]
            part.spans[which] = (down, up)
        if part.sensitivity is None and (part.position or part.bids or part.asks):
            self.unknown.add(instrument)
        else:
            self.unknown.discard(instrument)
        self._bring_up_expiry(instrument, part)

    def _bring_up_expiry(self, instrument: int, part: _Part) -> None:
        contract = self._contracts.get(instrument)
        if contract is None or contract.expiry_ns is None or not contract.is_option:
            return
        most = max(abs(part.position + part.bids), abs(part.position - part.asks))
        gross = most * self._unit(instrument, contract)
        self._expiries[contract.expiry_ns] += gross - part.gross
        part.gross = gross

    def _unit(self, instrument: int, contract: Contract) -> int:
        """Give one integer unit of quantity in the underlying."""
        unit = self._units.get(instrument)
        if unit is None:
            size = Fraction(10) ** contract.quantity_exponent * exact(contract.multiplier)
            unit = self._units[instrument] = round(size * SCALE)
        return unit
