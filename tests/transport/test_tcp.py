"""Connections over loopback: machines that talk, peers that close, refuse, reset, or do not read."""

import errno
import time
from typing import Any

import pytest

from netfeed.errors import MisuseError
from netfeed.machine import NEVER, Buffer
from netfeed.transport.endpoint import Endpoint
from netfeed.transport.loop import Loop
from netfeed.transport.network import NetworkError
from netfeed.transport.task import LINGER_NS
from netfeed.transport.tcp import Listener, Options, Stream, connect
from netfeed.transport.tcp_options import PLAIN
from tests.transport.waiting import until

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
        client = connect("127.0.0.1", listener.port, options=Options(max_queue_bytes=100_000))
        listener.ready(0)
        with pytest.raises(NetworkError, match="does not read"):
            for _ in range(1000):
                client.send([bytes(100_000)])
        assert client.queued_bytes > 100_000
        assert client.wants_write
        for one in (client, *accepted):
            one.close()


def joined(options: Options = PLAIN, there: Options = PLAIN) -> tuple[Stream, Stream, Listener]:
    """Connect over loopback, and give both ends."""
    accepted: list[Stream] = []
    listener = Listener("127.0.0.1", 0, lambda stream, now: accepted.append(stream), options=there)
    client = connect("127.0.0.1", listener.port, options=options)
    until(lambda: (client.flush(), listener.ready(0), client.connected and bool(accepted))[-1])
    return client, accepted[0], listener


def read(stream: Stream, count: int) -> bytes:
    """Read until so many bytes have come."""
    got = bytearray()
    until(lambda: (got.extend(b"".join(bytes(part) for part in stream.receive())), len(got) >= count)[-1])
    return bytes(got)


def closed(*several: Stream | Listener) -> None:
    for one in several:
        one.close()


@pytest.mark.net
def test_what_is_read_is_a_view_of_one_buffer_that_the_next_read_overwrites() -> None:
    client, server, listener = joined()
    client.send([b"first"])
    views: list[Any] = []
    until(lambda: bool(views.extend(server.receive()) or views))
    assert bytes(views[0]) == b"first"
    client.send([b"second"])
    assert read(server, 6) == b"second"
    assert bytes(views[0]) == b"secon"
    closed(client, server, listener)


@pytest.mark.net
def test_many_parts_are_sent_in_order_and_only_the_rest_is_kept() -> None:
    client, server, listener = joined(Options(send_buffer_bytes=10_000))
    parts = [bytes([number % 251]) * 3 for number in range(50_000)]
    client.send(parts)
    assert 0 < client.queued_bytes < 150_000
    got = bytearray()
    while len(got) < 150_000:
        got += read(server, 1)
        client.flush()
    assert bytes(got) == b"".join(parts)
    assert client.queued_bytes == 0
    assert client.sent_bytes == 150_000 == server.received_bytes
    closed(client, server, listener)


@pytest.mark.net
def test_a_slow_reader_is_told_at_the_high_watermark_and_again_at_the_low_one() -> None:
    options = Options(send_buffer_bytes=10_000, high_bytes=300_000, low_bytes=50_000, max_queue_bytes=10**7)
    client, server, listener = joined(options, Options(receive_buffer_bytes=10_000))
    told: list[bool] = []
    client.on_pressure = told.append
    while not client.paused:
        client.send([bytes(50_000)])
    client.send([bytes(50_000)])
    assert told == [True]
    total = client.queued_bytes + client.sent_bytes
    while client.paused:
        server.receive()
        client.flush()
    assert told == [True, False]
    assert 0 < client.queued_bytes <= 50_000
    found = client.statistics()
    assert (found.pauses, found.most_queued_bytes > 300_000) == (1, True)
    while server.received_bytes < total:
        server.receive()
        client.flush()
    closed(client, server, listener)


@pytest.mark.net
@pytest.mark.parametrize("waits", [False, True])
def test_each_side_can_end_sending_and_still_hear_the_other(waits: bool) -> None:
    client, server, listener = joined(Options(send_buffer_bytes=10_000))
    question = b"q" * (2_000_000 if waits else 10)
    client.send([question])
    assert (client.queued_bytes > 0) is waits
    client.end_sending()
    with pytest.raises(MisuseError, match="has ended"):
        client.send([b"more"])
    got = bytearray()
    until(lambda: (client.flush(), got.extend(b"".join(map(bytes, server.receive()))), server.ended)[-1])
    assert bytes(got) == question
    server.send([b"answer"])
    server.end_sending()
    assert read(client, 6) == b"answer"
    until(lambda: not client.receive() and client.ended)
    closed(client, server, listener)


