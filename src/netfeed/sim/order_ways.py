"""The connections to the order gateways of a simulated venue, each with two wires: bytes are late, or frozen, on them.

    ways.connect(port, now)               a client has connected; False turns it away, `turned_away` says why
    ways.receive(data, now, port)         what it says leaves towards the venue
    ways.moved(events, now)               what has arrived on either side; parts for clients are in `arrived`

A connection that the venue has ended is told (`Disconnected`) when the last that it said has arrived. A client that
goes is heard out at once: what it had sent was on its way, and comes to the venue whatever it waits for.
"""

from collections import Counter
from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import Final

from netfeed.machine import NEVER, Buffer
from netfeed.sim.order_venue import OrderVenue
from netfeed.sim.outbox import Outbox
from netfeed.sim.pipe import Pipe, PipeWindow
from netfeed.sim.venue_events import Disconnected, Event
from netfeed.sim.venue_ports import ORDER_GATEWAYS, ORDERS

MAX_ARRIVED: Final = 8 * 2**20
"""What waits for a client that nobody drains. Units: bytes."""


@dataclass(slots=True)
class _Ways:
    """Both wires of a connection, and how the venue has ended it."""

    inward: Pipe
    outward: Pipe
    over: Disconnected | None = None

    @property
    def deadline(self) -> int:
        return min(self.inward.deadline if self.over is None else NEVER, self.outward.deadline)


class OrderWays:
    """The connections of a venue. `windows`: the faults of their wires, by the name of the gateway."""

    def __init__(self, venue: OrderVenue, seed: int) -> None:
        self.windows = {name: PipeWindow() for name in ORDER_GATEWAYS}
        self.turned_away: Counter[str] = Counter()
        self.arrived = Outbox(MAX_ARRIVED)
        self._venue, self._seed = venue, seed
        self._ways: dict[int, _Ways] = {}

    @property
    def deadline(self) -> int:
        """Say when something arrives. Units: monotonic ns."""
        return min((way.deadline for way in self._ways.values()), default=NEVER)

    def free(self, gateway: str, taken: Container[int] = ()) -> int | None:
        """Give a port for one more client, none of `taken`; None, and it is counted, when there is none left."""
        ports = ORDER_GATEWAYS[gateway]
        port = next((port for port in ports if port not in self._ways and port not in taken), None)
        if port is None:
            self.turned_away[f"{gateway} full"] += 1
        return port

    def connect(self, port: int, now: int) -> bool:
        """Take note that a client has connected; False, and it is counted, when the gateway is dead."""
        gateway = name_of(port)
        if not self._venue.connect(port, now):
            self.turned_away[f"{gateway} dead"] += 1
            return False
        window, seed = self.windows[gateway], self._seed * 1_000_003 + port
        self._ways[port] = _Ways(Pipe(window, seed), Pipe(window, ~seed & 2**63 - 1))
        return True

    def receive(self, data: Buffer, now: int, port: int) -> Sequence[Event]:
        """Take what a client sends; nobody hears it where no connection is."""
        way = self._ways.get(port)
        if way is None or way.over is not None or way.inward.send(data, now):
            return []
        self._venue.end(now, port)
        way.over = Disconnected(port, "it sends more than anybody takes")
        return []

    def end(self, now: int, port: int) -> Sequence[Event]:
        """Take note that a client closed."""
        way, events = self._ways.pop(port, None), list[Event]()
        for data in way.inward.drain() if way is not None and way.over is None else ():
            events += self._venue.receive(data, now, port)
        events += self._venue.end(now, port)
        self._venue.transmit(port)
        self.arrived.take(port)
        return events

    def moved(self, events: Sequence[Event], now: int) -> Sequence[Event]:
        """Let arrive what is due, on both sides."""
        if not self._ways:
            return events
        told = [one for one in events if not self._is_over(one)]
        for port, way in list(self._ways.items()):
            for data in way.inward.deliver(now) if way.over is None else ():
                told += [one for one in self._venue.receive(data, now, port) if not self._is_over(one)]
        for port, way in list(self._ways.items()):
            for data in self._venue.transmit(port):
                if not way.outward.send(data, now):
                    self._venue.end(now, port)
                    way.over = Disconnected(port, "the client does not read")
            for data in way.outward.deliver(now):
                self.arrived.put(port, data)
            if way.over is not None and not way.outward:
                told.append(way.over)
                del self._ways[port]
        return told

    def open(self, gateway: str) -> int:
        """Count the connections of a gateway."""
        return sum(port in self._ways for port in ORDER_GATEWAYS[gateway])

    def _is_over(self, event: Event) -> bool:
        """Keep the end of a connection until all has arrived that was said before."""
        if not isinstance(event, Disconnected) or event.port not in ORDERS:
            return False
        if event.port in self._ways:
            self._ways[event.port].over = event
        return True


def name_of(port: int) -> str:
    """Give the name of the gateway that a port leads to."""
    return next(name for name, ports in ORDER_GATEWAYS.items() if port in ports)
