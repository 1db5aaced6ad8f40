"""A fill model on a recorded market: when we are filled, when we are not, and how each request is answered."""

import pytest

from netfeed.book.change import TradeFlag
from netfeed.book.execution import (
    Accepted,
    AllCanceled,
    Amend,
    Amended,
    Cancel,
    CancelAll,
    Canceled,
    Cause,
    Filled,
    Flag,
    List,
    Listed,
    MassQuote,
    New,
    OpenOrder,
    Position,
    Quote,
    Quoted,
    QuoteState,
    Rejected,
    TimeInForce,
    Up,
)
from netfeed.book.level import Level
from netfeed.book.state import BookState
from netfeed.engine.board import ahead
from netfeed.errors import MisuseError
from netfeed.sim.fill_delay import Fixed
from netfeed.sim.fill_fee import FEE_EXPONENT
from netfeed.sim.fill_model import MAX_UNDER_WAY
from netfeed.sim.fill_queue import MAX_BETTER
from netfeed.sim.fill_tape import Tape
from tests.sim.fill_room import ASK, BID, LevelRoom, Room, leaves, rests, trades

IOC, FOK = TimeInForce.IOC, TimeInForce.FOK


def room() -> Room:
    """A bid of 30 at 100 by one order, an ask of 20 at 103 by another."""
    one = Room()
    one.packet(rests(1, BID, 100, 30), rests(2, ASK, 103, 20))
    return one


def kinds(reports: list[object]) -> list[str]:
    return [type(report).__name__ for report in reports]


def why(reports: list[object]) -> tuple[Cause, str]:
    (refused,) = reports
    assert isinstance(refused, Rejected)
    return refused.cause, refused.venue_reason


# --- as a maker, on single orders


def test_we_are_filled_when_all_that_was_there_before_us_is_filled_and_not_by_a_share_more() -> None:
    here = room()
    (accepted,) = here.new(BID, 100, 10)
    assert isinstance(accepted, Accepted)
    assert accepted.rests
    here.packet(rests(3, BID, 100, 50))
    assert here.packet(trades(1, 30)) == []
    (filled,) = here.packet(trades(3, 4))
    assert isinstance(filled, Filled)
    assert (filled.price, filled.quantity, filled.filled, filled.maker) == (100, 4, 4, True)
    here.packet(trades(3, 20))
    assert here.fills() == [(100, 4, True), (100, 6, True)]
    here.packet(trades(3, 20))
    assert here.fills() == [(100, 4, True), (100, 6, True)]


def test_a_cancel_before_us_moves_us_up_and_one_behind_us_does_not() -> None:
    here = room()
    here.new(BID, 100, 10)
    here.packet(rests(3, BID, 100, 50))
    here.packet(leaves(3, 20))
    here.packet(trades(1, 10))
    here.packet(leaves(1))
    assert here.fills() == []
    here.packet(trades(3, 7))
    assert here.fills() == [(100, 7, True)]


def test_an_order_that_gives_up_its_place_is_behind_us() -> None:
    here = room()
    here.new(BID, 100, 10)
    here.packet(lambda books: books.put(0, 1, BID, 100, 40, 99))
    here.packet(trades(1, 5))
    assert here.fills() == [(100, 5, True)]


def test_of_cancels_and_trades_in_one_packet_all_went_before_us() -> None:
    here = room()
    here.new(BID, 100, 10)
    here.packet(rests(3, BID, 100, 50))
    here.packet(leaves(1), trades(3, 25))
    assert here.fills() == []
    assert here.model.statistics().unclear == {"trades_for_others": 1}


def test_what_is_traded_beyond_our_price_fills_us_at_our_price() -> None:
    here = room()
    here.packet(rests(3, BID, 99, 50))
    here.new(BID, 100, 10)
    here.packet(leaves(1))
    here.packet(trades(3, 4))
    assert here.fills() == [(100, 4, True)]


def test_a_sweep_fills_what_stands_in_its_way_and_no_more_than_it_swept() -> None:
    here = room()
    here.packet(rests(3, BID, 99, 50), rests(4, BID, 98, 50))
    here.new(BID, 99, 10)
    here.new(BID, 98, 10)
    here.packet(trades(1, 30), trades(3, 50), trades(4, 6))
    assert here.fills() == [
        (99, 6, True)
    ]  # 50 of the 56 at 99 and below were before it; the other one was left nothing


