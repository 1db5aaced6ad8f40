"""A simulated Starbase venue that takes orders: one exchange, gateways A and B, and the feed that tells of both.

    venue = order_venue(Settings(seed=7), [Key("mm", secret)])
    venue.exchange.join("mm", Permit(...), deposit)
    venue.connect(ORDERS_A, now); venue.receive(data, now, ORDERS_A); venue.transmit(ORDERS_A)

It is a `Venue` with more ports, 64 connections on each gateway, and can stand wherever one can: behind faulty lines
(`WiredVenue`), or telling its books as JSON-RPC. What an account does is published at once; what the crowd does reaches
the accounts in the same step.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from netfeed.machine import Buffer
from netfeed.proto.starbase_state import Timing
from netfeed.sim.exchange import Exchange
from netfeed.sim.exchange_floor import ExchangeFloor
from netfeed.sim.starbase_gateway import Key, StarbaseGateway
from netfeed.sim.venue import Settings, Venue, starbase_parts
from netfeed.sim.venue_events import Event
from netfeed.sim.venue_ports import GLIMPSE

ORDERS_A: Final = 2000
"""The first connection to gateway A; the next ones count up."""
ORDERS_B: Final = 2064
_END: Final = 2128
_S: Final = 10**9


def order_venue(
    settings: Settings, keys: Iterable[Key], *, bump_ns: int = 0, informed: bool = True, timing: Timing | None = None
) -> "OrderVenue":
    """Make a Starbase venue whose orders all have owners."""
    floor = ExchangeFloor(
        settings.seed, count=settings.instruments, mean_gap_ns=_S // settings.rate, wall_ns=settings.wall_ns,
        bump_ns=bump_ns, informed=informed,
    )  # fmt: skip
    return OrderVenue(settings, floor, list(keys), timing)


class OrderVenue(Venue):
    """The venue. `order_gateways` A and B may be killed, `exchange` joined by accounts and read."""

    def __init__(self, settings: Settings, floor: ExchangeFloor, keys: Sequence[Key], timing: Timing | None) -> None:
        super().__init__("starbase", settings, floor, **starbase_parts(settings, floor))
        self.board = floor.board
        self.keys = {key.client_id: key for key in keys}
        self.order_gateways = [
            StarbaseGateway(floor.board, number, keys, seed=settings.seed + number, timing=timing) for number in (0, 1)
        ]
        self._owned = floor

    @property
    def exchange(self) -> Exchange:
        """Give the exchange: the truth."""
        return self._owned.exchange

    # -- the contract

    @property
    def deadline(self) -> int:
        """Say when something is due. Units: monotonic ns."""
        due = min(super().deadline, self.board.deadline, *(one.deadline for one in self.order_gateways))
        return min(due, self._last_ns) if self.board.transactions else due

    def connect(self, port: int, now: int) -> bool:
        """Take note that a client has connected to a gateway; False turns it away."""
        return self._gateway(port).open(port, now)

    def receive(self, data: Buffer, now: int, port: int = 0) -> Sequence[Event]:
        """Take what a client says: of orders, or any other that the venue listens to."""
        if not ORDERS_A <= port < _END:
            return super().receive(data, now, port)
        self._last_ns = max(self._last_ns, now)
        self._gateway(port).receive(data, now, port)
        self.tell(now)
        return []

    def end(self, now: int, port: int = GLIMPSE) -> Sequence[Event]:
        """Take note that a client closed."""
        if not ORDERS_A <= port < _END:
            return super().end(now, port)
        self._gateway(port).end(port, now)
        self.tell(now)
        return []

    def wake(self, now: int) -> Sequence[Event]:
        """Do what is due, of the exchange, the gateways and the feed; what the crowd did late may be due already."""
        events: list[Event] = []
        while self.deadline <= now:
            self.board.wake(now)
            for gateway in self.order_gateways:
                gateway.wake(now)
            self.tell(now)
            events += super().wake(now)
        return events

    def transmit(self, port: int = 0) -> list[bytes]:
        """Drain a port."""
        return self._gateway(port).transmit(port) if ORDERS_A <= port < _END else super().transmit(port)

    def kill(self, gateway: int, now: int, *, forget: bool = False) -> None:
        """Let a gateway die: 0 for A, 1 for B."""
        self.order_gateways[gateway].kill(now, forget=forget)
        self.tell(now)

    def tell(self, now: int) -> None:
        """Tell the feed what accounts did; while it is down nobody is told, and the orders are told when it opens."""
        for transaction in self._owned.waiting(self.wall(now)):
            if self.publishes:
                self.publish(transaction, now)

    def _gateway(self, port: int) -> StarbaseGateway:
        return self.order_gateways[port >= ORDERS_B]
