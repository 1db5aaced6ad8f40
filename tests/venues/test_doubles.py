"""Doubles as exact integers: the shortest decimal, or nothing."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netfeed.venues.doubles import decimals, exact


@pytest.mark.parametrize(("value", "exponent", "wanted"), [
    (0.1, -1, 1), (27782.4664, -4, 277_824_664), (1e22, 0, 10**22), (-0.5, -1, -5), (0.0, 0, 0),
    (1.0, 0, 1), (120.0, 1, 12), (0.15, -1, None), (1e-7, -6, None), (5.0, 1, None), (float("nan"), 0, None),
    (float("inf"), 0, None), (1e-320, -4, None),
])  # fmt: skip
def test_a_double_is_the_integer_of_its_shortest_decimal_or_none(value, exponent, wanted):
    assert exact(value, exponent) == wanted


@pytest.mark.parametrize(("values", "wanted"), [
    ([0.5], -1), ([0.0001, 0.01], -4), ([10.0], 0), ([1e-15], -15), ([], 0), ([1e-16], None), ([None], None),
    ([0.0], None), ([-0.5], None), ([float("nan")], None), ([float("inf")], None), ([1e15], None),
])  # fmt: skip
def test_the_exponent_of_a_tick_is_the_coarsest_at_which_all_are_whole(values, wanted):
    assert decimals(values) == wanted


@given(st.integers(-(10**15) + 1, 10**15 - 1), st.integers(0, 12))
def test_a_decimal_of_15_digits_survives_its_way_through_a_double(mantissa, places):
    assert exact(float(Fraction(mantissa, 10**places)), -places) == mantissa


@given(st.floats(), st.integers(-15, 3))
def test_what_is_given_is_never_rounded(value, exponent):
    number = exact(value, exponent)
    if number is not None:
        assert Fraction(number) * Fraction(10) ** exponent == Fraction(repr(value))
