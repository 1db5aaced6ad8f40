"""Numbered messages in, in any order and more than once; messages in sequence out, each once.

An expected packet goes straight through. What lies beyond a hole is copied and held until the hole is filled, or until
it is given up: then what was missing is reported as lost, and the rest flows. Memory is bounded by bytes
(`max_held_bytes`, counted with an overhead for every message, so that empty ones are not free) and by age (nothing is
held longer than the recovery window).

Invariant: every number below `next` has been delivered, reported lost, or excused by a snapshot - exactly one of them.
And every gap that was opened is closed once: by what brought the last of it, or, once some of it was lost, by the
snapshots that made it good. The latest MAX_RECORDS have a record each.

Leaves out: whether a packet belongs to this stream (`epoch`), and lines (`arbiter`). No clock: `now` is an argument.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from netfeed.feed.events import ClosedBy, Event, GapClosed, GapLost, GapOpened, LostBy, Messages, RecoveredBy
from netfeed.feed.gap import Gap, GapTracker, Piece
from netfeed.feed.ranges import Range, RangeSet

MESSAGE_OVERHEAD: Final = 64
PIECE_OVERHEAD: Final = 256
"""What a held message and a held piece of a packet cost beside their bytes. Units: bytes, roughly CPython's."""
MAX_RECORDS: Final = 1024
"""Gap records that are kept for the statistics; the counters go on."""
MAX_UNHEALED: Final = 4096
"""Lost gaps that wait to be made good, however many others are closed meanwhile; of more, the oldest stay lost."""
MAX_LOST: Final = 256
"""Lost ranges that are remembered, to tell a packet that comes too late from a duplicate."""

Payload = tuple[bytes | memoryview, ...]


class Arrival(NamedTuple):
    """Where and when a packet came. `by`: how its messages recover what was missing."""

    port: int
    now: int
    ts_send_ns: int | None
    by: RecoveredBy


@dataclass(frozen=True, slots=True)
class GapRecord:
    """One gap that was opened. `by` is None, and `closed_at` the time of giving up, where some of it was lost.

    `seen_at`: when the first packet behind it came, a reorder window before it was opened. `lost`: so many of its
    numbers never came, also when snapshots have made that good.
    """

    first: int
    last: int
    opened_at: int
    closed_at: int
    by: ClosedBy | None
    seen_at: int
    lost: int = 0


class _Held(NamedTuple):
    end: int
    messages: Payload
    arrival: Arrival
    recovered: bool
    cost: int


@dataclass(slots=True)
class _Torn:
    """What became of the pieces of a gap that are done. `is_good`: what was lost of it has been made good."""

    lost: int = 0
    is_good: bool = True


