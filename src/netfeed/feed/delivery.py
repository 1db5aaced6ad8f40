"""A channel and the books that its messages go to, as one machine: what the channel tells becomes what the books know.

    Messages                     applied, in sequence
    SnapshotMessages             offered to the feed as a snapshot, with what the splice remembers
    GapOpened                    every book that it can have touched is SUSPECT ...
    GapClosed, none is open      ... and LIVE again, once what was missing has been applied: only those that nothing
                                 else has befallen
    GapLost                      the feed's `gap`: the books wait for a snapshot, or for their chain to prove them whole
    SessionChanged, a reset      the books are emptied

Whoever uses it may look at each event in between: `take` one by one, then `settle` once for each input; `receive` and
`wake` do both. A whole snapshot from elsewhere (GLIMPSE) comes in by `adopt`: all books at once, spliced into the
stream. What the stream still brings of before the snapshot is passed over.

Invariant: every event of the channel reaches the feed exactly once and in order. After `settle` no book is LIVE that an
open gap can have touched.

Bounds: MAX_NOTES gaps are remembered with the books that they touched, MAX_TOUCHED books of each.

Leaves out: what messages mean (`venues`), and where packets come from.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, Protocol

from netfeed.book.state import BookState
from netfeed.feed.channel import Channel
from netfeed.feed.events import (
    Event,
    GapClosed,
    GapLost,
    GapOpened,
    Heartbeat,
    Messages,
    SequenceReset,
    SessionChanged,
    SnapshotGap,
    SnapshotMessages,
    SnapshotRestarted,
)
from netfeed.feed.glimpse import Snapshot
from netfeed.machine import Buffer

MAX_NOTES: Final = 1024
MAX_TOUCHED: Final = 256
"""More books than this are as good as all of them."""
AHEAD: Final = 10_000
"""A snapshot that claims to be further ahead of the stream than this is not believed."""

Span = tuple[int, int]


class Feed(Protocol):
    """What messages are delivered to.

    A feed may have more: `begin(whole)` where it matters to books whether they are seen from the beginning on;
    `doubt(first, last, ts, channel)` and `trust(ts, channel)` where it has books whose state can be in doubt;
    `touches(message)`, the books that one names; `snapshot`, `snapshot_broken` and `needs_snapshot` where snapshots
    come in messages; `adopt` where they come as a whole.
    """

    @property
    def books(self) -> Sequence[Any]:
        """List the books."""

    def apply(self, message: Buffer, sequence: int, ts_recv_ns: int = ..., channel: int = ...) -> None:
        """Apply one message, in sequence."""

    def gap(self, first: int, last: int, ts_recv_ns: int = ..., channel: int = ...) -> None:
        """Take note of a loss."""

    def reset(self, channel: int = ...) -> None:
        """Forget the books: the count begins anew."""


class Delivery:
    """Deliver what a channel tells to a feed. `number` is the channel's, as the feed tells its channels apart.

    `heals`: snapshots, or the messages themselves, can make good what was lost.
    """

    def __init__(self, channel: Channel, feed: Any, *, number: int = 0, step: int = 1, heals: bool = True) -> None:
        self.channel = channel
        self.feed = feed
        self.number = number
        self.snapshot_faults: Counter[str] = Counter()
        self.touched: dict[Span, frozenset[int] | None] = {}
        self._step = step
        self._heals = heals
        self._lossy = False
        self._moved = self._look = False
        self._doubting: Span | None = None
        self._below = 0
        self._open: dict[Span, set[int]] = {}

    # --- the machine

    @property
    def deadline(self) -> int:
        """Say when the channel must be woken. Units: monotonic ns."""
        return self.channel.deadline

    def receive(self, data: Buffer, now: int, port: int = 0) -> Sequence[Event]:
        """Take a packet, deliver what it brings, and return what the channel told."""
        return self._all(self.channel.receive(data, now, port), now)

    def wake(self, now: int) -> Sequence[Event]:
        """Let a deadline pass. A call before it does nothing."""
        return self._all(self.channel.wake(now), now)

    def transmit(self, port: int = 0) -> list[bytes]:
        """Drain the requests that must go out on `port`."""
        return self.channel.transmit(port)

    # --- one event after the other

    def take(self, event: Event) -> None:
        """Deliver one event."""
        take = _TAKE.get(type(event))
        if take is not None:
            take(self, event)

    def settle(self, now: int) -> list[Event]:
        """Bring the states of the books in line with the channel, after all events of an input; give what that tells.

        Units: `now` in the time of the channel.
        """
        events: list[Event] = []
        if self._below and (self.channel.next_sequence or 0) >= self._below:
            self._below = 0
        if self._below and self.channel.in_doubt:
            events += self._each(self.channel.excuse(self._below - 1, now))
        if self.channel.in_doubt:
            if self._moved and self._doubting is not None:
                self._doubt(*self._doubting, now)
        elif self._doubting is not None:
            self._doubting = None
            self._trust(now)
        self._moved = False
        if self._look:
            self._remember()
        splice = self.channel.splice
        if splice is not None and splice.recording and not self.needs_snapshot:
            events += self._each(self.channel.heal(now))
        return events

    def heal(self, now: int) -> list[Event]:
        """Take note, once no book is SUSPECT any more, that what was lost has been made good; once a batch will do."""
        if not self._lossy or any(book.state == BookState.SUSPECT for book in self.feed.books):
            return []
        self._lossy = False
        return self._each(self.channel.heal(now))

    @property
    def in_order(self) -> bool:
        """Say whether a fast path may apply what follows: the channel lets it, and no snapshot holds it already."""
        return self.channel.in_order and not self._below

    @property
    def as_of(self) -> int:
        """Give the number of the last message that the books hold, 0 before the first."""
        return max(self.channel.next_sequence or 1, self._below) - 1

    def instruments(self, first: int, last: int) -> tuple[str, ...] | None:
        """Name what the messages of a closed gap were about; None where nobody knows, and it can be all of it."""
        found = self.touched.get((first, last))
        return None if found is None else tuple(self.feed.names[book] for book in sorted(found))

    # --- snapshots from elsewhere

    @property
    def snapshots_refused(self) -> dict[str, int]:
        """Count the snapshots that were not believed by the reason, those that the feed itself refused among them."""
        return dict(self.snapshot_faults + Counter(getattr(self.feed, "snapshot_faults", {})))

    @property
    def needs_snapshot(self) -> bool:
        """Say whether a snapshot would mend something."""
        return bool(getattr(self.feed, "needs_snapshot", True))

    @property
    def wants_snapshot(self) -> bool:
        """Say whether a whole snapshot should be asked for: it would mend something, and the stream can be joined."""
        splice = self.channel.splice
        joined = splice is not None and splice.recording
        return joined and self.needs_snapshot and hasattr(self.feed, "adopt")

    def adopt(self, snapshot: Snapshot, now: int) -> tuple[bool, list[Event]]:
        """Put a whole snapshot in the place of all books, and what came after it upon it.

        Returns whether it was taken, and what the channel told: gaps that it made needless. It is not taken when what
        came after it is not all remembered, when it contradicts itself, or when it claims to be far ahead of the
        stream; then another one is needed.
        """
        channel, first = self.channel, snapshot.sequence
        following = channel.next_sequence
        if following is None or channel.high_sequence is None or not 0 < first <= channel.high_sequence + AHEAD:
            self.snapshot_faults["it claims to be far ahead of the stream"] += 1
            return False, []
        if not self.feed.is_sound(snapshot.records):
            self.snapshot_faults["it contradicts itself"] += 1
            return False, []
        events = self._let_pass(first, following, now)
        following = channel.next_sequence or following
        later: Sequence[tuple[int, bytes]] | None = []
        if following > first:
            later = channel.splice.since(first - 1) if channel.splice is not None else None
        if later is None:
            return False, [*events, *self.settle(now)]
        self.feed.adopt(snapshot.records, first, later, now, self.number)
        self._doubting, self._lossy = None, False
        self._below = first if following < first else 0
        events += self._each(channel.heal(now))
        if self._below:
            events += self._each(channel.excuse(first - 1, now))
        if channel.in_doubt:
            self._doubting, self._moved = (first, first), True
        return True, [*events, *self.settle(now)]

    def _let_pass(self, first: int, following: int, now: int) -> list[Event]:
        """Deliver what is held behind gaps that a snapshot holds: books that lost nothing there miss nothing.

        What it releases from `first` on is remembered, so that it can be applied again upon the snapshot.
        """
        splice = self.channel.splice
        if splice is None or following >= first:
            return []
        if not splice.recording:
            splice.begin(following - 1)
        return self._each(self.channel.excuse(first - 1, now))

    # --- inside

    def _all(self, events: Sequence[Event], now: int) -> Sequence[Event]:
        if not events:
            return events
        return [*self._each(events), *self.settle(now)]

    def _each(self, events: Iterable[Event]) -> list[Event]:
        events = list(events)
        for event in events:
            self.take(event)
        return events

    def _doubt(self, first: int, last: int, at: int) -> None:
        doubt = getattr(self.feed, "doubt", None)
        if doubt is not None:
            doubt(first, last, at, self.number)

    def _trust(self, at: int) -> None:
        trust = getattr(self.feed, "trust", None)
        if trust is not None:
            trust(at, self.number)

    def _messages(self, event: Messages) -> None:
        sequence, at, number, apply = event.first_sequence, event.at, self.number, self.feed.apply
        if event.recovered_by is not None:
            self._recovered(event)
        self._moved = True
        for message in event.messages:
            if sequence >= self._below:
                apply(message, sequence, at, number)
            sequence += self._step

    def _snapshot(self, event: SnapshotMessages) -> None:
        take = getattr(self.feed, "snapshot", None)
        splice = self.channel.splice
        sequence = event.sequence
        self._moved = True
        for message in event.messages:
            if take is None:
                self.feed.apply(message, sequence, event.at, self.number)
            else:
                take(message, sequence, event.at, self.number, splice.since if splice else _nothing_since)
            sequence += self._step

    def _broken(self, event: SnapshotGap | SnapshotRestarted) -> None:
        broken = getattr(self.feed, "snapshot_broken", None)
        if broken is not None:
            broken()

    def _opened(self, event: GapOpened) -> None:
        if event.last < self._below:
            return  # a snapshot holds it already
        self._open[event.first, event.last] = set()
        self._doubting = self._doubting or (event.first, event.last)
        self._doubt(event.first, event.last, event.at)

    def _closed(self, event: GapClosed) -> None:
        self._note((event.first, event.last), lost=event.by == "snapshot")

    def _lost(self, event: GapLost) -> None:
        for span in [span for span in self._open if span[0] <= event.first <= span[1]]:
            self._note(span, lost=True)
        if event.last < self._below:
            return
        self.feed.gap(event.first, event.last, event.lost_at, self.number)
        self._lossy = self._heals and bool(self.feed.books)

    def _reset(self, event: SequenceReset | SessionChanged) -> None:
        self._below, self._doubting, self._lossy = 0, None, False
        self._open.clear()
        self.feed.reset(self.number)
        begin = getattr(self.feed, "begin", None)
        if not event.whole and begin is not None:
            begin(False)  # what rests has been told before: books that are empty now wait for a snapshot

    def _heard(self, event: Heartbeat) -> None:
        self._look = True

    def _remember(self) -> None:
        """Begin to remember the stream where only a whole snapshot can mend a book, so that it can be joined.

        Looked for at heartbeats, which come when there is time: a late join to a quiet stream, a book that was refused.
        """
        self._look = False
        channel, splice = self.channel, self.channel.splice
        following = channel.next_sequence
        if splice is None or splice.recording or following is None or channel.in_doubt:
            return
        if hasattr(self.feed, "adopt") and self.needs_snapshot:
            splice.begin(following - 1)

    # --- which books a gap touched

    def _recovered(self, event: Messages) -> None:
        touches = getattr(self.feed, "touches", None)
        spans = [*self._open, *self.touched]
        span = next((one for one in spans if one[0] <= event.first_sequence <= one[1]), None)
        if span is None or touches is None:
            return
        found = {book for message in event.messages for book in touches(message)}
        if span in self._open:
            self._open[span] |= found
        else:
            before = self.touched[span]
            self.touched[span] = None if before is None or len(before) > MAX_TOUCHED else before | found

    def _note(self, span: Span, *, lost: bool) -> None:
        """Remember what a gap touched; of one that was lost nobody knows."""
        found = self._open.pop(span, None)
        self.touched[span] = None if lost or found is None or not hasattr(self.feed, "touches") else frozenset(found)
        if len(self.touched) > MAX_NOTES:
            del self.touched[next(iter(self.touched))]


_TAKE: Final[dict[type, Callable[[Delivery, Any], None]]] = {
    Messages: Delivery._messages, SnapshotMessages: Delivery._snapshot, GapOpened: Delivery._opened,
    GapClosed: Delivery._closed, GapLost: Delivery._lost, SequenceReset: Delivery._reset,
    SessionChanged: Delivery._reset, SnapshotGap: Delivery._broken, SnapshotRestarted: Delivery._broken,
    Heartbeat: Delivery._heard,
}  # fmt: skip


def _nothing_since(sequence: int) -> None:
    """Stand in for a splice where there is none: nothing is remembered."""
