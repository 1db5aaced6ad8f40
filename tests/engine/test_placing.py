"""Where a quote may stand: fees of every kind of contract, the grid's steps, and what counts as meeting."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netfeed.book.level import Side
from netfeed.engine.contract import Contract
from netfeed.engine.placing import behind, beside, edge_price, fee, held_back, in_price, last_price, meets, whole_lots
from netfeed.engine.strategy import Fair
from tests.engine.stage import CALL, CONTRACTS, FAIRS, FUTURE, LINEAR, PERPETUAL, Stage

PAID = replace(CONTRACTS[FUTURE], maker_fee=0.001, taker_fee=0.002)


def test_a_fee_is_a_share_of_the_price_of_a_future_and_of_the_underlying_of_an_option() -> None:
    assert fee(PAID, 50_000.0, 50_000.0) == pytest.approx(50.0)
    assert fee(PAID, 50_000.0, 50_000.0, maker=False) == pytest.approx(100.0)
    assert fee(CONTRACTS[CALL], 0.03, 100_000.0) == pytest.approx(0.0003), "in coin"
    assert fee(CONTRACTS[LINEAR], 2_000.0, 100_000.0) == pytest.approx(10.0)
    assert fee(replace(PAID, maker_fee=-0.001), 50_000.0, 50_000.0) == 0.0, "a rebate is not counted on"


@settings(max_examples=50)
@given(value=st.floats(10.0, 1e5), edge=st.floats(0.0, 50.0), share=st.floats(0.0, 0.01), side=st.sampled_from(Side))
def test_the_last_price_of_a_future_earns_its_edge_and_the_next_would_not(
    value: float, edge: float, share: float, side: Side
) -> None:
    contract, fair = replace(PAID, maker_fee=share), Fair(value, value, 1.0, 0, 0)

    def earns(price: int) -> float:
        at = contract.number(price)
        return (value - at if side is Side.BID else at - value) - share * at

    last = edge_price(contract, fair, side, edge)
    nearer = last + contract.tick if side is Side.BID else last - contract.tick
    assert earns(last) >= edge - 1e-6
    assert earns(nearer) < edge + 1e-6


def test_money_is_coin_where_the_price_is() -> None:
    fair = Fair(0.03, 50_000.0, 0.4, 0, 0)
    assert in_price(CONTRACTS[CALL], fair, 100.0) == pytest.approx(0.002)
    assert in_price(CONTRACTS[LINEAR], fair, 100.0) == 100.0
    assert in_price(CONTRACTS[PERPETUAL], fair, 100.0) == 100.0


@pytest.mark.parametrize(
    ("side", "opposite", "price"),
    [(Side.BID, 49, 48), (Side.BID, 50, 49), (Side.BID, 55, 50), (Side.ASK, 49, 50), (Side.ASK, 50, 55)],
)
def test_the_price_beside_another_is_one_step_of_the_grid_away(side: Side, opposite: int, price: int) -> None:
    contract: Contract = CONTRACTS[CALL]  # a tick of 1 below 50, of 5 from there on
    assert beside(contract, side, opposite) == price


def test_the_last_price_takes_nothing_of_what_rests() -> None:
    stage = Stage()
    book, contract = stage.board.book(CALL), CONTRACTS[CALL]
    stage.show(CALL, ((270, 1),), ((280, 1),))
    assert last_price(contract, FAIRS[CALL], book, Side.BID, 0.0) == 275
    assert last_price(contract, FAIRS[CALL], book, Side.ASK, 0.0) == 305, "the edge is further than the market"
    stage.show(CALL, ((270, 1),), ())
    assert last_price(contract, FAIRS[CALL], book, Side.BID, 0.0) == 295


def test_prices_of_a_side_are_compared_by_how_soon_they_would_be_filled() -> None:
    assert meets(Side.BID, 5, 5)
    assert not meets(Side.BID, 4, 5)
    assert meets(Side.ASK, 5, 5)
    assert not meets(Side.ASK, 6, 5)
    assert behind(Side.BID, 4, 5)
    assert not behind(Side.BID, 5, 5)
    assert behind(Side.ASK, 6, 5)
    assert not behind(Side.ASK, 5, 5)
    assert (held_back(Side.BID, 7, 5), held_back(Side.BID, 4, 5)) == (5, 4)
    assert (held_back(Side.ASK, 4, 5), held_back(Side.ASK, 7, 5)) == (5, 7)


def test_quantities_are_whole_lots_and_never_below_nothing() -> None:
    contract = CONTRACTS[FUTURE]
    assert [whole_lots(contract, quantity) for quantity in (-5.0, 0.0, 9.9, 10.0, 29.0)] == [0, 0, 0, 10, 20]
