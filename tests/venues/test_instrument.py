"""What instruments are made of: exponents, whole numbers, and increments that make no sense."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netfeed.errors import WireError
from netfeed.venues.instrument import HEADROOM, Number, exponent_of, finer, grid, milliseconds, whole


@given(st.integers(-(10**9), 10**9), st.integers(-12, 6))
def test_a_decimal_is_its_mantissa_and_exponent(mantissa: int, exponent: int) -> None:
    value = Decimal(mantissa).scaleb(exponent)
    number = Number.of(value)
    assert Decimal(number.mantissa).scaleb(number.exponent) == value
    assert number.exponent <= 0


@pytest.mark.parametrize("text", ["NaN", "Infinity", "1e31", "1e-31", "1e999999999", "-1e999999999"])
def test_absurd_numbers_are_one_error_and_take_no_time(text: str) -> None:
    with pytest.raises(WireError):
        exponent_of([Decimal(text)])
    with pytest.raises(WireError):
        whole(Decimal(text), 0) if text != "1e-31" else exponent_of([Decimal(text)])


@pytest.mark.parametrize("text", ["0e999999999", "0e-999999999", "1" + "0" * 20_000 + "e-20000", "1." + "0" * 20_000])
def test_many_zeros_are_no_work(text: str) -> None:
    assert whole(Decimal(text), -8) in (0, 10**8)


def test_what_is_not_whole_is_said() -> None:
    with pytest.raises(WireError):
        whole(Decimal("0.05"), -1)


@pytest.mark.parametrize("value", ["0", "-1", "NaN", "sNaN"])
def test_an_increment_is_above_nothing(value: str) -> None:
    with pytest.raises(WireError):
        grid([Decimal(value)], [Decimal(1)])
    with pytest.raises(WireError):
        grid([Decimal(1)], [Decimal(value)])


def test_increments_make_a_grid() -> None:
    assert grid([Decimal("0.5"), Decimal("0.0005")], [Decimal(10)]) == (-4, 0)
    assert (whole(Decimal("0.0005"), -4), whole(Decimal("1E+2"), -1)) == (5, 1000)
    assert (milliseconds(None), milliseconds(0), milliseconds(7)) == (None, None, 7_000_000)


@given(st.integers(0, 8), st.integers(1, 10**15))
def test_a_finer_grid_leaves_room_for_the_largest_order(precision: int, largest: int) -> None:
    exponent = finer(0, precision, Decimal(largest))
    assert -precision <= exponent <= 0
    assert exponent == 0 or largest * HEADROOM * 10**-exponent < 2**63
    with pytest.raises(WireError):
        finer(0, 8, Decimal("Infinity"))