def test_a_trade_at_a_worse_price_than_its_order_had_is_not_one_that_reached_us() -> None:
    here = room()
    here.new(BID, 99, 10)
    here.packet(trades(1, 30, price=98))
    assert here.fills() == []


def test_two_orders_of_ours_share_what_was_traded() -> None:
    here = room()
    here.packet(leaves(1))
    here.new(BID, 100, 10)
    here.new(BID, 99, 10)
    here.new(BID, 100, 10)
    here.packet(rests(3, BID, 98, 50))
    here.packet(trades(3, 25))
    assert [here.fills(name) for name in (1, 2, 3)] == [[(100, 10, True)], [(99, 5, True)], [(100, 10, True)]]


def test_what_comes_to_rest_across_our_price_fills_us_once() -> None:
    here = room()
    here.packet(leaves(1))
    here.new(BID, 102, 30)
    here.packet(rests(3, ASK, 101, 12))
    here.packet(rests(4, ASK, 104, 12))
    assert here.fills() == [(102, 12, True)]
    here.packet(rests(5, ASK, 102, 3))
    assert here.fills() == [(102, 12, True), (102, 3, True)]


@pytest.mark.parametrize(
    "flags", [TradeFlag.UNPRINTED, TradeFlag.CROSS, TradeFlag.HIDDEN, TradeFlag.BLOCK, TradeFlag.REPRICED]
)  # fmt: skip
def test_a_trade_that_may_not_have_reached_us_fills_nothing(flags: int) -> None:
    here = room()
    here.packet(leaves(1))
    here.new(BID, 100, 10)
    here.packet(rests(3, BID, 100, 50))
    here.packet(trades(3, 20, flags=flags))
    assert here.fills() == []
    assert here.model.statistics().unclear == {"trades_left_out": 1}


def test_an_order_behind_too_many_levels_is_not_filled_by_what_swept_them() -> None:
    here = room()
    here.new(BID, 20, 10)
    here.packet(*(rests(100 + price, BID, price, 1) for price in range(21, 22 + MAX_BETTER)), rests(3, BID, 19, 9))
    here.packet(leaves(1), *(trades(100 + price, 1) for price in range(21, 22 + MAX_BETTER)), trades(3, 5))
    assert here.fills() == []
    here.packet(trades(3, 2))
    assert here.fills() == [(20, 2, True)]


# --- where the book is not right


def test_no_fill_by_a_book_that_is_not_live_and_after_it_we_stand_at_the_end() -> None:
    here = room()
    here.packet(rests(3, BID, 100, 50))
    here.new(BID, 100, 10)
    here.packet(lambda books: books.to(0, BookState.SUSPECT), trades(1, 30), trades(3, 10))
    here.packet(trades(3, 10))
    here.packet(lambda books: books.to(0, BookState.LIVE))
    assert here.packet(trades(3, 25)) == []
    here.packet(leaves(3))
    here.packet(rests(4, BID, 100, 9), trades(4, 9))
    assert here.fills() == [(100, 9, True)]
    assert here.model.statistics().unclear == {"places_lost": 1, "trades_blind": 3}


def test_an_order_that_arrives_at_a_book_that_is_not_live_takes_nothing_and_rests_at_the_end_later() -> None:
    here = room()
    here.packet(lambda books: books.to(0, BookState.SUSPECT))
    assert kinds(here.new(BID, 103, 5, time_in_force=IOC)) == ["Accepted", "Canceled"]
    assert kinds(here.new(BID, 100, 5)) == ["Accepted"]
    here.packet(trades(1, 30), rests(3, BID, 100, 2))
    here.packet(lambda books: books.to(0, BookState.LIVE))
    here.packet(trades(3, 2))
    assert here.fills() == []


def test_a_record_whose_sides_meet_fills_nothing() -> None:
    here = room()
    here.books.judge(0, False)
    here.new(BID, 102, 5)
    here.packet(rests(3, ASK, 100, 9))
    assert here.books.state(0) == BookState.LIVE
    assert here.fills() == []
    assert kinds(here.new(BID, 103, 5, time_in_force=IOC)) == ["Accepted", "Canceled"]


# --- as a taker


