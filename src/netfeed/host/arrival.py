"""Why multicast does not arrive: what this host knows about it, each finding with what to do.

Read: /proc/net/igmp and igmp6 (who joined what, and which version the querier speaks), /proc/net/netstat (multicast
that came in, packets that the reverse-path filter dropped), /proc/net/snmp (bad checksums), rp_filter, and whether the
link is up. The counters are of the network namespace since it was made: what counts is how they move meanwhile.

Leaves out: nftables rules, switches; the last hints say what to ask of whom.
"""

from dataclasses import dataclass
from typing import Final

from netfeed.host.tree import paired
from netfeed.host.words import sysctl_name
from netfeed.transport.network import (
    IFF_MULTICAST,
    IFF_RUNNING,
    IFF_UP,
    Interface,
    address,
    interface_flags,
    process_net,
    read_setting,
)
from netfeed.transport.udp import UdpSocket

_LOOPBACK: Final = "lo"


@dataclass(frozen=True, slots=True)
class Counters:
    """What the kernel counted in this namespace."""

    multicast_in: int
    filtered: int
    bad_checksums: int
    no_socket: int


def counters() -> Counters:
    """Read the counters; what this kernel does not have is 0."""
    netstat, snmp = paired(process_net("netstat")), paired(process_net("snmp"))
    return Counters(
        netstat.get("IpExt.InMcastPkts", 0), netstat.get("TcpExt.IPReversePathFilter", 0),
        snmp.get("Udp.InCsumErrors", 0), snmp.get("Udp.NoPorts", 0),
    )  # fmt: skip


def queriers() -> dict[str, int]:
    """Give the IGMP version that is spoken on each interface: a querier of an older version lowers it."""
    found: dict[str, int] = {}
    for line in process_net("igmp").splitlines()[1:]:
        words = line.split()
        if line[:1].isdigit() and words[-1][:1] == "V" and words[-1][1:].isdigit():
            found[words[1].rstrip(":")] = int(words[-1][1:])
    return found


def memberships() -> dict[str, set[str]]:
    """Give the groups that somebody on this host has joined, by interface."""
    joined: dict[str, set[str]] = {}
    name = ""
    for line in process_net("igmp").splitlines()[1:]:
        words = line.split()
        if line[:1].isdigit() and len(words) > 1:
            name = words[1].rstrip(":")
        elif words and len(words[0]) == 8:
            joined.setdefault(name, set()).add(".".join(str(byte) for byte in bytes.fromhex(words[0])[::-1]))
    for line in process_net("igmp6").splitlines():
        words = line.split()
        if len(words) > 2:
            joined.setdefault(words[1], set()).add(str(address(":".join(_quads(words[2])))))
    return joined


def reverse_path(name: str) -> int | None:
    """Give the reverse-path filter that holds on an interface: the larger of all's and its own; None is not known."""
    texts = [read_setting(f"/proc/sys/net/ipv4/conf/{one}/rp_filter").strip() for one in ("all", name)]
    return max(int(text) for text in texts) if all(text.isdecimal() for text in texts) else None


def no_reverse_path(name: str) -> str:
    """Say how that filter is taken off an interface."""
    own = sysctl_name("net.ipv4.conf.IF.rp_filter", name)
    return f"sysctl -w net.ipv4.conf.all.rp_filter=0 {own}=0"


def findings(sockets: list[UdpSocket], before: Counters) -> list[str]:
    """Say what may keep the groups of these sockets from arriving, the surest first."""
    now = counters()
    found: list[str] = []
    if now.filtered > before.filtered:
        found.append(
            f"the reverse-path filter dropped {now.filtered - before.filtered} packets meanwhile: set rp_filter to 0 "
            "(sysctl net.ipv4.conf.all.rp_filter=0 and of the interface) or give the source a route there"
        )
    if now.bad_checksums > before.bad_checksums:
        found.append(
            f"{now.bad_checksums - before.bad_checksums} UDP datagrams had a wrong checksum meanwhile: check the "
            "sender's offloads (ethtool -K IF tx off) and whatever relays"
        )
    for one in {_key(socket): socket for socket in sockets}.values():
        found += _of_socket(one)
    if any(one.memberships for one in sockets):
        found.append(_of_host(now.multicast_in - before.multicast_in))
    found.append("a firewall is not looked into: nft list ruleset, iptables -S")
    return found


def _of_host(arrived: int) -> str:
    if arrived > 0:
        return f"{arrived} multicast packets came to this host meanwhile: to other groups or ports, or other sources"
    return (
        "no multicast packet came to this host meanwhile: is the sender up, its TTL more than 1 where routers are "
        "between, an IGMP querier on the network (`netfeed igmp -i IF` hears it), and is this no container without "
        "host networking?"
    )


def _key(socket: UdpSocket) -> tuple[str, tuple[str, ...]]:
    return socket.host, tuple(str(membership) for membership in socket.memberships)


def _of_socket(socket: UdpSocket) -> list[str]:
    found: list[str] = []
    joined = memberships()
    if not socket.memberships:
        found.append(f"{socket.host}:{socket.port} is an address of this host: does the sender send to it?")
    for one in socket.memberships:
        where = [name for name, groups in joined.items() if one.group in groups]
        name = one.interface.name if one.interface.index else (where[0] if where else "")
        if not where:
            found.append(f"{one.group} stands in no line of /proc/net/igmp: the membership is gone, join again")
        elif not one.interface.index:
            found.append(
                f"{one.group} was joined on {name}, as the routes say: name the interface with -i if it is another"
            )
        if one.source and queriers().get(name, 3) < 3:
            found.append(f"IGMPv{queriers()[name]} is spoken on {name}: switches keep no source filter there")
        if one.source:
            found.append(f"only {one.source} is heard: is that the sender's address? Try the group without a source")
        found += _of_interface(one.interface if one.interface.index else Interface(0, name))
    return found


def _of_interface(interface: Interface) -> list[str]:
    name, found = interface.name, []
    if not name:
        return []
    flags = interface_flags(name)
    if not flags & IFF_UP:
        found.append(f"the link {name} is down: ip link set dev {name} up")
    elif not flags & IFF_RUNNING:
        found.append(f"the link {name} has no carrier: the cable, or the port of the switch")
    if name != _LOOPBACK and not flags & IFF_MULTICAST:
        found.append(f"{name} is not set up for multicast: ip link set dev {name} multicast on")
    strictness = reverse_path(name)
    if strictness:
        found.append(
            f"rp_filter is {strictness} on {name}: a source without a route through {name} is dropped in silence "
            f"({no_reverse_path(name)})"
        )
    return found


def _quads(digits: str) -> list[str]:
    return [digits[at : at + 4] for at in range(0, 32, 4)]
