"""What a network interface has counted: the kernel's standard counters, and those of its driver.

Sources: rtnetlink(7), linux/if_link.h (RTM_GETSTATS, `rtnl_link_stats64`, whose comments say what each counts),
Documentation/networking/statistics.rst; linux/ethtool.h (ETHTOOL_GSTRINGS, ETHTOOL_GSTATS) for what drivers count
under names of their own. Both are of the calling thread's network namespace; /sys is not.
"""

import ctypes
import fcntl
import re
import socket
import struct
from dataclasses import dataclass
from typing import Final

from netfeed.transport.network import Interface

_RTM_NEWSTATS, _RTM_GETSTATS, _NLM_F_REQUEST, _IFLA_STATS_LINK_64 = 92, 94, 1, 1
_HEADER: Final = struct.Struct("=IHHII")
_STATS: Final = struct.Struct("=BBHII")
_FIELDS: Final = (
    "rx_packets", "tx_packets", "rx_bytes", "tx_bytes", "rx_errors", "tx_errors", "rx_dropped", "tx_dropped",
    "multicast", "collisions", "rx_length_errors", "rx_over_errors", "rx_crc_errors", "rx_frame_errors",
    "rx_fifo_errors", "rx_missed_errors",
)  # fmt: skip
_SIOCETHTOOL, _GSTRINGS, _GSTATS, _GSSET_INFO, _SS_STATS = 0x8946, 0x1B, 0x1D, 0x37, 1
_NAME: Final = 32
_MOST: Final = 8192
"""No driver has more counters; one that claims more is not believed. There is always room for so many: a driver that is
given another queue between two questions answers the second one at its new length.
"""
LOSSES: Final = re.compile(r"drop|discard|miss|no_?buf|overrun|overflow|fifo|out_of_buf|alloc_fail|crc", re.IGNORECASE)
"""What drivers call the ways to lose a packet."""


@dataclass(frozen=True, slots=True)
class Counted:
    """What an interface has counted since it was made.

    `missed`: the card had no room (its ring was full); `errors`: damaged on the wire; `dropped`: the kernel took it
    from the card and dropped it before any protocol (what the backlog drops is counted here, too).
    """

    packets: int
    multicast: int
    missed: int
    errors: int
    dropped: int

    @property
    def lost(self) -> int:
        """Count what was lost before the kernel had it."""
        return self.missed + self.errors


def counted(interface: Interface) -> Counted | None:
    """Ask the kernel for an interface's counters; None when there is no such interface, or no such question."""
    found = _link(interface.index)
    if found is None:
        return None
    told = dict(zip(_FIELDS, found, strict=True))
    missed = told["rx_missed_errors"] + told["rx_over_errors"] + told["rx_fifo_errors"]
    damaged = max(0, told["rx_errors"] - told["rx_over_errors"] - told["rx_fifo_errors"])  # rx_errors holds both
    return Counted(told["rx_packets"], told["multicast"], missed, damaged, told["rx_dropped"])


def driver_counters(name: str) -> dict[str, int]:
    """Give the counters that the driver has under names of its own; empty where it has none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        try:
            count = _count(control, name)
            names = _ethtool(control, name, struct.pack("=III", _GSTRINGS, _SS_STATS, count), 12 + _MOST * _NAME)[12:]
            values = _ethtool(control, name, struct.pack("=II", _GSTATS, count), 8 + _MOST * 8)[8:]
        except OSError:
            return {}
    found = {}
    for at, value in enumerate(struct.unpack_from(f"={count}Q", values)):
        raw = names[at * _NAME : (at + 1) * _NAME].split(b"\0")[0]
        found[raw.decode("ascii", "replace")] = value
    return found


def losses(name: str) -> dict[str, int]:
    """Give the driver's counters that count a way to lose a packet and are not 0."""
    return {key: value for key, value in driver_counters(name).items() if value and LOSSES.search(key)}


def _link(index: int) -> tuple[int, ...] | None:
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE) as kernel:
        body = _STATS.pack(socket.AF_UNSPEC, 0, 0, index, 1 << _IFLA_STATS_LINK_64 - 1)
        try:
            kernel.send(_HEADER.pack(_HEADER.size + len(body), _RTM_GETSTATS, _NLM_F_REQUEST, 1, 0) + body)
            answer = kernel.recv(65536)
        except OSError:
            return None
    if len(answer) < _HEADER.size or _HEADER.unpack_from(answer)[1] != _RTM_NEWSTATS:
        return None
    at = _HEADER.size + _STATS.size
    while at + 4 <= len(answer):
        length, kind = struct.unpack_from("=HH", answer, at)
        if kind == _IFLA_STATS_LINK_64 and length >= 4 + len(_FIELDS) * 8 and at + length <= len(answer):
            return struct.unpack_from(f"={len(_FIELDS)}Q", answer, at + 4)
        if length < 4:
            return None
        at += length + 3 & ~3
    return None


def _count(control: socket.socket, name: str) -> int:
    answer = _ethtool(control, name, struct.pack("=IIQI", _GSSET_INFO, 0, 1 << _SS_STATS, 0), 20)
    there, count = struct.unpack_from("=QI", answer, 8)
    return count if there and count <= _MOST else 0


def _ethtool(control: socket.socket, name: str, request: bytes, size: int) -> bytes:
    value = ctypes.create_string_buffer(request, max(size, len(request)))
    asked = struct.pack("16sP", name.encode(), ctypes.addressof(value)).ljust(40, b"\0")
    fcntl.ioctl(control, _SIOCETHTOOL, asked)
    return value.raw
