"""The compiled finder of WebSocket frames, its plain twin and wsproto find the same, sense or nonsense."""

import pickle
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from wsproto.frame_protocol import FrameProtocol, Opcode, ParseFailed

from netfeed.build import PURE
from netfeed.proto.websocket_reader import Close, Ping, Pong, Reader
from netfeed.proto.websocket_words import Limits, Malformed, Messages
from netfeed.wire import websocket as twin

if PURE:
    pytest.skip("the compiled core is not loaded with NETFEED_PURE=1", allow_module_level=True)

from netfeed._core import websocket as core

KEYS = st.sampled_from([b"\x00\x00\x00\x00", b"\x37\xfa\x21\x3d", b"\xff\x80\x01\x7f"])
LENGTHS = st.sampled_from([0, 1, 7, 8, 9, 31, 32, 33, 63, 125, 126, 127, 300])
LETTERS = st.sampled_from("a\u00e9\u20ac\U0001f600\u07ff\u0800\ud7ff\ue000\U0010ffff")
TEXTS = st.text(LETTERS, max_size=60).map(str.encode)
WRONG = st.sampled_from([
    b"\xff", b"\xc0\x80", b"\xe0\x9f\xbf", b"\xed\xa0\x80", b"\xf0\x8f\xbf\xbf", b"\xf4\x90\x80\x80", b"\xc2", b"a\x80",
])  # fmt: skip
FIRSTS = st.sampled_from(
    [0x81, 0x81, 0x81, 0x82, 0x82, 0x01, 0x02, 0x00, 0x80, 0x89, 0x8A, 0x88, 0xC1, 0xA2, 0x83, 0x09]
)


@st.composite
def payloads(draw: Any) -> bytes:
    kind = draw(st.integers(0, 9))
    if kind == 0:
        return bytes(draw(TEXTS) + draw(WRONG) + draw(TEXTS))
    if kind < 4:
        return bytes(draw(TEXTS))
    return b"x" * draw(LENGTHS)


@st.composite
def streams(draw: Any, masked: bool) -> bytes:
    """Draw frames, most of them plain, some of them damaged."""
    parts = []
    for _ in range(draw(st.integers(1, 8))):
        key = draw(KEYS) if masked is (draw(st.integers(0, 19)) > 0) else None
        frame = twin.encode(draw(FIRSTS) if draw(st.integers(0, 3)) == 0 else 0x81, draw(payloads()), key)
        if draw(st.integers(0, 15)) == 0:
            at = draw(st.integers(0, min(9, len(frame) - 1)))
            frame = frame[:at] + bytes([draw(st.integers(0, 255))]) + frame[at + 1 :]
        parts.append(frame)
    data = b"".join(parts)
    return data[: draw(st.integers(0, len(data)))] if draw(st.integers(0, 3)) == 0 else data


def parts(found: tuple[int, Any]) -> tuple[Any, ...]:
    """Give all that a finder gave, and how each message reads."""
    stop, batch = found
    if batch is None:
        return (stop,)
    each = [bytes(batch[at]) for at in range(len(batch))]
    texts = [batch.text(at) for at in range(len(batch)) if batch.is_text[at]]
    return stop, bytes(batch.data), batch.places.tolist(), batch.is_text, len(batch), each, texts, repr(batch)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("most", [10**6, 126, 8])
def test_both_find_the_same_frames_in_the_same_places(masked: bool, most: int) -> None:
    @given(data=streams(masked), start=st.integers(0, 3))
    def holds(data: bytes, start: int) -> None:
        start = min(start, len(data)) if start == 3 else 0
        one, two = (kind(masked, most).find(data, start) for kind in (core.Finder, twin.Finder))
        assert parts(one) == parts(two)

    holds()


@pytest.mark.parametrize("masked", [False, True])
def test_one_call_finds_no_more_than_it_has_places_for(masked: bool) -> None:
    data = twin.encode(0x82, b"", b"abcd" if masked else None) * (twin.PLACES + 3)
    for finder in (core.Finder(masked, 9), twin.Finder(masked, 9)):
        stop, batch = finder.find(data, 0)
        assert batch is not None
        assert len(batch) == twin.PLACES
        assert batch.places.shape == (twin.PLACES, 2)
        rest = finder.find(data, stop)[1]
        assert rest is not None
        assert len(rest) == 3


@given(payload=st.one_of(st.binary(max_size=70), TEXTS), size=LENGTHS, key=st.none() | KEYS, first=st.integers(0, 255))
@example(payload=b"x", size=0x10000, key=b"abcd", first=0x81)
@example(payload=b"x", size=0xFFFF, key=None, first=0x82)
def test_both_write_the_same_frames(payload: bytes, size: int, key: bytes | None, first: int) -> None:
    for one in (payload, payload[:1] * size):
        assert core.encode(first, one, key) == twin.encode(first, one, key)


def found_text(payload: bytes, key: bytes | None) -> bool:
    return bool(core.Finder(key is not None, 10**6).find(twin.encode(0x81, payload, key), 0)[1])


def test_every_lead_byte_with_every_border_of_what_may_follow_is_judged_as_python_does() -> None:
    borders = [0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xFF]
    for lead in range(0x80, 0x100):
        for second in borders:
            for tail in (b"", b"\x80", b"\xbf\x80", b"\x80\x7f", b"\xc0", b"\x80\x80\x80"):
                payload = bytes([lead, second]) + tail
                assert found_text(payload, None) is twin.is_utf8(payload), payload.hex()


