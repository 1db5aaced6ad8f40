"""Prices and Greeks of options: against exact values, against QuantLib, and where there is no formula any more."""

import math
from typing import Any

import numpy as np
import pytest

from netfeed.engine.black_words import CALL, PUT, ROWS, Code, Row
from tests.engine.black_builds import BUILDS
from tests.engine.black_exact import TRUTH, exactly
from tests.engine.oracles import quantlib

PRICE_ERROR, GREEK_ERROR = 1e-12, 1e-9


@pytest.mark.parametrize("maths", BUILDS)
@pytest.mark.parametrize("k", range(len(TRUTH)))
def test_values_are_those_of_the_table(maths: Any, k: int) -> None:
    option, wanted = TRUTH[k]
    values, code = maths.price_one(*option, True)
    found = (values[0] * option[1], *values[1:])
    assert code == Code.OK
    assert found[0] == pytest.approx(wanted[0], rel=PRICE_ERROR, abs=0)
    assert found[1:] == pytest.approx(wanted[1:], rel=GREEK_ERROR, abs=0)


@pytest.mark.parametrize("maths", BUILDS)
def test_values_are_exact_on_the_stated_grid(maths: Any) -> None:
    check_errors(maths, 300, seed=1)


@pytest.mark.slow
@pytest.mark.parametrize("maths", BUILDS)
@pytest.mark.parametrize("seed", range(2, 4))
def test_values_are_exact_on_more_of_the_grid(maths: Any, seed: int) -> None:
    check_errors(maths, 2_000, seed)


def check_errors(maths: Any, count: int, seed: int) -> None:
    """Half of the options are inverse; each value may err by a share of its scale, unless that is hardly a double."""
    drawn = exactly(count, seed)
    inverse = np.arange(count) % 2 == 0
    columns = [np.array(column) for column in zip(*(option for option, _, _ in drawn), strict=True)]
    values, codes = maths.price_and_greeks(columns[0].astype(np.int8), *columns[1:], inverse)
    assert not codes.any()
    values[Row.PRICE] *= np.where(inverse, columns[1], 1.0)
    for k, (option, exact, scales) in enumerate(drawn):
        for row in Row:
            of = Row.DELTA if row == Row.NET_DELTA and not inverse[k] else row
            error = abs(float(exact[of] - values[row, k]))
            bound = PRICE_ERROR if row == Row.PRICE else GREEK_ERROR
            assert error <= bound * scales[of] or scales[of] < 1e-290, (row.name, option, error)


@pytest.mark.parametrize("maths", BUILDS)
def test_values_are_those_of_quantlib(maths: Any) -> None:
    rng = np.random.default_rng(3)
    for _ in range(60):
        kind, forward, years, discount = int(rng.choice([1, -1])), 10 ** rng.uniform(0, 4), rng.uniform(0.01, 2), 0.97
        volatility = rng.uniform(0.1, 1.5)
        s = volatility * math.sqrt(years)
        strike = forward * math.exp(s * rng.uniform(-2, 2))
        other = quantlib.BlackCalculator(
            quantlib.PlainVanillaPayoff(quantlib.Option.Call if kind == CALL else quantlib.Option.Put, strike),
            forward, s, discount,
        )  # fmt: skip
        found, code = maths.price_one(kind, forward, strike, years, volatility, discount)
        assert code == Code.OK
        assert found[Row.PRICE] == pytest.approx(other.value(), rel=1e-11)
        assert found[Row.DELTA] == pytest.approx(other.deltaForward(), rel=1e-11)
        assert found[Row.GAMMA] == pytest.approx(other.gammaForward(), rel=1e-11)
        assert found[Row.VEGA] == pytest.approx(other.vega(years), rel=1e-11)


@pytest.mark.parametrize("maths", BUILDS)
def test_greeks_are_the_slopes_of_prices_and_of_each_other(maths: Any) -> None:
    """Differences of prices, where theta is at a rate of interest that stays and not at a discount that stays."""

    def at(forward: float = 100.0, volatility: float = 0.7, years: float = 0.4) -> Any:
        discount = math.exp(-0.05 * years)
        return maths.price_one(PUT, forward, 110.0, years, volatility, discount)[0]

    now, h = at(), 1e-4
    by_forward = [(b - a) / (2 * h) for a, b in zip(at(forward=100 - h), at(forward=100 + h), strict=True)]
    by_volatility = [(b - a) / (2 * h) for a, b in zip(at(volatility=0.7 - h), at(volatility=0.7 + h), strict=True)]
    by_years = [(b - a) / (2 * h) for a, b in zip(at(years=0.4 - h), at(years=0.4 + h), strict=True)]
    assert now[Row.DELTA] == pytest.approx(by_forward[Row.PRICE], rel=1e-6)
    assert now[Row.GAMMA] == pytest.approx(by_forward[Row.DELTA], rel=1e-6)
    assert now[Row.VEGA] == pytest.approx(by_volatility[Row.PRICE], rel=1e-6)
    assert now[Row.THETA] == pytest.approx(-by_years[Row.PRICE], rel=1e-6)
    assert now[Row.VANNA] == pytest.approx(by_volatility[Row.DELTA], rel=1e-6)
    assert now[Row.VOLGA] == pytest.approx(by_volatility[Row.VEGA], rel=1e-6)


