"""TLS over real sockets, with Python's own `ssl` on the other side: under the loop and under asyncio."""

import asyncio
import contextlib
import http.client as python_http
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from netfeed.proto import http, tls
from netfeed.proto.stack import Stack
from netfeed.proto.tls import Closed, Ending, Established, Received, Unverified
from netfeed.transport.aio import Driver
from netfeed.transport.dial import dial_async
from netfeed.transport.loop import Loop, Task
from netfeed.transport.tcp import Listener, Options, Stream, connect
from tests.proto import certificates
from tests.proto.certificates import NAME
from tests.proto.opposite import client_side, server_side

pytestmark = pytest.mark.net
S = 10**9


@contextlib.contextmanager
def served(context: ssl.SSLContext, serve: Callable[[ssl.SSLSocket], None], count: int = 1) -> Iterator[int]:
    """Run a blocking server of Python's `ssl` for some connections, and give its port."""
    raw = socket.create_server(("127.0.0.1", 0))
    raw.settimeout(60)

    def run() -> None:
        for _ in range(count):
            one = raw.accept()[0]
            one.settimeout(60)
            with contextlib.suppress(OSError), context.wrap_socket(one, server_side=True) as talk:
                serve(talk)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield raw.getsockname()[1]
    finally:
        thread.join(60)
        raw.close()
    assert not thread.is_alive()


def echo(talk: ssl.SSLSocket) -> None:
    """Say everything back in capitals, and close when the client does."""
    while data := talk.recv(65536):
        talk.sendall(data.upper())
    talk.unwrap()


class Told:
    """What a machine told; closes its task when the machine is over."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.task: Task | Driver | None = None
        self.then: Callable[[Any, int], None] = lambda event, now: None

    def take(self, events: Sequence[Any], now: int) -> None:
        for event in events:
            self.events.append(event)
            self.then(event, now)
            if isinstance(event, Closed) and self.task is not None:
                self.task.finish()

    @property
    def plain(self) -> bytes:
        return b"".join(event.data for event in self.events if isinstance(event, Received))


def run(loop: Loop, done: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not done():
        assert time.monotonic() < end, "it never happened"
        loop.turn(loop.clock() + S // 100)


def conversation(
    port: int, context: ssl.SSLContext, say: bytes, name: str = NAME, session: tls.Session | None = None
) -> tuple[list[Any], tls.Tls]:
    """Say something over the loop, close when it was all answered, and give what was told."""
    loop, told = Loop(), Told()
    talk = tls.client(context, name, loop.clock(), session=session)
    talk.send(say)

    def then(event: Any, now: int) -> None:
        if len(told.plain) == len(say):
            talk.close(now)

    told.then = then
    told.task = loop.add(talk, {0: connect("127.0.0.1", port)}, events=told.take)
    run(loop, lambda: talk.is_closed and not told.task.ports)  # type: ignore[union-attr]
    loop.close()
    return told.events, talk


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=lambda one: one.name)
def test_a_client_on_the_loop_speaks_with_a_server_of_another_make(version: ssl.TLSVersion) -> None:
    context = tls.client_context(certificates.trust())
    context.maximum_version = version
    with served(server_side(), echo) as port:
        events, _ = conversation(port, context, b"hello" * 100_000)
    assert isinstance(events[0], Established)
    assert b"".join(event.data for event in events[1:-1]) == b"HELLO" * 100_000
    assert events[-1] == Closed("we closed", Ending.CLEAN)


def test_a_session_is_gone_on_with_over_sockets() -> None:
    context = tls.client_context(certificates.trust())
    with served(server_side(), echo, 2) as port:
        first, talk = conversation(port, context, b"first")
        again, _ = conversation(port, context, b"again", session=talk.session)
    assert [events[0].session_reused for events in (first, again)] == [False, True]


def test_a_server_that_nobody_vouches_for_is_named_and_hears_why() -> None:
    def serve(talk: ssl.SSLSocket) -> None:
        raise AssertionError("the handshake must fail")

    context = tls.server_context(certificates.self_signed())
    with served(context, serve) as port:
        events, _ = conversation(port, client_side(), b"secret")
    assert isinstance(events[0], Unverified)
    assert events[0].certificate is not None
    assert events[0].certificate.names == (NAME,)
    assert events[1].ending is Ending.FAILED


def test_a_client_certificate_is_shown_to_a_server_that_wants_one() -> None:
    shown: list[Any] = []

    def serve(talk: ssl.SSLSocket) -> None:
        shown.append(talk.getpeercert())
        echo(talk)

    there = tls.server_context(certificates.good(), clients=certificates.trust())
    here = tls.client_context(certificates.trust(), identity=certificates.customer())
    with served(there, serve) as port:
        events, _ = conversation(port, here, b"it is me")
    assert events[-1].ending is Ending.CLEAN
    assert shown[0]["subjectAltName"] == (("email", "customer@venue.example"),)


def test_a_server_that_hangs_up_without_close_notify_is_told_apart() -> None:
    def serve(talk: ssl.SSLSocket) -> None:
        talk.recv(100)
        talk.sendall(b"half of it")
        talk.shutdown(socket.SHUT_RDWR)

    with served(server_side(), serve) as port:
        events, _ = conversation(port, client_side(), b"all of it, please")
    assert events[1:] == [
        Received(b"half of it"),
        Closed("the peer closed without close_notify", Ending.TRUNCATED),
    ]


def test_a_server_on_the_loop_speaks_with_a_client_of_another_make() -> None:
    """HTTP over TLS, as one machine: asked by Python's http.client."""
    loop, stacks = Loop(), []  # type: tuple[Loop, list[Stack]]

    def accepted(stream: Stream, now: int) -> None:
        stack = Stack(tls.server(server_side(), now), http.Server(now))
        stacks.append(stack)

        def take(events: Sequence[Any], now: int) -> None:
            for event in events:
                if isinstance(event, http.Request):
                    stack.upper.respond(200, event.target.encode() * 50_000, now)  # type: ignore[attr-defined]
                if isinstance(event, Closed):
                    task.finish()

        task = loop.add(stack, {0: stream}, events=take)

    got: list[bytes] = []

    def ask(port: int) -> None:
        one = python_http.HTTPSConnection("127.0.0.1", port, context=client_side(), timeout=60)
        for target in ("/a", "/bc"):
            one.request("GET", target)
            got.append(one.getresponse().read())
        one.close()

    with Listener("127.0.0.1", 0, accepted, options=Options(send_buffer_bytes=20_000)) as listener:
        loop.watch(listener.fileno(), listener.ready)
        thread = threading.Thread(target=ask, args=(listener.port,))
        thread.start()
        run(loop, lambda: bool(stacks) and stacks[0].is_closed and not loop.tasks)
        thread.join()
    assert got == [b"/a" * 50_000, b"/bc" * 50_000]
    loop.close()


