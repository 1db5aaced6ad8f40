"""A simulated venue's connections as bytes: each fault is seen by a client as what it is, over TLS and without."""

from itertools import pairwise

import pytest

from netfeed.errors import ConfigurationError
from netfeed.proto import tls, websocket
from netfeed.sim.stream_venue import MAX_HALF_OPEN, MAX_HALF_OPEN_OF_ONE, MAX_HELD
from netfeed.sim.venue_events import Malformed
from netfeed.sim.venue_ports import STREAM
from tests.sim.stream_driver import MS, Client, Run, S

CHANNEL = "book.BTC-PERPETUAL.100ms"
secure_or_not = pytest.mark.parametrize("secure", [True, False], ids=["tls", "plain"])


def listening(secure: bool = True, clients: int = 1) -> Run:
    run = Run(secure=secure, clients=clients).run(0)
    for port in run.clients:
        run.ask("public/subscribe", port, channels=[CHANNEL])
    return run.run(S)


@secure_or_not
def test_a_client_reads_books_that_hang_together(secure: bool) -> None:
    run = listening(secure)
    told = run.clients[STREAM].changes
    assert told[0]["type"] == "snapshot"
    assert len(told) > 5
    assert all(two["prev_change_id"] == one["change_id"] for one, two in pairwise(told))
    assert run.clients[STREAM].told(websocket.Opened)
    assert bool(run.clients[STREAM].told(tls.Established)) is secure


@secure_or_not
def test_a_client_that_closes_is_forgotten(secure: bool) -> None:
    run = listening(secure)
    run.clients[STREAM].websocket.close(run.now, 1001, "enough")
    run.run(5 * S)
    assert list(run.over) == [STREAM]
    assert run.venue.clients == {}
    assert [one.code for one in run.clients[STREAM].told(websocket.Closed)] == [1001]


def test_a_client_that_is_cut_off_is_forgotten() -> None:
    run = listening()
    assert run.venue.clients
    run.take(run.venue.end(run.now, STREAM))
    assert list(run.over) == [STREAM]
    assert run.venue.clients == {}
    assert run.venue.end(run.now, STREAM) == []


@secure_or_not
@pytest.mark.parametrize("code", [1000, 1011, 1012, 4000])
def test_the_venue_closes_with_a_code(secure: bool, code: int) -> None:
    run = listening(secure, clients=2)
    run.tell(f"stream 2 close {code}")
    run.run(S)
    (closed,) = run.clients[STREAM + 1].told(websocket.Closed)
    assert (closed.code, closed.by) == (code, websocket.Who.PEER)
    assert list(run.over) == [STREAM + 1]
    assert not run.clients[STREAM].told(websocket.Closed)


@secure_or_not
def test_the_venue_ends_without_a_word(secure: bool) -> None:
    run = listening(secure)
    run.tell("stream close 1006")
    run.run(S)
    (closed,) = run.clients[STREAM].told(websocket.Closed)
    assert closed.code == 1006
    if secure:
        assert [one.ending for one in run.clients[STREAM].told(tls.Closed)] == [tls.Ending.TRUNCATED]


@secure_or_not
def test_a_frame_ends_in_its_middle(secure: bool) -> None:
    run = listening(secure)
    run.tell("stream once torn")
    run.run(S)
    client = run.clients[STREAM]
    assert [one.code for one in client.told(websocket.Closed)] == [1006]
    assert run.venue.counts.torn == 1
    assert not client.told(websocket.Malformed)


def test_frames_are_torn_by_chance() -> None:
    run = listening()
    run.tell("stream torn 20%")
    run.run(5 * S)
    assert run.venue.counts.torn == 1
    assert list(run.over) == [STREAM]


@secure_or_not
def test_a_frame_is_longer_than_anybody_takes(secure: bool) -> None:
    run = listening(secure)
    run.tell("stream once oversized")
    run.run(S)
    (wrong,) = run.clients[STREAM].told(websocket.Malformed)
    assert wrong.code == 1009
    assert list(run.over) == [STREAM]


