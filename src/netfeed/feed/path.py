"""The path of the expected packet: record -> UDP payload -> channel -> messages -> books. The twin of `_core.path`.

The channel here knows one case only: the next packet of the session, whole and sound - or a copy, from another line,
of one that is past. Everything else (a gap, a late packet, a heartbeat, a new session, a packet that does not fit its
specification) is handed to the caller untouched, who gives it to `feed.channel` and, once that is `in_order` again,
arms this one anew. So what is hot stays small, and what is difficult stays readable.

    run(buffer, offset, base) -> (next offset, status)      with a walker: straight from the bytes of a capture
    take(buffer, packets, start) -> (next index, status)    packets that were walked already

    status      the caller
    END PARTIAL BAD   as of `wire.capture.Walker`: gives more bytes, or resynchronises, or ends
    PLAIN       takes `packet` (no UDP, its flow is TO_PLAIN, its channel not armed, it is not the expected one, or its
                time is before `newest_ns`, that of the last packet taken), then `done()`
    UNKNOWN     adds the flow of `packet`, or adds it as IGNORE, and runs again
    FULL        takes the changes of the channels' books and runs again
    LATE        the next packet is later than `until_ns`: wakes what is due, and runs again

The buffer of a run may be replaced only after END, PARTIAL or BAD. `take` returns END when no packet is left.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Final, NamedTuple, Protocol

import numpy as np

from netfeed.errors import WireError
from netfeed.machine import NEVER, Buffer
from netfeed.wire import moldudp64, starbase
from netfeed.wire.capture import NO_TIME, PACKET, Kind
from netfeed.wire.capture import Status as Walked

TO_PLAIN: Final = -1
IGNORE: Final = -2
"""In the place of a channel: packets of this flow are handed out, or passed over."""
MAX_FLOWS: Final = 4096
MAX_CHANNELS: Final = 1024
MAX_LINES: Final = 16
RECENT: Final = 1024
"""First copies that are remembered, to tell how far behind the second one is."""
_PACKETS: Final = 256


class Status(IntEnum):
    """How a run stopped. MORE is only the walker's."""

    MORE = 0
    END = 1
    PARTIAL = 2
    BAD = 3
    PLAIN = 4
    UNKNOWN = 5
    FULL = 6
    LATE = 7


class Stream(Protocol):
    """What the path feeds: `venues.itch.ItchBooks` or `venues.starbase.StarbaseBooks`."""

    protocol: str

    def apply(self, message: Buffer, sequence: int, ts_recv_ns: int = ..., channel: int = ...) -> None:
        """Apply one message, in sequence."""


LineAccount = tuple[int, int, int, int, int, int, tuple[int, int, int, int]]
"""(line, packets, first, duplicates, bytes, last time, how far behind: count, min, max, sum)"""


class _Outside(Exception):
    """A payload is not in the buffer."""


@dataclass(slots=True)
class _Line:
    packets: int = 0
    first: int = 0
    duplicates: int = 0
    bytes: int = 0
    last_ts: int = 0
    behind: tuple[int, int, int, int] = (0, 0, 0, 0)


@dataclass(slots=True)
class _Lane:
    books: Stream
    number: int
    armed: bool = False
    session: bytes = b""
    next: int = 0
    last_ts: int = 0
    last_send: int | None = None
    lines: dict[int, _Line] = field(default_factory=dict)
    heartbeats: int = 0
    recent: dict[int, tuple[int, int, int, int | None]] = field(default_factory=dict)


