"""Find the TCP segment in a link-layer frame: the reading half of what a capture shows of a connection.

Sources: TCP RFC 9293 (which holds RFC 793's header), the window's scale RFC 7323; what lies below is found by
`netfeed.wire.link`.

Where a frame is cut by the snap length, the segment's `length` is that on the wire, and `payload` what was captured of
it. A frame that a network card had still to cut into packets (TSO) has an IP length of 0: then the frame's own counts.

Leaves out: checksums (network cards fill them in after the capture was taken), fragments, options but the scale,
tunnels.
"""

from struct import Struct
from typing import Final, NamedTuple

from netfeed.errors import WireError
from netfeed.machine import Buffer
from netfeed.wire.frame import EXTENSIONS, FRAGMENT, MAX_EXTENSIONS
from netfeed.wire.link import find_ip, has

TCP: Final = 6
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
MAX_SCALE: Final = 14
"""RFC 7323: a greater one is to be taken for this."""
_MAPPED: Final = bytes(10) + b"\xff\xff"
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
    found = find_ip(view, linktype)
    if found is None:
        return None
    version, at, _ = found
    size = len(view) if original_length is None else max(original_length, len(view))
    return _ipv4(view, at, size) if version == 4 else _ipv6(view, at, size)


def _ipv4(view: memoryview, at: int, size: int) -> Segment | None:
    has(view, at, 20, "IPv4 header")
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
    has(view, at, 40, "IPv6 header")
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
        has(view, at, 8, "IPv6 extension header")
        words = (view[at + 1] + 2) * 4 if protocol == 51 else (view[at + 1] + 1) * 8
        protocol, at = view[at], at + words
    return None


def _tcp(view: memoryview, at: int, end: int, source: bytes, destination: bytes) -> Segment:
    has(view, at, 20, "TCP header")
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
