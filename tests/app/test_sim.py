"""A simulated venue on real sockets of the loopback: heard, asked, commanded, and shut down. No time is asserted."""

import io
import json
import socket
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from netfeed.app.sim import Simulation
from netfeed.app.sim_config import addressed, load
from netfeed.proto import soupbintcp
from netfeed.sim.venue_ports import MAX_CONNECTIONS
from netfeed.transport.network import NetworkError
from netfeed.transport.tcp import connect
from netfeed.transport.udp import UdpSocket, open_multicast, open_unicast
from netfeed.wire import moldudp64, starbase
from netfeed.wire.starbase import TemplateId

pytestmark = pytest.mark.net
TURNS = 20_000
"""Turns of the loop after which what should have come will not come."""


def free_port(kind: int = socket.SOCK_DGRAM) -> int:
    with socket.socket(socket.AF_INET, kind) as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def simulation(protocol: str, **flags: Any) -> Simulation:
    port = free_port()
    groups = {"lines": [f"233.252.0.{place}:{port}" for place in (211, 212)], "snapshots": []}
    if protocol == "starbase":
        groups["snapshots"] = [f"233.252.0.213:{port}"]
    given = {"protocol": protocol, "retransmit": [f"127.0.0.1:{free_port()}"], "rate": 2_000, **groups, **flags}
    try:
        return Simulation(addressed(load(None, given), "127.0.0.1"), lambda: False, truth=io.StringIO())
    except NetworkError as error:
        pytest.skip(f"no multicast on the loopback here: {error}")


def turn_until(one: Simulation, done: Callable[[], bool]) -> None:
    for _ in range(TURNS):
        one.loop.turn(one.loop.clock() + 20_000_000)
        if done():
            return
    raise AssertionError("it did not come")


@pytest.fixture
def starbase_sim(tmp_path: Path) -> Iterator[Simulation]:
    one = simulation("starbase", control=str(tmp_path / "control"))
    yield one
    one.close()


def lines(one: Simulation) -> list[UdpSocket]:
    found = [group.split(":") for group in one.config.lines]
    return [open_multicast(host, int(port), interface="lo") for host, port in found]


def test_both_lines_are_heard_and_the_gateway_sends_again_what_was_asked(starbase_sim: Simulation) -> None:
    a, b = lines(starbase_sim)
    heard: dict[UdpSocket, list[bytes]] = {a: [], b: []}

    def enough() -> bool:
        for line in heard:
            heard[line] += [one.data for one in line.receive()]
        return all(len(packets) > 5 for packets in heard.values())

    turn_until(starbase_sim, enough)
    first = starbase.decode_packet(heard[a][0])
    assert heard[a][:3] == heard[b][:3]
    host, port = starbase_sim.config.retransmit[0].split(":")
    asker = open_unicast("127.0.0.1", peer=(host, int(port)))
    request = starbase.encode(TemplateId.RETRANSMIT_REQUEST, beginSeqNum=first.seqNum, messageCount=1)
    asker.send(starbase.encode_packet(1, [request], type=0))
    answers: list[bytes] = []
    turn_until(starbase_sim, lambda: bool(answers.extend(one.data for one in asker.receive()) or answers))
    assert starbase.decode_packet(answers[0]).messages[0] == first.messages[0]
    for one in (a, b, asker):
        one.close()


def test_a_flood_of_requests_is_refused_and_counted_while_the_lines_go_on(starbase_sim: Simulation) -> None:
    host, port = starbase_sim.config.retransmit[0].split(":")
    request = starbase.encode(TemplateId.RETRANSMIT_REQUEST, beginSeqNum=1, messageCount=1)
    one = starbase.encode_packet(1, [request], type=0)
    turn_until(starbase_sim, lambda: starbase_sim.venue.lines.next > 1)
    begun = starbase_sim.venue.lines.next
    with open_unicast("127.0.0.1", peer=(host, int(port))) as asker:

        def flooded() -> bool:
            flood(2)
            told = starbase_sim.report()
            return told["refused"] > 10 and told["requests_dropped"] > 1_000 and told["events"]["Malformed"] > 10

        def flood(times: int) -> None:
            for _ in range(times):
                asker.send(one)
                asker.send(b"nonsense")

        flood(2_000)
        turn_until(starbase_sim, flooded)
    turn_until(starbase_sim, lambda: starbase_sim.venue.lines.next > begun + 100)
    assert starbase_sim.report()["answered"] > 0


def test_it_is_commanded_while_it_runs(starbase_sim: Simulation) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(starbase_sim.config.control))
        client.setblocking(False)
        client.send(b"line A silent\nline Q silent\nstatus\n")
        answers = bytearray()

        def answered() -> bool:
            try:
                answers.extend(client.recv(65_536))
            except BlockingIOError:
                return False
            return answers.count(b"\n") == 3

        turn_until(starbase_sim, answered)
    silent, refused, status = map(json.loads, answers.splitlines())
    assert silent == {"ok": True}
    assert "there is no line Q" in refused["error"]
    assert status["protocol"] == "starbase"
    turn_until(starbase_sim, lambda: starbase_sim.wired.links[0].counts.silenced > 0)


