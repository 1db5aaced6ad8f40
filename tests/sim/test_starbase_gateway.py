"""Order gateways that speak Starbase, with a client of `proto` on the other side: bytes, gaps, deaths and resets."""

from typing import Any, TypeVar

import pytest

from netfeed.book.execution import (
    Accepted,
    AllCanceled,
    Cancel,
    CancelAll,
    Canceled,
    Cause,
    Down,
    Filled,
    Flag,
    New,
    Quote,
    Quoted,
    QuoteState,
    Rejected,
    Request,
    TimeInForce,
    Tripped,
    Up,
)  # fmt: skip
from netfeed.book.execution import MassQuote as Quotes
from netfeed.errors import MisuseError
from netfeed.proto.starbase_orders import Client
from netfeed.proto.starbase_past import ClientPast
from netfeed.proto.starbase_state import Missing
from netfeed.sim.draws import Draws
from netfeed.sim.exchange_check import check
from netfeed.sim.exchange_trading import Permit
from netfeed.sim.faults import RATE
from netfeed.sim.order_faults import OrderFaults
from netfeed.sim.protection import Limits
from netfeed.sim.session_gateway import Key, SessionGateway
from netfeed.sim.starbase_gateway import listed, starbase_gateway
from netfeed.sim.switchboard import Switchboard
from tests.sim.exchange_room import BUY, HALF, PERPETUAL, SELL, START_NS, Room

S = 10**9
KEYS = [Key("mm", "secret-of-mm"), Key("bob", "secret-of-bob")]
T = TypeVar("T")


class Peer:
    """A client on a port of a gateway, and what it was told."""

    def __init__(self, wires: "Wires", gateway: SessionGateway, name: str, port: int, past: ClientPast | None) -> None:
        self.wires, self.gateway, self.port = wires, gateway, port
        self.client = Client(port, listed(wires.room.exchange), wires.now, past, epoch_ns=START_NS)
        self.told: list[Any] = []
        assert gateway.open(port, wires.now)

    def log_on(self, name: str, *, secret: str | None = None, reset: bool = False) -> "Peer":
        self.client.logon(name, secret or f"secret-of-{name}", self.wires.now, reset=reset)
        self.wires.pump()
        return self

    def ask(self, request: Request) -> list[Any]:
        before = len(self.told)
        self.client.send(request, self.wires.now)
        self.wires.pump()
        return self.told[before:]

    def new(self, client_id: int, side: int, steps: int, quantity: int = 10, **more: Any) -> list[Any]:
        price = self.wires.room.mark + steps * HALF
        return self.ask(New(client_id, PERPETUAL, side, price, quantity, **more))  # type: ignore[arg-type]

    def of(self, kind: type[T]) -> list[T]:
        return [one for one in self.told if isinstance(one, kind)]


class Wires:
    """One exchange, gateways A and B, clients on them, and time."""

    def __init__(self, **permits: Permit) -> None:
        self.room = Room("mm", "bob", **permits)
        self.board = Switchboard(self.room.exchange, START_NS)
        self.a, self.b = (starbase_gateway(self.board, number, KEYS, seed=number) for number in (0, 1))
        self.peers: list[Peer] = []
        self.now = 0

    def peer(self, gateway: SessionGateway, name: str, past: ClientPast | None = None) -> Peer:
        self.peers.append(Peer(self, gateway, name, len(self.peers) + 1, past))
        return self.peers[-1]

    def pump(self) -> None:
        """Carry bytes until nobody has any."""
        busy = True
        while busy:
            busy = False
            for one in self.peers:
                for data in one.client.transmit():
                    busy = True
                    one.gateway.receive(data, self.now, one.port)
                for data in one.gateway.transmit(one.port):
                    busy = True
                    one.told += one.client.receive(data, self.now)
                if not one.gateway.is_open(one.port) and not one.client.is_closed:
                    one.told += one.client.end(self.now)

    def wait(self, ns: int) -> None:
        """Let time go by, as a driver does."""
        until = self.now + ns
        machines = [self.a, self.b]
        while (due := min([one.deadline for one in machines] + [one.client.deadline for one in self.peers])) <= until:
            self.now = max(self.now, due)
            for gateway in machines:
                gateway.wake(self.now)
            for one in self.peers:
                one.told += one.client.wake(self.now)
            self.pump()
        self.now = until


def test_orders_go_over_the_wire_and_fills_come_back_to_both() -> None:
    wires = Wires()
    mm, bob = wires.peer(wires.a, "mm").log_on("mm"), wires.peer(wires.b, "bob").log_on("bob")
    assert mm.told == [Up(1)]
    (accepted,) = mm.new(5, BUY, 0, 30, flags=Flag.POST_ONLY)
    assert isinstance(accepted, Accepted)
    assert (accepted.client_id, accepted.rests, accepted.price) == (5, True, wires.room.mark)
    accepted, filled, canceled = bob.new(5, SELL, 0, 40, time_in_force=TimeInForce.IOC)
    (made,) = mm.of(Filled)
    assert (made.match_id, made.quantity, made.maker) == (filled.match_id, 30, True)
    assert (filled.maker, canceled.cause, canceled.filled) == (False, Cause.TIME_IN_FORCE, 30)
    (refused,) = mm.ask(Cancel(5, PERPETUAL))
    assert (type(refused), refused.cause) == (Rejected, Cause.NOT_FOUND)
    mm.new(6, BUY, -1)
    assert [type(one) for one in mm.ask(CancelAll(7))] == [Canceled, AllCanceled]
    assert (wires.room.held("mm"), check(wires.room.exchange.trading)) == (30, [])


