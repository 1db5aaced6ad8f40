"""Implied volatilities: back from prices, for every price inside the bounds, and else which bound it breaks."""

import math
from typing import Any

import numpy as np
import pytest

from netfeed.engine.black_words import CALL, PUT, Code, Row
from tests.engine.black_builds import BUILDS, CORES
from tests.engine.oracles import quantlib

RELATIVE = 1e-10


def drawn(count: int, seed: int) -> dict[str, Any]:
    """Draw options: everywhere, near the money, and out to where the price is nearly nothing."""
    rng = np.random.default_rng(seed)
    s, years = 10 ** rng.uniform(-4, math.log10(5), count), 10 ** rng.uniform(-6, 1, count)
    reach = np.minimum(3.0, rng.choice([3.0, 1e-8, 1e-3, 1.0, 37.0], count) * np.where(rng.random(count) < 0.5, 1, s))
    forward = 10 ** rng.uniform(-3, 5, count)
    return {
        "kind": rng.choice([CALL, PUT], count).astype(np.int8), "forward": forward,
        "strike": forward * np.exp(rng.uniform(-reach, reach)), "years": years, "volatility": s / np.sqrt(years),
        "discount": rng.uniform(0.7, 1.0, count), "inverse": rng.random(count) < 0.5,
    }  # fmt: skip


def check_way_back(maths: Any, count: int, seed: int, spread: float | None) -> None:
    """Find what prices were made of.

    A price says its volatility to within a rounding of the price by its vega: at most eight of them are allowed beside
    RELATIVE, and what lies within eight of intrinsic value or of the bound says nothing.
    """
    options = drawn(count, seed)
    volatility = options.pop("volatility")
    values, _ = maths.price_and_greeks(volatility=volatility, **options)
    guess = None if spread is None else volatility * np.exp(np.random.default_rng(seed).normal(0, spread, count))
    found, codes = maths.implied_volatility(price=values[Row.PRICE], guess=guess, **options)
    worth = values[Row.PRICE] * np.where(options["inverse"], options["forward"], 1.0)
    with np.errstate(all="ignore"):
        allowed = RELATIVE * volatility + 8 * 2.0**-53 * worth / values[Row.VEGA]
    said = (codes == Code.OK) & (found > 0) & (worth > 1e-300 * options["forward"])
    assert np.isin(codes, [Code.OK, Code.ABOVE_BOUND]).all()
    assert said.mean() > 0.6
    assert (np.abs(found - volatility)[said] <= allowed[said]).all()


@pytest.mark.parametrize("maths", BUILDS)
@pytest.mark.parametrize("spread", [None, 1e-4, 0.05, 10.0])
def test_prices_give_back_their_volatilities(maths: Any, spread: float | None) -> None:
    """Without a guess, with one that is close, with one that is not, and with one that is mad."""
    check_way_back(maths, 4_000, 1, spread)


@pytest.mark.slow
@pytest.mark.parametrize("maths", CORES)
@pytest.mark.parametrize("spread", [None, 1e-4, 0.05, 10.0])
@pytest.mark.parametrize("seed", range(2, 4))
def test_many_prices_give_back_their_volatilities(maths: Any, spread: float | None, seed: int) -> None:
    check_way_back(maths, 200_000, seed, spread)


LOGS = [0.0, 1e-15, 1e-9, 1e-4, 0.01, 0.3, 3.0, 20.0, 200.0]


@pytest.mark.parametrize("maths", BUILDS)
@pytest.mark.parametrize("guess", [None, 1e-6, 1.0, 1e6])
@pytest.mark.parametrize("log", LOGS)
def test_every_price_between_nothing_and_the_forward_has_a_volatility(
    maths: Any, log: float, guess: float | None
) -> None:
    """From the smallest double to the last one before the forward; a higher price has a higher volatility."""
    low, high = 10.0 ** np.arange(-307, 0, 0.25), 1 - 2.0 ** -np.arange(1, 54)
    prices = np.concatenate([[5e-324, 1e-320, 1e-315, 1e-310], low, high])
    strike = math.exp(log)
    found, codes = maths.implied_volatility(CALL, prices, 1.0, strike, 1.0, guess=guess)
    assert not codes.any()
    assert (np.diff(found[np.argsort(prices)]) > 0).all()
    back = maths.price_and_greeks(CALL, 1.0, strike, 1.0, found)[0][Row.PRICE]
    can = (prices > 1e-300 * math.sqrt(strike)) & (found > 1e-149)
    assert (np.abs(back - prices)[can] <= 1e-12 * prices[can]).all()


