"""Whether multicast can arrive on an interface: its link, its filters, and a real join with a datagram that comes back.

The datagram has a time to live of 0: it never leaves this host, so that what a host of its own hears proves its half of
the way. The other half - querier, switch, sender - is seen by a passive look at IGMP and by `netfeed listen`.
Sources: ip(7), RFC 5771 (233.252.0.0/24 is for tests), Documentation/networking/ip-sysctl.rst (rp_filter).
"""

import select
import socket
from typing import Final

from netfeed.errors import ConfigurationError, NetfeedError
from netfeed.host import arrival
from netfeed.host.finding import Finding, Level
from netfeed.host.tree import Tree
from netfeed.host.words import sysctl_name
from netfeed.transport.network import (
    IFF_MULTICAST,
    IFF_RUNNING,
    IFF_UP,
    Interface,
    find_interface,
    interface_flags,
    stamps_in_hardware,
)
from netfeed.transport.udp import open_multicast

TOPIC: Final = "multicast"
GROUP: Final = "233.252.0.253"
GROUP_6: Final = "ff15::fd"
"""Where the probe goes: MCAST-TEST-NET; where an interface has IPv6 alone, a transient group of the site."""
_PATIENCE_S: Final = 1.0


def checks(name: str, *, hardware: bool = False, tree: Tree | None = None) -> list[Finding]:
    """Look at an interface; one that has gone is a failure."""
    tree = tree or Tree()
    try:
        interface = find_interface(name)
    except ConfigurationError as error:
        return [Finding(TOPIC, f"{name} link", Level.FAIL, str(error), "who removes it? `ip monitor link`")]
    found = [link(interface), reverse_path(interface), version(interface, tree), probe(interface)]
    return [*found, *([stamps(interface)] if hardware else [])]


def link(interface: Interface) -> Finding:
    """Say whether the link is up and fit for multicast."""
    flags, name = interface_flags(interface.name), f"{interface.name} link"
    if not flags & IFF_UP:
        return Finding(TOPIC, name, Level.FAIL, "it is down", f"`ip link set dev {interface.name} up`")
    if not flags & IFF_RUNNING:
        return Finding(TOPIC, name, Level.FAIL, "no carrier", "the cable, or the port of the switch")
    if not flags & IFF_MULTICAST and interface.name != "lo":
        return Finding(TOPIC, name, Level.FAIL, "no multicast", f"`ip link set dev {interface.name} multicast on`")
    return Finding(TOPIC, name, Level.OK, f"up, {', '.join(interface.addresses) or 'no address'}")


def reverse_path(interface: Interface) -> Finding:
    """Say whether the reverse-path filter drops what comes from sources without a route."""
    name, strictness = f"{interface.name} rp_filter", arrival.reverse_path(interface.name)
    if strictness is None:
        return Finding(TOPIC, name, Level.UNKNOWN, "it cannot be read here")
    if strictness == 0:
        return Finding(TOPIC, name, Level.OK, "0")
    return Finding(
        TOPIC, name, Level.WARN, f"{strictness}: sources without a route there are dropped in silence",
        f"`{arrival.no_reverse_path(interface.name)}`, or a route",
    )  # fmt: skip


def version(interface: Interface, tree: Tree) -> Finding:
    """Say which IGMP is spoken; an old querier lowers it, and switches keep no source filters then."""
    name = f"{interface.name} IGMP"
    forced = tree.number(f"/proc/sys/net/ipv4/conf/{interface.name}/force_igmp_version")
    spoken = arrival.queriers().get(interface.name)
    if spoken is None:
        return Finding(TOPIC, name, Level.UNKNOWN, "the kernel speaks no IGMP there (no IPv4 address?)")
    if spoken >= 3:
        return Finding(TOPIC, name, Level.OK, f"version {spoken}")
    why = f"forced by force_igmp_version={forced}" if forced else "a querier of that version was heard"
    remedy = (
        f"`sysctl -w {sysctl_name('net.ipv4.conf.IF.force_igmp_version', interface.name)}=0`" if forced
        else "have the querier speak IGMPv3; source-specific joins do not reach switches till then"
    )  # fmt: skip
    return Finding(TOPIC, name, Level.WARN, f"version {spoken}: {why}", remedy)


def probe(interface: Interface) -> Finding:
    """Join a group, send it a datagram that stays on this host, and say whether it came back."""
    name = f"{interface.name} join and loop"
    if not interface.addresses:
        return Finding(
            TOPIC, name, Level.FAIL, "no address: nothing can be joined or sent",
            f"`ip address add ADDRESS/PREFIX dev {interface.name}`",
        )  # fmt: skip
    group = GROUP if interface.ipv4 is not None else GROUP_6
    try:
        with open_multicast(group, 0, interface=interface.name, stamps="none") as one:
            came = _looped(one.fileno(), interface, group, one.port)
    except NetfeedError as error:
        return Finding(TOPIC, name, Level.FAIL, str(error))
    except OSError as error:
        return Finding(
            TOPIC, name, Level.FAIL, f"nothing can be sent to {group}: {error.strerror}",
            f"`ip address show dev {interface.name}`: an address that is not tentative, of more than the link",
        )  # fmt: skip
    if came:
        return Finding(TOPIC, name, Level.OK, f"{group} joined; a datagram to it came back")
    return Finding(
        TOPIC, name, Level.FAIL, f"{group} was joined, but a datagram to it did not come back",
        "a firewall? `nft list ruleset`, `iptables -S`; in a container, host networking",
    )  # fmt: skip


def stamps(interface: Interface) -> Finding:
    """Say whether the card stamps what it receives."""
    name = f"{interface.name} hardware stamps"
    if stamps_in_hardware(interface.name):
        return Finding(TOPIC, name, Level.OK, "the card stamps all packets")
    return Finding(
        TOPIC, name, Level.WARN, "the card does not stamp: the kernel's stamps are used",
        f"`hwstamp_ctl -i {interface.name} -r 1` where `ethtool -T {interface.name}` lists `all`",
    )  # fmt: skip


def _looped(listener: int, interface: Interface, group: str, port: int) -> bool:
    """Send a datagram to the group through an interface, and wait for it."""
    six = ":" in group
    family = socket.AF_INET6 if six else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
        if six:
            sender.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 0)
            sender.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, interface.index)
        else:
            sender.bind((interface.ipv4, 0))
            sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 0)
            sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(str(interface.ipv4)))
        sender.sendto(b"netfeed doctor", (group, port))
        return bool(select.select([listener], [], [], _PATIENCE_S)[0])
