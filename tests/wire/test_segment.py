"""TCP segments in frames: scapy builds them, hands read them; broken ones give an error and never a wrong payload."""

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netfeed.errors import WireError
from netfeed.wire.frame import LinkType
from netfeed.wire.segment import ACK, PSH, SYN, Segment, read_segment

IPV4_ENDS = (bytes(10) + b"\xff\xff\x0a\x00\x00\x01", bytes(10) + b"\xff\xff\x0a\x00\x00\x02")


@pytest.fixture(scope="module")
def scapy() -> Any:
    return pytest.importorskip("scapy.all", reason="the scapy extra is not installed")


def ether(scapy: Any) -> Any:
    """Give an Ethernet header; without addresses scapy would ask the network for them."""
    return scapy.Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")


def tcp(scapy: Any, payload: bytes = b"hello", **fields: Any) -> Any:
    fields = {"sport": 4001, "dport": 8001, "seq": 0xFFFFFFF0, "ack": 77, "flags": "PA", "window": 512, **fields}
    return scapy.TCP(**fields) / scapy.Raw(payload) if payload else scapy.TCP(**fields)


def frames(scapy: Any, segment: Any) -> dict[str, tuple[bytes, int]]:
    """Give a segment in every way that it travels, and the link type."""
    four, six = scapy.IP(src="10.0.0.1", dst="10.0.0.2"), scapy.IPv6(src="fe80::1", dst="fe80::2")
    with_options = scapy.IP(src="10.0.0.1", dst="10.0.0.2", options=[scapy.IPOption(b"\x94\x04\0\0")])
    tags = scapy.Dot1Q(vlan=7) / scapy.Dot1Q(vlan=8)
    extensions = scapy.IPv6ExtHdrHopByHop() / scapy.IPv6ExtHdrDestOpt()
    cooked = struct.pack(">HHH8sH", 0, 1, 6, bytes(8), 0x0800)
    cooked2 = struct.pack(">HHIHBB8s", 0x0800, 0, 1, 1, 0, 6, bytes(8))
    return {
        "ethernet": (bytes(ether(scapy) / four / segment), LinkType.ETHERNET),
        "vlan": (bytes(ether(scapy) / tags / four / segment), LinkType.ETHERNET),
        "options": (bytes(ether(scapy) / with_options / segment), LinkType.ETHERNET),
        "ipv6": (bytes(ether(scapy) / six / segment), LinkType.ETHERNET),
        "extensions": (bytes(ether(scapy) / six / extensions / segment), LinkType.ETHERNET),
        "raw": (bytes(four / segment), LinkType.RAW),
        "raw6": (bytes(six / segment), LinkType.RAW),
        "null": (b"\x02\0\0\0" + bytes(four / segment), LinkType.NULL),
        "sll": (cooked + bytes(four / segment), LinkType.LINUX_SLL),
        "sll2": (cooked2 + bytes(four / segment), LinkType.LINUX_SLL2),
        "padded": (bytes(ether(scapy) / four / segment) + bytes(12), LinkType.ETHERNET),
    }  # fmt: skip


WAYS = ["ethernet", "vlan", "options", "ipv6", "extensions", "raw", "raw6", "null", "sll", "sll2", "padded"]


@pytest.mark.parametrize("way", WAYS)
def test_a_segment_is_found_however_it_travels(scapy: Any, way: str) -> None:
    frame, linktype = frames(scapy, tcp(scapy))[way]
    found = read_segment(frame, linktype)
    assert found is not None
    assert (found.source_port, found.destination_port) == (4001, 8001)
    assert (found.sequence, found.acknowledgment) == (2**32 - 16, 77)
    assert (found.flags, found.window, found.scale, found.length) == (PSH | ACK, 512, None, 5)
    assert bytes(found.payload) == b"hello"
    if "6" not in way and way != "extensions":
        assert (found.source, found.destination) == IPV4_ENDS


@pytest.mark.parametrize("way", WAYS)
def test_a_frame_that_was_cut_anywhere_is_an_error_or_a_shorter_payload(scapy: Any, way: str) -> None:
    frame, linktype = frames(scapy, tcp(scapy))[way]
    whole = read_segment(frame, linktype)
    assert whole is not None
    for size in range(len(frame)):
        try:
            found = read_segment(frame[:size], linktype, len(frame))
        except WireError:
            continue
        assert found is not None
        assert found.length == 5
        assert bytes(found.payload) == b"hello"[: len(found.payload)]


def test_the_scale_stands_in_a_syn_among_other_options(scapy: Any) -> None:
    options = [("MSS", 1460), ("NOP", None), ("WScale", 7), ("SAckOK", b""), ("Timestamp", (1, 2))]
    for given_options, wanted in ((options, 7), ([("WScale", 15)], 14), ([("MSS", 1460)], None), ([], None)):
        frame = bytes(
            ether(scapy) / scapy.IP(src="10.0.0.1", dst="10.0.0.2") / tcp(scapy, b"", flags="S", options=given_options)
        )
        found = read_segment(frame, LinkType.ETHERNET)
        assert found is not None
        assert (found.scale, found.flags, found.length) == (wanted, SYN, 0)


def test_other_protocols_and_fragments_are_none(scapy: Any) -> None:
    six = scapy.IPv6(src="fe80::1", dst="fe80::2")
    ip = scapy.IP(src="10.0.0.1", dst="10.0.0.2")
    others = (
        ether(scapy) / ip / scapy.UDP() / b"x", ether(scapy) / scapy.ARP(),
        ether(scapy) / scapy.IP(src="10.0.0.1", dst="10.0.0.2", frag=10, proto=6) / (b"x" * 40),
        ether(scapy) / six / scapy.IPv6ExtHdrFragment(offset=3, nh=6) / (b"x" * 40),
    )  # fmt: skip
    for frame in others:
        assert read_segment(bytes(frame), LinkType.ETHERNET) is None
    assert read_segment(b"x" * 60, 147) is None


def test_a_length_of_zero_is_that_of_the_frame(scapy: Any) -> None:
    frame = bytearray(bytes(ether(scapy) / scapy.IP(src="10.0.0.1", dst="10.0.0.2") / tcp(scapy, b"y" * 3000)))
    frame[16:18] = b"\0\0"  # left to the network card (TSO)
    found = read_segment(frame, LinkType.ETHERNET)
    assert found is not None
    assert (found.length, len(found.payload)) == (3000, 3000)


@pytest.mark.parametrize("offset", [0x00, 0x40, 0xF0])
def test_a_header_that_does_not_fit_is_an_error(scapy: Any, offset: int) -> None:
    frame = bytearray(bytes(ether(scapy) / scapy.IP(src="10.0.0.1", dst="10.0.0.2") / tcp(scapy, b"")))
    frame[14 + 20 + 12] = offset
    with pytest.raises(WireError):
        read_segment(frame, LinkType.ETHERNET)


@given(st.binary(max_size=120), st.sampled_from([*LinkType, 147]), st.integers(0, 300))
def test_any_bytes_give_a_segment_inside_them_none_or_an_error(data: bytes, linktype: int, original: int) -> None:
    try:
        found = read_segment(data, linktype, original)
    except WireError:
        return
    assert found is None or isinstance(found, Segment)
    assert found is None or len(found.payload) <= found.length
