"""A simulated venue's connections in virtual time, byte by byte, with our own client at the other end of each."""

import json
from typing import Any

from netfeed.machine import NEVER
from netfeed.proto import tls, websocket
from netfeed.proto.stack import Stack
from netfeed.sim.commands import command
from netfeed.sim.jsonrpc_venue import JsonRpcVenue, StreamSettings
from netfeed.sim.stream_venue import TARGET, StreamVenue
from netfeed.sim.venue import Settings, starbase_venue
from netfeed.sim.venue_events import Disconnected
from netfeed.sim.venue_ports import STREAM
from netfeed.sim.wired_venue import WiredVenue
from tests.proto import certificates
from tests.proto.opposite import client_side, server_side
from tests.proto.websocket_peers import no_entropy

S, MS = 10**9, 10**6


class Client:
    """One client: its machine, and all that it was told."""

    def __init__(self, now: int, *, secure: bool, target: str = TARGET) -> None:
        self.websocket = websocket.Client(certificates.NAME, target, now, random_bytes=no_entropy)
        self.machine: Any = self.websocket
        if secure:
            self.machine = Stack(tls.client(client_side(), certificates.NAME, now), self.websocket)
        self.events: list[Any] = []
        self.messages: list[Any] = []
        self.bytes = 0

    def take(self, told: Any) -> None:
        for one in told:
            if isinstance(one, websocket.Messages):
                self.messages += [json.loads(bytes(one[place])) for place in range(len(one))]
            else:
                self.events.append(one)

    def told(self, kind: type) -> list[Any]:
        return [one for one in self.events if isinstance(one, kind)]

    @property
    def changes(self) -> list[Any]:
        """Give the book messages that came."""
        data = [one["params"]["data"] for one in self.messages if one.get("method") == "subscription"]
        return [one for one in data if "change_id" in one]

    @property
    def answers(self) -> list[Any]:
        return [one for one in self.messages if "id" in one]


class Run:
    """A venue, the time, and its clients by port."""

    def __init__(self, *, secure: bool = True, clients: int = 1, **stream: Any) -> None:
        venue = WiredVenue(starbase_venue(Settings(rate=50, instruments=3, truth=False)))
        inner = JsonRpcVenue(venue, StreamSettings(truth=False, **stream), random_bytes=no_entropy)
        self.venue = StreamVenue(inner, server_side() if secure else None)
        self.secure, self.now = secure, 0
        self.events: list[Any] = []
        self.clients: dict[int, Client] = {}
        self.over: dict[int, str] = {}
        self.take(self.venue.wake(0))
        for place in range(clients):
            self.connect(STREAM + place)

    def connect(self, port: int, target: str = TARGET) -> Client:
        self.venue.open(port, self.now, "127.0.0.1")
        self.over.pop(port, None)
        self.clients[port] = Client(self.now, secure=self.secure, target=target)
        self.exchange()
        return self.clients[port]

    def take(self, events: Any) -> None:
        self.events += events
        gone = [one for one in events if isinstance(one, Disconnected)]
        self.over |= {one.port: one.reason for one in gone}

    def exchange(self) -> None:
        """Carry bytes both ways until none is left; a connection that is over ends, after its last bytes."""
        moved = True
        while moved:
            moved = False
            for port, client in self.clients.items():
                for data in self.venue.transmit(port):
                    client.bytes += len(data)
                    client.take(client.machine.receive(data, self.now))
                    moved = True
                if self.over.get(port):
                    self.over[port] = ""
                    client.take(client.machine.end(self.now))
                for data in client.machine.transmit():
                    if port not in self.over:
                        self.take(self.venue.receive(data, self.now, port))
                        moved = True
            while self.venue.deadline <= self.now:
                self.take(self.venue.wake(self.now))
                moved = True

    def run(self, span_ns: int) -> "Run":
        """Let time go by."""
        until = self.now + span_ns
        while True:
            self.exchange()
            due = min(self.venue.deadline, *(one.machine.deadline for one in self.clients.values()), NEVER)
            if due > until:
                break
            self.now = max(self.now, due)
            self.take(self.venue.wake(self.now))
            for client in self.clients.values():
                client.take(client.machine.wake(self.now))
        self.now = until
        return self

    def tell(self, text: str) -> None:
        command(self.venue.inner.inner, text, self.now, self.venue)  # type: ignore[arg-type]
        self.exchange()

    def ask(self, method: str, port: int = STREAM, **params: Any) -> None:
        self.clients[port].websocket.send_text(json.dumps({"id": 1, "method": method, "params": params}))
        self.exchange()