def test_a_fatal_alert_is_heard_as_one() -> None:
    run = listening()
    run.tell("stream once alert")
    run.run(S)
    assert [one.alert for one in run.clients[STREAM].told(tls.AlertReceived)] == ["bad_record_mac"]
    assert list(run.over) == [STREAM]


def test_without_tls_there_are_no_alerts() -> None:
    run = listening(secure=False)
    with pytest.raises(ConfigurationError, match="TLS"):
        run.tell("stream once alert")
    assert run.over == {}


@secure_or_not
def test_a_handshake_is_refused_for_a_time(secure: bool) -> None:
    run = listening(secure)
    run.tell("stream refuse 429 for 1s")
    late = run.connect(STREAM + 1)
    run.run(500 * MS)
    assert [one.status for one in late.told(websocket.Refused)] == [429]
    assert STREAM + 1 in run.over
    assert STREAM not in run.over, "who is connected stays"
    run.run(S)
    assert run.connect(STREAM + 2).told(websocket.Opened)


def test_another_target_is_not_found() -> None:
    run = Run(clients=0)
    client = run.connect(STREAM, "/other")
    run.run(S)
    assert [one.status for one in client.told(websocket.Refused)] == [404]


def test_a_venue_that_is_down_refuses_and_hangs_up_with_1012() -> None:
    run = listening()
    run.tell("session restart 3s")
    run.run(S)
    assert [one.code for one in run.clients[STREAM].told(websocket.Closed)] == [1012]
    late = run.connect(STREAM + 1)
    run.run(S)
    assert [one.status for one in late.told(websocket.Refused)] == [503]
    run.run(2 * S)
    assert run.connect(STREAM + 2).told(websocket.Opened)


@secure_or_not
@pytest.mark.parametrize("fault", ["silent", "deaf"])
def test_a_venue_that_hangs_answers_afterwards_what_it_had_not_read(secure: bool, fault: str) -> None:
    run = listening(secure)
    client = run.clients[STREAM]
    run.tell(f"stream {fault} for 2s")
    before = len(client.changes)
    run.ask("public/get_time")
    client.websocket.ping(run.now)
    run.run(S)
    assert [one for one in client.answers if isinstance(one["result"], int)] == []
    assert client.told(websocket.Ponged) == []
    assert (len(client.changes) > before) is (fault == "deaf"), "a deaf venue speaks on"
    run.run(2 * S)
    assert len([one for one in client.answers if isinstance(one["result"], int)]) == 1
    assert len(client.told(websocket.Ponged)) == 1
    breaks = sum(two["prev_change_id"] != one["change_id"] for one, two in pairwise(client.changes))
    assert breaks == (fault == "silent")
    assert run.over == {}


def test_a_venue_that_hangs_until_told_otherwise_comes_back_at_the_word() -> None:
    run = listening()
    run.tell("stream silent")
    run.ask("public/get_time")
    run.run(20 * S)
    assert len(run.clients[STREAM].answers) == 1
    run.tell("stream ok")
    run.run(MS)
    assert len(run.clients[STREAM].answers) == 2


