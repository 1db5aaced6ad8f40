"""The surface: good curves are taken, others refused by name with the last good one kept, and what moves in between."""

import numpy as np
import pytest

from netfeed.engine.surface import Refit, Sticky, Surface, SurfaceSettings, Verdict
from netfeed.engine.svi import Floats, Svi
from netfeed.engine.svi_fit import Points
from tests.engine.test_svi import VOGT

NEAR, FAR = 1_000, 2_000
K = np.linspace(-0.5, 0.4, 15)
CURVE = Svi(0.01, 0.08, -0.3, 0.02, 0.12)
F = 100_000.0


def given(
    curve: Svi, expiry_ns: int = NEAR, k: Floats = K, years: float = 0.25, forward: float | None = F, at_ns: int = 7,
    error: float = 1e-4,
) -> Refit:  # fmt: skip
    return Refit(expiry_ns, Points(k, np.asarray(curve.variance(k)), np.full(len(k), error)), forward, years, at_ns)


def test_a_good_curve_is_taken_with_its_age_and_gives_its_volatilities() -> None:
    surface = Surface()
    assert surface.refit(given(CURVE)).verdict is Verdict.GOOD
    one = surface.slice(NEAR)
    assert one is not None
    assert (one.at_ns, one.points, one.forward) == (7, 15, F)
    strikes = F * np.exp(K)
    assert surface.volatility(NEAR, strikes, F) == pytest.approx(np.sqrt(CURVE.variance(K) / 0.25), abs=1e-5)


NONE = np.empty(0)
WILD = Refit(NEAR, Points(K, 0.02 + 0.015 * (-1.0) ** np.arange(15), np.full(15, 1e-4)), F, 0.25, 9)
REFUSED = [
    (given(CURVE, years=0.0), Verdict.EXPIRED),
    (given(CURVE, forward=None), Verdict.NO_FORWARD),
    (given(CURVE, forward=float("nan")), Verdict.NO_FORWARD),
    (given(CURVE, k=NONE), Verdict.EMPTY),
    (given(CURVE, k=K[:1]), Verdict.FEW_POINTS),
    (WILD, Verdict.POOR),
    (given(VOGT._replace(a=-0.0505), k=np.linspace(-1.2, 1.2, 25), error=1e-5), Verdict.BUTTERFLY),
]


@pytest.mark.parametrize(("refit", "verdict"), REFUSED, ids=[f"{at}-{one[1].name}" for at, one in enumerate(REFUSED)])
def test_a_fit_is_refused_by_name_and_the_last_good_curve_is_kept(refit: Refit, verdict: Verdict) -> None:
    surface = Surface()
    assert surface.refit(refit).verdict is verdict
    assert surface.slice(NEAR) is None
    surface.refit(given(CURVE, at_ns=3))
    before = surface.slice(NEAR)
    assert surface.refit(refit).verdict is verdict
    assert surface.slice(NEAR) is before
    attempt = surface.attempt(NEAR)
    assert attempt is not None
    assert attempt.verdict is verdict
    assert surface.verdicts() == {verdict.name: 2, "GOOD": 1}


def test_four_points_make_no_first_curve_but_move_one_that_is_there() -> None:
    surface, few = Surface(), np.array([-0.1, -0.03, 0.04, 0.1])
    assert surface.refit(given(CURVE, k=few)).verdict is Verdict.FEW_POINTS
    surface.refit(given(CURVE))
    lifted = CURVE._replace(a=0.011)
    assert surface.refit(given(lifted, k=few)).verdict is Verdict.GOOD
    near = surface.volatility(NEAR, F * np.exp(few), F)
    assert near == pytest.approx(np.sqrt(lifted.variance(few) / 0.25), abs=2e-3)


def test_a_later_expiry_below_an_earlier_one_is_refused_as_free_money() -> None:
    surface = Surface()
    surface.refit(given(CURVE))
    lower = CURVE._replace(a=0.006)
    assert surface.refit(given(lower, FAR, years=0.5)).verdict is Verdict.CALENDAR
    assert surface.refit(given(CURVE._replace(a=0.02), FAR, years=0.5)).verdict is Verdict.GOOD
    assert surface.refit(given(CURVE._replace(a=0.04))).verdict is Verdict.CALENDAR, "an earlier one above a later one"
    assert surface.crossings() == []


def test_all_expiries_may_rise_together_which_one_alone_could_not() -> None:
    surface, far = Surface(), CURVE._replace(a=0.02)
    surface.refit_all([given(far, FAR, years=0.5), given(CURVE)])
    rise = [given(CURVE._replace(a=0.04)), given(CURVE._replace(a=0.05), FAR, years=0.5)]
    assert surface.refit(rise[0]).verdict is Verdict.CALENDAR
    assert {one.verdict for one in surface.refit_all(rise).values()} == {Verdict.GOOD}


def test_a_pair_that_allows_free_money_because_only_one_could_be_fitted_is_named() -> None:
    surface = Surface()
    surface.refit_all([given(CURVE), given(CURVE._replace(a=0.02), FAR, years=0.5)])
    empty = given(CURVE, FAR, k=NONE, years=0.5)
    surface.refit_all([given(CURVE._replace(a=0.04)), empty])
    assert surface.crossings() == [(NEAR, FAR)]
    surface.drop(FAR)
    assert surface.crossings() == []
    assert surface.slice(FAR) is surface.attempt(FAR) is None


@pytest.mark.parametrize("sticky", Sticky)
def test_what_a_strike_keeps_when_the_forward_moves_is_what_was_chosen(sticky: Sticky) -> None:
    surface = Surface(SurfaceSettings(sticky))
    surface.refit(given(CURVE))
    strike, up = 90_000.0, F * 1.03
    same = surface.volatility(NEAR, strike, F)
    if sticky is Sticky.STRIKE:
        assert surface.volatility(NEAR, strike, up) == same
        assert surface.smile(NEAR, strike, up) == 0.0
    else:
        assert surface.volatility(NEAR, strike * 1.03, up) == pytest.approx(same)
        h = 1.0
        slope = (surface.volatility(NEAR, strike, F + h) - surface.volatility(NEAR, strike, F - h)) / (2 * h)
        assert surface.smile(NEAR, strike, F) == pytest.approx(slope, rel=1e-6)


def test_an_expiry_without_a_curve_has_no_volatility() -> None:
    with pytest.raises(KeyError):
        Surface().volatility(NEAR, 1e5, F)
