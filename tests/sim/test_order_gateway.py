"""Order gateways in words: what they lose has happened all the same, and what the exchange says is the truth."""

import pytest

from netfeed.book.execution import (
    Accepted,
    Cancel,
    CancelAll,
    Canceled,
    Cause,
    Down,
    Filled,
    Flag,
    List,
    Listed,
    New,
    Rejected,
    Report,
    Up,
)  # fmt: skip
from netfeed.errors import MisuseError
from netfeed.machine import NEVER
from netfeed.sim.exchange_check import check
from netfeed.sim.faults import RATE
from netfeed.sim.order_faults import Judge, OrderFaults
from netfeed.sim.order_gateway import OrderGateway
from netfeed.sim.switchboard import Switchboard
from tests.sim.exchange_room import BUY, HALF, PERPETUAL, SELL, START_NS, Room


class Desk:
    """One exchange, gateways A and B, and time that begins at 0."""

    def __init__(self, *accounts: str, seed: int = 1) -> None:
        self.room = Room(*accounts)
        self.board = Switchboard(self.room.exchange, START_NS)
        self.a, self.b = (OrderGateway(self.board, number, seed=seed + number) for number in (0, 1))
        self.next = 0

    def new(
        self, gateway: OrderGateway, account: str, side: int, steps: int, quantity: int = 10, **more: object
    ) -> int:
        self.next += 1
        price = self.room.mark + steps * HALF
        gateway.request(account, New(self.next, PERPETUAL, side, price, quantity, **more), 0)  # type: ignore[arg-type]
        return self.next

    def resting(self, account: str) -> list[int | None]:
        return [order.client_id for order in self.room.exchange.listed(account).orders]


def kinds(reports: list[Report]) -> list[type[Report]]:
    return [type(one) for one in reports]


def test_a_session_is_up_asks_and_is_answered() -> None:
    desk = Desk("mm")
    with pytest.raises(MisuseError, match="no session"):
        desk.new(desk.a, "mm", BUY, -1)
    desk.a.open("mm", 7, 0)
    with pytest.raises(MisuseError, match="has a session"):
        desk.a.open("mm", 8, 0)
    desk.new(desk.a, "mm", BUY, -1)
    desk.a.request("mm", List(99), 5)
    assert desk.a.deadline == 0
    up, accepted, listed = desk.a.take("mm", 5)
    assert (up, type(accepted)) == (Up(7), Accepted)
    assert isinstance(listed, Listed)
    assert (listed.session, listed.ts_event_ns, len(listed.orders)) == (7, START_NS + 5, 1)
    assert desk.a.deadline == NEVER


def test_a_fill_comes_by_the_gateway_of_the_order_whatever_took_it() -> None:
    desk = Desk("mm", "bob")
    desk.a.open("mm", 1, 0)
    desk.b.open("mm", 2, 0)
    desk.b.open("bob", 3, 0)
    by_a, by_b = desk.new(desk.a, "mm", BUY, 0), desk.new(desk.b, "mm", BUY, 0)
    desk.new(desk.b, "bob", SELL, 0, 20)
    for gateway, client_id in ((desk.a, by_a), (desk.b, by_b)):
        assert [one.client_id for one in gateway.take("mm", 0) if isinstance(one, Filled)] == [client_id]
    assert kinds(desk.b.take("bob", 0)) == [Up, Accepted, Filled, Filled]


def test_a_lost_answer_is_an_order_that_rests() -> None:
    desk = Desk("mm")
    desk.a.faults = OrderFaults(lost=RATE)
    desk.a.open("mm", 1, 0)
    client_id = desk.new(desk.a, "mm", BUY, -1)
    assert desk.a.take("mm", 10**12) == [Up(1)]
    assert (desk.resting("mm"), desk.a.counts["lost"]) == ([client_id], 1)
    desk.a.faults = OrderFaults()
    desk.a.request("mm", List(50), 0)
    (listed,) = desk.a.take("mm", 0)
    assert isinstance(listed, Listed)
    assert listed == desk.room.exchange.listed("mm", START_NS, 1)


def test_answers_come_late_in_order_and_twice() -> None:
    desk = Desk("mm")
    desk.a.open("mm", 1, 0)
    desk.a.faults = OrderFaults(delay_ns=1_000, jitter_ns=5_000, duplicate=RATE)
    sent = [desk.new(desk.a, "mm", BUY, -1) for _ in range(6)]
    assert desk.a.take("mm", 999) == [Up(1)]
    assert desk.a.deadline >= 1_000
    came = [one.client_id for one in desk.a.take("mm", 6_000) if isinstance(one, Accepted)]
    assert came == [client_id for client_id in sent for _ in range(2)]
    assert desk.a.counts["duplicated"] == 6


def test_a_storm_refuses_what_the_exchange_never_hears() -> None:
    desk = Desk("mm")
    desk.a.open("mm", 1, 0)
    desk.a.faults = OrderFaults(refuse=RATE)
    desk.new(desk.a, "mm", BUY, -1)
    desk.a.request("mm", CancelAll(60), 0)
    _, first, second = desk.a.take("mm", 0)
    assert isinstance(first, Rejected)
    assert isinstance(second, Rejected)
    assert (first.cause, second.client_id, desk.resting("mm")) == (Cause.RATE, 60, [])
    assert not desk.room.exchange.log.steps


