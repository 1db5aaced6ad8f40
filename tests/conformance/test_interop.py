"""Our client with servers of other makes, and clients of other makes with our server: plain, over TLS, compressed."""

import os
import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from netfeed.proto import tls, websocket
from netfeed.proto.stack import Stack
from netfeed.proto.websocket import Closed, Limits, Messages, Opened, Ponged, Requested, Who
from netfeed.transport.loop import Loop
from netfeed.transport.tcp import Listener, Stream, connect
from tests.conformance import peers
from tests.conformance.peers import CODE, MESSAGES, REASON
from tests.proto.certificates import NAME
from tests.proto.opposite import client_side, server_side

pytestmark = pytest.mark.net
S = 10**9
WHOLE = Limits()
FRAGMENTS = Limits(fragment_bytes=50_000)
KINDS = [("plain", False), ("plain", True), ("tls", False), ("tls", True)]


def run(loop: Loop, done: Callable[[], bool]) -> None:
    end = time.monotonic() + peers.TIMEOUT_S
    while not done():
        assert time.monotonic() < end, "it never happened"
        loop.turn(loop.clock() + S // 100)


def limits_for(make: str) -> Limits:
    """Send fragments to those who put them together."""
    return WHOLE if make == "picows" else FRAGMENTS


class Talk:
    """Our client: says the next message when the last one is heard, pings, and closes."""

    def __init__(self, loop: Loop, port: int, *, secure: bool, compression: bool, limits: Limits) -> None:
        now = loop.clock()
        self.client = websocket.Client(
            f"127.0.0.1:{port}", "/ws", now, random_bytes=os.urandom, compression=compression, limits=limits
        )
        machine: Any = Stack(tls.client(client_side(), NAME, now), self.client) if secure else self.client
        self.heard: list[str | bytes] = []
        self.events: list[Any] = []
        self.task = loop.add(machine, {0: connect("127.0.0.1", port)}, events=self.take)

    def take(self, events: Sequence[Any], now: int) -> None:
        for event in events:
            if isinstance(event, Messages):
                self.heard += [event.text(at) if event.is_text[at] else bytes(event[at]) for at in range(len(event))]
                self.say(now)
            else:
                self.events.append(event)
                if isinstance(event, Opened):
                    self.client.ping(now, b"rtt")
                    self.say(now)
                elif isinstance(event, Closed):
                    self.task.finish()

    def say(self, now: int) -> None:
        if len(self.heard) == len(MESSAGES):
            self.client.close(now, CODE, REASON)
            return
        message = MESSAGES[len(self.heard)]
        self.client.send_text(message) if isinstance(message, str) else self.client.send_binary(message)


@pytest.mark.parametrize(("over", "compression"), KINDS)
@pytest.mark.parametrize("make", peers.SERVERS)
def test_our_client_with_a_server_of_another_make(make: str, over: str, compression: bool) -> None:
    loop = Loop()
    context = server_side() if over == "tls" else None
    with peers.serving(peers.SERVERS[make], context, compression) as port:
        talk = Talk(loop, port, secure=over == "tls", compression=compression, limits=limits_for(make))
        run(loop, lambda: not talk.task.ports)
    loop.close()
    assert talk.heard == MESSAGES
    [opened] = [event for event in talk.events if isinstance(event, Opened)]
    assert opened.compressed is (compression and make != "picows")
    [ponged] = [event for event in talk.events if isinstance(event, Ponged)]
    assert 0 < ponged.rtt_ns < peers.TIMEOUT_S * S
    assert [event for event in talk.events if isinstance(event, Closed)][:1] == [Closed(CODE, REASON, Who.WE)]


class Echo:
    """Our server: accepts everybody and says everything back."""

    def __init__(self, loop: Loop, *, secure: bool, compression: bool, limits: Limits) -> None:
        self.loop, self.secure, self.compression, self.limits = loop, secure, compression, limits
        self.events: list[Any] = []
        self.tasks: list[Any] = []
        self.listener = Listener("127.0.0.1", 0, self.accepted)
        loop.watch(self.listener.fileno(), self.listener.ready)

    def accepted(self, stream: Stream, now: int) -> None:
        server = websocket.Server(now, compression=self.compression, limits=self.limits)
        machine: Any = Stack(tls.server(server_side(), now), server) if self.secure else server
        self.tasks.append(
            self.loop.add(machine, {0: stream}, events=lambda events, now: self.take(server, events, now))
        )

    def take(self, server: websocket.Server, events: Sequence[Any], now: int) -> None:
        for event in events:
            if isinstance(event, Messages):
                for at in range(len(event)):
                    server.send_text(bytes(event[at])) if event.is_text[at] else server.send_binary(event[at])
                continue
            self.events.append(event)
            if isinstance(event, Requested):
                assert event.target == "/ws"
                server.accept(now)
            elif isinstance(event, Closed):
                self.tasks[-1].finish()


@pytest.mark.parametrize(("over", "compression"), KINDS)
@pytest.mark.parametrize("make", peers.CLIENTS)
def test_our_server_with_a_client_of_another_make(make: str, over: str, compression: bool) -> None:
    loop = Loop()
    echo = Echo(loop, secure=over == "tls", compression=compression, limits=limits_for(make))
    context = client_side() if over == "tls" else None
    talk = peers.Talking(peers.CLIENTS[make], echo.listener.port, context, compression, NAME)
    run(loop, lambda: talk.is_over)
    echo.listener.close()
    loop.close()
    assert talk.error is None, repr(talk.error)
    assert talk.heard == MESSAGES
    [opened] = [event for event in echo.events if isinstance(event, Opened)]
    assert opened.compressed is (compression and make != "picows")
    assert [event for event in echo.events if isinstance(event, Closed)][:1] == [Closed(CODE, REASON, Who.PEER)]
