"""IGMP and MLD: bytes that others write, what comes back of what is written, and bytes that mean nothing."""

from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netfeed.errors import MisuseError, WireError
from netfeed.wire import igmp, mld
from netfeed.wire.headers import checksum
from netfeed.wire.membership_words import (
    GroupRecord,
    Leave,
    Message,
    Query,
    RecordType,
    Report,
    code_of,
    protocol_of,
    time_of,
)
from tests.wire.membership_samples import A6, B6, G6, MESSAGES4, MESSAGES6, G, S

SSDP, MDNS = IPv4Address("239.255.255.250"), IPv4Address("224.0.0.251")


@pytest.mark.parametrize(
    ("octets", "message"),
    [
        ("11 64 ee 9b 00 00 00 00", Query("IGMP", 2, None, 100)),
        ("11 00 ee ff 00 00 00 00", Query("IGMP", 1, None, 0)),
        ("11 64 ec 1e 00 00 00 00 02 7d 00 00", Query("IGMP", 3, None, 100, False, 2, 125)),
        ("12 00 fe 04 ef ff ff fa", Report("IGMP", 1, (GroupRecord(2, SSDP),))),
        ("16 00 fa 04 ef ff ff fa", Report("IGMP", 2, (GroupRecord(2, SSDP),))),
        ("17 00 f9 04 ef ff ff fa", Leave("IGMP", 2, SSDP)),
        ("22 00 f9 02 00 00 00 01 04 00 00 00 e0 00 00 fb", Report("IGMP", 3, (GroupRecord(4, MDNS),))),
    ],
)
def test_messages_as_they_are_seen_on_networks(octets: str, message: Message) -> None:
    assert igmp.decode(bytes.fromhex(octets)) == message
    assert igmp.encode(message).hex(" ") == octets


@pytest.mark.parametrize("message", MESSAGES4)
def test_what_is_written_is_read(message: Message) -> None:
    assert igmp.decode(igmp.encode(message)) == message


@pytest.mark.parametrize("message", MESSAGES6)
def test_what_is_written_of_ipv6_is_read_between_the_same_addresses_only(message: Message) -> None:
    written = mld.encode(message, A6, B6)
    assert mld.decode(written, A6, B6) == message
    with pytest.raises(WireError, match="MLD message has a wrong checksum"):
        mld.decode(written, A6, A6)


def test_scapy_reads_the_same() -> None:
    inet6 = pytest.importorskip("scapy.layers.inet6", reason="scapy is not installed (extra dev)")
    query = mld.encode(Query("MLD", 2, G6, 10_000, True, 3, 125, (A6,)), A6, B6)
    told = inet6.ICMPv6MLQuery2(query)
    assert (told.mladdr, told.mrd, told.S, told.QRV, told.QQIC, told.sources) == (
        str(G6),
        10_000,
        1,
        3,
        125,
        ["fe80::1"],
    )
    report = mld.encode(Report("MLD", 2, (GroupRecord(6, G6, (B6,)),)), A6, B6)
    told = inet6.ICMPv6MLReport2(report)
    assert [(one.rtype, one.dst, one.sources) for one in told.records] == [(6, str(G6), ["fe80::2"])]
    packet = inet6.IPv6(src=str(A6), dst=str(B6)) / inet6.ICMPv6MLDone(mladdr=str(G6))
    assert mld.decode(bytes(packet)[40:], A6, B6) == Leave("MLD", 1, G6)


def test_versions_of_a_query_are_told_apart_by_length_and_code() -> None:
    for length in (9, 10, 11):  # RFC 3376, 7.1: passed over in silence
        with pytest.raises(WireError, match="IgmpQuery3 is cut short"):
            igmp.decode(summed(b"\x11\x64" + bytes(length - 2)))
    assert isinstance(igmp.decode(summed(b"\x11\x64" + bytes(10) + b"more")), Query)
    for length in (25, 27):
        with pytest.raises(WireError, match="MldQuery2 is cut short"):
            mld.decode(summed6(b"\x82" + bytes(length - 1)), A6, B6)


def test_what_follows_a_message_belongs_to_its_checksum_and_means_nothing() -> None:
    written = igmp.encode(Report("IGMP", 3, (GroupRecord(4, G, (S,)),)))
    assert igmp.decode(summed(written[:2] + b"\0\0" + written[4:] + b"tail")) == igmp.decode(written)
    with pytest.raises(WireError, match="wrong checksum"):
        igmp.decode(written + b"tail")


