"""A channel: the lines of one sequenced feed, its snapshots, and what was asked for again, as one machine.

    packets on LINE_A, LINE_B, ...        -> Messages in sequence, each once; gaps; sessions; resets
    packets on SNAPSHOT_A, SNAPSHOT_B     -> SnapshotMessages in the snapshots' own sequence; SnapshotGap
    packets on RETRANSMIT, ..._D          -> fill what is missing, and nothing else
    transmit(RETRANSMIT), ..._D           -> requests, where the channel has a `Recovery`

Recovery is in this order: the other line (within `reorder_window_ns` nothing is even reported), a retransmission (until
`recovery_window_ns` after the hole was seen, or until every server has refused), a snapshot (after `GapLost`; the owner
rebuilds books and uses a `Splice`). With a `Recovery` the channel asks by itself, and believes only answers to what it
asked; without one it asks for nothing and takes whatever fills a hole: the answers to somebody else in a capture.

It shares its stream with a compiled fast path: while `in_order`, expected packets may be consumed elsewhere, which is
told by `advance` and `merge_line`. Every packet that is not the expected one must come here, duplicates included.

Invariant: every number of the stream from the start on is delivered in one `Messages`, named in one `GapLost`, or
excused by a snapshot (`excuse`). No bytes raise. What a peer can make grow is bounded: held packets by
`max_held_bytes` and the recovery window, gaps by MAX_GAPS, doubtful packets by one, ended sessions by MAX_RETIRED.

Leaves out: what messages mean, books, requests, and whether silence means trouble (`statistics` tells when each line
was last heard).
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from netfeed.errors import MisuseError, WireError
from netfeed.feed.arbiter import LineStatistics
from netfeed.feed.epoch import Epoch
from netfeed.feed.events import (
    Event,
    GapClosed,
    GapLost,
    GapOpened,
    Heartbeat,
    Ignored,
    Malformed,
    Messages,
    Rejected,
    Requested,
    SequenceReset,
    SessionChanged,
    SnapshotGap,
    SnapshotMessages,
    SnapshotRestarted,
)  # fmt: skip
from netfeed.feed.framing import Framing, Kind, Packet
from netfeed.feed.gap import Gap
from netfeed.feed.ports import LINES, PORTS, RETRANSMITS, SNAPSHOTS, port_name
from netfeed.feed.recovery import Recovery, ServerStatistics
from netfeed.feed.sequencer import GapRecord, Sequencer
from netfeed.feed.splice import Splice
from netfeed.feed.stream import Stream
from netfeed.machine import NEVER, Buffer

MAX_HELD_BYTES: Final = 16 * 2**20
"""Half a second of a busy line."""
MAX_JUMP: Final = 10_000
"""A loss of more numbers than this at once needs a second packet to be believed."""

_LINE_KINDS: Final = frozenset({Kind.DATA, Kind.HEARTBEAT, Kind.END_OF_SESSION})
_MOVES: Final = (GapOpened, GapClosed, GapLost)
"""What changes what has to be asked for."""
_SNAPSHOT_KINDS: Final = frozenset({Kind.SNAPSHOT, Kind.HEARTBEAT, Kind.END_OF_SESSION})


@dataclass(frozen=True, slots=True)
class ChannelStatistics:
    """The account of a channel. Counters are since the start; `gaps` are the latest MAX_RECORDS.

    `duplicates` and `late` are packets, `messages` and `lost_messages` are numbers of the lines' stream (packets, where
    the transport counts those), `reordered` holes that were filled before they were a gap.
    """

    name: str
    session: bytes | None
    next_sequence: int | None
    packets: int
    messages: int
    duplicates: int
    late: int
    reordered: int
    gaps_opened: int
    gaps: tuple[GapRecord, ...]
    lost_messages: int
    heartbeats: int
    malformed: int
    ignored: int
    snapshot_messages: int
    snapshot_gaps: int
    held_bytes: int
    lines: tuple[LineStatistics, ...]
    servers: tuple[ServerStatistics, ...] = ()


class Channel:
    """Arbitrate lines, find and close gaps, and deliver a stream in sequence. See the module for the contract.

    `start`: the first number that is wanted, None to take the first packet's (a late join). `channel_id`: the only
    channel that is listened to, None to take the first packet's. `splice`: when given, it is begun at a late join, a
    lost gap, a session change or a reset, and fed until its owner says `forget`; `in_order` is False that long.
    `recovery`: who is asked for what is missing, None to ask nobody.
    """

    def __init__(
        self,
        framing: Framing,
        *,
        name: str,
        reorder_window_ns: int = 1_000_000,
        recovery_window_ns: int = 1_000_000_000,
        max_held_bytes: int = MAX_HELD_BYTES,
        max_jump: int = MAX_JUMP,
        start: int | None = None,
        channel_id: int | None = None,
        splice: Splice | None = None,
        recovery: Recovery | None = None,
    ) -> None:
        if max_held_bytes < 0 or max_jump < 0:
            raise MisuseError("the bounds of a channel are not negative")
        self.name = name
        self.splice = splice
        self.recovery = recovery
        self._framing = framing
        self._start = start
        self._now = 0
        self._armed = splice is not None and start is None
        self._counts: Counter[type] = Counter()
        self._snapshot_gaps = 0
        self._outbox: dict[int, list[bytes]] = {}

        def stream(start: int | None, channel: int | None, quiet_ns: int, window_ns: int) -> Stream:
            epoch = Epoch(
                framing, quiet_ns=quiet_ns, straggle_ns=recovery_window_ns, max_jump=max_jump, channel=channel,
                start_given=start is not None,
            )  # fmt: skip
            sequencer = Sequencer(
                start or 0, per_packet=framing.per_packet, reorder_window_ns=reorder_window_ns,
                recovery_window_ns=window_ns, max_held_bytes=max_held_bytes,
            )  # fmt: skip
            return Stream(framing, epoch, sequencer, start=start)

        self._lines = stream(start, channel_id, framing.quiet_ns, recovery_window_ns)
        # Snapshots are sent in a loop and may count each round anew; what one round lost, the next one brings.
        self._snapshots = stream(None, None, 0, reorder_window_ns)

    @property
    def deadline(self) -> int:
        """Say when a gap must be opened, asked for or given up. Units: monotonic ns, NEVER without gaps."""
        asking = NEVER if self.recovery is None else self.recovery.deadline
        return min(self._lines.sequencer.deadline, self._snapshots.sequencer.deadline, asking)

    @property
    def next_sequence(self) -> int | None:
        """Give the next number to deliver, None before the stream began where no start was given.

        Where the wire's counter wraps this one goes on: modulo `framing.modulus` it is the wire's.
        """
        return self._lines.sequencer.next if self._lines.begun or self._start is not None else None

    @property
    def high_sequence(self) -> int | None:
        """Give the end of what is known to exist, None where `next_sequence` is."""
        return None if self.next_sequence is None else self._lines.sequencer.gaps.high

    @property
    def session(self) -> bytes | None:
        """Give the session, None before the first packet."""
        return self._lines.epoch.session

    @property
    def channel_id(self) -> int | None:
        """Give the channel that is listened to, None before the first packet."""
        return self._lines.epoch.channel

    @property
    def held_bytes(self) -> int:
        """Give how much is held behind gaps, overhead included. Units: bytes."""
        return self._lines.sequencer.held_bytes + self._snapshots.sequencer.held_bytes

    @property
    def in_doubt(self) -> bool:
        """Say whether a gap is open: what it holds may have touched any book, and has not been seen."""
        return any(gap.opened_at is not None for gap in self._lines.sequencer.gaps.gaps)

    @property
    def open_gaps(self) -> tuple[Gap, ...]:
        """List the gaps that have been opened and are still waited for."""
        return tuple(gap for gap in self._lines.sequencer.gaps.gaps if gap.opened_at is not None)

    @property
    def in_order(self) -> bool:
        """Say whether a fast path may take expected packets of the session.

        Nothing is missing, held, or being remembered, and no packet from before a reset can look like an expected one.
        """
        lines = self._lines
        recording = self.splice is not None and self.splice.recording
        return lines.begun and lines.sequencer.in_order and not recording and not lines.epoch.may_straggle(self._now)

    def receive(self, data: Buffer, now: int, port: int = 0) -> Sequence[Event]:
        """Take a packet and return what it means, in order.

        Raises: MisuseError when there is no such port.
        """
        if port not in PORTS:
            raise MisuseError(f"a channel has no port {port}")
        now = self._tick(now)
        stream = self._snapshots if port in SNAPSHOTS else self._lines
        stream.arbiter.hear(port, len(data))
        try:
            packet = self._framing.parse(data, port)
        except WireError as error:
            stream.arbiter.note_malformed(port)
            events: list[Event] = [Malformed(port, error.what, error.offset, error.found, error.wanted)]
        else:
            stream.arbiter.note_read(port, now)
            events = self._dispatch(packet, port, now)
        return self._told(self._ask(events + self._expire(now), now, answered=port in RETRANSMITS))

    def wake(self, now: int) -> Sequence[Event]:
        """Open, ask for and give up the gaps that are due. A call before the deadline does nothing."""
        if now < self.deadline:
            return []
        now = self._tick(now)
        return self._told(self._ask(self._expire(now), now))

    def transmit(self, port: int = 0) -> list[bytes]:
        """Drain the requests that must go out to the server behind `port`."""
        return self._outbox.pop(port, [])

    def excuse(self, sequence: int, now: int) -> Sequence[Event]:
        """Take note that a snapshot covers all up to `sequence`: what is missing there is waited for no longer."""
        now = self._tick(now)
        return self._told(self._ask(self._lines.excuse(sequence, now), now))

    def heal(self, now: int) -> Sequence[Event]:
        """Take note that every book has been made right by snapshots: lost gaps are closed, remembering ends."""
        now = self._tick(now)
        if self.splice is not None:
            self.splice.forget()
        return self._lines.sequencer.heal(now)

    def advance(
        self, next_sequence: int, ts: int, *, messages: int | None = None, ts_send_ns: int | None = None
    ) -> None:
        """Take note that a fast path delivered everything below `next_sequence`.

        `messages` where a number is a packet. Units: `ts` is the driver's now; `ts_send_ns` of the newest packet.
        Raises: MisuseError unless `in_order`, and when the number falls.
        """
        lines = self._lines
        if not self.in_order or next_sequence < lines.sequencer.next:
            raise MisuseError(f"cannot advance to {next_sequence} from {self.next_sequence}, in_order={self.in_order}")
        count = next_sequence - lines.sequencer.next
        lines.sequencer.advance(next_sequence, count if messages is None else messages)
        lines.epoch.advance(self._tick(ts), ts_send_ns)

    def merge_line(
        self, port: int, packets: int, first: int, duplicates: int, bytes: int, last_ts: int,
        behind: tuple[int, int, int, int] = (0, 0, 0, 0),
    ) -> None:  # fmt: skip
        """Add to a line's account what a fast path counted; `behind` is (count, min, max, sum) of delays.

        Units: `last_ts` and delays in monotonic ns.

        Raises: MisuseError when `port` is no line.
        """
        if port not in LINES:
            raise MisuseError(f"port {port} is no line")
        self._lines.arbiter.merge(
            port, packets=packets, first=first, duplicates=duplicates, bytes=bytes, last_heard=last_ts, behind=behind
        )

    def statistics(self) -> ChannelStatistics:
        """Give the account as it is now."""
        sequencer, snapshots = self._lines.sequencer, self._snapshots
        lines = self._lines.arbiter.statistics()
        every = (*lines, *snapshots.arbiter.statistics())
        return ChannelStatistics(
            name=self.name, session=self.session, next_sequence=self.next_sequence,
            packets=sum(line.packets for line in every), messages=sequencer.delivered,
            duplicates=sum(line.duplicates for line in lines), late=sum(line.late for line in lines),
            reordered=sequencer.reordered, gaps_opened=sequencer.gaps_opened, gaps=tuple(sequencer.records),
            lost_messages=sequencer.lost, heartbeats=self._counts[Heartbeat], malformed=self._counts[Malformed],
            ignored=self._counts[Ignored], snapshot_messages=snapshots.sequencer.delivered,
            snapshot_gaps=self._counts[SnapshotGap], held_bytes=self.held_bytes, lines=every,
            servers=self.recovery.statistics() if self.recovery else (),
        )  # fmt: skip

    def _tick(self, now: int) -> int:
        self._now = max(now, self._now)  # a driver's time does not fall; if it does, nothing becomes due by it
        return self._now

    def _dispatch(self, packet: Packet, port: int, now: int) -> list[Event]:
        if port in SNAPSHOTS and packet.kind in _SNAPSHOT_KINDS:
            return [told for event in self._snapshots.take(packet, port, now) for told in _as_snapshot(event)]
        if port in LINES and packet.kind in _LINE_KINDS:
            return self._lines.take(packet, port, now)
        if self.recovery is not None and port in RETRANSMITS:
            return self._answer(self.recovery, packet, port, now)
        if packet.kind is Kind.RETRANSMITTED and port not in SNAPSHOTS:
            return self._lines.answer(packet, port, now)
        return [Ignored(f"{packet.kind.value} on {port_name(port)}", port, packet.sequence)]

    def _answer(self, recovery: Recovery, packet: Packet, port: int, now: int) -> list[Event]:
        """Take from a server what was asked of it, and nothing else."""
        if packet.kind is Kind.RETRANSMITTED:
            if packet.session != self.session or packet.channel != self.channel_id:
                parts = recovery.asked(port, 0, 0)
            else:
                parts = recovery.asked(port, packet.sequence, packet.sequence + packet.count)
            if parts:
                return self._lines.answer(packet, port, now, parts)
            return [Ignored("an answer that was not asked for", port, packet.sequence)]
        reject = recovery.requests.reject(packet)
        if reject is not None and recovery.reject(port, reject, now):
            told = Rejected(port, reject.tag, reject.reason.name, reject.retry_delay_ns, now)
            return [told, *self._lines.give_up(recovery.refused, now)]
        return [Ignored(f"{packet.kind.value} on {port_name(port)}", port, packet.sequence)]

    def _ask(self, events: list[Event], now: int, *, answered: bool = False) -> list[Event]:
        """Ask for what is missing, once something has happened to it or a request is due."""
        recovery = self.recovery
        if recovery is None:
            return events
        if any(isinstance(event, SessionChanged | SequenceReset) for event in events):
            recovery.forget()
        moved = answered or any(isinstance(event, _MOVES) for event in events)
        if not moved and now < recovery.deadline:
            return events
        missing = self._lines.sequencer.gaps.opened()
        for request in recovery.plan(missing, self.session or b"", self.channel_id or 0, now):
            self._outbox.setdefault(request.port, []).append(request.data)
            events.append(Requested(request.first, request.end - 1, request.port, now))
        return events

    def _expire(self, now: int) -> list[Event]:
        snapshots = self._snapshots.expire(now)
        return self._lines.expire(now) + [told for event in snapshots for told in _as_snapshot(event)]

    def _told(self, events: list[Event]) -> list[Event]:
        for event in events:
            self._counts[type(event)] += 1
            if self.splice is not None:
                self._feed(self.splice, event)
        return events

    def _feed(self, splice: Splice, event: Event) -> None:
        if isinstance(event, GapLost):
            splice.begin(event.last)
        elif isinstance(event, SessionChanged | SequenceReset):
            splice.forget()
            self._armed = True  # begins with the first message of the new count
        elif isinstance(event, Messages) and (self._armed or splice.recording):
            self._armed = False
            splice.pass_over(event.first_sequence)
            for index, message in enumerate(event.messages):
                sequence = event.first_sequence if self._framing.per_packet else event.first_sequence + index
                splice.remember(sequence, message, self._now)


def _as_snapshot(event: Event) -> list[Event]:
    """Say in a snapshot's words what its stream told; what a loop makes meaningless is left out."""
    match event:
        case Messages(sequence, messages, port, _, at, ts_send_ns):
            return [SnapshotMessages(sequence, messages, port, at, ts_send_ns)]
        case GapLost(first, last, _, _, lost_at):
            return [SnapshotGap(first, last, lost_at)]
        case SequenceReset() | SessionChanged():
            return [SnapshotRestarted()]
        case Heartbeat() | Ignored():
            return [event]
    return []
