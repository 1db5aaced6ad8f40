"""From the books of an expiry to points: options out of the money, with errors that their spreads and vegas make."""

import numpy as np
import pytest

from netfeed.engine.chain import LEAST_ERROR, Expiry, OptionMark, points
from netfeed.engine.forward import Mark
from netfeed.engine.option import CALL, PUT, Row, price_and_greeks

FORWARD, YEARS = 100_000.0, 0.25


def marks(expiry: Expiry, strikes: list[float], volatility: float, half: float) -> list[OptionMark]:
    found = []
    for strike in strikes:
        values, _ = price_and_greeks([CALL, PUT], FORWARD, strike, YEARS, volatility, inverse=expiry.inverse)
        for call, price in ((True, values[Row.PRICE, 0]), (False, values[Row.PRICE, 1])):
            found.append(OptionMark(strike, call, Mark(price - half, price + half, 1)))
    return found


@pytest.mark.parametrize(("inverse", "half"), [(True, 0.0005), (False, 50.0)])
def test_each_strike_gives_the_variance_of_its_option_out_of_the_money(inverse: bool, half: float) -> None:
    expiry = Expiry(FORWARD, YEARS, inverse)
    found = points(marks(expiry, [120_000.0, 80_000.0, 100_000.0], 0.6, half), expiry)
    assert found.k == pytest.approx(np.log([0.8, 1.0, 1.2]))
    assert found.variance == pytest.approx(0.36 * YEARS, rel=1e-9)
    values, _ = price_and_greeks(CALL, FORWARD, [80_000.0, 100_000.0, 120_000.0], YEARS, 0.6)
    money = half * FORWARD if inverse else half
    assert found.error == pytest.approx(2 * 0.6 * YEARS * money / values[Row.VEGA], rel=1e-9)


def test_options_in_the_money_are_not_looked_at() -> None:
    expiry, strikes = Expiry(FORWARD, YEARS, inverse=False), [80_000.0, 120_000.0]
    good, other = marks(expiry, strikes, 0.6, 50.0), marks(expiry, strikes, 0.9, 50.0)
    mixed = [one if one.call == (one.strike > FORWARD) else wrong for one, wrong in zip(good, other, strict=True)]
    assert mixed != good
    assert points(mixed, expiry).variance == pytest.approx(0.36 * YEARS, rel=1e-9)


def test_what_has_no_bid_or_no_volatility_or_a_far_too_wide_spread_is_no_point() -> None:
    expiry = Expiry(FORWARD, YEARS, inverse=True)
    good = marks(expiry, [100_000.0], 0.6, 0.0005)
    bad = [
        OptionMark(150_000.0, True, Mark(0.0, 0.01, 1)),
        OptionMark(140_000.0, True, Mark(1.2, 1.3, 1)),
        OptionMark(130_000.0, True, Mark(0.001, 0.4, 1)),
    ]
    assert len(points(good + bad, expiry)) == 1


def test_no_volatility_is_surer_than_prices_in_ticks_can_be() -> None:
    expiry = Expiry(FORWARD, YEARS, inverse=False)
    found = points(marks(expiry, [100_000.0], 0.6, 0.0), expiry)
    assert found.error == pytest.approx(2 * 0.6 * YEARS * LEAST_ERROR)


@pytest.mark.parametrize("years", [0.25, 0.0])
def test_an_empty_chain_and_one_that_has_expired_have_no_points(years: float) -> None:
    expiry = Expiry(FORWARD, years, inverse=True)
    assert len(points([], expiry)) == 0
    assert years or len(points(marks(Expiry(FORWARD, YEARS, True), [1e5], 0.6, 0.001), expiry)) == 0
