"""Worths: whole by Black, in steps near it, and the whole way from books to worths on a synthetic market."""

from dataclasses import replace

import numpy as np
import pytest

from netfeed.engine.chain import Expiry, OptionMark, points
from netfeed.engine.contract import Contract, Payoff
from netfeed.engine.forward import Forward, Forwards, Mark, Pair, Source
from netfeed.engine.greeks import of_position, unit_delta
from netfeed.engine.option import CALL, PUT, Row, price_and_greeks
from netfeed.engine.strategy import Fair, Greeks
from netfeed.engine.surface import Refit, Sticky, Surface, SurfaceSettings, Verdict
from netfeed.engine.svi import Floats, Svi
from netfeed.engine.svi_fit import Points
from netfeed.engine.worth import far, moved, moved_all, of_future, worths
from tests.engine.stage import CONTRACTS, DAY_NS, FUTURE, PERPETUAL, WALL_NS

F, EXPIRY = 100_000.0, WALL_NS + 73 * DAY_NS
YEARS = 0.2
CURVE = Svi(0.004, 0.06, -0.4, 0.02, 0.12)
STRIKES = (60_000.0, 75_000.0, 85_000.0, 92_000.0, 97_000.0, 100_000.0, 104_000.0, 110_000.0, 125_000.0, 150_000.0)


def options(*, inverse: bool) -> list[Contract]:
    return [
        Contract(
            number, f"{strike:.0f}-{payoff.name}", payoff, "BTC", inverse, -4 if inverse else -1, -1, 1, 1,
            strike=strike, expiry_ns=EXPIRY,
        )
        for number, (strike, payoff) in enumerate((s, p) for s in STRIKES for p in (Payoff.CALL, Payoff.PUT))
    ]  # fmt: skip


def forward(value: float, at_ns: int = 5) -> Forward:
    return Forward(value, 1.0, Source.FUTURE, at_ns)


def surface(sticky: Sticky = Sticky.STRIKE) -> Surface:
    one, k = Surface(SurfaceSettings(sticky)), np.linspace(-0.6, 0.5, 25)
    variance = np.asarray(CURVE.variance(k))
    assert one.refit(Refit(EXPIRY, Points(k, variance, np.full(25, 1e-4)), F, YEARS, 3)).verdict is Verdict.GOOD
    return one


def black(contract: Contract) -> Floats:
    """What the curve itself makes of an option."""
    strike, kind = contract.strike or 0.0, CALL if contract.payoff is Payoff.CALL else PUT
    volatility = np.sqrt(CURVE.variance(np.log(strike / F)) / YEARS)
    return price_and_greeks(kind, F, strike, YEARS, volatility, inverse=contract.inverse)[0]


def known(found: dict[int, Fair | None]) -> dict[int, Fair]:
    assert None not in found.values()
    return {name: fair for name, fair in found.items() if fair is not None}


@pytest.mark.parametrize("inverse", [True, False])
def test_worths_are_blacks_with_the_ages_of_what_they_were_made_of(inverse: bool) -> None:
    chain = options(inverse=inverse)
    found = known(worths(chain, surface(), forward(F), WALL_NS))
    for contract in chain:
        strike = contract.strike or 0.0
        kind, volatility = (
            CALL if contract.payoff is Payoff.CALL else PUT,
            np.sqrt(CURVE.variance(np.log(strike / F)) / YEARS),
        )
        values, _ = price_and_greeks(kind, F, strike, YEARS, volatility, inverse=inverse)
        fair = found[contract.index]
        assert fair.value == pytest.approx(values[Row.PRICE, 0], abs=1e-5 * (1 if inverse else F))
        assert fair.delta == pytest.approx(values[Row.NET_DELTA, 0], abs=1e-4)
        assert (fair.forward, fair.forward_at_ns, fair.model_at_ns) == (F, 5, 3)


def test_without_a_curve_nothing_is_known() -> None:
    chain = options(inverse=True)
    assert set(worths(chain, Surface(), forward(F), WALL_NS).values()) == {None}
    assert worths([], Surface(), forward(F), WALL_NS) == {}


