"""Drive a simulated JSON-RPC venue in virtual time, as one of its clients sees it; read books in the plainest way."""

import json
from decimal import Decimal
from typing import Any

from netfeed.book.digest import digest
from netfeed.machine import NEVER
from netfeed.sim.jsonrpc_venue import JsonRpcVenue, StreamSettings
from netfeed.sim.venue import Settings, starbase_venue
from netfeed.sim.venue_events import HungUp, StreamTruth
from netfeed.sim.venue_ports import STREAM
from netfeed.sim.wired_venue import WiredVenue

S = 10**9
MS = 10**6
FREE = StreamSettings()


def some_bytes(count: int) -> bytes:
    return bytes(range(count))


class Run:
    """A venue, the time, what each client was sent, and what the venue told."""

    def __init__(self, settings: StreamSettings = FREE, *, clients: int = 1, **venue: Any) -> None:
        inner = WiredVenue(starbase_venue(Settings(**({"rate": 500, "instruments": 4, "truth": False} | venue))))
        self.venue = JsonRpcVenue(inner, settings, random_bytes=some_bytes)
        self.now, self.asked = 0, 0
        self.events: list[Any] = []
        self.heard: dict[int, list[dict[str, Any]]] = {}
        self.run(0)
        for place in range(clients):
            self.heard[STREAM + place] = []
            assert self.venue.open(STREAM + place, 0, peer="127.0.0.1")

    def run(self, span_ns: int) -> "Run":
        """Let time go by."""
        until = self.now + span_ns
        while (due := self.venue.deadline) <= until and due != NEVER:
            self.now = max(due, self.now)
            self.take(self.venue.wake(self.now))
        self.now = until
        return self

    def take(self, events: Any) -> None:
        self.events += events
        for port, heard in self.heard.items():
            heard += [json.loads(one, parse_float=Decimal) for one in self.venue.transmit(port)]

    def send(self, data: bytes, port: int = STREAM) -> list[dict[str, Any]]:
        """Send a message; give what came back at once."""
        before = len(self.heard[port])
        self.take(self.venue.receive(data, self.now, port))
        return self.heard[port][before:]

    def ask(self, method: str, port: int = STREAM, **params: Any) -> Any:
        """Ask; give the result, or the error."""
        answer, *_ = self.asking(method, port, **params)
        assert answer["id"] == self.asked
        assert answer["usOut"] - answer["usIn"] == answer["usDiff"]
        return answer["result"] if "result" in answer else answer["error"]

    def asking(self, method: str, port: int = STREAM, **params: Any) -> list[dict[str, Any]]:
        """Ask; give all that came back at once."""
        self.asked += 1
        request = {"jsonrpc": "2.0", "id": self.asked, "method": method, "params": params}
        return self.send(json.dumps(request).encode(), port)

    def enter(self, port: int = STREAM) -> None:
        """Authenticate."""
        answer = self.ask("public/auth", port, grant_type="client_credentials", client_id="id", client_secret="secret")
        assert answer["token_type"] == "bearer"

    def told(self, channel: str, port: int = STREAM) -> list[Any]:
        """Give what a channel said so far."""
        heard = [one["params"] for one in self.heard[port] if one.get("method") == "subscription"]
        return [params["data"] for params in heard if params["channel"] == channel]

    @property
    def truths(self) -> dict[int, StreamTruth]:
        return {one.change_id: one for one in self.events if isinstance(one, StreamTruth)}

    @property
    def hung_up(self) -> list[HungUp]:
        return [one for one in self.events if isinstance(one, HungUp)]


class Reader:
    """A book from the messages of a channel, and whether they hang together."""

    def __init__(self) -> None:
        self.sides: tuple[dict[Decimal, Decimal], dict[Decimal, Decimal]] = ({}, {})
        self.change_id: int | None = None
        self.breaks = 0

    def read(self, data: dict[str, Any]) -> "Reader":
        if data["type"] == "snapshot":
            self.sides = ({}, {})
            assert "prev_change_id" not in data
        elif data["prev_change_id"] != self.change_id:
            self.breaks += 1
        self.change_id = data["change_id"]
        for side, rows in zip(self.sides, (data["bids"], data["asks"]), strict=True):
            for action, price, amount in rows:
                assert (action == "new") == (price not in side), (action, price)
                assert (action == "delete") == (amount == 0)
                side[price] = amount
                if action == "delete":
                    del side[price]
        return self

    def digest(self) -> int:
        bids, asks = (
            [(int(price * S), int(amount * S), 0) for price, amount in sorted(side.items(), reverse=place == 0)]
            for place, side in enumerate(self.sides)
        )
        return digest(bids, asks)
