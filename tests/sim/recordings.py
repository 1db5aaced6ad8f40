"""A recording of the simulated venue, made in virtual time: its lines, and the truth at their end."""

import json
from pathlib import Path
from typing import Any

from netfeed.sim.venue_events import StreamTruth
from netfeed.sim.venue_ports import STREAM
from netfeed.wire import recording
from tests.sim.jsonrpc_driver import Run, S

NAMES = ("BTC-PERPETUAL", "BTC-27MAR26", "BTC-27MAR26-80000-C", "BTC-27MAR26-80000-P")
CHANNELS = [f"{kind}.{name}.100ms" for name in NAMES for kind in ("book", "trades", "ticker")]
VENUE = {
    "name": "sim", "venue": "deribit", "instruments": ["*"], "currency": "any", "interval": "100ms", "trades": True,
    "tickers": True,
}  # fmt: skip
WALL = 1_772_438_400 * S


class Recorded:
    """A venue whose client records what it says and hears."""

    def __init__(self, **venue: Any) -> None:
        self.run = Run(**({"rate": 200} | venue))
        self.lines = [recording.encode_header(WALL, [VENUE])]
        self.connection = -1
        self.id = 1

    def note(self, kind: str, text: str) -> None:
        self.lines.append(recording.encode(WALL + self.run.now, 0, self.connection, kind, text))

    def open(self) -> "Recorded":
        self.connection += 1
        if STREAM not in self.run.venue.clients:
            self.run.venue.open(STREAM, self.run.now, "a")
        self.note(recording.OPENED, "ws://venue/ws/api/v2")
        return self

    def ask(self, method: str, **params: Any) -> "Recorded":
        request = json.dumps({"jsonrpc": "2.0", "id": self.id, "method": method, "params": params})
        self.id += 1
        self.note(recording.OUT, request)
        self.hear(self.run.venue.receive(request.encode(), self.run.now, STREAM))
        return self

    def listen(self, channels: list[str] | None = None) -> "Recorded":
        return self.ask("public/subscribe", channels=channels or CHANNELS)

    def go(self, span_ns: int) -> "Recorded":
        until = self.run.now + span_ns
        while self.run.venue.deadline <= until:
            self.run.now = self.run.venue.deadline
            self.hear(self.run.venue.wake(self.run.now))
        self.run.now = until
        return self

    def end(self) -> "Recorded":
        self.note(recording.ENDED, "enough")
        self.run.venue.end(self.run.now, STREAM)
        return self

    def hear(self, events: Any) -> None:
        self.run.events += events
        for message in self.run.venue.transmit(STREAM):
            self.note(recording.IN, message.decode())

    def write(self, path: Path) -> str:
        path.write_bytes(b"".join(self.lines))
        return str(path)

    @property
    def truths(self) -> dict[int, StreamTruth]:
        return self.run.truths


def usual(span_ns: int = 3 * S, **venue: Any) -> Recorded:
    """Record one connection that asks for the instruments, and one that listens."""
    one = Recorded(**venue).open().ask("public/get_instruments", currency="any").end()
    return one.open().listen().go(span_ns)
