"""permessage-deflate: what is agreed to and what is not, the examples of RFC 7692, the bound on what is inflated."""

import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netfeed.proto.websocket_deflate import (
    MAX_ENDS,
    OFFER,
    TAIL,
    Agreement,
    Deflater,
    Inflater,
    agreed,
    answer,
    extensions,
)
from netfeed.proto.websocket_reader import Reader
from netfeed.proto.websocket_words import Limits, Messages
from netfeed.wire.websocket import BINARY, COMPRESSED, FINAL, TEXT, encode

PAYLOADS = [
    b"",
    b"abc" * 30,
    "\u20ac".encode() * 9,
    b"\xff\xfe",
    bytes(4999),
    bytes(5000),
    bytes(5001),
    bytes(range(256)),
]


@pytest.mark.parametrize(
    ("value", "agreement"),
    [
        ("permessage-deflate", Agreement()),
        ("Permessage-Deflate ; server_no_context_takeover", Agreement(server_takeover=False)),
        ("permessage-deflate; client_no_context_takeover", Agreement(client_takeover=False)),
        ("permessage-deflate; server_max_window_bits=10", Agreement(server_bits=10)),
        ('permessage-deflate; client_max_window_bits="9"', Agreement(client_bits=9)),
        ("permessage-deflate; client_max_window_bits=8; server_max_window_bits=15", Agreement(client_bits=8)),
    ],
)
def test_an_answer_that_is_in_order_is_taken(value: str, agreement: Agreement) -> None:
    assert agreed(value) == agreement


def test_no_answer_agrees_to_nothing() -> None:
    assert agreed(None) is None


@pytest.mark.parametrize(
    "value",
    [
        "", ",", "permessage-deflate, permessage-deflate", "x-webkit-deflate-frame", "permessage-deflate; unknown",
        "permessage-deflate; server_max_window_bits", "permessage-deflate; client_max_window_bits",
        "permessage-deflate; server_max_window_bits=7", "permessage-deflate; server_max_window_bits=16",
        "permessage-deflate; server_max_window_bits=010", "permessage-deflate; client_max_window_bits=+9",
        "permessage-deflate; server_no_context_takeover=1", "permessage-deflate; client_no_context_takeover=",
        "permessage-deflate; server_max_window_bits=9; server_max_window_bits=9", "permessage-deflate;",
        "permessage-deflate; \u00e9", "permessage-deflate=1",
    ],
)  # fmt: skip
def test_an_answer_that_was_not_offered_is_wrong(value: str) -> None:
    assert isinstance(agreed(value), str)


@pytest.mark.parametrize(
    ("offers", "said"),
    [
        (OFFER.decode(), b"permessage-deflate"),
        ("permessage-deflate; client_max_window_bits=9", b"permessage-deflate; client_max_window_bits=9"),
        ("permessage-deflate; server_max_window_bits=9", b"permessage-deflate; server_max_window_bits=9"),
        (
            "permessage-deflate; client_no_context_takeover; server_no_context_takeover",
            b"permessage-deflate; server_no_context_takeover; client_no_context_takeover",
        ),
        ("permessage-deflate; server_max_window_bits=99, permessage-deflate", b"permessage-deflate"),
        ("x-other; a=1, permessage-deflate", b"permessage-deflate"),
    ],
)
def test_the_first_offer_that_is_understood_is_taken_and_repeated(offers: str, said: bytes) -> None:
    chosen = answer(offers)
    assert chosen is not None
    assert chosen[1] == said
    assert agreed(said.decode()) == chosen[0]


@pytest.mark.parametrize("offers", [None, "", "x-other", "permessage-deflate; server_max_window_bits=7", "; ;"])
def test_without_an_offer_that_is_understood_nothing_is_agreed(offers: str | None) -> None:
    assert answer(offers) is None


def test_a_header_is_read_with_quotes_and_blanks() -> None:
    assert extensions(' a ; B="x" ,c') == [("a", {"b": "x"}), ("c", {})]
    assert extensions("a; b; b") is None


def test_a_long_hostile_header_is_read_in_no_time() -> None:
    for value in ("a" * 16_000, "a;" * 8_000, "a=" + '"' * 16_000, " " * 16_000, "\t;" * 8_000):
        extensions(value)


# --- payloads


def inflated(inflater: Inflater, payload: bytes, room: int = 10**6) -> bytes:
    out = inflater.add(payload, room)
    return out + inflater.end(room - len(out))


EXAMPLES = [
    (bytes.fromhex("f248cdc9c90700"), b"Hello"),
    (bytes.fromhex("000500faff48656c6c6f00"), b"Hello"),  # a stored block
    (bytes.fromhex("f348cdc9c9070000"), b"Hello"),  # a block that says that it is the last
    (bytes.fromhex("f24805000000ffffcac9c90700"), b"Hello"),  # two blocks
    (bytes.fromhex("00"), b""),
]
"""RFC 7692, section 7.2.3."""