def test_a_taker_takes_up_to_its_limit_and_what_it_took_is_not_there_again() -> None:
    here = room()
    here.packet(rests(3, ASK, 104, 20), rests(4, ASK, 105, 20))
    accepted, one, two = here.new(BID, 104, 50)
    assert (accepted.filled, accepted.rests) == (40, True)
    assert [(fill.price, fill.quantity, fill.maker) for fill in (one, two)] == [(103, 20, False), (104, 20, False)]
    here.ask(Cancel(1, 7))
    assert kinds(here.new(BID, 104, 50, time_in_force=IOC)) == ["Accepted", "Canceled"]
    here.packet(rests(5, ASK, 103, 8))
    accepted, fill, ended = here.new(BID, 104, 50, time_in_force=IOC)
    assert (fill.price, fill.quantity, ended.cause) == (103, 8, Cause.TIME_IN_FORCE)


def test_a_level_that_was_gone_is_there_again_when_it_comes_back() -> None:
    here = room()
    here.new(BID, 103, 20)
    here.packet(trades(2, 20))
    here.packet(rests(3, ASK, 103, 15))
    assert here.new(BID, 103, 20, time_in_force=IOC)[1].quantity == 15


def test_all_or_nothing() -> None:
    here = room()
    assert kinds(here.new(BID, 103, 21, time_in_force=FOK)) == ["Accepted", "Canceled"]
    assert kinds(here.new(BID, 103, 20, time_in_force=FOK)) == ["Accepted", "Filled"]


def test_a_market_order_takes_at_any_price_and_does_not_rest() -> None:
    here = room()
    here.packet(rests(3, ASK, 900, 1))
    accepted, one, two, ended = here.new(BID, None, 30)
    assert (accepted.price, accepted.rests, one.price, two.price, ended.filled) == (None, False, 103, 900, 21)


def test_fees_are_those_of_the_contract_and_a_rebate_is_negative() -> None:
    here = room()
    took = here.new(BID, 103, 20)[1]
    assert (took.fee, took.fee_exponent) == (20 * 103 * 5 * 10**6, FEE_EXPONENT)  # 20.60 at 5 of 10,000
    here.packet(leaves(1))
    here.new(BID, 100, 10)
    (made,) = here.packet(rests(3, BID, 100, 5), trades(3, 5))
    assert made.fee == -5 * 100 * 10**6


# --- flags


def test_post_only_moves_or_is_refused_where_it_would_take() -> None:
    here = room()
    (moved,) = here.new(BID, 105, 5, flags=Flag.POST_ONLY)
    assert (moved.price, moved.rests) == (102, True)
    assert why(here.new(BID, 105, 5, flags=Flag.POST_ONLY_REJECT)) == (Cause.POST_ONLY, "post_only_would_take")
    assert why(here.new(BID, 99, 5, flags=Flag.POST_ONLY, time_in_force=IOC)) == (
        Cause.POST_ONLY, "post_only_never_rests",
    )  # fmt: skip
    here.new(BID, 103, 5)
    assert here.new(ASK, 101, 5, flags=Flag.POST_ONLY)[0].cause is Cause.SELF_MATCH


def test_reduce_only_is_cut_to_what_we_hold_and_leaves_when_that_is_gone() -> None:
    here = room()
    assert why(here.new(ASK, 110, 5, flags=Flag.REDUCE_ONLY)) == (Cause.LIMIT, "reduce_only")
    here.new(BID, 103, 8)
    (accepted,) = here.new(ASK, 110, 50, flags=Flag.REDUCE_ONLY)
    assert accepted.quantity == 8
    here.new(ASK, 105, 5)
    here.packet(leaves(2))
    told = here.packet(rests(3, BID, 106, 5))
    assert kinds(told) == ["Filled", "Canceled"]
    assert told[1].client_id == accepted.client_id
    assert told[1].cause is Cause.QUANTITY


# --- amendments and cancels


def test_less_at_its_price_keeps_the_place_and_more_loses_it() -> None:
    here = room()
    here.packet(leaves(1))
    here.new(BID, 100, 10)
    here.packet(rests(3, BID, 100, 50))
    (amended,) = here.ask(Amend(1, 7, 100, 6))
    assert isinstance(amended, Amended)
    assert (amended.quantity, amended.rests) == (6, True)
    here.packet(trades(3, 2))
    assert here.fills() == [(100, 2, True)]
    here.ask(Amend(1, 7, 100, 60))
    here.packet(trades(3, 20))
    assert here.fills() == [(100, 2, True)]
    assert why(here.ask(Amend(1, 7, 100, 2))) == (Cause.QUANTITY, "already_filled")


