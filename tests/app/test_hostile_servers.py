"""Servers, and somebody on the group, that lie on real sockets: it is counted and named, and ends nothing."""

import random
import socket
import struct
import time
from typing import Any

import pytest

from netfeed.app.account import account
from netfeed.app.glimpse_link import CONNECT_NS, GlimpseLink
from netfeed.feed.ports import Port
from netfeed.sim.venue import Settings, itch_venue, starbase_venue
from netfeed.sim.venue_ports import GLIMPSE
from netfeed.wire import glimpse, moldudp64, soupbintcp, starbase
from tests.app.live_venue import opened
from tests.app.test_live_venue import MS, bad_lines, both_lose
from tests.app.venue_sockets import GROUPS, VenueOnSockets, differences, run_until_equal

pytestmark = pytest.mark.net


@pytest.fixture(params=["loop", "thread"])
def how(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class LyingServer(VenueOnSockets):
    """Answers every request with nonsense first, from its own address and from another one."""

    asked = 0

    def _answer(self) -> None:
        while True:
            try:
                data, peer = self._server.recvfrom(65536)
            except BlockingIOError:
                return
            self.asked += 1
            for lie in self._lies():
                self._server.sendto(lie, peer)
                self._lines.sendto(lie, peer)  # another source: the kernel lets only the server's through
            self._told(self.venue.receive(data, self.now, Port.RETRANSMIT))
            for packet in self.venue.transmit(Port.RETRANSMIT):
                self._server.sendto(packet, peer)

    def _lies(self) -> list[bytes]:
        if self.venue.protocol == "starbase":
            message = starbase.encode(21, flags=3, orderId=1, instrumentId=1, quantity=1, price=1, sortOrderId=1)
            far = starbase.encode_packet(10**6, [message], channel_id=3, type=5, sending_time=1)
            other = starbase.encode_packet(1, [message], channel_id=9, type=5, sending_time=1)
            return [random.randbytes(40), far, other, far[:-3], far[:22] + b"\xff\xff" + far[24:]]
        order = b"A" + bytes(35)
        session = self.venue.lines.wire.session.encode()
        far, other = moldudp64.encode(session, 10**6, [order]), moldudp64.encode(b"FORGED0001", 1, [order])
        whole = struct.pack(">10sQH", session, 1, 0xFFFF), struct.pack(">10sQHH", session, 1, 1, 9_000) + order
        return [random.randbytes(40), far, other, far[:-3], *whole, b""]


@pytest.mark.parametrize("venue", ["itch", "starbase"])
def test_a_retransmit_server_that_lies_is_counted_and_harms_nothing(how: str, venue: str) -> None:
    settings = Settings(seed=4, rate=4000, transactions=1500, instruments=6, cycle_ns=200 * MS)
    made = itch_venue(settings) if venue == "itch" else starbase_venue(settings)
    sim = LyingServer(made, 5, both_lose(8))
    run = opened(sim.configured(how, venue == "starbase"))
    run_until_equal(sim, run.live)
    told = account(run.live)["channels"][0]
    run._close()
    sim.close()
    assert sim.asked > 0
    assert told["servers"][0]["unasked"] >= 2 * sim.asked
    assert told["malformed"] >= 2 * sim.asked
    assert told["recovered"]["retransmit"] > 0
    assert told["messages_lost"] == 0


def _contradiction(session: str) -> bytes:
    """Write a snapshot in which one order rests twice."""
    order = b"A" + struct.pack(">HH", 1, 0) + bytes(6) + struct.pack(">Q", 7) + b"B" + struct.pack(">I", 1)
    order += b"TWICE   " + struct.pack(">I", 1)
    packets = [
        soupbintcp.LoginAccepted(session, 1), soupbintcp.SequencedData(order), soupbintcp.SequencedData(order),
        soupbintcp.SequencedData(glimpse.encode_end_of_snapshot(5)),
    ]  # fmt: skip
    return b"".join(map(soupbintcp.encode, packets))


class LyingGlimpse(VenueOnSockets):
    """Its first connections get nonsense, the next ones the venue's snapshots."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        session = self.venue.lines.wire.session
        begun = soupbintcp.encode(soupbintcp.LoginAccepted(session, 1))
        self.lies = [
            b"\xff\xff" + bytes(70), random.randbytes(300), b"", begun + begun, begun[:9], _contradiction(session),
            soupbintcp.encode(soupbintcp.LoginRejected("A")), soupbintcp.encode(soupbintcp.LoginAccepted(session, 9)),
            begun + soupbintcp.encode(soupbintcp.SequencedData(b"G" + b"x" * 20)),
            begun + soupbintcp.encode(soupbintcp.SequencedData(b"")),
        ]  # fmt: skip
        self.lied = 0

    def _serve(self) -> None:
        if self.lied == len(self.lies):
            super()._serve()
            return
        try:
            one, _ = self._glimpse.accept()
        except BlockingIOError:
            return
        one.sendall(self.lies[self.lied])
        self.lied += 1
        one.shutdown(socket.SHUT_WR)
        self._clients[GLIMPSE + 1_000 + self.lied] = one

    def close(self) -> None:
        for port in [port for port in self._clients if port >= GLIMPSE + 1_000]:
            self._clients.pop(port).close()
        super().close()


def hurried(run: Any) -> GlimpseLink:
    """Give a run's link to its snapshot server, which waits 5 ms between attempts: a test has no minutes."""
    link = next(machine for machine in run.live.machines if isinstance(machine, GlimpseLink))
    link._machine._pauses = 5 * MS, 5 * MS
    return link


def test_a_snapshot_server_that_lies_is_asked_again_until_it_tells_the_truth(how: str) -> None:
    sim = LyingGlimpse(itch_venue(Settings(seed=5, rate=3000, transactions=2500, instruments=6)), 5, bad_lines)
    while sim.venue.transactions < 400:
        sim.step()
    run = opened(sim.configured(how, False, 'glimpse = { address = "GLIMPSE" }'))
    link = hurried(run)
    run_until_equal(sim, run.live)
    told = account(run.live)["channels"][0]
    run._close()
    sim.close()
    assert sim.lied == len(sim.lies)
    assert link.reconnects["snapshot"] >= len(sim.lies) - 2
    assert told["snapshots_refused"] == {"it contradicts itself": 1}
    assert differences(sim, run.live) == []


def test_a_snapshot_server_that_does_not_accept_is_given_up_and_named(how: str) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        full = [socket.socket() for _ in range(4)]
        for one in full:
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))  # the kernel answers no more of them than may wait
        sim = VenueOnSockets(itch_venue(Settings(seed=5, instruments=2, transactions=1)), 5, bad_lines)
        told: list[str] = []
        run = opened(sim.configured(how, False, f'glimpse = {{ address = "127.0.0.1:{port}" }}'), told.append)
        link = hurried(run)
        now = time.monotonic_ns()
        link._machine.want(now)
        link.wake(now)
        assert not link.reconnects
        link.wake(now + CONNECT_NS)
        run._close()
        sim.close()
        for one in full:
            one.close()
    assert link.reconnects == {"connection": 1}
    assert any("did not accept a connection within 5 s" in text for text in told)


