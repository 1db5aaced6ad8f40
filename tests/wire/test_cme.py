"""CME MDP 3.0: hand-written packets of old and new versions, a recording of 2016, round trips, hostile bytes."""

import struct
from collections import Counter
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netfeed.errors import MisuseError, WireError
from netfeed.wire import cme
from netfeed.wire.cme import (
    EntryType,
    MatchEventIndicator,
    MDUpdateAction,
    decode,
    decode_packet,
    encode,
    encode_packet,
)
from netfeed.wire.sbe import UnknownTemplate
from tests.data import recording
from tests.wire.datagrams import datagrams

RECORDING = "cme/Cme.Mdp3.Sbe.v6.1.pcap"


def wire(text: str) -> bytes:
    """Read hexadecimal text with comments."""
    return bytes.fromhex(" ".join(line.partition("#")[0] for line in text.splitlines()))


BOOK_46 = wire("""
    5800                  # MsgSize 88
    0b00 2e00 0100 0900   # block 11, template 46, schema 1, version 9
    0100000000000000      # TransactTime 1
    84 0000               # last quote, end of event; padding
    2000 01               # one entry of 32 bytes
    00f2052a01000000      # MDEntryPx 5.0 in 1e-9
    03000000              # MDEntrySize 3
    07000000              # SecurityID 7
    09000000              # RptSeq 9
    ffffff7f              # NumberOfOrders: null
    02 01 45              # level 2, change, implied bid
    00000000 00           # TradeableSize, which version 9 does not have yet, and padding
    1800 0000000000 01    # one order of 24 bytes; dimensions of 8 bytes
    0b00000000000000      # OrderID 11
    ffffffffffffffff      # MDOrderPriority: null
    02000000              # MDDisplayQty 2
    01 00 0000            # ReferenceID 1, new
""")
HEARTBEAT = wire("0a00 0000 0c00 0100 0600")
PACKET = wire("d2040000 00e40b5402000000") + BOOK_46 + HEARTBEAT  # sequence 1234, sent at 10 s


def test_a_packet_splits_into_its_messages():
    packet = decode_packet(PACKET)
    assert (packet.MsgSeqNum, packet.SendingTime) == (1234, 10**10)
    assert [bytes(message) for message in packet.messages] == [BOOK_46[2:], HEARTBEAT[2:]]
    assert encode_packet(1234, packet.messages, sending_time=10**10) == PACKET


def test_a_book_message_has_the_fields_of_its_specification():
    header, body = decode(BOOK_46[2:])
    assert header == (11, 46, 1, 9)
    assert body.MatchEventIndicator == MatchEventIndicator.LAST_QUOTE | MatchEventIndicator.END_OF_EVENT
    entry = body.NoMDEntries[0]._asdict()
    assert entry == {
        "MDEntryPx": 5 * 10**9, "MDEntrySize": 3, "SecurityID": 7, "RptSeq": 9, "NumberOfOrders": None,
        "MDPriceLevel": 2, "MDUpdateAction": MDUpdateAction.CHANGE,
        "MDEntryType": EntryType.IMPLIED_BID, "TradeableSize": None,
    }  # fmt: skip
    assert body.NoOrderIDEntries == ((11, None, 2, 1, 0),)


def test_a_price_that_is_absent_is_none_and_the_null_of_sbe_is_a_price():
    def price(raw):
        return decode(BOOK_46[2:24] + struct.pack("<q", raw) + BOOK_46[32:])[1].NoMDEntries[0].MDEntryPx

    assert price(2**63 - 1) is None
    assert price(-(2**63)) == -(2**63)
    message = encode(46, TransactTime=1, MatchEventIndicator=0, NoMDEntries=[{
        "SecurityID": 7, "RptSeq": 9, "MDPriceLevel": 1, "MDUpdateAction": 0, "MDEntryType": "J",
    }])  # fmt: skip
    assert message[22:30] == struct.pack("<q", 2**63 - 1)


def test_prices_are_finer_from_version_9_on():
    assert [cme.price_exponent(version) for version in (5, 6, 8, 9, 13)] == [-7, -7, -7, -9, -9]


