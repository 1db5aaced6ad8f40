"""Single orders at the simulated exchange: what each kind does, what is refused, and why."""

from dataclasses import replace

import pytest

from netfeed.book.execution import (
    Accepted,
    AllCanceled,
    Amended,
    Ask,
    CancelAll,
    Canceled,
    Cause,
    Filled,
    Flag,
    List,
    Listed,
    New,
    Rejected,
    TimeInForce,
)
from netfeed.errors import MisuseError
from netfeed.sim.exchange_log import Log, Step, audit
from netfeed.sim.exchange_match import SelfMatch
from netfeed.sim.exchange_trading import Permit
from netfeed.sim.terms import FEE_EXPONENT, Fees
from netfeed.wire.starbase import TemplateId
from tests.sim.exchange_room import BUY, HALF, PERPETUAL, SELL, Room

IOC, FOK = TimeInForce.IOC, TimeInForce.FOK


def kinds(reports: list[object]) -> list[str]:
    return [type(one).__name__ for one in reports]


def why(reports: list[object]) -> tuple[Cause, str]:
    (refused,) = reports
    assert isinstance(refused, Rejected)
    return refused.cause, refused.venue_reason


def test_an_order_rests_and_is_filled_and_both_sides_are_told_the_same_match() -> None:
    room = Room("ann", "bob")
    (accepted,) = room.new("ann", BUY, 0, 100)
    assert isinstance(accepted, Accepted)
    assert (accepted.client_id, accepted.filled, accepted.rests, accepted.price) == (1, 0, True, room.mark)
    accepted, filled = room.new("bob", SELL, -2, 40)
    (made,) = room.told("ann", Filled)
    assert (accepted.filled, accepted.rests) == (40, False)
    assert (made.match_id, made.price, made.quantity, made.maker) == (filled.match_id, room.mark, 40, True)
    assert (filled.price, filled.quantity, filled.maker, made.side, filled.side) == (room.mark, 40, False, BUY, SELL)
    assert (room.held("ann"), room.held("bob"), room.queue(BUY)) == (40, -40, [("ann", 60)])
    assert [template for template, _ in room.last.told] == [
        TemplateId.TRADE_SUMMARY, TemplateId.TRADE, TemplateId.BID_QTY_REDUCED
    ]  # fmt: skip


def test_fees_are_told_with_the_fill_and_a_rebate_is_negative() -> None:
    fees = {"ann": Permit(fees=Fees(maker=-100)), "bob": Permit(fees=Fees(taker=500))}
    room = Room("ann", "bob", **fees)
    room.new("ann", BUY, 0, 90_000)
    (taken,) = [one for one in room.new("bob", SELL, 0, 90_000) if isinstance(one, Filled)]
    (made,) = room.told("ann", Filled)
    assert made.fee_exponent == taken.fee_exponent == FEE_EXPONENT
    # 90,000 USD at about 90,003 are almost a coin.
    assert made.fee == pytest.approx(-100_000_000, rel=1e-3)
    assert taken.fee == pytest.approx(500_000_000, rel=1e-3)


def test_what_is_not_filled_at_once_of_an_ioc_leaves() -> None:
    room = Room("ann", "bob")
    room.new("ann", SELL, 0, 50)
    accepted, filled, canceled = room.new("bob", BUY, 5, 80, force=IOC)
    assert (accepted.rests, accepted.filled, filled.quantity) == (False, 50, 50)
    assert (canceled.cause, canceled.filled, room.queue(BUY)) == (Cause.TIME_IN_FORCE, 50, [])
    accepted, canceled = room.new("bob", BUY, 5, 80, force=IOC)
    assert (accepted.filled, canceled.filled, room.last.told) == (0, 0, [])


