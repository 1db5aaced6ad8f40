"""IEX: the specification's examples, a recording of 2017, growth, round trips, hostile bytes."""

import struct
from collections import Counter
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netfeed.errors import MisuseError, WireError
from netfeed.wire import iex
from netfeed.wire.iex import (
    UnknownType,
    decode,
    decode_gap_fill,
    decode_segment,
    encode,
    encode_gap_fill,
    encode_segment,
)
from tests.data import recording
from tests.wire.datagrams import datagrams

RECORDING = "iex/go-iex_DEEP10.pcap.gz"


def wire(text: str) -> bytes:
    """Read hexadecimal text with comments."""
    return bytes.fromhex(" ".join(line.partition("#")[0] for line in text.splitlines()))


TIME = 1471980632572715948  # 2016-08-23 15:30:32.572715948 in New York
BUY = wire("""
    38 01                 # price level update, buy side; the event is complete
    ac63c0209686 6d14     # timestamp
    5a49455854202020      # ZIEXT
    e4250000              # 9,700 shares
    241d0f0000000000      # 99.05
""")
TRADE = wire("""
    54 00
    c3dff105a2866d14      # 15:31:23.662581699
    5a49455854202020
    64000000              # 100 shares
    241d0f0000000000
    968f060000000000      # trade 429974
""")
SEGMENT = wire("""
    01 00                 # version 1, reserved
    0480                  # DEEP 1.0
    01000000              # channel 1
    00008742              # session
    4800                  # 72 bytes of payload
    0200                  # 2 messages
    8ca6210000000000      # stream offset 2,205,324
    cac3000000000000      # first sequence 50,122
    ec45c22096866d14      # send time
    2600
""") + TRADE + wire("1e00") + BUY  # fmt: skip


def test_a_segment_splits_into_its_messages():
    segment = decode_segment(SEGMENT)
    assert (segment.version, segment.message_protocol_id, segment.channel_id, segment.session_id) == (
        1,
        0x8004,
        1,
        0x42870000,
    )
    assert (segment.payload_length, segment.message_count, segment.stream_offset) == (72, 2, 2_205_324)
    assert (segment.first_message_sequence, segment.next_sequence, segment.heartbeat) == (50_122, 50_124, False)
    assert [bytes(message) for message in segment.messages] == [TRADE, BUY]
    again = encode_segment(
        50_122, segment.messages, session_id=0x42870000, stream_offset=2_205_324, send_time=segment.send_time
    )  # fmt: skip
    assert again == SEGMENT


def test_a_heartbeat_is_a_segment_without_messages():
    segment = decode_segment(encode_segment(7, session_id=1))
    assert segment.heartbeat
    assert (segment.next_sequence, segment.payload_length) == (7, 0)


EXAMPLES = {
    "S": ("53 45 00a09997e93db614", (69, 1492448400000000000)),
    "D": ("44 80 0020897b5a1fb614 5a49455854202020 64000000 241d0f0000000000 01",
          (128, 1492414800000000000, "ZIEXT", 100, 990_500, 1)),
    "H": ("48 48 ac63c02096866d14 5a49455854202020 54312020", (72, TIME, "ZIEXT", "T1")),
    "I": ("49 41 ac63c02096866d14 5a49455854202020", (65, TIME, "ZIEXT")),
    "O": ("4f 4f ac63c02096866d14 5a49455854202020", (79, TIME, "ZIEXT")),
    "P": ("50 01 ac63c02096866d14 5a49455854202020 41", (1, TIME, "ZIEXT", "A")),
    "E": ("45 4f 00f0302a5b25b614 5a49455854202020", (79, 1492421400000000000, "ZIEXT")),
    "8": (BUY.hex(), (1, TIME, "ZIEXT", 9700, 990_500)),
    "5": ("35 00" + BUY[2:].hex(), (0, TIME, "ZIEXT", 9700, 990_500)),
    "T": (TRADE.hex(), (0, 1471980683662581699, "ZIEXT", 100, 990_500, 429_974)),
    "B": ("42 20" + TRADE[2:].hex(), (32, 1471980683662581699, "ZIEXT", 100, 990_500, 429_974)),
    "X": ("58 51 00f0302a5b25b614 5a49455854202020 241d0f0000000000", (81, 1492421400000000000, "ZIEXT", 990_500)),
    "A": ("""41 43 ac63c02096866d14 5a49455854202020 a0860100 241d0f0000000000 18170f0000000000 10270000 42 00 80e6f458
             0c240f0000000000 241d0f0000000000 0cc20d0000000000 3c7810 0000000000""",
          (67, TIME, "ZIEXT", 100_000, 990_500, 988_952, 10_000, "B", 0, 1492444800,
           992_268, 990_500, 901_644, 1_079_356)),
}  # fmt: skip


@pytest.mark.parametrize("code", EXAMPLES)
def test_each_message_has_the_fields_of_its_specification(code):
    message, fields = bytes.fromhex(EXAMPLES[code][0]), EXAMPLES[code][1]
    body = decode(message)
    assert tuple(body) == (code, *fields)
    named = body._asdict()
    assert encode(named.pop("message_type"), **named) == message


