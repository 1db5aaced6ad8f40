"""How much of the margin is used, as sessions tell it: what `risk` judges by, for each venue and currency.

    margins = Margins(config.sessions, engine.margin)     every currency that a session shall tell is unknown at first
    Sessions(..., valued=margins.take)

What no session says any more is unknown again. What is not a number, or more than there is money, is not believed.
"""

from collections.abc import Callable, Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Final

from netfeed.app.configuration import Session
from netfeed.venues.deribit_order_words import Portfolio

_UNIT: Final = Decimal(10) ** -12
MOST: Final = Decimal(10) ** 15

Take = Callable[[int | None, int, str, int], None]
"""As `Engine.margin`."""


class Margins:
    """Hand on what sessions say of margins. Units: 10**-12 of the currency, rounded to the worse."""

    def __init__(self, sessions: Sequence[Session], take: Take) -> None:
        self._venues = {number: one.venue for number, one in enumerate(sessions, 1)}
        self._take = take
        self._by: dict[str, set[int]] = {}
        for one in sessions:
            for currency in one.portfolios:
                self._by.setdefault(f"{one.venue} {currency.upper()}", set())

    def begin(self, now: int) -> None:
        """Say of each that it is not known yet."""
        for of in self._by:
            self._take(None, 0, of, now)

    def take(self, number: int, currency: str, worth: Portfolio | None, now: int) -> None:
        """Take what a session says; None: it says nothing any more."""
        of = f"{self._venues[number]} {currency.upper()}"
        tellers = self._by.setdefault(of, set())
        if worth is not None:
            tellers.add(number)
            self._take(*_of(worth), of, now)
            return
        tellers.discard(number)
        if not tellers:
            self._take(None, 0, of, now)


def _of(worth: Portfolio) -> tuple[int | None, int]:
    if not all(one.is_finite() and abs(one) < MOST for one in (worth.initial_margin, worth.equity)):
        return None, 0
    used = worth.initial_margin.quantize(_UNIT, ROUND_CEILING)
    equity = worth.equity.quantize(_UNIT, ROUND_FLOOR)
    return int(used / _UNIT), int(equity / _UNIT)