def test_what_a_deaf_venue_leaves_unread_is_bounded() -> None:
    run = listening(secure=False)
    run.tell("stream deaf")
    for _ in range(MAX_HELD // 10_000 + 1):
        run.take(run.venue.receive(bytes(10_000), run.now, STREAM))
    assert "does not read" in run.over[STREAM]
    assert run.venue.receive(b"more", run.now, STREAM) == [Malformed(STREAM, "nobody is connected there")]


@secure_or_not
def test_a_slow_venue_sends_so_many_bytes_a_second(secure: bool) -> None:
    run = listening(secure)
    client = run.clients[STREAM]
    run.tell("stream slow 200")
    before = client.bytes
    run.run(10 * S)
    assert 1_800 <= client.bytes - before <= 2_200
    run.tell("stream ok")
    run.run(S)
    told = client.changes
    assert all(two["prev_change_id"] == one["change_id"] for one, two in pairwise(told))


def test_no_credits_are_told_before_the_end() -> None:
    run = listening()
    run.tell("stream once throttle")
    run.ask("public/test")
    run.run(S)
    client = run.clients[STREAM]
    assert client.answers[-1]["error"]["code"] == 10028
    assert [one.code for one in client.told(websocket.Closed)] == [1008]


@pytest.mark.parametrize(
    "data", [b"\x16\x03\x01", b"GET / HTTP/1.1\r\n\r\n", b"\x81\x05hello", bytes(20_000), b"\xff" * 100]
)
@secure_or_not
def test_nonsense_ends_a_connection_and_no_other(secure: bool, data: bytes) -> None:
    run = listening(secure)
    run.venue.open(STREAM + 5, run.now, "127.0.0.2")
    run.take(run.venue.receive(data, run.now, STREAM + 5))
    run.run(11 * S)
    assert STREAM + 5 in run.over
    assert STREAM not in run.over


def test_a_client_that_never_shakes_hands_is_given_up() -> None:
    run = Run(clients=0)
    for port in (STREAM, STREAM + 1):
        run.venue.open(port, run.now, "127.0.0.1")
    while len(run.over) < 2 and run.now < 60 * S:
        run.now = max(run.now, run.venue.deadline)
        run.take(run.venue.wake(run.now))
    assert set(run.over) == {STREAM, STREAM + 1}


@secure_or_not
def test_many_that_never_shake_hands_do_not_keep_a_proper_client_out(secure: bool) -> None:
    run = listening(secure)
    for place in range(3 * MAX_HALF_OPEN_OF_ONE):
        run.venue.open(STREAM + 10 + place, run.now, "127.0.0.1")
    client = run.connect(STREAM + 500)
    assert client.told(websocket.Opened)
    assert run.venue.counts.given_up == 2 * MAX_HALF_OPEN_OF_ONE + 1
    run.take(run.venue.wake(run.now))
    assert set(run.over) == {STREAM + 10 + place for place in range(2 * MAX_HALF_OPEN_OF_ONE + 1)}
    assert STREAM not in run.over


def test_handshakes_of_many_addresses_are_bounded_in_all_and_who_has_spoken_stays_longest() -> None:
    run = Run(clients=0)
    run.venue.open(STREAM, run.now, "127.0.0.1")
    run.take(run.venue.receive(b"\x16", run.now, STREAM))
    for place in range(1, 400):
        run.venue.open(STREAM + place, run.now, f"127.0.1.{place % 250}")
    run.take(run.venue.wake(run.now))
    assert set(run.over) == {STREAM + place for place in range(1, 401 - MAX_HALF_OPEN)}


@secure_or_not
def test_who_asks_and_is_gone_at_once_ends_nobody_but_itself(secure: bool) -> None:
    """A busy venue reads the question and the good-bye of a client that waited in vain in one piece."""
    run = Run(secure=secure, clients=1).run(0)
    port = STREAM + 1
    run.venue.open(port, run.now, "127.0.0.1")
    client = Client(run.now, secure=secure)
    flights = [b"".join(client.machine.transmit())]
    if secure:
        for _ in range(8):  # until TLS stands and the question waits here
            run.take(run.venue.receive(flights.pop(), run.now, port))
            client.take(client.machine.receive(b"".join(run.venue.transmit(port)), run.now))
            flights.append(b"".join(client.machine.transmit()))
            if client.told(tls.Established):
                break
        client.machine.lower.close(run.now)
        flights.append(b"".join(client.machine.transmit()))
    run.take(run.venue.receive(b"".join(flights), run.now, port))
    run.take(run.venue.end(run.now, port))
    assert port in run.over
    run.ask("public/subscribe", STREAM, channels=[CHANNEL])
    run.run(S)
    assert run.clients[STREAM].changes
