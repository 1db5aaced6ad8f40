"""A simulated venue as a machine: order flow from a seed, published on two lines, with servers that repair losses.

    starbase_venue(settings)   incrementals A and B, snapshot cycles A and B, retransmit gateways
    itch_venue(settings)       MoldUDP64 A and B, re-request servers, GLIMPSE over SoupBinTCP

It keeps the contract of `netfeed.machine`. Time alone makes it speak; requests come in on the retransmit ports and the
GLIMPSE connections (`venue_ports`), and their answers lie on the same port right after `receive`. What it tells are the
events of `venue_events`: above all `Truth`, the books as the venue knows them, after every transaction.

    down --begin_ns--> open --finish()--> ended
      ^-- restart(): down for a while, then another session, counted from 1; the orders still rest

Packets leave LINGER_NS after the first action they tell of, so that what happens together travels together. A driver
that is late makes the flow late, and is told so (`late_ns`): actions are never piled up without bound.

Leaves out: faults of the lines (`link`), which stand between this machine and the world; other protocols.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from netfeed.book.digest import digest
from netfeed.errors import MisuseError
from netfeed.feed.ports import Port
from netfeed.machine import NEVER, Buffer
from netfeed.sim.floor import Floor, Transaction, Watched
from netfeed.sim.gateway import Gateway, Limits
from netfeed.sim.glimpse_server import GlimpseServer
from netfeed.sim.history import RETAIN
from netfeed.sim.itch_floor import ItchFloor
from netfeed.sim.outbox import MAX_BYTES, Outbox
from netfeed.sim.publisher import Publisher
from netfeed.sim.retransmitter import MoldRetransmitter, Retransmitter, StarbaseRetransmitter
from netfeed.sim.snapshot_cycle import SnapshotCycle
from netfeed.sim.starbase_floor import StarbaseFloor
from netfeed.sim.venue_events import Event, Malformed, Refused, SessionBegan, SessionEnded, Truth
from netfeed.sim.venue_ports import GLIMPSE, RETRANSMITS
from netfeed.sim.venue_wire import PAYLOAD, MoldWire, StarbaseWire
from netfeed.wire.starbase import PacketType

LINGER_NS: Final = 50_000
MAX_STEPS: Final = 4096
"""So many actions in one turn; a driver that is later than that makes the flow late."""
MAX_WATCHED: Final = 65_536
"""So many transactions are kept for who watches; one who looks after each call never misses one."""
DOWN_NS: Final = {"starbase": 13_000_000_000, "itch50": 1_000_000_000}
"""How long a restart takes. Starbase does not name its sessions: only a silence tells a new count from old packets."""
_S: Final = 10**9


@dataclass(frozen=True, slots=True)
class Settings:
    """What a venue is. `transactions`: after so many the flow stops, None for never.

    Units: `rate` in transactions per second; `wall_ns` what the clock shows (ns since 1970) when `now` is 0;
    `payloads` the longest payload of lines A and B in bytes; `retain` messages are kept to be sent again.
    Raises: MisuseError when a number is out of range.
    """

    seed: int = 1
    rate: int = 1_000
    transactions: int | None = None
    begin_ns: int = 0
    wall_ns: int = 1_772_438_400 * _S
    instruments: int | None = None
    live_orders: int = 1_000
    retain: int = RETAIN
    gateways: int = 1
    limits: Limits = field(default_factory=Limits)
    cycle_ns: int = 3 * _S
    lag_ns: int = 20_000_000
    heartbeat_ns: int | None = None
    payloads: tuple[int, int] = (PAYLOAD, PAYLOAD)
    channel_id: int = 3
    snapshot_channel_id: int = 4
    session: str = "NETFEED"
    credentials: tuple[str, str] | None = None
    truth: bool = True
    max_queued: int = MAX_BYTES

    def __post_init__(self) -> None:
        if not 1 <= self.rate <= _S or not 1 <= self.gateways <= len(RETRANSMITS):
            raise MisuseError(f"a venue has a rate of 1 to 10**9 and 1 to {len(RETRANSMITS)} gateways: {self}")
        if min(self.payloads) < 64 or self.cycle_ns < 1 or self.lag_ns < 0:
            raise MisuseError(f"a venue has packets of 64 bytes or more and a cycle: {self}")
        if self.instruments is not None and self.instruments < 1:
            raise MisuseError("a venue has an instrument")


def starbase_venue(settings: Settings | None = None) -> "Venue":
    """Make a Starbase venue."""
    settings = settings or Settings()
    floor = StarbaseFloor(settings.seed, count=settings.instruments, mean_gap_ns=_S // settings.rate)
    return Venue("starbase", settings, floor, **starbase_parts(settings, floor))


def starbase_parts(settings: Settings, floor: StarbaseFloor) -> dict[str, Any]:
    """Make what a Starbase venue has around its floor: lines, snapshots, retransmit servers."""
    outbox = Outbox(settings.max_queued)
    beat_ns = settings.heartbeat_ns or 5 * _S
    a, b = settings.payloads
    lines = Publisher(
        StarbaseWire(settings.channel_id, PacketType.INCREMENTAL), outbox, [(Port.LINE_A, a), (Port.LINE_B, b)],
        heartbeat_ns=beat_ns, retain=settings.retain,
    )  # fmt: skip
    copies = Publisher(
        StarbaseWire(settings.snapshot_channel_id, PacketType.SNAPSHOT), outbox,
        [(Port.SNAPSHOT_A, a), (Port.SNAPSHOT_B, b)], heartbeat_ns=beat_ns, retain=1,
    )  # fmt: skip
    cycle = SnapshotCycle(floor, copies, cycle_ns=settings.cycle_ns, lag_ns=settings.lag_ns, seed=settings.seed + 1)
    server = StarbaseRetransmitter(lines, outbox, settings.channel_id)
    return {"lines": lines, "server": server, "outbox": outbox, "copies": copies, "cycle": cycle}


def itch_venue(settings: Settings | None = None) -> "Venue":
    """Make an ITCH venue."""
    settings = settings or Settings()
    floor = ItchFloor(
        settings.seed, count=settings.instruments or 20, live_orders=settings.live_orders,
        mean_gap_ns=_S // settings.rate,
    )  # fmt: skip
    outbox = Outbox(settings.max_queued)
    a, b = settings.payloads
    lines = Publisher(
        MoldWire(settings.session), outbox, [(Port.LINE_A, a), (Port.LINE_B, b)],
        heartbeat_ns=settings.heartbeat_ns or _S, retain=settings.retain,
    )  # fmt: skip
    glimpse = GlimpseServer(floor, lines, wall_ns=settings.wall_ns, credentials=settings.credentials)
    return Venue("itch50", settings, floor, lines, MoldRetransmitter(lines, outbox), outbox, glimpse=glimpse)


class Venue:
    """One venue with one channel. Make it with `starbase_venue` or `itch_venue`."""

    def __init__(
        self,
        protocol: str,
        settings: Settings,
        floor: Floor,
        lines: Publisher,
        server: Retransmitter,
        outbox: Outbox,
        *,
        copies: Publisher | None = None,
        cycle: SnapshotCycle | None = None,
        glimpse: GlimpseServer | None = None,
    ) -> None:
        self.protocol = protocol
        self.settings = settings
        self.floor = floor
        self.lines = lines
        self.outbox = outbox
        self.copies = copies
        self.cycle = cycle
        self.gateways = [Gateway(settings.limits) for _ in range(settings.gateways)]
        self.glimpse = glimpse
        self.epoch = 0
        self.transactions = 0
        self.late_ns = 0
        self._server = server
        self._open_ns = settings.begin_ns
        self._due = NEVER
        self._flowing = True
        self._ended = False
        self._told: list[Event] = []
        self._told_ns = 0
        self._last_ns = settings.begin_ns
        self._watched: deque[Watched] | None = None

    # -- the contract

    @property
    def deadline(self) -> int:
        """Say when something is due. Units: monotonic ns."""
        times = [self._open_ns, self._due + LINGER_NS if self._due < NEVER else NEVER, self.lines.deadline]
        if self.copies is not None and self.cycle is not None:
            times += [self.copies.deadline, self.cycle.deadline]
        if self.glimpse is not None:
            times.append(self.glimpse.deadline)
        return min(times) if not self._told else min(self._told_ns, *times)

    def receive(self, data: Buffer, now: int, port: int = 0) -> Sequence[Event]:
        """Take a request of a client, or bytes of a GLIMPSE connection."""
        self._last_ns = max(self._last_ns, now)
        if self.glimpse is not None and port >= GLIMPSE:
            return self.glimpse.receive(data, now, port) if self.is_up else []
        if port not in RETRANSMITS[: len(self.gateways)]:
            return [Malformed(port, "nobody listens there")]
        if not self.is_up:
            return [Refused(port, 0, 0, "the venue is down")]
        return self._server.answer(data, now, self.wall(now), port, self.gateways[port - RETRANSMITS[0]])

    def open(self, now: int, port: int = GLIMPSE) -> Sequence[Event]:
        """Take note that a GLIMPSE client has connected."""
        return self.glimpse.open(now, port) if self.glimpse is not None else []

    def end(self, now: int, port: int = GLIMPSE) -> Sequence[Event]:
        """Take note that a GLIMPSE client closed its connection."""
        return self.glimpse.end(now, port) if self.glimpse is not None else []

    def wake(self, now: int) -> Sequence[Event]:
        """Do what is due: open, act, publish, say that it is alive."""
        if now < self.deadline:
            return []
        self._last_ns = max(self._last_ns, now)
        events, self._told = self._told, []
        if self._open_ns <= now:
            events += self._open(now)
        self._act(now, events)
        wall_ns = self.wall(now)
        self.lines.flush(now, wall_ns)
        if self.cycle is not None:
            self.cycle.wake(now, wall_ns, self.lines.next - 1)
        for stream in (self.lines, self.copies):
            if stream is not None and stream.deadline <= now:
                stream.beat(now, wall_ns)
        if self.glimpse is not None:
            events += self.glimpse.wake(now)
        return events

    def transmit(self, port: int = 0) -> list[bytes]:
        """Drain a port."""
        if self.glimpse is not None and port >= GLIMPSE:
            return self.glimpse.transmit(port)
        return self.outbox.take(port)

    # -- commands

    def pace(self, rate: int, now: int) -> None:
        """Let so many transactions happen per second from now on; 0 stops the flow.

        Raises: MisuseError when the rate is negative or above 10**9.
        """
        if not 0 <= rate <= _S:
            raise MisuseError(f"a rate is from 0 to 10**9, not {rate}")
        self._flowing = rate > 0
        if rate:
            self.floor.pace(_S // rate)
        self._due = now + self.floor.gap_ns() if self._flowing and self.is_up and not self._ended else NEVER

    def switch(self, place: int | None, now: int) -> None:
        """Let one switch send alone, 0 for A and 1 for B, as a client with bonded interfaces hears it; None: both.

        What was numbered before leaves by the lines that sent until now; the next packet comes by the others.
        """
        self.lines.flush(now, self.wall(now))
        for stream in (self.lines, self.copies):
            if stream is not None:
                stream.switch(place)

    def finish(self, now: int) -> None:
        """End the session: nothing happens any more, heartbeats say so, requests are still honoured."""
        if not self.is_up or self._ended:
            return
        self._ended, self._due = True, NEVER
        self.lines.finish(now, self.wall(now))
        self._tell(SessionEnded(self.epoch, self.lines.wire.session, self.lines.next), now)

    def restart(self, now: int, down_ns: int | None = None) -> None:
        """Go down, and come back with another session that counts from 1. Units: ns; None for the protocol's usual."""
        if self.is_up and not self._ended:
            self._tell(SessionEnded(self.epoch, self.lines.wire.session, self.lines.next), now)
        self._open_ns = now + (DOWN_NS[self.protocol] if down_ns is None else max(down_ns, 1))
        self._due = NEVER
        self.lines.pause()
        if self.copies is not None and self.cycle is not None:
            self.copies.pause()
            self.cycle.pause()
        if self.glimpse is not None:
            for event in self.glimpse.close():
                self._tell(event, now)

    def publish(self, transaction: Transaction, now: int) -> None:
        """Publish what an order from outside did (`StarbaseFloor.enter`). The driver drains the lines.

        Raises: MisuseError while the venue is down, or its session has ended.
        """
        if not self.is_up or self._ended:
            raise MisuseError("the venue is down")
        events: list[Event] = []
        self._publish(transaction, now, events)
        for event in events:
            self._tell(event, now)
        self.lines.flush(now, self.wall(now))

    def watch(self) -> list[Watched]:
        """Give the transactions since the last call; the first call begins, and gives none."""
        watched, self._watched = self._watched or (), deque(maxlen=MAX_WATCHED)
        return list(watched)

    @property
    def is_up(self) -> bool:
        """Say whether the venue is open, or has ended its session and still answers."""
        return self._open_ns == NEVER

    @property
    def publishes(self) -> bool:
        """Say whether `publish` is taken: the venue is open, and its session has not ended."""
        return self.is_up and not self._ended

    @property
    def idle(self) -> bool:
        """Say whether nothing will happen to the books any more."""
        return self.is_up and self._due == NEVER

    def wall(self, now: int) -> int:
        """Give what the venue's clock shows. Units: ns since 1970."""
        return self.settings.wall_ns + now

    def truth(self, instrument: int, first: int = 0, wall_ns: int = 0) -> Truth:
        """Say what is true of a book now; `first` is the number of its transaction's first message."""
        book = self.floor.facts(instrument)
        return Truth(
            self.epoch, self.lines.wire.session, first, self.lines.next - 1, book.name,
            book.bids[0] if book.bids else None, book.asks[0] if book.asks else None, digest(book.bids, book.asks),
            book.exponents, wall_ns,
        )  # fmt: skip

    # -- inside

    def _open(self, now: int) -> list[Event]:
        """Begin a session: introduce the instruments, tell the orders that rest."""
        self._open_ns, self._ended = NEVER, False
        self.epoch += 1
        self.lines.restart(self.epoch)
        events: list[Event] = [SessionBegan(self.epoch, self.lines.wire.session)]
        for transaction in self.floor.open(self.wall(now)):
            self._publish(transaction, now, events)
        if self._flowing:
            self._due = now + self.floor.gap_ns()
        if self.copies is not None and self.cycle is not None:
            self.copies.restart(self.epoch)
            self.cycle.begin(now)
        return events

    def _act(self, now: int, events: list[Event]) -> None:
        """Take the steps of the flow that are due."""
        for _ in range(MAX_STEPS):
            if self._due > now:
                return
            if self.transactions == self.settings.transactions:
                self._flowing, self._due = False, NEVER
                return
            self._publish(self.floor.step(self.wall(self._due)), self._due, events)
            self.transactions += 1
            self._due += self.floor.gap_ns()
        if self._due <= now:
            self.late_ns += now - self._due
            self._due = now + 1

    def _publish(self, transaction: Transaction, now: int, events: list[Event]) -> None:
        first = self.lines.next
        for message in transaction.messages:
            self.lines.add(message)
        if self._watched is not None:
            books = {instrument: self.floor.facts(instrument) for instrument in transaction.touched}
            self._watched.append(Watched(now, transaction, books))
        if self.settings.truth:
            events += [self.truth(instrument, first, self.wall(now)) for instrument in transaction.touched]

    def _tell(self, event: Event, now: int) -> None:
        """Keep an event until the driver comes by, which it should at once."""
        self._told.append(event)
        self._told_ns = max(now, self._last_ns)
