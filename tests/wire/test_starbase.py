"""Starbase market data: hand-written packets, the length rules, round trips of every template, hostile bytes."""

import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netfeed.errors import MisuseError, WireError
from netfeed.wire import starbase
from netfeed.wire.sbe import UnknownTemplate
from netfeed.wire.starbase import MessageFlags, PacketType, TemplateId, decode, decode_packet, encode, encode_packet


def wire(text: str) -> bytes:
    """Read hexadecimal text with comments."""
    return bytes.fromhex(" ".join(line.partition("#")[0] for line in text.splitlines()))


BID_PUT = wire("""
    3800 1400 0100 0300  # messageLength 56, template 20, version 1, start and end of transaction
    00e40b5402000000     # transactTime 10 s
    2a00000000000000     # orderId 42
    0700000000000000     # instrumentId 7
    1900000000000000     # quantity 25
    00257df491360000     # price 60000.5
    ffffffffffffff7f     # sortOrderId 2**63 - 1
""")
STATUS = wire("""
    2000 1000 0100 0200  # messageLength 32 = 16 + 9 + 7 of padding, template 16, end of transaction
    00e40b5402000000     # transactTime
    0700000000000000     # instrumentId 7
    05                   # HALTED
    deadbeef000000       # padding, of any content
""")
PACKET = wire("""
    01e40b5402000000     # sendingTime 10 s and 1 ns
    e803000000000000     # seqNum 1000
    03000000             # channelId 3
    0100                 # incremental
    0200                 # messageCount 2
""") + BID_PUT + STATUS  # fmt: skip


def test_a_packet_splits_into_its_messages():
    packet = decode_packet(PACKET)
    assert (packet.sendingTime, packet.seqNum, packet.channelId) == (10**10 + 1, 1000, 3)
    assert (packet.type, packet.messageCount, packet.next_sequence) == (PacketType.INCREMENTAL, 2, 1002)
    assert [bytes(message) for message in packet.messages] == [BID_PUT, STATUS]
    assert not packet.heartbeat
    assert encode_packet(1000, packet.messages, channel_id=3, sending_time=10**10 + 1) == PACKET


def test_a_put_has_the_fields_of_its_specification():
    header, body = decode(BID_PUT)
    assert header == (56, 20, 1, MessageFlags.START_OF_TRANSACTION | MessageFlags.END_OF_TRANSACTION, 10**10)
    assert body._asdict() == {
        "orderId": 42, "instrumentId": 7, "quantity": 25, "price": 60_000_500_000_000, "sortOrderId": 2**63 - 1,
    }  # fmt: skip
    assert encode(TemplateId.BID_PUT, flags=3, transact_time=10**10, **body._asdict()) == BID_PUT


def test_padding_within_the_message_length_is_accepted_whatever_it_holds():
    header, body = decode(STATUS)
    assert header.messageLength == 32
    assert body == (7, starbase.InstrumentStatus.HALTED)
    assert decode(encode(16, flags=2, transact_time=10**10, instrumentId=7, tradingStatus=5)) == (header, body)


def test_a_heartbeat_is_a_packet_without_messages():
    packet = decode_packet(encode_packet(77, channel_id=5))
    assert packet.heartbeat
    assert (packet.seqNum, packet.next_sequence, packet.messages) == (77, 77, ())


def test_a_definition_has_both_groups_and_its_own_flags():
    message = encode(
        10, flags=2, instrumentId=9, name="BTC-27DEC24-60000-P", indexId=1, underlying="BTC_USD", quantityAsset="BTC",
        priceAsset="BTC", strikePrice=60_000 * 10**9, minOrderQuantity=1, tickSize=100_000, quantityExponent=-1, type=1,
        flags_=2, status=0, largeTickSizes=[{"largeTickSize": 500_000, "thresholdPrice": 5_000_000}],
        legs=[{"legInstrumentId": 4, "ratio": -1}, {"legInstrumentId": 5, "ratio": 1}],
    )  # fmt: skip
    assert len(message) == 16 + 260 + (4 + 16) + (4 + 2 * 9) + 2  # 2 of padding
    assert message[16 + 260 : 16 + 264] == bytes.fromhex("1000 0100")
    header, body = decode(message)
    assert (header.flags, body.flags, body.name) == (2, starbase.InstrumentFlags.IS_PUT_OPTION, "BTC-27DEC24-60000-P")
    assert (body.expiryTime, body.strikePrice) == (None, 60_000 * 10**9)
    assert body.largeTickSizes == ((500_000, 5_000_000),)
    assert body.legs == ((4, -1), (5, 1))


# From the published schema: the size of each body without groups, and where its last field stands.
SIZES = {
    10: (260, "status", 259), 11: (136, "name", 8), 12: (16, "indexPrice", 8), 14: (32, "markPrice", 24),
    15: (56, "openInterest", 48), 16: (9, "tradingStatus", 8), 20: (40, "sortOrderId", 32), 21: (40, "sortOrderId", 32),
    22: (24, "quantity", 16), 23: (24, "quantity", 16), 24: (16, "instrumentId", 8), 25: (16, "instrumentId", 8),
    30: (56, "takerFlags", 52), 31: (44, "makerFlags", 40), 33: (78, "numberOfLegs", 76),
    100: (24, "incrementalSeqNum", 16), 101: (24, "incrementSeqNum", 16), 119: (4, "activeInstrumentCount", 0),
    200: (9, "messageCount", 8), 202: (49, "reason", 48),
}  # fmt: skip