@pytest.mark.parametrize(("payload", "message"), EXAMPLES)
def test_the_examples_of_the_specification_are_inflated(payload: bytes, message: bytes) -> None:
    assert inflated(Inflater(takeover=True), payload) == message


def test_a_window_goes_on_from_message_to_message() -> None:
    inflater = Inflater(takeover=True)
    assert inflated(inflater, bytes.fromhex("f248cdc9c90700")) == b"Hello"
    assert inflated(inflater, bytes.fromhex("f200110000")) == b"Hello"


def test_a_window_that_was_not_to_go_on_does_not() -> None:
    inflater = Inflater(takeover=False)
    assert inflated(inflater, bytes.fromhex("f248cdc9c90700")) == b"Hello"
    with pytest.raises(zlib.error):
        inflated(inflater, bytes.fromhex("f200110000"))


def test_a_message_may_go_on_behind_a_last_block() -> None:
    inflater = Inflater(takeover=True)
    deflate = zlib.compressobj(wbits=-15)
    last = deflate.compress(b"one ") + deflate.flush(zlib.Z_FINISH)
    assert inflated(inflater, last + bytes.fromhex("f248cdc9c90700")) == b"one Hello"
    assert inflated(inflater, bytes.fromhex("f248cdc9c90700")) == b"Hello"


def test_a_stream_that_ends_again_and_again_is_not_followed_for_ever() -> None:
    last = zlib.compressobj(wbits=-15).flush(zlib.Z_FINISH)
    assert inflated(Inflater(takeover=True), last * MAX_ENDS) == b""
    with pytest.raises(zlib.error):
        inflated(Inflater(takeover=True), last * (MAX_ENDS + 1))


@pytest.mark.parametrize("room", [0, 1, 100, 99_999])
def test_a_bomb_is_not_inflated_beyond_its_room(room: int) -> None:
    bomb = Deflater(15, takeover=True).deflate(bytes(10**5))
    assert len(Inflater(takeover=True).add(bomb, room)) == room + 1


@pytest.mark.parametrize("takeover", [True, False])
@pytest.mark.parametrize("bits", [9, 12, 15])
def test_what_is_deflated_is_inflated_again(bits: int, takeover: bool) -> None:
    deflater, inflater = Deflater(bits, takeover=takeover), Inflater(takeover=takeover)
    for size in (0, 1, 100, 40_000, 100):
        payload = bytes(at * at % 251 for at in range(size))
        data = deflater.deflate(payload)
        assert not data.endswith(TAIL)
        assert inflated(inflater, data) == payload


def test_a_kept_window_makes_the_second_message_smaller() -> None:
    kept, new = Deflater(15, takeover=True), Deflater(15, takeover=False)
    payload = bytes(at * 7919 % 256 for at in range(200))
    assert len(kept.deflate(payload)) == len(new.deflate(payload))
    assert len(kept.deflate(payload)) < len(new.deflate(payload))


# --- a compressed message in one frame does not go by wsproto, and means what it means by wsproto


@given(
    messages=st.lists(st.tuples(st.sampled_from([TEXT, BINARY]), st.sampled_from(PAYLOADS)), min_size=1, max_size=6),
    damage=st.none() | st.tuples(st.integers(0, 200), st.integers(0, 255)),
    masked=st.booleans(),
    takeover=st.booleans(),
    step=st.sampled_from([1, 3, 1000]),
)
def test_one_frame_and_two_frames_mean_the_same(
    messages: list[tuple[int, bytes]], damage: tuple[int, int] | None, masked: bool, takeover: bool, step: int
) -> None:
    deflater, key = Deflater(15, takeover=takeover), b"mask" if masked else None
    one, two = bytearray(), bytearray()
    for opcode, payload in messages:
        data = bytearray(deflater.deflate(payload))
        if damage is not None and damage[0] < len(data):
            data[damage[0]] = damage[1]
        one += encode(FINAL | COMPRESSED | opcode, bytes(data), key)
        two += encode(COMPRESSED | opcode, bytes(data), key) + encode(FINAL, b"", key)
    told = []
    for stream in (one, two):
        reader = Reader(Limits(frame_bytes=5000, message_bytes=5000), is_client=not masked)
        reader.inflate_with(Inflater(takeover=takeover))
        pieces = [bytes(stream[at : at + step]) for at in range(0, len(stream), step)]
        told.append([read(event) for piece in pieces for event in reader.read(piece)])
    assert told[0] == told[1]


def read(event: Any) -> Any:
    return (event.is_text, bytes(event[0])) if isinstance(event, Messages) else event
