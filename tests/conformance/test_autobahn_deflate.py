"""The cases of permessage-deflate of the Autobahn suite (12 and 13), at our client and at our server.

The suite sends a thousand messages of each size from five files; ours are made of the same kinds of data, and fewer in
the default run. The peer deflates and inflates with zlib alone.
"""

import json
import zlib
from random import Random

import pytest

from netfeed.proto.websocket import Client, Closed, Messages, Server
from netfeed.proto.websocket_handshake import accepted
from netfeed.wire.websocket import BINARY, COMPRESSED, FINAL, TEXT, encode, head, mask
from tests.proto.websocket_peers import KEY, no_entropy

ROWS = [
    (16, 0), (64, 0), (256, 0), (1024, 0), (4096, 0), (8192, 0), (16384, 0), (32768, 0), (65536, 0), (131072, 0),
    (8192, 256), (16384, 256), (32768, 256), (65536, 256), (131072, 256), (131072, 1024), (131072, 4096),
    (131072, 32768),
]  # fmt: skip
"""Bytes of a message, and of a fragment (0: none)."""

DRAWS = Random(12)
WORDS = ["".join(DRAWS.choices("abcdefghijklmnopqrstuvwxyz", k=DRAWS.randrange(2, 11))) for _ in range(400)]
QUOTES = [
    {"name": DRAWS.choice(WORDS), "bid": DRAWS.random(), "levels": DRAWS.choices(range(99), k=9)} for _ in range(700)
]


