"""One line of a shard: the connection that carries its topics, the next one before the first must end, and the pauses.

    link     heir             what happens
    none     none             when the pause is over: Connect, one attempt at a time
    ready    none             at `leave_at` (the venue ends connections of an age, or says that it leaves): an heir
    ready    ready, complete  HANDOVER_NS later the heir takes over and the link is closed: nothing was missed
    lost     any              the heir, if there is one, is the link now; else a pause
    any      lost             a pause, then another heir, as long as the link lives

*Complete* is an heir that carries whatever the link carries. Both are heard meanwhile, under numbers of their own.

Invariant: never two attempts at a time for the same place. An attempt that is not answered within CONNECT_NS is one
that failed; so is a connection that ends, however it does, but one that was taken over.

Leaves out: what is said on a connection (`session`), other lines, and what a loss means to the books (`pool`).
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from netfeed.errors import MisuseError
from netfeed.feed.gateway_words import Connect, Connected, ConnectionStatistics, Disconnect, Disconnected, Event, Told
from netfeed.feed.session import Session
from netfeed.feed.session_words import Event as SessionEvent
from netfeed.feed.session_words import Lost, Parting, Ready
from netfeed.feed.subscriptions import State, Subscriptions
from netfeed.feed.throttle import MAX_HOLD_NS
from netfeed.feed.venue import Numbers, Shared, shown
from netfeed.machine import NEVER, Buffer
from netfeed.proto.backoff import Attempt, Backoff

CONNECT_NS: Final = 10_000_000_000
"""How long a stream may take to stand."""
HANDOVER_NS: Final = 2_000_000_000
"""How long both connections live once the new one carries everything: its snapshots are still on their way."""
MAX_EARLY_NS: Final = 600_000_000_000
"""How long before the end of a connection's lifetime another one is opened, at most; a tenth of it else."""
AGAIN_NS: Final = 5_000_000_000
"""When every seat is taken, how long until it is tried again."""
TAKEN_OVER: Final = "another connection has taken over"


class Link:
    """One connection, from the wish for it to its end. `session` None until its stream stands."""

    __slots__ = ("due_at", "endpoint", "leave_at", "number", "port", "session", "topics")

    def __init__(self, port: int, number: int, endpoint: str, topics: Subscriptions, due_at: int) -> None:
        self.port, self.number, self.endpoint, self.topics = port, number, endpoint, topics
        self.session: Session | None = None
        self.due_at, self.leave_at = due_at, NEVER

    @property
    def deadline(self) -> int:
        """Say when something of it is due. Units: monotonic ns."""
        return self.due_at if self.session is None else self.session.deadline

    @property
    def is_ready(self) -> bool:
        """Say whether topics can be asked for on it."""
        return self.session is not None and self.session.is_open