def test_a_gateway_that_dies_between_order_and_answer_leaves_what_it_has_done() -> None:
    desk = Desk("mm", "bob")
    for gateway in (desk.a, desk.b):
        gateway.open("bob", 1, 0)
        gateway.open("mm", 2, 0)
    kept = desk.new(desk.a, "bob", BUY, 0, 30, flags=Flag.KEEP)
    gone = desk.new(desk.a, "bob", BUY, -1)
    desk.a.take("bob", 0)
    desk.a.kill_after(1)
    desk.new(desk.a, "mm", SELL, 0)
    # The match has happened; neither side was told of it by this gateway, and the connection's orders left.
    assert kinds(desk.a.take("mm", 0)) == [Up, Down]
    (down,) = desk.a.take("bob", 0)
    assert down == Down(1, "the gateway died", True)
    assert (desk.room.held("mm"), desk.room.held("bob"), desk.resting("bob")) == (-10, 10, [kept])
    assert desk.a.counts["missed"] == 4
    with pytest.raises(MisuseError, match="is dead"):
        desk.a.open("mm", 3, 0)
    # The other gateway is there, and knows nothing of it.
    desk.b.request("bob", Cancel(kept, PERPETUAL), 0)
    assert desk.a.take("bob", 0) == []
    assert gone not in desk.resting("bob")
    desk.a.revive()
    desk.a.open("mm", 3, 9)
    assert desk.a.take("mm", 9) == [Up(3)]
    assert check(desk.room.exchange.trading) == []


def test_what_is_on_its_way_when_a_session_ends_is_lost() -> None:
    desk = Desk("mm")
    desk.a.open("mm", 1, 0, cancels=False)
    desk.a.faults = OrderFaults(delay_ns=1_000)
    client_id = desk.new(desk.a, "mm", BUY, -1)
    desk.a.close("mm", 500)
    desk.a.close("mm", 501)
    assert kinds(desk.a.take("mm", 10_000)) == [Up, Down]
    assert (desk.a.counts["lost"], desk.resting("mm")) == (1, [client_id])


def test_orders_leave_with_the_session_when_it_asked_for_that() -> None:
    desk = Desk("mm")
    desk.a.open("mm", 1, 0)
    desk.new(desk.a, "mm", BUY, -1)
    desk.a.close("mm", 0)
    assert desk.resting("mm") == []
    last = desk.room.exchange.log.steps[-1].deliveries[0].report
    assert isinstance(last, Canceled)
    assert last.cause == Cause.DISCONNECTED


def test_one_number_is_one_gateway_and_faults_are_rates() -> None:
    desk = Desk("mm")
    with pytest.raises(MisuseError, match="gateway 0"):
        OrderGateway(desk.board, 0)
    with pytest.raises(MisuseError, match="rate"):
        OrderFaults(lost=RATE + 1)
    with pytest.raises(MisuseError, match="negative"):
        OrderFaults(delay_ns=-1)
    with pytest.raises(MisuseError, match="one request"):
        desk.a.kill_after(0)


def test_more_faults_lose_at_least_what_fewer_lose() -> None:
    few, many = Judge(3), Judge(3)
    fates = [(few.judge(OrderFaults(lost=RATE // 10)), many.judge(OrderFaults(lost=RATE // 2))) for _ in range(200)]
    assert all(more.copies == 0 for less, more in fates if less.copies == 0)
    assert 5 < sum(less.copies == 0 for less, _ in fates) < 40 < sum(more.copies == 0 for _, more in fates)


@pytest.mark.parametrize("seed", range(4))
def test_whatever_a_gateway_does_the_client_finds_the_truth_by_asking(seed: int) -> None:
    desk = Desk("mm", "bob", seed=seed)
    desk.a.open("mm", 1, 0)
    desk.b.open("bob", 2, 0)
    desk.a.faults = OrderFaults(lost=RATE // 5, duplicate=RATE // 5, refuse=RATE // 5)
    for step in range(60):
        side = BUY if step % 2 else SELL
        desk.new(desk.a, "mm", side, -1 if side == BUY else 1)
        if step % 7 == 0:
            desk.new(desk.b, "bob", side, 1 if side == BUY else -1, 30)
        if step == 40:
            desk.a.kill(0)
            desk.a.revive()
            desk.a.open("mm", 3, 0)
    assert check(desk.room.exchange.trading) == []
    reports = desk.a.take("mm", 0)
    matches = {(one.match_id, one.side): one for one in reports if isinstance(one, Filled)}
    known = sum(one.quantity if one.side == BUY else -one.quantity for one in matches.values())
    desk.a.faults = OrderFaults()
    desk.a.request("mm", List(900), 0)
    (listed,) = desk.a.take("mm", 0)
    assert listed == desk.room.exchange.listed("mm", START_NS, 3)
    assert isinstance(listed, Listed)
    held = sum(one.quantity for one in listed.positions)
    assert held == desk.room.held("mm")
    assert abs(known - held) <= 10 * desk.a.counts["lost"]
    assert desk.a.counts["lost"] > 0