def test_the_truth_is_written_line_by_line(starbase_sim: Simulation) -> None:
    turn_until(starbase_sim, lambda: starbase_sim.truths > 20)
    file: Any = starbase_sim._truth
    records = [json.loads(line) for line in file.getvalue().splitlines()]
    assert len(records) == starbase_sim.truths
    assert {"epoch", "session", "first", "sequence", "instrument", "bid", "ask", "digest", "ts_event_ns"} == set(
        records[0]
    )
    assert [one["sequence"] for one in records] == sorted(one["sequence"] for one in records)


def fetched(one: Simulation, port: int) -> list[bytes]:
    """Fetch a snapshot over a connection of one's own."""
    told: list[Any] = []
    client = soupbintcp.Client()
    client.login("user", "secret", one.loop.clock())
    task = one.loop.add(
        client, {0: connect("127.0.0.1", port)}, events=lambda events, now: told.extend(events),
        failed=lambda endpoint, error: told.append(soupbintcp.Closed(str(error))),
    )  # fmt: skip
    turn_until(one, lambda: any(isinstance(event, soupbintcp.SessionEnded | soupbintcp.Closed) for event in told))
    task.close()
    return [event.message for event in told if isinstance(event, soupbintcp.Sequenced)]


def closed(one: socket.socket) -> bool:
    try:
        return one.recv(65_536) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def test_half_open_connections_are_turned_away_when_there_are_too_many_and_give_up_their_place_in_time() -> None:
    port = free_port(socket.SOCK_STREAM)
    one = simulation("itch50", glimpse=f"127.0.0.1:{port}", rate=1, live_orders=50, instruments=3)
    silent = []
    for _ in range(MAX_CONNECTIONS + 8):
        silent.append(socket.create_connection(("127.0.0.1", port)))
        silent[-1].setblocking(False)
        one.loop.turn(one.loop.clock())
    try:
        turn_until(one, lambda: one.events["connection turned away"] == 8)
        assert fetched(one, port) == [], "all places are taken"
        clock = one.loop.clock
        one.loop.clock = lambda: clock() + 31 * 10**9
        left = set(silent)
        turn_until(one, lambda: not left.difference_update([peer for peer in left if closed(peer)]) and not left)
        assert one.events["Disconnected"] == MAX_CONNECTIONS
        assert fetched(one, port)[-1][:1] == b"G"
    finally:
        for peer in silent:
            peer.close()
        one.close()


def test_a_client_that_breaks_off_leaves_nothing_to_the_next_one() -> None:
    port = free_port(socket.SOCK_STREAM)
    one = simulation("itch50", glimpse=f"127.0.0.1:{port}", rate=1, live_orders=2_000, instruments=3)
    client = soupbintcp.Client()
    client.login("user", "secret", 0)
    try:
        for _ in range(3):
            peer = socket.create_connection(("127.0.0.1", port))
            peer.sendall(b"".join(client.transmit()) or b"\0\1H")
            turn_until(one, lambda: bool(one._clients))
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            peer.close()  # a reset, not an end
            turn_until(one, lambda: not one._clients)
        assert fetched(one, port)[-1][:1] == b"G"
    finally:
        one.close()


def test_a_glimpse_client_gets_its_snapshot_and_leaves() -> None:
    port = free_port(socket.SOCK_STREAM)
    one = simulation("itch50", glimpse=f"127.0.0.1:{port}", live_orders=50, instruments=3)
    try:
        told: list[Any] = []
        client = soupbintcp.Client()
        client.login("user", "secret", one.loop.clock())
        task = one.loop.add(client, {0: connect("127.0.0.1", port)}, events=lambda events, now: told.extend(events))
        turn_until(one, lambda: any(isinstance(event, soupbintcp.SessionEnded) for event in told))
        sequenced = [event.message for event in told if isinstance(event, soupbintcp.Sequenced)]
        assert sequenced[-1][:1] == b"G"
        client.logout(one.loop.clock())
        task.kick()
        turn_until(one, lambda: one.events["Disconnected"] == 1 and not [port for port in one._task.ports if port > 99])
        assert one.report()["glimpse_served"] == 1
    finally:
        one.close()


def test_a_schedule_is_kept() -> None:
    one = simulation("itch50", schedule=[{"at": "1ms", "do": "session end"}])
    try:
        line, other = lines(one)
        other.close()
        ends: list[bytes] = []

        def ended() -> bool:
            ends.extend(got.data for got in line.receive() if moldudp64.decode(got.data).end_of_session)
            return bool(ends)

        turn_until(one, ended)
        line.close()
    finally:
        one.close()
