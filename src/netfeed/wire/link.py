"""Find the IP packet in a captured frame of any link type: past link headers and VLAN tags.

`wire.frame` walks the same way down to UDP and says of every frame what it is, as its compiled twin does; what looks
for something else (`segment`, `membership`) begins here. The layouts and link types are those of `wire.frame`.
"""

from typing import Final, NamedTuple

from netfeed.errors import WireError
from netfeed.wire.frame import ETHERNET, FAMILY, INET, INET6, MAX_TAGS, NO_VLAN, SLL, SLL2, VLAN, VLAN_TYPES, LinkType
from netfeed.wire.layout import Layout

_IPV4, _IPV6 = 0x0800, 0x86DD
_HEADS: Final[dict[int, Layout]] = {LinkType.ETHERNET: ETHERNET, LinkType.LINUX_SLL: SLL, LinkType.LINUX_SLL2: SLL2}


class Internet(NamedTuple):
    """An IP packet in a frame: 4 or 6, where it begins, and the outermost VLAN id."""

    version: int
    at: int
    vlan: int = NO_VLAN


def find_ip(view: memoryview, linktype: int) -> Internet | None:
    """Find the IP packet of a frame; None when it holds none.

    Raises: WireError when what stands before it was cut off.
    """
    if linktype in (LinkType.RAW, LinkType.IPV4, LinkType.IPV6):
        has(view, 0, 1, "IP packet")
        return Internet(view[0] >> 4, 0) if view[0] >> 4 in (4, 6) else None
    if linktype in (LinkType.NULL, LinkType.LOOP):
        return _loopback(view)
    head = _HEADS.get(linktype)
    if head is None:
        return None
    has(view, 0, head.size, "link header")
    return _typed(view, head.size, head.decode(view).type)


def has(view: memoryview, at: int, size: int, what: str) -> None:
    """See that a frame has so many bytes from `at` on. Raises: WireError that says what is cut short."""
    if len(view) - at < size:
        raise short(what, at, max(len(view) - at, 0), size)


def short(what: str, at: int, left: int, wanted: int) -> WireError:
    """Make the error of something that is cut short. Units: bytes."""
    return WireError(f"{what} is cut short", offset=at, found=f"{left} bytes", wanted=f"{wanted} bytes")


def _loopback(view: memoryview) -> Internet | None:
    """Take the address family in whichever byte order makes it small."""
    has(view, 0, 4, "loopback header")
    family = FAMILY.decode(view).family
    family = min(family, int.from_bytes(family.to_bytes(4, "big"), "little"))
    if family == INET:
        return Internet(4, 4)
    return Internet(6, 4) if family in INET6 else None


def _typed(view: memoryview, at: int, type_: int) -> Internet | None:
    vlan = NO_VLAN
    for _ in range(MAX_TAGS):
        if type_ not in VLAN_TYPES:
            break
        has(view, at, VLAN.size, "VLAN tag")
        tag = VLAN.decode(view, at)
        vlan = tag.tci & 0x0FFF if vlan == NO_VLAN else vlan
        type_, at = tag.type, at + VLAN.size
    if type_ == _IPV4:
        return Internet(4, at, vlan)
    return Internet(6, at, vlan) if type_ == _IPV6 else None
