"""What one side of a TCP connection sent, as the capture shows it: positions, counters, and what waits for its ACK.

Sources: RFC 9293; duplicate ACKs RFC 5681, 2; Karn's rule RFC 6298, 3. The names of findings are those that Wireshark's
users know (tcp.analysis), whose rules are kept where they are decidable from the capture alone.

Invariant: memory is bounded: at most MAX_SENT segments wait for their ACK; of older ones no round trip is measured.
"""

from collections import deque
from dataclasses import dataclass, field, fields
from typing import Final

from netfeed.latency.tcp_reassembly import position

MAX_SENT: Final = 1024
MAX_HOLES: Final = 256


@dataclass(slots=True)
class Counts:
    """What one side did. Units: bytes of data on the wire; ns."""

    segments: int = 0
    data_bytes: int = 0
    retransmitted: int = 0  # segments with data, a SYN or a FIN that had been sent before
    spurious: int = 0  # of them: had been acknowledged before
    out_of_order: int = 0  # filled a hole so soon that the network, not the sender, did it
    not_captured: int = 0  # holes: an earlier segment is missing in the capture
    duplicate_acks: int = 0
    zero_windows: int = 0  # segments
    zero_window_ns: int = 0  # from the first of them to the window's opening
    window_full: int = 0
    keep_alives: int = 0
    probes: int = 0  # one byte into a window of zero
    resets: int = 0
    fins: int = 0

    def add(self, other: "Counts") -> None:
        """Add what another one counted."""
        for one in fields(self):
            setattr(self, one.name, getattr(self, one.name) + getattr(other, one.name))


@dataclass(slots=True)
class Sent:
    """Data that waits for its ACK. Units: `end` is a position, `ts_ns` ns."""

    end: int
    ts_ns: int
    repeated: bool = False


@dataclass(slots=True)
class Side:
    """One side. Positions are of 64 bits, None before anything was seen."""

    counts: Counts = field(default_factory=Counts)
    first: int | None = None
    next: int | None = None  # behind the last byte that was ever sent
    acked: int | None = None  # what it acknowledged of the other side's
    window: int | None = None  # as it stood on the wire
    offered: int | None = None  # the same in bytes; None while its scale is not known
    scale: int | None = None  # None: not known, or none
    syn_ns: int | None = None
    syn_repeated: bool = False
    duplicates: int = 0  # ACKs in a row
    zero_since_ns: int | None = None
    sent: deque[Sent] = field(default_factory=lambda: deque(maxlen=MAX_SENT))
    holes: deque[tuple[int, int, int]] = field(default_factory=lambda: deque(maxlen=MAX_HOLES))

    def at(self, sequence: int) -> int:
        """Give the position of a sequence number; the first one that is seen is its own, above 2**32."""
        return sequence + 2**32 if self.next is None else position(sequence, self.next)

    def note_hole(self, first: int, end: int, ts_ns: int) -> None:
        """Remember that something is missing."""
        self.counts.not_captured += 1
        self.holes.append((first, end, ts_ns))

    def fill(self, at: int, end: int) -> int | None:
        """Take a segment as what was missing: give when the hole was seen, None when it is in none."""
        for hole in self.holes:
            first, last, seen_ns = hole
            if first <= at and end <= last:
                self.holes.remove(hole)
                self.holes.extend(part for part in ((first, at, seen_ns), (end, last, seen_ns)) if part[0] < part[1])
                return seen_ns
        return None

    def repeat(self, at: int, end: int) -> None:
        """Mark what was sent again: its ACK measures nothing."""
        for one in self.sent:
            if at < one.end <= end or one.end >= end > at:
                one.repeated = True

    def measure(self, upto: int, ts_ns: int) -> int | None:
        """Take an ACK of all before `upto`; give the round trip of the last segment, None where Karn forbids it.

        Units: ns.
        """
        last, clean = None, True
        while self.sent and self.sent[0].end <= upto:
            last = self.sent.popleft()
            clean = clean and not last.repeated
        return ts_ns - last.ts_ns if last is not None and clean else None