def test_fok_is_all_or_nothing() -> None:
    room = Room("ann", "bob")
    room.new("ann", SELL, 0, 50)
    room.new("ann", SELL, 1, 50)
    accepted, canceled = room.new("bob", BUY, 1, 110, force=FOK)
    assert (accepted.rests, canceled.cause, canceled.filled) == (False, Cause.TIME_IN_FORCE, 0)
    assert room.queue(SELL) == [("ann", 50), ("ann", 50)]
    assert kinds(room.new("bob", BUY, 1, 100, force=FOK)) == ["Accepted", "Filled", "Filled"]


def test_an_order_at_the_market_goes_as_far_as_the_band_and_never_rests() -> None:
    room = Room("ann", "bob")
    room.new("ann", SELL, 100, 50)
    accepted, filled, canceled = room.new("bob", BUY, None, 80)
    assert (filled.price, filled.quantity, canceled.cause) == (room.mark + 100 * HALF, 50, Cause.TIME_IN_FORCE)
    assert accepted.price == room.mark * 11 // 10 // HALF * HALF
    assert kinds(room.new("bob", SELL, None, 10)) == ["Accepted", "Canceled"]


def test_post_only_moves_and_post_only_reject_refuses() -> None:
    room = Room("ann", "bob")
    room.new("ann", SELL, 2, 50)
    (accepted,) = room.new("bob", BUY, 7, 80, Flag.POST_ONLY)
    assert (accepted.price, accepted.rests) == (room.mark + HALF, True)
    assert why(room.new("bob", BUY, 7, 80, Flag.POST_ONLY_REJECT)) == (Cause.POST_ONLY, "post_only_reject")
    assert kinds(room.new("bob", BUY, 1, 80, Flag.POST_ONLY_REJECT)) == ["Accepted"]
    assert why(room.new("bob", BUY, 1, 80, Flag.POST_ONLY, IOC)) == (Cause.POST_ONLY, "post_only_never_rests")


def test_reduce_only_is_cut_to_the_position_and_follows_it() -> None:
    room = Room("ann", "bob")
    assert why(room.new("ann", SELL, 1, 10, Flag.REDUCE_ONLY)) == (Cause.LIMIT, "reduce_only")
    room.new("bob", SELL, 0, 100)
    room.new("ann", BUY, 0, 100)
    (accepted,) = room.new("ann", SELL, 3, 500, Flag.REDUCE_ONLY)
    assert accepted.quantity == 100
    assert why(room.new("ann", SELL, 4, 10, Flag.REDUCE_ONLY)) == (Cause.LIMIT, "reduce_only")
    # An ordinary sale reduces the position: the reduce-only order shrinks with it, then leaves.
    room.new("bob", BUY, 0, 100)
    (amended,) = [one for one in room.new("ann", SELL, 0, 70) if isinstance(one, Amended)]
    assert (amended.client_id, amended.quantity) == (accepted.client_id, 30)
    (canceled,) = [one for one in room.new("ann", SELL, 0, 30) if isinstance(one, Canceled)]
    assert (canceled.venue_reason, room.held("ann"), room.queue(SELL)) == ("reduce_only", 0, [])


def test_a_reduce_only_order_does_not_turn_a_position_within_one_match() -> None:
    room = Room("ann", "bob")
    room.new("bob", SELL, 0, 100)
    room.new("ann", BUY, 0, 100)
    room.new("ann", SELL, 1, 60)
    room.new("ann", SELL, 2, 100, Flag.REDUCE_ONLY)
    reports = room.new("bob", BUY, 2, 200)
    assert sum(one.quantity for one in reports if isinstance(one, Filled)) == 100
    assert room.held("ann") == 0
    assert room.queue(BUY) == [("bob", 100)]


