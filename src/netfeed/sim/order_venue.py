"""A simulated Starbase venue that takes orders: one exchange, gateways A and B, and the feed that tells of both.

    venue = order_venue(Settings(seed=7), [Key("mm", secret)])
    venue.exchange.join("mm", Permit(...), deposit)
    venue.connect(ORDERS_A, now), receive(data, now, ORDERS_A), transmit(ORDERS_A, now)

It keeps the contract of `netfeed.machine` with the ports of `Venue` and those of the gateways: 64 connections each.
What an account does is published at once; what the crowd does reaches the accounts in the same step.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from netfeed.machine import Buffer
from netfeed.proto.starbase_state import Timing
from netfeed.sim.exchange import Exchange
from netfeed.sim.exchange_floor import ExchangeFloor
from netfeed.sim.starbase_gateway import Key, StarbaseGateway
from netfeed.sim.venue import Settings, Venue, starbase_venue
from netfeed.sim.venue_events import Event

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
    return OrderVenue(starbase_venue(settings, floor), floor, list(keys), timing)


class OrderVenue:
    """The venue. `gateways` A and B may be killed, `venue` driven, `exchange` joined by accounts and read."""

    def __init__(self, venue: Venue, floor: ExchangeFloor, keys: Sequence[Key], timing: Timing | None) -> None:
        self.venue = venue
        self.floor = floor
        seed = venue.settings.seed
        self.gateways = [StarbaseGateway(floor.board, n, keys, seed=seed + n, timing=timing) for n in (0, 1)]

    @property
    def exchange(self) -> Exchange:
        """Give the exchange: the truth."""
        return self.floor.exchange

    # -- the contract

    @property
    def deadline(self) -> int:
        """Say when something is due. Units: monotonic ns."""
        return min(self.venue.deadline, self.floor.board.deadline, *(one.deadline for one in self.gateways))

    def connect(self, port: int, now: int) -> bool:
        """Take note that a client has connected to a gateway; False turns it away."""
        return self._gateway(port).open(port, now)

    def receive(self, data: Buffer, now: int, port: int = 0) -> Sequence[Event]:
        """Take what a client says: of orders, or any other that the venue listens to."""
        if not ORDERS_A <= port < _END:
            return self.venue.receive(data, now, port)
        self._gateway(port).receive(data, now, port)
        self._publish(now)
        return []

    def end(self, now: int, port: int) -> None:
        """Take note that a client of a gateway closed."""
        self._gateway(port).end(port, now)
        self._publish(now)

    def wake(self, now: int) -> Sequence[Event]:
        """Do what is due, of the exchange, the gateways and the feed."""
        self.floor.board.wake(now)
        for gateway in self.gateways:
            gateway.wake(now)
        self._publish(now)
        return self.venue.wake(now)

    def transmit(self, port: int, now: int) -> list[bytes]:
        """Drain a port."""
        if ORDERS_A <= port < _END:
            return self._gateway(port).transmit(port, now)
        return self.venue.transmit(port)

    def kill(self, gateway: int, now: int, *, forget: bool = False) -> None:
        """Let a gateway die: 0 for A, 1 for B."""
        self.gateways[gateway].kill(now, forget=forget)
        self._publish(now)

    def _gateway(self, port: int) -> StarbaseGateway:
        return self.gateways[port >= ORDERS_B]

    def _publish(self, now: int) -> None:
        """Tell the feed what accounts did; while it is down nobody is told, and the orders are told when it opens."""
        for transaction in self.floor.waiting(self.venue.wall(now)):
            if self.venue.publishes:
                self.venue.publish(transaction, now)
