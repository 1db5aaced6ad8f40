"""Find the message of IGMP or MLD in a captured frame, and how it was sent.

Behind whatever `netfeed.wire.link` knows: IPv4 of protocol 2, IPv6 with ICMPv6 (a header of
hop-by-hop options, where the router alert is, stands before it). All else is None: it is none of ours.

`alert` and `ttl` tell how it was sent: routers and hosts pass over what was sent without a router alert or with a TTL
that is not 1 (RFC 3376, 9; RFC 3810, 5.1.14 and 5.2.13), so that a message can be right and nobody hears it.

Leaves out: fragments, other extension headers, tunnels.
"""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from netfeed.errors import WireError
from netfeed.machine import Buffer
from netfeed.wire import igmp, mld
from netfeed.wire.frame import IPV4, IPV6, NO_VLAN
from netfeed.wire.link import find_ip
from netfeed.wire.membership_words import Address, Message, need

_IPV4_ALERT: Final = 148
_IPV6_ALERT: Final = 5
_HOP_BY_HOP: Final = 0


@dataclass(frozen=True, slots=True)
class Heard:
    """A message, who sent it where and how. `vlan` is NO_VLAN for a frame without a tag."""

    source: Address
    destination: Address
    message: Message
    ttl: int
    alert: bool
    vlan: int = NO_VLAN


def hear(frame: Buffer, linktype: int) -> Heard | None:
    """Find the message in a frame; None when there is none of IGMP or MLD.

    Raises: WireError when there is one, and it is cut short or damaged.
    """
    try:
        found = find_ip(memoryview(frame), linktype)
    except WireError:
        return None  # it was cut off before anybody could say that it holds one
    if found is None:
        return None
    return (_ipv4 if found.version == 4 else _ipv6)(frame, found.at, found.vlan)


def _ipv4(frame: Buffer, at: int, vlan: int) -> Heard | None:
    if len(frame) < at + IPV4.size:
        return None
    ip = IPV4.decode(frame, at)
    header = (ip.version_ihl & 15) * 4
    if ip.version_ihl >> 4 != 4 or ip.protocol != igmp.PROTOCOL or ip.fragment & 0x3FFF:
        return None
    if header < IPV4.size or ip.total_length < header:
        raise WireError("IPv4 header of an IGMP message", offset=at, found=f"{header} bytes", wanted="20 or more")
    need(frame, at, ip.total_length, "bytes of an IGMP message")
    message = igmp.decode(memoryview(frame)[at + header : at + ip.total_length])
    if message is None:
        return None
    alert = _has_alert(bytes(frame[at + IPV4.size : at + header]))
    return Heard(IPv4Address(ip.source), IPv4Address(ip.destination), message, ip.ttl, alert, vlan)


def _has_alert(options: bytes) -> bool:
    at = 0
    while at < len(options) and options[at] != 0:
        if options[at] == _IPV4_ALERT:
            return True
        length = 1 if options[at] == 1 else options[at + 1] if at + 1 < len(options) else 0
        if length < 1:
            return False
        at += length
    return False


def _ipv6(frame: Buffer, at: int, vlan: int) -> Heard | None:
    if len(frame) < at + IPV6.size:
        return None
    ip = IPV6.decode(frame, at)
    start, end, following, alert = at + IPV6.size, at + IPV6.size + ip.payload_length, ip.next_header, False
    if ip.version_class_flow >> 28 != 6:
        return None
    if following == _HOP_BY_HOP and len(frame) >= start + 8:
        length = (frame[start + 1] + 1) * 8
        following, alert = frame[start], _alerts(bytes(frame[start + 2 : start + length]))
        start += length
    if following != mld.PROTOCOL or len(frame) <= start or frame[start] not in mld.KINDS:
        return None
    need(frame, start, max(4, end - start), "bytes of an MLD message")
    source, destination = IPv6Address(ip.source), IPv6Address(ip.destination)
    message = mld.decode(memoryview(frame)[start:end], source, destination)
    return None if message is None else Heard(source, destination, message, ip.hop_limit, alert, vlan)


def _alerts(options: bytes) -> bool:
    """Say whether hop-by-hop options hold a router alert for MLD: type 5, two bytes, value 0."""
    at = 0
    while at < len(options):
        if options[at] == 0:  # one byte of padding
            at += 1
            continue
        if options[at] == _IPV6_ALERT:
            return options[at + 1 : at + 4] == b"\x02\x00\x00"
        at += 2 + (options[at + 1] if at + 1 < len(options) else 0)
    return False