class Path:
    """From the bytes of a capture to changed books, for the packets that are as expected.

    `walker` is the build's `Walker` and `record` an array of one PACKET in which `packet` is handed out; both are for
    `run` only.
    """

    def __init__(self, walker: Any = None, record: Any = None) -> None:
        self.ignored = 0
        self.newest_ns = NO_TIME
        self._walker = walker
        self._lanes: list[_Lane] = []
        self._flows: dict[tuple[bytes, int], tuple[int, int]] = {}
        self._packets = np.zeros(_PACKETS, PACKET)
        self._at = self._count = self._offset = 0
        self._status = Walked.MORE

    def add_channel(self, books: Stream, number: int = 0) -> int:
        """Add a channel that feeds `books`, and give its index; its changes bear `number` as their channel.

        Raises: ValueError for too many, or for books of another protocol.
        """
        if len(self._lanes) == MAX_CHANNELS:
            raise ValueError(f"more than {MAX_CHANNELS} channels")
        if books.protocol not in _FRAMINGS:
            raise ValueError("the path feeds ItchBooks and StarbaseBooks")
        self._lanes.append(_Lane(books, number))
        return len(self._lanes) - 1

    def add_flow(self, destination: bytes, port: int, channel: int, line: int = 0) -> None:
        """Say what a flow is: a line of a channel, TO_PLAIN, or IGNORE.

        Raises: ValueError for a wrong address, an unknown channel or line, or too many flows.
        """
        if len(destination) != 16 or not IGNORE <= channel < len(self._lanes) or not 0 <= line < MAX_LINES:
            raise ValueError("a flow is a 16-byte address, a port, a channel that was added, and a line below 16")
        if (destination, port) not in self._flows and len(self._flows) == MAX_FLOWS:
            raise ValueError(f"more than {MAX_FLOWS} flows")
        self._flows[destination, port] = channel, line

    def arm(self, channel: int, session: bytes, next_sequence: int) -> None:
        """Let the channel take the packet that begins with `next_sequence` of `session`, and those that follow."""
        if len(session) > 10:
            raise ValueError("a session has at most 10 bytes")
        lane = self._lane(channel)
        lane.armed, lane.session, lane.next, lane.last_send = True, session, next_sequence, None

    def disarm(self, channel: int) -> None:
        """Hand every packet of the channel out."""
        self._lane(channel).armed = False

    def forget_firsts(self, channel: int) -> None:
        """Forget the first copies: numbers begin anew."""
        self._lane(channel).recent.clear()

    def position(self, channel: int) -> tuple[int, int, int | None]:
        """Tell (next sequence, time of the last packet, its send time or None) as the channel here has them."""
        lane = self._lane(channel)
        return lane.next, lane.last_ts, lane.last_send

    def number(self, channel: int) -> int:
        """Give what a channel's changes bear as their channel."""
        return self._lane(channel).number

    def drain_lines(self, channel: int) -> list[LineAccount]:
        """Take the accounts of the lines that had packets since the last call."""
        lane = self._lane(channel)
        lines, lane.lines = lane.lines, {}
        return [
            (k, one.packets, one.first, one.duplicates, one.bytes, one.last_ts, one.behind)
            for k, one in sorted(lines.items())
            if one.packets
        ]

    @property
    def packet(self) -> Any:
        """Give the PACKET record that `run` stopped at."""
        return self._packets[self._at]

    def done(self) -> None:
        """Go on behind the packet that `run` stopped at."""
        if self._at < self._count:
            self._at += 1

    def accept(self, channel: int, line: int, payload: Buffer, ts_ns: int) -> int:
        """Take a packet that came on a line of a channel, whatever its flow: END, PLAIN, or FULL when changes are due.

        Besides what `take` takes, this takes what says nothing new: a heartbeat, or a packet that its line repeats.
        """
        lane = self._lane(channel)
        if not 0 <= line < MAX_LINES:
            raise ValueError("a line is below 16")
        view = memoryview(payload)
        taken = lane.armed and (self._accept(lane, line, view, ts_ns) or self._idle(lane, line, view, ts_ns))
        return int(Status.END if taken else Status.PLAIN)

    def heartbeats(self, channel: int) -> int:
        """Count the heartbeats that `accept` took."""
        return self._lane(channel).heartbeats

    def run(self, data: Buffer, offset: int, base: int = 0, until_ns: int = NEVER) -> tuple[int, int]:
        """Go through `data` from `offset` on until something is not as expected.

        Units: `base` is the file offset of data[0], in bytes.
        Raises: ValueError for an offset outside the buffer, or without a walker.
        """
        view = memoryview(data)
        if self._walker is None:
            raise ValueError("this path was made without a walker")
        if not 0 <= offset <= len(view):
            raise ValueError(f"offset {offset} is outside the buffer of {len(view)} bytes")
        if self._at == self._count:
            self._offset = offset
        while True:
            if self._at == self._count:
                if self._status != Walked.MORE:
                    status, self._status = self._status, Walked.MORE
                    return self._offset, int(status)
                self._count, self._offset, walked = self._walker.walk(view, self._offset, self._packets, base)
                self._at, self._status = 0, Walked(walked)
                continue
            self._at, stopped = self.take(view, self._packets[: self._count], self._at, until_ns)
            if stopped != Status.END:
                return self._offset, stopped

    def take(self, data: Buffer, packets: Any, start: int, until_ns: int = NEVER) -> tuple[int, int]:
        """Take packets of an array of PACKET from `start` on as long as they are as expected.

        Raises: ValueError when `start` is outside the array or a payload outside the buffer.
        """
        view = memoryview(data)
        if not 0 <= start <= len(packets):
            raise ValueError("packets must be a contiguous array of PACKET, and start inside it")
        for at in range(start, len(packets)):
            try:
                stopped = self._one(packets[at], view, until_ns)
            except _Outside:
                raise ValueError(f"the payload of packet {at} lies outside the buffer of {len(view)} bytes") from None
            if stopped is not None:
                return at, stopped
        return len(packets), Status.END

    def _one(self, packet: Any, view: memoryview, until_ns: int) -> Status | None:
        ts_ns = int(packet["ts_ns"])
        if ts_ns > until_ns:
            return Status.LATE
        if packet["kind"] != Kind.UDP or ts_ns < self.newest_ns:
            return Status.PLAIN
        flow = self._flows.get((packet["destination"].tobytes(), int(packet["destination_port"])))
        if flow is None:
            return Status.UNKNOWN
        channel, line = flow
        if channel == IGNORE:
            self.ignored += 1
            return None
        if channel == TO_PLAIN:
            return Status.PLAIN
        start = int(packet["payload_offset"])
        if not 0 <= start <= len(view) - int(packet["payload_length"]):
            raise _Outside
        if not self._lanes[channel].armed:
            return Status.PLAIN
        payload = view[start : start + int(packet["payload_length"])]
        if not self._accept(self._lanes[channel], line, payload, ts_ns):
            return Status.PLAIN
        self.newest_ns = ts_ns
        return None

    def _accept(self, lane: _Lane, which: int, payload: memoryview, ts_ns: int) -> bool:
        """Take a packet that is the next one or a copy of one that was; touch nothing otherwise."""
        framing = _FRAMINGS[lane.books.protocol]
        head = framing.head(payload, lane.session)
        if head is None or not head[1]:
            return False
        sequence, count, send = head
        first = lane.recent.get(sequence % RECENT)
        line = lane.lines.setdefault(which, _Line())
        if sequence == lane.next:
            messages = framing.messages(payload)
            if messages is None:
                return False
            for k, message in enumerate(messages):
                lane.books.apply(message, sequence + k, ts_ns, lane.number)
            lane.next, lane.last_send = sequence + count, send
            lane.recent[sequence % RECENT] = sequence, ts_ns, which, send
            line.first += 1
        elif first and first[0] == sequence and first[2] != which and sequence + count <= lane.next:
            self._note_copy(line, ts_ns - first[1])
        else:
            return False
        line.packets += 1
        line.bytes += len(payload)
        line.last_ts = lane.last_ts = ts_ns
        return True

    def _idle(self, lane: _Lane, which: int, payload: memoryview, ts_ns: int) -> bool:
        """Count a packet that says nothing new and is no copy of another line's."""
        framing = _FRAMINGS[lane.books.protocol]
        head = framing.head(payload, lane.session)
        if head is None:
            return False
        sequence, count, send = head
        line = lane.lines.setdefault(which, _Line())
        if not count:
            if sequence != lane.next or len(payload) != framing.header:
                return False
            lane.heartbeats += 1
        else:
            first = lane.recent.get(sequence % RECENT)
            if first is None or first[0] != sequence or first[3] != send or sequence + count > lane.next:
                return False
            line.duplicates += 1
        line.packets += 1
        line.bytes += len(payload)
        line.last_ts = lane.last_ts = ts_ns
        return True

    def _note_copy(self, line: _Line, behind: int) -> None:
        count, least, most, total = line.behind
        line.duplicates += 1
        low, high = (min(least, behind), max(most, behind)) if count else (behind, behind)
        line.behind = (count + 1, low, high, total + behind)

    def _lane(self, channel: int) -> _Lane:
        if not 0 <= channel < len(self._lanes):
            raise ValueError(f"there is no channel {channel}")
        return self._lanes[channel]


