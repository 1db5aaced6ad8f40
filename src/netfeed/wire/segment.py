"""Find the TCP segment in a link-layer frame: the reading half of what a capture shows of a connection.

Sources: TCP RFC 9293 (which holds RFC 793's header), the window's scale RFC 7323; what lies below is that of
`netfeed.wire.frame`, whose layouts and link types are used.

Where a frame is cut by the snap length, the segment's `length` is that on the wire, and `payload` what was captured of
it. A frame that a network card had still to cut into packets (TSO) has an IP length of 0: then the frame's own counts.

Leaves out: checksums (network cards fill them in after the capture was taken), fragments, options but the scale,
tunnels.
"""

from struct import Struct
from typing import Final, NamedTuple

from netfeed.errors import WireError
from netfeed.machine import Buffer
from netfeed.wire.frame import EXTENSIONS, FRAGMENT, INET, INET6, MAX_EXTENSIONS, MAX_TAGS, VLAN_TYPES, LinkType

TCP: Final = 6
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
MAX_SCALE: Final = 14
"""RFC 7323: a greater one is to be taken for this."""
_MAPPED: Final = bytes(10) + b"\xff\xff"
_TYPE: Final = Struct(">H")
_FAMILY: Final = Struct("<I")
_HEADER: Final = Struct(">HHIIBBHHH")
_IPV4: Final = Struct(">BBHHHBBH4s4s")
_IPV6: Final = Struct(">IHBB16s16s")


class Segment(NamedTuple):
    """One TCP segment. Shape: addresses of 16 bytes, IPv4 as ::ffff:a.b.c.d. Units: `length` in bytes of data."""

    source: bytes
    source_port: int
    destination: bytes
    destination_port: int
    sequence: int
    acknowledgment: int
    flags: int
    window: int  # as it stands on the wire, not scaled
    scale: int | None  # of a SYN's windows: shift left by so much; None where none is offered
    length: int
    payload: memoryview


def read_segment(frame: Buffer, linktype: int, original_length: int | None = None) -> Segment | None:
    """Find the segment of a captured frame; None when it is no TCP, or a fragment.

    Units: `original_length` is that of the frame on the wire, in bytes; None when nothing was cut.
    Raises: WireError when the headers contradict themselves or were cut off.
    """
    view = memoryview(frame)
    found = _network(view, linktype)
    if found is None:
        return None
    version, at = found
    size = len(view) if original_length is None else max(original_length, len(view))
    return _ipv4(view, at, size) if version == 4 else _ipv6(view, at, size)


def _short(what: str, at: int, left: int, wanted: int) -> WireError:
    return WireError(f"{what} is cut short", offset=at, found=f"{left} bytes", wanted=f"{wanted} bytes")


def _has(view: memoryview, at: int, size: int, what: str) -> None:
    if len(view) - at < size:
        raise _short(what, at, max(len(view) - at, 0), size)


def _network(view: memoryview, linktype: int) -> tuple[int, int] | None:
    """Say which IP a frame holds, and where it begins; None when it holds none."""
    if linktype in (LinkType.RAW, LinkType.IPV4, LinkType.IPV6):
        _has(view, 0, 1, "IP packet")
        return (view[0] >> 4, 0) if view[0] >> 4 in (4, 6) else None
    if linktype in (LinkType.NULL, LinkType.LOOP):
        return _loopback(view)
    place = _TYPES.get(linktype)
    if place is None:
        return None
    type_at, at = place
    _has(view, 0, at, "link header")
    return _typed(view, at, _TYPE.unpack_from(view, type_at)[0])


_TYPES: Final[dict[int, tuple[int, int]]] = {
    LinkType.ETHERNET: (12, 14), LinkType.LINUX_SLL: (14, 16), LinkType.LINUX_SLL2: (0, 20),
}  # fmt: skip
"""Where the EtherType stands, and where what it names begins."""


def _loopback(view: memoryview) -> tuple[int, int] | None:
    _has(view, 0, 4, "loopback header")
    family = _FAMILY.unpack_from(view)[0]
    family = min(family, int.from_bytes(family.to_bytes(4, "big"), "little"))
    if family == INET:
        return 4, 4
    return (6, 4) if family in INET6 else None


def _typed(view: memoryview, at: int, type_: int) -> tuple[int, int] | None:
    tags = 0
    while type_ in VLAN_TYPES and tags < MAX_TAGS:
        _has(view, at, 4, "VLAN tag")
        type_, at, tags = _TYPE.unpack_from(view, at + 2)[0], at + 4, tags + 1
    if type_ == 0x0800:
        return 4, at
    return (6, at) if type_ == 0x86DD else None


def _ipv4(view: memoryview, at: int, size: int) -> Segment | None:
    _has(view, at, 20, "IPv4 header")
    first, _, total, _, fragment, _, protocol, _, source, destination = _IPV4.unpack_from(view, at)
    header = (first & 15) * 4
    if first >> 4 != 4 or header < 20 or 0 < total < header:
        raise WireError(
            "IPv4 header contradicts itself", offset=at, found=f"{header} and {total} bytes", wanted=">= 20"
        )
    if protocol != TCP or fragment & 0x3FFF:
        return None
    return _tcp(view, at + header, at + total if total else size, _MAPPED + source, _MAPPED + destination)


def _ipv6(view: memoryview, at: int, size: int) -> Segment | None:
    _has(view, at, 40, "IPv6 header")
    first, length, protocol, _, source, destination = _IPV6.unpack_from(view, at)
    if first >> 28 != 6:
        raise WireError("IPv6 header has another version", offset=at, found=first >> 28, wanted=6)
    at += 40
    end = at + length if length else size
    for _ in range(MAX_EXTENSIONS + 1):
        if protocol == TCP:
            return _tcp(view, at, end, source, destination)
        if protocol not in EXTENSIONS or protocol == FRAGMENT:
            return None
        _has(view, at, 8, "IPv6 extension header")
        words = (view[at + 1] + 2) * 4 if protocol == 51 else (view[at + 1] + 1) * 8
        protocol, at = view[at], at + words
    return None


def _tcp(view: memoryview, at: int, end: int, source: bytes, destination: bytes) -> Segment:
    _has(view, at, 20, "TCP header")
    source_port, destination_port, sequence, acknowledgment, offset, flags, window, _, _ = _HEADER.unpack_from(view, at)
    header = (offset >> 4) * 4
    if header < 20 or header > end - at:
        found = f"a header of {header} bytes in {max(end - at, 0)}"
        raise WireError("TCP header contradicts itself", offset=at, found=found, wanted="20 bytes or more that fit")
    data = at + header
    scale = _scale(view, at + 20, min(data, len(view))) if flags & SYN and header > 20 else None
    return Segment(
        source, source_port, destination, destination_port, sequence, acknowledgment, flags, window, scale, end - data,
        view[data:end],
    )  # fmt: skip


def _scale(view: memoryview, at: int, end: int) -> int | None:
    """Look for the window's scale among the options (kind 3, three bytes)."""
    while at < end:
        kind = view[at]
        if kind == 0:
            return None
        length = 1 if kind == 1 else view[at + 1] if at + 1 < end else 0
        if not length or at + length > end or (kind != 1 and length < 2):
            return None
        if kind == 3 and length == 3:
            return min(view[at + 2], MAX_SCALE)
        at += length
    return None
