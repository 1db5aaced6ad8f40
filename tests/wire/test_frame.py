"""Frames: vectors of every link type and header, what the lengths decide, and scapy as an independent reader."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netfeed.errors import MisuseError
from netfeed.wire.frame import ABSENT, NO_VLAN, Kind, LinkType, Packet, locate
from netfeed.wire.headers import checksum, udp_frame
from tests.wire import capture_samples as sample

# Written by hand: MACs, EtherType; version/IHL, total length 31, protocol 17; ports 1234 to 26400, length 11; "abc".
IPV4 = bytes.fromhex("45 00 001f 0001 4000 01 11 0000 0a000001 e9fc000104d2 6720 000b 0000616263")
IPV6 = bytes.fromhex(
    "60000000 000b 11 01 20010db8000000000000000000000001 ff3e000000000000000000008000000104d2 6720 000b 0000616263"
)
MACS = bytes.fromhex("01005e7c0001 020000000001")
A4, B4 = bytes.fromhex("00000000000000000000ffff0a000001"), bytes.fromhex("00000000000000000000ffffe9fc0001")
A6, B6 = IPV6[8:24], IPV6[24:40]


def found(at: int, version: int, vlan: int = NO_VLAN) -> Packet:
    source, destination = (A4, B4) if version == 4 else (A6, B6)
    return Packet(Kind.UDP, at, 3, version, vlan, source, 1234, destination, 26400)


@pytest.mark.parametrize(
    ("link", "head", "vlan"),
    [
        (LinkType.ETHERNET, MACS + b"TT", NO_VLAN),
        (LinkType.ETHERNET, MACS + bytes.fromhex("8100 612c") + b"TT", 300),  # priority 3, id 0x12c
        (LinkType.ETHERNET, MACS + bytes.fromhex("88a8 0007 8100 012c") + b"TT", 7),  # the outermost
        (LinkType.ETHERNET, MACS + bytes.fromhex("9100 0000 9100 012c 8100 0001") + b"TT", 0),
        (LinkType.LINUX_SLL, bytes.fromhex("0002 0001 0006 020000000001 0000") + b"TT", NO_VLAN),
        (LinkType.LINUX_SLL, bytes.fromhex("0002 0001 0006 020000000001 0000 8100 012c") + b"TT", 300),
        (LinkType.LINUX_SLL2, b"TT" + bytes.fromhex("0000 00000003 0001 02 06 0200000000010000"), NO_VLAN),
        (LinkType.RAW, b"", NO_VLAN),
    ],
)
def test_a_payload_is_found_behind_every_link_header(link: LinkType, head: bytes, vlan: int) -> None:
    for version, type_, ip in ((4, b"\x08\x00", IPV4), (6, b"\x86\xdd", IPV6)):
        link_header = head.replace(b"TT", type_)
        payload_offset = len(link_header) + len(ip) - 3
        assert locate(link_header + ip, link) == found(payload_offset, version, vlan)


def test_single_protocol_link_types_hold_their_protocol_only() -> None:
    assert locate(IPV4, LinkType.IPV4) == found(28, 4)
    assert locate(IPV6, LinkType.IPV6) == found(48, 6)
    assert locate(IPV6, LinkType.IPV4).kind == locate(IPV4, LinkType.IPV6).kind == Kind.BAD


@pytest.mark.parametrize("link", [LinkType.NULL, LinkType.LOOP])
@pytest.mark.parametrize("order", ["<I", ">I"])
def test_a_loopback_family_is_read_in_either_order(link: LinkType, order: str) -> None:
    assert locate(struct.pack(order, 2) + IPV4, link) == found(32, 4)
    for family in (10, 24, 28, 30):
        assert locate(struct.pack(order, family) + IPV6, link) == found(52, 6)
    assert locate(struct.pack(order, 7) + IPV4, link) == Packet(Kind.NOT_UDP)


def test_an_unknown_link_type_is_not_udp() -> None:
    assert locate(IPV4, 147) == Packet(Kind.NOT_UDP)


def test_what_is_not_ip_has_no_address() -> None:
    for type_ in ("0806", "05dc", "8847"):  # ARP, an 802.3 length, MPLS
        assert locate(MACS + bytes.fromhex(type_) + IPV4, 1) == Packet(Kind.NOT_UDP)
    assert locate(MACS + b"\x08\x06", 1).source == ABSENT


def changed(ip: bytes, at: int, value: str) -> bytes:
    data = bytes.fromhex(value)
    return ip[:at] + data + ip[at + len(data) :]


@pytest.mark.parametrize(
    ("why", "ip", "kind"),
    [
        ("version 5", changed(IPV4, 0, "55"), Kind.BAD),
        ("header of 16 bytes", changed(IPV4, 0, "44"), Kind.BAD),
        ("total length under the header", changed(IPV4, 2, "0013"), Kind.BAD),
        ("total length 0", changed(IPV4, 2, "0000"), Kind.BAD),
        ("total length without room for UDP", changed(IPV4, 2, "001b"), Kind.BAD),
        ("total length past the frame", changed(changed(IPV4, 2, "0020"), 24, "000c"), Kind.BAD),
        ("total length past the frame, UDP inside", changed(IPV4, 2, "0020"), Kind.UDP),
        ("TCP", changed(IPV4, 9, "06"), Kind.NOT_UDP),
        ("first fragment", changed(IPV4, 6, "2000"), Kind.FRAGMENT),
        ("later fragment", changed(IPV4, 6, "0001"), Kind.FRAGMENT),
        ("fragment of TCP", changed(changed(IPV4, 6, "2000"), 9, "06"), Kind.NOT_UDP),
        ("the reserved flag", changed(IPV4, 6, "8000"), Kind.UDP),
        ("UDP length 0", changed(IPV4, 24, "0000"), Kind.BAD),
        ("UDP length 7", changed(IPV4, 24, "0007"), Kind.BAD),
        ("UDP length past the packet", changed(IPV4, 24, "000c"), Kind.BAD),
        ("options", changed(IPV4[:20] + bytes(4) + IPV4[20:], 0, "4600 0023"), Kind.UDP),
        ("IPv6 of version 4", changed(IPV6, 0, "40"), Kind.BAD),
        ("IPv6 payload length 0 (a jumbogram)", changed(IPV6, 4, "0000"), Kind.BAD),
        ("IPv6 TCP", changed(IPV6, 6, "06"), Kind.NOT_UDP),
        ("IPv6 no next header", changed(IPV6, 6, "3b"), Kind.NOT_UDP),
        ("IPv6 UDP length past the packet", changed(IPV6, 44, "000c"), Kind.BAD),
    ],
)
def test_lengths_and_flags_decide(why: str, ip: bytes, kind: Kind) -> None:
    link = LinkType.IPV6 if why.startswith("IPv6") else LinkType.IPV4
    packet = locate(ip, link)
    assert packet.kind == kind, why
    assert (packet.payload_length > 0) == (kind == Kind.UDP)


def test_the_udp_length_keeps_padding_out_of_the_payload() -> None:
    packet = locate(MACS + b"\x08\x00" + IPV4 + bytes(15), 1)
    assert (packet.kind, packet.payload_length) == (Kind.UDP, 3)
    shorter = locate(changed(IPV4, 24, "0009"), LinkType.IPV4)
    assert (shorter.kind, shorter.payload_length) == (Kind.UDP, 1)


def test_an_empty_datagram_is_udp() -> None:
    packet = locate(changed(changed(IPV4, 2, "001c"), 24, "0008"), LinkType.IPV4)
    assert (packet.kind, packet.payload_offset, packet.payload_length) == (Kind.UDP, 28, 0)


HOP, ROUTING, AH, DESTINATION = (0, bytes(7)), (43, b"\1" + bytes(14)), (51, b"\4" + bytes(22)), (60, bytes(7))


def fragment(offset: int, more: bool, last: int = 17) -> bytes:
    header = (44, b"\0" + struct.pack(">HI", offset << 3 | more, 99))
    return sample.extended(header, last=last)


def test_ipv6_extension_headers_are_passed() -> None:
    for chain in ([HOP], [HOP, DESTINATION, ROUTING], [AH], [HOP, AH, DESTINATION], [DESTINATION] * 8):
        ip = sample.extended(*chain)
        packet = locate(ip, LinkType.IPV6)
        assert (packet.kind, packet.payload_offset, packet.payload_length) == (Kind.UDP, len(ip) - 7, 7)


def test_an_endless_or_overlong_ipv6_chain_is_bad() -> None:
    assert locate(sample.extended(*[DESTINATION] * 9), LinkType.IPV6).kind == Kind.BAD
    assert locate(sample.extended((0, b"\xff" + bytes(6))), LinkType.IPV6).kind == Kind.BAD


def test_ipv6_fragments_are_counted_and_atomic_ones_are_whole() -> None:
    assert locate(fragment(0, False), LinkType.IPV6).kind == Kind.UDP
    assert locate(fragment(0, True), LinkType.IPV6).kind == Kind.FRAGMENT
    assert locate(fragment(5, False), LinkType.IPV6).kind == Kind.FRAGMENT
    assert locate(fragment(5, False, last=60), LinkType.IPV6).kind == Kind.FRAGMENT
    assert locate(fragment(5, False, last=6), LinkType.IPV6).kind == Kind.NOT_UDP


@pytest.mark.parametrize(
    ("link", "frame"), [(1, sample.FRAME4), (1, sample.FRAME6), (228, IPV4), (113, bytes(14) + b"\x08\x00" + IPV4)]
)
def test_a_frame_cut_anywhere_is_truncated_if_the_capture_cut_it_and_bad_if_not(link: int, frame: bytes) -> None:
    whole = locate(frame, link)
    for size in range(len(frame)):
        cut = locate(frame[:size], link, len(frame))
        assert (cut.kind, locate(frame[:size], link).kind) == (Kind.TRUNCATED, Kind.BAD)
        kept = size - whole.payload_offset
        assert cut.payload_length == max(0, kept)
        assert cut.payload_offset == (whole.payload_offset if kept >= 0 else 0)


@given(st.binary(max_size=120), st.sampled_from(sample.LINKS), st.integers(0, 200))
def test_any_bytes_give_a_payload_inside_the_frame(data: bytes, link: int, original: int) -> None:
    packet = locate(data, link, original)
    assert 0 <= packet.payload_offset <= packet.payload_offset + packet.payload_length <= len(data)
    assert packet.kind in Kind


# ---- building --------------------------------------------------------------------------------------------------------


@given(
    st.binary(max_size=1500),
    st.sampled_from([4, 6]),
    st.none() | st.integers(0, 4094),
    st.integers(0, 65535),
    st.integers(0, 65535),
)
def test_what_is_built_is_what_is_found(payload: bytes, version: int, vlan: int | None, sport: int, dport: int) -> None:
    hosts = ("10.0.0.1", "239.1.2.3") if version == 4 else ("2001:db8::1", "ff3e::8000:1")
    frame = udp_frame(payload, (hosts[0], sport), (hosts[1], dport), vlan=vlan)
    packet = locate(frame, 1)
    assert frame[packet.payload_offset :] == payload
    assert packet[2:5] == (len(payload), version, NO_VLAN if vlan is None else vlan)
    assert (packet.kind, packet.source_port, packet.destination_port) == (Kind.UDP, sport, dport)


@pytest.mark.parametrize(
    ("source", "destination"),
    [(sample.HOST, sample.GROUP), (sample.HOST6, sample.GROUP6), (sample.HOST, ("10.9.8.7", 5))],
)
@pytest.mark.parametrize("vlan", [None, 300])
def test_scapy_reads_the_same_and_computes_the_same_checksums(
    source: tuple[str, int], destination: tuple[str, int], vlan: int | None
) -> None:
    layers = pytest.importorskip("scapy.layers.all", reason="scapy is not installed")
    for payload in (b"", b"odd", bytes(range(256))):
        frame = udp_frame(payload, source, destination, vlan=vlan, ttl=9)
        read = layers.Ether(frame)
        udp, ip = read[layers.UDP], read[layers.IP if source == sample.HOST else layers.IPv6]
        assert (ip.src, udp.sport, ip.dst, udp.dport) == (*source, *destination)
        assert bytes(udp.payload) == payload
        assert vlan is None or read[layers.Dot1Q].vlan == vlan
        assert (ip.ttl if source == sample.HOST else ip.hlim) == 9
        del udp.chksum
        if source == sample.HOST:
            del ip.chksum
        assert bytes(read) == frame


def test_multicast_macs_come_from_the_group_and_others_from_the_address() -> None:
    frame = udp_frame(b"", ("10.1.2.3", 1), ("239.255.129.7", 1))
    assert frame[:12].hex(":") == "01:00:5e:7f:81:07:02:00:0a:01:02:03"  # 23 bits of the group
    assert udp_frame(b"", sample.HOST6, sample.GROUP6)[:6].hex(":") == "33:33:80:00:00:01"
    frame = udp_frame(b"", ("10.1.2.3", 1, "aa:bb:cc:dd:ee:ff"), ("10.1.2.4", 1, "00-11-22-33-44-55"))
    assert frame[:12].hex() == "001122334455aabbccddeeff"


def test_the_checksum_is_that_of_rfc_1071() -> None:
    assert checksum(bytes.fromhex("0001f203f4f5f6f7")) == 0xFFFF - 0xDDF2  # the example of its section 3
    assert checksum(b"") == checksum(bytes(8)) == 0xFFFF
    assert checksum(b"\xff\xff") == 0
    assert checksum(b"\x01") == 0xFEFF  # padded behind


def test_a_udp_checksum_of_zero_is_sent_as_all_ones() -> None:
    plain = udp_frame(b"\0\0", sample.HOST, sample.GROUP)[40:42]
    assert plain not in (b"\0\0", b"\xff\xff")
    # A payload that is the checksum of the rest makes the sum 0xFFFF, and its complement 0.
    assert udp_frame(plain, sample.HOST, sample.GROUP)[40:42] == b"\xff\xff"


@pytest.mark.parametrize(
    ("source", "destination", "vlan", "payload"),
    [
        (("10.0.0.300", 1), sample.GROUP, None, b""),
        (sample.HOST6, sample.GROUP, None, b""),
        (("10.0.0.1", 65536), sample.GROUP, None, b""),
        (("10.0.0.1", 1, "not a mac"), sample.GROUP, None, b""),
        (sample.HOST, sample.GROUP, 4095, b""),
        (sample.HOST, sample.GROUP, None, bytes(65_508)),
        (sample.HOST6, sample.GROUP6, None, bytes(65_528)),
    ],
)
def test_a_frame_that_cannot_be_is_misuse(
    source: tuple[str, int], destination: tuple[str, int], vlan: int | None, payload: bytes
) -> None:
    with pytest.raises(MisuseError):
        udp_frame(payload, source, destination, vlan=vlan)


def test_the_longest_payloads_fit() -> None:
    for source, destination, size in ((sample.HOST, sample.GROUP, 65_507), (sample.HOST6, sample.GROUP6, 65_527)):
        assert locate(udp_frame(bytes(size), source, destination), 1).payload_length == size
