"""One machine over one connection on its own thread: it talks, wakes, stops, ends, and does not wait for the deaf."""

import socket
import threading
from collections.abc import Sequence
from typing import Any

import pytest

from netfeed.machine import NEVER, Buffer
from netfeed.transport.direct import Direct
from netfeed.transport.network import NetworkError
from netfeed.transport.tcp import connect

pytestmark = pytest.mark.net
S = 10**9


class Talk:
    """A stream machine: says what it is told to, keeps what it hears, and counts its wakes, one a `period`."""

    def __init__(self, say: bytes = b"", period: int = 0) -> None:
        self.out = [say] if say else []
        self.heard = b""
        self.wakes = 0
        self.ended = False
        self.period = period
        self.deadline = 0 if period else NEVER

    def receive(self, data: Buffer, now: int, port: int = 0) -> list[Any]:
        self.heard += bytes(data)
        return [bytes(data)]

    def wake(self, now: int) -> list[Any]:
        self.wakes += 1
        self.deadline = now + self.period
        return ["awake"]

    def transmit(self, port: int = 0) -> list[bytes]:
        out, self.out = self.out, []
        return out

    def end(self, now: int) -> list[Any]:
        self.ended = True
        return ["ended"]


class Server:
    """Accepts one connection, and does something with it in a thread."""

    def __init__(self, serve: Any) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self.run, args=(serve,))
        self.thread.start()

    def run(self, serve: Any) -> None:
        one = self.listener.accept()[0]
        one.settimeout(60)
        with one:
            serve(one)

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_: object) -> None:
        self.thread.join(60)
        self.listener.close()
        assert not self.thread.is_alive()


def echo(one: socket.socket) -> None:
    while data := one.recv(65536):
        one.sendall(data)


def leave(one: socket.socket) -> None:
    one.sendall(b"bye")


def test_a_machine_talks_and_answers_from_its_events() -> None:
    talk = Talk(b"0")

    def events(events: Sequence[Any], now: int) -> None:
        if len(talk.heard) == 100:
            direct.stop()
        else:
            talk.out.append(b"%d" % (len(talk.heard) % 10))

    with Server(echo) as server, Direct(talk, connect("127.0.0.1", server.port), events=events) as direct:
        direct.run()
    assert talk.heard == b"0123456789" * 10
    assert not talk.ended


def test_more_than_the_kernel_takes_at_once_is_sent_whole() -> None:
    talk = Talk(b"x" * 20_000_000)

    def swallow(one: socket.socket) -> None:
        left = 20_000_000
        while left:
            left -= len(one.recv(2**20))
        one.sendall(b"all")

    with Server(swallow) as server, Direct(talk, connect("127.0.0.1", server.port)) as direct:
        direct.run()
    assert talk.heard == b"all"


def test_the_end_of_the_peer_is_told_and_ends_the_run() -> None:
    talk, told = Talk(), list[Any]()
    with (
        Server(leave) as server,
        Direct(talk, connect("127.0.0.1", server.port), events=lambda events, now: told.extend(events)) as direct,
    ):
        direct.run()
    assert told == [b"bye", "ended"]


def test_deadlines_are_kept_while_nothing_comes() -> None:
    talk = Talk(period=S // 1000)

    def events(events: Sequence[Any], now: int) -> None:
        if talk.wakes == 5:
            direct.stop()

    with Server(echo) as server, Direct(talk, connect("127.0.0.1", server.port), events=events) as direct:
        direct.run()
    assert talk.wakes == 5


def test_another_thread_can_stop_it() -> None:
    talk = Talk()
    with Server(echo) as server, Direct(talk, connect("127.0.0.1", server.port)) as direct:
        thread = threading.Thread(target=direct.run)
        thread.start()
        direct.stop()
        thread.join(60)
        assert not thread.is_alive()


def test_a_refused_connection_is_an_error_with_the_address() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with Direct(Talk(), connect("127.0.0.1", port)) as direct, pytest.raises(NetworkError, match=f"127.0.0.1:{port}"):
        direct.run()


def test_a_peer_that_does_not_read_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netfeed.transport.direct.SEND_NS", S // 100)
    talk, over = Talk(b"x" * 50_000_000), threading.Event()
    with Server(lambda one: over.wait(60)) as server, Direct(talk, connect("127.0.0.1", server.port)) as direct:
        with pytest.raises(NetworkError, match="does not read"):
            direct.run()
        over.set()
