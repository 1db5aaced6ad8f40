"""Order sessions through the wires of a venue, and what can be done to gateways in words."""

from typing import Any

import pytest

from netfeed.book.execution import Accepted, Cancel, Canceled, Cause, Down, Filled, New, Rejected, Up
from netfeed.errors import ConfigurationError
from netfeed.proto.starbase_past import ClientPast
from netfeed.sim.commands import command
from netfeed.sim.exchange_check import check
from netfeed.sim.exchange_log import audit
from netfeed.sim.order_commands import parse
from netfeed.sim.order_faults import OrderFaults
from netfeed.sim.venue import Settings, starbase_venue
from netfeed.sim.venue_ports import MAX_ORDER_CONNECTIONS
from netfeed.sim.wired_venue import WiredVenue
from tests.sim.exchange_room import BUY, PERPETUAL, SELL
from tests.sim.order_sessions import MS, USD, Sessions


def far(client_id: int, quantity: int = 10) -> New:
    return New(client_id, PERPETUAL, BUY, 85_000 * USD, quantity)


def kinds(told: list[Any]) -> list[str]:
    return [type(one).__name__ for one in told]


@pytest.mark.parametrize("gateway", ["A", "B"])
def test_an_order_goes_through_the_wires_and_comes_back(gateway: str) -> None:
    world = Sessions()
    port = world.log_on(gateway)
    assert world.told[port] == [Up(port)]
    (accepted,) = world.send(port, far(1))
    assert isinstance(accepted, Accepted)
    assert [one.client_id for one in world.exchange.listed("mm").orders] == [1]
    (canceled,) = world.send(port, Cancel(1, PERPETUAL))
    assert isinstance(canceled, Canceled)