def test_quotes_and_their_protection_go_over_the_wire() -> None:
    wires = Wires(mm=Permit(groups={3: Limits(S, S, quantity=100_000)}))
    mm, bob = wires.peer(wires.a, "mm").log_on("mm"), wires.peer(wires.b, "bob").log_on("bob")
    quote = Quote(PERPETUAL, wires.room.mark, 100, wires.room.mark + HALF, 100)
    (quoted,) = mm.ask(Quotes(9, 3, (quote,)))
    assert isinstance(quoted, Quoted)
    assert [side.state for side in quoted.sides[0][1:]] == [QuoteState.RESTS] * 2
    bob.new(1, SELL, 0, 20)
    assert [(one.quantity, one.quote) for one in mm.of(Filled)] == [(20, True)]
    assert [(one.group, one.why) for one in mm.of(Tripped)] == [(3, "quantity")]
    assert {one.cause for one in mm.of(Canceled)} == {Cause.PROTECTION}
    (refused,) = mm.ask(Quotes(10, 3, (quote,)))
    assert (type(refused), refused.cause) == (Rejected, Cause.PROTECTION)
    freed, quoted = mm.ask(Quotes(11, 3, (quote,), reset=True))
    assert (freed.group, quoted.client_id) == (3, 11)


def test_who_has_no_key_or_is_there_already_is_sent_away() -> None:
    wires = Wires()
    for name, secret, word in (("eve", "x", "unknown client id"), ("mm", "x", "unknown client id")):
        peer = wires.peer(wires.a, name).log_on(name, secret=secret)
        assert [word in one.reason for one in peer.of(Down)] == [True]
    first, second = wires.peer(wires.a, "mm").log_on("mm"), wires.peer(wires.a, "mm").log_on("mm")
    assert (first.of(Down), len(second.of(Down))) == ([], 1)
    assert "a connection here" in second.of(Down)[0].reason
    assert "secret-of" not in repr(KEYS)


def test_a_lost_answer_shows_as_a_gap_and_is_asked_for_again() -> None:
    wires = Wires()
    mm = wires.peer(wires.a, "mm").log_on("mm")
    wires.a.faults = OrderFaults(lost=RATE)
    assert mm.new(1, BUY, -1) == []
    wires.a.faults = OrderFaults()
    told = mm.new(2, BUY, -2)
    assert [one.client_id for one in told if isinstance(one, Accepted)] == [1, 2]
    assert len(mm.of(Missing)) == 1
    assert wires.a.counts["lost"] == 1


