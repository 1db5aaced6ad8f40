"""One TCP connection seen at one point: handshake, round trips, and what went wrong.

    finding             when
    retransmitted       data (or SYN, FIN) below the highest that was sent, and it was there before - or it fills a hole
                        later than `reorder_ns` after the hole was seen: the first copy was lost before the capture
    spurious            a retransmission of what had been acknowledged already
    out of order        it fills a hole within `reorder_ns`
    not captured        a segment begins behind the highest that was sent
    duplicate ACK       no data, the same ACK and window, while data waits for its ACK
    zero window         a segment that says 0; its time ends with the first that says more
    window full         data that ends where the other side's window does (its scale must be known)
    keep-alive          at most one byte, just below the highest
    probe               one byte, just behind the highest, into a window of zero; it is no data until it is repeated

A round trip is from a segment to the first ACK of it, at the point of the capture: taken beside a host, the ACKs of
that host measure the host, those of its peer the network and the peer. What was sent again is not measured (Karn), nor
a handshake whose SYN was.

The bad case: a capture that begins in the middle knows no scale, and cannot tell the first retransmission of something
that was sent before it began from new data that came out of order; it says `partial`.
"""

from typing import Any, Final

from netfeed.latency import Histogram
from netfeed.latency.tcp_reassembly import position
from netfeed.latency.tcp_side import Sent, Side
from netfeed.wire.segment import ACK, FIN, RST, SYN, Segment

REORDER_NS: Final = 3_000_000
Address = tuple[bytes, int]