class Line:
    """One line. `numbers` belongs to its shard."""

    def __init__(self, shared: Shared, shard: int, place: int, numbers: Numbers, now: int) -> None:
        self.link: Link | None = None
        self.heir: Link | None = None
        self._topics = Subscriptions(per_request=shared.limits.topics_per_request)
        self._shared, self._shard, self._place, self._numbers = shared, shard, place, numbers
        self._backoff = shared.backoff()
        self._heirs_backoff: Backoff | None = None
        self._handover_at = NEVER
        self._is_over = False
        shared.lines += 1
        self._backoff.begin(now)
        self.deadline = self._due
        """When something of this line is due; kept, because it is asked for far more often than it moves."""

    # --- what is wanted

    def want(self, topics: Iterable[str], now: int) -> None:
        """Carry these topics, too."""
        wanted = list(topics)
        for one in self._subscriptions():
            one.want(wanted)
        self._reconcile(now)

    def drop(self, topics: Iterable[str], now: int) -> None:
        """Carry these topics no longer."""
        dropped = list(topics)
        for one in self._subscriptions():
            one.drop(dropped)
        self._reconcile(now)

    def anew(self, topic: str, number: int | None, now: int) -> int | None:
        """Have a topic anew on the connection of this number, or any; give which, None when none carries it."""
        for link in self.links():
            if link.session is not None and number in (None, link.number) and link.topics.anew(topic):
                self._reconcile(now)
                return link.number
        return None

    def knows(self, topic: str) -> bool:
        """Say whether the venue may still carry a topic on this line."""
        return any(one.state(topic) is not None for one in self._subscriptions())

    def carries(self, topic: str) -> bool:
        """Say whether the venue carries a topic on this line, as far as it has said so."""
        return any(one.state(topic) is State.ON for one in self._subscriptions())

    # --- the machine

    @property
    def _due(self) -> int:
        if self._is_over:
            return NEVER
        due = self._backoff.deadline
        if self.link is not None:
            due = min(due, self.link.deadline, self._move_at)
        if self._heirs_backoff is not None:
            due = min(due, self._heirs_backoff.deadline)
        return due if self.heir is None else min(due, self.heir.deadline, self._handover_at)

    def wake(self, now: int) -> list[Event]:
        """Do what is due. A call before the deadline does nothing."""
        if now < self.deadline:
            return []
        events: list[Event] = []
        for link in list(self.links()):
            if link.deadline <= now:
                events += self._wake_link(link, now)
        if self._handover_at <= now:
            events += self._hand_over(now)
        if self.link is not None and self._move_at <= now:
            self._want_heir(self.link, now)
        for attempt in self._backoff.wake(now):
            self.link = self._connect(self._topics, now)
            events.append(self._order(self.link, attempt))
        for attempt in [] if self._heirs_backoff is None else self._heirs_backoff.wake(now):
            self.heir = self._connect(self._topics.heir(), now)
            events.append(self._order(self.heir, attempt))
        return self._done(events)

    def opened(self, port: int, now: int) -> None:
        """Take note that the stream of a connection stands. Raises: MisuseError when it was not asked for."""
        link, shared = self._at(port), self._shared
        if link is None or link.session is not None:
            raise MisuseError(f"port {port} was not waited for")
        venue = shared.venue
        link.session = Session(
            venue.dialect, venue.market, venue.talk(link.endpoint, now), topics=link.topics, throttle=shared.throttle,
            offset=shared.offset, line=link.number, now=now, skew=shared.skew,
        )  # fmt: skip
        self.deadline = self._due

    def receive(self, data: Buffer, now: int, port: int) -> list[Event]:
        """Take bytes of a connection."""
        link = self._at(port)
        if link is None or link.session is None:
            return []
        told = link.session.receive(data, now)
        if not told and link.session.deadline >= self.deadline:
            return []
        return self._done(self._told(link, told, now))

    def end(self, now: int, port: int, reason: str) -> list[Event]:
        """Take note that a stream has ended, or never came to stand, for this reason."""
        link = self._at(port)
        if link is None:
            return []
        if link.session is None:
            return self._done(self._lost(link, Lost("network", None, reason or "no connection", 0, 0, ()), now))
        return self._done(self._told(link, link.session.end(now, reason), now))

    def transmit(self, port: int) -> list[bytes]:
        """Drain what must go out on a connection."""
        link = self._at(port)
        return [] if link is None or link.session is None else link.session.transmit()

    def stop(self, now: int, reason: str) -> list[Event]:
        """Close all connections; this line is over."""
        events: list[Event] = []
        if self._is_over:
            return events
        for link in list(self.links()):
            events += self._close(link, reason, now)
        self._forget_heir()
        self._backoff.stop()
        self._is_over, self.link = True, None
        self._shared.lines -= 1
        return self._done(events)

    def links(self) -> Iterator[Link]:
        """Give the connections."""
        yield from (link for link in (self.link, self.heir) if link is not None)

    def statistics(self) -> list[ConnectionStatistics]:
        """Give the account of each connection."""
        return [
            ConnectionStatistics(
                port=link.port, line=link.number, shard=self._shard, endpoint=shown(link.endpoint), ready=link.is_ready,
                silent=link.session is not None and link.session.is_silent,
                session=None if link.session is None else link.session.statistics(),
            )
            for link in self.links()
        ]  # fmt: skip

    # --- the life of a connection

    def _connect(self, topics: Subscriptions, now: int) -> Link:
        shared = self._shared
        endpoints = shared.venue.endpoints
        endpoint = endpoints[self._place % len(endpoints)]
        shared.attempts += 1
        return Link(shared.ports.take(), self._numbers.take(), endpoint, topics, now + CONNECT_NS)

    def _order(self, link: Link, attempt: Attempt) -> Connect:
        return Connect(self._shared.venue.name, link.port, shown(link.endpoint), attempt.failures)

    def _wake_link(self, link: Link, now: int) -> list[Event]:
        if link.session is not None:
            return self._told(link, link.session.wake(now), now)
        return self._lost(link, Lost("us", None, "no connection in time", 0, 0, ()), now)

    def _told(self, link: Link, told: Sequence[SessionEvent], now: int) -> list[Event]:
        events: list[Event] = []
        for one in told:
            if isinstance(one, Lost):
                events += self._lost(link, one, now)
            elif isinstance(one, Ready):
                events.append(self._ready(link, now))
            else:
                if isinstance(one, Parting):
                    link.leave_at = now
                events.append(Told(self._shared.venue.name, link.port, link.number, one))
        if told and self.heir is not None:
            self._look_at_heir(self.heir, now)
        return events

    def _ready(self, link: Link, now: int) -> Connected:
        shared = self._shared
        backoff = self._backoff if link is self.link else self._heirs_backoff
        assert backoff is not None
        backoff.opened(now)
        shared.connected += 1
        lifetime = shared.limits.lifetime_ns
        if lifetime != NEVER:
            early = min(lifetime // 10, MAX_EARLY_NS)
            link.leave_at = now + lifetime - early - int(shared.random() * early)
        return Connected(shared.venue.name, link.port, link.number, shown(link.endpoint), len(link.topics.topics))

    def _lost(self, link: Link, lost: Lost, now: int) -> list[Event]:
        """Wait before the next attempt; an heir steps in for the link that is gone."""
        not_before = now + min(lost.wait_ns, MAX_HOLD_NS) if lost.wait_ns else None
        self._place += 1
        if link is self.heir:
            assert self._heirs_backoff is not None
            self._heirs_backoff.failed(now, not_before=not_before)
            retry_at = self._heirs_backoff.deadline
            self.heir, self._handover_at = None, NEVER
        else:
            self._backoff.failed(now, not_before=not_before)
            retry_at = self._backoff.deadline
            self.link = None
            if self.heir is not None:
                self._promote(self.heir)
            else:
                self._forget_heir()
        return self._over(link, lost, planned=False, retry_at=retry_at)

    def _close(self, link: Link, reason: str, now: int) -> list[Event]:
        """Close a connection that is not needed any more."""
        told = [] if link.session is None else link.session.leave(reason, now)
        losses = [one for one in told if isinstance(one, Lost)] or [Lost("us", None, reason, 0, 0, ())]
        return self._over(link, losses[0], planned=True, retry_at=NEVER)

    def _over(self, link: Link, lost: Lost, *, planned: bool, retry_at: int) -> list[Event]:
        shared = self._shared
        self._numbers.give(link.number)
        if link.session is not None:
            shared.words.keep(link.port, link.session.transmit())
            shared.messages += link.session.statistics().messages
        shared.disconnected += link.is_ready
        return [
            Disconnected(
                shared.venue.name, link.port, link.number, shown(link.endpoint), lost.by, lost.code, lost.reason,
                lost.uptime_ns, lost.quiet_ns, lost.last, planned, retry_at,
            ),
            Disconnect(shared.venue.name, link.port),
        ]  # fmt: skip

    # --- moving over

    @property
    def _move_at(self) -> int:
        waits = self.link is not None and self._heirs_backoff is None
        return self.link.leave_at if waits and self.link is not None else NEVER

    def _want_heir(self, link: Link, now: int) -> None:
        if not self._shared.has_seat:
            link.leave_at = now + AGAIN_NS
            return
        self._shared.heirs += 1
        self._heirs_backoff = self._shared.backoff()
        self._heirs_backoff.begin(now)

    def _look_at_heir(self, heir: Link, now: int) -> None:
        """See whether the heir carries all that the link does: then the time of both together begins."""
        carried = [] if self.link is None else self.link.topics.on
        complete = heir.is_ready and heir.topics.settled and set(carried) <= set(heir.topics.on)
        if not complete:
            self._handover_at = NEVER
        elif self._handover_at == NEVER:
            self._handover_at = now + HANDOVER_NS

    def _hand_over(self, now: int) -> list[Event]:
        old, heir = self.link, self.heir
        assert old is not None
        assert heir is not None
        events = self._close(old, TAKEN_OVER, now)
        self._promote(heir)
        self._shared.takeovers += 1
        return events

    def _promote(self, heir: Link) -> None:
        assert self._heirs_backoff is not None
        self.link, self._backoff, self._topics = heir, self._heirs_backoff, heir.topics
        self._forget_heir()

    def _forget_heir(self) -> None:
        if self._heirs_backoff is not None:
            self._shared.heirs -= 1
        self.heir, self._heirs_backoff, self._handover_at = None, None, NEVER

    # --- small

    def _at(self, port: int) -> Link | None:
        if self.link is not None and self.link.port == port:
            return self.link
        return self.heir if self.heir is not None and self.heir.port == port else None

    def _subscriptions(self) -> list[Subscriptions]:
        return [self._topics] if self.heir is None else [self._topics, self.heir.topics]

    def _reconcile(self, now: int) -> None:
        for link in self.links():
            if link.session is not None:
                link.session.reconcile(now)
        self.deadline = self._due

    def _done(self, events: list[Event]) -> list[Event]:
        self.deadline = self._due
        return events