@given(before=st.integers(0, 70), middle=st.one_of(TEXTS, WRONG, st.binary(max_size=6)), after=st.integers(0, 40))
def test_text_is_judged_as_python_does_wherever_it_lies(before: int, middle: bytes, after: int) -> None:
    payload = b"a" * before + middle + b"b" * after
    assert found_text(payload, None) is twin.is_utf8(payload)
    assert found_text(payload, b"\x81\x00\xff\x42") is twin.is_utf8(payload)


# --- batches


@pytest.mark.parametrize("kind", [core, twin])
def test_a_batch_reads_the_same_from_both(kind: Any) -> None:
    batch = kind.messages(b"abc\xff", b"".join(n.to_bytes(8, "little") for n in (0, 3, 3, 1, 4, 0)), b"\1\0\1")
    assert [bytes(batch[at]) for at in (0, 1, 2, -1, -2, -3)] == [b"abc", b"\xff", b"", b"", b"\xff", b"abc"]
    assert batch.text(0) == "abc"
    assert batch.places.format == "q"
    assert batch.places.c_contiguous
    for index in (3, -4):
        with pytest.raises(IndexError):
            batch[index]
        with pytest.raises(IndexError):
            batch.text(index)
    with pytest.raises(UnicodeDecodeError):
        batch.text(1)
    with pytest.raises((AttributeError, TypeError)):
        batch.is_text = b""
    assert batch == kind.messages(b"abc\xff", bytes(batch.places), batch.is_text)
    assert batch != kind.messages(b"abd\xff", bytes(batch.places), batch.is_text)
    assert batch != kind.messages(b"abc\xff", bytes(batch.places), b"\0\0\1")
    assert batch != 5
    assert bytes(kind.message(b"one", True)[0]) == b"one"


@pytest.mark.parametrize("kind", [core, twin])
@pytest.mark.parametrize(
    ("places", "is_text"),
    [((), b""), ((0, 1), b"\1\1"), ((0, 1, 0, 1), b"\1"), ((0, 4), b"\1"), ((-1, 1), b"\1"), ((2, -1), b"\1")],
)
def test_places_that_do_not_fit_are_no_batch(kind: Any, places: tuple[int, ...], is_text: bytes) -> None:
    with pytest.raises(ValueError):
        kind.messages(b"abc", b"".join(n.to_bytes(8, "little", signed=True) for n in places), is_text)


def test_a_batch_outlives_what_it_came_from_and_can_be_stored() -> None:
    data = twin.encode(0x81, b"kept")
    batch = core.Finder(False, 9).find(data, 0)[1]
    assert batch is not None
    view = batch[0]
    del batch, data
    assert bytes(view) == b"kept"
    stored = pickle.loads(pickle.dumps(core.message(b"stored", True)))
    assert stored == core.message(b"stored", True)


# --- and wsproto, which knows the rules


def by_wsproto(data: bytes, is_client: bool) -> list[Any]:
    """Give what wsproto makes of a whole stream, whole messages alone."""
    proto = FrameProtocol(is_client, [])
    told: list[Any] = []
    message: list[Any] = []
    proto.receive_bytes(data)
    try:
        for frame in proto.received_frames():
            if frame.opcode in (Opcode.TEXT, Opcode.BINARY):
                message.append(frame.payload)
                if frame.message_finished:
                    whole = "".join(message) if frame.opcode is Opcode.TEXT else b"".join(message)
                    told.append(whole)
                    message = []
            elif frame.opcode is Opcode.CLOSE:
                told.append(("close", *frame.payload))
            else:
                told.append((frame.opcode.name, bytes(frame.payload)))  # type: ignore[arg-type]
    except ParseFailed as error:
        told.append(("wrong", int(error.code)))
    return told


def by_reader(pieces: list[bytes], is_client: bool) -> tuple[list[Any], bool]:
    """Give what the reader makes of pieces of a stream, and whether it waits for more."""
    reader = Reader(Limits(), is_client=is_client)
    told: list[Any] = []
    for piece in pieces:
        for one in reader.read(piece):
            if isinstance(one, Messages):
                told += [one.text(k) if one.is_text[k] else bytes(one[k]) for k in range(len(one))]
            elif isinstance(one, Ping | Pong):
                told.append((type(one).__name__.upper(), one.payload))
            elif isinstance(one, Close):
                told.append(("close", one.code, one.reason))
            else:
                assert isinstance(one, Malformed)
                told.append(("wrong", one.code))
    return told, reader.is_midway


def head_is_torn(expected: list[Any], told: list[Any]) -> bool:
    """wsproto judges a head before its mask and length have come; the reader waits for these few bytes."""
    return told == expected[:-1] and expected[-1] == ("wrong", 1002)


@pytest.mark.parametrize("is_client", [True, False])
def test_the_reader_tells_what_wsproto_tells_however_the_stream_is_cut(is_client: bool) -> None:
    @given(data=streams(not is_client), cuts=st.lists(st.integers(0, 400), max_size=6))
    def holds(data: bytes, cuts: list[int]) -> None:
        expected = by_wsproto(data, is_client)
        ends = sorted({min(cut, len(data)) for cut in cuts} | {len(data)})
        pieces = [data[start:end] for start, end in zip([0, *ends], ends, strict=False)]
        for cut in (pieces, [data[at : at + 1] for at in range(len(data))]):
            told, waits = by_reader(cut, is_client)
            assert told == expected or (waits and head_is_torn(expected, told))

    holds()
