"""The other side of a WebSocket, made of bytes: machines that are open already, and frames good and bad."""

import zlib
from collections.abc import Callable, Sequence
from random import Random
from typing import Any, NamedTuple

from netfeed.proto import websocket
from netfeed.wire.websocket import BINARY, CLOSE, COMPRESSED, FINAL, PING, PONG, TEXT, encode

KEY = b"\x37\xfa\x21\x3d"


class Message(NamedTuple):
    """One message of a batch."""

    is_text: bool
    payload: bytes


def unbatched(events: Sequence[Any]) -> list[Any]:
    """Take batches apart: one event for each message."""
    told: list[Any] = []
    for event in events:
        if isinstance(event, websocket.Messages):
            told += [Message(bool(event.is_text[at]), bytes(event[at])) for at in range(len(event))]
        else:
            told.append(event)
    return told


def no_entropy(count: int) -> bytes:
    return bytes(range(1, 5)) * (count // 4)


def new_client(**options: Any) -> websocket.Client:
    return websocket.Client("venue", "/ws", 0, random_bytes=no_entropy, **options)


def pair(
    *, client: dict[str, Any] | None = None, server: dict[str, Any] | None = None, now: int = 0, **options: Any
) -> tuple[websocket.Client, websocket.Server]:
    """Give a client and a server that are open to each other."""
    one = websocket.Client("venue", "/ws", now, random_bytes=no_entropy, **options, **(client or {}))
    two = websocket.Server(now, **options, **(server or {}))
    two.receive(b"".join(one.transmit()), now)
    two.accept(now)
    two.wake(now)
    one.receive(b"".join(two.transmit()), now)
    assert one.is_open
    assert two.is_open
    return one, two


def client(**options: Any) -> websocket.Client:
    return pair(**options)[0]


def server(**options: Any) -> websocket.Server:
    return pair(**options)[1]


def deflated(payload: bytes) -> bytes:
    """Deflate a message that refers to none before it."""
    deflate = zlib.compressobj(wbits=-15)
    return (deflate.compress(payload) + deflate.flush(zlib.Z_SYNC_FLUSH))[:-4]


def frames(random: Random, key: Callable[[], bytes | None]) -> bytes:
    """Draw what a peer may send, mostly sense: plain frames, fragments, compressed ones, controls, a few mistakes."""
    text = random.choice([b"", b"ascii " * random.randrange(40), "gr\u00fc\u00dfe \u20ac \U0001f600".encode() * 3])
    part = random.randrange(len(text) + 1)
    data = random.randbytes(random.choice([0, 1, 125, 126, 400]))
    choices = [
        lambda: encode(FINAL | TEXT, text, key()) + encode(FINAL | BINARY, data, key()),
        lambda: encode(FINAL | TEXT, text * 2, key()),
        lambda: encode(TEXT, text[:part], key()) + encode(FINAL, text[part:], key()),
        lambda: encode(BINARY, data, key()) + encode(FINAL | PING, b"amid", key()) + encode(FINAL, data, key()),
        lambda: encode(FINAL | COMPRESSED | TEXT, deflated(text), key()),
        lambda: encode(COMPRESSED | BINARY, b"", key()) + encode(FINAL, deflated(data), key()),
        lambda: encode(FINAL | PING, data[:125], key()),
        lambda: encode(FINAL | PONG, bytes(7) + b"\x01", key()),
    ]
    if random.random() < 0.02:
        choices = [
            lambda: encode(FINAL | TEXT, b"\xff", key()),
            lambda: encode(FINAL | BINARY, bytes(5001), key()),
            lambda: encode(FINAL | COMPRESSED | BINARY, deflated(bytes(10**6)), key()),
            lambda: encode(FINAL | CLOSE, b"\x03\xe8bye", key()),
            lambda: encode(FINAL | 0x20 | TEXT, b"", key()),
        ]
    return random.choice(choices)()


def from_server(random: Random) -> bytes:
    return frames(random, lambda: None)


def from_client(random: Random) -> bytes:
    return frames(random, lambda: random.choice([KEY, bytes(4), b"abcd"]))


REQUEST = b"".join(new_client().transmit())
HEAD = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"


def answer(**options: Any) -> bytes:
    """Give what a server answers to `new_client`."""
    one = websocket.Server(0, **options)
    one.receive(REQUEST, 0)
    one.accept(0)
    return b"".join(one.transmit())


ANSWER = answer()


def answers(random: Random) -> bytes:
    return random.choice([
        ANSWER, ANSWER + from_server(random), HEAD + b"\r\n", b"HTTP/1.1 403 No\r\ncontent-length: 2\r\n\r\nno",
        b"HTTP/1.1 100 Continue\r\n\r\n", ANSWER.replace(b"\r\n\r\n", b"\r\nsec-websocket-protocol: x\r\n\r\n"),
    ])  # fmt: skip


def requests(random: Random) -> bytes:
    return random.choice([
        REQUEST, REQUEST + from_client(random), REQUEST.replace(b"13", b"8"), b"GET / HTTP/1.1\r\nhost: a\r\n\r\n",
    ])  # fmt: skip
