"""Find the UDP payload in a link-layer frame. This is the plain definition of what `_core.capture` does at speed.

Sources: the link types are tcpdump.org's registry (https://www.tcpdump.org/linktypes.html), VLAN tags IEEE 802.1Q and
802.1ad, IPv4 RFC 791, IPv6 RFC 8200, authentication header RFC 4302, atomic fragments RFC 6946, UDP RFC 768.

Invariant: `payload_offset + payload_length` never leaves the captured bytes. What contradicts itself is BAD; what
only ends too early is TRUNCATED when the capture says that it cut the frame (captured < original), else BAD.
Leaves out: checksums (network cards fill them in after the capture was taken), reassembly, MPLS, PPPoE, tunnels,
UDP jumbograms (RFC 2675).
"""

from collections.abc import Callable
from enum import IntEnum
from typing import Final, NamedTuple

from netfeed.machine import Buffer
from netfeed.wire.layout import Layout

NO_VLAN: Final = 0xFFFF
"""The VLAN id of a frame without a tag."""
MAX_TAGS: Final = 8
"""No network stacks more tags; a frame that does is noise."""
MAX_EXTENSIONS: Final = 8
"""RFC 8200 knows six kinds of IPv6 extension headers, each of which should stand at most twice."""
ABSENT: Final = bytes(16)
"""The address of a frame that is not IP."""

UDP: Final = 17
FRAGMENT: Final = 44
AUTHENTICATION: Final = 51
VLAN_TYPES: Final = frozenset((0x8100, 0x88A8, 0x9100))
EXTENSIONS: Final = frozenset((0, 43, FRAGMENT, AUTHENTICATION, 60))  # hop-by-hop, routing, ..., destination options
_MAPPED: Final = bytes(10) + b"\xff\xff"
"""::ffff:0:0/96, where IPv4 lives in IPv6."""


class LinkType(IntEnum):
    NULL = 0
    ETHERNET = 1
    RAW = 101
    LOOP = 108
    LINUX_SLL = 113
    IPV4 = 228
    IPV6 = 229
    LINUX_SLL2 = 276


class Kind(IntEnum):
    """What a captured frame turned out to be."""

    UDP = 1
    FRAGMENT = 2  # of a UDP datagram; its payload is not looked at
    NOT_UDP = 3
    BAD = 4
    TRUNCATED = 5  # cut by the snap length; what was captured of the payload is given


class Packet(NamedTuple):
    """What a frame holds. Units: `payload_offset` in bytes from the start of the frame."""

    kind: Kind
    payload_offset: int = 0
    payload_length: int = 0
    ip_version: int = 0
    vlan: int = NO_VLAN  # the outermost id
    source: bytes = ABSENT  # 16 bytes, IPv4 as ::ffff:a.b.c.d
    source_port: int = 0
    destination: bytes = ABSENT
    destination_port: int = 0


ETHERNET = Layout("Ethernet", ">", [("destination", "b6"), ("source", "b6"), ("type", "u16")])
VLAN = Layout("Vlan", ">", [("tci", "u16"), ("type", "u16")])
SLL = Layout("Sll", ">", [
    ("packet_type", "u16"), ("arphrd", "u16"), ("address_length", "u16"), ("address", "b8"), ("type", "u16"),
])  # fmt: skip
SLL2 = Layout("Sll2", ">", [
    ("type", "u16"), ("reserved", "x2"), ("interface", "u32"), ("arphrd", "u16"), ("packet_type", "u8"),
    ("address_length", "u8"), ("address", "b8"),
])  # fmt: skip
FAMILY = Layout("Family", ">", [("family", "u32")])
IPV4 = Layout("Ipv4", ">", [
    ("version_ihl", "u8"), ("tos", "u8"), ("total_length", "u16"), ("identification", "u16"), ("fragment", "u16"),
    ("ttl", "u8"), ("protocol", "u8"), ("checksum", "u16"), ("source", "b4"), ("destination", "b4"),
])  # fmt: skip
IPV6 = Layout("Ipv6", ">", [
    ("version_class_flow", "u32"), ("payload_length", "u16"), ("next_header", "u8"), ("hop_limit", "u8"),
    ("source", "b16"), ("destination", "b16"),
])  # fmt: skip
EXTENSION = Layout("Extension", ">", [("next_header", "u8"), ("length", "u8"), ("fragment", "u16"), ("rest", "b4")])
UDP_HEADER = Layout(
    "Udp", ">", [("source_port", "u16"), ("destination_port", "u16"), ("length", "u16"), ("checksum", "u16")]
)

INET: Final = 2
INET6: Final = frozenset((10, 24, 28, 30))
"""AF_INET6 of Linux, of NetBSD and OpenBSD, of FreeBSD, and of Darwin."""


class _Frame:
    """One frame on its way down the layers: the bytes, and what is known so far."""

    def __init__(self, data: Buffer, original_length: int) -> None:
        self.data = data
        self.size = len(data)
        self.cut = self.size < original_length
        self.packet = Packet(Kind.NOT_UDP)

    def has(self, offset: int, length: int) -> bool:
        return self.size - offset >= length

    def bad(self) -> Packet:
        return self.packet._replace(kind=Kind.BAD)

    def short(self) -> Packet:
        return self.packet._replace(kind=Kind.TRUNCATED if self.cut else Kind.BAD)


def locate(data: Buffer, linktype: int, original_length: int | None = None) -> Packet:
    """Find the UDP payload in one captured frame.

    Units: `original_length` is that of the frame on the wire, in bytes; None when nothing was cut.
    """
    frame = _Frame(data, len(data) if original_length is None else original_length)
    link = _LINKS.get(linktype)
    return link(frame) if link else frame.packet