# --- what the path must know of a packet

Head = tuple[int, int, int | None]
"""(first sequence, count of messages, send time or None)"""


class _Framing(NamedTuple):
    head: Callable[[memoryview, bytes], Head | None]
    """Read the header; None when the packet is not of this session or no data of the stream."""
    header: int
    """Units: bytes."""
    messages: Callable[[memoryview], Sequence[memoryview] | None]
    """Cut the packet into messages; None when a length is wrong, or a message is for plain Python."""


def _mold_head(payload: memoryview, session: bytes) -> Head | None:
    if len(payload) < moldudp64.HEADER.size:
        return None
    header = moldudp64.HEADER.decode(payload)
    if header.session != session.ljust(10, b"\0") or header.count == moldudp64.END_OF_SESSION:
        return None
    return header.sequence, header.count, None


def _mold_messages(payload: memoryview) -> Sequence[memoryview] | None:
    try:
        return moldudp64.decode(payload).messages
    except WireError:
        return None


def _starbase_head(payload: memoryview, session: bytes) -> Head | None:
    if len(payload) < starbase.PACKET_HEADER.size:
        return None
    header = starbase.PACKET_HEADER.decode(payload)
    if bytes(payload[16:20]) != session or header.type != starbase.PacketType.INCREMENTAL:
        return None
    return header.seqNum % 2**64, header.messageCount, header.sendingTime


def _starbase_messages(payload: memoryview) -> Sequence[memoryview] | None:
    try:
        messages = starbase.decode_packet(payload).messages
    except WireError:
        return None
    cold = starbase.TemplateId.INSTRUMENT_DEFINITION
    return None if any(int.from_bytes(message[2:4], "little") == cold for message in messages) else messages


_FRAMINGS: Final = {
    "itch50": _Framing(_mold_head, moldudp64.HEADER.size, _mold_messages),
    "starbase": _Framing(_starbase_head, starbase.PACKET_HEADER.size, _starbase_messages),
}
