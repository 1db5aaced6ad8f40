"""Worths for money worlds: one volatility an option, read off its book once, and the perpetual's mid for the forward.

A curve wants five strikes, and a world of a few dozen milliseconds has room for one. Greeks are Black's own, they move
with every tick of the perpetual, and a book that is not LIVE says nothing: that is all that money depends on here.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Final

from netfeed.book.state import BookState
from netfeed.engine.contract import Contract, Payoff
from netfeed.engine.option import CALL, PUT, Row, implied_volatility, price_one
from netfeed.engine.pricer import ChainReport, Fairs, PricerSettings
from netfeed.engine.strategy import Fair, Greeks, View

LOOK_NS: Final = 100_000_000


class FlatPricer:
    """A pricer without curves. `spot`: the instrument whose mid is the forward of all options."""

    def __init__(self, contracts: Mapping[int, Contract], spot: int) -> None:
        self.settings = PricerSettings(look_ns=LOOK_NS)
        self.broken: dict[tuple[str, int, bool], str] = {}
        self.wants_refit = False
        self._contracts, self._spot = contracts, spot
        self._volatilities: dict[int, float] = {}
        self._look_at = 0

    @property
    def deadline(self) -> int:
        """Say when ages must be looked at."""
        return self._look_at

    def late_ns(self, now: int) -> int:
        """Say that no fit waits."""
        return 0

    def refit(self, view: View) -> Fairs:
        """Fit nothing."""
        return {}

    def follow(self, view: View, touched: Collection[int]) -> Fairs:
        """Price all anew where the perpetual has moved, or their age is looked at; else what was touched."""
        everything = view.now >= self._look_at or self._spot in touched
        if everything:
            self._look_at = view.now + LOOK_NS
        forward = _mid(view, self._spot)
        if forward is None:
            return {}
        asked = self._contracts if everything else self._contracts.keys() & touched
        priced = ((number, self._worth(view, self._contracts[number], forward)) for number in asked)
        return {number: fair for number, fair in priced if fair is not None}

    def _worth(self, view: View, of: Contract, forward: float) -> Fair | None:
        now = view.now
        if not of.is_option:
            mid = _mid(view, of.index)
            return None if mid is None else Fair(mid, mid, 1.0, now, now)
        volatility = self._volatility(view, of, forward)
        if volatility is None:
            return None
        kind, strike, years = _kind(of), of.strike or 0.0, of.years(view.wall_ns)
        values, _ = price_one(kind, forward, strike, years, volatility, inverse=True)
        value, delta, gamma, vega = (values[row] for row in (Row.PRICE, Row.NET_DELTA, Row.GAMMA, Row.VEGA))
        return Fair(value, forward, delta, now, now, gamma, vega, values[Row.THETA], volatility)

    def _volatility(self, view: View, of: Contract, forward: float) -> float | None:
        if of.index not in self._volatilities:
            mid = _mid(view, of.index)
            if mid is None:
                return None
            years = of.years(view.wall_ns)
            found, code = implied_volatility(_kind(of), mid, forward, of.strike or 0.0, years, inverse=True)
            if code[0]:
                return None
            self._volatilities[of.index] = float(found[0])
        return self._volatilities[of.index]

    def reports(self) -> Iterator[ChainReport]:
        """Tell of no curves."""
        return iter(())

    def held(self, view: View, key: tuple[str, int, bool] | None) -> Greeks:
        """Tell nothing by expiry."""
        return Greeks()

    def statistics(self) -> dict[str, int]:
        """Count nothing."""
        return {}


def _kind(of: Contract) -> int:
    return CALL if of.payoff is Payoff.CALL else PUT


def _mid(view: View, instrument: int) -> float | None:
    book = view.book(instrument)
    bid, ask = book.bid, book.ask
    if book.state is not BookState.LIVE or bid is None or ask is None:
        return None
    return (bid.price + ask.price) / 2 * 1e-9
