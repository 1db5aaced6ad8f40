"""Files of ITCH messages: both framings, torn tails, end markers, real files."""

import gzip
import struct
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netfeed.errors import MisuseError, WireError
from netfeed.wire import binaryfile, itch
from netfeed.wire.binaryfile import Framing
from tests.data import recording
from tests.wire.nasdaq_samples import itch_messages

SYSTEM = b"S" + bytes(10) + b"O"
DELETE = b"D" + bytes(18)
PREFIXED = bytes.fromhex("000c") + SYSTEM + bytes.fromhex("0013") + DELETE
ZERO = bytes(2) + SYSTEM + bytes(2) + DELETE


def pairs(contents: binaryfile.Contents) -> list[tuple[int, bytes]]:
    return [(at, bytes(message)) for at, message in contents.records]


def test_each_message_stands_behind_its_length() -> None:
    contents = binaryfile.read(PREFIXED)
    assert contents.framing is Framing.LENGTH_PREFIXED
    assert pairs(contents) == [(0, SYSTEM), (14, DELETE)]
    assert not contents.ended
    assert contents.error is None
    assert binaryfile.encode([SYSTEM, DELETE]) == PREFIXED


def test_a_zero_length_ends_the_file() -> None:
    contents = binaryfile.read(PREFIXED + b"\0\0")
    assert len(contents.records) == 2
    assert contents.ended
    assert contents.error is None
    assert binaryfile.encode([SYSTEM, DELETE], end_marker=True) == PREFIXED + b"\0\0"


def test_bytes_after_the_end_marker_are_reported() -> None:
    contents = binaryfile.read(PREFIXED + b"\0\0\0")
    assert len(contents.records) == 2
    assert contents.error is not None
    assert (contents.error.offset, contents.error.found) == (len(PREFIXED) + 2, "1 bytes")


def test_a_torn_last_record_is_reported_with_what_was_read() -> None:
    contents = binaryfile.read(PREFIXED[:-1])
    assert pairs(contents) == [(0, SYSTEM)]
    assert contents.error is not None
    assert (contents.error.offset, contents.error.found, contents.error.wanted) == (14, "20 bytes", "21 bytes")


def test_walking_gives_everything_before_it_raises() -> None:
    walk = binaryfile.records(PREFIXED[:-1])
    assert bytes(next(walk)[1]) == SYSTEM
    with pytest.raises(WireError, match="torn record at byte 14"):
        next(walk)


@pytest.mark.parametrize("data", [PREFIXED, ZERO])
def test_every_cut_is_whole_records_or_an_error(data: bytes) -> None:
    whole = {0: 0, 14: 1, 35: 2}
    for cut in range(len(data) + 1):
        contents = binaryfile.read(data[:cut], Framing.ZERO_PREFIXED if data is ZERO else None)
        ends = data is ZERO and cut == 16  # a zero length with nothing behind it
        assert len(contents.records) == max(count for at, count in whole.items() if at <= cut)
        assert (contents.error is None) == (cut in whole or ends or (data is ZERO and cut == 2))


def test_zero_lengths_are_recognised_by_the_first_record() -> None:
    assert binaryfile.recognise(ZERO) is Framing.ZERO_PREFIXED
    assert binaryfile.recognise(ZERO[:14]) is Framing.ZERO_PREFIXED
    assert pairs(binaryfile.read(ZERO)) == [(0, SYSTEM), (14, DELETE)]


@pytest.mark.parametrize("data", [b"", b"\0", b"\0\0", b"\0\0z", b"\0\0" + SYSTEM + b"\0\x01", PREFIXED])
def test_all_else_is_length_prefixed(data: bytes) -> None:
    assert binaryfile.recognise(data) is Framing.LENGTH_PREFIXED


def test_a_length_among_zero_lengths_is_an_error() -> None:
    contents = binaryfile.read(ZERO + PREFIXED)
    assert len(contents.records) == 2
    assert contents.error is not None
    assert (contents.error.offset, contents.error.found, contents.error.wanted) == (35, "000c", "0000")


def test_an_unknown_type_stops_a_file_without_lengths_only() -> None:
    alien = b"z" + bytes(9)
    assert len(binaryfile.read(binaryfile.encode([SYSTEM, alien, DELETE])).records) == 3
    contents = binaryfile.read(ZERO + b"\0\0" + alien + ZERO)
    assert len(contents.records) == 2
    assert contents.error is not None
    assert (contents.error.offset, contents.error.found) == (37, "0x7a")


def test_a_message_must_fit_its_length() -> None:
    for wrong in (b"", bytes(65536)):
        with pytest.raises(MisuseError):
            binaryfile.encode_record(wrong)
    assert len(binaryfile.encode_record(bytes(65535))) == 65537


@given(st.lists(st.binary(min_size=1, max_size=60)), st.booleans())
def test_what_is_encoded_is_read(messages: list[bytes], end_marker: bool) -> None:
    contents = binaryfile.read(binaryfile.encode(messages, end_marker=end_marker), Framing.LENGTH_PREFIXED)
    assert [message for _, message in pairs(contents)] == messages
    assert (contents.ended, contents.error) == (end_marker, None)


@given(st.lists(itch_messages(), min_size=1, max_size=5))
def test_messages_without_lengths_are_read_by_their_types(messages: list[bytes]) -> None:
    contents = binaryfile.read(b"".join(b"\0\0" + message for message in messages))
    assert contents.framing is Framing.ZERO_PREFIXED
    assert [message for _, message in pairs(contents)] == messages
    assert contents.error is None


@given(st.binary(max_size=120), st.sampled_from([None, *Framing]))
def test_any_bytes_are_accounted_for(data: bytes, framing: Framing | None) -> None:
    contents = binaryfile.read(data, framing)
    at = 0
    for offset, message in contents.records:
        assert offset == at
        at += 2 + len(message)
    if contents.error is None:
        assert at + 2 * contents.ended == len(data)
    else:
        assert at <= contents.error.offset <= len(data)


def test_a_real_file_with_lengths() -> None:
    data = recording("itch/sephorah_sample_1mb.itch").read_bytes()
    expected: Counter[str] = Counter()
    at = 0
    while at + 2 + struct.unpack_from(">H", data, at)[0] <= len(data):
        expected[chr(data[at + 2])] += 1
        at += 2 + struct.unpack_from(">H", data, at)[0]
    contents = binaryfile.read(data)
    counts = Counter(itch.decode(message).message_type for _, message in contents.records)
    assert counts == expected == {"S": 1, "R": 8915, "H": 8903, "Y": 8903, "L": 8814}
    assert contents.error is not None
    assert contents.error.offset == at


def test_a_real_file_without_lengths() -> None:
    path = recording("itch/RITCH_ex20101224.TEST_ITCH_50.gz")
    contents = binaryfile.read(gzip.decompress(path.read_bytes()))
    counts = Counter(itch.decode(message).message_type for _, message in contents.records)
    assert counts == {
        "S": 6, "R": 3, "H": 3, "A": 4997, "F": 3, "E": 198, "X": 45, "D": 1745, "U": 12, "P": 5000,
    }  # fmt: skip
    assert contents.framing is Framing.ZERO_PREFIXED
    assert contents.error is None
