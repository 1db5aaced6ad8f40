"""TLS machines with somebody opposite, so that they can be driven by plain bytes: records are drawn by chance.

`Opposite` finishes the handshake; from then on the bytes that it is given are what the peer (Python's own `ssl`) says,
but for a few that make it do something else, and what it gives out is what the peer understood. `Shaking` is given
records as they are, in the middle of a handshake, and gives out of which kinds its own are.
"""

import contextlib
import functools
import re
import ssl
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from netfeed.proto import http, tls
from netfeed.proto.stack import Stack
from tests.proto import certificates

CLOSES, FORGES, BABBLES, LEAVES = 0xFE, 0xFD, 0xFC, 0xFB
"""Bytes that mean: the peer says close_notify; a bit falls over; no TLS comes; this side closes."""
_STEPS = re.compile(rb"[\xfb-\xfe]|[^\xfb-\xfe]+")


@functools.cache
def client_side(alpn: Sequence[str] = ()) -> ssl.SSLContext:
    """Give a context that trusts the tests' authority."""
    return tls.client_context(certificates.trust(), alpn=alpn)


@functools.cache
def server_side(alpn: Sequence[str] = ()) -> ssl.SSLContext:
    """Give the venue's context."""
    return tls.server_context(certificates.good(), alpn=alpn)


class Peer:
    """Python's `ssl` on the other side."""

    def __init__(self, *, server: bool) -> None:
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        context = server_side() if server else client_side()
        name = None if server else certificates.NAME
        self.talk = context.wrap_bio(self.incoming, self.outgoing, server_side=server, server_hostname=name)

    def shake(self) -> None:
        """Go on with the handshake."""
        with contextlib.suppress(ssl.SSLWantReadError):
            self.talk.do_handshake()

    def hear(self, data: bytes) -> list[bytes]:
        """Take records, and give what they meant."""
        self.incoming.write(data)
        heard: list[bytes] = []
        with contextlib.suppress(ssl.SSLWantReadError):
            try:
                while part := self.talk.read(2**16):
                    heard.append(part)
                heard.append(b"<close_notify>")
            except ssl.SSLZeroReturnError:
                heard.append(b"<close_notify>")
            except ssl.SSLWantReadError:
                raise
            except ssl.SSLError as error:
                heard.append(f"<{error.reason}>".encode())
        return heard


class Opposite:
    """A machine over TLS, and its peer."""

    def __init__(self, machine: Any, peer: Peer, close: Callable[[Any, int], None] | None = None) -> None:
        self.machine, self._peer = machine, peer
        self._close = close
        for _ in range(4):
            peer.incoming.write(b"".join(machine.transmit()))
            peer.shake()
            machine.receive(peer.outgoing.read(), 0)

    @property
    def deadline(self) -> int:
        deadline: int = self.machine.deadline
        return deadline

    @property
    def is_closed(self) -> bool:
        return bool(self.machine.is_closed)

    def receive(self, data: Any, now: int, port: int = 0) -> list[Any]:
        told: list[Any] = []
        for step in _STEPS.findall(bytes(data)):
            if step[0] == LEAVES and self._close is not None:
                self._close(self.machine, now)
                continue
            records = self._said(step)
            half = len(records) // 2
            told += [*self.machine.receive(records[:half], now), *self.machine.receive(records[half:], now)]
        return told

    def wake(self, now: int) -> Sequence[Any]:
        woken: Sequence[Any] = self.machine.wake(now)
        return woken

    def end(self, now: int) -> Sequence[Any]:
        ended: Sequence[Any] = self.machine.end(now)
        return ended

    def transmit(self, port: int = 0) -> list[bytes]:
        out = b"".join(self.machine.transmit())
        return self._peer.hear(out) if out else []

    def _said(self, step: bytes) -> bytes:
        if step[0] == BABBLES:
            return b"HTTP/1.1 400 Bad Request\r\n\r\n"
        with contextlib.suppress(ssl.SSLError):
            self._peer.talk.unwrap() if step[0] == CLOSES else self._peer.talk.write(step)
        records = bytearray(self._peer.outgoing.read())
        if step[0] == FORGES and records:
            records[-1] ^= 1
        return bytes(records)


