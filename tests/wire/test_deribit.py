"""Deribit's multicast: hand-written packets, a recording of 2023, round trips, hostile bytes."""

import struct
from collections import Counter
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netfeed.errors import MisuseError, WireError
from netfeed.wire import deribit
from netfeed.wire.deribit import BookChange, BookSide, decode, decode_packet, encode, encode_packet
from netfeed.wire.sbe import UnknownTemplate
from tests.data import recording
from tests.wire.datagrams import datagrams

RECORDING = "deribit_multicast/sample_capture_v1_6.pcapng"


def wire(text: str) -> bytes:
    """Read hexadecimal text with comments."""
    return bytes.fromhex(" ".join(line.partition("#")[0] for line in text.splitlines()))


BOOK = wire("""
    1d00 e903 0100 0200 0100 0000   # block 29, template 1001, schema 1, version 2, 1 group, no data
    1a000000                        # instrumentId 26
    74bf13 c1 88010000              # timestampMs
    0500000000000000                # prevChangeId 5
    0900000000000000                # changeId 9
    01                              # isLast
    1200 0200 0000 0000             # entries of 18 bytes, 2 of them
    01 00 000000000088d340 9a9999999999b93f  # bid, created, 20000.0, 0.1
    00 02 000000000090d340 0000000000000000  # ask, deleted, 20032.0, 0.0
""")
INDEX = wire("""
    2000 f003 0100 0200 0000 0000   # block 32, template 1008
    6274635f757364000000000000000000  # btc_usd
    000000000000f87f                # NaN
    0100000000000000
""")
PACKET = wire("8100 0700 ffffffff") + BOOK + INDEX  # 129 bytes on channel 7, the last sequence before the wrap


def test_a_packet_splits_into_its_messages_by_their_own_counts():
    packet = decode_packet(PACKET)
    assert (packet.packetLength, packet.channelId, packet.channelSeq) == (129, 7, 2**32 - 1)
    assert [bytes(message) for message in packet.messages] == [BOOK, INDEX]
    assert encode_packet(2**32 - 1, packet.messages, channel_id=7) == PACKET


def test_a_book_message_has_the_fields_of_its_specification():
    header, body = decode(BOOK)
    assert header == (29, 1001, 1, 2, 1, 0)
    assert (body.instrumentId, body.prevChangeId, body.changeId, body.isLast) == (26, 5, 9, 1)
    assert body.changesList == (
        (BookSide.BID, BookChange.CREATED, 20000.0, 0.1),
        (BookSide.ASK, BookChange.DELETED, 20032.0, 0.0),
    )
    assert encode(1001, **body._asdict()) == BOOK


def test_a_double_that_is_not_set_is_none():
    assert decode(INDEX)[1] == ("btc_usd", None, 1)
    assert encode(1008, indexName="btc_usd", timestampMs=1)[-8:] == INDEX[-8:]


def test_an_unknown_template_does_not_hide_the_messages_around_it():
    unknown = struct.pack("<HHHHHH", 3, 1999, 1, 9, 2, 1) + b"abc" + struct.pack("<HHHH", 2, 2, 0, 0) + b"wxyz"
    unknown += struct.pack("<HHHH", 0, 0, 0, 0) + b"\x02hi"
    packet = decode_packet(encode_packet(1, [BOOK, unknown, INDEX]))
    assert [len(message) for message in packet.messages] == [len(BOOK), len(unknown), len(INDEX)]
    with pytest.raises(UnknownTemplate, match="found 1999"):
        decode(packet.messages[1])


def test_block_and_trade_ids_of_zero_are_none_and_the_version_is_the_venues():
    trade = {
        "direction": 1,
        "price": 1.5,
        "amount": 2.0,
        "timestampMs": 3,
        "tradeSeq": 4,
        "tradeId": 5,
        "tickDirection": 0,
        "liquidation": 0,
    }
    header, body = decode(encode(1002, instrumentId=7, tradesList=[trade, {**trade, "blockTradeId": 6, "iv": 50.0}]))
    assert [(item.blockTradeId, item.comboTradeId, item.iv) for item in body.tradesList] == [
        (None, None, None),
        (6, None, 50.0),
    ]
    assert header.version == 2
    fields = {row.name: "" if row.codec.codes == "8s" else 0 for row in deribit.SCHEMA.templates[1010].block.slots}
    assert decode(encode(1010, **fields))[0].version == 3


# The lengths of block and group entry, as they were found on the wire by others (1007 and 1009: from the definitions).
SIZES = {
    1000: (140,), 1001: (29, 18), 1002: (4, 83), 1003: (133,), 1004: (22, 17), 1005: (4,), 1006: (0,), 1007: (4, 8),
    1008: (32,), 1009: (22,), 1010: (139, 16),
}  # fmt: skip


def test_every_template_has_the_size_that_is_on_the_wire():
    templates = deribit.SCHEMA.templates
    assert sorted(templates) == sorted(SIZES) == sorted(deribit.TemplateId)
    for number, sizes in SIZES.items():
        template = templates[number]
        assert (template.block.size, *(group.body.block.size for group in template.groups)) == sizes