def test_constants_take_no_bytes_and_fields_newer_than_the_message_are_none():
    reset = wire("0900 0400 0100 0c00 0500000000000000 80 0200 01 3601")
    assert decode(reset)[1].NoMDEntries == ((0, "J", 310),)
    volume = wire("0b00 2500 0100 0600 0100000000000000 02 0000 1000 01 0c000000 07000000 03000000 00 000000")
    assert decode(volume)[1].NoMDEntries == ((12, 7, 3, 0, "e"),)
    future = encode(54, **_definition(54, InstrumentGUID=99))
    assert decode(future)[1].InstrumentGUID == 99
    older = wire("d800 3600 0100 0900") + future[8:224] + future[232:]  # version 9 ends before the GUID
    body = decode(older)[1]
    assert (body.InstrumentGUID, body.Symbol, body.NoMDFeedTypes) == (None, "ESZ6", (("GBX", 10),))


def _definition(number, **fields):
    slots = [slot for slot in cme.SCHEMA.templates[number].block.slots if not slot.codec.nullable]
    known = {slot.name: "" if slot.codec.codes.endswith("s") else 0 for slot in slots}
    known |= {"MaturityMonthYear": (2016, 12, None, None), "Symbol": "ESZ6"}
    return {**known, "NoMDFeedTypes": [{"MDFeedType": "GBX", "MarketDepth": 10}], **fields}


# From the published schemas: block and group entry lengths, the last field of the entry and where it stands.
SIZES = {
    4: (9, 2), 12: (0,), 27: (216, 9, 4, 4, 5), 29: (195, 9, 4, 4, 5, 18), 30: (30,), 32: (11, 32), 33: (11, 32),
    34: (11, 32), 35: (11, 24), 36: (11, 32), 37: (11, 16), 38: (59, 22), 39: (35, 32), 41: (213, 9, 4, 4, 5, 24),
    42: (11, 32, 16), 46: (11, 32, 24), 47: (11, 40), 48: (11, 32, 16), 49: (11, 32),
    50: (11, 32), 51: (11, 24), 52: (59, 22), 53: (28, 29),
    54: (224, 9, 4, 4, 5), 55: (221, 9, 4, 4, 5, 24, 24), 56: (255, 9, 4, 4, 5, 18),
}  # fmt: skip


def test_every_template_has_the_size_that_the_schema_gives():
    templates = cme.SCHEMA.templates
    assert sorted(templates) == sorted(SIZES)
    for number, sizes in SIZES.items():
        template = templates[number]
        assert (template.block.size, *(group.body.block.size for group in template.groups)) == sizes, number
        assert decode(encode(number, **_definition(number)) if number in DEFINITIONS else bytes_of(number))


DEFINITIONS = (27, 29, 41, 54, 55, 56)


def bytes_of(number):
    """Give a message of zeros with one entry in each group."""
    template = cme.SCHEMA.templates[number]
    message = struct.pack("<HHHH", template.block.size, number, 1, 12) + bytes(template.block.size)
    for group in template.groups:
        count = b"\x01" if group.dimension.size == 3 else bytes(5) + b"\x01"
        message += struct.pack("<H", group.body.block.size) + count + bytes(group.body.block.size)
    return message


def test_the_recording_decodes_to_what_independent_readers_count():
    lines = {"224.0.31.64": Counter(), "224.0.32.64": Counter()}
    entries, securities, sequences = Counter(), set(), {group: [] for group in lines}
    for datagram in datagrams(recording(RECORDING)):
        packet = decode_packet(datagram.payload)
        assert struct.unpack_from("<IQ", datagram.payload) == (packet.MsgSeqNum, packet.SendingTime)
        sequences[datagram.group].append(packet.MsgSeqNum)
        for message in packet.messages:
            header, body = decode(message)
            lines[datagram.group][header.templateId] += 1
            assert header.version == 6
            if header.templateId != 12:
                entries[datagram.group] += len(body.NoMDEntries)
                securities |= {entry.SecurityID for entry in body.NoMDEntries}
    wanted = {32: 9569, 35: 307, 42: 194, 37: 194, 12: 9}
    assert lines == dict.fromkeys(lines, wanted)
    assert entries == dict.fromkeys(lines, 15_731)
    assert len(securities) == 127
    assert all(numbers == list(range(5615, 10_615)) for numbers in sequences.values())