class Forger(VenueOnSockets):
    """Somebody on the group sends single packets of noise a little ahead of the stream."""

    forged = 0

    def step(self) -> None:
        super().step()
        if self.venue.transactions > 300 * (self.forged + 1) and self.forged < 4:
            self.forged += 1
            ahead = self.venue.lines.next + 7_000
            if self.venue.protocol == "starbase":
                message = starbase.encode(21, flags=3, orderId=1, instrumentId=1, quantity=1, price=1, sortOrderId=1)
                lie = starbase.encode_packet(ahead, [message], channel_id=3, type=1, sending_time=1)
            else:
                lie = moldudp64.encode(self.venue.lines.wire.session.encode(), ahead, [b"A" + bytes(35)])
            self._lines.sendto(lie, (GROUPS[Port.LINE_A], self.port))


@pytest.mark.parametrize("venue", ["itch", "starbase"])
def test_single_packets_a_little_ahead_cost_no_message_and_no_book(how: str, venue: str) -> None:
    settings = Settings(seed=4, rate=2000, transactions=1800, instruments=6, cycle_ns=200 * MS)
    sim = Forger(itch_venue(settings) if venue == "itch" else starbase_venue(settings), 5, lambda port, draw: False)
    patient = 'recovery = { window = "60s" }'  # what was lost before the lie was seen through is no subject
    run = opened(sim.configured(how, venue == "starbase", patient))
    run_until_equal(sim, run.live)
    told = account(run.live)
    run._close()
    sim.close()
    assert sim.forged == 4
    assert told["gaps"] >= 1
    assert told["messages_lost"] == 0
    assert told["channels"][0]["resets"] == 0