@pytest.mark.parametrize("maths", BUILDS)
@pytest.mark.parametrize("kind", [CALL, PUT])
def test_an_inverse_option_is_priced_in_coin_and_its_net_delta_is_less_by_the_price(maths: Any, kind: int) -> None:
    coin, _ = maths.price_one(kind, 60_000.0, 50_000.0, 0.1, 0.6, 0.99, True)
    quote, _ = maths.price_one(kind, 60_000.0, 50_000.0, 0.1, 0.6, 0.99, False)
    assert coin[Row.PRICE] * 60_000 == pytest.approx(quote[Row.PRICE], rel=1e-14)
    assert coin[Row.NET_DELTA] == pytest.approx(coin[Row.DELTA] - coin[Row.PRICE], rel=1e-13)
    assert quote[Row.NET_DELTA] == quote[Row.DELTA] == coin[Row.DELTA]
    assert coin[2:5] == quote[2:5]


@pytest.mark.parametrize("maths", BUILDS)
def test_calls_less_puts_are_worth_the_discounted_forward_less_the_strike(maths: Any) -> None:
    strikes = np.geomspace(10, 1_000, 200)
    calls, puts = (maths.price_and_greeks(kind, 100.0, strikes, 0.3, 0.9, 0.98)[0] for kind in (CALL, PUT))
    assert calls[Row.PRICE] - puts[Row.PRICE] == pytest.approx(0.98 * (100 - strikes), rel=1e-13, abs=1e-12)
    assert calls[Row.DELTA] - puts[Row.DELTA] == pytest.approx(np.full(200, 0.98), rel=1e-14)
    assert calls[Row.GAMMA].tolist() == puts[Row.GAMMA].tolist()


@pytest.mark.parametrize("maths", BUILDS)
@pytest.mark.parametrize(
    ("years", "volatility", "code"), [(0.0, 0.5, Code.EXPIRED), (-1.0, 0.5, Code.EXPIRED), (1.0, 0.0, Code.OK)]
)
@pytest.mark.parametrize(
    ("kind", "strike", "price", "delta"),
    [(CALL, 80.0, 20.0, 1.0), (PUT, 80.0, 0.0, 0.0), (CALL, 125.0, 0.0, 0.0), (PUT, 125.0, 25.0, -1.0),
     (CALL, 100.0, 0.0, 0.5), (PUT, 100.0, 0.0, -0.5)],
)  # fmt: skip
def test_without_time_or_volatility_an_option_is_its_intrinsic_value(
    maths: Any, years: float, volatility: float, code: Code, kind: int, strike: float, price: float, delta: float
) -> None:
    values, said = maths.price_one(kind, 100.0, strike, years, volatility)
    assert said == code
    assert values == (price, delta, 0.0, 0.0, 0.0, delta, 0.0, 0.0)
    coin, _ = maths.price_one(kind, 100.0, strike, years, volatility, 1.0, True)
    assert coin[Row.PRICE] == pytest.approx(price / 100)
    assert coin[Row.NET_DELTA] == pytest.approx(delta * strike / 100)


@pytest.mark.parametrize("maths", BUILDS)
def test_interest_goes_on_without_volatility_and_ends_at_the_expiry(maths: Any) -> None:
    assert maths.price_one(CALL, 100.0, 80.0, 0.5, 0.0, 0.9)[0][Row.THETA] == pytest.approx(-math.log(0.9) / 0.5 * 18)
    assert maths.price_one(CALL, 100.0, 80.0, 0.0, 0.5, 0.9)[0][Row.THETA] == 0