def test_every_type_of_the_specification_is_known_with_its_size():
    sizes = {code: layout.size for code, layout in iex.LAYOUTS.items()}
    assert sizes == {
        "S": 10, "D": 31, "H": 22, "I": 18, "O": 18, "P": 19, "E": 18, "8": 30, "5": 30, "T": 38, "B": 38, "X": 26,
        "A": 80,
    }  # fmt: skip


def test_a_message_that_has_grown_is_read_as_far_as_it_is_known():
    assert decode(BUY + b"new") == decode(BUY)


def test_an_unknown_type_is_told_from_a_broken_message():
    with pytest.raises(UnknownType):
        decode(b"z" + BUY[1:])
    with pytest.raises(WireError, match="PriceLevelUpdateBuy is cut short") as refusal:
        decode(BUY[:-1])
    assert not isinstance(refusal.value, UnknownType)


GAP_FILL = wire("""
    01 01 0480 01000000 00008742 02000000
    3300000000000000 3400000000000000
    3800000000000000 3800000000000000
""")


def test_a_gap_fill_request_names_ranges_with_both_ends():
    request = decode_gap_fill(GAP_FILL)
    assert request == iex.GapFillRequest(iex.RequestType.SEQUENCE, 0x8004, 1, 0x42870000, ((51, 52), (56, 56)))
    assert encode_gap_fill(request.ranges, session_id=0x42870000) == GAP_FILL
    assert decode_gap_fill(encode_gap_fill([], session_id=1)).ranges == ()


@pytest.mark.parametrize("ranges", [[(5, 4)], [(1, 3), (3, 4)], [(4, 5), (1, 2)], [(-1, 2)], [(1, 2**63)]])
def test_ranges_that_a_server_would_refuse_are_misuse(ranges):
    with pytest.raises(MisuseError):
        encode_gap_fill(ranges, session_id=1)


@pytest.mark.parametrize("spoil", [
    lambda data: data[:-1], lambda data: data + b"\0", lambda data: b"\2" + data[1:],
    lambda data: data[:12] + b"\xff\xff\xff\xff" + data[16:],
])  # fmt: skip
def test_requests_and_segments_that_do_not_add_up_are_refused(spoil):
    for read, data in ((decode_gap_fill, GAP_FILL), (decode_segment, SEGMENT)):
        with pytest.raises(WireError):
            read(spoil(data))


@pytest.mark.parametrize("count", [0, 1, 3, 65535])
def test_a_segment_whose_count_is_not_its_messages_is_refused(count):
    with pytest.raises(WireError):
        decode_segment(SEGMENT[:14] + struct.pack("<H", count) + SEGMENT[16:])


def test_the_recording_decodes_to_what_independent_readers_count():
    segments = heartbeats = restarts = 0
    types, incomplete, before = Counter(), 0, 0
    for datagram in datagrams(recording(RECORDING)):
        segment = decode_segment(datagram.payload)
        count, _, sequence = struct.unpack_from("<Hqq", datagram.payload, 14)
        assert (segment.message_count, segment.first_message_sequence) == (count, sequence)
        segments += 1
        heartbeats += segment.heartbeat
        restarts += sequence < before
        before = sequence
        for message in segment.messages:
            body = decode(message)
            types[body.message_type] += 1
            incomplete += message[0] in b"85" and not message[1] & 1
    assert (segments, heartbeats) == (121_314, 7_937)
    assert types == {
        "S": 44, "H": 93_638, "O": 93_638, "P": 93_636, "5": 14_627, "8": 12_941, "T": 83_343, "E": 59, "B": 73,
    }  # fmt: skip
    assert sum(types.values()) == 391_999
    assert restarts == 11
    assert incomplete == 1142


TEXT = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=8)
VALUES = {
    "u8": st.integers(0, 255), "u32": st.integers(0, 2**32 - 1), "i64": st.integers(-(2**63), 2**63 - 1), "c8": TEXT,
    "c4": TEXT.filter(lambda text: len(text) <= 4), "c1": TEXT.filter(lambda text: len(text) <= 1),
}  # fmt: skip


@given(st.sampled_from(sorted(iex.LAYOUTS)), st.data())
def test_what_is_encoded_is_decoded(code, data):
    fields = {name: data.draw(VALUES[kind]) for name, kind in iex.LAYOUTS[code].rows[1:]}
    assert decode(encode(code, **fields))._asdict() == {"message_type": code, **fields}


@given(st.integers(0, len(SEGMENT) - 1))
def test_every_truncation_is_refused(cut):
    with pytest.raises(WireError):
        decode_segment(SEGMENT[:cut])
    with pytest.raises(WireError):
        decode_gap_fill(GAP_FILL[: cut % len(GAP_FILL)])


@given(
    st.binary(max_size=200), st.sampled_from([b"", SEGMENT[:12], GAP_FILL[:12], *(code.encode() for code in EXAMPLES)])
)
def test_any_bytes_decode_or_are_refused(noise, head):
    for read in (decode, decode_segment, decode_gap_fill):
        with suppress(WireError):
            read(head + noise)


def test_misuse_is_told_from_bad_bytes():
    for call in (
        lambda: encode("z"),
        lambda: encode("S"),
        lambda: encode_segment(1, [bytes(65536)]),
        lambda: encode_segment(2**63),
    ):
        with pytest.raises(MisuseError):
            call()
