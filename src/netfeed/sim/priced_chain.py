"""A chain whose options are worth what Black says: a perpetual, and of two expiries a future and seven strikes.

The chain of `starbase_chain` has prices of the right order of size; who trades options against it finds that parity and
futures disagree. Here everything hangs together: a forward grows with the time to its expiry, options are priced on it
in coin, by a smile that the seed draws once, and put-call parity holds to a rounding.

Invariant: the same seed and the same opening give the same chain. Time does not pass for the prices while the venue is
open: a day of a venue is short beside an expiry.
"""

from datetime import UTC, datetime, timedelta
from math import log
from typing import Final

from netfeed.engine.contract import YEAR_NS
from netfeed.engine.option import CALL, PUT, price_one
from netfeed.sim.draws import Draws
from netfeed.sim.starbase_chain import INDEX, INDEXES, NANO, Instrument
from netfeed.wire.starbase import InstrumentFlags, InstrumentType

CARRY: Final = 0.05
"""So much a year a forward lies above the index."""
STRIKES: Final = (2_000, 5_000)
"""The distances of the strikes of the first and the second expiry. Units: USD."""
WINGS: Final = 3
"""Strikes on either side of the one at the money."""
LOT: Final = 1_000
"""The lot of futures, in USD: the crowd trades in lots, and who hedges options needs a market that is not too thin."""
SOONEST_DAYS: Final = 6
BETWEEN_DAYS: Final = 28
"""From the first expiry to the second."""
_FRIDAY: Final = 4
_REVERSED: Final = InstrumentFlags.IS_REVERSED


class Smile:
    """The volatilities of an expiry by log(strike / forward): a level, a slope and a bend."""

    def __init__(self, level: float, slope: float, bend: float) -> None:
        self._level, self._slope, self._bend = level, slope, bend

    def volatility(self, k: float) -> float:
        """Give the volatility of a strike, a tenth at least."""
        return max(self._level + self._slope * k + self._bend * k * k, 0.1)


class Priced:
    """What an option is worth when the index is somewhere. It remembers the last answer: the crowd asks often."""

    def __init__(self, kind: int, strike: int, years: float, smile: Smile) -> None:
        self._kind, self._strike, self._years, self._smile = kind, float(strike), years, smile
        self._index = self._worth = -1

    def __call__(self, index: int) -> int:
        """Give the price. Units: 1e-9 of the coin; `index` 1e-9 of the quote currency."""
        if index != self._index:
            at = forward(index, self._years) / NANO
            volatility = self._smile.volatility(log(self._strike / at))
            values, _ = price_one(self._kind, at, self._strike, self._years, volatility, inverse=True)
            self._index, self._worth = index, max(round(values[0] * NANO), 1)
        return self._worth


def forward(index: int, years: float) -> int:
    """Give where a future stands when the index is at `index`."""
    return round(index * (1.0 + CARRY * years))


def priced_chain(at_ns: int, seed: int = 1) -> list[Instrument]:
    """List the instruments of a venue that opens at a time. Units: ns since 1970."""
    perpetual = Instrument(
        1001, "BTC-PERPETUAL", InstrumentType.PERP_FUTURE, _REVERSED | InstrumentFlags.IS_PERPETUAL, NANO // 2, 0, LOT,
        worth=lambda index: index + 3 * NANO,
    )  # fmt: skip
    listed, words = [perpetual], Draws(seed ^ 0x57117E).below(1_000, 6).tolist()
    for place, (day, step) in enumerate(zip(_fridays(at_ns), STRIKES, strict=True)):
        level, slope, bend = (word / 1_000 for word in words[3 * place : 3 * place + 3])
        smile = Smile(0.48 + 0.12 * level, -0.15 - 0.15 * slope, 0.6 + 0.6 * bend)
        listed += _expiry(1_008 + 1_000 * place, day, step, smile, at_ns)
    return listed


def _expiry(first: int, day: datetime, step: int, smile: Smile, at_ns: int) -> list[Instrument]:
    """List a future and the options of one expiry."""
    expiry_ns, name = int(day.timestamp()) * NANO, f"BTC-{day.day}{day:%b%y}".upper()
    years = max(expiry_ns - at_ns, 0) / YEAR_NS
    future = Instrument(
        first, name, InstrumentType.DATED_FUTURE, _REVERSED, 5 * NANO // 2, 0, LOT, expiry_ns,
        worth=lambda index: forward(index, years),
    )  # fmt: skip
    middle = INDEXES[INDEX][1] // NANO
    strikes = [middle + step * place for place in range(-WINGS, WINGS + 1)]
    rows = [(strike, letter) for strike in strikes for letter in "CP"]
    return [future, *(
        _option(first + 7 * place, f"{name}-{strike}-{letter}", expiry_ns, strike, letter, years, smile)
        for place, (strike, letter) in enumerate(rows, 1)
    )]  # fmt: skip


def _option(id_: int, name: str, expiry_ns: int, strike: int, letter: str, years: float, smile: Smile) -> Instrument:
    kind, flags = (PUT, InstrumentFlags.IS_PUT_OPTION) if letter == "P" else (CALL, InstrumentFlags(0))
    return Instrument(
        id_, name, InstrumentType.OPTION, flags, 100_000, -1, 1, expiry_ns, strike * NANO, 0, 500_000, 5_000_000,
        Priced(kind, strike, years, smile),
    )  # fmt: skip


def _fridays(at_ns: int) -> tuple[datetime, datetime]:
    """Give the expiries: a Friday at 8:00 UTC that is not too near, and another four weeks later."""
    day = datetime.fromtimestamp(at_ns // NANO, UTC) + timedelta(days=SOONEST_DAYS)
    day += timedelta(days=(_FRIDAY - day.weekday()) % 7)
    first = day.replace(hour=8, minute=0, second=0, microsecond=0)
    return first, first + timedelta(days=BETWEEN_DAYS)
