"""A venue that takes orders behind its wires, clients of its gateways, and the time: an integer."""

from typing import Any

from netfeed.book.execution import Report
from netfeed.proto import ouch_orders, starbase_orders
from netfeed.sim.commands import command
from netfeed.sim.exchange_trading import Permit
from netfeed.sim.order_venue import order_venue
from netfeed.sim.ouch_gateway import PASSWORD, stocks
from netfeed.sim.session_gateway import Key
from netfeed.sim.starbase_gateway import listed
from netfeed.sim.terms import MONEY
from netfeed.sim.venue import Settings
from netfeed.sim.venue_events import Disconnected
from netfeed.sim.venue_ports import ORDER_GATEWAYS
from netfeed.sim.wired_venue import WiredVenue

MS = 1_000_000
USD = 10**9
SECRET = "s3cret-of-thirty-two-characters!"
Client = starbase_orders.Client | ouch_orders.Client


class Sessions:
    """The venue `wired`, its `exchange`, and clients by port; what each was told, and which connections were ended."""

    def __init__(self, *names: str, rate: int = 1, **more: Any) -> None:
        settings = Settings(seed=7, rate=rate, instruments=3, truth=False)
        names = names or ("mm",)
        venue = order_venue(settings, [Key(name, SECRET) for name in names], **more)
        self.exchange = venue.exchange
        self.wired = WiredVenue(venue, seed=3)
        self.clients: dict[int, Client] = {}
        self.told: dict[int, list[Any]] = {}
        self.over: list[int] = []
        self.now = 0
        for name in names:
            self.exchange.join(name, Permit(), 1_000 * MONEY)
        self.run(MS)

    def tell(self, text: str) -> None:
        command(self.wired, text, self.now)
        self.pump()

    def connect(self, gateway: str, *, past: Any = None) -> int | None:
        """Connect to a gateway; give the port, None when it turned us away."""
        port = self.wired.taker()[1].free(gateway)
        if port is None or not self.wired.connect(port, self.now):
            return None
        if gateway == "OUCH":
            midnight = self.wired.venue.settings.wall_ns // 86_400_000_000_000 * 86_400_000_000_000
            self.clients[port] = ouch_orders.Client(port, stocks(self.exchange), past, midnight_ns=midnight)
        else:
            epoch_ns = self.wired.venue.settings.wall_ns
            self.clients[port] = starbase_orders.Client(port, listed(self.exchange), self.now, past, epoch_ns=epoch_ns)
        self.told[port] = []
        return port

    def log_on(self, gateway: str, name: str = "mm", **options: Any) -> int:
        """Connect and log on; give the port."""
        port = self.connect(gateway, past=options.pop("past", None))
        assert port is not None
        client = self.clients[port]
        if isinstance(client, ouch_orders.Client):
            client.login(name, SECRET[:PASSWORD], self.now)
        else:
            client.logon(name, SECRET, self.now, **options)
        self.pump()
        return port

    def send(self, port: int, request: Any) -> list[Report]:
        """Ask for something; give what is told at once."""
        before = len(self.told[port])
        self.clients[port].send(request, self.now)
        self.pump()
        return self.told[port][before:]

    def pump(self) -> None:
        """Carry what waits, until nobody says anything more at this moment."""
        while True:
            moved = False
            for port, client in list(self.clients.items()):
                for data in client.transmit():
                    moved = True
                    self._hear(self.wired.receive(data, self.now, port))
                for data in self.wired.transmit(port):
                    moved = True
                    self.told[port] += client.receive(data, self.now)
            if self.wired.deadline <= self.now:
                moved = True
                self._hear(self.wired.wake(self.now))
            for port in range(8):
                self.wired.transmit(port)
            if not moved:
                return

    def run(self, ns: int) -> None:
        """Let time pass."""
        until = self.now + ns
        while (due := min([self.wired.deadline, *(one.deadline for one in self.clients.values())])) <= until:
            self.now = max(self.now, due)
            for port, client in self.clients.items():
                if client.deadline <= self.now:
                    self.told[port] += client.wake(self.now)
            self.pump()
        self.now = until

    def leave(self, port: int) -> None:
        """Let a client close its connection."""
        self.told[port] += self.clients.pop(port).end(self.now)
        self._hear(self.wired.end(self.now, port))
        self.pump()

    def _hear(self, events: Any) -> None:
        for event in events:
            if isinstance(event, Disconnected):
                self.over.append(event.port)
                client = self.clients.pop(event.port, None)
                for data in self.wired.transmit(event.port):
                    self.told[event.port] += client.receive(data, self.now) if client else []
                self.told[event.port] += client.end(self.now) if client else []
                self.wired.end(self.now, event.port)

    def open(self, gateway: str) -> int:
        """Count the connections of a gateway."""
        assert gateway in ORDER_GATEWAYS
        return self.wired.taker()[1].open(gateway)
