"""A simulated Starbase venue that takes orders: one exchange, gateways A, B and OUCH, and the feed that tells of all.

    venue = order_venue(Settings(seed=7), [Key("mm", secret)])
    venue.exchange.join("mm", Permit(...), deposit)
    venue.connect(ORDERS_A, now); venue.receive(data, now, ORDERS_A); venue.transmit(ORDERS_A)

It is a `Venue` with more ports, 64 connections on each gateway, and can stand wherever one can: behind faulty lines
(`WiredVenue`), or telling its books as JSON-RPC. What an account does is published at once; what the crowd does reaches
the accounts in the same step. A connection that a gateway has ended is told (`Disconnected`), once it has been drained.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from netfeed.machine import Buffer
from netfeed.proto.starbase_state import Timing
from netfeed.sim.exchange import Exchange
from netfeed.sim.exchange_floor import ExchangeFloor
from netfeed.sim.exchange_log import Log
from netfeed.sim.exchange_trading import BAND
from netfeed.sim.jsonrpc_gateway import JsonRpcGateway
from netfeed.sim.margin import Rates
from netfeed.sim.ouch_gateway import ouch_gateway
from netfeed.sim.session_gateway import Key, SessionGateway
from netfeed.sim.starbase_chain import Instrument
from netfeed.sim.starbase_gateway import starbase_gateway
from netfeed.sim.venue import Settings, Venue, starbase_parts
from netfeed.sim.venue_events import Disconnected, Event
from netfeed.sim.venue_ports import GLIMPSE, MAX_ORDER_CONNECTIONS, ORDER_GATEWAYS, ORDERS, ORDERS_A, ORDERS_B

__all__ = ["ORDERS_A", "ORDERS_B", "OrderVenue", "order_venue"]

JSON: Final = "JSON"
"""The name of the gateway that is none of ours: JSON-RPC, where a `JsonRpcVenue` tells of this venue."""
_S: Final = 10**9


def order_venue(
    settings: Settings, keys: Iterable[Key], *, bump_ns: int = 0, informed: bool = True, timing: Timing | None = None,
    band: int = BAND, rates: Rates | None = None, log: Log | None = None, listing: Sequence[Instrument] | None = None,
) -> "OrderVenue":  # fmt: skip
    """Make a Starbase venue whose orders all have owners. `listing`: its instruments, where not those of `chain`.

    Units: `band` out of a million of the mark.
    """
    floor = ExchangeFloor(
        settings.seed, count=settings.instruments, mean_gap_ns=_S // settings.rate, wall_ns=settings.wall_ns,
        at_ns=settings.wall_ns + settings.begin_ns, bump_ns=bump_ns, informed=informed, band=band, rates=rates, log=log,
        listing=listing,
    )  # fmt: skip
    return OrderVenue(settings, floor, list(keys), timing)


class OrderVenue(Venue):
    """The venue. `order_gateways` A and B and `ouch` may be killed, `exchange` joined by accounts and read."""

    def __init__(self, settings: Settings, floor: ExchangeFloor, keys: Sequence[Key], timing: Timing | None) -> None:
        super().__init__("starbase", settings, floor, **starbase_parts(settings, floor))
        self.board = floor.board
        self.keys = {key.client_id: key for key in keys}
        self.order_gateways = [
            starbase_gateway(floor.board, number, keys, seed=settings.seed + number, timing=timing) for number in (0, 1)
        ]
        self.ouch = ouch_gateway(floor.board, 2, keys, seed=settings.seed + 2)
        self.json: JsonRpcGateway | None = None
        self._owned = floor
        self._connected: set[int] = set()

    @property
    def exchange(self) -> Exchange:
        """Give the exchange: the truth."""
        return self._owned.exchange

    # -- the contract

    @property
    def deadline(self) -> int:
        """Say when something is due. Units: monotonic ns."""
        due = min(super().deadline, self.board.deadline, *(one.deadline for one in self._all))
        return min(due, self._last_ns) if self.board.transactions else due

    def connect(self, port: int, now: int) -> bool:
        """Take note that a client has connected to a gateway; False turns it away."""
        self._last_ns = max(self._last_ns, now)
        if not self._gateway(port).open(port, now):
            return False
        self._connected.add(port)
        return True

    def receive(self, data: Buffer, now: int, port: int = 0) -> Sequence[Event]:
        """Take what a client says: of orders, or any other that the venue listens to."""
        if port not in ORDERS:
            return super().receive(data, now, port)
        self._last_ns = max(self._last_ns, now)
        self._gateway(port).receive(data, now, port)
        self.tell(now)
        return []

    def end(self, now: int, port: int = GLIMPSE) -> Sequence[Event]:
        """Take note that a client closed."""
        if port not in ORDERS:
            return super().end(now, port)
        self._connected.discard(port)
        self._gateway(port).end(port, now)
        self.tell(now)
        return []

    def wake(self, now: int) -> Sequence[Event]:
        """Do what is due, of the exchange, the gateways and the feed; what the crowd did late may be due already."""
        events: list[Event] = []
        while self.deadline <= now:
            self.board.wake(now)
            for gateway in self._all:
                gateway.wake(now)
            self.tell(now)
            events += super().wake(now)
        return events

    def transmit(self, port: int = 0) -> list[bytes]:
        """Drain a port."""
        if port not in ORDERS:
            return super().transmit(port)
        taken = self._gateway(port).transmit(port)
        if port in self._connected and not self._gateway(port).is_open(port):
            self._connected.discard(port)
            self._tell(Disconnected(port, "the gateway ended the connection"), self._last_ns)
        return taken

    @property
    def gateway_names(self) -> Iterable[str]:
        """Name the order gateways; JSON where it is told as JSON-RPC, too."""
        return [*ORDER_GATEWAYS, JSON] if self.json is not None else list(ORDER_GATEWAYS)

    def gateway_named(self, name: str) -> SessionGateway | JsonRpcGateway:
        """Give a gateway by its name."""
        if name == JSON and self.json is not None:
            return self.json
        return self._all[list(ORDER_GATEWAYS).index(name)]

    def kill(self, gateway: int | str, now: int, *, forget: bool = False) -> None:
        """Let a gateway die: by its name, or 0 for A, 1 for B."""
        self._last_ns = max(self._last_ns, now)
        dying = self._all[gateway] if isinstance(gateway, int) else self.gateway_named(gateway)
        dying.kill(now, forget=forget)
        self.tell(now)

    def tell(self, now: int) -> None:
        """Tell the feed what accounts did; while it is down nobody is told, and the orders are told when it opens."""
        for transaction in self._owned.waiting(self.wall(now)):
            if self.publishes:
                self.publish(transaction, now)

    @property
    def _all(self) -> list[SessionGateway]:
        return [*self.order_gateways, self.ouch]

    def _gateway(self, port: int) -> SessionGateway:
        return self._all[(port - ORDERS_A) // MAX_ORDER_CONNECTIONS]
