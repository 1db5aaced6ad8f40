"""WebSocket frames as bytes: the examples of RFC 6455, heads of every form, and batches that stay as they are."""

import numpy as np
import pytest

from netfeed.wire.websocket import FINAL, TEXT, Finder, Head, encode, head, is_plain, is_utf8, mask

KEY = b"\x37\xfa\x21\x3d"

EXAMPLES = [
    (b"\x81\x05Hello", 0x81, b"Hello", None),
    (b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", 0x81, b"Hello", KEY),
    (b"\x01\x03Hel", 0x01, b"Hel", None),
    (b"\x80\x02lo", 0x80, b"lo", None),
    (b"\x89\x05Hello", 0x89, b"Hello", None),
    (b"\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", 0x8A, b"Hello", KEY),
    (b"\x82\x7e\x01\x00" + bytes(256), 0x82, bytes(256), None),
    (b"\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00" + bytes(65536), 0x82, bytes(65536), None),
]
"""RFC 6455, section 5.7."""


@pytest.mark.parametrize(("frame", "first", "payload", "key"), EXAMPLES)
def test_the_examples_of_the_specification_are_written_and_read(
    frame: bytes, first: int, payload: bytes, key: bytes | None
) -> None:
    assert encode(first, payload, key) == frame
    found = head(frame)
    assert found is not None
    assert (found.first, found.length, found.is_masked, found.is_shortest) == (
        first,
        len(payload),
        key is not None,
        True,
    )
    assert found.size + found.length == len(frame)
    for cut in range(found.size):
        assert head(frame[:cut]) is None


@pytest.mark.parametrize(
    "data",
    [b"\x81\x7e\x00\x7d", b"\x81\x7e\x00\x00", b"\x81\x7f\x00\x00\x00\x00\x00\x00\xff\xff", b"\x81\x7f" + bytes(8)],
)
def test_a_length_that_is_not_in_the_shortest_form_is_seen(data: bytes) -> None:
    found = head(data)
    assert found is not None
    assert not found.is_shortest
    assert not is_plain(found, masked=False, max_bytes=10**6)


@pytest.mark.parametrize("first", sorted(set(range(256)) - {0x81, 0x82}))
def test_no_other_first_byte_is_a_plain_frame(first: int) -> None:
    assert not is_plain(Head(first, False, 2, 1, True), masked=False, max_bytes=10)
    assert Finder(False, 10).find(encode(first, b"x"), 0)[0] == 0


@pytest.mark.parametrize("size", [0, 1, 3, 4, 5, 8, 125])
def test_masking_twice_is_not_masking(size: int) -> None:
    payload = bytes(range(size))
    assert mask(mask(payload, KEY), KEY) == payload


def test_a_batch_gives_each_message_as_it_lies_in_one_buffer() -> None:
    frames = [encode(FINAL | TEXT, b"one"), encode(0x82, b""), encode(FINAL | TEXT, "\u20ac".encode())]
    data = b"".join(frames) + b"\x81"
    stop, batch = Finder(False, 100).find(data, 0)
    assert batch is not None
    assert stop == len(data) - 1
    assert len(batch) == 3
    assert [bytes(batch[at]) for at in range(3)] == [b"one", b"", "\u20ac".encode()]
    assert batch.text(2) == "\u20ac"
    assert list(batch.is_text) == [1, 0, 1]
    assert batch.data.obj is data


def test_places_are_an_array_for_numpy_and_the_core() -> None:
    batch = Finder(False, 100).find(encode(0x82, b"ab") + encode(0x82, b"c"), 0)[1]
    assert batch is not None
    array = np.asarray(batch.places)
    assert array.shape == (2, 2)
    assert array.dtype == np.int64
    assert array.flags.c_contiguous
    assert array.tolist() == [[2, 2], [6, 1]]


def test_masked_payloads_are_laid_back_to_back_and_what_came_is_left_as_it_was() -> None:
    data = encode(0x81, b"one", KEY) + encode(0x81, b"two", b"abcd")
    before = bytes(data)
    stop, batch = Finder(True, 100).find(data, 0)
    assert batch is not None
    assert (stop, bytes(batch.data)) == (len(data), b"onetwo")
    assert data == before


def test_equal_batches_are_equal() -> None:
    one, two, three = (Finder(False, 9).find(encode(first, b"a"), 0)[1] for first in (0x81, 0x81, 0x82))
    assert one == two
    assert one != three


@pytest.mark.parametrize("payload", [b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82", b"\xff"])
def test_what_is_no_utf8_is_no_text_but_may_be_binary(payload: bytes) -> None:
    assert not is_utf8(payload)
    assert Finder(False, 9).find(encode(0x81, payload), 0)[0] == 0
    assert Finder(False, 9).find(encode(0x82, payload), 0)[0] == 2 + len(payload)