@pytest.mark.net
def test_a_reset_is_told_apart_from_an_end() -> None:
    client, server, listener = joined()
    server.reset()
    with pytest.raises(NetworkError, match="took no notice") as caught:
        until(lambda: bool(client.receive()) or client.ended)
    assert caught.value.errno == errno.ECONNRESET
    assert not client.ended
    closed(client, listener)


@pytest.mark.net
def test_the_kernel_stamps_what_comes() -> None:
    client, server, listener = joined(there=Options(stamps=True))
    assert server.statistics().stamp_ns is None
    before = time.time_ns()

    def stamped() -> bool:  # the first who asks on a host has them a moment later: the kernel switches them on then
        client.send([b"now"])
        assert read(server, 3) == b"now"
        return server.statistics().stamp_ns is not None

    until(stamped)
    stamp = server.statistics().stamp_ns
    assert stamp is not None
    assert before <= stamp <= time.time_ns()
    closed(client, server, listener)


@pytest.mark.net
def test_the_account_has_the_kernels_own() -> None:
    client, server, listener = joined(Options(quick_ack=True))
    client.send([b"hello"])
    assert read(server, 5) == b"hello"
    server.send([b"hi"])
    assert read(client, 2) == b"hi"
    found = client.statistics()
    assert (found.received_bytes, found.sent_bytes, found.reads, found.connected) == (2, 5, 1, True)
    assert found.tcp is not None
    assert (found.tcp.state, found.tcp.retransmits, found.tcp.lost) == ("established", 0, 0)
    assert found.tcp.rtt_ns > 0
    closed(client, server, listener)
    assert client.statistics().tcp is None


@pytest.mark.net
def test_what_the_machine_says_to_the_end_is_sent_before_the_connection_closes() -> None:
    """A peer that ends sending hears the last word, however long it takes to read it."""

    class Polite(Sink):
        def end(self, now: int) -> list[Any]:
            self.out.append(b"farewell" * 200_000)
            return super().end(now)

    loop = Loop()
    server, streams = Polite(), []  # type: tuple[Polite, list[Stream]]
    with serve(loop, server, streams) as listener:
        client = connect("127.0.0.1", listener.port)
        until(lambda: (client.flush(), client.connected)[-1])
        client.end_sending()
        got = bytearray()

        def look() -> bool:
            loop.turn(loop.clock() + S // 1000)
            got.extend(b"".join(map(bytes, client.receive())))
            return client.ended

        until(look)
        assert bytes(got) == b"farewell" * 200_000
        assert server.ended
        assert streams[0].fileno() == -1
    client.close()
    loop.close()


@pytest.mark.net
def test_a_task_finishes_when_both_sides_have_ended() -> None:
    loop = Loop()
    server, client, streams = Sink(), Sink(b"all of it" * 100_000), []  # type: tuple[Sink, Sink, list[Stream]]
    with serve(loop, server, streams) as listener:
        stream = connect("127.0.0.1", listener.port)
        task = loop.add(client, {0: stream})
        until(lambda: (loop.turn(loop.clock() + S // 1000), stream.connected)[-1])
        task.finish()
        until(lambda: (loop.turn(loop.clock() + S // 1000), stream.fileno() < 0)[-1])
    assert server.got == b"all of it" * 100_000
    assert (server.ended, client.ended, task.ports) == (True, True, {})
    assert task not in loop.tasks
    loop.close()


@pytest.mark.net
def test_a_peer_that_never_ends_is_closed_after_a_while() -> None:
    now = [0]
    loop = Loop(clock=lambda: now[0])
    client, server, listener = joined()
    task = loop.add(Sink(), {0: client})
    task.finish()
    assert task.deadline == LINGER_NS
    now[0] = LINGER_NS
    loop.turn(now[0])
    assert client.fileno() == -1
    closed(server, listener)
    loop.close()
