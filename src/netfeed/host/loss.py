"""Where packets are lost on this host, layer by layer, so that nobody has to guess.

    nic      the card had no room, or the frame was damaged      its interface's counters (`card`)
    kernel   the backlog was full; the reverse-path filter, a bad checksum or the memory of all UDP sockets said no
    socket   a socket's buffer was full                           /proc/net/udp, column `drops`
    queue    a program did not keep up with what it had received  its own account
    sequence lost before it came here                             its own account: what no line brought

The first three are read here. Counters are since boot, or since the namespace was made: what counts is how they move.
Sources: proc(5), Documentation/networking/scaling.rst (softnet_stat), net/core/net-procfs.c for its columns.
"""

import ipaddress
import sys
from dataclasses import dataclass
from typing import Final

from netfeed.host.card import Counted, counted
from netfeed.host.tree import Tree, paired
from netfeed.transport.network import Interface, endpoint_text

KERNEL: Final = {
    "filtered": "TcpExt.IPReversePathFilter", "checksum": "Udp.InCsumErrors", "memory": "Udp.MemErrors",
}  # fmt: skip
"""What the kernel drops behind the backlog, and under which name it counts that."""


@dataclass(frozen=True, slots=True)
class SocketDrops:
    """A UDP socket of this namespace that has dropped."""

    address: str
    drops: int
    inode: int


@dataclass(frozen=True, slots=True)
class Loss:
    """What had been lost at one moment. `nic` by interface, `kernel` by reason, `sockets` those that dropped.

    What the kernel does not tell is not in it, or None: that is no 0.
    """

    nic: dict[str, Counted]
    kernel: dict[str, int]
    squeezed: int | None
    sockets: tuple[SocketDrops, ...] | None


def look(interfaces: list[Interface], tree: Tree | None = None) -> Loss:
    """Read all counters."""
    tree = tree or Tree()
    told = paired(tree.net("snmp")) | paired(tree.net("netstat"))
    dropped, squeezed = softnet(tree.net("softnet_stat") or "")
    kernel = {} if dropped is None else {"backlog": dropped}
    kernel |= {reason: told[name] for reason, name in KERNEL.items() if name in told}
    nic = {one.name: found for one in interfaces if (found := counted(one)) is not None}
    udp, udp6 = tree.net("udp"), tree.net("udp6")  # without IPv6 there is no udp6
    sockets = None if udp is None else (*socket_drops(udp), *socket_drops(udp6 or ""))
    return Loss(nic, kernel, squeezed, sockets)


def moved(before: Loss, after: Loss) -> Loss:
    """Give what was lost between two moments."""
    nic = {name: _since(before.nic.get(name), now) for name, now in after.nic.items()}
    kernel = {reason: count - before.kernel.get(reason, 0) for reason, count in after.kernel.items()}
    squeezed = None if before.squeezed is None or after.squeezed is None else after.squeezed - before.squeezed
    if before.sockets is None or after.sockets is None:
        return Loss(nic, kernel, squeezed, None)
    earlier = {(one.address, one.inode): one.drops for one in before.sockets}
    sockets = tuple(
        SocketDrops(one.address, more, one.inode)
        for one in after.sockets
        if (more := one.drops - earlier.get((one.address, one.inode), 0)) > 0
    )
    return Loss(nic, kernel, squeezed, sockets)


def _since(then: Counted | None, now: Counted) -> Counted:
    """Give what was counted since; an interface that counts less than it did has been made anew."""
    if then is None or now.packets < then.packets:
        return now
    return Counted(
        now.packets - then.packets, now.multicast - then.multicast, now.missed - then.missed,
        now.errors - then.errors, now.dropped - then.dropped,
    )  # fmt: skip


def softnet(text: str) -> tuple[int | None, int | None]:
    """Sum up softnet_stat over all processors: packets that the backlog dropped, and how often its budget ended.

    None where it cannot be read.
    """
    full = [row for line in text.splitlines() if len(row := line.split()) >= 3]
    try:
        dropped, squeezed = (sum(int(row[at], 16) for row in full) for at in (1, 2))
    except ValueError:
        return None, None
    return (dropped, squeezed) if full else (None, None)


def socket_drops(text: str) -> list[SocketDrops]:
    """Find the sockets that have dropped in the text of /proc/net/udp or udp6."""
    found = []
    for line in text.splitlines()[1:]:
        words = line.split()
        if len(words) >= 13 and words[12].isdecimal() and int(words[12]) and words[9].isdecimal():
            found.append(SocketDrops(_endpoint(words[1]), int(words[12]), int(words[9])))
    return found


def _endpoint(text: str) -> str:
    """Read HEXADDRESS:HEXPORT; each four bytes of the address stand in the host's order."""
    digits, _, port = text.partition(":")
    try:
        raw = bytes.fromhex(digits)
        packed = b"".join(
            int.from_bytes(raw[at : at + 4], sys.byteorder).to_bytes(4, "big") for at in range(0, len(raw), 4)
        )
        return endpoint_text(str(ipaddress.ip_address(packed)), int(port, 16))
    except ValueError:
        return text