@pytest.mark.parametrize("sticky", Sticky)
@pytest.mark.parametrize("inverse", [True, False])
@pytest.mark.parametrize("move", [-0.004, 0.002, 0.004])
def test_a_step_is_near_what_black_gives_there(sticky: Sticky, inverse: bool, move: float) -> None:
    chain, one = options(inverse=inverse), surface(sticky)
    bases, there = known(worths(chain, one, forward(F), WALL_NS)), forward(F * (1 + move), 9)
    whole, steps = known(worths(chain, one, there, WALL_NS)), moved_all(dict(enumerate(chain)), bases, there)
    for name, step in steps.items():
        unit = 1.0 if inverse else F
        assert step.value == pytest.approx(whole[name].value, abs=(4e-6 if sticky is Sticky.STRIKE else 2e-5) * unit)
        assert step.delta == pytest.approx(whole[name].delta, abs=2e-3 if sticky is Sticky.STRIKE else 2e-2)
        assert step.forward_at_ns == 9
    flat = max(abs(bases[name].value - whole[name].value) / unit for name in bases)
    assert flat > 50 * 4e-6, "standing still is far worse than a step"


def test_a_step_is_for_small_moves() -> None:
    base = of_future(forward(F))
    assert not far(base, forward(F * 1.005))
    assert far(base, forward(F * 1.0051))
    assert far(base, forward(F * 0.9949))


def test_futures_follow_their_forward() -> None:
    assert moved(CONTRACTS[FUTURE], of_future(forward(F)), forward(F + 7, 9)) == of_future(forward(F + 7, 9))


def test_an_inverse_future_is_so_many_dollars_of_coin_and_an_option_is_what_its_greeks_say() -> None:
    fair = of_future(forward(50_000.0))
    assert unit_delta(CONTRACTS[PERPETUAL], fair) == pytest.approx(1 / 50_000)
    assert of_position(CONTRACTS[PERPETUAL], fair, -25_000) == Greeks(-0.5)
    option = replace(options(inverse=True)[0], multiplier=2.0)
    greeks = Fair(0.1, F, 0.4, 0, 0, gamma=1e-5, vega=300.0, theta=-20.0)
    found = of_position(option, greeks, 30)
    assert (found.delta, found.gamma, found.vega, found.theta) == pytest.approx((2.4, 6e-5, 1_800.0, -120.0))


@pytest.mark.parametrize("inverse", [True, False])
def test_from_books_in_ticks_to_worths(inverse: bool) -> None:
    """A market rounded outwards to ticks: its forward, curve and worths are found from bids and asks alone."""
    chain = options(inverse=inverse)
    truth = {}
    for contract in chain:
        strike = contract.strike or 0.0
        kind, volatility = (
            CALL if contract.payoff is Payoff.CALL else PUT,
            np.sqrt(CURVE.variance(np.log(strike / F)) / YEARS),
        )
        truth[contract.index] = float(price_and_greeks(kind, F, strike, YEARS, volatility, inverse=inverse)[0][0, 0])
    half = 2e-4 if inverse else 20.0
    market = {
        one.index: Mark(
            one.number(max(0, one.down(truth[one.index] - half))), one.number(one.up(truth[one.index] + half)), 4
        )
        for one in chain
    }  # fmt: skip
    pairs = [Pair(strike, market[2 * at], market[2 * at + 1]) for at, strike in enumerate(STRIKES)]
    found = Forwards().update(EXPIRY, YEARS, pairs=pairs, inverse=inverse)
    assert found is not None
    assert found.value == pytest.approx(F, abs=15.0)
    expiry = Expiry(found.value, YEARS, inverse)
    marks = [OptionMark(one.strike or 0.0, one.payoff is Payoff.CALL, market[one.index]) for one in chain]
    curve = Surface()
    assert curve.refit(Refit(EXPIRY, points(marks, expiry), found.value, YEARS, 4)).verdict is Verdict.GOOD
    for name, fair in known(worths(chain, curve, found, WALL_NS)).items():
        assert market[name].bid <= fair.value <= market[name].ask
        assert fair.value == pytest.approx(truth[name], abs=half)