def test_the_recording_decodes_to_the_last_byte():
    counts, channels, spans, names, packets = Counter(), set(), Counter(), {}, 0
    for datagram in datagrams(recording(RECORDING)):
        packet = decode_packet(datagram.payload)
        packets += 1
        # the channel and the sequence, read again without the codec
        assert struct.unpack_from("<HHI", datagram.payload) == (
            packet.packetLength,
            packet.channelId,
            packet.channelSeq,
        )
        channels.add(packet.channelId)
        assert spans.setdefault(packet.channelId, packet.channelSeq) == packet.channelSeq
        spans[packet.channelId] += 1
        for message in packet.messages:
            header, body = decode(message)
            counts[header.templateId] += 1
            if header.templateId in (1000, 1010):
                names[body.instrumentId] = body.instrumentName
    assert packets == 5066
    assert len(channels) == 29
    assert counts == {
        1003: 4211, 1008: 468, 1005: 60, 1006: 60, 1000: 194, 1010: 194, 1004: 197, 1001: 1064, 1002: 332,
    }  # fmt: skip
    assert len(names) == 84


def test_the_chain_of_the_recording_is_what_struct_says():
    decoded, read = [], []
    for datagram in datagrams(recording(RECORDING)):
        for message in decode_packet(datagram.payload).messages:
            if struct.unpack_from("<H", message, 2)[0] == 1001:
                body = decode(message)[1]
                decoded.append(
                    (body.instrumentId, body.prevChangeId, body.changeId, body.isLast, len(body.changesList))
                )
                instrument, _, previous, change, last = struct.unpack_from("<IQQQB", message, 12)
                read.append((instrument, previous, change, last, struct.unpack_from("<H", message, 12 + 29 + 2)[0]))
    assert decoded == read
    assert len(read) == 1064


@pytest.mark.parametrize("spoil", [
    lambda data: data[:7], lambda data: data[:-1], lambda data: data + b"\0",
    lambda data: b"\0\0" + data[2:],              # a length that is not the packet's
    lambda data: data[:8] + b"\xff\xff" + data[10:],  # a block that reaches beyond it
    lambda data: data[:16] + b"\2\0" + data[18:],  # a group that is not there
    lambda data: data[:12] + b"\2\0" + data[14:],  # another schema
    lambda data: data[:51] + b"\xff\xff" + data[53:],  # entries that are not there
])  # fmt: skip
def test_packets_that_do_not_add_up_are_refused(spoil):
    with pytest.raises(WireError):
        decode_packet(spoil(PACKET))


def test_bytes_after_a_message_are_refused():
    with pytest.raises(WireError, match="bytes after a Deribit message"):
        decode(BOOK + b"\0")


def test_misuse_is_told_from_bad_bytes():
    for call in (
        lambda: encode(1999),
        lambda: encode(1005),
        lambda: encode_packet(1, []),
        lambda: encode_packet(1, [bytes(70000)]),
    ):
        with pytest.raises(MisuseError):
            call()


U64 = st.integers(0, 2**64 - 1)
LEVEL = st.fixed_dictionaries({
    "side": st.integers(0, 255), "change": st.integers(0, 255), "price": st.floats(allow_nan=False),
    "amount": st.floats(allow_nan=False),
})  # fmt: skip
MESSAGES = st.one_of(
    st.tuples(st.just(1001), st.fixed_dictionaries({
        "instrumentId": st.integers(0, 2**32 - 1), "timestampMs": U64, "prevChangeId": U64, "changeId": U64,
        "isLast": st.integers(0, 255), "changesList": st.lists(LEVEL, max_size=4),
    })),
    st.tuples(st.just(1008), st.fixed_dictionaries({
        "indexName": st.text(st.characters(min_codepoint=1, max_codepoint=255), max_size=16),
        "price": st.none() | st.floats(allow_nan=False), "timestampMs": U64,
    })),
    st.tuples(st.just(1006), st.just({})),
)  # fmt: skip


@given(st.lists(MESSAGES, min_size=1, max_size=4), st.integers(0, 2**32 - 1))
def test_what_is_encoded_is_decoded(messages, sequence):
    packet = decode_packet(encode_packet(sequence, [encode(number, **fields) for number, fields in messages]))
    assert packet.channelSeq == sequence
    for message, (number, fields) in zip(packet.messages, messages, strict=True):
        header, body = decode(message)
        plain = {
            name: [e._asdict() for e in value] if isinstance(value, tuple) else value
            for name, value in body._asdict().items()
        }
        assert (header.templateId, plain) == (number, fields)


@given(st.integers(0, len(PACKET) - 1))
def test_every_truncation_is_refused(cut):
    with pytest.raises(WireError):
        decode_packet(PACKET[:cut])


@given(st.binary(max_size=200), st.sampled_from([0, *SIZES]), st.integers(0, 3), st.integers(0, 3))
def test_any_bytes_decode_or_are_refused(noise, number, groups, texts):
    head = struct.pack("<HHHHHH", len(noise) % 150, number, 1, 2, groups, texts) if number else b""
    data = head + noise
    for call in (
        lambda: decode(data),
        lambda: decode_packet(data),
        lambda: decode_packet(encode_packet(1, [data or b"x"])),
    ):
        with suppress(WireError):
            call()