def _ethernet(frame: _Frame) -> Packet:
    return _typed(frame, 14, ETHERNET.decode(frame.data).type) if frame.has(0, 14) else frame.short()


def _sll(frame: _Frame) -> Packet:
    return _typed(frame, 16, SLL.decode(frame.data).type) if frame.has(0, 16) else frame.short()


def _sll2(frame: _Frame) -> Packet:
    return _typed(frame, 20, SLL2.decode(frame.data).type) if frame.has(0, 20) else frame.short()


def _raw(frame: _Frame) -> Packet:
    if not frame.has(0, 1):
        return frame.short()
    return _ipv4(frame, 0) if frame.data[0] >> 4 == 4 else _ipv6(frame, 0)


def _loopback(frame: _Frame) -> Packet:
    """Take the address family in whichever byte order makes it small: NULL has its writer's, LOOP the network's."""
    if not frame.has(0, 4):
        return frame.short()
    family = FAMILY.decode(frame.data).family
    family = min(family, int.from_bytes(family.to_bytes(4, "big"), "little"))
    if family == INET:
        return _ipv4(frame, 4)
    return _ipv6(frame, 4) if family in INET6 else frame.packet


def _typed(frame: _Frame, at: int, type_: int) -> Packet:
    """Go on behind an EtherType: VLAN tags, then IP. (Under 0x0600 it is an 802.3 length: not IP.)"""
    tags = 0
    while type_ in VLAN_TYPES:
        if tags == MAX_TAGS:
            return frame.bad()
        if not frame.has(at, 4):
            return frame.short()
        tag = VLAN.decode(frame.data, at)
        if tags == 0:
            frame.packet = frame.packet._replace(vlan=tag.tci & 0x0FFF)
        type_, at, tags = tag.type, at + 4, tags + 1
    if type_ == 0x0800:
        return _ipv4(frame, at)
    return _ipv6(frame, at) if type_ == 0x86DD else frame.packet


def _ipv4(frame: _Frame, at: int) -> Packet:
    if not frame.has(at, 20):
        return frame.short()
    ip = IPV4.decode(frame.data, at)
    header = (ip.version_ihl & 15) * 4
    if ip.version_ihl >> 4 != 4 or header < 20 or ip.total_length < header:
        return frame.bad()
    frame.packet = frame.packet._replace(ip_version=4, source=_MAPPED + ip.source, destination=_MAPPED + ip.destination)
    if ip.protocol != UDP:
        return frame.packet
    if ip.fragment & 0x3FFF:  # more fragments follow, or this one is not the first
        return frame.packet._replace(kind=Kind.FRAGMENT)
    return _udp(frame, at + header, at + ip.total_length)


def _ipv6(frame: _Frame, at: int) -> Packet:
    if not frame.has(at, 40):
        return frame.short()
    ip = IPV6.decode(frame.data, at)
    if ip.version_class_flow >> 28 != 6:
        return frame.bad()
    frame.packet = frame.packet._replace(ip_version=6, source=ip.source, destination=ip.destination)
    return _extensions(frame, at + 40, at + 40 + ip.payload_length, ip.next_header)


def _extensions(frame: _Frame, at: int, end: int, protocol: int) -> Packet:
    """Follow the chain of IPv6 extension headers to the UDP header; the IP payload ends at `end`."""
    for _ in range(MAX_EXTENSIONS + 1):
        if protocol == UDP:
            return _udp(frame, at, end)
        if protocol not in EXTENSIONS:
            return frame.packet
        if end - at < 8:
            return frame.bad()
        if not frame.has(at, 8):
            return frame.short()
        extension = EXTENSION.decode(frame.data, at)
        if protocol == FRAGMENT and extension.fragment & 0xFFF9:  # an offset, or more fragments follow
            inside = extension.next_header == UDP or extension.next_header in EXTENSIONS
            return frame.packet._replace(kind=Kind.FRAGMENT) if inside else frame.packet
        length = _extension_length(protocol, extension.length)
        if end - at < length:
            return frame.bad()
        at, protocol = at + length, extension.next_header
    return frame.bad()


def _extension_length(protocol: int, length: int) -> int:
    if protocol == FRAGMENT:
        return 8
    return (length + 2) * 4 if protocol == AUTHENTICATION else (length + 1) * 8


def _udp(frame: _Frame, at: int, end: int) -> Packet:
    """Judge the UDP header at `at`; `end`, where the IP payload ends, may stand behind the captured bytes."""
    if end - at < 8:
        return frame.bad()
    if not frame.has(at, 8):
        return frame.short()
    udp = UDP_HEADER.decode(frame.data, at)
    if udp.length < 8 or udp.length > end - at:
        return frame.bad()
    frame.packet = frame.packet._replace(source_port=udp.source_port, destination_port=udp.destination_port)
    if frame.has(at, udp.length):
        return frame.packet._replace(kind=Kind.UDP, payload_offset=at + 8, payload_length=udp.length - 8)
    if frame.cut:
        return frame.packet._replace(kind=Kind.TRUNCATED, payload_offset=at + 8, payload_length=frame.size - at - 8)
    return frame.bad()


_LINKS: Final[dict[int, Callable[[_Frame], Packet]]] = {
    LinkType.NULL: _loopback,
    LinkType.ETHERNET: _ethernet,
    LinkType.RAW: _raw,
    LinkType.LOOP: _loopback,
    LinkType.LINUX_SLL: _sll,
    LinkType.LINUX_SLL2: _sll2,
    LinkType.IPV4: lambda frame: _ipv4(frame, 0),
    LinkType.IPV6: lambda frame: _ipv6(frame, 0),
}