def test_answers_come_late_and_what_comes_twice_is_told_once() -> None:
    wires = Wires()
    mm = wires.peer(wires.a, "mm").log_on("mm")
    wires.a.faults = OrderFaults(delay_ns=S // 2, duplicate=RATE)
    assert mm.new(1, BUY, -1) == []
    wires.wait(S // 2 - 1)
    assert mm.of(Accepted) == []
    wires.wait(1)
    assert [one.client_id for one in mm.of(Accepted)] == [1]
    assert mm.client.statistics().duplicates == 1


def test_a_storm_refuses_over_the_wire() -> None:
    wires = Wires()
    mm = wires.peer(wires.a, "mm").log_on("mm")
    wires.a.faults = OrderFaults(refuse=RATE)
    (refused,) = mm.new(1, BUY, -1)
    assert (refused.cause, wires.room.queue(BUY)) == (Cause.RATE, [])
    assert wires.a.counts["refused"] == 1


def test_a_death_between_order_and_answer_is_cleared_up_by_the_next_connection() -> None:
    wires = Wires()
    past = ClientPast()
    mm = wires.peer(wires.a, "mm", past).log_on("mm")
    wires.a.kill_after(1)
    assert [type(one) for one in mm.new(1, BUY, -1, flags=Flag.KEEP)] == [Down]
    assert wires.room.queue(BUY) == [("mm", 10)]
    assert not wires.a.open(99, wires.now)
    wires.a.revive()
    again = wires.peer(wires.a, "mm", past).log_on("mm")
    # What the dead gateway had reported was in its journal: the order is known after all, told once.
    assert [one.client_id for one in again.of(Accepted)] == [1]
    assert again.of(Up) == [Up(2)]
    (canceled,) = again.ask(Cancel(1, PERPETUAL))
    assert isinstance(canceled, Canceled)


def test_orders_leave_when_the_connection_does_and_that_is_told_to_the_next_one() -> None:
    wires = Wires()
    past = ClientPast()
    mm = wires.peer(wires.a, "mm", past).log_on("mm")
    mm.new(1, BUY, -1)
    wires.a.end(mm.port, wires.now)
    mm.told += mm.client.end(wires.now)
    assert wires.room.queue(BUY) == []
    again = wires.peer(wires.a, "mm", past).log_on("mm")
    assert [(one.client_id, one.cause) for one in again.of(Canceled)] == [(1, Cause.DISCONNECTED)]


def test_a_gateway_that_forgets_wants_a_reset_and_the_other_one_goes_on() -> None:
    wires = Wires()
    past = ClientPast()
    mm, other = wires.peer(wires.a, "mm", past).log_on("mm"), wires.peer(wires.b, "mm").log_on("mm")
    for client_id in range(1, 4):
        mm.new(client_id, BUY, -client_id, flags=Flag.KEEP)
    wires.a.kill(wires.now, forget=True)
    wires.pump()
    wires.a.revive()
    assert len(mm.of(Down)) == 1
    # What A has forgotten the exchange has not: B cancels an order that came by A, and A's next session hears of it.
    assert [one.count for one in other.ask(CancelAll(50)) if isinstance(one, AllCanceled)] == [3]
    again = wires.peer(wires.a, "mm", past).log_on("mm", reset=True)
    assert again.of(Up) == [Up(3)]
    (accepted,) = again.new(9, BUY, -1)
    assert accepted.client_id == 9


def test_a_client_that_falls_silent_loses_its_orders() -> None:
    wires = Wires()
    mm = wires.peer(wires.a, "mm").log_on("mm")
    mm.new(1, BUY, -1)
    while wires.a.is_open(mm.port):
        wires.now = wires.a.deadline
        wires.a.wake(wires.now)
        wires.a.transmit(mm.port)
    assert wires.room.queue(BUY) == []
    with pytest.raises(MisuseError, match="one request"):
        wires.a.kill_after(0)


def test_bytes_that_are_none_end_one_connection_and_no_other() -> None:
    wires = Wires()
    mm, bob = wires.peer(wires.a, "mm").log_on("mm"), wires.peer(wires.a, "bob").log_on("bob")
    mm.new(1, BUY, -1)
    wires.a.receive(b"\xff" * 64, wires.now, mm.port)
    wires.pump()
    assert (len(mm.of(Down)), bob.of(Down), wires.room.queue(BUY)) == (1, [], [])
    wires.a.receive(b"x", wires.now, 77)
    assert isinstance(bob.new(1, BUY, -1)[0], Accepted)


@pytest.mark.parametrize("seed", range(4))
def test_whatever_becomes_of_connections_every_fill_is_told_once(seed: int) -> None:
    wires, past, told = Wires(), ClientPast(), []
    draws = iter((Draws(seed).words(2_000) >> 32).tolist())
    wires.a.faults = OrderFaults(lost=RATE // 8, duplicate=RATE // 8, delay_ns=1_000_000, jitter_ns=5_000_000)
    bob = wires.peer(wires.b, "bob").log_on("bob")
    mm = wires.peer(wires.a, "mm", past).log_on("mm")
    for number in range(1, 160):
        kind = next(draws) * 20 >> 32
        if kind == 0:
            wires.a.kill_after(1)
        elif kind == 1:
            wires.a.kill(wires.now)
        if mm.client.is_closed:
            wires.a.revive()
            told += mm.told
            mm = wires.peer(wires.a, "mm", past).log_on("mm")
        wires.wait(3_000_000)
        side = BUY if next(draws) >> 31 else SELL
        try:
            mm.new(number, side, 0, 20, flags=Flag.KEEP if kind % 2 else Flag(0))
        except MisuseError:  # not up yet: what is missing was asked for
            wires.wait(20_000_000)
        bob.new(number, SELL if side == BUY else BUY, 0, 10, time_in_force=TimeInForce.IOC)
    wires.a.faults = OrderFaults()
    wires.a.kill(wires.now)
    wires.pump()
    wires.a.revive()
    last = wires.peer(wires.a, "mm", past).log_on("mm")
    wires.wait(S)
    told += mm.told + last.told
    known = [(one.match_id, one.side, one.quantity) for one in told if isinstance(one, Filled)]
    truth = [one.report for one in wires.room.exchange.log.reports("mm") if isinstance(one.report, Filled)]
    assert sorted(known) == sorted((one.match_id, one.side, one.quantity) for one in truth)
    assert len(known) > 20
    assert last.of(Up)
    assert check(wires.room.exchange.trading) == []


def test_a_logon_with_nonsense_behind_it_lets_nobody_in() -> None:
    wires = Wires()
    peer = wires.peer(wires.a, "mm")
    peer.client.logon("mm", "secret-of-mm", wires.now)
    wires.a.receive(b"".join(peer.client.transmit()) + b"\xff" * 64, wires.now, peer.port)
    wires.pump()
    assert peer.of(Up) == []
    assert wires.peer(wires.a, "mm").log_on("mm").of(Up) == [Up(2)]
