"""Liquidation, settlement and expiry at the simulated exchange."""

from netfeed.book.execution import Canceled, Cause, Filled, Rejected
from netfeed.sim.ledger import FUND
from netfeed.sim.starbase_chain import EXPIRIES, NANO
from netfeed.sim.terms import MONEY
from netfeed.wire.starbase import InstrumentStatus, TemplateId, TradeFlags
from tests.sim.exchange_room import BUY, CALL, FUTURE, PERPETUAL, PUT, SELL, Room

USD = NANO


def cash(room: Room, name: str) -> float:
    return room.exchange.trading.ledger.accounts[name].cash["BTC"] / MONEY


def leveraged(*others: str) -> Room:
    """Give a room where ann holds forty times her one coin, bought of bob, who has plenty."""
    room = Room("bob", *others)
    room.exchange.join("ann", None, MONEY)
    room.new("bob", SELL, 0, 3_600_000)
    room.new("ann", BUY, 0, 3_600_000)
    return room


def test_who_cannot_keep_what_he_holds_is_liquidated_against_the_book() -> None:
    room = leveraged("cid")
    room.new("ann", BUY, -10, 10)
    room.new("cid", BUY, -5_000, 5_000_000)
    did = room.did(room.exchange.move(room.exchange.trading.index - 1_000 * USD, room.now))
    assert did == []
    did = room.did(room.exchange.move(room.exchange.trading.index - 900 * USD, room.now))
    fills = {name: one for name, one in did if isinstance(one, Filled)}
    assert (fills["ann"].client_id, fills["ann"].side, fills["ann"].maker) == (0, SELL, False)
    assert (fills["cid"].maker, room.held("ann"), room.held("cid")) == (True, 0, 3_600_000)
    summaries = [fields for template, fields in room.last.told if template == TemplateId.TRADE_SUMMARY]
    assert summaries[0]["takerFlags"] == TradeFlags.IS_LIQUIDATION | TradeFlags.IS_SELL


def test_orders_of_who_is_liquidated_leave_first() -> None:
    room = leveraged()
    room.new("ann", BUY, -3_000, 10)
    did = room.did(room.exchange.move(room.exchange.trading.index - 1_600 * USD, room.now))
    canceled = [one for _, one in did if isinstance(one, Canceled)]
    assert canceled[0].cause == Cause.LIQUIDATION
    # Nobody buys: what ann holds stays, and is tried again.
    assert room.held("ann") == 3_600_000


def test_what_nobody_took_is_tried_again_and_the_fund_pays_the_rest() -> None:
    room = leveraged("cid")
    room.did(room.exchange.move(room.exchange.trading.index - 4_000 * USD, room.now))
    assert room.held("ann") == 3_600_000
    room.new("cid", BUY, -100, 3_600_000)
    room.did(room.exchange.move(room.exchange.trading.index - USD, room.now))
    assert room.held("ann") == 0
    assert cash(room, "ann") == 0
    assert -1.5 < cash(room, FUND) < -0.5


def test_who_can_keep_it_keeps_it() -> None:
    room = leveraged()
    assert room.did(room.exchange.move(room.exchange.trading.index - 900 * USD, room.now)) == []
    assert room.held("ann") == 3_600_000


def test_a_settlement_pays_and_leaves_positions_alone() -> None:
    room = Room("ann", "bob")
    room.new("bob", SELL, 0, 90_000)
    room.new("ann", BUY, 0, 90_000)
    room.did(room.exchange.move(room.exchange.trading.index + 9_000 * USD, room.now))
    assert cash(room, "ann") == 1_000
    room.did(room.exchange.settle(room.now))
    assert 0.09 < cash(room, "ann") - 1_000 < 0.091
    assert (room.held("ann"), room.exchange.listed("ann").positions[0].average_price) == (90_000, room.mark)


def test_an_expiry_ends_orders_pays_and_is_told() -> None:
    room = Room("ann", "bob")
    for instrument in (FUTURE, CALL, PUT):
        room.new("bob", SELL, 0, 10, instrument=instrument)
        room.new("ann", BUY, 0, 10, instrument=instrument)
        room.new("ann", BUY, -5, 10, instrument=instrument)
    room.new("ann", BUY, -5, 10)
    room.did(room.exchange.move(99_000 * USD, room.now))
    paid = cash(room, "ann")
    assert room.exchange.deadline == EXPIRIES[0][1]
    did = room.wait(EXPIRIES[0][1] - room.now)
    assert {one.cause for _, one in did if isinstance(one, Canceled)} == {Cause.VENUE}
    assert [one.instrument for _, one in did] == [FUTURE, CALL, PUT]
    status = {fields["instrumentId"]: fields["tradingStatus"] for template, fields in room.last.told
              if template == TemplateId.INSTRUMENT_STATUS_UPDATE}  # fmt: skip
    assert status[CALL] == status[PUT] == status[FUTURE] == InstrumentStatus.DELIVERED
    assert PERPETUAL not in status
    assert room.exchange.listed("ann").positions == ()
    # The call of 90,000 pays 9,000 / 99,000 a coin; ten lots of the future next to nothing.
    assert 0.0909 < cash(room, "ann") - paid < 0.0910
    (refused,) = room.new("ann", BUY, 0, 10, instrument=CALL)
    assert isinstance(refused, Rejected)
    assert (refused.cause, refused.venue_reason) == (Cause.INSTRUMENT, "instrument_expired")
    assert room.exchange.deadline > EXPIRIES[1][1]
