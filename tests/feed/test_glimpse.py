"""A snapshot over TCP: one connection at a time, whole or not at all, later again when it failed."""

from typing import Any

import pytest

from netfeed.errors import MisuseError
from netfeed.feed.glimpse import Glimpse, Snapshot, SnapshotFailed
from netfeed.machine import NEVER, StreamMachine
from netfeed.wire import glimpse as wire
from netfeed.wire import soupbintcp as soup

S = 1_000_000_000
MESSAGES = [b"R" + bytes(38), b"A" + bytes(35), b"A" + bytes(35)]


def fetching(**options: Any) -> Glimpse:
    """Give a client whose connection has just been opened."""
    client = Glimpse("user", "word", jitter=lambda: 0.0, **options)
    client.want(0)
    client.opened(0)
    return client


def sent(*messages: bytes, first: int = 1, end: int | None = 900) -> bytes:
    packets: list[soup.Packet] = [soup.LoginAccepted("GLIMPSE", first), *map(soup.SequencedData, messages)]
    if end is not None:
        packets.append(soup.SequencedData(wire.encode_end_of_snapshot(end)))
    return b"".join(map(soup.encode, packets))


def failed(events: Any) -> list[str]:
    return [event.reason for event in events if isinstance(event, SnapshotFailed)]


def test_it_is_a_stream_machine() -> None:
    assert isinstance(Glimpse(), StreamMachine)


def test_it_connects_only_when_a_snapshot_is_wanted_and_asks_for_message_one() -> None:
    client = Glimpse("user", "word")
    assert (client.connect, client.deadline, client.wanted) == (False, NEVER, False)
    client.want(5)
    client.want(6)
    assert client.connect
    client.opened(7)
    (login,) = client.transmit()
    assert soup.decode(login) == (soup.LoginRequest("user", "word", "", 1), len(login))
    assert not client.connect


def test_what_comes_up_to_the_end_of_the_snapshot_is_one_event() -> None:
    client = fetching()
    (event,) = client.receive(sent(*MESSAGES), 5)
    records = b"".join(len(message).to_bytes(2) + message for message in MESSAGES)
    assert event == Snapshot("GLIMPSE", 900, 3, records, 0, 5)
    assert (client.finished, client.wanted, client.deadline) == (True, False, NEVER)
    assert client.receive(sent(*MESSAGES), 6) == []
    assert client.end(7) == []
    assert (client.connect, client.statistics().taken) == (False, 1)


def test_the_next_snapshot_waits_a_pause_even_after_success() -> None:
    client = fetching()
    client.receive(sent(*MESSAGES), 5)
    client.end(6)
    client.want(7)
    assert (client.connect, client.deadline) == (False, S + 5)
    client.wake(S + 5)
    assert client.connect


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (sent(*MESSAGES, end=None) + soup.encode(soup.EndOfSession()), "the session ended before the snapshot did"),
        (soup.encode(soup.LoginRejected("A")), "the login was rejected: A"),
        (sent(first=17), "the server begins with message 17"),
        (sent(b"G" + b"x" * 20), "GLIMPSE sequence is not a number at byte 1"),
        (sent(b"G"), "not a GLIMPSE End of Snapshot"),
        (sent(b""), "an empty message"),
        (b"\0\0\0\0", "malformed bytes"),
        (soup.encode(soup.SequencedData(b"A")), "a packet out of place"),
    ],
)
def test_what_is_not_a_whole_snapshot_is_not_told(data: bytes, why: str) -> None:
    client = fetching()
    events = client.receive(data, 5)
    assert len(events) == 1
    assert failed(events)[0].startswith(why)
    assert (client.finished, client.wanted) == (True, True)


def test_a_snapshot_beyond_the_bound_is_refused() -> None:
    assert failed(fetching(max_bytes=100).receive(sent(*MESSAGES), 5)) == ["more than 100 bytes"]


def test_a_connection_that_closes_early_is_tried_again_later_each_time() -> None:
    client = fetching(max_pause_ns=4 * S)
    now, pauses = 0, []
    for _ in range(5):
        (event,) = client.end(now)
        assert isinstance(event, SnapshotFailed)
        assert not client.connect
        pauses.append((client.deadline - now) // S)
        now = client.deadline
        client.wake(now)
        assert client.connect
        client.opened(now)
    assert pauses == [1, 2, 4, 4, 4]


def test_a_connection_that_cannot_be_opened_is_a_failure_too() -> None:
    client = Glimpse()
    client.want(0)
    assert failed(client.end(5)) == ["no connection"]
    assert client.deadline > 5


def test_a_server_that_goes_silent_or_never_ends_is_given_up() -> None:
    client = fetching(timeout_ns=60 * S)
    client.receive(sent(end=None), 1)
    events: list[Any] = []
    now = 0
    while not events:
        now = client.deadline
        events += client.wake(now)
        client.transmit()
    assert (failed(events), now) == (["the peer is silent"], 15 * S + 1)
    client = fetching(timeout_ns=60 * S, patience_ns=60 * S + 1)
    client.receive(sent(end=None), 1)
    for second in range(1, 60):
        assert client.receive(soup.encode(soup.ServerHeartbeat()), second * S) == []
    assert failed(client.wake(60 * S)) == ["the snapshot took too long"]


def test_heartbeats_are_nothing_of_a_snapshot() -> None:
    for answered in (False, True):  # a login that is lost, a server that is stuck behind one
        client = fetching(patience_ns=5 * S)
        if answered:
            client.receive(sent(MESSAGES[0], end=None), S)
        end = 6 * S if answered else 5 * S
        while client.deadline < end:
            assert client.wake(client.deadline) == []
            client.receive(soup.encode(soup.ServerHeartbeat()), client.deadline - 1)
            client.transmit()
        assert client.deadline == end
        assert failed(client.wake(end)) == ["nothing more of the snapshot came"]


def test_a_large_snapshot_may_take_its_time_as_long_as_more_of_it_comes() -> None:
    client = fetching(patience_ns=5 * S)
    client.receive(sent(end=None), 0)
    for second in range(4, 100, 4):
        client.wake(second * S)
        client.transmit()
        assert client.receive(soup.encode(soup.SequencedData(MESSAGES[1])), second * S) == []
    (event,) = client.receive(soup.encode(soup.SequencedData(wire.encode_end_of_snapshot(9))), 100 * S)
    assert isinstance(event, Snapshot)
    assert event.messages == 24


def test_snapshots_that_are_wanted_again_and_again_are_fetched_less_and_less_often() -> None:
    client = Glimpse("user", "word", max_pause_ns=8 * S)
    now, pauses = 0, []
    for _ in range(6):
        client.want(now)
        if not client.connect:
            pauses.append((client.deadline - now) // S)
            now = client.deadline
            client.wake(now)
        client.opened(now)
        client.receive(sent(*MESSAGES), now)
        client.end(now)
    assert pauses == [1, 2, 4, 8, 8]


def test_a_connection_that_nobody_asked_for_is_the_callers_mistake() -> None:
    with pytest.raises(MisuseError, match="no connection was asked for"):
        Glimpse().opened(0)
    with pytest.raises(MisuseError):
        Glimpse(pause_ns=0)
