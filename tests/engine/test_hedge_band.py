"""Bands against their closed form, computed another way, and against what they must tend to."""

from math import exp, log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netfeed.engine.hedge_band import Fixed, WhalleyWilmott
from netfeed.engine.strategy import Greeks
from netfeed.errors import MisuseError


def test_a_fixed_band_is_what_it_is() -> None:
    assert Fixed(0.3).half_width(Greeks(gamma=5.0), 1e5, 1e-3) == 0.3


def test_a_value_worked_out_by_hand() -> None:
    # 1.5 * 0.001 * 100 * 0.04^2 / 0.3 = 0.0008, and 0.0008^(1/3) = 0.0928317766...
    band = WhalleyWilmott(aversion=0.3)
    assert band.half_width(Greeks(gamma=0.04), 100.0, 0.001) == pytest.approx(0.09283177667225558, rel=1e-12)


@given(
    gamma=st.floats(1e-6, 10.0), forward=st.floats(1.0, 1e6), cost=st.floats(1e-6, 0.1), aversion=st.floats(1e-6, 10.0),
    rate=st.floats(-0.1, 0.3), years=st.floats(0.0, 2.0),
)  # fmt: skip
def test_the_closed_form_in_logarithms(
    gamma: float, forward: float, cost: float, aversion: float, rate: float, years: float
) -> None:
    band = WhalleyWilmott(aversion, rate=rate, years=years)
    logs = (log(1.5) - rate * years + log(cost) + log(forward) + 2 * log(gamma) - log(aversion)) / 3
    assert band.half_width(Greeks(gamma=gamma), forward, cost) == pytest.approx(exp(logs), rel=1e-9)
    assert band.half_width(Greeks(gamma=-gamma), forward, cost) == pytest.approx(exp(logs), rel=1e-9)


def test_costs_widen_with_a_third_power_and_gamma_with_two_thirds() -> None:
    band = WhalleyWilmott(1.0)
    one = band.half_width(Greeks(gamma=0.1), 100.0, 0.001)
    assert band.half_width(Greeks(gamma=0.1), 100.0, 0.008) == pytest.approx(2 * one)
    assert band.half_width(Greeks(gamma=0.8), 100.0, 0.001) == pytest.approx(4 * one)


def test_a_band_stays_between_its_bounds() -> None:
    band = WhalleyWilmott(1.0, least=0.05, most=0.1)
    assert band.half_width(Greeks(), 100.0, 0.001) == 0.05
    assert band.half_width(Greeks(gamma=1e3), 100.0, 0.001) == 0.1


@pytest.mark.parametrize(("aversion", "least", "most"), [(0.0, 0.0, 1.0), (1.0, 2.0, 1.0), (1.0, -1.0, 1.0)])
def test_a_band_that_makes_no_sense_is_the_callers_mistake(aversion: float, least: float, most: float) -> None:
    with pytest.raises(MisuseError):
        WhalleyWilmott(aversion, least, most)
