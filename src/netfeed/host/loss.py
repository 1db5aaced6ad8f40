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
    """What had been lost at one moment. `nic` by interface, `kernel` by reason, `sockets` those that dropped."""

    nic: dict[str, Counted]
    kernel: dict[str, int]
    squeezed: int
    sockets: tuple[SocketDrops, ...]


def look(interfaces: list[Interface], tree: Tree | None = None) -> Loss:
    """Read all counters."""
    tree = tree or Tree()
    told = paired(tree.net("snmp")) | paired(tree.net("netstat"))
    dropped, squeezed = softnet(tree.net("softnet_stat") or "")
    kernel = {"backlog": dropped} | {reason: told.get(name, 0) for reason, name in KERNEL.items()}
    nic = {one.name: found for one in interfaces if (found := counted(one)) is not None}
    sockets = socket_drops(tree.net("udp") or "") + socket_drops(tree.net("udp6") or "")
    return Loss(nic, kernel, squeezed, tuple(sockets))


def moved(before: Loss, after: Loss) -> Loss:
    """Give what was lost between two moments."""
    nic = {}
    for name, now in after.nic.items():
        then = before.nic.get(name, Counted(0, 0, 0, 0, 0))
        nic[name] = Counted(
            now.packets - then.packets, now.multicast - then.multicast, now.missed - then.missed,
            now.errors - then.errors, now.dropped - then.dropped,
        )  # fmt: skip
    kernel = {reason: count - before.kernel.get(reason, 0) for reason, count in after.kernel.items()}
    earlier = {(one.address, one.inode): one.drops for one in before.sockets}
    sockets = tuple(
        SocketDrops(one.address, more, one.inode)
        for one in after.sockets
        if (more := one.drops - earlier.get((one.address, one.inode), 0)) > 0
    )
    return Loss(nic, kernel, after.squeezed - before.squeezed, sockets)


def softnet(text: str) -> tuple[int, int]:
    """Sum up softnet_stat over all processors: packets that the backlog dropped, and how often its budget ended."""
    rows = [line.split() for line in text.splitlines()]
    full = [row for row in rows if len(row) >= 3]
    try:
        return sum(int(row[1], 16) for row in full), sum(int(row[2], 16) for row in full)
    except ValueError:
        return 0, 0


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