def test_less_quantity_keeps_its_place_and_more_or_another_price_does_not() -> None:
    room = Room("ann", "bob", "cid")
    for account in ("ann", "bob", "cid"):
        room.new(account, BUY, 0, 100)
    (amended,) = room.amend("ann", 1, 0, 60)
    assert (amended.quantity, amended.rests, room.queue(BUY)[0]) == (60, True, ("ann", 60))
    room.amend("ann", 1, 0, 90)
    assert room.queue(BUY) == [("bob", 100), ("cid", 100), ("ann", 90)]
    room.amend("bob", 2, -1, 100)
    assert room.queue(BUY) == [("cid", 100), ("ann", 90), ("bob", 100)]
    order_id = amended.order_id
    (amended,) = room.amend("ann", 1, 1, 90)
    assert (amended.order_id, room.queue(BUY)[0]) == (order_id, ("ann", 90))


def test_an_amend_counts_what_was_filled_and_may_take() -> None:
    room = Room("ann", "bob")
    room.new("ann", BUY, 0, 100)
    room.new("bob", SELL, 0, 30)
    (amended,) = room.amend("ann", 1, 0, 80)
    assert (amended.quantity, amended.filled, room.queue(BUY)) == (80, 30, [("ann", 50)])
    assert why(room.amend("ann", 1, 0, 30)) == (Cause.QUANTITY, "already_filled")
    room.new("bob", SELL, 3, 20)
    amended, filled = room.amend("ann", 1, 3, 80)
    assert (amended.filled, filled.quantity, filled.maker, room.queue(BUY)) == (50, 20, False, [("ann", 30)])
    assert kinds(room.new("bob", SELL, 3, 30)) == ["Accepted", "Filled"]
    assert why(room.amend("ann", 1, 0, 90)) == (Cause.NOT_FOUND, "order_not_found")


def test_an_amend_says_anew_whether_the_order_is_post_only() -> None:
    room = Room("ann", "bob")
    room.new("bob", SELL, 2, 10)
    room.new("ann", BUY, 0, 10, Flag.POST_ONLY)
    (amended,) = room.amend("ann", 2, 5, 20, Flag.POST_ONLY)
    assert (amended.price, amended.rests) == (room.mark + HALF, True)
    assert why(room.amend("ann", 2, 5, 20, Flag.POST_ONLY_REJECT)) == (Cause.POST_ONLY, "post_only_reject")
    assert kinds(room.amend("ann", 2, 5, 20)) == ["Amended", "Filled"]


def test_cancel_and_cancel_all() -> None:
    room = Room("ann", "bob")
    for side, steps in ((BUY, -1), (BUY, -2), (SELL, 4)):
        room.new("ann", side, steps, 50)
    room.new("bob", BUY, -1, 50)
    (canceled,) = room.cancel("ann", 1)
    assert (canceled.cause, canceled.filled) == (Cause.REQUESTED, 0)
    (refused,) = room.cancel("ann", 1)
    assert (refused.ask, refused.cause) == (Ask.CANCEL, Cause.NOT_FOUND)
    assert why(room.cancel("bob", 2)) == (Cause.NOT_FOUND, "order_not_found")
    *gone, done = room.mine("ann", room.exchange.cancel_all("ann", CancelAll(77, None, SELL), room.now))
    assert [one.client_id for one in gone] == [3]
    assert isinstance(done, AllCanceled)
    assert (done.client_id, done.count) == (77, 1)
    assert room.mine("ann", room.exchange.cancel_all("ann", CancelAll(78), room.now))[-1].count == 1
    assert room.queue(BUY) == [("bob", 50)]


@pytest.mark.parametrize(
    ("mode", "left", "rests"),
    [
        (SelfMatch.CANCEL_MAKER, [("ann", 50), ("bob", 30)], True),
        (SelfMatch.CANCEL_TAKER, [("ann", 20), ("bob", 30)], False),
        (SelfMatch.CANCEL_BOTH, [("bob", 30)], False),
    ],
)
def test_nobody_trades_with_himself(mode: SelfMatch, left: list[tuple[str, int]], rests: bool) -> None:
    room = Room("ann", "bob", ann=Permit(self_match=mode))
    room.new("bob", SELL, 0, 10)
    room.new("ann", SELL, 1, 20)
    room.new("bob", SELL, 2, 30)
    accepted, filled, *ends = room.new("ann", BUY, 1, 60)
    assert (filled.quantity, accepted.filled, accepted.rests) == (10, 10, rests)
    assert {one.cause for one in ends} == {Cause.SELF_MATCH}
    assert room.queue(BUY) + room.queue(SELL) == left


