"""Connections over loopback: machines that talk, peers that close, refuse, or do not read."""

import os
import resource
from typing import Any

import pytest

from netfeed.machine import NEVER, Buffer
from netfeed.transport.endpoint import Endpoint
from netfeed.transport.loop import Loop
from netfeed.transport.network import NetworkError
from netfeed.transport.tcp import BACKLOG, Listener, Stream, connect

S = 10**9


class Sink:
    """A stream machine that keeps what it gets, and says what it is given."""

    deadline = NEVER

    def __init__(self, say: bytes = b"") -> None:
        self.out = [say] if say else []
        self.got = b""
        self.ended = False

    def receive(self, data: Buffer, now: int, port: int = 0) -> list[Any]:
        self.got += bytes(data)
        return [len(data)]

    def wake(self, now: int) -> list[Any]:
        return []

    def transmit(self, port: int = 0) -> list[bytes]:
        out, self.out = self.out, []
        return out

    def end(self, now: int) -> list[Any]:
        self.ended = True
        return ["ended"]


def serve(loop: Loop, machine: Sink, streams: list[Stream]) -> Listener:
    """Listen on loopback and give `machine` whoever connects."""

    def accepted(stream: Stream, now: int) -> None:
        streams.append(stream)
        loop.add(machine, {0: stream})

    listener = Listener("127.0.0.1", 0, accepted)
    loop.watch(listener.fileno(), listener.ready)
    return listener


@pytest.mark.net
def test_a_flood_of_connections_leaves_time_for_everything_else() -> None:
    streams: list[Stream] = []
    with Listener("127.0.0.1", 0, lambda stream, now: streams.extend((stream, again()))) as listener:

        def again() -> Stream:
            return connect("127.0.0.1", listener.port)

        streams.append(again())
        listener.ready(0)
        assert len(streams) == 1 + 2 * BACKLOG
    for stream in streams:
        stream.close()


@pytest.mark.net
def test_who_waits_when_no_descriptor_is_left_is_turned_away_and_does_not_wait_for_ever() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    accepted: list[Stream] = []
    with Listener("127.0.0.1", 0, lambda stream, now: accepted.append(stream)) as listener:
        clients = [connect("127.0.0.1", listener.port) for _ in range(3)]
        lowest = os.dup(0)
        os.close(lowest)
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
        try:
            for _ in clients:
                listener.ready(0)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert (accepted, listener.dropped) == ([], 3)
        for client in clients:
            client.socket.setblocking(True)
            assert client.socket.recv(1) == b""
            client.close()
        last = connect("127.0.0.1", listener.port)
        listener.ready(0)
        assert len(accepted) == 1
        for stream in (last, *accepted):
            stream.close()


@pytest.mark.net
def test_machines_talk_over_a_connection_and_hear_its_end() -> None:
    loop = Loop()
    server, client = Sink(b"welcome"), Sink(b"hello" * 100_000)
    streams: list[Stream] = []
    with serve(loop, server, streams) as listener:
        task = loop.add(client, {0: connect("127.0.0.1", listener.port)}, events=lambda events, now: loop.stop())
        loop.run(loop.clock() + 30 * S)
        assert client.got == b"welcome"
        loop.every(
            S // 1000, lambda now: (len(server.got) == 500_000 and task.close(), server.ended and loop.stop())[0]
        )
        loop.run(loop.clock() + 30 * S)
    assert server.got == b"hello" * 100_000
    assert server.ended
    loop.close()


@pytest.mark.net
def test_a_refused_connection_is_told_and_the_loop_goes_on() -> None:
    loop = Loop()
    with Listener("127.0.0.1", 0, lambda stream, now: None) as listener:
        port = listener.port
    failures: list[NetworkError] = []

    def failed(endpoint: Endpoint, error: NetworkError) -> None:
        failures.append(error)
        loop.stop()

    loop.add(Sink(), {0: connect("127.0.0.1", port)}, failed=failed)
    loop.run(loop.clock() + 30 * S)
    assert "refused" in str(failures[0])
    assert f"127.0.0.1:{port}" in str(failures[0])
    loop.close()


@pytest.mark.net
def test_a_peer_that_does_not_read_is_given_up_when_the_queue_is_full() -> None:
    accepted: list[Stream] = []
    with Listener("127.0.0.1", 0, lambda stream, now: accepted.append(stream)) as listener:
        client = connect("127.0.0.1", listener.port, max_queue_bytes=100_000)
        listener.ready(0)
        with pytest.raises(NetworkError, match="does not read"):
            for _ in range(1000):
                client.send([bytes(100_000)])
        assert client.queued_bytes > 100_000
        assert client.wants_write
        for one in (client, *accepted):
            one.close()
