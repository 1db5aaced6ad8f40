"""Lines that are listened to, and what they carry: an account for each, and one for all that carry the same stream.

A stream is (protocol, name of the stream in its packets). The same stream on two lines is compared: who brought a
packet first, by how much the other was behind (by the kernel's stamps), and what neither brought. Lines that say
different things under one number (`differs`) are no lines of one stream, or one of them is corrupt.
"""

from collections import Counter
from typing import Any, Final

from netfeed.app.listen_stream import Sequence
from netfeed.app.listen_words import Place, Words
from netfeed.latency import Histogram
from netfeed.transport.network import endpoint_text
from netfeed.transport.udp import UdpSocket

MAX_STREAMS: Final = 64
MAX_SOURCES: Final = 16
ABSURD_NS: Final = 10**18
"""Thirty years: no way takes so long."""
MAX_FIRSTS: Final = 16_384
"""First copies that are remembered: a line that is further behind is not measured."""
CHECKED: Final = 64
"""One packet in so many is read to its last byte."""

Key = tuple[str, bytes]
"""A stream: its protocol, and its name in the packets."""
Count = tuple[str, bytes, int]
"""A stream, and how often its count has begun anew."""


class Together:
    """One stream over all lines. Who was first is judged by the stamps: sockets are read one after the other."""

    def __init__(self) -> None:
        self.sequence = Sequence(one_line=False)
        self._firsts: dict[int, tuple[int, Line, int]] = {}

    def take(self, line: "Line", place: Place, ts_ns: int | None) -> None:
        """Note a packet of one of the lines."""
        if self.sequence.take(place.sequence, place.numbers):
            line.first += 1
            if ts_ns is not None:
                self._firsts[place.sequence] = (ts_ns, line, place.digest)
                if len(self._firsts) > MAX_FIRSTS:
                    del self._firsts[next(iter(self._firsts))]
        elif place.numbers and ts_ns is not None and place.sequence in self._firsts:
            self._compare(line, place, ts_ns)

    def _compare(self, line: "Line", place: Place, ts_ns: int) -> None:
        first_ns, other, digest = self._firsts[place.sequence]
        if place.digest != digest:
            line.differs += 1
        if other is line:
            return
        if ts_ns >= first_ns:
            line.behind.record(ts_ns - first_ns)
        else:  # read later, but there before
            other.first, line.first = other.first - 1, line.first + 1
            other.behind.record(first_ns - ts_ns)
            self._firsts[place.sequence] = (ts_ns, line, digest)


class Line:
    """One group and port. Units: ns, bytes of payload."""

    def __init__(self, number: int, socket: UdpSocket, protocol: str | None = None) -> None:
        self.number = number
        self.name = chr(ord("A") + number) if number < 26 else f"LINE_{number}"
        self.socket = socket
        self.text = endpoint_text(socket.host, socket.port)
        self.words = Words(protocol)
        self.packets = self.bytes = self.truncated = self.first = self.differs = 0
        self.first_ns: int | None = None
        self.last_ns: int | None = None
        self.streams: dict[Key, Sequence] = {}
        self.sources: Counter[tuple[bytes, int]] = Counter()
        self.one_way, self.behind = Histogram(), Histogram()

    def hear(self, payload: memoryview, ts_ns: int | None, source: tuple[bytes, int]) -> Place | None:
        """Count a packet, and give its place in its stream when it has one."""
        self.packets += 1
        self.bytes += len(payload)
        if ts_ns is not None:
            self.first_ns = ts_ns if self.first_ns is None else self.first_ns
            self.last_ns = ts_ns
        if source in self.sources or len(self.sources) < MAX_SOURCES:
            self.sources[source] += 1
        place = self.words.place(payload)
        if self.packets % CHECKED == 0:
            self.words.check(payload)
        if place is None:
            return None
        key = (self.words.name or "", place.stream)
        sequence = self.streams.get(key)
        if sequence is None:
            if len(self.streams) >= MAX_STREAMS:
                return None
            sequence = self.streams[key] = Sequence()
        sequence.take(place.sequence, place.numbers)
        if place.sent_ns is not None and ts_ns is not None:
            # whoever sends may write any stamp: one that is absurd is beyond the end, on its side
            self.one_way.record(max(-ABSURD_NS, min(ts_ns - place.sent_ns, ABSURD_NS)))
        return place

    def total(self, name: str) -> int:
        """Add up a counter (lost, duplicates, reordered, restarts, numbers) over the streams of the line."""
        return sum(int(getattr(one, name)) for one in self.streams.values())


class Lines:
    """All lines, and the streams that they share."""

    def __init__(self, lines: list[Line]) -> None:
        self.lines = lines
        self.together: dict[Count, Together] = {}

    def take(self, line: Line, batch: Any, count: int) -> None:
        """Take the datagrams of a batch that one line's socket received."""
        rows, data = batch.packets[:count], batch.data
        names = ("payload_offset", "payload_length", "original_length", "ts_ns", "source", "source_port")
        for offset, length, original, ts_ns, source, port in zip(*(rows[name].tolist() for name in names), strict=True):
            line.truncated += original > length
            stamp = ts_ns if ts_ns > 0 else None
            self.hear(line, data[offset : offset + length], stamp, (source, port))

    def hear(self, line: Line, payload: memoryview, ts_ns: int | None, source: tuple[bytes, int]) -> None:
        """Take one datagram of a line."""
        place = line.hear(payload, ts_ns, source)
        if place is not None:
            self._share(line, place, ts_ns)

    def _share(self, line: Line, place: Place, ts_ns: int | None) -> None:
        stream = (line.words.name or "", place.stream)
        key = (*stream, line.streams[stream].restarts)
        together = self.together.get(key)
        if together is None:
            if len(self.together) >= MAX_STREAMS:
                return
            together = self.together[key] = Together()
        together.take(line, place, ts_ns)

    def missed_by_all(self) -> int:
        """Count the numbers that no line brought."""
        return sum(one.sequence.lost for one in self.together.values())
