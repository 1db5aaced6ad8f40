"""The TCP connections of a capture: segments go to theirs, and the memory for them is bounded.

At most MAX_OPEN connections are followed at once; the one that was silent longest makes room, its account is kept.
Accounts of the MAX_KEPT connections with the most data are kept whole; of the others only the sums.
"""

from collections import OrderedDict
from typing import Final

from netfeed.latency import Histogram
from netfeed.latency.tcp_connection import Address, Connection
from netfeed.latency.tcp_side import Counts
from netfeed.wire.segment import ACK, SYN, Segment

MAX_OPEN: Final = 4096
MAX_KEPT: Final = 1024


class Connections:
    """All connections. `rtt[k]` are round trips of what side k sent, over all of them."""

    def __init__(self, *, most: int = MAX_OPEN, keep: int = MAX_KEPT) -> None:
        self.count = self.partial = 0
        self.rtt = (Histogram(), Histogram())
        self.handshakes = Histogram()
        self.total = (Counts(), Counts())
        self.done: list[Connection] = []
        self._open: OrderedDict[tuple[Address, Address], Connection] = OrderedDict()
        self._most = most
        self._keep = keep

    def take(self, segment: Segment, ts_ns: int) -> tuple[Connection, int]:
        """Take a segment; give its connection, and the side that sent it."""
        source, destination = (segment.source, segment.source_port), (segment.destination, segment.destination_port)
        key = (source, destination) if source < destination else (destination, source)
        known = self._open.get(key)
        if known is not None and _anew(known, segment, source):
            self._end(key)
            known = None
        if known is None:
            known = self._new(key, segment, source, destination, ts_ns)
        else:
            self._open.move_to_end(key)
        return known, known.take(segment, ts_ns, self.rtt)

    @property
    def open(self) -> list[Connection]:
        """List the connections that are followed."""
        return list(self._open.values())

    def finish(self) -> None:
        """Close every account."""
        for key in list(self._open):
            self._end(key)
        self._trim(self._keep)

    def _new(
        self, key: tuple[Address, Address], segment: Segment, source: Address, destination: Address, ts_ns: int
    ) -> Connection:
        if len(self._open) >= self._most:
            self._end(next(iter(self._open)))
        answers = segment.flags & (SYN | ACK) == SYN | ACK  # then the client is the other one
        made = Connection(destination, source, ts_ns) if answers else Connection(source, destination, ts_ns)
        self._open[key] = made
        self.count += 1
        return made

    def _end(self, key: tuple[Address, Address]) -> None:
        one = self._open.pop(key)
        one.finish()
        self.partial += one.partial
        if one.handshake_ns is not None:
            self.handshakes.record(one.handshake_ns)
        for total, side in zip(self.total, one.sides, strict=True):
            total.add(side.counts)
        for side in one.sides:
            side.sent.clear()
        one.attached = None
        self.done.append(one)
        if len(self.done) >= 2 * self._keep:
            self._trim(self._keep)

    def _trim(self, most: int) -> None:
        self.done.sort(key=lambda one: -sum(side.counts.data_bytes for side in one.sides))
        del self.done[most:]


def _anew(known: Connection, segment: Segment, source: Address) -> bool:
    """Say whether a segment begins another connection between the same addresses."""
    if segment.flags & (SYN | ACK) != SYN:
        return False
    side = known.sides[0 if known.ends[0] == source else 1]
    return side.first is not None and side.first % 2**32 != segment.sequence
