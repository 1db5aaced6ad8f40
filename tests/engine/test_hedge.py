"""The hedger: back to the edge of the band, one hedge at a time, in the cheapest instrument, never beyond a limit."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netfeed.book.execution import Flag, TimeInForce
from netfeed.book.level import Side
from netfeed.book.state import BookState
from netfeed.engine.greeks import of_position, unit_delta
from netfeed.engine.hedge import Hedge, Hedger, HedgerSettings, Standing
from netfeed.engine.hedge_band import Fixed
from netfeed.engine.strategy import NOTHING, Phase, Want, Working
from netfeed.errors import MisuseError
from tests.engine.stage import CALL, CONTRACTS, FAIRS, FUTURE, PERPETUAL, Stage

PERP = Hedge(PERPETUAL, 100_000, 50_000)
DATED = Hedge(FUTURE, 10_000, 1_000)
TAKER = HedgerSettings(to_middle=True)


def hedger(*hedges: Hedge, half: float = 0.01, settings: HedgerSettings = TAKER) -> Hedger:
    return Hedger("BTC", hedges or (PERP, DATED), Fixed(half), settings)


def short_delta(stage: Stage, calls: int = -10) -> None:
    """Sell calls: 0.45 coins of delta each."""
    stage.board.set_position(CALL, calls)


def decide(one: Hedger, stage: Stage) -> Mapping[int, Sequence[Want]]:
    return one.decide(stage.board, ())


def test_inside_its_band_nothing_rests() -> None:
    stage, one = Stage(), hedger(half=0.46)
    short_delta(stage)
    assert decide(one, stage) == {PERPETUAL: NOTHING, FUTURE: NOTHING}
    assert one.report.standing is Standing.INSIDE
    assert one.report.residual == pytest.approx(-0.45)


def test_outside_it_takes_what_brings_delta_back_in_the_cheapest_instrument() -> None:
    stage, one = Stage(), hedger()
    short_delta(stage)
    # 0.05 % + a quarter basis point in the perpetual; 0.02 % + half a basis point in the future: the future
    assert decide(one, stage)[FUTURE] == [Want(Side.BID, 1_000_500, 450, TimeInForce.IOC, Flag(0))]
    assert one.report.standing is Standing.TAKING
    assert one.report.residual == pytest.approx(0.0)


def test_an_inverse_future_is_taken_for_its_coins_in_whole_lots() -> None:
    stage, one = Stage(), hedger(PERP)
    short_delta(stage, -1)
    # 0.045 coins at 100000 are 4500 dollars; 4000 rest at the best price
    assert decide(one, stage)[PERPETUAL] == [Want(Side.BID, 1_000_000, 4_000, TimeInForce.IOC, Flag(0))]
    assert one.report.residual == pytest.approx(-0.005)
    deep = hedger(PERP, settings=replace(TAKER, through_ticks=1))
    assert decide(deep, stage)[PERPETUAL][0] == Want(Side.BID, 1_000_005, 4_500, TimeInForce.IOC, Flag(0))


def test_carry_and_fees_decide_which_instrument_is_cheapest() -> None:
    stage = Stage()
    short_delta(stage)
    assert decide(hedger(PERP, replace(DATED, carry=0.01)), stage)[FUTURE] == NOTHING
    short_delta(stage, 10)
    assert decide(hedger(PERP, replace(DATED, carry=0.01)), stage)[FUTURE] != NOTHING, "a short is paid for it"


def test_without_to_middle_delta_is_brought_to_the_edge_of_the_band() -> None:
    stage, one = Stage(), hedger(half=0.25, settings=HedgerSettings())
    short_delta(stage)
    assert decide(one, stage)[FUTURE][0].quantity == 200
    assert one.report.residual == pytest.approx(-0.25)


def test_it_makes_first_and_takes_when_its_patience_is_over() -> None:
    stage, one = Stage(), hedger(DATED, half=0.2, settings=replace(TAKER, patience_ns=1000))
    short_delta(stage)
    assert decide(one, stage)[FUTURE] == [Want(Side.BID, 1_000_400, 450, flags=Flag.POST_ONLY)]
    stage.rest(Working(1, FUTURE, Side.BID, 1_000_400, 400))
    stage.pass_time(999)
    assert decide(one, stage)[FUTURE][0].quantity == 400, "a little less keeps its place"
    stage.pass_time(1)
    assert decide(one, stage) == {FUTURE: NOTHING}, "first the maker leaves"
    stage.rest(Working(1, FUTURE, Side.BID, 1_000_400, 400, Phase.LEAVING))
    assert decide(one, stage) == {}
    assert one.report.standing is Standing.UNDER_WAY
    stage.rest()
    assert decide(one, stage)[FUTURE][0].time_in_force is TimeInForce.IOC


def test_a_maker_stays_in_its_instrument_though_another_has_become_cheaper() -> None:
    stage, one = Stage(), hedger(half=0.2, settings=replace(TAKER, patience_ns=1000))
    short_delta(stage)
    stage.rest(Working(1, PERPETUAL, Side.BID, 999_995, 40_000))
    wants = decide(one, stage)
    assert (one.report.standing, one.report.instrument) == (Standing.MAKING, PERPETUAL)
    assert wants[FUTURE] == NOTHING
    stage.rest(Working(1, PERPETUAL, Side.BID, 999_995, 100), Working(2, FUTURE, Side.BID, 1_000_400, 10))
    assert decide(one, stage) == {PERPETUAL: NOTHING, FUTURE: NOTHING}, "two could both be filled"


def test_far_outside_it_takes_at_once() -> None:
    stage, one = Stage(), hedger(DATED, half=0.1, settings=replace(TAKER, patience_ns=10**12, urgent=4.0))
    short_delta(stage)
    assert decide(one, stage)[FUTURE][0].time_in_force is TimeInForce.IOC


def test_patience_begins_anew_when_delta_has_been_inside() -> None:
    stage, one = Stage(), hedger(DATED, half=0.2, settings=replace(TAKER, patience_ns=1000))
    short_delta(stage)
    decide(one, stage)
    short_delta(stage, 0)
    decide(one, stage)
    stage.pass_time(1000)
    short_delta(stage)
    decide(one, stage)
    assert one.report.standing is Standing.MAKING


@pytest.mark.parametrize("phase", [Phase.SENT, Phase.LEAVING])
def test_nothing_is_hedged_twice_while_an_answer_is_open(phase: Phase) -> None:
    stage, one = Stage(), hedger()
    short_delta(stage)
    stage.rest(Working(1, PERPETUAL, Side.BID, 1_000_000, 4_000, phase))
    assert decide(one, stage) == {FUTURE: NOTHING}
    assert one.report.standing is Standing.UNDER_WAY


def test_an_uncertain_order_stops_hedging_and_is_said() -> None:
    stage, one = Stage(), hedger()
    short_delta(stage)
    stage.rest(Working(1, PERPETUAL, Side.BID, 1_000_000, 4_000, Phase.UNCERTAIN))
    assert decide(one, stage) == {PERPETUAL: NOTHING, FUTURE: NOTHING}
    assert one.report.standing is Standing.UNCERTAIN
    assert one.report.residual == pytest.approx(-0.45)


def test_a_delta_that_is_not_known_is_not_hedged() -> None:
    stage, one = Stage(), hedger()
    short_delta(stage)
    stage.board.set_fairs({CALL: None})
    assert decide(one, stage) == {PERPETUAL: NOTHING, FUTURE: NOTHING}
    assert one.report.standing is Standing.UNKNOWN


def test_a_book_that_cannot_be_believed_is_not_traded_on() -> None:
    stage, one = Stage(), hedger()
    short_delta(stage)
    stage.books.to(FUTURE, BookState.SUSPECT)
    assert decide(one, stage)[FUTURE] == NOTHING
    assert one.report.instrument == PERPETUAL
    stage.books.to(PERPETUAL, BookState.STALE)
    decide(one, stage)
    assert one.report.standing is Standing.NO_MARKET


def test_at_its_limit_it_goes_to_the_next_instrument_and_then_says_what_is_left() -> None:
    stage, one = Stage(), hedger(replace(DATED, max_position=100), PERP)
    short_delta(stage)
    assert decide(one, stage)[FUTURE][0].quantity == 100
    stage.board.set_position(FUTURE, 100)
    assert decide(one, stage)[PERPETUAL][0].quantity == 4_000
    stage.board.set_position(PERPETUAL, 100_000)
    short_delta(stage, -1000)
    assert set(decide(one, stage).values()) == {NOTHING}
    assert one.report.standing is Standing.LIMIT
    assert one.report.residual == one.report.delta < 0
    assert one.standings() == {"TAKING": 2, "LIMIT": 1}


def test_less_than_a_lot_is_left_and_said() -> None:
    stage, one = Stage(), hedger(DATED, half=0.001)
    stage.board.set_fairs({CALL: replace(FAIRS[CALL], delta=0.005)})
    short_delta(stage)
    decide(one, stage)
    assert one.report.standing is Standing.SMALL


@pytest.mark.parametrize("hedges", [(), (Hedge(PERPETUAL, 1, 0),), (Hedge(PERPETUAL, -1, 1),)])
def test_a_hedger_that_could_not_hedge_is_the_callers_mistake(hedges: tuple[Hedge, ...]) -> None:
    with pytest.raises(MisuseError):
        Hedger("BTC", hedges, Fixed(1.0), TAKER)


@settings(max_examples=50)
@given(
    calls=st.integers(-400, 400), held=st.integers(-60, 60), half=st.floats(0.0, 2.0), clip=st.integers(1, 60),
    middle=st.booleans(), patience=st.sampled_from((0, 10**12)), instrument=st.sampled_from((PERPETUAL, FUTURE)),
)  # fmt: skip
def test_a_hedge_never_passes_its_limit_its_clip_its_goal_or_what_rests(
    calls: int, held: int, half: float, clip: int, middle: bool, patience: int, instrument: int
) -> None:
    stage, contract = Stage(), CONTRACTS[instrument]
    lot = contract.lot
    stage.board.set_position(CALL, calls)
    stage.board.set_position(instrument, held * lot)
    limit = 60 * lot
    one = hedger(
        Hedge(instrument, limit, clip * lot), half=half, settings=HedgerSettings(patience, to_middle=middle)
    )  # fmt: skip
    wants = decide(one, stage)[instrument]
    before, report = stage.board.greeks("BTC").delta, one.report
    assert report.delta == before
    for want in wants:
        sign = 1 if want.side is Side.BID else -1
        assert want.quantity % lot == 0
        assert 0 < want.quantity <= clip * lot
        assert abs(held * lot + sign * want.quantity) <= max(limit, abs(held * lot))
        change = of_position(contract, FAIRS[instrument], sign * want.quantity).delta
        assert report.residual == pytest.approx(before + change, abs=1e-12)
        goal = 0.0 if middle else half
        assert abs(report.residual) <= abs(before)
        assert abs(report.residual) >= goal - 1e-9, "it does not go beyond the edge that it wants"
        assert report.residual * before >= -1e-9
        book = stage.board.book(instrument)
        if want.time_in_force is TimeInForce.IOC:
            opposite = book.ask if want.side is Side.BID else book.bid
            assert opposite is not None
            assert want.quantity <= opposite.quantity
            assert want.price == opposite.price
        else:
            assert book.bid is not None
            assert book.ask is not None
            assert book.bid.price <= want.price <= book.ask.price
    if not wants:
        outside = abs(before) > half
        lot_delta = abs(unit_delta(contract, FAIRS[instrument])) * contract.size(lot)
        lots = abs(abs(before) - (0.0 if middle else half)) / lot_delta
        room = limit - held * lot if before < 0 else limit + held * lot
        assert not outside or lots < 1.0 or room < lot


@settings(max_examples=40)
@given(calls=st.integers(-300, 300), half=st.floats(0.02, 1.0), middle=st.booleans(), share=st.floats(0.1, 1.0))
def test_filled_step_by_step_delta_comes_back_into_its_band_and_never_through_it(
    calls: int, half: float, middle: bool, share: float
) -> None:
    stage = Stage()
    short_delta(stage, calls)
    one = hedger(replace(DATED, max_position=1_000_000), half=half, settings=HedgerSettings(to_middle=middle))
    first = stage.board.greeks("BTC").delta
    for _ in range(400):
        wants = decide(one, stage)[FUTURE]
        if not wants:
            break
        filled = max(10, int(wants[0].quantity * share) // 10 * 10)
        sign = 1 if wants[0].side is Side.BID else -1
        stage.board.set_position(FUTURE, stage.board.position(FUTURE) + sign * filled)
        assert stage.board.greeks("BTC").delta * first >= -1e-9
    lot = 0.01
    assert abs(stage.board.greeks("BTC").delta) <= half + lot
    assert one.report.standing in (Standing.INSIDE, Standing.SMALL)
