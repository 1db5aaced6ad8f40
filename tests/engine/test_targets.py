"""The difference between what rests and what is wanted: few requests, in an order that is safe whatever is answered."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netfeed.book.execution import Amend, Cancel, MassQuote, New, Quote, TimeInForce
from netfeed.book.level import Side
from netfeed.engine.placing import meets
from netfeed.engine.strategy import Phase, Want, Working
from netfeed.engine.targets import Abilities, Amends, Differ
from tests.engine.stage import CALL, FUTURE, Stage

BID, ASK = Side.BID, Side.ASK
ORDERS = Abilities(mass_quotes=False)


def differ(abilities: Abilities = ORDERS) -> Differ:
    return Differ(abilities, count(1).__next__)


def order(client_id: int, side: Side, price: int, quantity: int = 5, **more: object) -> Working:
    return replace(Working(client_id, CALL, side, price, quantity), **more)  # type: ignore[arg-type]


def test_what_rests_as_wanted_needs_no_request() -> None:
    stage = Stage()
    stage.rest(order(101, BID, 290), order(102, ASK, 315))
    assert differ().requests(stage.board, {CALL: [Want(ASK, 315, 5), Want(BID, 290, 5)]}) == []


def test_an_instrument_without_an_answer_is_left_alone_and_one_with_none_wanted_is_pulled() -> None:
    stage = Stage()
    stage.rest(order(101, BID, 290))
    assert differ().requests(stage.board, {FUTURE: []}) == []
    assert differ().requests(stage.board, {CALL: []}) == [Cancel(101, CALL)]


def test_cancels_go_first_then_what_moves_then_what_is_new() -> None:
    stage = Stage()
    stage.rest(order(101, BID, 290), order(102, BID, 280), order(103, ASK, 330))
    wants = [Want(BID, 285, 5), Want(ASK, 315, 5), Want(ASK, 330, 5)]
    assert differ().requests(stage.board, {CALL: wants}) == [
        Cancel(102, CALL), Amend(101, CALL, 285, 5), New(1, CALL, ASK, 315, 5, flags=wants[1].flags),
    ]  # fmt: skip


def test_an_amendment_counts_what_was_filled() -> None:
    stage = Stage()
    stage.rest(order(101, BID, 290, 5, filled=3))
    assert differ().requests(stage.board, {CALL: [Want(BID, 290, 4)]}) == [Amend(101, CALL, 290, 7)]


def test_a_venue_whose_amendments_lose_the_place_is_asked_only_for_less() -> None:
    stage, shrink = Stage(), differ(Abilities(Amends.SHRINK, mass_quotes=False))
    stage.rest(order(101, BID, 290))
    assert shrink.requests(stage.board, {CALL: [Want(BID, 290, 4)]}) == [Amend(101, CALL, 290, 4)]
    moved = {CALL: [Want(BID, 285, 5)]}
    assert shrink.requests(stage.board, moved) == [Cancel(101, CALL)]
    stage.rest(order(101, BID, 290, phase=Phase.LEAVING))
    assert shrink.requests(stage.board, moved) == [], "what is leaving may yet be filled"
    stage.rest()
    assert isinstance(shrink.requests(stage.board, moved)[0], New)


def test_a_price_that_would_meet_an_order_of_our_own_waits_until_that_has_moved() -> None:
    stage, one = Stage(), differ()
    stage.rest(order(101, ASK, 315))
    wants = {CALL: [Want(ASK, 330, 5), Want(BID, 320, 5)]}
    stage.send(one.requests(stage.board, wants))
    assert stage.sent == [Amend(101, CALL, 330, 5)]
    assert one.requests(stage.board, wants) == [], "it may still rest at 315"
    stage.answer(101)
    assert [type(request) for request in one.requests(stage.board, wants)] == [New]
    assert one.statistics()["waited"] == 2


@pytest.mark.parametrize("phase", [Phase.SENT, Phase.UNCERTAIN])
def test_an_order_whose_answer_is_open_holds_the_place_of_its_want(phase: Phase) -> None:
    stage = Stage()
    stage.rest(order(101, BID, 290, phase=phase))
    assert differ().requests(stage.board, {CALL: [Want(BID, 285, 5)]}) == []


def test_an_order_that_nobody_answered_is_cancelled_when_it_is_not_wanted_and_an_uncertain_one_never() -> None:
    stage = Stage()
    stage.rest(order(101, BID, 290, phase=Phase.SENT), order(102, ASK, 330, phase=Phase.UNCERTAIN))
    assert differ().requests(stage.board, {CALL: []}) == [Cancel(101, CALL)]


def test_what_rests_is_not_what_is_to_be_filled_at_once_though_price_and_quantity_are_the_same() -> None:
    stage = Stage()
    stage.rest(order(101, BID, 290))
    taking = {CALL: [Want(BID, 290, 5, TimeInForce.IOC)]}
    assert differ().requests(stage.board, taking) == [Cancel(101, CALL)]


def test_what_is_to_be_filled_at_once_goes_alone() -> None:
    stage = Stage()
    taking = {CALL: [Want(BID, 315, 5, TimeInForce.IOC)]}
    stage.rest(order(101, BID, 290))
    assert differ().requests(stage.board, taking) == [Cancel(101, CALL)]
    stage.rest(order(101, BID, 290, phase=Phase.LEAVING))
    assert differ().requests(stage.board, taking) == []
    stage.rest()
    assert [type(request) for request in differ().requests(stage.board, taking)] == [New]


@pytest.mark.parametrize(
    ("want", "why"),
    [
        (Want(BID, 51, 5), "off tick"), (Want(BID, 0, 5), "off tick"), (Want(BID, 290, 0), "off lot"),
        (Want(ASK, 200, 5), "meets our own"),
    ],
)  # fmt: skip
def test_a_want_that_makes_no_sense_is_refused_and_counted(want: Want, why: str) -> None:
    one, stage = differ(), Stage()
    requests = one.requests(stage.board, {CALL: [Want(BID, 285, 5), want]})
    assert [type(request) for request in requests] == [New]
    assert one.statistics()[why] == 1
    assert one.requests(stage.board, {99: [Want(BID, 285, 5)]}) == []
    assert one.statistics()["no contract"] == 1


def quote(client_id: int, instrument: int, side: Side, price: int) -> Working:
    return Working(client_id, instrument, side, price, 10, quote=True)


def test_quotes_of_a_group_go_in_one_mass_quote_both_sides_whole() -> None:
    stage = Stage()
    stage.rest(quote(1, CALL, BID, 280), quote(2, CALL, ASK, 330), quote(3, FUTURE, BID, 1_000_000))
    one = Differ(Abilities(), count(7).__next__, group=lambda _: 3)
    wants = {
        CALL: [Want(BID, 285, 10, quote=True), Want(ASK, 330, 10, quote=True)],
        FUTURE: [Want(BID, 1_000_000, 10, quote=True)],
    }
    assert one.requests(stage.board, wants) == [MassQuote(7, 3, (Quote(CALL, 285, 10, 330, 10),))]
    pulled = one.requests(stage.board, {CALL: [], FUTURE: wants[FUTURE]})
    assert pulled == [MassQuote(8, 3, (Quote(CALL, None, 0, None, 0),))]


def test_a_mass_quote_is_cut_where_the_venue_wants_it_cut() -> None:
    stage, one = Stage(), Differ(Abilities(quotes=1), count(7).__next__)
    wants = {CALL: [Want(BID, 285, 10, quote=True)], FUTURE: [Want(BID, 1_000_000, 10, quote=True)]}
    assert [len(r.quotes) for r in one.requests(stage.board, wants) if isinstance(r, MassQuote)] == [1, 1]


def test_a_second_quote_of_a_side_is_refused() -> None:
    one = differ(Abilities())
    wants = [Want(BID, 285, 10, quote=True), Want(BID, 280, 10, quote=True)]
    assert one.requests(Stage().board, {CALL: wants}) == [MassQuote(1, 0, (Quote(CALL, 285, 10, None, 0),))]
    assert one.statistics()["two quotes of a side"] == 1


def test_of_a_quote_with_a_side_that_is_uncertain_both_can_be_pulled_and_nothing_else() -> None:
    stage, one = Stage(), differ(Abilities())
    stage.rest(quote(1, CALL, BID, 280), replace(quote(2, CALL, ASK, 330), phase=Phase.UNCERTAIN))
    assert one.requests(stage.board, {CALL: [Want(BID, 285, 10, quote=True)]}) == []
    assert one.requests(stage.board, {CALL: []}) == [MassQuote(1, 0, (Quote(CALL, None, 0, None, 0),))]


def test_while_a_quote_that_replaces_another_is_unanswered_only_a_pull_is_sent() -> None:
    stage, one = Stage(), differ(Abilities())
    stage.rest(replace(quote(2, CALL, BID, 285), phase=Phase.SENT), quote(1, CALL, BID, 280))
    for price in (280, 285, 290):
        assert one.requests(stage.board, {CALL: [Want(BID, price, 10, quote=True)]}) == []
    assert one.requests(stage.board, {CALL: []}) == [MassQuote(1, 0, (Quote(CALL, None, 0, None, 0),))]


def check_no_self_trade(stage: Stage) -> None:
    orders = [order for order in stage.working.values() if order.phase is not Phase.SENT or order.asked_price]
    for bid in (one for one in orders if one.side is BID):
        for ask in (one for one in orders if one.side is ASK):
            assert bid.price is None or ask.price is None or not meets(BID, bid.price, ask.price)


PRICES = st.integers(56, 80).map(lambda tick: tick * 5)


@settings(max_examples=60)
@given(data=st.data(), amends=st.sampled_from(Amends), mass_quotes=st.booleans())
def test_whatever_is_answered_our_orders_never_meet_and_in_the_end_rest_as_wanted(
    data: st.DataObject, amends: Amends, mass_quotes: bool
) -> None:
    stage, one = Stage(), differ(Abilities(amends, mass_quotes=mass_quotes))
    wants: Sequence[Want] = []
    for _ in range(data.draw(st.integers(1, 8))):
        middle = data.draw(PRICES)
        sides = [data.draw(st.lists(st.integers(1, 6), max_size=3, unique=True)) for _ in Side]
        wants = [
            Want(side, middle + (-5 if side is BID else 5) * step, data.draw(st.integers(1, 9)), quote=rank == 0)
            for side in Side for rank, step in enumerate(sides[side])
        ]  # fmt: skip
        stage.send(one.requests(stage.board, {CALL: wants}))
        check_no_self_trade(stage)
        for client_id in [name for name, order in stage.working.items() if not order.settled]:
            verdict = data.draw(st.sampled_from(("done", "refused", "open")))
            if verdict != "open":
                stage.answer(client_id, done=verdict == "done")
                check_no_self_trade(stage)
    for _ in range(8):
        stage.answer_all()
        check_no_self_trade(stage)
        stage.send(one.requests(stage.board, {CALL: wants}))
    stage.answer_all()
    rests = sorted((order.side, order.price or 0, order.quantity) for order in stage.working.values())
    assert rests == sorted((want.side, want.price, want.quantity) for want in wants)
    news = [request.client_id for request in stage.sent if isinstance(request, New | MassQuote)]
    assert news == sorted(set(news)), "client ids rise in the order in which they are sent"