class Connection:
    """A connection between two addresses; side 0 is the client where the handshake was seen, else who spoke first.

    `rtt[k]` are round trips of what side k sent. Units: ns.
    """

    def __init__(self, one: Address, other: Address, ts_ns: int, *, reorder_ns: int = REORDER_NS) -> None:
        self.ends = (one, other)
        self.sides = (Side(), Side())
        self.first_ns = self.last_ns = ts_ns
        self.idle_ns = 0
        self.handshake_ns: int | None = None  # SYN to its answer's ACK
        self.rtt_of_syn: list[int | None] = [None, None]
        self.partial = True
        self.closed = False
        self.attached: Any = None
        """What whoever reads the data keeps with it."""
        self.repeats = False  # the segment that was taken last brought nothing new
        self._answer_ns: int | None = None
        self._reorder_ns = reorder_ns

    def take(self, segment: Segment, ts_ns: int, rtt: tuple[Histogram, Histogram]) -> int:
        """Take a segment; give the side that sent it. Round trips are recorded in `rtt`, by who sent the data."""
        number = 0 if (segment.source, segment.source_port) == self.ends[0] else 1
        side, other = self.sides[number], self.sides[1 - number]
        self.idle_ns = max(self.idle_ns, ts_ns - self.last_ns)
        self.last_ns = max(ts_ns, self.last_ns)
        side.counts.segments += 1
        side.counts.data_bytes += segment.length
        side.counts.resets += bool(segment.flags & RST)
        side.counts.fins += bool(segment.flags & FIN)
        self.closed |= bool(segment.flags & RST)
        self.repeats = False
        if segment.flags & SYN:
            self._begin(number, segment, ts_ns)
        self._sent(side, other, segment, ts_ns)
        if segment.flags & ACK:
            self._acknowledge(number, segment, ts_ns, rtt)
        self._window(side, other, segment, ts_ns)
        return number

    def _begin(self, number: int, segment: Segment, ts_ns: int) -> None:
        side = self.sides[number]
        side.scale = segment.scale
        side.syn_repeated |= side.syn_ns is not None
        if side.syn_ns is None:
            side.syn_ns = ts_ns
        if not segment.flags & ACK:
            self.partial = False

    def _sent(self, side: Side, other: Side, segment: Segment, ts_ns: int) -> None:
        """Judge where a segment stands among what was sent before."""
        at = side.at(segment.sequence)
        size = segment.length + bool(segment.flags & SYN) + bool(segment.flags & FIN)
        if side.next is None:
            side.first = side.next = at
        end, control = at + size, segment.flags & (SYN | FIN | RST)
        if not control and segment.length <= 1 and at == side.next - 1 and side.first is not None and at > side.first:
            side.counts.keep_alives += 1
            self.repeats = True
            return
        if not size:
            return
        if not control and segment.length == 1 and at == side.next and other.window == 0:
            side.counts.probes += 1
            return
        if at > side.next:
            side.note_hole(side.next, at, ts_ns)
        elif at < side.next:
            self._again(side, other, at, min(end, side.next), ts_ns)
        if end > side.next:
            side.sent.append(Sent(end, ts_ns, repeated=at < side.next))
            side.next = end
        if segment.length and not control and _end_of_window(other) == end:
            side.counts.window_full += 1

    def _again(self, side: Side, other: Side, at: int, end: int, ts_ns: int) -> None:
        seen_ns = side.fill(at, end)
        if seen_ns is not None and ts_ns - seen_ns <= self._reorder_ns:
            side.counts.out_of_order += 1
            return
        side.counts.retransmitted += 1
        self.repeats = seen_ns is None
        if other.acked is not None and end <= other.acked:
            side.counts.spurious += 1
        side.repeat(at, end)

    def _acknowledge(self, number: int, segment: Segment, ts_ns: int, rtt: tuple[Histogram, Histogram]) -> None:
        """Take an ACK of what the other side sent."""
        side, other = self.sides[number], self.sides[1 - number]
        if other.next is None:  # its half was not seen yet
            other.first = other.next = segment.acknowledgment + 2**32
        upto = position(segment.acknowledgment, other.next)
        if side.acked is not None and upto <= side.acked:
            self._same(side, other, segment, upto)
            return
        side.acked, side.duplicates = upto, 0
        took_ns = other.measure(upto, ts_ns)
        if self._handshake(number, segment, ts_ns) or took_ns is None:
            return
        rtt[1 - number].record(took_ns)

    def _same(self, side: Side, other: Side, segment: Segment, upto: int) -> None:
        plain = not segment.length and not segment.flags & (SYN | FIN | RST)
        outstanding = other.next is not None and other.next > upto
        at_end = side.next == side.at(segment.sequence)
        if plain and at_end and upto == side.acked and outstanding and segment.window == side.window and segment.window:
            side.duplicates += 1
            side.counts.duplicate_acks += 1

    def _handshake(self, number: int, segment: Segment, ts_ns: int) -> bool:
        """Measure the three steps; say whether this segment was one of them."""
        client, server = self.sides
        if number == 1 and segment.flags & SYN and client.syn_ns is not None:
            if not client.syn_repeated:
                self.rtt_of_syn[0] = ts_ns - client.syn_ns
            return True
        if number == 0 and server.syn_ns is not None and self._answer_ns is None and client.syn_ns is not None:
            self._answer_ns = ts_ns
            if not server.syn_repeated:
                self.rtt_of_syn[1] = ts_ns - server.syn_ns
            if not (client.syn_repeated or server.syn_repeated):
                self.handshake_ns = ts_ns - client.syn_ns
            return True
        return False

    def _window(self, side: Side, other: Side, segment: Segment, ts_ns: int) -> None:
        """Keep the window that a side offers; one of a SYN is never scaled, and a reset offers none."""
        if segment.flags & SYN:
            side.offered = segment.window
        elif side.syn_ns is not None and other.syn_ns is not None:  # a scale counts when both sides offered one
            both = side.scale is not None and other.scale is not None
            side.offered = segment.window << (side.scale or 0 if both else 0)
        if segment.flags & RST or not segment.flags & ACK:
            return
        if segment.window == 0 and not segment.flags & (SYN | FIN):
            side.counts.zero_windows += 1
            side.zero_since_ns = ts_ns if side.zero_since_ns is None else side.zero_since_ns
        elif side.zero_since_ns is not None and segment.window:
            side.counts.zero_window_ns += max(ts_ns - side.zero_since_ns, 0)  # times of a capture can fall
            side.zero_since_ns = None
        side.window = segment.window

    def finish(self) -> None:
        """Count what is still open: a window that never opened was shut until the last segment."""
        for side in self.sides:
            if side.zero_since_ns is not None:
                side.counts.zero_window_ns += max(self.last_ns - side.zero_since_ns, 0)
                side.zero_since_ns = None


def _end_of_window(side: Side) -> int | None:
    """Give where the window of a side ends; None while its scale is not known."""
    return None if side.acked is None or side.offered is None else side.acked + side.offered