def test_an_amendment_may_take_and_is_answered_first() -> None:
    here = room()
    here.new(BID, 100, 30)
    amended, filled = here.ask(Amend(1, 7, 103, 30))
    assert (amended.filled, amended.rests, filled.price, filled.quantity) == (20, True, 103, 20)
    assert kinds(here.ask(Amend(1, 7, 102, 20))) == ["Rejected"]
    (cancelled,) = here.ask(Cancel(1, 7))
    assert (cancelled.filled, cancelled.cause) == (20, Cause.REQUESTED)
    assert why(here.ask(Amend(1, 7, 102, 30))) == (Cause.NOT_FOUND, "order_not_found")


def test_cancels_are_answered_also_when_there_is_nothing() -> None:
    here = room()
    assert why(here.ask(Cancel(9, 7))) == (Cause.NOT_FOUND, "order_not_found")
    here.new(BID, 99, 5)
    here.new(ASK, 110, 5)
    assert kinds(here.ask(CancelAll(50, side=ASK))) == ["Canceled", "AllCanceled"]
    told = here.ask(CancelAll(51))
    assert isinstance(told[0], Canceled)
    assert isinstance(told[1], AllCanceled)
    assert told[1].count == 1


@pytest.mark.parametrize(
    ("request_", "cause"),
    [
        (New(1, 7, BID, 99, 1), Cause.DUPLICATE),
        (New(2, 8, BID, 99, 1), Cause.INSTRUMENT),
        (New(2, 7, BID, 99, 0), Cause.QUANTITY),
        (New(2, 7, BID, 0, 1), Cause.PRICE),
        (New(2, 7, ASK, 99, 1), Cause.SELF_MATCH),
        (New(2, 7, ASK, None, 1), Cause.SELF_MATCH),
    ],
)  # fmt: skip
def test_what_no_venue_takes_is_refused(request_: New, cause: Cause) -> None:
    here = room()
    here.new(BID, 99, 1)
    assert why(here.ask(request_))[0] is cause


# --- lists and quotes


def test_a_list_says_what_rests_and_what_we_hold() -> None:
    here = room()
    here.new(BID, 103, 25)
    (listed,) = here.ask(List(60))
    assert isinstance(listed, Listed)
    assert listed.orders == (OpenOrder(1, 7, listed.orders[0].order_id, BID, 103, 25, 20, False),)
    assert (listed.session, listed.positions) == (1, (Position(7, 20, None),))


def test_a_quote_replaces_the_one_before_and_keeps_a_place_where_it_can() -> None:
    here = room()
    here.packet(leaves(1))
    (quoted,) = here.ask(MassQuote(70, 1, (Quote(7, 100, 10, 105, 10),)))
    assert isinstance(quoted, Quoted)
    assert [side.state for side in quoted.sides[0][1:]] == [QuoteState.RESTS, QuoteState.RESTS]
    here.packet(rests(3, BID, 100, 50), rests(4, ASK, 105, 50))
    here.ask(MassQuote(71, 1, (Quote(7, 100, 8, 105, 11),)))
    here.packet(trades(3, 3), leaves(2))
    here.packet(trades(4, 3))
    (fill,) = [one for one in here.heard if isinstance(one, Filled)]
    assert (fill.client_id, fill.quote, fill.side, fill.quantity) == (71, True, BID, 3)
    (quoted,) = here.ask(MassQuote(72, 1, (Quote(7, None, 0, 106, 0),)))
    assert [side.state for side in quoted.sides[0][1:]] == [QuoteState.CANCELED, QuoteState.CANCELED]
    (quoted,) = here.ask(MassQuote(73, 1, (Quote(7, None, 0, None, 0),)))
    assert [side.state for side in quoted.sides[0][1:]] == [QuoteState.NONE, QuoteState.NONE]


def test_a_quote_moves_through_its_own_old_one_and_what_it_takes_is_told_behind_the_answer() -> None:
    here = room()
    here.ask(MassQuote(70, 1, (Quote(7, 98, 10, 101, 10),)))
    quoted, filled = here.ask(MassQuote(71, 1, (Quote(7, 103, 30, 108, 10),)))
    assert (quoted.sides[0][1].filled, quoted.sides[0][1].quantity) == (20, 10)
    assert (filled.price, filled.quantity, filled.maker, filled.client_id) == (103, 20, False, 71)
    (refused,) = here.ask(MassQuote(72, 1, (Quote(7, 109, 1, 108, 1), Quote(9, 5, 1, None, 0))))
    assert [side.cause for _, *sides in refused.sides for side in sides] == [
        Cause.PRICE, Cause.PRICE, Cause.INSTRUMENT, Cause.REQUESTED,
    ]  # fmt: skip
    assert here.ask(List(60))[0].orders == ()


