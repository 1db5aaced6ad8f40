"""The compiled option maths against its twin: the same values for the same numbers, however they are given."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.engine.black_builds import CORES, TWIN, UNITS, core, needs_core

pytestmark = needs_core

amounts = st.one_of(
    st.floats(1e-3, 1e6), st.floats(50, 200), st.sampled_from([100.0, 1e-100, 1e100, 0.0, math.nan, math.inf, -1.0])
)
times = st.one_of(st.floats(0, 3), st.floats(0, 1e-6), st.sampled_from([0.0, -1.0, 1e10, math.nan, math.inf]))
volatilities = st.one_of(st.floats(0, 3), st.floats(0, 1e-6), st.sampled_from([0.0, -1.0, 1e10, math.nan, math.inf]))
discounts = st.one_of(st.just(1.0), st.floats(0.1, 2), st.sampled_from([0.0, math.nan]))
kinds = st.sampled_from([1, 1, 1, -1, -1, -1, 0, 7])
options = st.lists(
    st.tuples(kinds, amounts, amounts, times, volatilities, discounts, st.booleans()), min_size=1, max_size=80
)
prices = st.lists(
    st.tuples(
        kinds, st.one_of(amounts, st.floats(0, 100)), amounts, amounts, times, discounts, st.booleans(),
        st.one_of(st.just(math.nan), st.floats(0, 10), st.floats()),
    ),
    min_size=1, max_size=80,
)  # fmt: skip


def columns(rows: list[tuple[Any, ...]]) -> list[Any]:
    kinds = (np.int8, *[np.float64] * 5, np.bool_)
    return [np.array(column, kind) for column, kind in zip(zip(*rows, strict=True), kinds, strict=True)]


@pytest.mark.parametrize("maths", CORES)
@given(rows=options)
def test_values_are_those_of_the_twin(maths: Any, rows: list[tuple[Any, ...]]) -> None:
    """To 2e-12 of themselves, or of what their terms are: exponents of 700 magnify a rounding so."""
    given = columns(rows)
    wanted, wanted_codes = TWIN.price_and_greeks(*given)
    found, codes = maths.price_and_greeks(*given)
    assert codes.tolist() == wanted_codes.tolist()
    assert (np.isnan(found) == np.isnan(wanted)).all()
    with np.errstate(all="ignore"):
        spread = given[4] * np.sqrt(given[3])
        d = np.abs(np.log(given[1] / given[2])) / spread + spread
        terms = np.abs(wanted)
        terms[4] += np.abs(wanted[3] * given[4] / given[3])
        terms[6] += np.abs(wanted[3] / given[1] / spread * d)
        terms[7] += np.abs(wanted[3] / given[4] * d)
        near = np.abs(found - wanted) <= 2e-12 * terms
    tiny = (np.abs(wanted) < 1e-250) & (np.abs(found) < 1e-250)
    assert (near | tiny | (found == wanted) | np.isnan(wanted)).all()


@pytest.mark.parametrize("maths", CORES)
@given(rows=prices)
def test_volatilities_are_those_of_the_twin(maths: Any, rows: list[tuple[Any, ...]]) -> None:
    """A volatility of which the price says nothing may differ: then its price is the same."""
    kinds = (np.int8, *[np.float64] * 5, np.bool_, np.float64)
    given = [np.array(column, kind) for column, kind in zip(zip(*rows, strict=True), kinds, strict=True)]
    wanted, wanted_codes = TWIN.implied_volatility(*given)
    found, codes = maths.implied_volatility(*given)
    assert codes.tolist() == wanted_codes.tolist()
    assert (np.isnan(found) == np.isnan(wanted)).all()
    kind, price, forward, strike, years, discount, inverse, _ = given
    made, _ = maths.price_and_greeks(kind, forward, strike, years, found, discount, inverse)
    with np.errstate(all="ignore"):
        near = np.abs(found - wanted) <= 1e-11 * wanted
        same = np.abs(made[0] - price) <= 1e-12 * np.maximum(price, discount * np.where(inverse, 1.0, forward))
    assert (near | same | np.isnan(wanted)).all()


STRIKES = np.linspace(60.0, 140.0, 137)
FORMS: dict[str, Any] = {
    "a list": STRIKES.tolist(), "not packed": np.repeat(STRIKES, 3)[::3], "backwards": STRIKES[::-1][::-1],
    "swapped": STRIKES.astype(">f8"), "read only": np.frombuffer(STRIKES.tobytes()),
    "a column of a table": np.stack([STRIKES, STRIKES], axis=1)[:, 1],
}  # fmt: skip


@pytest.mark.parametrize("maths", CORES)
@pytest.mark.parametrize("form", FORMS)
def test_an_array_may_lie_as_it_likes(maths: Any, form: str) -> None:
    wanted, _ = maths.price_and_greeks(1, 100.0, STRIKES, 0.2, 0.5)
    found, codes = maths.price_and_greeks(1, 100.0, FORMS[form], 0.2, 0.5)
    assert found.tolist() == wanted.tolist()
    assert not codes.any()


@pytest.mark.parametrize("maths", CORES)
@pytest.mark.parametrize("kind", [np.int8, np.int16, np.int64, np.float32, np.float64, object])
def test_kinds_may_be_any_numbers(maths: Any, kind: type) -> None:
    kinds = np.where(STRIKES > 100, 1, -1)
    wanted, _ = TWIN.price_and_greeks(kinds, 100.0, STRIKES, 0.2, 0.5)
    found, codes = maths.price_and_greeks(kinds.astype(kind), 100.0, STRIKES, 0.2, 0.5)
    assert not codes.any()
    assert found == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize("maths", CORES)
def test_values_may_be_written_to_rows_that_are_not_packed(maths: Any) -> None:
    wanted, _ = maths.price_and_greeks(1, 100.0, STRIKES, 0.2, 0.5)
    room, codes = np.full((137, 16), -1.0), np.full(274, 9, np.uint8)
    maths.price_and_greeks(1, 100.0, STRIKES, 0.2, 0.5, values=room.T[:16:2], codes=codes[::2])
    assert (wanted == room[:, ::2].T).all()
    assert (room[:, 1::2] == -1.0).all()
    assert codes.tolist() == [0, 9] * 137


@pytest.mark.parametrize("maths", CORES)
def test_what_is_read_may_be_what_is_written(maths: Any) -> None:
    wanted, _ = maths.price_and_greeks(1, 100.0, STRIKES, 0.2, 0.5)
    table = np.empty((8, 137))
    table[0] = STRIKES
    maths.price_and_greeks(1, 100.0, table[0], 0.2, 0.5, values=table)
    assert table.tolist() == wanted.tolist()


@pytest.mark.parametrize("maths", CORES)
def test_what_cannot_be_written_is_refused(maths: Any) -> None:
    room = np.empty((8, 137))
    room.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        maths.price_and_greeks(1, 100.0, STRIKES, 0.2, 0.5, values=room)


def test_one_option_is_what_many_are() -> None:
    many, codes = core.price_and_greeks(-1, 100.0, STRIKES, 0.2, 0.5, 0.9, True)
    one = [core.price_one(-1, 100.0, strike, 0.2, 0.5, 0.9, True) for strike in STRIKES.tolist()]
    assert [values for values, _ in one] == [tuple(column) for column in many.T.tolist()]
    assert [code for _, code in one] == codes.tolist()
    found, codes = core.implied_volatility(-1, many[0], 100.0, STRIKES, 0.2, 0.9, True)
    alone = [
        core.solve_one(-1, price, 100.0, strike, 0.2, 0.9, True)
        for price, strike in zip(many[0].tolist(), STRIKES.tolist(), strict=True)
    ]
    assert alone == list(zip(found.tolist(), codes.tolist(), strict=True))


def test_only_units_of_this_machine_can_be_used() -> None:
    assert UNITS[0] == "plain"
    with pytest.raises(ValueError):
        core.use("abacus")
