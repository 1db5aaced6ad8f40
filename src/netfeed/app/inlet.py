"""One socket of a channel: what it received, what was turned away, and whom it listens to.

Rows that leave an inlet bear the inlet's own key as their destination, so that two lines on one group (over two
interfaces, or from two sources) stay two lines for the fast path. Who was not admitted is counted, never parsed.
"""

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, Final

import numpy as np

from netfeed.app.changes import Rows
from netfeed.feed.ports import MORE_LINES
from netfeed.transport.receiver_account import MAX_SOURCES
from netfeed.wire.capture import NO_TIME

MAX_SENDERS: Final = 1024
"""Senders whose admission is remembered; a flood of forged addresses forgets them all and begins anew."""

Network = IPv4Network | IPv6Network


class Inlet:
    """One socket. `port` is the channel's; `name` the group and port, `line` the letter that people know it by."""

    def __init__(self, number: int, slot: Any, port: int, name: str, line: str, sources: Sequence[str]) -> None:
        self.number = number
        self.slot = slot
        self.port = port
        self.name = name
        self.line = line
        self.key = b"netfeed inlet\0" + number.to_bytes(2, "big"), number
        self.socket: Any = None
        self.batch: Any = None
        self.dry = True
        self.waiting: Rows | None = None
        self.newest_ns = NO_TIME
        self.user_ns = NO_TIME  # when the batch came from the kernel, where somebody traces
        self.received = self.foreign = self.kernel_drops = self.queue_drops = self.cut = self.failures = 0
        self.admit(sources)

    def admit(self, sources: Sequence[str]) -> None:
        """Say whose packets are taken; nobody named is everybody."""
        self.sources = list(sources)
        self._networks = [ip_network(source) for source in sources]
        self._known: dict[bytes, bool] = {}

    def admits(self, source: bytes) -> bool:
        """Say whether a sender (16 bytes, IPv4 as ::ffff:a.b.c.d) is admitted."""
        return not self._networks or self._is_known(source)

    def take(self, packets: Rows, now_ns: int) -> Rows:
        """Count packets, stamp those that have no stamp, and leave out whose sender is not admitted.

        Units: `now_ns` since 1970.
        """
        self.received += len(packets)
        missing = packets["ts_ns"] == NO_TIME
        if missing.any():
            packets["ts_ns"][missing] = now_ns
        self.newest_ns = int(packets["ts_ns"][-1])
        return self._admitted(packets) if self._networks else packets

    def wait(self, packets: Rows) -> None:
        """Keep packets of the batch until their turn comes, under the inlet's own key."""
        if len(packets):
            packets["destination"] = np.void(self.key[0])
            packets["destination_port"] = self.key[1]
            self.waiting = packets

    def up_to(self, until_ns: int) -> tuple[Any, Rows] | None:
        """Take the packets that came up to a time, with the buffer that they stand in. Units: ns since 1970."""
        packets = self.waiting
        if packets is None:
            return None
        count = len(packets) if self.newest_ns <= until_ns else int((packets["ts_ns"] <= until_ns).argmin())
        self.waiting = packets[count:] if count < len(packets) else None
        return (self.batch.data, packets[:count]) if count else None

    def _admitted(self, packets: Rows) -> Rows:
        keep = np.array([self._is_known(source) for source in packets["source"].tolist()], bool)
        if keep.all():
            return packets
        self.foreign += int((~keep).sum())
        admitted: Rows = packets[keep]
        return admitted

    def _is_known(self, source: bytes) -> bool:
        if source not in self._known:
            if len(self._known) >= MAX_SENDERS:
                self._known.clear()
            address = IPv6Address(source)
            real = address.ipv4_mapped or address
            self._known[source] = any(real in network for network in self._networks if network.version == real.version)
        return self._known[source]


def joined(parts: list[tuple[Any, Rows]]) -> tuple[Any, Rows]:
    """Put packets of several buffers into one, in the order of their stamps."""
    if len(parts) == 1:
        return parts[0]
    pieces, rows, base = [], [], 0
    for data, packets in parts:
        low = int(packets["payload_offset"][0])
        high = int(packets["payload_offset"][-1]) + int(packets["payload_length"][-1])
        moved = packets.copy()
        moved["payload_offset"] += base - low
        pieces.append(data[low:high])
        rows.append(moved)
        base += high - low
    every = np.concatenate(rows)
    return memoryview(b"".join(pieces)), every[np.argsort(every["ts_ns"], kind="stable")]


def sources_of(line: str | None, channel: Sequence[str]) -> list[str]:
    """Give whom a line admits: its own source where it names one, else the channel's."""
    return [str(ip_address(line))] if line else list(channel)


def exact(sources: Sequence[str]) -> list[bytes] | None:
    """Give the addresses of sources as the thread wants them; None when they are too many for it."""
    hosts: list[bytes] = []
    for source in sources:
        network = ip_network(source)
        if network.num_addresses > MAX_SOURCES:
            return None
        hosts += [ip_address(int(network.network_address) + k).packed for k in range(network.num_addresses)]
    mapped = [bytes(10) + b"\xff\xff" + host if len(host) == 4 else host for host in hosts]
    return mapped if len(mapped) <= MAX_SOURCES else None


def line_of(port: int) -> int:
    """Give the path's number of a line by its port."""
    return port if port < 2 else port - MORE_LINES + 2
