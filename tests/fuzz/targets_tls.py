"""Fuzz targets of TLS: any bytes in the middle of a handshake, and a damaged stream after it, end in events.

However it was cut up, the same is told; nothing that was forged is handed over.
"""

from collections.abc import Callable
from typing import Any

from netfeed.proto.tls import Closed, Received
from tests.proto import opposite
from tests.proto.opposite import BABBLES, CLOSES, FORGES


def cut(make: Callable[[], Any], data: bytes) -> None:
    """Give bytes whole and in two, and compare."""
    whole, parts = make(), make()
    expected = opposite.joined([*whole.receive(data, 0), *whole.end(1)])
    told = [*parts.receive(data[: len(data) // 2], 0), *parts.receive(data[len(data) // 2 :], 0), *parts.end(1)]
    assert opposite.joined(told) == expected
    assert isinstance(expected[-1], Closed)


def server_handshake(data: bytes) -> None:
    """Give a server that waits for a hello whatever comes."""
    cut(opposite.shaking_server, data)


def client_handshake(data: bytes) -> None:
    """Give a client that said hello whatever comes."""
    cut(opposite.shaking_client, data)


def stream(data: bytes) -> None:
    """Say something over TLS, with a bit falling over here and there: what was said before it is heard, and no more."""
    client = opposite.client()
    told = opposite.joined(client.receive(data, 0))
    heard = b"".join(event.data for event in told if isinstance(event, Received))
    ends = bytes([CLOSES, FORGES, BABBLES, opposite.LEAVES])
    first = min((at for at in map(data.find, (ends[at : at + 1] for at in range(4))) if at >= 0), default=len(data))
    assert heard[:first] == data[:first]
    if data[first : first + 1] != bytes([opposite.LEAVES]):
        assert heard == data[:first]


TARGETS: dict[str, Callable[[bytes], None]] = {
    "server_handshake": server_handshake,
    "client_handshake": client_handshake,
    "stream": stream,
}

CORPUS: dict[str, list[bytes]] = {
    "server_handshake": [opposite.hello(), b"GET / HTTP/1.1\r\n\r\n", b"\x15\x03\x03\x00\x02\x02\x28"],
    "client_handshake": [opposite.welcome(), b"\x15\x03\x03\x00\x02\x02\x28"],
    "stream": [b"plaintext", b"a" * 500 + bytes([FORGES]) + b"b", b"abc" + bytes([CLOSES]), bytes([BABBLES])],
}
