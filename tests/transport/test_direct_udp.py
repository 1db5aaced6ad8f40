"""One machine on one UDP socket, spinning or asleep: stamped, answered to whom it is due, and stopped."""

import threading
import time
from collections.abc import Sequence
from typing import Any

import pytest

from netfeed.errors import NetfeedError
from netfeed.machine import NEVER, Buffer
from netfeed.transport.direct_udp import MAX_KNOWN, DirectUdp
from netfeed.transport.endpoint import To
from netfeed.transport.udp import open_unicast

pytestmark = pytest.mark.net
SECOND = 1_000_000_000


class Echo:
    """Says back what it hears, and keeps when the kernel had it."""

    def __init__(self, says: Sequence[bytes] = ()) -> None:
        self.out = list(says)
        self.stamps: list[int] = []
        self.heard: list[bytes] = []
        self.deadline = NEVER
        self.woken = 0

    def stamp(self, kernel_ns: int) -> None:
        self.stamps.append(kernel_ns)

    def receive(self, data: Buffer, now: int, port: int = 0) -> list[Any]:
        self.heard.append(bytes(data))
        self.out.append(bytes(data).upper())
        return [bytes(data)]

    def wake(self, now: int) -> list[Any]:
        self.woken, self.deadline = self.woken + 1, NEVER
        return ["woken"]

    def transmit(self, port: int = 0) -> list[bytes]:
        out, self.out = self.out, []
        return out


@pytest.mark.parametrize("spin", [False, True])
def test_it_says_back_to_who_asked_and_knows_when_the_kernel_had_it(spin: bool) -> None:
    echo = Echo()
    with open_unicast("127.0.0.1") as server:
        clients = [open_unicast(peer=("127.0.0.1", server.port)) for _ in range(2)]
        told: list[Any] = []
        driver = DirectUdp(
            echo, server, size=100, spin=spin, events=lambda events, now: told.extend(events),
            stop=lambda: len(echo.heard) >= 4, last=lambda data, now: data + b"!",
        )  # fmt: skip
        before = time.time_ns()
        for number in range(4):
            clients[number % 2].send(b"from %d" % (number % 2))
        driver.run()
        back = [[one.data for one in client.receive()] for client in clients]
        for client in clients:
            client.close()
    assert back == [[b"FROM 0!"] * 2, [b"FROM 1!"] * 2]
    assert told == echo.heard
    assert len(echo.stamps) == 4
    assert all(before - SECOND < stamp for stamp in echo.stamps)
    assert len(driver._known) == 2 < MAX_KNOWN


def test_a_deadline_wakes_the_machine() -> None:
    echo = Echo()
    echo.deadline = time.monotonic_ns() + 1_000_000
    with open_unicast("127.0.0.1") as one:
        told: list[Any] = []
        DirectUdp(
            echo, one, size=100, events=lambda events, now: told.extend(events), stop=lambda: echo.woken > 0
        ).run()  # fmt: skip
    assert told == ["woken"]


def test_a_datagram_that_is_longer_than_expected_is_none_that_is_known() -> None:
    echo = Echo()
    with open_unicast("127.0.0.1") as server, open_unicast(peer=("127.0.0.1", server.port)) as client:
        client.send(b"x" * 500)
        DirectUdp(echo, server, size=100, stop=lambda: bool(echo.heard)).run()
    assert echo.heard == [b""]


def test_a_host_where_nobody_listens_is_counted() -> None:
    with open_unicast("127.0.0.1") as gone:
        port = gone.port
    echo = Echo([b"anybody?"])
    with open_unicast(peer=("127.0.0.1", port)) as one:
        driver = DirectUdp(echo, one, size=100, to=To.PEER, stop=lambda: driver.refused > 0)
        driver.run()
    assert driver.refused == 1


def test_what_no_link_carries_is_an_error() -> None:
    with open_unicast(peer=("127.0.0.1", 9)) as one, pytest.raises(NetfeedError, match="70000 bytes"):
        DirectUdp(Echo([b"x" * 70_000]), one, size=100, to=To.PEER).run()


def test_it_can_be_stopped_from_another_thread() -> None:
    stop = threading.Event()
    with open_unicast("127.0.0.1") as one:
        thread = threading.Thread(target=DirectUdp(Echo(), one, size=100, stop=stop.is_set).run)
        thread.start()
        stop.set()
        thread.join(60)
    assert not thread.is_alive()