class Sequencer:
    """Put the messages of one stream in sequence. `per_packet`: a packet takes one number, whatever it carries."""

    def __init__(
        self, start: int, *, per_packet: bool, reorder_window_ns: int, recovery_window_ns: int, max_held_bytes: int
    ) -> None:
        self.gaps = GapTracker(start, reorder_window_ns=reorder_window_ns, recovery_window_ns=recovery_window_ns)
        self.held_bytes = 0
        self.delivered = 0
        self.lost = 0
        self.reordered = 0
        self.gaps_opened = 0
        self.records: deque[GapRecord] = deque(maxlen=MAX_RECORDS)
        self._per_packet = per_packet
        self._max_held_bytes = max_held_bytes
        self._held: dict[int, _Held] = {}
        self._lost = RangeSet(limit=MAX_LOST)
        self._unhealed: deque[GapRecord] = deque(maxlen=MAX_UNHEALED)
        self._torn: dict[Range, _Torn] = {}  # gaps that were cut, as long as a piece is open

    @property
    def next(self) -> int:
        """Give the next number to deliver."""
        return self.gaps.next

    @property
    def in_order(self) -> bool:
        """Say whether nothing is missing and nothing is held."""
        return not self._held and not self.gaps.missing

    @property
    def deadline(self) -> int:
        """Give when `expire` has something to do. Units: monotonic ns."""
        return self.gaps.deadline

    def restart(self, start: int) -> None:
        """Count from `start` on; the caller has abandoned what was open."""
        self.gaps.high = start
        self._lost.clear()

    def is_late(self, first: int, end: int) -> bool:
        """Say whether the numbers were declared lost before they came."""
        return bool(self._lost.overlap(first, end))

    def advance(self, end: int, messages: int) -> None:
        """Take note that somebody else delivered everything below `end`; only while `in_order`."""
        self.gaps.high = end
        self.delivered += messages

    def take(self, first: int, count: int, messages: Payload, arrival: Arrival) -> tuple[list[Event], bool]:
        """Take a packet whose first number is `first`; give the events, and whether anything in it was new.

        A `count` of zero takes no number: it reveals that everything below `first` exists.
        """
        if count and first == self.gaps.high and self.in_order:
            self.gaps.high += count
            self.delivered += len(messages)
            return [Messages(first, messages, arrival.port, None, arrival.now, arrival.ts_send_ns)], True
        start, end = self.gaps.next, first + count
        holes = bool(self.gaps.gaps)
        pieces = self.gaps.take(first, end, arrival.now)
        upto = self.gaps.next
        for piece in pieces:
            self._keep(piece, self._part(messages, first, piece), arrival, copy=piece.end > upto)
        events = self._closed(arrival.by, arrival.now) if holes and pieces else []
        events += self._release(start, upto)
        return events, bool(pieces)

    def expire(self, now: int) -> list[Event]:
        """Open the gaps whose reorder window has passed; give up those that waited too long or hold up too much."""
        events = self._opened(self.gaps.open(now))
        while self.gaps.is_overdue(now):
            events += self._lose("window", now)
        while self.held_bytes > self._max_held_bytes or self.gaps.crowded:
            events += self._lose("bound", now)
        return events

    def abandon(self, why: LostBy, now: int) -> list[Event]:
        """Give up all gaps, oldest first, and release everything that is held."""
        events: list[Event] = []
        while self.gaps.gaps:
            events += self._lose(why, now)
        return events

    def give_up(self, below: int, now: int) -> list[Event]:
        """Give up everything that is missing below a number: nobody has it any more."""
        self.gaps.cut(below)
        events: list[Event] = []
        while self.gaps.gaps and self.gaps.last_missing < below:
            events += self._lose("refused", now)
        return events

    def retract(self, end: int, now: int) -> list[Event]:
        """Take note that nothing from `end` on exists yet: what is held from there is forgotten, gaps end there."""
        for first in [first for first in self._held if first >= end]:
            self.held_bytes -= self._held.pop(first).cost
        self.gaps.retract(end)
        return self._closed("line", now)

    def excuse(self, sequence: int, now: int) -> list[Event]:
        """Take note that a snapshot covers everything up to `sequence`: what is missing there is not needed."""
        start = self.gaps.next
        excused = self.gaps.forgive(sequence + 1)
        return self._closed("snapshot", now) + self._skip(start, excused)

    def heal(self, now: int) -> list[Event]:
        """Take note that snapshots have made good what was lost so far: its records say so from now on."""
        for torn in self._torn.values():
            torn.is_good = True
        healed, self._unhealed = self._unhealed, deque(maxlen=MAX_UNHEALED)
        if healed:
            for k, record in enumerate(self.records):
                if record.by is None:
                    self.records[k] = replace(record, closed_at=now, by="snapshot")
        return [GapClosed(record.first, record.last, "snapshot", record.opened_at, now) for record in healed]

    def _keep(self, piece: Piece, part: Payload, arrival: Arrival, *, copy: bool) -> None:
        if copy:
            part = tuple(bytes(message) for message in part)
        cost = PIECE_OVERHEAD + sum(len(message) + MESSAGE_OVERHEAD for message in part)
        self._held[piece.first] = _Held(piece.end, part, arrival, piece.recovered, cost)
        self.held_bytes += cost

    def _part(self, messages: Payload, first: int, piece: Piece) -> Payload:
        whole = self._per_packet or piece.end - piece.first == len(messages)
        return messages if whole else messages[piece.first - first : piece.end - first]

    def _release(self, start: int, upto: int) -> list[Event]:
        events: list[Event] = []
        while start < upto:
            held = self._held.pop(start)
            self.held_bytes -= held.cost
            self.delivered += len(held.messages)
            by = held.arrival.by if held.recovered else None
            port, now, ts_send_ns, _ = held.arrival
            events.append(Messages(start, held.messages, port, by, now, ts_send_ns))
            start = held.end
        return events

    def _skip(self, start: int, ranges: Iterable[Range]) -> list[Event]:
        events: list[Event] = []
        for first, end in ranges:
            events += self._release(start, first)
            start = end
        return events + self._release(start, self.gaps.next)

    def _opened(self, gaps: Iterable[Gap]) -> list[Event]:
        events: list[Event] = [GapOpened(gap.first, gap.end - 1, gap.opened_at or 0) for gap in gaps]
        self.gaps_opened += len(events)
        return events

    def _closed(self, by: ClosedBy, now: int) -> list[Event]:
        events: list[Event] = []
        for gap in self.gaps.filled():
            if gap.span is None:
                self.reordered += 1
            else:
                events += self._done(gap, by, now)
        return events

    def _lose(self, why: LostBy, now: int) -> list[Event]:
        start = self.gaps.next
        opened, gap, lost = self.gaps.lose(now)
        opened_at = now if gap.opened_at is None else gap.opened_at
        events = self._opened(opened)
        for first, end in lost:
            events += self._release(start, first)
            events.append(GapLost(first, end - 1, why, opened_at, now))
            self._lost.add(first, end)
            self.lost += end - first
            start = end
        for piece in opened or [gap]:
            self._done(piece, None, now, sum(end - first for first, end in lost if piece.first <= first < piece.end))
        return events + self._release(start, self.gaps.next)

    def _done(self, gap: Gap, by: ClosedBy | None, now: int, lost: int = 0) -> list[Event]:
        """Close the account of an opened gap, once no other piece of it is open."""
        assert gap.span is not None
        torn = self._torn.pop(gap.span, None) or _Torn()
        if lost:
            torn.lost, torn.is_good = torn.lost + lost, False
        if any(other.span == gap.span for other in self.gaps.gaps):
            self._torn[gap.span] = torn
            return []
        closed_by, opened_at = by if torn.is_good else None, gap.opened_at or 0
        record = GapRecord(*gap.span, opened_at, now, closed_by, gap.seen_at, torn.lost)
        self.records.append(record)
        if closed_by is None:
            self._unhealed.append(record)
        return [] if closed_by is None else [GapClosed(*gap.span, closed_by, opened_at, now)]