def test_other_protocols_that_share_the_number_are_none() -> None:
    assert igmp.decode(summed(b"\x13\x01" + bytes(6))) is None  # DVMRP
    assert mld.decode(b"\x87" + bytes(23), A6, B6) is None  # a neighbour's solicitation


@pytest.mark.parametrize("cut", range(1, 24))
def test_a_report_that_is_cut_short_is_no_report(cut: int) -> None:
    written = igmp.encode(Report("IGMP", 3, (GroupRecord(1, G, (S,), b"word"),)))
    with pytest.raises(WireError):
        igmp.decode(summed(written[:2] + b"\0\0" + written[4:-cut]))


def test_times_are_coded_as_the_specification_says() -> None:
    assert [time_of(code, 8) for code in (0, 127, 128, 0x8F, 0xFF)] == [0, 127, 128, 248, 31_744]
    assert [time_of(code, 16) for code in (32_767, 32_768, 0xFFFF)] == [32_767, 32_768, 8_387_584]
    assert Query("IGMP", 3, None, 0xFF, False, 0, 0xFF).interval_ns == 31_744 * 10**9
    assert Query("IGMP", 3, None, 100).max_response_ns == 10 * 10**9
    assert Query("IGMP", 2, None, 200).max_response_ns == 20 * 10**9  # all eight bits in version 2
    assert Query("IGMP", 1, None, 0).max_response_ns == 10 * 10**9
    assert Query("MLD", 1, None, 40_000).max_response_ns == 40 * 10**9
    assert Query("MLD", 2, None, 0x8000).max_response_ns == 32_768 * 10**6
    assert Query("IGMP", 2).interval_ns is None


@given(value=st.integers(0, 10_000_000), bits=st.sampled_from([8, 16]))
def test_a_time_is_coded_as_the_next_smaller_one_that_can_be(value: int, bits: int) -> None:
    code = code_of(value, bits)
    assert 0 <= code < 1 << bits
    assert time_of(code, bits) <= value
    assert code == (1 << bits) - 1 or value < time_of(code + 1, bits)


@pytest.mark.parametrize(
    "message",
    [
        Query("IGMP", 1, None, 5), Query("IGMP", 2, None, 0), Query("IGMP", 2, G, 5, sources=(S,)),
        Query("IGMP", 3, None, 256), Query("IGMP", 3, robustness=8), Query("IGMP", 3, interval_code=256),
        Report("IGMP", 2, ()), Report("IGMP", 4, (GroupRecord(2, G),)), Report("IGMP", 3, (GroupRecord(256, G),)),
        Report("IGMP", 3, (GroupRecord(2, G, (), b"odd"),)), Leave("MLD", 1, G6),
    ],
)  # fmt: skip
def test_what_a_version_cannot_say_is_refused(message: Message) -> None:
    with pytest.raises(MisuseError):
        igmp.encode(message)


@pytest.mark.parametrize(
    "message",
    [
        Query("MLD", 1, G6, 5, sources=(A6,)), Query("MLD", 2, robustness=8), Report("MLD", 3, (GroupRecord(2, G6),)),
        Report("MLD", 1, ()), Leave("IGMP", 2, G),
    ],
)  # fmt: skip
def test_what_a_version_of_ipv6_cannot_say_is_refused(message: Message) -> None:
    with pytest.raises(MisuseError):
        mld.encode(message, A6, B6)


@given(data=st.binary(max_size=60))
def test_any_bytes_are_a_message_or_an_error(data: bytes) -> None:
    for octets in (data, summed(data)):
        with suppress(WireError):
            message = igmp.decode(octets)
            assert message is None or igmp.decode(igmp.encode(message)) == message
    for octets in (data, summed6(data)):
        with suppress(WireError):
            message = mld.decode(octets, A6, B6)
            assert message is None or mld.decode(mld.encode(message, A6, B6), A6, B6) == message


def test_an_address_says_which_protocol_it_belongs_to() -> None:
    assert [protocol_of(IPv4Address("1.2.3.4")), protocol_of(IPv6Address("::1"))] == ["IGMP", "MLD"]
    assert {one.value for one in RecordType} == set(range(1, 7))


def summed(data: bytes) -> bytes:
    """Give bytes with the checksum that IGMP wants."""
    bare = data[:2] + b"\0\0" + data[4:]
    return bare[:2] + checksum(bare).to_bytes(2) + bare[4:]


def summed6(data: bytes) -> bytes:
    bare = data[:2] + b"\0\0" + data[4:]
    pseudo = A6.packed + B6.packed + len(bare).to_bytes(4) + (58).to_bytes(4)
    return bare[:2] + checksum(pseudo + bare).to_bytes(2) + bare[4:]