def test_two_accounts_on_two_gateways_trade_with_each_other() -> None:
    world = Sessions("mm", "bob")
    one, two = world.log_on("A"), world.log_on("B", "bob")
    best = world.exchange.trading.markets[PERPETUAL].best(0)
    assert best is not None
    world.send(one, New(1, PERPETUAL, BUY, best + USD // 2, 50))
    sold = world.send(two, New(1, PERPETUAL, SELL, best + USD // 2, 20))
    assert kinds(sold) == ["Accepted", "Filled"]
    assert kinds(world.told[one]) == ["Up", "Accepted", "Filled"]
    assert check(world.exchange.trading) == []


def test_a_slow_wire_makes_both_ways_late() -> None:
    world = Sessions()
    port = world.log_on("A")
    world.tell("orders A slow 5ms")
    assert world.send(port, far(1)) == []
    world.run(4 * MS)
    assert world.exchange.listed("mm").orders == ()
    world.run(2 * MS)
    assert len(world.exchange.listed("mm").orders) == 1
    assert kinds(world.told[port]) == ["Up"]
    world.run(5 * MS)
    assert kinds(world.told[port]) == ["Up", "Accepted"]


def test_what_is_frozen_arrives_when_it_thaws() -> None:
    world = Sessions()
    port = world.log_on("A")
    world.tell("orders A frozen 20ms")
    assert world.send(port, far(1)) == []
    world.run(19 * MS)
    assert (world.exchange.listed("mm").orders, kinds(world.told[port])) == ((), ["Up"])
    world.run(2 * MS)
    assert kinds(world.told[port]) == ["Up", "Accepted"]
    world.tell("orders A frozen")
    world.send(port, Cancel(1, PERPETUAL))
    world.run(50 * MS)
    assert len(world.exchange.listed("mm").orders) == 1
    world.tell("orders A ok")
    assert kinds(world.told[port]) == ["Up", "Accepted", "Canceled"]


def test_what_was_on_its_way_comes_to_the_venue_though_its_sender_has_gone() -> None:
    world = Sessions()
    port = world.log_on("A", cancel_on_disconnect=False)
    world.tell("orders A slow 5ms")
    world.send(port, far(1))
    world.leave(port)
    assert [one.client_id for one in world.exchange.listed("mm").orders] == [1]
    assert world.open("A") == 0


def test_orders_leave_when_their_connection_does() -> None:
    world = Sessions()
    port = world.log_on("A")
    world.send(port, far(1))
    world.leave(port)
    assert world.exchange.listed("mm").orders == ()


def test_a_gateway_that_is_killed_ends_its_connections_and_turns_others_away() -> None:
    world = Sessions()
    port = world.log_on("A")
    world.send(port, far(1))
    world.tell("orders A kill")
    assert world.over == [port]
    assert isinstance(world.told[port][-1], Down)
    assert world.exchange.listed("mm").orders == ()
    assert world.connect("A") is None
    assert world.wired.taker()[1].turned_away == {"A dead": 1}
    assert world.told[world.log_on("B")]
    world.tell("orders A revive")
    assert world.told[world.log_on("A")]


def test_a_gateway_dies_between_an_order_and_its_answer_and_the_next_session_is_told() -> None:
    world = Sessions()
    past = ClientPast()
    port = world.log_on("A", past=past, cancel_on_disconnect=False)
    world.tell("orders A kill after 2")
    assert kinds(world.send(port, far(1))) == ["Accepted"]
    assert kinds(world.send(port, far(2))) == ["Down"]
    assert [one.client_id for one in world.exchange.listed("mm").orders] == [1, 2]
    world.tell("orders A revive")
    again = world.log_on("A", past=past)
    world.run(MS)
    assert sorted(kinds(world.told[again])) == ["Accepted", "Missing", "Up"]
    assert next(one for one in world.told[again] if isinstance(one, Accepted)).client_id == 2


def test_a_gateway_that_has_forgotten_refuses_old_numbers_and_takes_a_reset() -> None:
    world = Sessions()
    past = ClientPast()
    port = world.log_on("A", past=past, cancel_on_disconnect=False)
    world.send(port, far(1))
    world.tell("orders A kill forget")
    world.tell("orders A revive")
    again = world.log_on("A", past=past, reset=True)
    assert kinds(world.told[again]) == ["Up"]
    assert len(world.exchange.listed("mm").orders) == 1


def test_a_storm_of_rejects_passes() -> None:
    world = Sessions()
    port = world.log_on("A")
    world.tell("orders A refuse 100% for 10ms")
    (rejected,) = world.send(port, far(1))
    assert isinstance(rejected, Rejected)
    assert rejected.cause is Cause.RATE
    world.run(11 * MS)
    assert kinds(world.send(port, far(2))) == ["Accepted"]
    assert world.wired.taker()[0].order_gateways[0].counts["refused"] == 1


def test_lost_and_repeated_answers_are_told_once_in_the_end() -> None:
    world = Sessions()
    port = world.log_on("A")
    world.tell("orders all lost 30% duplicate 30%")
    for number in range(1, 40):
        world.send(port, far(number))
        world.run(MS)
    world.tell("orders A ok")
    world.send(port, far(40))
    world.run(10_000 * MS)
    told = [one.client_id for one in world.told[port] if isinstance(one, Accepted)]
    assert sorted(told) == list(range(1, 41))
    counts = world.wired.taker()[0].order_gateways[0].counts
    assert min(counts["lost"], counts["duplicated"]) > 0
    assert audit(world.exchange.log.steps) == []


def test_the_places_of_a_gateway_are_bounded_and_free_again() -> None:
    world = Sessions()
    ports = [world.connect("A") for _ in range(MAX_ORDER_CONNECTIONS)]
    assert None not in ports
    assert world.connect("A") is None
    assert world.wired.taker()[1].turned_away == {"A full": 1}
    assert world.connect("B") is not None
    world.leave(ports[5] or 0)
    assert world.connect("A") == ports[5]


def test_who_says_nothing_loses_his_place() -> None:
    world = Sessions()
    port = world.connect("A")
    world.run(60_000 * MS)
    assert world.over == [port]
    assert world.open("A") == 0


def test_who_floods_a_frozen_wire_is_hung_up() -> None:
    world = Sessions()
    port = world.log_on("A")
    world.tell("orders A frozen")
    events: list[Any] = []
    for _ in range(9):
        events += world.wired.receive(bytes(2**19), world.now, port)
    assert [one.port for one in events] == [port]
    assert world.open("A") == 0


def test_a_connection_that_is_over_is_not_driven_while_its_last_words_are_on_their_way() -> None:
    world = Sessions()
    port = world.log_on("A")
    world.tell("orders A slow 10ms")
    world.clients[port].send(far(1), world.now)
    for data in world.clients[port].transmit():
        world.wired.receive(data, world.now, port)
    world.tell("orders A kill")
    assert (world.over, world.wired.deadline > world.now) == ([port], True)
    world.tell("orders A frozen")
    other = world.log_on("B")
    world.tell("orders B frozen")
    world.clients[other].send(far(2), world.now)
    world.run(20 * MS)
    assert world.wired.deadline > world.now


def test_a_client_that_is_told_no_reads_it_before_it_is_hung_up() -> None:
    world = Sessions()
    port = world.connect("A")
    assert port is not None
    world.tell("orders A slow 2ms")
    client: Any = world.clients[port]
    client.logon("nobody", "secret", world.now)
    world.pump()
    world.run(10 * MS)
    assert world.over == [port]
    assert "unknown client id" in world.told[port][-1].reason


def test_the_exchange_is_told_to_halt_to_open_to_move_and_to_settle() -> None:
    world = Sessions()
    port = world.log_on("A")
    world.tell("exchange halt BTC-PERPETUAL")
    (rejected,) = world.send(port, far(1))
    assert isinstance(rejected, Rejected)
    assert rejected.cause is Cause.STATE
    world.tell("exchange open BTC-PERPETUAL")
    best = world.exchange.trading.markets[PERPETUAL].best(1)
    world.send(port, New(2, PERPETUAL, BUY, best, 100))
    world.tell("exchange index 90500")
    assert world.exchange.trading.index == 90_500 * USD
    before = world.exchange.trading.ledger.accounts["mm"].cash["BTC"]
    world.tell("exchange settle")
    assert world.exchange.trading.ledger.accounts["mm"].cash["BTC"] > before
    assert check(world.exchange.trading) == []
    for text in ("exchange", "exchange index -1", "exchange halt X", "exchange burn"):
        with pytest.raises(ConfigurationError):
            world.tell(text)


@pytest.mark.parametrize(
    ("words", "faults"),
    [
        ("lost 1%", OrderFaults(lost=10_000)),
        ("duplicate 100% refuse 2%", OrderFaults(duplicate=1_000_000, refuse=20_000)),
        ("delay 2ms jitter 1us", OrderFaults(delay_ns=2 * MS, jitter_ns=1_000)),
    ],
)
def test_faults_are_read_from_words(words: str, faults: OrderFaults) -> None:
    assert parse(words.split()) == faults


@pytest.mark.parametrize(
    "text",
    [
        "orders", "orders A", "orders C kill", "orders A kill now", "orders A kill after 0", "orders A lost",
        "orders A loss 1%", "orders A slow", "orders A refuse 100% for", "orders A frozen x",
    ],
)  # fmt: skip
def test_what_is_not_understood_is_said_and_changes_nothing(text: str) -> None:
    world = Sessions()
    with pytest.raises(ConfigurationError):
        world.tell(text)
    gateway = world.wired.taker()[0].order_gateways[0]
    assert (gateway.dead, gateway.faults) == (False, OrderFaults())


def test_a_venue_without_accounts_takes_no_commands_for_gateways() -> None:
    wired = WiredVenue(starbase_venue(Settings(instruments=1)))
    with pytest.raises(ConfigurationError, match="takes no orders"):
        command(wired, "orders A kill", 0)
    assert not wired.connect(2000, 0)


def test_the_crowd_fills_what_rests_through_the_wire() -> None:
    world = Sessions(rate=2_000)
    port = world.log_on("A")
    market = world.exchange.trading.markets[PERPETUAL]
    for number, side in ((1, BUY), (2, SELL)):
        best = market.best(side)
        assert best is not None
        world.send(port, New(number, PERPETUAL, side, best, 10))
    world.run(400 * MS)
    fills = [one for one in world.told[port] if isinstance(one, Filled)]
    held = sum(one.quantity * (1 if one.side == BUY else -1) for one in fills)
    assert fills
    assert held == world.exchange.trading.position("mm", PERPETUAL)
