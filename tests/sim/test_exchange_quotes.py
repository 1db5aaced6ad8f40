"""Mass quotes and market-maker protection at the simulated exchange."""

import pytest

from netfeed.book.execution import (
    MAX_QUOTES,
    Canceled,
    Cause,
    Filled,
    Flag,
    Freed,
    Quote,
    Quoted,
    QuoteState,
    Rejected,
    TimeInForce,
    Tripped,
)  # fmt: skip
from netfeed.sim.exchange_trading import Permit
from netfeed.sim.protection import Group, Limits, Sizes
from netfeed.sim.starbase_chain import NANO
from tests.sim.exchange_room import BUY, CALL, HALF, PERPETUAL, PUT, SELL, Room

S = 10**9
OPEN = Permit(groups={1: Limits(S, 2 * S)})
"""A group that never trips."""


def states(reports: list[object]) -> list[tuple[QuoteState, QuoteState]]:
    quoted = reports[0]
    assert isinstance(quoted, Quoted)
    return [(bid.state, ask.state) for _, bid, ask in quoted.sides]


def test_a_quote_replaces_the_one_before_and_keeps_its_place_where_it_may() -> None:
    room = Room("mm", "bob", mm=OPEN)
    (first,) = room.quote("mm", room.two_sided(-1, 1))
    room.new("bob", BUY, -1, 50)
    (second,) = room.quote("mm", room.two_sided(-1, 3, quantity=60))
    assert room.queue(BUY) == [("mm", 60), ("bob", 50)]
    assert [side.order_id for side in first.sides[0][1:]] == [side.order_id for side in second.sides[0][1:]]
    assert second.sides[0][2].price == room.mark + 3 * HALF
    room.quote("mm", room.two_sided(-1, 3, quantity=90))
    assert room.queue(BUY) == [("bob", 50), ("mm", 90)]
    assert states(room.quote("mm", room.two_sided(None, 3))) == [(QuoteState.CANCELED, QuoteState.RESTS)]
    assert states(room.quote("mm", room.two_sided(None, None))) == [(QuoteState.NONE, QuoteState.CANCELED)]
    assert room.exchange.listed("mm").orders == ()


def test_quotes_of_several_instruments_move_in_one_step() -> None:
    room = Room("mm", mm=OPEN)
    quotes = [room.two_sided(-3, 3, 10, instrument) for instrument in (CALL, PUT)]
    assert states(room.quote("mm", *quotes)) == [(QuoteState.RESTS, QuoteState.RESTS)] * 2
    assert {order.instrument for order in room.exchange.listed("mm").orders} == {CALL, PUT}
    assert all(order.quote for order in room.exchange.listed("mm").orders)


@pytest.mark.parametrize("steps", [(5, 7), (-7, -5)])
def test_a_quote_that_moves_across_the_old_one_does_not_meet_it(steps: tuple[int, int]) -> None:
    room = Room("mm", mm=OPEN)
    room.quote("mm", room.two_sided(-1, 1))
    assert states(room.quote("mm", room.two_sided(*steps))) == [(QuoteState.RESTS, QuoteState.RESTS)]
    assert room.told("mm", Canceled) == []


def test_a_side_that_is_refused_pulls_the_one_before_and_leaves_the_other_alone() -> None:
    room = Room("mm", mm=Permit(groups=OPEN.groups, max_positions={PERPETUAL: 150}))
    room.quote("mm", room.two_sided(-1, 1))
    quote = room.two_sided(-1, 1)
    (told,) = room.quote("mm", Quote(PERPETUAL, quote.bid, 200, quote.ask, 100))
    _, bid, ask = told.sides[0]
    assert (bid.state, bid.cause, bid.venue_reason) == (QuoteState.REFUSED, Cause.LIMIT, "position_limit")
    assert (ask.state, room.queue(BUY), room.queue(SELL)) == (QuoteState.RESTS, [], [("mm", 100)])
    (told,) = room.quote("mm", room.two_sided(3, 3))
    assert [side.venue_reason for side in told.sides[0][1:]] == ["quote_crosses_itself"] * 2
    assert room.exchange.listed("mm").orders == ()


def test_a_quote_that_takes_is_told_its_fills_after_the_answer() -> None:
    room = Room("mm", "bob", mm=OPEN)
    room.new("bob", SELL, 0, 100)
    room.new("bob", SELL, 1, 30)
    quoted, *fills = room.quote("mm", room.two_sided(1, 5, quantity=100))
    assert states([quoted]) == [(QuoteState.FILLED, QuoteState.RESTS)]
    assert [(one.quantity, one.quote, one.maker) for one in fills] == [(100, True, False)]
    quoted, *fills = room.quote("mm", room.two_sided(1, 5, quantity=100))
    bid = quoted.sides[0][1]
    assert (bid.state, bid.filled, bid.quantity, len(fills)) == (QuoteState.RESTS, 30, 70, 1)


def test_a_mass_quote_is_refused_whole_for_a_group_or_an_instrument_twice() -> None:
    room = Room("mm", mm=OPEN)
    quote = room.two_sided(-1, 1)
    for quotes, group, cause in (
        ([quote], 7, Cause.PROTECTION), ([quote, quote], 1, Cause.DUPLICATE),
        ([quote] * (MAX_QUOTES + 1), 1, Cause.LIMIT),
    ):  # fmt: skip
        (refused,) = room.quote("mm", *quotes, group=group)
        assert isinstance(refused, Rejected)
        assert refused.cause == cause
    assert room.exchange.listed("mm").orders == ()