def image() -> bytes:
    """Grey levels that change slowly, with noise."""
    return bytes((x * x // 97 + y * 3 + DRAWS.randrange(9)) % 256 for y in range(256) for x in range(256))


DATA = {
    1: (BINARY, " ".join(DRAWS.choices(WORDS, k=25_000)).encode()),
    2: (BINARY, image()),
    3: (BINARY, zlib.compress(DRAWS.randbytes(60_000)) + " ".join(DRAWS.choices(WORDS, k=9000)).encode()),
    4: (TEXT, json.dumps(QUOTES).encode()),
    5: (TEXT, "".join(f"<tr><td>{one}</td></tr>\n" for one in DRAWS.choices(WORDS, k=6000)).encode()),
}
"""Human readable text, an image, a document, JSON, HTML."""

BITS = "permessage-deflate; client_max_window_bits"
NO = "; server_no_context_takeover"
OFFERS = {
    1: BITS,
    2: BITS + NO,
    3: BITS + "; server_max_window_bits=8",
    4: BITS + "; server_max_window_bits=15",
    5: BITS + NO + "; server_max_window_bits=8",
    6: BITS + NO + "; server_max_window_bits=15",
    7: ", ".join([BITS + NO + "; server_max_window_bits=8", BITS + NO, BITS]),
}
CLIENT_NO = "permessage-deflate; client_no_context_takeover"
ANSWERS = {
    1: "permessage-deflate",
    2: CLIENT_NO,
    3: "permessage-deflate; client_max_window_bits=8",
    4: "permessage-deflate; client_max_window_bits=15",
    5: CLIENT_NO + "; client_max_window_bits=8",
    6: CLIENT_NO + "; client_max_window_bits=15",
    7: CLIENT_NO + "; client_max_window_bits=8",
}


class Peer:
    """The other side: zlib with the parameters that were agreed, and an echo that is checked."""

    def __init__(self, side: Client | Server, agreed: str) -> None:
        self.side = side
        self.key = KEY if isinstance(side, Server) else None
        ours = "client" if isinstance(side, Server) else "server"
        theirs = "server" if isinstance(side, Server) else "client"
        self.keeps, self.they_keep = (f"{who}_no_context_takeover" not in agreed for who in (ours, theirs))
        self.deflate, self.inflate = zlib.compressobj(wbits=-15), zlib.decompressobj(-15)
        self.compressed = 0

    def frames(self, opcode: int, payload: bytes, fragment: int) -> bytes:
        data = (self.deflate.compress(payload) + self.deflate.flush(zlib.Z_SYNC_FLUSH))[:-4]
        if not self.keeps:
            self.deflate = zlib.compressobj(wbits=-15)
        size = fragment or len(data)
        parts = [data[at : at + size] for at in range(0, len(data), size)]
        firsts = [
            (0 if at else opcode | COMPRESSED) | (FINAL if at + 1 == len(parts) else 0) for at in range(len(parts))
        ]
        return b"".join(encode(first, part, self.key) for first, part in zip(firsts, parts, strict=True))

    def read(self, data: bytes) -> tuple[int, bytes]:
        """Read one message of one frame."""
        found = head(data)
        assert found is not None
        assert found.first & FINAL
        payload = data[found.size :]
        assert len(payload) == found.length
        if found.is_masked:
            payload = mask(payload, data[found.size - 4 : found.size])
        if found.first & COMPRESSED:
            self.compressed += 1
            payload = self.inflate.decompress(payload + b"\x00\x00\xff\xff")
            if not self.they_keep:
                self.inflate = zlib.decompressobj(-15)
        return found.first & 0x0F, payload


def open_server(offers: str) -> tuple[Server, str]:
    side = Server(0)
    request = [
        "GET / HTTP/1.1", "Host: a", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", f"Sec-WebSocket-Extensions: {offers}", "", "",
    ]  # fmt: skip
    side.receive("\r\n".join(request).encode(), 0)
    side.accept(0)
    side.wake(0)
    answer = b"".join(side.transmit()).decode()
    [agreed] = [line.split(": ")[1] for line in answer.split("\r\n") if line.lower().startswith("sec-websocket-ext")]
    return side, agreed


def open_client(answer: str) -> tuple[Client, str]:
    side = Client("a", "/", 0, random_bytes=no_entropy)
    request = b"".join(side.transmit()).decode()
    [key] = [line.split(": ")[1] for line in request.split("\r\n") if line.lower().startswith("sec-websocket-key")]
    response = [
        "HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade",
        f"Sec-WebSocket-Accept: {accepted(key.encode()).decode()}", f"Sec-WebSocket-Extensions: {answer}", "", "",
    ]  # fmt: skip
    side.receive("\r\n".join(response).encode(), 0)
    assert side.is_open
    return side, answer


def exchange(peer: Peer, opcode: int, source: bytes, size: int, fragment: int, count: int) -> None:
    """Send messages one by one and see each echoed as it was sent."""
    source = source * (1 + size // len(source))
    for turn in range(count):
        start = turn * size % (len(source) - size + 1)
        payload = source[start : start + size]
        for event in peer.side.receive(peer.frames(opcode, payload, fragment), 1):
            assert isinstance(event, Messages), event
            peer.side.send_text(bytes(event[0])) if event.is_text[0] else peer.side.send_binary(event[0])
        assert peer.read(b"".join(peer.side.transmit())) == (opcode, payload)
    peer.side.close(2)
    assert isinstance(peer.side.receive(encode(0x88, b"\x03\xe8", peer.key), 2)[-1], Closed)


def count_of(size: int) -> int:
    return max(2, min(10, 2**15 // size))


sides = pytest.mark.parametrize("side", ["client", "server"])


def cases(letter: str, numbers: range, quick: int) -> pytest.MarkDecorator:
    """Give every row of these sub-sections; the big ones are slow but in one of them."""
    return pytest.mark.parametrize(
        ("number", "row"),
        [
            pytest.param(
                number, row, id=f"{letter}.{number}.{row}",
                marks=[pytest.mark.slow] if size > 2**15 and number != quick else [],
            )
            for number in numbers
            for row, (size, _) in enumerate(ROWS, 1)
        ],
    )  # fmt: skip


def opened(side: str, offers: str, answer: str) -> Peer:
    return Peer(*(open_server(offers) if side == "server" else open_client(answer)))


@sides
@cases("12", range(1, 6), quick=4)
def test_messages_of_every_size_and_kind_are_echoed(number: int, row: int, side: str) -> None:
    size, fragment = ROWS[row - 1]
    peer = opened(side, BITS, "permessage-deflate")
    exchange(peer, *DATA[number], size, fragment, count_of(size))
    assert bool(peer.compressed) is (size >= 64)


@sides
@cases("13", range(1, 8), quick=1)
def test_messages_are_echoed_under_every_agreement(number: int, row: int, side: str) -> None:
    size, fragment = ROWS[row - 1]
    peer = opened(side, OFFERS[number], ANSWERS[number])
    exchange(peer, *DATA[4], size, fragment, count_of(size))
    assert bool(peer.compressed) is (size >= 64 and number not in (3, 5, 7)), "a window of 8 bits is not deflated with"


@pytest.mark.slow
@sides
@pytest.mark.parametrize("row", range(1, 19))
@pytest.mark.parametrize("kind", DATA, ids=lambda kind: f"12.{kind}")
def test_many_messages_of_every_size_and_kind_are_echoed(kind: int, row: int, side: str) -> None:
    size, fragment = ROWS[row - 1]
    exchange(opened(side, BITS, "permessage-deflate"), *DATA[kind], size, fragment, max(20, min(1000, 2**19 // size)))
