"""All connections of one venue, and the needs of its books: which topic goes where, what is had anew, what was missed.

    Resync of a topic        that topic alone is had anew, once for many cries (`resyncs`)
    Fetch of a topic         a snapshot over HTTP (`fetcher`)
    a connection is lost     its lines and their pauses see to the next one (`line`); gaps are opened for what is missed
    a book is LIVE again     its gap is closed (`topic_gaps`)
    a book does not come     it is had anew after a while (`patience`)

Invariant: every topic that is wanted is on one shard, and on each line of it once.
Leaves out: other venues, and ports as the driver sees them (`gateway`).
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from netfeed.book.state import BookState
from netfeed.errors import MisuseError
from netfeed.feed.dialect import Fetch, Want
from netfeed.feed.fetcher import Fetcher
from netfeed.feed.gateway_words import (
    Connect,
    Disconnected,
    Event,
    FetchFailed,
    GapClosed,
    GapOpened,
    Told,
    VenueStatistics,
)
from netfeed.feed.line import Line
from netfeed.feed.patience import Patience
from netfeed.feed.resyncs import Resyncs
from netfeed.feed.session_words import Subscribed, TopicsRefused, Unsubscribed
from netfeed.feed.shards import Shards
from netfeed.feed.topic_gaps import TopicGap, TopicGaps
from netfeed.feed.venue import Numbers, Shared
from netfeed.machine import NEVER, Buffer


class Pool:
    """The connections of one venue."""

    def __init__(self, shared: Shared) -> None:
        self._shared, self._venue, self._market = shared, shared.venue, shared.venue.market
        self._shards = Shards(shared.limits, lines=shared.venue.lines)
        self._wanted: dict[str, None] = {}
        self._leaving: dict[str, None] = {}  # dropped, and not yet let go by the venue
        self._lines: dict[int, list[Line]] = {}
        self._fetcher = Fetcher(shared)
        self._resyncs = Resyncs(self._market)
        self._gaps = TopicGaps(self._market)
        self._patience = Patience(self._market)
        self._farewell: list[Event] = []  # what a command closed; it is told with the next input
        self._by_port: dict[int, Line] = {}
        self.deadline = NEVER
        """When something of this venue is due; kept, because it is asked for far more often than it moves."""

    # --- what is wanted

    def want(self, topics: Iterable[str], now: int) -> None:
        """Carry these topics. Raises: MisuseError when the venue allows fewer; nothing has changed then."""
        for shard, names in self._shards.place(topics).items():
            if shard not in self._lines:
                numbers = Numbers()
                places = range(self._venue.lines)
                self._lines[shard] = [Line(self._shared, shard, place, numbers, now) for place in places]
            for name in names:
                self._wanted[name] = None
                self._leaving.pop(name, None)
            for line in self._lines[shard]:
                line.want(names, now)
        self.deadline = self._due

    def drop(self, topics: Iterable[str], now: int, *, stopping: bool = False) -> None:
        """Carry these topics no longer."""
        dropped = [topic for topic in dict.fromkeys(topics) if topic in self._wanted]
        for topic in dropped:
            del self._wanted[topic]
            self._leaving[topic] = None
            self._resyncs.forget(topic)
            self._fetcher.forget(topic)
        self._patience.forget(dropped)
        if not stopping:  # else a gap that was waited for stays one: nobody has made it good
            self._farewell += self._closed(self._gaps.dropped(dropped, now))
        for shard in {self._shards.home(topic): None for topic in dropped}:
            for line in self._lines[shard] if shard is not None else ():
                line.drop(dropped, now)
        self._farewell += self._let_go(now)
        self.deadline = self._due

    def stop(self, now: int, reason: str = "stopped") -> list[Event]:
        """Close every connection; nothing is wanted any more."""
        self.drop(list(self._wanted), now, stopping=True)
        events, self._farewell = self._farewell, []
        for lines in self._lines.values():
            for line in lines:
                events += line.stop(now, reason)
        self._lines.clear()
        self._shards.remove(list(self._leaving))
        self._leaving.clear()
        self._by_port.clear()
        events += self._fetcher.stop()
        self.deadline = self._due
        return events

    # --- the machine

    @property
    def _due(self) -> int:
        if self._farewell:
            return -(2**63)
        due = min(self._fetcher.deadline, self._resyncs.deadline, self._patience.deadline)
        return min([due, *[line.deadline for line in self._every_line()]])

    def wake(self, now: int) -> list[Event]:
        """Do what is due. A call before the deadline does nothing."""
        if now < self.deadline:
            return []
        events: list[Event] = []
        for line in list(self._every_line()):
            if line.deadline <= now:
                told = line.wake(now)
                self._by_port.update((one.port, line) for one in told if isinstance(one, Connect))
                events += told
        events += self._fetcher.wake(now)
        for topic in self._patience.over(now):
            if not self._fetcher.is_open(topic):
                self._resyncs.cry(topic, None, now)
        return self._after(events, now)

    def opened(self, port: int, now: int) -> None:
        """Take note that a stream stands."""
        line = self._by_port.get(port)
        if line is not None:
            line.opened(port, now)
        elif self._fetcher.owns(port):
            self._fetcher.opened(now)
        else:
            raise MisuseError(f"port {port} was not waited for")
        self.deadline = self._due

    def receive(self, data: Buffer, now: int, port: int) -> list[Event]:
        """Take bytes of a connection."""
        line = self._by_port.get(port)
        if line is not None:
            told, wants = line.receive(data, now, port), self._market.wants()
            if told or wants or self._farewell or not self._gaps.is_empty or line.deadline < self.deadline:
                return self._after(told, now, wants)
            return []
        return self._after(self._fetcher.receive(data, now), now) if self._fetcher.owns(port) else []

    def end(self, now: int, port: int, reason: str) -> list[Event]:
        """Take note that a stream has ended, or never came to stand."""
        line = self._by_port.get(port)
        if line is not None:
            return self._after(line.end(now, port, reason), now)
        return self._after(self._fetcher.end(now, reason), now) if self._fetcher.owns(port) else []

    def transmit(self, port: int) -> list[bytes]:
        """Drain what must go out on a connection."""
        line = self._by_port.get(port)
        if line is not None:
            return line.transmit(port)
        return self._fetcher.transmit() if self._fetcher.owns(port) else []

    # --- what follows from what was told

    def _after(self, told: list[Event], now: int, wants: Sequence[Want] = ()) -> list[Event]:
        """Draw the conclusions, after each input: gaps, the needs of the books, what is done about them."""
        events, self._farewell = self._farewell, []
        for event in told:
            events.append(event)
            if isinstance(event, Disconnected):
                self._by_port.pop(event.port, None)
                events += self._lost(event, now)
            elif isinstance(event, Told):
                events += self._heard(event, now)
        events += self._serve([*wants, *self._market.wants()], now)
        events += self._fetcher.wake(now)
        if not self._gaps.is_empty:
            events += self._closed(self._gaps.look(now))
        if self._leaving:
            events += self._let_go(now)
        self.deadline = self._due
        return events

    def _lost(self, event: Disconnected, now: int) -> list[Event]:
        events: list[Event] = []
        for topic, sequence in event.last:
            if any(line.carries(topic) for line in self._lines_of(topic)):
                self._resyncs.met(topic, event.line, now)
            else:  # the next connection brings it anew, at the pace of connections
                self._resyncs.forget(topic)
                self._fetcher.forget(topic)
            events += self._missed(topic, sequence, event.reason, now)
        return events

    def _heard(self, event: Told, now: int) -> list[Event]:
        what = event.what
        if isinstance(what, Subscribed):
            for topic in what.topics:
                self._resyncs.met(topic, event.line, now)
            self._patience.wait([topic for topic in what.topics if topic in self._wanted], now)
            return self._closed(self._gaps.carried(what.topics, now))
        if not isinstance(what, Unsubscribed | TopicsRefused):
            return []
        why = what.code if isinstance(what, TopicsRefused) else "unsubscribed"
        events: list[Event] = []
        for topic in what.topics:
            if isinstance(what, TopicsRefused):
                self._resyncs.met(topic, event.line, now)
            events += self._missed(topic, self._sequence(topic), why, now)
        return events

    def _missed(self, topic: str, after: int | None, why: str, now: int) -> list[Event]:
        """Open a gap, unless another line carries the topic, or nothing of it had been there to be missed."""
        if topic not in self._wanted:
            return []
        standing = self._market.standing(topic)
        if standing is None:
            missed = not any(line.carries(topic) for line in self._lines_of(topic))
        else:
            missed = standing.state is not BookState.LIVE and after is not None
        return self._open_gap(topic, after, why, now) if missed else []

    def _open_gap(self, topic: str, after: int | None, why: str, now: int) -> list[Event]:
        opened = self._gaps.open(topic, after, why, now)
        return [] if opened is None else [GapOpened(self._venue.name, topic, after, why, now)]

    def _closed(self, gaps: Sequence[TopicGap]) -> list[Event]:
        name = self._venue.name
        self._patience.forget(gap.topic for gap in gaps)
        return [
            GapClosed(name, gap.topic, gap.after, gap.until, gap.why, gap.opened_at, gap.closed_at, gap.by)
            for gap in gaps
        ]

    # --- the needs of the books

    def _serve(self, wants: Iterable[Want], now: int) -> list[Event]:
        events: list[Event] = []
        for want in wants:
            if want.topic not in self._wanted:
                continue
            if isinstance(want, Fetch) and self._venue.fetch is None:
                events.append(FetchFailed(self._venue.name, want.topic, None, "no endpoint for snapshots is known"))
            elif isinstance(want, Fetch):
                events += self._missed(want.topic, self._sequence(want.topic), want.why, now)
                self._fetcher.want(want, now)
            else:
                events += self._open_gap(want.topic, self._sequence(want.topic), want.why, now)
                self._resyncs.cry(want.topic, want.line, now)
        self._resyncs.act(self._lines_of, now)
        return events

    # --- letting go

    def _let_go(self, now: int) -> list[Event]:
        """Free the places of topics that the venue carries no longer, and close what carries nothing that is wanted."""
        events: list[Event] = []
        for shard in list(self._lines):
            if any(topic in self._wanted for topic in self._shards.topics(shard)):
                continue
            for line in self._lines.pop(shard):
                events += line.stop(now, "nothing is wanted of it")
        for event in events:
            if isinstance(event, Disconnected):
                self._by_port.pop(event.port, None)
        gone = [topic for topic in self._leaving if not any(line.knows(topic) for line in self._lines_of(topic))]
        self._shards.remove(gone)
        for topic in gone:
            del self._leaving[topic]
        return events

    # --- what can be seen

    def statistics(self) -> VenueStatistics:
        """Give the account as it is now."""
        shared = self._shared
        connections = tuple(one for line in self._every_line() for one in line.statistics())
        states = Counter(standing.state.name for standing in map(self._market.standing, self._wanted) if standing)
        return VenueStatistics(
            name=self._venue.name, topics=len(self._wanted), shards=len(self._shards), attempts=shared.attempts,
            connected=shared.connected, disconnected=shared.disconnected, takeovers=shared.takeovers,
            resyncs=self._resyncs.done, resyncs_repeated=self._resyncs.repeated,
            messages=shared.messages + sum(one.session.messages for one in connections if one.session),
            gaps_opened=self._gaps.opened, gaps_closed=self._gaps.closed, open_gaps=self._gaps.still_open,
            gaps=tuple(self._gaps.records), books=dict(sorted(states.items())),
            offset_ns=shared.offset.offset_ns(shared.skew.ns), error_ns=shared.offset.error_ns,
            budget=shared.throttle.statistics(), fetches=self._fetcher.statistics(), connections=connections,
        )  # fmt: skip

    def _every_line(self) -> Iterator[Line]:
        for lines in self._lines.values():
            yield from lines

    def _lines_of(self, topic: str) -> Sequence[Line]:
        home = self._shards.home(topic)
        return () if home is None else self._lines.get(home, ())

    def _sequence(self, topic: str) -> int | None:
        standing = self._market.standing(topic)
        return None if standing is None else standing.sequence
