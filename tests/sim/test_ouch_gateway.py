"""OUCH over SoupBinTCP leads to the same exchange: what is sent is in its books, and no number is ever missing."""

from typing import Any

import pytest

from netfeed.book.execution import (
    Accepted,
    Amend,
    Amended,
    Cancel,
    CancelAll,
    Canceled,
    Cause,
    Down,
    Filled,
    New,
    Rejected,
    TimeInForce,
    Up,
)  # fmt: skip
from netfeed.proto.ouch_past import Past
from netfeed.sim.exchange_check import check
from netfeed.sim.ouch_gateway import PASSWORD
from netfeed.sim.venue_events import Disconnected
from tests.sim.exchange_room import BUY, PERPETUAL, SELL
from tests.sim.order_sessions import MS, SECRET, USD, Sessions

DAY, IOC = TimeInForce.DAY, TimeInForce.IOC


def far(client_id: int, quantity: int = 10) -> New:
    return New(client_id, PERPETUAL, BUY, 85_000 * USD, quantity, DAY)


def kinds(told: list[Any]) -> list[str]:
    return [type(one).__name__ for one in told]


def resting(world: Sessions) -> list[tuple[Any, ...]]:
    return [(one.client_id, one.price, one.quantity) for one in world.exchange.listed("mm").orders]


def test_an_order_lives_as_over_any_other_wire() -> None:
    world = Sessions()
    port = world.log_on("OUCH")
    assert world.told[port] == [Up(port)]
    (accepted,) = world.send(port, far(7))
    assert isinstance(accepted, Accepted)
    assert resting(world) == [(7, 85_000 * USD, 10)]
    (amended,) = world.send(port, Amend(7, PERPETUAL, 85_100 * USD, 30))
    assert isinstance(amended, Amended)
    assert resting(world) == [(7, 85_100 * USD, 30)]
    (canceled,) = world.send(port, Cancel(7, PERPETUAL))
    assert isinstance(canceled, Canceled)
    assert canceled.cause is Cause.REQUESTED
    assert resting(world) == []
    assert check(world.exchange.trading) == []


def test_fills_are_told_with_their_match_and_are_in_the_ledger() -> None:
    world = Sessions()
    port = world.log_on("OUCH")
    best = world.exchange.trading.markets[PERPETUAL].best(SELL)
    assert best is not None
    told = world.send(port, New(1, PERPETUAL, BUY, best, 10, IOC))
    assert kinds(told) == ["Accepted", "Filled"]
    fill = told[1]
    assert isinstance(fill, Filled)
    step = world.exchange.log.steps[-1]
    assert fill.match_id in [one.report.match_id for one in step.deliveries if isinstance(one.report, Filled)]
    assert fill.ts_event_ns == step.at_ns
    assert world.exchange.trading.position("mm", PERPETUAL) == 10


def test_both_wires_of_an_account_see_one_book_and_each_its_own_orders() -> None:
    world = Sessions()
    ouch, starbase = world.log_on("OUCH"), world.log_on("A")
    world.send(ouch, far(1))
    world.send(starbase, far(2))
    assert [one[0] for one in resting(world)] == [1, 2]
    assert [one.client_id for one in world.told[ouch] if isinstance(one, Accepted)] == [1]
    assert [one.client_id for one in world.told[starbase] if isinstance(one, Accepted)] == [2]


def test_what_the_exchange_refuses_is_refused_in_words_of_ouch() -> None:
    world = Sessions()
    port = world.log_on("OUCH")
    (wrong,) = world.send(port, New(1, PERPETUAL, BUY, 85_000 * USD, 15, DAY))
    assert isinstance(wrong, Rejected)
    assert wrong.cause is Cause.QUANTITY
    (high,) = world.send(port, New(2, PERPETUAL, BUY, 150_000 * USD, 10, DAY))
    assert isinstance(high, Rejected)
    assert high.cause is Cause.PRICE


