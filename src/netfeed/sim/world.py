"""A world in virtual time: a venue, lines that fail in both directions, and a handler that must come out right.

Time is a number that jumps from one deadline to the next. The venue sends on its ports; each port is a `Link` to the
port of the same number of the handler, and each server's port is one more link back. All of them may lose, repeat,
reorder, delay and damage. A snapshot over TCP comes through a pipe that delays, and can be refused or cut.

    venue      wake, receive, transmit, deadline, `ports` (what has output), `finished`, `next_sequence`
    handler    a `Delivery`; beside it a `Glimpse` where the venue has such a server
    run()      goes on until the venue has finished and the handler is calm, or the time is over

*Calm* is: all that was sent has been delivered or made needless, nothing is held, asked for or remembered, no deadline
is set, every book is LIVE. `watch` is called after each input of the handler, to compare with what is true then.

Invariant: a seed and a set of faults are one history.

Leaves out: sockets, threads, and how fast anything is.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from netfeed.book.state import BookState
from netfeed.feed.delivery import Delivery
from netfeed.feed.events import Event
from netfeed.feed.glimpse import Glimpse, Snapshot
from netfeed.feed.ports import RETRANSMITS
from netfeed.machine import NEVER, Machine, StreamMachine
from netfeed.sim.draws import Draws
from netfeed.sim.faults import Faults
from netfeed.sim.link import Link

LIMIT_NS: Final = 60_000_000_000
PIPE_NS: Final = 2_000_000
"""How long a stream takes from end to end."""


class Venue(Machine, Protocol):
    """The other side of the world."""

    @property
    def ports(self) -> list[int]:
        """List the ports on which something goes out."""

    @property
    def finished(self) -> bool:
        """Say whether nothing new will be sent."""

    @property
    def next_sequence(self) -> int:
        """Give the number of the next message."""


@dataclass(slots=True)
class Outcome:
    """How a world ended: calm, after `elapsed_ns`, and what the handler told on the way."""

    calm: bool
    elapsed_ns: int
    snapshots: int = 0
    events: list[Event] = field(default_factory=list)


@dataclass(slots=True)
class _Pipe:
    """A stream between two machines: bytes on their way to each end, with the time at which they arrive."""

    server: StreamMachine
    up: list[tuple[int, bytes]] = field(default_factory=list)
    down: list[tuple[int, bytes]] = field(default_factory=list)
    cut_at: int = NEVER

    @property
    def deadline(self) -> int:
        times = [way[0][0] for way in (self.up, self.down) if way]
        return min([*times, self.server.deadline, self.cut_at])


class World:
    """Drive a venue and a handler against each other.

    `faults` by port: of the link from the venue to the handler. `requests`: of those back. `server` opens the venue's
    side of a snapshot connection; `cuts` in 100 of these are refused, as many break off on their way.
    """

    def __init__(
        self,
        venue: Venue,
        handler: Delivery,
        *,
        faults: Mapping[int, Faults],
        requests: Faults | None = None,
        seed: int = 0,
        glimpse: Glimpse | None = None,
        server: Callable[[int], StreamMachine] | None = None,
        cuts: int = 0,
        limit_ns: int = LIMIT_NS,
        watch: Callable[[int], None] = lambda now: None,
    ) -> None:
        self.venue, self.handler, self.glimpse = venue, handler, glimpse
        self.now = self._begin = venue.deadline
        self._down = {port: Link(one, seed=seed * 64 + port) for port, one in faults.items()}
        back = requests if requests is not None else Faults()
        self._up = {port: Link(back, seed=seed * 64 + 32 + port) for port in faults if port in RETRANSMITS}
        self._server, self._cuts, self._draws = server, cuts, Draws(seed)
        self._limit = self._begin + limit_ns
        self._watch = watch
        self._pipe: _Pipe | None = None
        self._told: list[Event] = []
        self._snapshots = 0

    def run(self) -> Outcome:
        """Let time pass until all is calm, or too much of it has."""
        while not self.calm:
            self.now = max(self.now, self._deadline)
            if self.now > self._limit:
                break
            self._turn()
        return Outcome(self.calm, self.now - self._begin, self._snapshots, self._told)

    def silence(self, ports: Iterable[int], begin: int, end: int) -> None:
        """Let nothing through from the venue on some ports for a time."""
        for port in ports:
            self._down[port].silence(begin, end)

    @property
    def calm(self) -> bool:
        """Say whether nothing is left to be done."""
        channel, splice = self.handler.channel, self.handler.channel.splice
        if not self.venue.finished or channel.next_sequence != self.venue.next_sequence:
            return False
        if channel.held_bytes or channel.deadline != NEVER or (splice is not None and splice.recording):
            return False
        if any(link.deadline != NEVER for link in (*self._down.values(), *self._up.values())):
            return False
        return all(book.state == BookState.LIVE for book in self.handler.feed.books)

    @property
    def _deadline(self) -> int:
        times = [self.venue.deadline, self.handler.deadline]
        times += [link.deadline for link in self._down.values()] + [link.deadline for link in self._up.values()]
        if self.glimpse is not None:
            times.append(self.now if self.glimpse.connect or self.glimpse.finished else self.glimpse.deadline)
        if self._pipe is not None:
            times.append(self._pipe.deadline)
        return min(times)

    def _turn(self) -> None:
        now, venue, handler = self.now, self.venue, self.handler
        for port, up in self._up.items():
            for data in up.deliver(now):
                venue.receive(data, now, port)
                self._send(now)
        if venue.deadline <= now:
            venue.wake(now)
            self._send(now)
        for port, down in self._down.items():
            for data in down.deliver(now):
                self._tell(handler.receive(data, now, port))
        if handler.deadline <= now:
            self._tell(handler.wake(now))
        if self.glimpse is not None:
            self._stream(self.glimpse, now)

    def _send(self, now: int) -> None:
        for port in self.venue.ports:
            packets = self.venue.transmit(port)
            if port in self._down:
                for data in packets:
                    self._down[port].send(data, now)

    def _tell(self, events: Any) -> None:
        self._told += [event for event in events if type(event).__name__ not in _PLENTY]
        for port, up in self._up.items():
            for data in self.handler.transmit(port):
                up.send(data, self.now)
        self._watch(self.now)

    # --- the stream

    def _stream(self, glimpse: Glimpse, now: int) -> None:
        if self.handler.wants_snapshot:
            glimpse.want(now)
        if glimpse.deadline <= now:
            self._hear(glimpse, glimpse.wake(now), now)
        if glimpse.connect:
            self._open(glimpse, now)
        pipe = self._pipe
        if pipe is not None:
            self._carry(glimpse, pipe, now)
            if glimpse.finished or pipe.cut_at <= now:
                self._pipe = None
                self._hear(glimpse, glimpse.end(now), now)

    def _open(self, glimpse: Glimpse, now: int) -> None:
        refused, cut, when = self._draws.below(3, 100).tolist()
        if self._server is None or refused < self._cuts:
            glimpse.end(now)
            return
        self._pipe = _Pipe(self._server(now))
        if cut < self._cuts:
            self._pipe.cut_at = now + 2 * PIPE_NS + when * PIPE_NS // 20
        glimpse.opened(now)

    def _carry(self, glimpse: Glimpse, pipe: _Pipe, now: int) -> None:
        pipe.up += [(now + PIPE_NS, data) for data in glimpse.transmit()]
        while pipe.up and pipe.up[0][0] <= now:
            pipe.server.receive(pipe.up.pop(0)[1], now)
        if pipe.server.deadline <= now:
            pipe.server.wake(now)
        written = b"".join(pipe.server.transmit())
        pieces = [written[at : at + 1400] for at in range(0, len(written), 1400)]
        pipe.down += [(now + PIPE_NS + k * 10_000, piece) for k, piece in enumerate(pieces)]
        while pipe.down and pipe.down[0][0] <= now:
            self._hear(glimpse, glimpse.receive(pipe.down.pop(0)[1], now), now)

    def _hear(self, glimpse: Glimpse, events: Any, now: int) -> None:
        for event in events:
            if isinstance(event, Snapshot):
                taken, told = self.handler.adopt(event, now)
                self._snapshots += taken
                self._tell(told)


_PLENTY: Final = frozenset({"Messages", "SnapshotMessages", "Heartbeat"})
"""Events that are too many to keep."""
