"""A hostile peer of a WebSocket: a named code, one mistake counted, bounded memory, and no time without end.

One table of what a peer may do wrong in frames, told to both sides whole and byte by byte; one of handshakes.
"""

import zlib
from dataclasses import dataclass
from typing import Any

import pytest

from netfeed.machine import NEVER
from netfeed.proto import http
from netfeed.proto.websocket import Client, Closed, Code, Limits, Malformed, Messages, Server, TimedOut, Timing, Who
from netfeed.wire.websocket import BINARY, CLOSE, COMPRESSED, FINAL, PING, PONG, TEXT, encode
from tests.picture import weight
from tests.proto.websocket_peers import ANSWER, KEY, REQUEST, client, deflated, new_client, server, unbatched

MOST = 6_000
LIMITS = Limits(frame_bytes=MOST, message_bytes=MOST, fragments=50, controls=40)
BOMB = deflated(bytes(5 * 10**6))
assert len(BOMB) < MOST


@dataclass(frozen=True)
class Frame:
    """One frame of a peer, not yet masked."""

    first: int
    payload: bytes = b""


WRONG: list[tuple[str, int, list[Frame]]] = [
    ("reserved bit 1 without compression", Code.PROTOCOL_ERROR, [Frame(FINAL | 0x40 | PING)]),
    ("reserved bit 2", Code.PROTOCOL_ERROR, [Frame(FINAL | 0x20 | TEXT, b"x")]),
    ("reserved bit 3", Code.PROTOCOL_ERROR, [Frame(FINAL | 0x10 | BINARY, b"x")]),
    *[
        (f"reserved opcode {opcode}", Code.PROTOCOL_ERROR, [Frame(FINAL | opcode, b"x")])
        for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)
    ],
    ("a ping in fragments", Code.PROTOCOL_ERROR, [Frame(PING, b"x")]),
    ("a close in fragments", Code.PROTOCOL_ERROR, [Frame(CLOSE, b"\x03\xe8")]),
    ("a ping of 126 bytes", Code.PROTOCOL_ERROR, [Frame(FINAL | PING, bytes(126))]),
    ("a pong of 700 bytes", Code.PROTOCOL_ERROR, [Frame(FINAL | PONG, bytes(700))]),
    ("a continuation of nothing", Code.PROTOCOL_ERROR, [Frame(FINAL, b"x")]),
    ("a message within a message", Code.PROTOCOL_ERROR, [Frame(TEXT, b"x"), Frame(FINAL | TEXT, b"y")]),
    ("a compressed continuation", Code.PROTOCOL_ERROR, [Frame(COMPRESSED | TEXT), Frame(FINAL | COMPRESSED, b"\0")]),
    ("a text that is no UTF-8", Code.INVALID_DATA, [Frame(FINAL | TEXT, b"a\xff")]),
    ("a text that stops in a character", Code.INVALID_DATA, [Frame(FINAL | TEXT, b"\xe2\x82")]),
    ("UTF-8 that is wrong over fragments", Code.INVALID_DATA, [Frame(TEXT, b"\xe2"), Frame(0, b"\x28"), Frame(0)]),
    ("a character that no fragment ends", Code.INVALID_DATA, [Frame(TEXT, b"\xf0\x9f"), Frame(FINAL, b"\x98")]),
    ("compressed text that is no UTF-8", Code.INVALID_DATA, [Frame(FINAL | COMPRESSED | TEXT, deflated(b"a\xff"))]),
    ("what does not inflate", Code.INVALID_DATA, [Frame(FINAL | COMPRESSED | BINARY, b"\xff\xff\xff")]),
    ("deflate that ends for ever", Code.INVALID_DATA, [Frame(FINAL | COMPRESSED | BINARY, b"\x03\x00" * 1000)]),
    ("a frame beyond the bound", Code.TOO_BIG, [Frame(FINAL | BINARY, bytes(MOST + 1))]),
    ("a text beyond the bound", Code.TOO_BIG, [Frame(FINAL | TEXT, b"a" * (MOST + 1))]),
    ("fragments beyond the bound", Code.TOO_BIG, [Frame(BINARY, bytes(4000)), Frame(0, bytes(4000))]),
    ("a bomb", Code.TOO_BIG, [Frame(FINAL | COMPRESSED | BINARY, BOMB)]),
    ("a bomb in fragments", Code.TOO_BIG, [Frame(COMPRESSED | TEXT, BOMB[:99]), Frame(FINAL, BOMB[99:])]),
    ("empty fragments without end", Code.POLICY_VIOLATION, [Frame(TEXT), *[Frame(0)] * 50]),
    ("fragments of one byte without end", Code.POLICY_VIOLATION, [Frame(TEXT), *[Frame(0, b"x")] * 60]),
    ("a close of one byte", Code.PROTOCOL_ERROR, [Frame(FINAL | CLOSE, b"\x03")]),
    *[
        (f"a close with code {code}", Code.PROTOCOL_ERROR, [Frame(FINAL | CLOSE, code.to_bytes(2))])
        for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535)
    ],
    ("a close whose reason is no UTF-8", Code.INVALID_DATA, [Frame(FINAL | CLOSE, b"\x03\xe8\xff")]),
    ("a close of 126 bytes", Code.PROTOCOL_ERROR, [Frame(FINAL | CLOSE, b"\x03\xe8" + b"x" * 124)]),
]  # fmt: skip
RAW: list[tuple[str, int, bytes]] = [
    ("a length of 126 in two bytes too many", Code.PROTOCOL_ERROR, b"\x82%c\x00\x05"),
    ("a length in eight bytes too many", Code.PROTOCOL_ERROR, b"\x82%c\x00\x00\x00\x00\x00\x00\x00\x05"),
    ("a length of 2**63", Code.PROTOCOL_ERROR, b"\x82%c\x80\x00\x00\x00\x00\x00\x00\x00"),
    ("a frame that never ends", Code.TOO_BIG, b"\x82%c\x7f\xff\xff\xff\xff\xff\xff\xff"),
]
"""Heads with the place where the length, 126 or 127, and the mask bit go."""

