"""From the books of an expiry to what its curve is fitted to: one point a strike, with its error.

Of a strike the option out of the money is taken: the other's price is nearly all intrinsic value. A bid and an ask are
turned into a volatility at their middle, and its error is half the spread over the vega: what is quoted wide, or far in
the wings, counts for little. A side without a bid has no middle, and no point.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from netfeed.engine.forward import Mark
from netfeed.engine.option import CALL, PUT, Code, Row, implied_volatility, price_and_greeks
from netfeed.engine.svi import Floats
from netfeed.engine.svi_fit import Points

LEAST_ERROR: Final = 1e-4
"""No volatility is surer than a hundredth of a point: prices come in ticks."""
MOST_ERROR: Final = 0.5
"""A point that may be off by more than fifty is none."""


@dataclass(frozen=True, slots=True)
class OptionMark:
    """An option's market. Units: `mark` as its price is quoted, as a number."""

    strike: float
    call: bool
    mark: Mark


@dataclass(frozen=True, slots=True)
class Expiry:
    """What all options of an expiry have in common. Units: `years` of 365 days; `forward` in the quote currency."""

    forward: float
    years: float
    inverse: bool
    discount: float = 1.0


def points(marks: Sequence[OptionMark], expiry: Expiry) -> Points:
    """Give the points of a curve, by rising strike; none where nothing can be said."""
    outside = [one for one in marks if one.call == (one.strike >= expiry.forward) and one.mark.bid > 0]
    if not outside or expiry.years <= 0:
        return Points(*(np.empty(0),) * 3)
    outside.sort(key=lambda one: one.strike)
    strike = np.array([one.strike for one in outside])
    kind = np.array([CALL if one.call else PUT for one in outside])
    middle, error = np.array([one.mark.mid for one in outside]), np.array([one.mark.error for one in outside])
    volatility, code = implied_volatility(
        kind, middle, expiry.forward, strike, expiry.years, expiry.discount, expiry.inverse
    )  # fmt: skip
    values, _ = price_and_greeks(
        kind, expiry.forward, strike, expiry.years, np.nan_to_num(volatility), expiry.discount, expiry.inverse
    )  # fmt: skip
    vega = values[Row.VEGA] / (expiry.forward if expiry.inverse else 1.0)
    with np.errstate(all="ignore"):
        off = np.maximum(error / vega, LEAST_ERROR)
    good = (code == Code.OK) & (volatility > 0) & (off <= MOST_ERROR)
    return _of_volatility(np.log(strike / expiry.forward)[good], volatility[good], off[good], expiry.years)


def _of_volatility(k: Floats, volatility: Floats, off: Floats, years: float) -> Points:
    """Turn volatilities and their errors into total variances and theirs."""
    return Points(k, volatility * volatility * years, 2.0 * volatility * off * years)
