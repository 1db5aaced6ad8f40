"""The quoter: around a worth, on the grid, never crossing, never for less than its edge, and patient where it rests."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netfeed.book.execution import Flag
from netfeed.book.level import Side
from netfeed.engine.contract import Contract
from netfeed.engine.placing import edge_price, fee
from netfeed.engine.quoter import Quoter, QuoterSettings, Tier
from netfeed.engine.strategy import Phase, Want, Working
from netfeed.errors import MisuseError
from tests.engine.stage import CALL, CONTRACTS, FAIRS, FUTURE, LINEAR, Stage

PLAIN = QuoterSettings((Tier(1.0, 5), Tier(2.0, 10)), half_ticks=2, edge_ticks=0.5)


def quotes(stage: Stage, settings: QuoterSettings, instrument: int = CALL) -> Sequence[Want]:
    return Quoter([instrument], settings).decide(stage.board, {instrument})[instrument]


def prices(wants: Sequence[Want], side: Side) -> list[int]:
    return [want.price for want in wants if want.side is side]


def earned(contract: Contract, worth: float, forward: float, side: Side, price: int) -> float:
    """What a fill earns after the fee, judged by the numbers alone."""
    at = contract.number(price)
    gain = worth - at if side is Side.BID else at - worth
    return gain - fee(contract, at, forward)


def test_it_quotes_both_sides_in_tiers_around_the_worth_and_after_the_fee() -> None:
    wants = quotes(Stage(), PLAIN)
    # half a spread of two ticks of 0.0005 (the tick from 0.0050 on): 0.0291 and 0.0311, outwards on the grid
    assert prices(wants, Side.BID) == [290, 280]
    assert prices(wants, Side.ASK) == [315, 325]
    assert [want.quantity for want in wants] == [5, 10, 5, 10]
    assert [want.quote for want in wants] == [True, False, True, False]
    assert all(want.flags == Flag.POST_ONLY | Flag.MMP for want in wants)


def test_an_instrument_that_is_not_its_own_or_was_not_touched_is_not_answered() -> None:
    stage, quoter = Stage(), Quoter([CALL], PLAIN)
    assert quoter.decide(stage.board, {FUTURE}) == {}
    assert quoter.decide(stage.board, ()) == {}


def test_without_a_worth_nothing_shall_rest() -> None:
    stage = Stage()
    stage.board.set_fairs({CALL: None})
    assert list(quotes(stage, PLAIN)) == []


def test_what_is_held_makes_both_quotes_cheaper_by_delta_and_by_vega() -> None:
    flat, long = Stage(), Stage()
    long.board.set_position(CALL, 100)
    by_delta = replace(PLAIN, skew_delta=30.0, edge_ticks=0.0)
    by_vega = replace(PLAIN, skew_vega=1e-6, edge_ticks=0.0)
    for skewed in (by_delta, by_vega):
        assert prices(quotes(long, skewed), Side.BID)[0] < prices(quotes(flat, skewed), Side.BID)[0]
        assert prices(quotes(long, skewed), Side.ASK)[0] <= prices(quotes(flat, skewed), Side.ASK)[0]
    # the shift is that of the worth when the forward falls by skew x delta: delta 4.5, so 135 x 0.45 / 100000
    quoter, contract = Quoter([CALL], by_delta), CONTRACTS[CALL]
    assert quoter.shift(contract, FAIRS[CALL], long.board.greeks("BTC")) == pytest.approx(135 * 0.45 / 100_000)


def test_a_skew_however_large_costs_no_edge() -> None:
    stage = Stage()
    stage.show(CALL, ((100, 1),), ((900, 1),))
    stage.board.set_position(CALL, -10_000)
    wants = quotes(stage, replace(PLAIN, skew_delta=1e4, edge_ticks=1.0))
    assert prices(wants, Side.BID)[0] == edge_price(CONTRACTS[CALL], FAIRS[CALL], Side.BID, 0.0005) == 290


def test_near_a_limit_only_the_side_that_leads_away_is_quoted() -> None:
    stage = Stage()
    stage.board.set_position(CALL, 17)
    wants = quotes(stage, replace(PLAIN, max_position=20))
    assert [(want.side, want.quantity) for want in wants] == [(Side.BID, 3), (Side.ASK, 5), (Side.ASK, 10)]
    stage.board.set_position(CALL, 20)
    assert {want.side for want in quotes(stage, replace(PLAIN, max_position=20))} == {Side.ASK}
    assert {want.side for want in quotes(stage, replace(PLAIN, max_delta=0.9))} == {Side.ASK}
    assert {want.side for want in quotes(stage, replace(PLAIN, max_vega=20_000))} == {Side.ASK}
    assert {want.side for want in quotes(stage, replace(PLAIN, max_gamma=1e-9))} == {Side.ASK}


def test_a_put_lowers_delta_so_a_full_delta_takes_the_puts_offer() -> None:
    stage = Stage()
    stage.board.set_position(CALL, 100)
    settings = replace(PLAIN, tiers=(Tier(1.0, 100),), max_delta=4.5)
    assert {want.side for want in quotes(stage, settings, LINEAR)} == {Side.BID}


def resting(side: Side, price: int, **more: object) -> Working:
    return replace(Working(1, CALL, side, price, 5, quote=True), **more)  # type: ignore[arg-type]


def test_a_quote_stays_while_a_new_one_would_stand_less_than_the_threshold_away() -> None:
    stage = Stage()
    stage.rest(resting(Side.BID, 285))
    assert prices(quotes(stage, replace(PLAIN, requote_ticks=2)), Side.BID)[0] == 285
    assert prices(quotes(stage, replace(PLAIN, requote_ticks=1)), Side.BID)[0] == 290


def test_a_quote_at_the_front_of_its_queue_stays_longer() -> None:
    stage = Stage()
    settings = replace(PLAIN, requote_ticks=1, front_ticks=2, front=3)
    stage.rest(resting(Side.BID, 285, ahead=3))
    assert prices(quotes(stage, settings), Side.BID)[0] == 285
    stage.rest(resting(Side.BID, 285, ahead=4))
    assert prices(quotes(stage, settings), Side.BID)[0] == 290


def test_a_quote_without_its_edge_is_moved_away_at_once_even_while_it_cools_down() -> None:
    stage = Stage()
    settings = replace(PLAIN, requote_ticks=100, cool_down_ns=10**12)
    stage.rest(resting(Side.BID, 295, placed_ns=stage.board.now))
    assert prices(quotes(stage, replace(settings, edge_ticks=1.0)), Side.BID)[0] == 290


def test_nothing_moves_nearer_before_it_has_cooled_down() -> None:
    stage = Stage()
    settings = replace(PLAIN, cool_down_ns=10**9)
    stage.rest(resting(Side.BID, 250, placed_ns=stage.board.now))
    assert prices(quotes(stage, settings), Side.BID)[0] == 250
    stage.pass_time(10**9)
    assert prices(quotes(stage, settings), Side.BID)[0] == 290


def test_after_a_fill_nothing_new_is_placed_for_a_while_and_what_rests_stays() -> None:
    stage = Stage()
    stage.rest(resting(Side.ASK, 315))
    stage.board.set_position(CALL, 1, filled_ns=stage.board.now)
    settings = replace(PLAIN, tiers=(Tier(1.0, 5),), fill_pause_ns=10**9)
    assert [(want.side, want.price) for want in quotes(stage, settings)] == [(Side.ASK, 315)]
    stage.pass_time(10**9)
    assert len(quotes(stage, settings)) == 2


def test_what_was_partly_filled_keeps_its_place_until_too_little_is_left() -> None:
    stage = Stage()
    stage.rest(resting(Side.BID, 290, quantity=3))
    assert next(w.quantity for w in quotes(stage, PLAIN) if w.side is Side.BID) == 3
    stage.rest(resting(Side.BID, 290, quantity=2))
    assert next(w.quantity for w in quotes(stage, PLAIN) if w.side is Side.BID) == 5


def test_the_tiers_behind_a_mass_quote_are_held_among_themselves() -> None:
    stage = Stage()
    stage.rest(resting(Side.BID, 290), replace(resting(Side.BID, 275), client_id=2, quantity=10, quote=False))
    assert prices(quotes(stage, replace(PLAIN, requote_ticks=2)), Side.BID) == [290, 275]
    assert prices(quotes(stage, replace(PLAIN, requote_ticks=1)), Side.BID) == [290, 280]


def test_our_offer_stands_above_a_bid_of_ours_that_is_held_and_not_in_the_book_yet() -> None:
    stage = Stage()
    stage.show(FUTURE, ((1_000_000, 10),), ((1_001_000, 10),))
    stage.board.set_position(FUTURE, 1_000)
    stage.rest(Working(1, FUTURE, Side.BID, 1_000_500, 10, Phase.SENT))
    tight = QuoterSettings((Tier(1.0, 10),), half_ticks=0.5, skew_delta=100.0, requote_ticks=1_000, mass_quote=False)
    # the skew pulls both down, the worth itself is the least for the offer: 1000500, where our bid stands
    wants = quotes(stage, tight, FUTURE)
    assert (prices(wants, Side.BID), prices(wants, Side.ASK)) == ([1_000_500], [1_000_505])


@pytest.mark.parametrize(
    "tiers",
    [(), (Tier(1.0, 0),), (Tier(0.0, 1),), (Tier(2.0, 1), Tier(1.0, 1))],
    ids=("none", "size", "spread", "order"),
)
def test_tiers_that_make_no_sense_are_the_callers_mistake(tiers: tuple[Tier, ...]) -> None:
    with pytest.raises(MisuseError):
        QuoterSettings(tiers)


@settings(max_examples=50)
@given(data=st.data())
def test_a_quote_is_on_tick_and_lot_crosses_nothing_and_earns_its_edge(data: st.DataObject) -> None:
    stage = Stage()
    instrument = data.draw(st.sampled_from((CALL, LINEAR, FUTURE)))
    contract, base = CONTRACTS[instrument], FAIRS[instrument]
    fair = replace(base, value=base.value * data.draw(st.floats(0.01, 3.0)))
    stage.board.set_fairs({instrument: fair})
    middle = fair.value * data.draw(st.floats(0.5, 1.5))
    bid = max(contract.tick, contract.down(middle))
    ask = max(contract.up(middle * data.draw(st.floats(1.0, 1.2))), bid + contract.tick_at(bid))
    stage.show(instrument, ((bid, 10),), ((ask, 10),))
    stage.board.set_position(instrument, data.draw(st.integers(-50, 50)) * contract.lot)
    edge = data.draw(st.floats(0.0, 5.0))
    sides, quantities = st.sampled_from(Side), st.integers(1, 20)
    orders = []
    for number in range(data.draw(st.integers(0, 4))):
        near = contract.down(fair.value * data.draw(st.floats(0.9, 1.1)))
        side = data.draw(sides)
        lots = data.draw(quantities) * contract.lot
        if near > 0 and (near < ask if side is Side.BID else near > bid):
            orders.append(
                Working(number, instrument, side, near, lots, ahead=data.draw(st.sampled_from((None, 0, 99)))),
            )
    stage.rest(*orders)
    settings = QuoterSettings(
        (Tier(1.0, 7 * contract.lot), Tier(1.5, 3 * contract.lot), Tier(4.0, 3 * contract.lot)),
        half_ticks=data.draw(st.floats(0.1, 5.0)), half_share=data.draw(st.floats(0.0, 0.1)), edge_ticks=edge,
        skew_delta=data.draw(st.floats(0.0, 1e4)), skew_vega=data.draw(st.floats(0.0, 1e-5)),
        requote_ticks=data.draw(st.integers(1, 5)), mass_quote=False,
        cool_down_ns=data.draw(st.sampled_from((0, 10**12))), max_position=60 * contract.lot,
    )  # fmt: skip
    wants = quotes(stage, settings, instrument)
    tick = contract.number(contract.tick_at(int(fair.value / 10.0**contract.price_exponent)))
    for want in wants:
        assert want.price > 0
        assert want.price % contract.tick_at(want.price) == 0
        assert want.quantity > 0
        assert want.quantity % contract.lot == 0
        assert want.price < ask if want.side is Side.BID else want.price > bid
        gained = earned(contract, fair.value, fair.forward, want.side, want.price)
        assert gained >= edge * tick - 1e-8 * max(tick, fair.value)
    bids, asks = prices(wants, Side.BID), prices(wants, Side.ASK)
    assert bids == sorted(set(bids), reverse=True)
    assert asks == sorted(set(asks))
    assert not bids or not asks or bids[0] < asks[0]
    for side, sign in ((Side.BID, 1), (Side.ASK, -1)):
        filled = sum(want.quantity for want in wants if want.side is side)
        assert sign * stage.board.position(instrument) + filled <= 60 * contract.lot or filled == 0