@pytest.mark.parametrize("maths", BUILDS)
@pytest.mark.parametrize(
    ("kind", "price", "code"),
    [
        (CALL, 19.999, Code.BELOW_INTRINSIC), (CALL, 100.0, Code.ABOVE_BOUND), (CALL, 200.0, Code.ABOVE_BOUND),
        (CALL, -0.001, Code.BELOW_INTRINSIC), (PUT, -0.001, Code.BELOW_INTRINSIC), (PUT, 80.0, Code.ABOVE_BOUND),
        (PUT, math.nan, Code.BAD_INPUT), (PUT, math.inf, Code.BAD_INPUT), (PUT, -math.inf, Code.BAD_INPUT),
        (0, 1.0, Code.BAD_INPUT),
    ],
)  # fmt: skip
@pytest.mark.parametrize(("discount", "inverse"), [(1.0, False), (0.5, False), (1.0, True), (0.5, True)])
def test_a_price_that_no_volatility_makes_says_which_bound_it_breaks(
    maths: Any, kind: int, price: float, code: Code, discount: float, inverse: bool
) -> None:
    price *= discount / (100.0 if inverse else 1.0)
    volatility, said = maths.solve_one(kind, price, 100.0, 80.0, 0.5, discount, inverse)
    assert math.isnan(volatility)
    assert said == code


@pytest.mark.parametrize("maths", BUILDS)
@pytest.mark.parametrize("years", [0.0, -0.0, -1.0])
def test_an_expired_option_has_no_volatility(maths: Any, years: float) -> None:
    volatility, code = maths.solve_one(CALL, 25.0, 100.0, 80.0, years)
    assert math.isnan(volatility)
    assert code == Code.EXPIRED


@pytest.mark.parametrize("maths", BUILDS)
@pytest.mark.parametrize(("kind", "strike"), [(CALL, 80.0), (CALL, 120.0), (PUT, 80.0), (PUT, 120.0), (CALL, 100.0)])
def test_intrinsic_value_to_within_roundings_has_no_volatility_at_all(maths: Any, kind: int, strike: float) -> None:
    intrinsic = max(kind * (100.0 - strike), 0.0)
    prices = intrinsic * (1 + 2.0**-52 * np.arange(-3, 4)) / 100.0
    volatilities, codes = maths.implied_volatility(kind, prices, 100.0, strike, 0.5, 1.0, True)
    assert codes.tolist() == [Code.OK] * 7
    assert volatilities.tolist() == [0.0] * 7


@pytest.mark.parametrize("maths", BUILDS)
def test_no_number_that_can_be_given_raises_or_warns(maths: Any) -> None:
    ends = [math.nan, math.inf, -math.inf, 0.0, -0.0, 5e-324, 1e-308, 1e-100, 1e-8, 1.0, 100.0, 1e100, 1.7e308, -1.0]
    mesh = np.meshgrid([1.0, -1.0], ends, ends, ends, ends, [1.0, 1e-100])
    volatilities, codes = maths.implied_volatility(*(axis.reshape(-1) for axis in mesh))
    assert (np.isnan(volatilities) == (codes != Code.OK)).all()
    assert (volatilities[codes == Code.OK] >= 0).all()


@pytest.mark.parametrize("maths", BUILDS)
@pytest.mark.parametrize("guess", [math.nan, 0.0, -1.0, math.inf, -math.inf, 5e-324, 1e-300, 1e300])
def test_a_guess_that_is_none_changes_nothing(maths: Any, guess: float) -> None:
    wanted, _ = maths.solve_one(CALL, 9.0, 100.0, 95.0, 0.3)
    assert maths.solve_one(CALL, 9.0, 100.0, 95.0, 0.3, guess=guess) == (pytest.approx(wanted, rel=1e-13), Code.OK)


@pytest.mark.parametrize("maths", BUILDS)
def test_volatilities_are_those_of_quantlib(maths: Any) -> None:
    rng = np.random.default_rng(5)
    for _ in range(40):
        forward, years, s = 10 ** rng.uniform(0, 4), rng.uniform(0.01, 2), rng.uniform(0.05, 1.0)
        strike = forward * math.exp(s * rng.uniform(0, 3))
        price = quantlib.blackFormula(quantlib.Option.Call, strike, forward, s)
        other = quantlib.blackFormulaImpliedStdDev(quantlib.Option.Call, strike, forward, price, 1.0, 0.0, s, 1e-14)
        volatility, code = maths.solve_one(CALL, price, forward, strike, years)
        assert code == Code.OK
        assert volatility * math.sqrt(years) == pytest.approx(other, rel=1e-9)


@pytest.mark.parametrize("maths", BUILDS)
def test_volatilities_are_written_where_one_says(maths: Any) -> None:
    room, codes = np.full(5, -1.0), np.full(5, 9, np.uint8)
    prices = np.array([1.0, 2.0, 3.0, 4.0, 200.0])
    found = maths.implied_volatility(PUT, prices, 100.0, 90.0, 0.5, volatilities=room, codes=codes)
    assert found[0] is room
    assert found[1] is codes
    assert codes.tolist() == [Code.OK] * 4 + [Code.ABOVE_BOUND]
    for wrong in ({"volatilities": np.empty(4)}, {"codes": np.empty(5, np.int8)}, {"volatilities": np.empty((1, 5))}):
        with pytest.raises(ValueError):
            maths.implied_volatility(PUT, prices, 100.0, 90.0, 0.5, **wrong)