def test_what_is_no_order_is_refused_with_a_name() -> None:
    room = Room("ann", "bob", ann=Permit(max_orders=2, max_positions={PERPETUAL: 100}))
    assert why(room.new("ann", BUY, 0, 5)) == (Cause.QUANTITY, "invalid_quantity")
    assert why(room.new("ann", BUY, 0, 10_000_010)) == (Cause.QUANTITY, "quantity_too_large")
    assert why(room.new("ann", BUY, 40_000, 10)) == (Cause.PRICE, "price_too_high")
    assert why(room.new("ann", SELL, -40_000, 10)) == (Cause.PRICE, "price_too_low")
    off = New(90, PERPETUAL, BUY, room.mark + 1, 10)
    assert why(room.mine("ann", room.exchange.new("ann", off, room.now))) == (Cause.PRICE, "invalid_price")
    missing = New(91, 5, BUY, 1, 10)
    assert why(room.mine("ann", room.exchange.new("ann", missing, room.now)))[0] == Cause.INSTRUMENT
    again = replace(missing, client_id=90)
    assert why(room.mine("ann", room.exchange.new("ann", again, room.now)))[0] == Cause.DUPLICATE
    assert why(room.new("ann", BUY, 0, 10, Flag.MMP)) == (Cause.PROTECTION, "mmp_group_not_found")
    assert kinds(room.new("ann", BUY, 0, 100)) == ["Accepted"]
    assert why(room.new("ann", BUY, -1, 10)) == (Cause.LIMIT, "position_limit")
    assert kinds(room.new("ann", SELL, 1, 100)) == ["Accepted"]
    assert why(room.new("ann", SELL, 9, 10)) == (Cause.LIMIT, "max_open_orders")
    room.exchange.halt(PERPETUAL, room.now, halted=True)
    assert why(room.new("bob", BUY, 0, 10)) == (Cause.STATE, "market_halted")
    room.exchange.halt(PERPETUAL, room.now, halted=False)
    assert kinds(room.new("bob", BUY, 0, 10)) == ["Accepted"]
    with pytest.raises(MisuseError, match="no account"):
        room.new("eve", BUY, 0, 10)


def test_margin_counts_what_rests_and_what_reduces_is_always_taken() -> None:
    room = Room("ann", "bob", coins=1)
    # A coin is 90,003 USD; 2 % of the notional: fifty times that much, and the order that is there counts.
    assert kinds(room.new("ann", BUY, 0, 4_000_000)) == ["Accepted"]
    assert why(room.new("ann", BUY, 0, 600_000)) == (Cause.MARGIN, "not_enough_margin")
    assert kinds(room.new("ann", SELL, 1, 4_000_000)) == ["Accepted"]
    room.new("bob", SELL, 0, 4_000_000)
    assert kinds(room.new("ann", SELL, 2, 300_000)) == ["Accepted"]


def test_requests_beyond_the_rate_are_refused_but_a_list_never() -> None:
    room = Room("ann", ann=Permit(rate=10.0, burst=2))
    room.new("ann", BUY, 0, 10)
    room.new("ann", BUY, 0, 10)
    assert why(room.new("ann", BUY, 0, 10)) == (Cause.RATE, "too_many_requests")
    assert why(room.cancel("ann", 1))[0] == Cause.RATE
    (listed,) = room.mine("ann", room.exchange.list("ann", List(9), room.now, gateway=1))
    assert isinstance(listed, Listed)
    assert ([one.client_id for one in listed.orders], listed.session) == ([1, 2], 1)
    room.wait(100_000_000)
    assert kinds(room.cancel("ann", 1)) == ["Canceled"]


