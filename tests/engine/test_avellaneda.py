"""Avellaneda and Stoikov: the paper's own numbers, the closing time, and the manners of every quote."""

from dataclasses import replace
from math import log

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netfeed.book.level import Side
from netfeed.engine.avellaneda import AvellanedaSettings, AvellanedaStoikov
from netfeed.engine.strategy import Fair, Working
from netfeed.errors import MisuseError
from tests.engine.stage import CONTRACTS, FUTURE, Stage

PAPER = AvellanedaSettings(0.1, 1.5, 2.0, 1.0, unit=1000, quantity=1000, max_position=10_000)
"""gamma, kappa, sigma and T of the paper's section 3.3; its prices are about 100."""


def stage(bid: int = 900, ask: int = 1100, position: int = 0) -> Stage:
    one = Stage()
    one.board.set_fairs({FUTURE: Fair(100.0, 100.0, 1.0, 0, 0)})
    one.show(FUTURE, ((bid, 10),), ((ask, 10),))
    one.board.set_position(FUTURE, position)
    return one


def prices(one: Stage, settings: AvellanedaSettings = PAPER) -> dict[Side, int]:
    wants = AvellanedaStoikov(FUTURE, settings).decide(one.board, {FUTURE})[FUTURE]
    return {want.side: want.price for want in wants}


def test_spread_and_reservation_price_are_the_papers() -> None:
    strategy, one = AvellanedaStoikov(FUTURE, PAPER), stage(position=2000)
    fair = one.board.fair(FUTURE)
    assert fair is not None
    # gamma sigma^2 T = 0.4; 2/gamma log(1 + gamma/kappa) = 20 log(16/15) = 1.29077...
    assert strategy.spread(one.board) == pytest.approx(0.4 + 20 * log(16 / 15))
    assert strategy.reservation(one.board, fair) == pytest.approx(100.0 - 2 * 0.4)


def test_quotes_stand_half_a_spread_around_it_rounded_outwards_to_a_tick() -> None:
    # 100 +- 0.8454 and 99.2 +- 0.8454, on a grid of 0.5
    assert prices(stage()) == {Side.BID: 990, Side.ASK: 1010}
    assert prices(stage(position=2000)) == {Side.BID: 980, Side.ASK: 1005}


def test_risk_falls_to_nothing_at_the_closing_time() -> None:
    one = stage(position=2000)
    strategy = AvellanedaStoikov(FUTURE, replace(PAPER, closes_ns=one.board.wall_ns))
    assert strategy.spread(one.board) == pytest.approx(20 * log(16 / 15))
    half = AvellanedaStoikov(FUTURE, replace(PAPER, closes_ns=one.board.wall_ns + 5 * 10**8))
    assert half.spread(one.board) == pytest.approx(0.2 + 20 * log(16 / 15))


def test_at_its_limit_one_side_is_quoted() -> None:
    assert set(prices(stage(position=10_000))) == {Side.ASK}
    assert set(prices(stage(position=-10_000))) == {Side.BID}


def test_what_rests_near_enough_stays_unless_it_has_lost_its_edge() -> None:
    one, patient = stage(), replace(PAPER, requote_ticks=2)
    one.rest(Working(1, FUTURE, Side.BID, 995, 1000), Working(2, FUTURE, Side.ASK, 1015, 1000))
    assert prices(one, patient) == {Side.BID: 995, Side.ASK: 1015}
    assert prices(one, PAPER) == {Side.BID: 990, Side.ASK: 1010}
    assert prices(one, replace(patient, edge=0.8)) == {Side.BID: 990, Side.ASK: 1015}


def test_without_a_worth_or_untouched_nothing_is_said() -> None:
    one, strategy = stage(), AvellanedaStoikov(FUTURE, PAPER)
    assert strategy.decide(one.board, ()) == {}
    one.board.set_fairs({FUTURE: None})
    assert strategy.decide(one.board, {FUTURE}) == {FUTURE: ()}


@pytest.mark.parametrize("wrong", [{"gamma": 0.0}, {"kappa": -1.0}, {"sigma": -1.0}, {"horizon_s": 0.0}, {"unit": 0}])
def test_numbers_without_a_meaning_are_the_callers_mistake(wrong: dict[str, float]) -> None:
    with pytest.raises(MisuseError):
        replace(PAPER, **wrong)  # type: ignore[arg-type]


@settings(max_examples=40)
@given(
    bid=st.integers(10, 399).map(lambda tick: 5 * tick), width=st.integers(1, 50),
    position=st.integers(-12_000, 12_000), gamma=st.floats(1e-3, 10.0), edge=st.floats(0.0, 3.0),
)  # fmt: skip
def test_quotes_cross_nothing_and_earn_their_edge(
    bid: int, width: int, position: int, gamma: float, edge: float
) -> None:
    one = stage(bid, bid + 5 * width, position)
    for side, price in prices(one, replace(PAPER, gamma=gamma, edge=edge)).items():
        assert price % CONTRACTS[FUTURE].tick == 0
        assert price < bid + 5 * width if side is Side.BID else price > bid
        assert (1000 - price if side is Side.BID else price - 1000) >= 10 * edge - 1e-6