def test_orders_leave_with_the_connection_and_the_next_one_is_told() -> None:
    world = Sessions()
    past = Past()
    port = world.log_on("OUCH", past=past)
    world.send(port, far(1))
    world.leave(port)
    assert resting(world) == []
    again = world.log_on("OUCH", past=past)
    assert kinds(world.told[again]) == ["Canceled", "Up"]


def test_a_wrong_secret_is_sent_away_and_a_second_connection_too() -> None:
    world = Sessions()
    port = world.connect("OUCH")
    assert port is not None
    client: Any = world.clients[port]
    client.login("mm", "wrong", world.now)
    world.pump()
    assert isinstance(world.told[port][-1], Down)
    assert world.over == [port]
    first = world.log_on("OUCH")
    second = world.log_on("OUCH")
    assert (kinds(world.told[first]), kinds(world.told[second])) == (["Up"], ["Down"])


def test_a_report_that_is_lost_ends_its_connection_and_comes_with_the_next() -> None:
    world = Sessions()
    past = Past()
    port = world.log_on("OUCH", past=past)
    world.tell("orders OUCH lost 100%")
    assert kinds(world.send(port, far(1))) == ["Down"]
    world.tell("orders OUCH ok")
    again = world.log_on("OUCH", past=past)
    assert kinds(world.told[again]) == ["Accepted", "Canceled", "Up"]
    assert resting(world) == []


def test_it_dies_between_an_order_and_its_answer() -> None:
    world = Sessions()
    past = Past()
    port = world.log_on("OUCH", past=past)
    world.tell("orders OUCH kill after 1")
    assert kinds(world.send(port, far(1))) == ["Down"]
    assert world.connect("OUCH") is None
    world.tell("orders OUCH revive")
    again = world.log_on("OUCH", past=past)
    assert kinds(world.told[again]) == ["Accepted", "Canceled", "Up"]


def test_one_that_has_forgotten_is_another_session() -> None:
    world = Sessions()
    past = Past()
    world.send(world.log_on("OUCH", past=past), far(1))
    world.tell("orders OUCH kill forget")
    world.tell("orders OUCH revive")
    old = world.log_on("OUCH", past=past)
    assert kinds(world.told[old]) == ["Down"]
    again = world.log_on("OUCH", past=Past())
    assert kinds(world.told[again]) == ["Up"]
    for number in (2, 3, 4):
        world.send(again, far(number))
    world.leave(again)
    old = world.log_on("OUCH", past=past)
    assert kinds(world.told[old]) == ["Down"]


def test_storms_and_delays_are_those_of_any_gateway() -> None:
    world = Sessions()
    port = world.log_on("OUCH")
    world.tell("orders OUCH refuse 100% for 5ms")
    (refused,) = world.send(port, far(1))
    assert isinstance(refused, Rejected)
    assert refused.cause is Cause.RATE
    world.run(6 * MS)
    world.tell("orders OUCH delay 3ms")
    assert world.send(port, far(2)) == []
    assert [one[0] for one in resting(world)] == [2]
    world.run(4 * MS)
    assert isinstance(world.told[port][-1], Accepted)


def test_all_are_cancelled_one_by_one() -> None:
    world = Sessions()
    port = world.log_on("OUCH")
    for number in (1, 2, 3):
        world.send(port, far(number))
    told = world.send(port, CancelAll(9))
    assert kinds(told) == ["Canceled"] * 3 + ["AllCanceled"]
    assert resting(world) == []


@pytest.mark.parametrize("behind", [b"\x00\x00", b"\x00\x01O", b"\x00\x01?", b"\xff" * 64])
def test_nonsense_behind_a_login_ends_that_connection_and_no_other(behind: bytes) -> None:
    world = Sessions()
    other = world.log_on("A")
    port = world.connect("OUCH")
    assert port is not None
    client: Any = world.clients.pop(port)
    client.login("mm", SECRET[:PASSWORD], world.now)
    told = world.wired.receive(b"".join(client.transmit()) + behind, world.now, port)
    told = [*told, *world.wired.wake(world.now)]
    assert [one.port for one in told if isinstance(one, Disconnected)] == [port]
    assert kinds(world.send(other, far(3))) == ["Accepted"]
