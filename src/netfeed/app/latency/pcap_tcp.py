"""The section about TCP: connections, round trips, what went wrong, and the messages in their streams.

Segments are looked at one by one, in the order of the capture. Streams are reassembled only where a segment of them was
whole messages of a known framing (`wire.order_frames`), at most MAX_STREAMS at once, or where orders are looked for.
"""

from collections.abc import Callable, Sequence
from ipaddress import IPv6Address
from typing import Any, Final
from weakref import WeakSet

import numpy as np

from netfeed.app.changes import Rows
from netfeed.app.clock import time_text
from netfeed.app.inputs import Capture
from netfeed.app.latency.pcap_frames import Frame, frames
from netfeed.app.latency.pcap_part import Part
from netfeed.errors import WireError
from netfeed.latency import Histogram
from netfeed.latency.tcp_connection import Address, Connection
from netfeed.latency.tcp_messages import Message, Messages
from netfeed.latency.tcp_table import Connections
from netfeed.units import duration_text
from netfeed.wire.capture import NO_TIME, Kind
from netfeed.wire.order_frames import framing_of
from netfeed.wire.segment import Segment, read_segment

MAX_STREAMS: Final = 256
MAX_TRIES: Final = 16
"""Segments with data that are looked at to recognise what a connection speaks."""
MAX_TOLD: Final = 50
_WHO: Final = ("client", "server")


class _Reader:
    """What is kept with a connection: of each side the messages, and how often recognising was tried."""

    __slots__ = ("last_ns", "messages", "tries")

    def __init__(self) -> None:
        self.messages: list[Messages | None] = [None, None]
        self.tries = [0, 0]
        self.last_ns: list[int | None] = [None, None]


class TcpSection:
    """All TCP of the captures. `orders` is told of data and of the messages that can be read by then."""

    def __init__(
        self,
        wanted: Callable[[Address], bool],
        orders: Callable[[Connection, int, Sequence[Message], Message | None], None] | None = None,
    ) -> None:
        self.connections = Connections()
        self.bad = self.cut = self.unread = 0
        self._wanted = wanted
        self._orders = orders
        self._streams: WeakSet[Messages] = WeakSet()
        self._between: dict[str, Histogram] = {}
        self._messages: dict[str, list[int]] = {}

    def see(self, capture: Capture, rows: Rows, origins: Any) -> None:
        """Take the batch of a walker, whose buffer is still there."""
        which = np.flatnonzero((rows["kind"] == Kind.NOT_UDP) & (rows["ip_version"] != 0) & (rows["ts_ns"] != NO_TIME))
        if not len(which):
            return
        for frame in frames(capture, rows[which], origins[which]):
            self._frame(frame)

    def finish(self) -> None:
        """Read what still waits, and close every account: nothing comes any more."""
        for connection in self.connections.open:
            self._leave(connection)
        self.connections.finish()

    def tell(self, part: Part) -> None:
        """Add what there was."""
        table = self.connections
        if not table.count:
            part.note(f"{self.bad:,} frames with TCP could not be read", when=self.bad)
            return
        part.distribution("TCP handshake", table.handshakes, "from SYN to the ACK of its answer")
        for side, who in enumerate(_WHO):
            part.distribution(
                f"TCP round trip: data of the {who}",
                table.rtt[side],
                "until its ACK passed the point of capture; no retransmitted data",
            )
        for name, histogram in sorted(self._between.items()):
            part.distribution(f"between messages: {name}", histogram)
        part.table("TCP in all", ("what", "client", "server"), _sums(table))
        part.table("TCP connections", _COLUMNS, [_row(one) for one in table.done[:MAX_TOLD]])
        part.table("messages in TCP streams", ("stream", "messages", "streams lost", "bytes missing"), [
            (name, *counts) for name, counts in sorted(self._messages.items())
        ])  # fmt: skip
        self._notes(part)

    def _notes(self, part: Part) -> None:
        table = self.connections
        part.note(f"connections with less data that are in the sums only: {table.count - MAX_TOLD:,}",
                  when=table.count > MAX_TOLD)  # fmt: skip
        part.note(
            f"connections seen from the middle only: {table.partial:,}; they have no handshake and no scale, and what "
            "was sent before counts as nothing", when=table.partial,
        )  # fmt: skip
        part.note(f"segments cut by the snap length: {self.cut:,}; the messages in them are holes", when=self.cut)
        part.note(f"{self.bad:,} frames with TCP could not be read", when=self.bad)
        part.note(f"streams beyond {MAX_STREAMS} at once were not read", when=self.unread)

    def _frame(self, frame: Frame) -> None:
        try:
            segment = read_segment(frame.data, frame.linktype, frame.original_length)
        except WireError:
            self.bad += 1
            return
        if segment is None:
            return
        ends = (segment.source, segment.source_port), (segment.destination, segment.destination_port)
        if not any(self._wanted(end) for end in ends):
            return
        self.cut += len(segment.payload) < segment.length
        connection, side = self.connections.take(segment, frame.ts_ns)
        if segment.length:
            self._data(segment, connection, side, frame)
        reader, acked = connection.attached, connection.sides[side].acked
        other = reader.messages[1 - side] if reader is not None else None
        if other is not None and acked is not None:  # what the capture lacks of it, the receiver has
            self._tell_orders(
                connection, 1 - side, self._counted(connection, 1 - side, lambda: other.acknowledge(acked))
            )
        if reader is not None and (connection.closed or all(one.counts.fins for one in connection.sides)):
            self._leave(connection)

    def _data(self, segment: Segment, connection: Connection, side: int, frame: Frame) -> None:
        """Hand data to the reader of its stream, where there is one; else it may be an order by itself."""
        if connection.attached is None:
            connection.attached = _Reader()
        reader: _Reader = connection.attached
        stream = reader.messages[side] or self._recognise(segment, connection, side, reader)
        if stream is not None:
            near = connection.sides[side].at(segment.sequence)
            data = near, segment.payload, segment.length, frame.ts_ns, frame.origin
            self._tell_orders(connection, side, self._counted(connection, side, lambda: stream.take(*data)))
        elif not connection.repeats:
            raw = Message(bytes(segment.payload), frame.ts_ns, frame.origin)
            self._tell_orders(connection, side, [], raw)

    def _tell_orders(
        self, connection: Connection, side: int, messages: Sequence[Message], raw: Message | None = None
    ) -> None:
        if self._orders is not None and (messages or raw is not None):
            self._orders(connection, side, messages, raw)

    def _counted(self, connection: Connection, side: int, read: Callable[[], list[Message]]) -> list[Message]:
        """Read from the stream of a side, and count what that gave."""
        reader: _Reader = connection.attached
        stream = reader.messages[side]
        assert stream is not None
        before = stream.count, stream.lost, stream.hole_bytes
        found = read()
        name = f"{stream.framing.name}, of the {_WHO[side]}"
        counts = self._messages.setdefault(name, [0, 0, 0])
        for index, now in enumerate((stream.count, stream.lost, stream.hole_bytes)):
            counts[index] += now - before[index]
        between = self._between.setdefault(name, Histogram())
        for message in found:
            last_ns = reader.last_ns[side]
            if last_ns is not None:
                between.record(message.ts_ns - last_ns)
            reader.last_ns[side] = message.ts_ns
        return found

    def _recognise(self, segment: Segment, connection: Connection, side: int, reader: _Reader) -> Messages | None:
        if reader.tries[side] >= MAX_TRIES:
            return None
        reader.tries[side] += 1
        other = reader.messages[1 - side]
        framing = other.framing if other is not None else framing_of(segment.payload)
        if framing is None:
            return None
        if len(self._streams) >= MAX_STREAMS:
            self.unread += 1
            return None
        made = reader.messages[side] = Messages(framing, connection.sides[side].at(segment.sequence))
        self._streams.add(made)
        return made

    def _leave(self, connection: Connection) -> None:
        """Read what still waits in the streams of a connection, and let go of them."""
        reader = connection.attached
        if reader is None:
            return
        for side, stream in enumerate(reader.messages):
            if stream is not None:
                self._tell_orders(connection, side, self._counted(connection, side, stream.finish))
        reader.messages, reader.tries = [None, None], [MAX_TRIES, MAX_TRIES]


