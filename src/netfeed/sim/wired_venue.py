"""A simulated venue with the lines that lead from it and to it: each port speaks and hears through a `Link`.

It is a machine like the venue inside: whoever drives it sees packets when the lines let them through. So a venue on
real sockets and one in a simulated world misbehave in the same way, from the same seed.

    port                         line
    LINE_A, LINE_B, SNAPSHOT_*   multicast as the receivers hear it
    RETRANSMIT and the next      the answers of a server; silent is a dead server, delay a slow one
    GLIMPSE and the next         a stream, so that only delay and silence are possible
    INWARD + RETRANSMIT ...      requests on their way to a server
    INWARD + GLIMPSE             what clients of the snapshot server send: delay, silence, and loss of a whole
                                 connection, which is a login that nobody hears. A stream of which something was
                                 swallowed is never heard again: it would be torn
    ORDERS_A and the next        order sessions, where the venue takes orders (`order_ways`): delay, and a wire that is
                                 frozen; what the gateways themselves do wrong is `order_faults`
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from netfeed.errors import MisuseError
from netfeed.feed.ports import Port
from netfeed.machine import Buffer
from netfeed.sim.faults import NONE, Faults, Model, Window
from netfeed.sim.link import Link
from netfeed.sim.order_venue import OrderVenue
from netfeed.sim.order_ways import OrderWays
from netfeed.sim.outbox import Outbox
from netfeed.sim.venue import Venue
from netfeed.sim.venue_events import Event
from netfeed.sim.venue_ports import CONNECTIONS, GLIMPSE, INWARD, ORDERS, RETRANSMITS

DATAGRAMS: Final = (Port.LINE_A, Port.LINE_B, Port.SNAPSHOT_A, Port.SNAPSHOT_B, *RETRANSMITS)

MAX_ARRIVED: Final = 8 * 2**20
"""What waits on a port that nobody drains; more is dropped. Units: bytes."""


class WiredVenue:
    """A venue and its lines. `seed` names the chances of all lines; each draws its own."""

    def __init__(self, venue: Venue, *, seed: int = 0, faults: Mapping[int, Faults] | None = None) -> None:
        self.venue = venue
        self.links = {port: Link(seed=seed * 1_000_003 + port) for port in DATAGRAMS}
        self.inward = {port: Link(seed=seed * 1_000_003 + INWARD + port) for port in RETRANSMITS}
        self.logins = Model(seed=seed * 1_000_003 + INWARD + GLIMPSE)
        self.orders = OrderWays(venue, seed) if isinstance(venue, OrderVenue) else None
        self._streams: dict[int, Link] = {}
        self._coming: dict[int, Link | None] = {}  # what clients send; None: it is not heard
        self._arrived = Outbox(MAX_ARRIVED)
        self._glimpse = NONE
        self._glimpse_windows: list[Window] = []
        self._told: list[Event] = []
        self._now = 0
        for port, one in (faults or {}).items():
            self.change([port], one)

    @property
    def deadline(self) -> int:
        """Say when the venue acts or a packet arrives. Units: monotonic ns."""
        coming = [way for way in self._coming.values() if way is not None]
        ways = (*self.links.values(), *self._streams.values(), *self.inward.values(), *coming)
        if self._told:
            return self._now
        due = min(self.venue.deadline, min(way.deadline for way in ways))
        return due if self.orders is None else min(due, self.orders.deadline)

    def receive(self, data: Buffer, now: int, port: int = 0) -> Sequence[Event]:
        """Take what came in on a port of the venue."""
        if port in ORDERS and self.orders is not None:
            return self._moved(self.orders.receive(data, now, port), now)
        if port in CONNECTIONS:
            self._connect(port, now)
            if self.logins.at(now).silent:
                self._coming[port] = None
            way = self._coming[port]
        else:
            way = self.inward.get(port)
            if way is None:
                return self._moved(self.venue.receive(data, now, port), now)
        if way is not None:
            way.send(data, now)
        return self._moved((), now)

    def open(self, now: int, port: int = GLIMPSE) -> Sequence[Event]:
        """Take note that a GLIMPSE client has connected."""
        if port in CONNECTIONS:
            self._connect(port, now)
        return self._moved(self.venue.open(now, port), now)

    def connect(self, port: int, now: int) -> bool:
        """Take note that a client has connected to an order gateway; False turns it away."""
        return self.orders is not None and self.orders.connect(port, now)

    def end(self, now: int, port: int = GLIMPSE) -> Sequence[Event]:
        """Take note that a client of GLIMPSE, or of an order gateway, closed its connection."""
        if port in ORDERS and self.orders is not None:
            return self._moved(self.orders.end(now, port), now)
        events = self._moved(self.venue.end(now, port), now)
        self._streams.pop(port, None)
        self._coming.pop(port, None)
        self._arrived.take(port)
        return events

    def wake(self, now: int) -> Sequence[Event]:
        """Let the venue act, and packets arrive."""
        if now < self.deadline:
            return []
        events: list[Event] = []
        while self.deadline <= now:  # what arrives at the venue may make something due at once
            told, self._told = self._told, []
            events += [*told, *self._moved(self.venue.wake(now), now)]
        return events

    def transmit(self, port: int = 0) -> list[bytes]:
        """Drain what has come through the line of a port."""
        if port in ORDERS and self.orders is not None:
            return self.orders.arrived.take(port)
        return self._arrived.take(port)

    def taker(self) -> tuple[OrderVenue, OrderWays]:
        """Give the venue and the wires of its order sessions. Raises: MisuseError when it takes no orders."""
        if self.orders is None or not isinstance(self.venue, OrderVenue):
            raise MisuseError("this venue takes no orders: give it accounts")
        return self.venue, self.orders

    def flush(self, now: int) -> None:
        """Take over what a command to the venue has queued."""
        self._told += self._moved((), now)

    def change(self, ports: Iterable[int], faults: Faults) -> None:
        """Let these faults hold on lines from now on."""
        for port in ports:
            if port == INWARD + GLIMPSE:
                self.logins.faults, self.logins.windows = faults, []
            if port == GLIMPSE:
                self._glimpse = _for_streams(faults)
                self._glimpse_windows = []
            for link in self._on(port):
                link.change(self._glimpse if port == GLIMPSE else faults)

    def during(self, ports: Iterable[int], begin_ns: int, end_ns: int, faults: Faults) -> None:
        """Let these faults hold on lines for a time. Raises: MisuseError when there are too many such times."""
        for port in ports:
            if port == INWARD + GLIMPSE:
                self.logins.forget(self._now)
                self.logins.during(begin_ns, end_ns, faults)
            if port == GLIMPSE:
                faults = _for_streams(faults)
                self._glimpse_windows = [one for one in self._glimpse_windows if one.end_ns > self._now]
                self._glimpse_windows.append(Window(begin_ns, end_ns, faults))
            for link in self._on(port):
                link.during(begin_ns, end_ns, faults)

    def faults(self, port: int) -> Faults:
        """Give the faults of a line where no time says otherwise."""
        if port == INWARD + GLIMPSE:
            return self.logins.faults
        return self._glimpse if port == GLIMPSE else self._on(port)[0].faults

    def _on(self, port: int) -> list[Link]:
        if port == INWARD + GLIMPSE:
            return []  # connections that stand keep what they began with
        if port == GLIMPSE:
            return list(self._streams.values())
        return [self.links[port] if port < INWARD else self.inward[port - INWARD]]

    def _connect(self, port: int, now: int) -> None:
        """Lay the two ways of a connection that is not known yet."""
        if port in self._streams:
            return
        self._streams[port] = Link(self._glimpse, windows=self._glimpse_windows)
        heard = bool(self.logins.judge(now))
        self._coming[port] = Link(_for_streams(self.logins.at(now))) if heard else None

    def _moved(self, events: Sequence[Event], now: int) -> Sequence[Event]:
        """Put what the venue says on its lines."""
        self._now = max(self._now, now)
        for port, way in (*self.inward.items(), *self._coming.items()):
            for data in way.deliver(self._now) if way is not None else ():
                events = [*events, *self.venue.receive(data, self._now, port)]
        if self.orders is not None:
            events = self.orders.moved(events, self._now)
        for port, link in (*self.links.items(), *self._streams.items()):
            for data in self.venue.transmit(port):
                link.send(data, self._now)
            for data in link.deliver(self._now):
                self._arrived.put(port, data)
        return events


def _for_streams(faults: Faults) -> Faults:
    """Keep what can happen to a stream."""
    return replace(NONE, delay_ns=faults.delay_ns, jitter_ns=faults.jitter_ns, silent=faults.silent)