CASES = [(what, code, b"".join(encode(one.first, one.payload) for one in frames)) for what, code, frames in WRONG]
CASES += [(what, code, head % (126 if len(head) == 5 else 127)) for what, code, head in RAW]
CASES += [("a masked frame", Code.PROTOCOL_ERROR, encode(FINAL | TEXT, b"x", KEY))]
MASKED = [(what, code, b"".join(encode(one.first, one.payload, KEY) for one in frames)) for what, code, frames in WRONG]
MASKED += [(what, code, head % (254 if len(head) == 5 else 255) + KEY) for what, code, head in RAW]
MASKED += [("a frame without a mask", Code.PROTOCOL_ERROR, encode(FINAL | TEXT, b"x"))]


def sent_code(data: bytes, is_client: bool) -> int:
    """Give the code of the close frame that was sent last."""
    at = data.rindex(bytes([FINAL | CLOSE]), 0, len(data))
    start = at + 6 if is_client else at + 2
    key = data[at + 2 : at + 4] if is_client else b"\0\0"
    return int.from_bytes(bytes(a ^ b for a, b in zip(data[start : start + 2], key, strict=True)))


def check(side: Client | Server, data: bytes, code: int, step: int) -> None:
    side.transmit()
    good = encode(FINAL | TEXT, b"good", KEY if isinstance(side, Server) else None)
    events: list[Any] = []
    stream = good + data
    for at in range(0, len(stream), step):
        events += unbatched(side.receive(stream[at : at + step], 1))
    assert weight(side) < 500_000
    assert bytes(events[0].payload) == b"good"
    malformed, closed = events[-2:]
    assert isinstance(malformed, Malformed)
    assert malformed.code == code
    assert closed == Closed(code, malformed.what, Who.WE)
    assert len(events) == 3
    assert sent_code(b"".join(side.transmit()), isinstance(side, Client)) == code
    assert side.statistics().malformed == 1
    assert side.is_closed
    assert side.deadline == NEVER


@pytest.mark.parametrize("step", [10**9, 1])
@pytest.mark.parametrize(("what", "code", "data"), CASES, ids=[case[0] for case in CASES])
def test_a_client_ends_with_the_code_of_the_mistake(what: str, code: int, data: bytes, step: int) -> None:
    check(client(limits=LIMITS), data, code, step)