def test_every_template_has_the_size_that_the_schema_gives():
    templates = starbase.SCHEMA.templates
    assert sorted(templates) == sorted(SIZES) == sorted(TemplateId)
    for number, (size, last, offset) in SIZES.items():
        slots = templates[number].block.slots
        assert templates[number].block.size == size
        assert slots[-1].name == last
        assert slots[-2].end == offset if len(slots) > 1 else offset == 0


@pytest.mark.parametrize("number", SIZES)
def test_absent_values_are_null_as_sbe_has_it(number):
    fields = {
        slot.name: "" if slot.codec.codes.endswith("s") else 0 for slot in starbase.SCHEMA.templates[number].block.slots
    }
    optional = [slot.name for slot in starbase.SCHEMA.templates[number].block.slots if slot.codec.nullable]
    body = decode(
        encode(number, **{f"{name}_": None if name in optional else value for name, value in fields.items()})
    )[1]
    assert [name for name in fields if getattr(body, name) is None] == optional
    if number == 31:
        assert optional == ["makerOrderId"]
    if number == 15:
        assert len(optional) == 6


@pytest.mark.parametrize("number", SIZES)
def test_a_body_that_is_not_its_templates_size_is_refused(number):
    size = SIZES[number][0] + (8 if number == 10 else 0)
    for length in (size - 1, size + 8, size + 16):
        message = struct.pack("<HHHHq", 16 + length, number, 1, 0, 0) + bytes(length)
        with pytest.raises(WireError):
            decode(message)
    decode(struct.pack("<HHHHq", 16 + size, number, 1, 0, 0) + bytes(size))


def test_the_former_layout_of_template_14_is_refused_rather_than_read_as_the_new_one():
    old = struct.pack("<HHHHq", 56, 14, 1, 0, 0) + struct.pack(
        "<5q", 7, 1, 2, 3, 4
    )  # with an index price before the mark
    with pytest.raises(WireError, match="InstrumentInfo is longer than its template"):
        decode(old)


def test_an_unknown_template_is_told_apart():
    with pytest.raises(UnknownTemplate, match="found 13"):
        decode(struct.pack("<HHHHq", 24, 13, 1, 0, 0) + bytes(8))


def test_unknown_codes_are_handed_on():
    assert decode(encode(16, instrumentId=1, tradingStatus=99))[1].tradingStatus == 99
    assert decode_packet(encode_packet(1, type=0xFFFF)).type == 0xFFFF


@pytest.mark.parametrize("spoil", [
    lambda data: data[:23],                         # the packet header is cut short
    lambda data: data[:-1],                         # the last message is
    lambda data: data + b"\0",                      # a byte after it
    lambda data: data[:22] + b"\3\0" + data[24:],   # a message more than there is
    lambda data: data[:22] + b"\1\0" + data[24:],   # one fewer
    lambda data: data[:24] + b"\x0f\0" + data[26:],  # a message shorter than its header
    lambda data: data[:24] + b"\0\0" + data[26:],
    lambda data: data[:24] + b"\xff\xff" + data[26:],
])  # fmt: skip
def test_packets_whose_lengths_do_not_add_up_are_refused(spoil):
    with pytest.raises(WireError):
        decode_packet(spoil(PACKET))


def test_misuse_is_told_from_bad_bytes():
    for call in (
        lambda: encode(13), lambda: encode(24, orderId=1), lambda: encode(24, orderId=1, instrumentId=2**63),
        lambda: encode(24, orderId=1, instrumentId=1, price=1), lambda: encode_packet(1, [b"short"]),
        lambda: encode_packet(1, [BID_PUT + b"x"]), lambda: encode_packet(2**63),
    ):  # fmt: skip
        with pytest.raises(MisuseError):
            call()


INT64 = st.integers(-(2**63) + 1, 2**63 - 1)
KINDS = {
    "q": INT64, "i": st.integers(-(2**31), 2**31 - 1), "I": st.integers(0, 2**32 - 1), "H": st.integers(0, 65535),
    "B": st.integers(0, 255), "b": st.integers(-128, 127), "d": st.floats(allow_nan=False),
}  # fmt: skip


def _value(codes):
    if codes.endswith("s"):
        return st.text(st.characters(min_codepoint=33, max_codepoint=255), max_size=int(codes[:-1]))
    return KINDS[codes]


@given(st.sampled_from(sorted(SIZES)), st.data(), st.integers(0, 65535), INT64)
def test_what_is_encoded_is_decoded(number, data, flags, time):
    template = starbase.SCHEMA.templates[number]
    fields = {slot.name: data.draw(_value(slot.codec.codes), slot.name) for slot in template.block.slots}
    for group in template.groups:
        row = st.fixed_dictionaries({slot.name: _value(slot.codec.codes) for slot in group.body.block.slots})
        fields[group.name] = data.draw(st.lists(row, max_size=4), group.name)
    message = encode(number, flags=flags, transact_time=time, **{f"{name}_": value for name, value in fields.items()})
    header, body = decode(message)
    assert header == (len(message), number, 1, flags, time)
    assert len(message) % 8 == 0
    for name, value in body._asdict().items():
        assert ([entry._asdict() for entry in value] if isinstance(value, tuple) else value) == fields[name]


@given(st.integers(0, len(PACKET) - 1))
def test_every_truncation_is_refused(cut):
    with pytest.raises(WireError):
        decode_packet(PACKET[:cut])


@given(st.binary(max_size=300), st.sampled_from([0, *SIZES]), st.booleans())
def test_any_bytes_decode_or_are_refused(noise, number, headed):
    data = struct.pack("<HHHHq", 16 + len(noise), number, 1, 0, 0) + noise if headed else noise
    packet = encode_packet(1, [data]) if headed else data
    for call in (lambda: decode(data), lambda: decode_packet(data), lambda: decode_packet(packet)):
        with suppress(WireError):
            call()