@pytest.mark.parametrize("spoil", [
    lambda data: data[:11], lambda data: data[:-1], lambda data: data + b"\0",
    lambda data: data[:12] + b"\x09\0" + data[14:],      # shorter than its own header
    lambda data: data[:12] + b"\0\0" + data[14:],
    lambda data: data[:12] + b"\xff\xff" + data[14:],
])  # fmt: skip
def test_packets_that_do_not_add_up_are_refused(spoil):
    with pytest.raises(WireError):
        decode_packet(spoil(PACKET))


@pytest.mark.parametrize("spoil", [
    lambda data: b"\xff\xff" + data[2:],                 # a block that is not there
    lambda data: data[:21] + b"\xff" + data[22:],        # 255 entries
    lambda data: data[:61] + b"\xff" + data[62:],        # 255 orders
    lambda data: data[:4] + b"\2\0" + data[6:],          # another schema
])  # fmt: skip
def test_messages_that_do_not_add_up_are_refused(spoil):
    with pytest.raises(WireError):
        decode(spoil(BOOK_46[2:]))


def test_groups_that_a_newer_schema_appends_are_skipped():
    assert decode(BOOK_46[2:] + wire("0400 01 01020304"))[1] == decode(BOOK_46[2:])[1]


def test_an_unknown_template_is_told_apart():
    with pytest.raises(UnknownTemplate, match="found 64"):
        decode(wire("0000 4000 0100 0d00"))


def test_misuse_is_told_from_bad_bytes():
    for call in (
        lambda: encode(64), lambda: encode(46, TransactTime=1), lambda: encode_packet(1, [b"short"]),
        lambda: encode_packet(1, [bytes(65534)]), lambda: encode_packet(2**32, []),
    ):  # fmt: skip
        with pytest.raises(MisuseError):
            call()


I32 = st.integers(-(2**31), 2**31 - 2)
ENTRY = st.fixed_dictionaries({
    "MDEntryPx": st.none() | st.integers(-(2**63), 2**63 - 2), "MDEntrySize": st.none() | I32,
    "SecurityID": I32, "RptSeq": st.integers(0, 2**32 - 1), "NumberOfOrders": st.none() | I32,
    "MDPriceLevel": st.integers(0, 255), "MDUpdateAction": st.integers(0, 255),
    "MDEntryType": st.sampled_from("01EFJxyz"), "TradeableSize": st.none() | I32,
})  # fmt: skip


@given(st.lists(ENTRY, max_size=4), st.sampled_from([32, 46]), st.integers(0, 255), st.integers(10, 20))
def test_what_is_encoded_is_decoded(entries, number, indicator, version):
    message = encode(number, version=version, TransactTime=1, MatchEventIndicator=indicator, NoMDEntries=entries)
    header, body = decode(message)
    assert (header.version, body.MatchEventIndicator) == (version, indicator)
    assert [entry._asdict() for entry in body.NoMDEntries] == entries


@given(st.integers(0, len(PACKET) - 1))
def test_every_truncation_is_refused_unless_it_falls_between_messages(cut):
    if cut in (12, 12 + len(BOOK_46)):
        assert len(decode_packet(PACKET[:cut]).messages) == (cut > 12)
    else:
        with pytest.raises(WireError):
            decode_packet(PACKET[:cut])
    if cut < len(BOOK_46) - 2:
        with pytest.raises(WireError):
            decode(BOOK_46[2:][:cut])


@given(st.binary(max_size=300), st.sampled_from([0, *SIZES]), st.integers(0, 300))
def test_any_bytes_decode_or_are_refused(noise, number, block):
    data = (struct.pack("<HHHH", block, number, 1, 12) if number else b"") + noise
    for call in (lambda: decode(data), lambda: decode_packet(data), lambda: decode_packet(PACKET[:12] + data)):
        with suppress(WireError):
            call()
