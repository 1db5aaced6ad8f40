"""The fit: curves are found again, wrong prices do not bend them, and no curve allows free money."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netfeed.engine.svi import Floats, Svi, butterfly, calendar
from netfeed.engine.svi_fit import Neighbours, Points, check_grid, fit
from tests.engine.test_svi import VOGT

K = np.linspace(-0.6, 0.5, 21)
CURVES = (
    Svi(0.01, 0.08, -0.3, 0.02, 0.12),
    Svi(0.002, 0.2, -0.6, 0.05, 0.1),
    Svi(0.04, 0.4, -0.7, 0.1, 0.3),
    Svi(0.02, 0.05, 0.4, -0.1, 0.2),
)


def points(svi: Svi, k: Floats = K, error: float = 1e-4) -> Points:
    return Points(k, np.asarray(svi.variance(k)), np.full(len(k), error))


def off(found: Svi, true: Svi, k: Floats = K) -> float:
    """The largest difference of volatilities, a year to the expiry."""
    return float(np.max(np.abs(np.sqrt(found.variance(k)) - np.sqrt(true.variance(k)))))


@pytest.mark.parametrize("true", CURVES)
def test_a_curve_is_found_again(true: Svi) -> None:
    found = fit(points(true))
    assert off(found.svi, true) < 1e-5
    assert found.misfit < 0.05
    assert found.svi == pytest.approx(true, abs=1e-2)


@settings(max_examples=15)
@given(
    a=st.floats(0.003, 0.05), b=st.floats(0.02, 0.4), rho=st.floats(-0.8, 0.8), m=st.floats(-0.2, 0.2),
    sigma=st.floats(0.05, 0.5),
)  # fmt: skip
def test_any_curve_that_is_free_of_arbitrage_is_found_again(
    a: float, b: float, rho: float, m: float, sigma: float
) -> None:
    true = Svi(a, b, rho, m, sigma)
    found = fit(points(true))
    assert butterfly(found.svi, check_grid(K)) >= -1e-8
    if butterfly(true, check_grid(K)) > 1e-6:
        assert off(found.svi, true) < 2e-4


@settings(max_examples=6)
@given(seed=st.integers(0, 2**16))
def test_prices_that_are_off_by_their_errors_are_met_to_within_them(seed: int) -> None:
    true, draws = CURVES[0], np.random.default_rng(seed)
    given_points = points(true)
    noisy = Points(K, given_points.variance + 1e-4 * draws.standard_normal(len(K)), given_points.error)
    assert fit(noisy).misfit < 1.5
    assert np.max(np.abs(fit(noisy).svi.variance(K) - true.variance(K))) < 3e-4


def test_two_prices_that_are_grossly_wrong_do_not_bend_the_curve() -> None:
    good = points(CURVES[0])
    wrong = good.variance.copy()
    wrong[4] *= 2.0
    wrong[15] *= 0.5
    found = fit(Points(K, wrong, good.error))
    assert off(found.svi, CURVES[0]) < 2e-3
    assert found.weights[4] < 0.01
    assert found.weights[15] < 0.1


def test_what_is_sure_counts_more_than_what_is_not() -> None:
    good = points(CURVES[0])
    error = np.where(K > 0.2, 1e-2, 1e-4)
    found = fit(Points(K, good.variance + np.where(K > 0.2, 5e-3, 0.0), error))
    assert off(found.svi, CURVES[0], K[K <= 0.2]) < 1e-3


def test_prices_with_a_free_butterfly_get_the_nearest_curve_without_one() -> None:
    k = np.linspace(-1.0, 1.0, 31)
    assert butterfly(VOGT, check_grid(k)) < 0
    found = fit(points(VOGT, k))
    assert butterfly(found.svi, check_grid(k)) >= -1e-8
    assert off(found.svi, VOGT, k) < 0.02


def test_wings_are_never_steeper_than_two_whatever_is_quoted() -> None:
    found = fit(points(Svi(0.04, 3.0, 0.5, 0.0, 0.2)))
    assert max(found.nearest.wings()) <= 2.0 + 1e-9
    assert max(found.svi.wings()) <= 2.0 + 1e-9


def test_a_curve_stays_over_the_expiry_before_and_under_the_one_after() -> None:
    earlier, later = CURVES[0], Svi(0.03, 0.12, -0.3, 0.02, 0.12)
    low, high = Svi(0.006, 0.08, -0.3, 0.02, 0.12), Svi(0.05, 0.12, -0.3, 0.02, 0.12)
    grid = check_grid(K)
    for market in (low, high):
        found = fit(points(market), Neighbours(earlier, later)).svi
        assert calendar(earlier, found, grid) >= -1e-8
        assert calendar(found, later, grid) >= -1e-8


def test_a_prior_gives_two_prices_a_shape() -> None:
    shape, lifted = CURVES[0], CURVES[0]._replace(a=0.012)
    two = np.array([-0.05, 0.05])
    found = fit(points(lifted, two), prior=points(shape, error=2e-3))
    assert off(found.svi, lifted, two) < 1e-3
    assert off(found.svi, lifted) < 0.012


@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_points_give_some_curve_without_free_money(count: int) -> None:
    few = points(CURVES[0], np.linspace(-0.1, 0.1, count))
    found = fit(few)
    assert butterfly(found.svi, check_grid(few.k)) >= -1e-8
    assert np.all(np.isfinite(found.svi))


def test_nothing_cannot_be_fitted() -> None:
    with pytest.raises(ValueError, match="nothing to fit"):
        fit(Points(*(np.empty(0),) * 3))
