"""Messages of IGMP and MLD, and the frames that carry them."""

from ipaddress import IPv4Address, IPv6Address

from netfeed.wire import igmp, mld
from netfeed.wire.frame import ETHERNET, IPV4, IPV6
from netfeed.wire.headers import checksum, multicast_mac
from netfeed.wire.membership_words import Address, GroupRecord, Leave, Message, Query, RecordType, Report

A, B, G, S = IPv4Address("10.9.0.1"), IPv4Address("10.9.0.2"), IPv4Address("239.1.1.1"), IPv4Address("10.0.0.7")
A6, B6 = IPv6Address("fe80::1"), IPv6Address("fe80::2")
G6, S6 = IPv6Address("ff3e::8000:1"), IPv6Address("2001:db8::7")
ALERT4 = b"\x94\x04\x00\x00"
ALERT6 = b"\x3a\x00\x05\x02\x00\x00\x01\x00"


def general(version: int = 3, *, interval_s: int = 125, response: int = 100, robustness: int = 2) -> Query:
    """Ask for all groups, in a version of IGMP."""
    if version < 3:
        return Query("IGMP", version, None, response if version == 2 else 0)
    return Query("IGMP", 3, None, response, False, robustness, interval_s)


def report(kind: RecordType, *sources: Address, group: Address = G) -> Report:
    """Say something of one group, in the version that knows sources."""
    version = 3 if group.version == 4 else 2
    return Report("IGMP" if version == 3 else "MLD", version, (GroupRecord(kind, group, sources),))


def old_report(version: int = 2, group: Address = G) -> Report:
    """Want a group, in a version that knows no sources."""
    return Report("IGMP", version, (GroupRecord(RecordType.MODE_IS_EXCLUDE, group),))


def frame(
    message: Message, source: Address, destination: Address | None = None, *, ttl: int = 1, alert: bool = True,
    vlan: int | None = None,
) -> bytes:  # fmt: skip
    """Build the Ethernet frame of a message."""
    if isinstance(source, IPv4Address):
        to = destination or IPv4Address("224.0.0.1" if isinstance(message, Query) else "224.0.0.22")
        kind, packet = 0x0800, _ipv4(igmp.encode(message), source, to, ttl, alert)
    else:
        to = destination or IPv6Address("ff02::1" if isinstance(message, Query) else "ff02::16")
        kind, packet = 0x86DD, _ipv6(message, source, to, ttl, alert)
    tag = b"" if vlan is None else b"\x81\x00" + vlan.to_bytes(2)
    head = ETHERNET.encode(multicast_mac(to), b"\x02\0\0\0\0\1", kind)
    return head[:12] + tag + head[12:] + packet


def _ipv4(payload: bytes, source: Address, destination: Address, ttl: int, alert: bool) -> bytes:
    options = ALERT4 if alert else b""
    size = 20 + len(options)
    head = IPV4.encode(0x40 | size // 4, 0xC0, size + len(payload), 0, 0, ttl, 2, 0, source.packed, destination.packed)
    total = checksum(head + options)
    return head[:10] + total.to_bytes(2) + head[12:] + options + payload


def _ipv6(message: Message, source: IPv6Address, destination: Address, ttl: int, alert: bool) -> bytes:
    assert isinstance(destination, IPv6Address)
    payload = (ALERT6 if alert else b"") + mld.encode(message, source, destination)
    return IPV6.encode(6 << 28, len(payload), 0 if alert else 58, ttl, source.packed, destination.packed) + payload


MESSAGES4: list[Message] = [
    general(1), general(2), general(3), Query("IGMP", 2, G, 10), Query("IGMP", 3, G, 10, True, 7, 255, (S, A)),
    old_report(1), old_report(2), Leave("IGMP", 2, G), Report("IGMP", 3, ()),
    *(report(kind, S, B) for kind in RecordType),
    Report("IGMP", 3, (GroupRecord(4, G), GroupRecord(1, G, (S,), b"word"), GroupRecord(99, G))),
]  # fmt: skip
MESSAGES6: list[Message] = [
    Query("MLD", 1, None, 10_000), Query("MLD", 1, G6, 1000), Query("MLD", 2, None, 10_000, False, 2, 125),
    Query("MLD", 2, G6, 0x8123, True, 7, 200, (S6, S6)), Report("MLD", 1, (GroupRecord(2, G6),)), Leave("MLD", 1, G6),
    *(report(kind, S6, group=G6) for kind in RecordType),
]  # fmt: skip
FRAMES = [*(frame(one, A) for one in MESSAGES4), *(frame(one, A6, vlan=7) for one in MESSAGES6)]