def test_asyncio_drives_the_same_machine() -> None:
    async def talk(port: int) -> list[Any]:
        told = Told()
        stream = await dial_async([("127.0.0.1", port)])
        one = tls.client(client_side(), NAME, time.monotonic_ns())
        one.send(b"hello")

        def then(event: Any, now: int) -> None:
            if isinstance(event, Received):
                one.close(now)

        told.then = then
        async with Driver(one, {0: stream}, events=told.take) as driver:
            told.task = driver
            await asyncio.wait_for(driver.finished(), 60)
        return told.events

    with served(server_side(), echo) as port:
        events = asyncio.run(talk(port))
    assert events[1:] == [Received(b"HELLO"), Closed("we closed", Ending.CLEAN)]


def test_asyncios_own_tls_speaks_with_a_server_under_asyncio() -> None:
    async def talk() -> tuple[bytes, list[Any]]:
        accepted: list[Stream] = []
        told = Told()
        with Listener("127.0.0.1", 0, lambda stream, now: accepted.append(stream)) as listener:
            loop = asyncio.get_running_loop()
            come = asyncio.Event()
            loop.add_reader(listener.fileno(), lambda: (listener.ready(0), come.set()))
            opening = asyncio.create_task(
                asyncio.open_connection("127.0.0.1", listener.port, ssl=client_side(), server_hostname=NAME)
            )
            await asyncio.wait_for(come.wait(), 60)
            loop.remove_reader(listener.fileno())
            server = tls.server(server_side(), time.monotonic_ns())

            def then(event: Any, now: int) -> None:
                if isinstance(event, Received):
                    server.send(event.data.upper())

            told.then = then
            async with Driver(server, {0: accepted[0]}, events=told.take) as driver:
                told.task = driver
                reader, writer = await asyncio.wait_for(opening, 60)
                writer.write(b"hello")
                got = await asyncio.wait_for(reader.readexactly(5), 60)
                writer.close()
                await asyncio.wait_for(driver.finished(), 60)
                with contextlib.suppress(ssl.SSLError):
                    await writer.wait_closed()
        return got, told.events

    got, events = asyncio.run(talk())
    assert got == b"HELLO"
    assert events[-1] == Closed("the peer closed", Ending.CLEAN)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl(1) is not installed")
def test_the_stream_goes_on_after_key_updates_of_openssl() -> None:
    loop, told, servers = Loop(), Told(), []  # type: tuple[Loop, Told, list[tls.Tls]]

    def accepted(stream: Stream, now: int) -> None:
        servers.append(tls.server(server_side(), now))
        told.task = loop.add(servers[0], {0: stream}, events=told.take)

    with Listener("127.0.0.1", 0, accepted) as listener:
        loop.watch(listener.fileno(), listener.ready)
        command = ["openssl", "s_client", "-connect", f"127.0.0.1:{listener.port}", "-tls1_3", "-servername", NAME]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as peer:
            assert peer.stdin is not None
            run(loop, lambda: bool(told.events))
            for number in range(3):  # s_client takes a line of K alone for a command
                for line in (b"K\n", b"line %d\n" % number):
                    heard = servers[0].statistics().wire_in_bytes
                    peer.stdin.write(line)
                    peer.stdin.flush()
                    run(loop, lambda heard=heard: servers[0].statistics().wire_in_bytes > heard)  # type: ignore[misc]
                servers[0].send(b"heard\n")  # with it goes the answer to the update
                told.task.kick()  # type: ignore[union-attr]
            peer.stdin.write(b"Q\n")
            peer.stdin.flush()
            run(loop, lambda: servers[0].is_closed)
            said, _ = peer.communicate(timeout=60)
    assert told.plain == b"line 0\nline 1\nline 2\n"
    assert said.count(b"heard\n") == 3
    assert said.count(b"KEYUPDATE") == 3
    assert told.events[-1].ending is Ending.CLEAN
    loop.close()