def test_a_speed_bump_holds_what_would_take_and_nothing_else() -> None:
    room = Room("ann", "bob", "cid", bump_ns=1_000)
    room.new("ann", SELL, 0, 50)
    (accepted,) = room.new("bob", BUY, 0, 80)
    assert (accepted.rests, accepted.filled, room.queue(BUY), room.exchange.deadline) == (True, 0, [], room.now + 1_000)
    assert why(room.amend("bob", accepted.client_id, 0, 50)) == (Cause.STATE, "order_in_speed_bump")
    # What rests is placed at once; behind it in time, but in front of it in the queue when that comes.
    assert kinds(room.new("cid", BUY, -1, 10)) == ["Accepted"]
    assert room.wait(999) == []
    assert [(name, type(one).__name__) for name, one in room.wait(1)] == [("ann", "Filled"), ("bob", "Filled")]
    assert room.queue(BUY) == [("bob", 30), ("cid", 10)]


def test_an_order_can_be_cancelled_in_the_speed_bump_and_an_amend_waits_there_too() -> None:
    room = Room("ann", "bob", bump_ns=1_000)
    room.new("ann", SELL, 0, 50)
    room.new("bob", BUY, 0, 80)
    assert kinds(room.cancel("bob", 2)) == ["Canceled"]
    assert room.wait(2_000) == []
    room.new("bob", BUY, -5, 80)
    assert room.amend("bob", 3, 0, 80) == []
    assert [type(one).__name__ for name, one in room.wait(1_000) if name == "bob"] == ["Amended", "Filled"]
    room.new("ann", SELL, 1, 50)
    assert room.amend("bob", 3, 1, 80) == []
    room.cancel("bob", 3)
    ((name, refused),) = room.wait(1_000)
    assert (name, why([refused])[0]) == ("bob", Cause.NOT_FOUND)


def test_a_disconnect_cancels_what_came_by_that_gateway_but_for_keep() -> None:
    room = Room("ann")
    room.new("ann", BUY, -1, 10, gateway=0)
    room.new("ann", BUY, -2, 10, gateway=1)
    room.new("ann", BUY, -3, 10, Flag.KEEP, gateway=0)
    (canceled,) = room.mine("ann", room.exchange.disconnect("ann", 0, room.now))
    assert (canceled.client_id, canceled.cause) == (1, Cause.DISCONNECTED)
    assert [one.client_id for one in room.exchange.listed("ann").orders] == [2, 3]


def test_a_position_is_listed_with_what_it_cost_on_average() -> None:
    room = Room("ann", "bob")
    room.new("bob", SELL, 0, 100)
    room.new("bob", SELL, 200, 100)
    room.new("ann", BUY, 200, 200)
    (position,) = room.exchange.listed("ann").positions
    assert position.quantity == 200
    assert position.average_price == pytest.approx(room.mark + 100 * HALF, rel=1e-6)
    room.new("ann", SELL, 0, 200)
    room.new("bob", BUY, 0, 200)
    assert room.exchange.listed("ann").positions == ()


def test_the_log_is_bounded_and_the_audit_finds_what_must_not_be() -> None:
    room = Room("ann", "bob")
    room.new("ann", BUY, 0, 100)
    room.new("bob", SELL, 0, 100)
    steps = list(room.exchange.log.steps)
    assert audit(steps) == []
    assert any("told 4 times" in one for one in audit([*steps, steps[-1]]))
    halved = Step(*steps[-1][:4], steps[-1].deliveries[1:2], ())
    assert any("told 1 times" in one for one in audit([halved]))
    other = replace(steps[0].deliveries[0].report, client_id=99)
    twice = steps[0]._replace(deliveries=(steps[0].deliveries[0]._replace(report=other),))
    assert any("order 7000001" in one for one in audit([steps[0], twice]))
    log = Log(1)
    log.write("ann", 0, "one", room.last)
    log.write("ann", 0, "two", room.last)
    assert [step.what for step in log.steps] == ["two"]
