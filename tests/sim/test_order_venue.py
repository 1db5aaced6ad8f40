"""A venue of it all: orders over the wire, and books on the feed that show them."""

from collections.abc import Iterator
from typing import Any

import pytest

from netfeed.book.execution import Accepted, Cancel, Canceled, Filled, Flag, New, Up
from netfeed.machine import NEVER
from netfeed.proto.starbase_orders import Client
from netfeed.sim.exchange_check import check
from netfeed.sim.exchange_log import audit
from netfeed.sim.exchange_trading import Permit
from netfeed.sim.order_venue import ORDERS_A, ORDERS_B, order_venue
from netfeed.sim.session_gateway import Key
from netfeed.sim.starbase_gateway import listed
from netfeed.sim.terms import MONEY
from netfeed.sim.venue import Settings
from netfeed.sim.venue_events import Answered
from netfeed.wire import starbase
from tests.sim import starbase_reader as reader
from tests.sim.exchange_room import BUY, PERPETUAL, SELL

MS = 1_000_000
LINE_A = 0


class World:
    """A venue with one client on gateway A, the time, and the orders as the feed tells them."""

    def __init__(self, seed: int = 7, *, rate: int = 2_000, bump_ns: int = 0) -> None:
        settings = Settings(seed=seed, rate=rate, instruments=6)
        self.venue = order_venue(settings, [Key("mm", "secret")], bump_ns=bump_ns)
        self.venue.exchange.join("mm", Permit(), 1_000 * MONEY)
        self.client = Client(1, listed(self.venue.exchange), 0, epoch_ns=settings.wall_ns)
        self.orders: reader.Orders = {}
        self.told: list[Any] = []
        self.packets: list[bytes] = []
        self.now = 0

    def run(self, ns: int) -> "World":
        until = self.now + ns
        while (due := self.venue.deadline) <= until:
            self.now = max(self.now, due)
            self.venue.wake(self.now)
            self.pump()
        self.now = until
        return self

    def pump(self) -> None:
        for data in self.client.transmit():
            self.venue.receive(data, self.now, ORDERS_A)
        for data in self.venue.transmit(ORDERS_A):
            self.told += self.client.receive(data, self.now)
        for packet in self.venue.transmit(LINE_A):
            self.packets.append(packet)
            for message in messages(packet):
                reader.apply(self.orders, message)
        for port in range(1, 8):
            self.venue.transmit(port)

    def log_on(self) -> "World":
        assert self.venue.connect(ORDERS_A, self.now)
        self.client.logon("mm", "secret", self.now)
        self.pump()
        self.pump()
        assert self.told == [Up(1)]
        return self

    def send(self, request: Any) -> list[Any]:
        before = len(self.told)
        self.client.send(request, self.now)
        self.pump()
        self.pump()
        return self.told[before:]

    def truth(self) -> reader.Orders:
        return {
            order.id: (number, order.side, order.price, order.quantity, order.sort)
            for number, market in self.venue.exchange.trading.markets.items()
            for order in market.orders.values()
        }


def messages(packet: bytes) -> Iterator[bytes]:
    at = 24
    while at < len(packet):
        size = int.from_bytes(packet[at : at + 2], "little")
        yield packet[at : at + size]
        at += size


def test_an_order_of_ours_is_on_the_feed_at_once_and_leaves_it_when_it_is_cancelled() -> None:
    world = World().run(50 * MS).log_on()
    mark = world.venue.exchange.trading.marks[PERPETUAL]
    price = mark - mark % 500_000_000 - 100 * 500_000_000
    (accepted,) = world.send(New(1, PERPETUAL, BUY, price, 70))
    assert isinstance(accepted, Accepted)
    assert world.orders[accepted.order_id][:4] == (PERPETUAL, 0, price, 70)
    assert world.orders == world.truth()
    assert isinstance(world.send(Cancel(1, PERPETUAL))[0], Canceled)
    assert accepted.order_id not in world.orders


@pytest.mark.parametrize("bump_ns", [0, 2 * MS])
def test_the_books_on_the_feed_are_those_of_the_exchange_whatever_trades(bump_ns: int) -> None:
    world = World(bump_ns=bump_ns).run(20 * MS).log_on()
    for number in range(1, 60):
        best = world.venue.exchange.trading.markets[PERPETUAL].best(number % 2)
        assert best is not None
        world.send(New(number, PERPETUAL, BUY if number % 2 else SELL, best, 500))
        world.run(5 * MS)
    assert world.orders == world.truth()
    assert check(world.venue.exchange.trading) == []
    assert audit(world.venue.exchange.log.steps) == []
    assert [one for one in world.told if isinstance(one, Filled)]


def test_what_the_crowd_fills_is_told_to_the_client_without_asking() -> None:
    world = World(rate=4_000).run(20 * MS).log_on()
    of = world.venue.exchange.trading.markets[PERPETUAL]
    for number, side in ((1, BUY), (2, SELL)):
        best = of.best(1 - side)
        assert best is not None
        step = of.instrument.tick if side == SELL else -of.instrument.tick
        world.send(New(number, PERPETUAL, side, best + step, 10, flags=Flag.POST_ONLY))
    world.run(150 * MS)
    fills = [one for one in world.told if isinstance(one, Filled)]
    assert fills
    assert all(one.maker for one in fills)
    held = sum(one.quantity if one.side == BUY else -one.quantity for one in fills)
    assert held == world.venue.exchange.trading.position("mm", PERPETUAL)


def test_the_same_seed_and_the_same_requests_are_the_same_packets() -> None:
    sent = []
    for seed in (3, 3, 4):
        world = World(seed).run(20 * MS).log_on()
        world.send(New(1, PERPETUAL, BUY, 80_000 * 10**9 + 9_500 * 10**9, 10))
        sent.append(world.run(40 * MS).packets)
    assert sent[0] == sent[1] != sent[2]


def test_orders_that_rest_are_told_again_when_the_feed_comes_back() -> None:
    world = World().run(20 * MS).log_on()
    world.venue.restart(world.now, 30 * MS)
    world.orders.clear()
    mark = world.venue.exchange.trading.marks[PERPETUAL]
    (accepted,) = world.send(New(1, PERPETUAL, BUY, mark - mark % 500_000_000 - 500_000_000 * 40, 30))
    assert (accepted.rests, world.orders) == (True, {})
    world.run(60 * MS)
    assert accepted.order_id in world.orders
    assert world.orders == world.truth()


def test_lost_messages_of_the_feed_can_be_asked_for_as_of_any_venue() -> None:
    world = World().run(20 * MS)
    request = starbase.encode(starbase.TemplateId.RETRANSMIT_REQUEST, flags=3, beginSeqNum=3, messageCount=2)
    asked = starbase.encode_packet(9, [request], channel_id=3, type=0, sending_time=0)
    assert list(world.venue.receive(asked, world.now, 4)) == [Answered(4, 3, 2)]
    (answer,) = world.venue.transmit(4)
    assert int.from_bytes(answer[8:16], "little") == 3


def test_a_gateway_dies_and_its_orders_leave_the_feed_while_the_other_takes_clients() -> None:
    world = World(rate=1).run(MS).log_on()
    (accepted,) = world.send(New(1, PERPETUAL, BUY, 89_000 * 10**9, 30))
    world.venue.kill(0, world.now)
    world.pump()
    assert accepted.order_id not in world.orders
    assert not world.venue.connect(ORDERS_A + 1, world.now)
    assert world.venue.connect(ORDERS_B, world.now)
    world.venue.end(world.now, ORDERS_B)
    assert world.venue.deadline < NEVER