@pytest.mark.parametrize("step", [10**9, 1])
@pytest.mark.parametrize(("what", "code", "data"), MASKED, ids=[case[0] for case in MASKED])
def test_a_server_ends_with_the_code_of_the_mistake(what: str, code: int, data: bytes, step: int) -> None:
    check(server(limits=LIMITS), data, code, step)


@pytest.mark.parametrize("step", [10**9, 1])
def test_compression_that_was_not_agreed_is_a_mistake(step: int) -> None:
    for side, key in ((client(compression=False), None), (server(compression=False), KEY)):
        check(side, encode(FINAL | COMPRESSED | TEXT, deflated(b"x"), key), Code.PROTOCOL_ERROR, step)


def test_a_wrong_text_is_not_waited_for() -> None:
    for side, key in ((client(), None), (server(), KEY)):
        frame = encode(FINAL | TEXT, b"a" * 1000 + b"\xff" + b"a" * 98_999, key)
        head = len(frame) - 100_000
        assert side.receive(frame[: head + 1000], 1) == []
        assert [type(event) for event in side.receive(frame[head + 1000 : head + 1001], 1)] == [Malformed, Closed]


def test_a_character_that_is_cut_is_waited_for() -> None:
    text = "\u20ac\U0001f600\u00e9".encode() * 20
    for side, key in ((client(), None), (server(), KEY)):
        frame = encode(FINAL | TEXT, text, key)
        for at in range(len(frame) - 1):
            assert side.receive(frame[at : at + 1], 1) == []
        [batch] = side.receive(frame[-1:], 1)
        assert isinstance(batch, Messages)
        assert bytes(batch[0]) == text


def test_the_last_byte_of_the_bound_is_allowed_and_the_next_is_not() -> None:
    one = client(limits=LIMITS)
    for data in (
        encode(FINAL | BINARY, bytes(MOST)),
        encode(BINARY, bytes(MOST - 1)) + encode(FINAL, b"x"),
        encode(FINAL | COMPRESSED | BINARY, deflated(bytes(MOST))),
        encode(COMPRESSED | BINARY, b"") + encode(FINAL, deflated(bytes(MOST))),
    ):
        [message] = unbatched(one.receive(data, 1))
        assert len(message.payload) == MOST
    wrong = one.receive(encode(FINAL | COMPRESSED | BINARY, deflated(bytes(MOST + 1))), 1)
    assert [type(event) for event in wrong] == [Malformed, Closed]


def test_a_frame_that_comes_byte_by_byte_for_ever_keeps_no_more_than_its_bound() -> None:
    one = client(limits=LIMITS)
    empty = weight(one)
    one.receive(encode(FINAL | BINARY, bytes(MOST))[:-1], 1)
    assert weight(one) < empty + 3 * MOST
    fragments = client(limits=LIMITS)
    fragments.receive(encode(BINARY, b""), 1)
    for _ in range(2000):
        fragments.receive(encode(0, b""), 1)
    assert weight(fragments) < empty + 3 * MOST


def test_a_frame_in_small_pieces_is_looked_at_once() -> None:
    """Count the bytes that are judged early; each piece with all before it would be 2,000 times as many."""
    judged = 0

    class Counting:
        def decode(self, data: bytes) -> str:
            nonlocal judged
            judged += len(data)
            return ""

        def reset(self) -> None: ...

    one = client()
    one._talk._reader._early = Counting()  # type: ignore[assignment]
    frame = encode(FINAL | TEXT, b"a" * 40_000)
    for at in range(0, len(frame), 10):
        events = one.receive(frame[at : at + 10], 1)
    assert len(unbatched(events)) == 1
    assert judged <= len(frame)


def test_fragments_that_bring_something_may_be_many() -> None:
    one = client(limits=LIMITS)
    data = encode(TEXT, b"a" * 16) + encode(0, b"a" * 16) * 299 + encode(FINAL, b"")
    (told,) = unbatched(one.receive(data, 1))
    assert bytes(told.payload) == b"a" * 4800


def test_pings_and_pongs_of_one_second_are_bounded() -> None:
    for opcode in (PING, PONG):
        one = client(limits=LIMITS)
        one.receive(encode(FINAL | opcode, b"") * 40, 1)
        one.receive(encode(FINAL | opcode, b"") * 40, 2 * 10**9)
        assert not one.is_closed
        malformed, closed = one.receive(encode(FINAL | opcode, b"") * 10_000, 2 * 10**9 + 1)
        assert closed == Closed(Code.POLICY_VIOLATION, malformed.what, Who.WE)
        assert one.statistics().malformed == 1


