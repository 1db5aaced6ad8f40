"""The listener's side: how many at once, and what happens when no descriptor is left."""

import os
import resource
import socket

import pytest

from netfeed.transport.network import NetworkError
from netfeed.transport.tcp import KeepAlive, Listener, Options, Stream, connect
from netfeed.transport.tcp_listener import MAX_ACCEPTED
from tests.transport.waiting import until

pytestmark = pytest.mark.net


def several(port: int, count: int) -> list[Stream]:
    streams = [connect("127.0.0.1", port) for _ in range(count)]
    for stream in streams:
        until(lambda stream=stream: (stream.flush(), stream.connected)[-1])  # type: ignore[misc]
    return streams


def test_those_who_come_too_many_at_once_are_accepted_in_the_next_turn() -> None:
    accepted: list[Stream] = []
    with Listener("127.0.0.1", 0, lambda stream, now: accepted.append(stream)) as listener:
        clients = several(listener.port, MAX_ACCEPTED + 3)
        listener.ready(0)
        assert len(accepted) == MAX_ACCEPTED
        listener.ready(0)
        assert len(accepted) == listener.statistics().accepted == MAX_ACCEPTED + 3
    for one in (*clients, *accepted):
        one.close()


def test_only_so_many_may_be_open_at_once() -> None:
    accepted: list[Stream] = []
    with Listener("127.0.0.1", 0, lambda stream, now: accepted.append(stream), max_open=2) as listener:
        clients = several(listener.port, 3)
        listener.ready(0)
        assert (len(accepted), listener.statistics().turned_away) == (2, 1)
        until(lambda: gone(clients[2]))
        accepted[0].close()
        clients += several(listener.port, 1)
        listener.ready(0)
        assert (len(accepted), listener.statistics().turned_away) == (3, 1)
    for one in (*clients, *accepted):
        one.close()


def test_who_is_accepted_has_the_options_of_the_listener() -> None:
    accepted: list[Stream] = []
    options = Options(keep_alive=KeepAlive(11, 7, 4), receive_buffer_bytes=30_000)
    with Listener("127.0.0.1", 0, lambda stream, now: accepted.append(stream), options=options) as listener:
        clients = several(listener.port, 1)
        listener.ready(0)
    one = accepted[0].socket
    assert one.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 11
    assert one.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) == 60_000
    for stream in (*clients, *accepted):
        stream.close()


def test_who_comes_when_no_descriptor_is_left_is_turned_away_and_nobody_spins() -> None:
    accepted: list[Stream] = []
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with Listener("127.0.0.1", 0, lambda stream, now: accepted.append(stream)) as listener:
        clients = several(listener.port, 2)
        highest = max(int(fd) for fd in os.listdir("/proc/self/fd"))
        filler = [os.dup(0) for _ in range(highest + 1 - len(os.listdir("/proc/self/fd")))]
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(filler, default=highest) + 1, hard))
        try:
            more = []
            while True:
                try:
                    more.append(os.dup(0))
                except OSError:
                    break
            listener.ready(0)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            for fd in (*filler, *more):
                os.close(fd)
        assert (accepted, listener.statistics().turned_away) == ([], 2)
        for client in clients:
            until(lambda client=client: gone(client))  # type: ignore[misc]
        later = several(listener.port, 1)
        listener.ready(0)
        assert len(accepted) == 1
    for stream in (*clients, *later, *accepted):
        stream.close()


def gone(client: Stream) -> bool:
    try:
        client.receive()
    except NetworkError:
        return True
    return client.ended


def test_a_client_that_says_nothing_is_not_accepted_where_that_is_deferred() -> None:
    accepted: list[Stream] = []
    with Listener("127.0.0.1", 0, lambda stream, now: accepted.append(stream), defer_accept_s=30) as listener:
        quiet, loud = several(listener.port, 2)
        loud.send([b"hello"])
        until(lambda: (listener.ready(0), bool(accepted))[-1])
        assert len(accepted) == 1
        assert b"".join(map(bytes, accepted[0].receive())) == b"hello"
    for one in (quiet, loud, *accepted):
        one.close()


def test_a_port_that_is_taken_is_an_error_that_names_it() -> None:
    with (
        Listener("127.0.0.1", 0, lambda stream, now: None) as listener,
        pytest.raises(NetworkError, match=f"127.0.0.1:{listener.port}: Address already in use"),
    ):
        Listener("127.0.0.1", listener.port, lambda stream, now: None)
