"""A WebSocket over TLS is one machine on one socket: opened, spoken over and closed, however it is cut up."""

from typing import Any

import pytest

from netfeed.proto import tls, websocket
from netfeed.proto.stack import Stack
from netfeed.proto.tls import Closed, Ending
from tests.proto.certificates import NAME
from tests.proto.opposite import client_side, server_side


def key(count: int) -> bytes:
    return bytes(count)


def pair() -> tuple[Stack, Stack]:
    client = websocket.Client(NAME, "/ws", 0, random_bytes=key)
    here = Stack(tls.client(client_side(), NAME, 0), client)
    return here, Stack(tls.server(server_side(), 0), websocket.Server(0))


def carry(sender: Stack, receiver: Stack, step: int) -> list[Any]:
    out = b"".join(sender.transmit())
    told: list[Any] = []
    for at in range(0, len(out), step):
        told += receiver.receive(out[at : at + step], 0)
    return told


def texts(events: list[Any]) -> list[bytes]:
    return [bytes(event[at]) for event in events for at in range(len(event))]


@pytest.mark.parametrize("step", [1, 3, 50, 2**20])
def test_it_is_opened_spoken_over_and_closed(step: int) -> None:
    here, there = pair()
    asked: list[Any] = []
    for _ in range(3):
        asked += carry(here, there, step)
        carry(there, here, step)
    assert [type(event).__name__ for event in asked] == ["Established", "Requested"]
    there.upper.accept(0)  # type: ignore[attr-defined]
    opened = carry(there, here, step)
    assert [type(event).__name__ for event in opened] == ["Opened"]
    for number in range(20):
        there.upper.send_text(f"update {number} " + "x" * 40 * number)  # type: ignore[attr-defined]
    heard = texts(carry(there, here, step))
    assert [text.split()[1] for text in heard] == [b"%d" % number for number in range(20)]

    here.upper.close(0)  # type: ignore[attr-defined]
    told = carry(here, there, step)
    assert type(told[-1]).__name__ == "Closed"
    told = carry(there, here, step)
    assert type(told[-1]).__name__ == "Closed"
    assert not here.is_closed
    for one in (here, there):
        while one.deadline <= 0:
            assert [*one.wake(0)] == []
    both = [carry(here, there, step), carry(there, here, step)]
    assert both == [[Closed("we closed", Ending.CLEAN)], [Closed("we closed", Ending.CLEAN)]]
    assert (here.is_closed, there.is_closed) == (True, True)


def test_a_stream_that_is_cut_off_ends_both() -> None:
    here, there = pair()
    for _ in range(3):
        carry(here, there, 2**20)
        carry(there, here, 2**20)
    told = list(here.end(0))
    assert told[0].ending is Ending.TRUNCATED
    assert type(told[-1]).__name__ == "Closed"
    assert here.is_closed