def test_a_flood_of_pings_is_answered_as_it_comes_and_not_kept() -> None:
    one = server(limits=Limits(controls=10_000))
    flood = encode(FINAL | PING, b"", KEY) * 5000
    assert len(one.receive(flood, 1)) == 5000
    assert len(b"".join(one.transmit())) == 2 * 5000
    before = weight(one)
    one.receive(flood, 2)
    one.transmit()
    assert weight(one) <= before + 1000


# --- slow peers


def test_a_handshake_that_drips_is_cut_off() -> None:
    one = Server(0, timing=Timing(open_ns=1000))
    events: list[Any] = []
    for now, byte in enumerate(REQUEST):
        events += [*one.receive(bytes([byte]), now * 20), *one.wake(now * 20)]
    assert events[0] == TimedOut("the handshake")
    assert isinstance(events[1], Closed)
    assert len(events) == 2


def test_a_message_that_drips_is_cut_off_though_bytes_come() -> None:
    one = client(timing=Timing(message_ns=1000, ping_ns=NEVER))
    frame = encode(FINAL | BINARY, bytes(9000))
    events: list[Any] = []
    for now, byte in enumerate(frame):
        events += [*one.receive(bytes([byte]), now), *one.wake(now)]
    assert events == [
        TimedOut("the rest of a message"),
        Closed(Code.POLICY_VIOLATION, "the rest of a message did not come in time", Who.WE),
    ]


# --- handshakes

SMALL = Limits(http=http.Limits(header_bytes=2000, headers=20, body_bytes=2000, ahead_bytes=2000))
FLOOD = b"".join(b"x-%d: %s\r\n" % (at, b"y" * 10) for at in range(100))
GARBAGE = [
    b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
    b"SSH-2.0-OpenSSH_9\r\n\r\n",
    b"\x81\x05Hello\r\n\r\n",
    bytes(3000),
    b"x" * 3000,
]


@pytest.mark.parametrize(
    "data", [*GARBAGE, b"HTTP/1.1 101 x\r\n" + FLOOD + b"\r\n", b"HTTP/1.1 200 OK\r\n\r\n" + bytes(3000)]
)
@pytest.mark.parametrize("step", [10**9, 1])
def test_a_client_that_hears_no_handshake_ends(data: bytes, step: int) -> None:
    one = new_client(limits=SMALL)
    one.transmit()
    events = [event for at in range(0, len(data), step) for event in one.receive(data[at : at + step], 1)]
    assert isinstance(events[0], Malformed)
    assert isinstance(events[1], Closed)
    assert events[1].code == Code.ABNORMAL
    assert len(events) == 2
    assert weight(one) < 500_000


@pytest.mark.parametrize("data", [*GARBAGE, REQUEST[:-2] + FLOOD + b"\r\n", REQUEST[:-2] + b"x: " + b"y" * 3000])
@pytest.mark.parametrize("step", [10**9, 1])
def test_a_server_that_hears_no_handshake_ends(data: bytes, step: int) -> None:
    one = Server(0, limits=SMALL)
    events = [event for at in range(0, len(data), step) for event in one.receive(data[at : at + step], 1)]
    assert [type(event) for event in events] == [Malformed, Closed]
    assert weight(one) < 500_000


def test_what_a_client_sends_ahead_of_the_answer_is_bounded() -> None:
    one = Server(0, limits=SMALL)
    one.receive(REQUEST, 0)
    events = one.receive(encode(FINAL | BINARY, bytes(5000), KEY), 1)
    assert [type(event) for event in events] == [Malformed, Closed]


def test_secrets_of_a_peer_are_not_repeated_in_what_is_told() -> None:
    one = new_client()
    events = one.receive(b"HTTP/1.1 101 OK\r\nbad header hunter2\r\n\r\n", 1)
    assert "hunter2" not in repr(events)
    one = client()
    assert "hunter2" not in repr(one.receive(encode(FINAL | TEXT, b"hunter2\xff"), 1))


def test_the_bomb_is_one() -> None:
    assert len(zlib.decompressobj(-15).decompress(BOMB)) == 5 * 10**6
    assert ANSWER
