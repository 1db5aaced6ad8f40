"""Whether sockets get what a feed asks of them: receive buffers, memberships, sources, the memory of all UDP sockets.

Sources: socket(7), ip(7), Documentation/networking/ip-sysctl.rst. Buffers are asked for, not looked up: what is granted
depends on limits and capabilities together.
"""

import re
from collections import Counter
from typing import Final

from netfeed.host.doctor.wishes import Wishes
from netfeed.host.finding import Finding, Level
from netfeed.host.tree import Tree
from netfeed.transport.network import NetworkError
from netfeed.transport.udp import UdpSocket

TOPIC: Final = "sockets"


def checks(wishes: Wishes, tree: Tree | None = None) -> list[Finding]:
    """Look at sockets."""
    tree = tree or Tree()
    return [buffer(wishes.buffer_bytes), memberships(wishes, tree), sources(wishes, tree), pages(tree)]


def buffer(wanted: int) -> Finding:
    """Ask for a receive buffer, and say what was granted."""
    try:
        with UdpSocket("127.0.0.1", 0, buffer_bytes=wanted) as one:
            granted = one.granted_bytes
    except NetworkError as error:
        return Finding(TOPIC, "receive buffer", Level.FAIL, str(error))
    said = f"{granted / 2**20:.3g} MiB granted of {wanted / 2**20:.3g}, some {granted // 832:,} small packets"
    if granted >= wanted:
        return Finding(TOPIC, "receive buffer", Level.OK, said)
    return Finding(
        TOPIC, "receive buffer", Level.FAIL, said, f"`sysctl -w net.core.rmem_max={wanted}`, or CAP_NET_ADMIN"
    )


def memberships(wishes: Wishes, tree: Tree) -> Finding:
    """Compare the groups that one socket may join with what is wanted: netfeed joins one group a socket."""
    most = tree.sysctl("net.ipv4.igmp_max_memberships")
    if most is None:
        return Finding(TOPIC, "memberships", Level.UNKNOWN, "igmp_max_memberships cannot be read")
    crowded = max(Counter(wishes.groups).values(), default=1)
    said = f"{most} groups a socket; netfeed joins {crowded} on each"
    if most >= crowded:
        return Finding(TOPIC, "memberships", Level.OK, said)
    return Finding(TOPIC, "memberships", Level.FAIL, said, f"`sysctl -w net.ipv4.igmp_max_memberships={crowded}`")


def sources(wishes: Wishes, tree: Tree) -> Finding:
    """Say how many sources of a group a socket may name."""
    most = tree.sysctl("net.ipv4.igmp_max_msf")
    if most is None:
        return Finding(TOPIC, "source filters", Level.UNKNOWN, "igmp_max_msf cannot be read")
    level = Level.FAIL if wishes.sources and most < 1 else Level.OK
    remedy = "`sysctl -w net.ipv4.igmp_max_msf=64`" if level is Level.FAIL else ""
    return Finding(TOPIC, "source filters", level, f"{most} sources of a group", remedy)


def pages(tree: Tree) -> Finding:
    """Say how near all UDP sockets together are to the memory that they may have."""
    limits = (tree.text("/proc/sys/net/ipv4/udp_mem") or "").split()
    told = re.search(r"^UDP: .*\bmem (\d+)", tree.net("sockstat") or "", re.ASCII | re.MULTILINE)
    if told is None or len(limits) != 3 or not limits[2].isdecimal():
        return Finding(TOPIC, "memory of UDP", Level.UNKNOWN, "udp_mem or sockstat cannot be read here")
    used, most = int(told[1]), int(limits[2])
    said = f"{used:,} of {most:,} pages"
    if used * 2 <= most:
        return Finding(TOPIC, "memory of UDP", Level.OK, said)
    return Finding(TOPIC, "memory of UDP", Level.WARN, said, "raise net.ipv4.udp_mem, or find who does not read")