def joined(events: Sequence[Any]) -> list[Any]:
    """Give events with adjacent plaintext as one: how the stream was cut up."""
    told: list[Any] = []
    for event in events:
        if told and isinstance(event, tls.Received) and isinstance(told[-1], tls.Received):
            told[-1] = tls.Received(told[-1].data + event.data)
        else:
            told.append(event)
    return told


def said(random: Random) -> bytes:
    """Draw what a peer says: mostly plaintext, seldom the end."""
    if random.random() < 0.03:
        return bytes([random.choice([CLOSES, FORGES, BABBLES, LEAVES])])
    return bytes(random.randrange(200) for _ in range(random.randrange(1, 60)))


def close(machine: Any, now: int) -> None:
    """Close a TLS machine."""
    machine.close(now)


def client() -> Opposite:
    """Give a client whose handshake is over."""
    return Opposite(tls.client(client_side(), certificates.NAME, 0), Peer(server=True), close)


def server() -> Opposite:
    """Give a server whose handshake is over."""
    return Opposite(tls.server(server_side(), 0), Peer(server=False), close)


def http_stack(requests: int) -> Stack[tls.Tls, http.Client]:
    """Give an HTTP client over TLS that waits for responses."""
    upper = http.Client(certificates.NAME, limits=http.Limits(header_bytes=2000, body_bytes=2000))
    for _ in range(requests):
        upper.request("GET", "/", 0)
    return Stack(tls.client(client_side(), certificates.NAME, 0), upper)


def http_over_tls() -> Opposite:
    """Give the same with its handshake over."""
    return Opposite(http_stack(20), Peer(server=True))


def shaking_stack() -> "Shaking":
    """Give the same in its handshake."""
    return Shaking(http_stack(1))


class Shaking:
    """A machine in the middle of its handshake."""

    def __init__(self, machine: tls.Tls | Stack[tls.Tls, http.Client]) -> None:
        self.machine = machine

    @property
    def deadline(self) -> int:
        return self.machine.deadline

    @property
    def is_closed(self) -> bool:
        return self.machine.is_closed

    def receive(self, data: Any, now: int, port: int = 0) -> Sequence[Any]:
        return self.machine.receive(data, now, port)

    def wake(self, now: int) -> Sequence[Any]:
        return self.machine.wake(now)

    def end(self, now: int) -> Sequence[Any]:
        return self.machine.end(now)

    def transmit(self, port: int = 0) -> list[bytes]:
        kinds, out, at = bytearray(), b"".join(self.machine.transmit()), 0
        while at < len(out):
            kinds.append(out[at])
            at += 5 + int.from_bytes(out[at + 3 : at + 5], "big")
        return [bytes(kinds)] if kinds else []


def shaking_client() -> Shaking:
    """Give a client that has said hello."""
    return Shaking(tls.client(client_side(), certificates.NAME, 0))


def shaking_server() -> Shaking:
    """Give a server that waits for it."""
    return Shaking(tls.server(server_side(), 0))


@functools.cache
def hello() -> bytes:
    """Give a client's first word."""
    return b"".join(tls.client(client_side(), certificates.NAME, 0).transmit())


@functools.cache
def welcome() -> bytes:
    """Give a server's answer to it, which is not for any other client."""
    one = tls.server(server_side(), 0)
    one.receive(hello(), 0)
    return b"".join(one.transmit())


def of_a_handshake(random: Random) -> bytes:
    """Draw records of somebody else's handshake, whole or in part."""
    record = random.choice([hello(), welcome(), b"\x15\x03\x03\x00\x02\x02\x28", b"\x14\x03\x03\x00\x01\x01"])
    cut = random.randrange(len(record))
    return random.choice([record, record[:cut], record[cut:]])
