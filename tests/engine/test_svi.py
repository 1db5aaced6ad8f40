"""SVI: its derivatives against differences, the arbitrage detectors against violations that are known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netfeed.engine.option import CALL, Row, price_and_greeks
from netfeed.engine.svi import Svi, butterfly, calendar
from netfeed.engine.svi_fit import check_grid

VOGT = Svi(-0.0410, 0.1331, 0.3060, 0.3586, 0.4153)
"""Axel Vogt's: Gatheral and Jacquier's example 3.1 of a curve that looks fine and is not."""
GRID = np.linspace(-1.5, 1.5, 301)

curves = st.builds(
    Svi, st.floats(0.001, 0.2), st.floats(0.0, 0.5), st.floats(-0.95, 0.95), st.floats(-0.3, 0.3), st.floats(0.05, 0.6)
)


@settings(max_examples=40)
@given(curves, st.floats(-1.0, 1.0))
def test_the_slope_is_that_of_the_variance(svi: Svi, k: float) -> None:
    h = 1e-5
    assert svi.slope(k) == pytest.approx((svi.variance(k + h) - svi.variance(k - h)) / (2 * h), abs=1e-8)


@settings(max_examples=40)
@given(curves, st.floats(-0.3, 0.3))
def test_g_is_the_density_of_the_price_that_black_gives_but_for_its_factor(svi: Svi, k: float) -> None:
    """d2C/dK2 by differences of Black's prices, against n(d2) g / (K sqrt(w)): no formula of SVI is shared."""
    svi = svi._replace(a=svi.a + 0.03)  # differences of prices need a density to see
    strikes = np.exp(k) * (1.0 + np.array([-1e-3, 0.0, 1e-3]))
    w = np.asarray(svi.variance(np.log(strikes)))
    values, _ = price_and_greeks(CALL, 1.0, strikes, 1.0, np.sqrt(w))
    price, strike = values[Row.PRICE], float(np.exp(k))
    density = (price[0] - 2 * price[1] + price[2]) / (1e-3 * strike) ** 2
    root = np.sqrt(w[1])
    d2 = -k / root - root / 2
    expected = np.exp(-d2 * d2 / 2) / np.sqrt(2 * np.pi) / (strike * root) * svi.g(k)
    assert density == pytest.approx(expected, rel=2e-3, abs=2e-3 * np.exp(-d2 * d2 / 2) / (strike * root))


def test_vogts_curve_has_a_butterfly_that_is_free_money_and_a_flat_one_has_none() -> None:
    assert butterfly(VOGT, GRID) < -0.02
    assert GRID[int(np.argmin(VOGT.g(GRID)))] == pytest.approx(0.85, abs=0.3)
    assert butterfly(Svi(0.04, 0.0, 0.0, 0.0, 0.1), GRID) == pytest.approx(1.0)


def test_wings_steeper_than_two_are_found_though_the_grid_ends_before() -> None:
    steep = Svi(0.04, 1.5, 0.5, 0.0, 0.2)
    assert steep.wings() == (0.75, 2.25)
    assert butterfly(steep, np.array([0.0])) == pytest.approx(-0.25)


def test_a_curve_without_variance_is_as_bad_as_can_be() -> None:
    assert butterfly(Svi(-0.1, 0.1, 0.0, 0.0, 0.1), GRID) == -np.inf


def test_a_variance_that_falls_from_one_expiry_to_the_next_is_found_where_it_falls() -> None:
    early = Svi(0.02, 0.2, -0.4, 0.0, 0.2)
    assert calendar(early, early._replace(a=0.03), GRID) > 0
    assert calendar(early, early, GRID) == 0
    assert calendar(early, early._replace(a=0.019), GRID) < 0
    flatter = Svi(0.06, 0.05, -0.4, 0.0, 0.2)
    assert flatter.variance(0.0) > early.variance(0.0), "it does not fall in the middle"
    assert calendar(early, flatter, GRID) < 0, "but in the wings"


def test_arbitrage_is_looked_for_beyond_what_is_quoted() -> None:
    grid = check_grid(np.array([-0.2, 0.3]))
    assert (grid[0], grid[-1]) == (pytest.approx(-0.45), pytest.approx(0.55))
    assert len(check_grid(np.array([0.1]))) == len(grid)