def test_too_much_in_a_window_pulls_the_group_and_freezes_it() -> None:
    # 0.002 coins are 180 USD at 90,003.
    permit = Permit(groups={1: Limits(S, 2 * S, quantity=2_000_000), 2: Limits(S, 2 * S)})
    room = Room("mm", "bob", mm=permit)
    room.quote("mm", room.two_sided(-9, 9), group=2)
    room.quote("mm", room.two_sided(-1, 1))
    room.new("bob", SELL, -1, 100)
    assert room.told("mm", Tripped) == []
    room.quote("mm", room.two_sided(-1, 1))
    room.new("bob", SELL, -1, 90)
    (tripped,) = room.told("mm", Tripped)
    assert (tripped.group, tripped.why, tripped.until_ns, tripped.orders) == (1, "quantity", room.now + 2 * S, False)
    assert {one.cause for one in room.told("mm", Canceled)} == {Cause.PROTECTION}
    assert {one.price for one in room.exchange.listed("mm").orders} == {room.mark - 9 * HALF, room.mark + 9 * HALF}
    (refused,) = room.quote("mm", room.two_sided(-1, 1))
    assert (refused.cause, refused.venue_reason) == (Cause.PROTECTION, "mmp_frozen")
    assert [one for _, one in room.wait(2 * S)] == [Freed(1, room.now, orders=False)]
    assert states(room.quote("mm", room.two_sided(-1, 1))) == [(QuoteState.RESTS, QuoteState.RESTS)]


def test_a_window_that_has_passed_counts_from_nothing() -> None:
    room = Room("mm", "bob", mm=Permit(groups={1: Limits(S, S, quantity=2_000_000)}))
    for _ in range(4):
        room.quote("mm", room.two_sided(-1, 1))
        room.new("bob", SELL, -1, 100)
        room.wait(S)
    assert not any(isinstance(one.report, Tripped) for one in room.exchange.log.reports("mm"))


def test_frozen_for_good_means_until_it_is_reset() -> None:
    room = Room("mm", "bob", mm=Permit(groups={1: Limits(S, 0, quantity=1)}))
    room.quote("mm", room.two_sided(-1, 1))
    room.new("bob", SELL, -1, 100)
    assert room.told("mm", Tripped)[0].until_ns is None
    assert room.wait(10**6 * S) == []
    freed, quoted = room.quote("mm", room.two_sided(-1, 1), reset=True)
    assert (type(freed), states([quoted])) == (Freed, [(QuoteState.RESTS, QuoteState.RESTS)])
    room.new("bob", SELL, -1, 100)
    assert [type(one) for one in room.mine("mm", room.exchange.reset("mm", 1, room.now))] == [Freed]
    assert room.mine("mm", room.exchange.reset("mm", 1, room.now)) == []


def test_single_orders_count_for_group_0_only_as_makers() -> None:
    room = Room("mm", "bob", mm=Permit(groups={0: Limits(S, S, quantity=1_500_000)}))
    room.new("bob", SELL, 0, 1_000)
    room.new("mm", BUY, 0, 1_000, Flag.MMP, TimeInForce.IOC)
    assert room.told("mm", Tripped) == []
    for steps in (0, -1):
        room.new("mm", BUY, steps, 200, Flag.MMP)
    room.new("mm", BUY, -2, 200)
    room.new("bob", SELL, 0, 200)
    assert [(one.group, one.orders) for one in room.told("mm", Tripped)] == [(0, True)]
    assert room.queue(BUY) == [("mm", 200)]
    (refused,) = room.new("mm", BUY, 0, 200, Flag.MMP)
    assert refused.venue_reason == "mmp_frozen"


@pytest.mark.parametrize(
    ("limits", "trigger"), [(Limits(S, S, delta=0.4), "delta"), (Limits(S, S, vega=100.0), "vega")]
)
def test_delta_is_net_of_calls_and_puts_and_vega_is_not(limits: Limits, trigger: str) -> None:
    room = Room("mm", "bob", mm=Permit(groups={1: limits}))
    room.quote("mm", *(room.two_sided(-3, 3, 100, one) for one in (CALL, PUT)))
    # At the money half a coin of each has a delta of a quarter, and a vega of 47 USD.
    for instrument, tripped in ((CALL, False), (PUT, False), (CALL, trigger == "vega"), (CALL, True)):
        room.new("bob", SELL, -3, 5, instrument=instrument)
        assert [one.why for one in room.told("mm", Tripped)] == [trigger] * tripped
        if tripped:
            break
    assert sum(one.report.quantity for one in room.exchange.log.reports("mm") if isinstance(one.report, Filled)) == (
        15 if trigger == "vega" else 20
    )


def test_limits_are_compared_without_a_sign_and_in_their_order() -> None:
    group = Group(Limits(S, S, quantity=10, delta=1.0, vega=5.0))
    assert group.count(Sizes(-5, -1.5, 0.0), 0) == "delta"
    assert group.count(Sizes(5, 1.0, -9.0), 1) == "vega"
    assert group.count(Sizes(1, 0.5, 9.0), 2) == "quantity"
    assert group.count(Sizes(9, 0.5, 0.0), S) is None
    assert group.quantity == 9
    assert (group.trip(S, 7 * NANO), group.frozen, group.trips) == (2 * S, True, 1)
    group.free()
    assert not group.frozen