_COUNTS: Final = (
    ("segments", "segments"), ("bytes", "data_bytes"), ("retransmitted", "retransmitted"), ("spurious", "spurious"),
    ("out of order", "out_of_order"), ("not captured", "not_captured"), ("duplicate ACKs", "duplicate_acks"),
    ("zero windows", "zero_windows"), ("zero window ns", "zero_window_ns"), ("window full", "window_full"),
    ("keep-alives", "keep_alives"), ("window probes", "probes"), ("resets", "resets"), ("FINs", "fins"),
)  # fmt: skip
_COLUMNS: Final = (
    "client", "server", "from", "lasts", "handshake ns", "bytes up", "bytes down", "retransmitted", "spurious",
    "out of order", "duplicate ACKs", "zero windows", "zero window ns", "window full", "end", "longest idle ns",
    "partial",
)  # fmt: skip


def _sums(table: Connections) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = [("connections", table.count, None)]
    return rows + [(name, *(getattr(total, field) for total in table.total)) for name, field in _COUNTS]


def _row(one: Connection) -> tuple[Any, ...]:
    up, down = (side.counts for side in one.sides)

    def both(name: str) -> int:
        return int(getattr(up, name)) + int(getattr(down, name))

    end = (
        "reset" if both("resets") else "closed" if up.fins and down.fins else "half closed" if both("fins") else "open"
    )
    return (
        address_text(one.ends[0]), address_text(one.ends[1]), time_text(one.first_ns),
        duration_text(one.last_ns - one.first_ns), one.handshake_ns, up.data_bytes, down.data_bytes,
        both("retransmitted"), both("spurious"), both("out_of_order"), both("duplicate_acks"), both("zero_windows"),
        both("zero_window_ns"), both("window_full"), end, one.idle_ns, one.partial,
    )  # fmt: skip


def address_text(end: Address) -> str:
    """Write an address and its port."""
    address = IPv6Address(end[0])
    mapped = address.ipv4_mapped
    return f"{mapped}:{end[1]}" if mapped is not None else f"[{address}]:{end[1]}"