# --- time


def test_a_request_arrives_after_its_delay_and_behind_the_packet_of_that_time() -> None:
    here = Room(delay=Fixed(200), report=Fixed(30))
    here.packet(rests(1, BID, 100, 5), rests(2, BID, 99, 50))
    here.model.send(New(1, 7, BID, 100, 10), here.now)
    assert here.model.deadline == here.now + 200
    here.packet(trades(1, 5))
    here.packet(trades(2, 20))  # at the very time at which it arrives
    assert here.fills() == []
    here.packet(trades(2, 20))
    assert [type(one).__name__ for one in here.heard] == ["Accepted", "Filled"]


def test_no_report_overtakes_another_and_no_request_does() -> None:
    from netfeed.sim.fill_delay import Uniform

    here = Room(delay=Uniform(10, 5_000), report=Uniform(10, 5_000), seed=3)
    here.packet(rests(1, BID, 100, 5))
    for name in range(1, 40):
        here.model.send(New(name, 7, BID, 90, 1), here.now + name)
    assert [one.client_id for one in here.model.wake(here.now + 100_000)] == list(range(1, 40))


def test_waking_it_too_late_is_a_misuse_and_so_is_more_than_can_be_on_its_way() -> None:
    here = room()
    here.model.send(New(1, 7, BID, 90, 1), here.now)
    with pytest.raises(MisuseError, match="wake the model first"):
        here.model.market(Tape(), None, here.now + 11)
    for name in range(2, MAX_UNDER_WAY + 1):
        here.model.send(List(name), here.now)
    with pytest.raises(MisuseError, match="the delay of requests is too long"):
        here.model.send(List(0), here.now)


def test_a_session_comes_up_and_says_so() -> None:
    here = room()
    here.model.begin(here.now)
    assert here.model.wake(here.now + 1) == [Up(1)]
    assert "a request takes 0.01 us always" in here.model.assumptions[0]


# --- levels alone


def test_with_levels_alone_a_cancel_is_one_from_behind_us_as_long_as_anything_is_there() -> None:
    here = LevelRoom({100: 30}, {103: 20})
    here.model.send(New(1, 7, BID, 100, 10), here.now)
    here.packet({(BID, 100): 50})
    here.packet({(BID, 100): 35})  # 15 of the 20 behind us
    here.packet({(BID, 100): 25}, (BID, 100, 10))  # 20 before us
    here.packet({(BID, 100): 18})  # nothing is behind us: 18 before us
    assert here.packet({(BID, 100): 1}, (BID, 100, 17)) == []
    (filled,) = here.packet({(BID, 100): 4}, (BID, 100, 5))
    assert isinstance(filled, Filled)
    assert filled.quantity == 4


def test_with_levels_alone_what_was_left_of_a_level_that_is_gone_was_before_us() -> None:
    here = LevelRoom({100: 30, 99: 10}, {103: 20})
    here.model.send(New(1, 7, BID, 100, 10), here.now)
    here.packet({})
    (filled,) = here.packet({(BID, 100): 0, (BID, 99): 5}, (BID, 100, 30), (BID, 99, 5))
    assert isinstance(filled, Filled)
    assert (filled.price, filled.quantity) == (100, 5)


def test_our_place_in_a_queue_is_shown_as_a_book_would_show_it() -> None:
    here = room()
    here.new(BID, 100, 10)
    here.packet(rests(3, BID, 100, 50), trades(1, 4))
    here.new(BID, 100, 7)
    rows = here.model.book(7).queue(BID, 100)
    assert [row.quantity for row in rows] == [26, 10, 50, 7]
    ours = [row.order_id for row in rows if row.order_id]
    assert [ahead(rows, order_id) for order_id in ours] == [26, 86]
    assert here.model.book(7).queue(BID, 99) == []


def test_an_engine_does_not_see_what_it_has_taken() -> None:
    here = room()
    here.packet(rests(3, ASK, 104, 20))
    seen = here.model.book(7)
    here.new(BID, 104, 25)
    assert (seen.state, seen.bid, seen.ask) == (BookState.LIVE, Level(100, 30, 1), Level(104, 15, 1))
    assert seen.depth(ASK, 5) == [Level(104, 15, 1)]
    here.packet(rests(4, ASK, 103, 3))
    assert seen.ask == Level(103, 3, 2)
