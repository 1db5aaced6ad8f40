"""Fuzz targets of WebSocket: both sides, in the handshake and after it; the finder of frames; offers of extensions."""

from collections.abc import Callable

from netfeed.build import select
from netfeed.proto.websocket import Client, Closed, Limits, Messages, Server
from netfeed.proto.websocket_deflate import agreed, answer
from netfeed.wire import websocket as wire
from tests.proto import websocket_peers as peers

LIMITS = Limits(frame_bytes=3000, message_bytes=3000)
KEY = peers.KEY


def followed(side: Client | Server, data: bytes) -> None:
    """Tell a side everything in pieces of a size that the bytes say; nothing follows the one Closed."""
    step = 1 + (data[0] if data else 0)
    for at in range(0, len(data), step):
        over = side.is_closed
        events = side.receive(data[at : at + step], at)
        assert not (over and events)
        assert sum(isinstance(event, Closed) for event in events) == int(side.is_closed and not over)
        assert all(len(event[-1]) <= LIMITS.message_bytes for event in events if isinstance(event, Messages))
        side.transmit()
    side.end(len(data))
    assert side.is_closed


def client(data: bytes) -> None:
    """Frames of a server."""
    followed(peers.client(limits=LIMITS), data)


def server(data: bytes) -> None:
    """Frames of a client."""
    followed(peers.server(limits=LIMITS), data)


def handshake_of_client(data: bytes) -> None:
    """What answers a client's request."""
    followed(peers.new_client(limits=LIMITS), data)


def handshake_of_server(data: bytes) -> None:
    """What asks a server."""
    followed(Server(0, limits=LIMITS), data)


def finder(data: bytes) -> None:
    """The frame finder, at a client and at a server; every place lies in what it gives."""
    for masked in (False, True):
        for kind in (select("websocket", "netfeed.wire.websocket", "Finder"), wire.Finder):
            stop, batch = kind(masked, 3000).find(data, 0)
            assert 0 <= stop <= len(data)
            if batch is None:
                continue
            for at in range(len(batch)):
                start, length = batch.places[at, 0], batch.places[at, 1]
                assert 0 <= start <= start + length <= len(batch.data)
                assert not batch.is_text[at] or wire.is_utf8(bytes(batch[at]))


def offers(data: bytes) -> None:
    """A header of extensions; what is agreed to is understood by who reads the answer."""
    text = data.decode("latin-1")
    agreed(text)
    chosen = answer(text)
    assert chosen is None or agreed(chosen[1].decode()) == chosen[0]


TARGETS: dict[str, Callable[[bytes], None]] = {
    "client": client,
    "server": server,
    "handshake_of_client": handshake_of_client,
    "handshake_of_server": handshake_of_server,
    "finder": finder,
    "offers": offers,
}


def _frames(key: bytes | None) -> list[bytes]:
    text = "gr\u00fc\u00dfe \u20ac \U0001f600".encode()
    deflated = peers.deflated(text * 5)
    return [
        b"".join(wire.encode(0x81 + at % 2, text * at, key) for at in range(9)),
        wire.encode(0x01, text[:5], key) + wire.encode(0x89, b"amid", key) + wire.encode(0x80, text[5:], key),
        wire.encode(0x41, deflated[:3], key) + wire.encode(0x80, deflated[3:], key),
        wire.encode(0xC2, deflated, key) + wire.encode(0x8A, b"", key) + wire.encode(0x88, b"\x03\xe8bye", key),
        wire.encode(0x82, bytes(70_000), key)[:300],
    ]


CORPUS: dict[str, list[bytes]] = {
    "client": _frames(None),
    "server": _frames(KEY),
    "finder": [*_frames(None), *_frames(KEY)],
    "handshake_of_client": [peers.ANSWER + _frames(None)[0], b"HTTP/1.1 403 No\r\ncontent-length: 2\r\n\r\nno"],
    "handshake_of_server": [peers.REQUEST + _frames(KEY)[0]],
    "offers": [
        b"permessage-deflate; client_max_window_bits, permessage-deflate",
        b'a; b="c"; server_max_window_bits=9',
    ],
}