NAN, INF = math.nan, math.inf
BAD: list[tuple[Any, ...]] = [
    (0, 100.0, 90.0, 1.0, 0.5, 1.0), (2, 100.0, 90.0, 1.0, 0.5, 1.0), (1, NAN, 90.0, 1.0, 0.5, 1.0),
    (1, 100.0, NAN, 1.0, 0.5, 1.0), (1, 100.0, 90.0, NAN, 0.5, 1.0), (1, 100.0, 90.0, 1.0, NAN, 1.0),
    (1, 100.0, 90.0, 1.0, 0.5, NAN), (1, 0.0, 90.0, 1.0, 0.5, 1.0), (1, -1.0, 90.0, 1.0, 0.5, 1.0),
    (1, INF, 90.0, 1.0, 0.5, 1.0), (1, 100.0, 0.0, 1.0, 0.5, 1.0), (1, 100.0, INF, 1.0, 0.5, 1.0),
    (1, 100.0, 90.0, INF, 0.5, 1.0), (1, 100.0, 90.0, -INF, 0.5, 1.0), (1, 100.0, 90.0, 1.0, -0.1, 1.0),
    (1, 100.0, 90.0, 1.0, INF, 1.0), (1, 100.0, 90.0, 1.0, 0.5, 0.0), (1, 100.0, 90.0, 1.0, 0.5, -1.0),
    (1, 1e101, 90.0, 1.0, 0.5, 1.0), (1, 100.0, 1e-101, 1.0, 0.5, 1.0),
]  # fmt: skip


@pytest.mark.parametrize("maths", BUILDS)
def test_what_has_no_meaning_gives_no_number_and_leaves_its_neighbours_alone(maths: Any) -> None:
    good = (1, 100.0, 90.0, 1.0, 0.5, 1.0)
    columns = [
        np.array(column, np.float64) for column in zip(*(row for bad in BAD for row in (bad, good)), strict=True)
    ]
    values, codes = maths.price_and_greeks(*columns)
    assert codes.tolist() == [Code.BAD_INPUT, Code.OK] * len(BAD)
    assert np.isnan(values[:, ::2]).all()
    assert (values[:, 1::2] == np.array(maths.price_one(*good)[0])[:, None]).all()


@pytest.mark.parametrize("maths", BUILDS)
def test_no_number_that_can_be_given_raises_or_warns(maths: Any) -> None:
    ends = [NAN, INF, -INF, 0.0, -0.0, 5e-324, 1e-308, 1e-100, 1e-8, 1.0, 100.0, 1e10, 1e100, 1.7e308, -1.0]
    mesh = np.meshgrid([1.0, -1.0], ends, ends, ends, ends, [1.0, 0.5, 5e-324])
    values, codes = maths.price_and_greeks(*(axis.reshape(-1) for axis in mesh), True)
    assert (np.isnan(values).any(axis=0) == (codes == Code.BAD_INPUT)).all()
    assert (values[Row.PRICE][codes != Code.BAD_INPUT] >= 0).all()


@pytest.mark.parametrize("maths", BUILDS)
def test_values_are_written_where_one_says_and_only_as_many_rows_as_there_are(maths: Any) -> None:
    strikes = np.linspace(50, 150, 131)
    whole, codes = maths.price_and_greeks(CALL, 100.0, strikes, 0.2, 0.5)
    rows, said = np.full((6, 131), -1.0), np.full(131, 9, np.uint8)
    found = maths.price_and_greeks(CALL, 100.0, strikes, 0.2, 0.5, values=rows[:5], codes=said)
    assert found[1] is said
    assert (rows[:5] == whole[:5]).all()
    assert (rows[5] == -1.0).all()
    assert (said == codes).all()


@pytest.mark.parametrize("maths", BUILDS)
@pytest.mark.parametrize(
    ("values", "codes"),
    [
        (np.empty((8, 2)), None), (np.empty((9, 3)), None), (np.empty((0, 3)), None), (np.empty(3), None),
        (np.empty((8, 3), np.float32), None), (None, np.empty(2, np.uint8)), (None, np.empty(3, np.int64)),
    ],
)  # fmt: skip
def test_values_of_another_shape_or_kind_are_refused(maths: Any, values: Any, codes: Any) -> None:
    with pytest.raises(ValueError):
        maths.price_and_greeks(CALL, 100.0, np.array([90.0, 100.0, 110.0]), 0.2, 0.5, values=values, codes=codes)


@pytest.mark.parametrize("maths", BUILDS)
def test_arguments_of_lengths_that_do_not_fit_are_refused(maths: Any) -> None:
    with pytest.raises(ValueError, match="broadcast"):
        maths.price_and_greeks(CALL, np.ones(2), np.ones(3), 0.2, 0.5)


@pytest.mark.parametrize("maths", BUILDS)
def test_no_options_give_no_values(maths: Any) -> None:
    values, codes = maths.price_and_greeks(CALL, 100.0, np.empty(0), 0.2, 0.5)
    assert values.shape == (ROWS, 0)
    assert codes.shape == (0,)
