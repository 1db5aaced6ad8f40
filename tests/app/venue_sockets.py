"""A simulated venue on real sockets of loopback, driven by the test's own thread between the turns of the handler."""

import random
import socket
import time
from collections.abc import Callable
from typing import Any

from netfeed.app.config import parse
from netfeed.app.live import Live
from netfeed.book.digest import digest
from netfeed.book.level import Side
from netfeed.book.state import BookState
from netfeed.feed.ports import Port
from netfeed.sim.venue import Venue
from netfeed.sim.venue_ports import GLIMPSE

GROUPS = {
    Port.LINE_A: "233.252.0.71", Port.LINE_B: "233.252.0.72", Port.SNAPSHOT_A: "233.252.0.73",
    Port.SNAPSHOT_B: "233.252.0.74",
}  # fmt: skip
Loses = Callable[[int, float], bool]


class VenueOnSockets:
    """Send what the venue sends; `loses(port, draw)` says what the lines lose."""

    def __init__(self, venue: Venue, seed: int, loses: Loses) -> None:
        self.venue = venue
        self.truth: dict[str, Any] = {}
        self.lost = 0
        self._loses = loses
        self._draw = random.Random(seed)
        self._began = time.monotonic_ns()
        self._lines = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._lines.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
        self._lines.bind(("127.0.0.1", 0))
        self._server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._glimpse = socket.create_server(("127.0.0.1", 0))
        self._server.bind(("127.0.0.1", 0))
        self._clients: dict[int, socket.socket] = {}
        for one in (self._server, self._glimpse):
            one.setblocking(False)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]

    def toml(self, how: str, snapshots: bool, more: str = "") -> str:
        """Write the configuration of a handler of this venue."""
        names = {port: f'{{ group = "{group}:{self.port}" }}' for port, group in GROUPS.items()}
        lines = f"lines = [{names[Port.LINE_A]}, {names[Port.LINE_B]}]"
        if snapshots:
            lines += f"\nsnapshots = [{names[Port.SNAPSHOT_A]}, {names[Port.SNAPSHOT_B]}]"
        return f"""
schema_version = 1
[[channels]]
name = "sim"
protocol = "{self.venue.protocol}"
interface = "lo"
{lines}
retransmit = [{{ address = "127.0.0.1:{self._server.getsockname()[1]}" }}]
{more.replace("GLIMPSE", f"127.0.0.1:{self._glimpse.getsockname()[1]}")}
[receive]
how = "{how}"
[endpoints]
listen = ""
"""

    def configured(self, how: str, snapshots: bool, more: str = "") -> Any:
        """Read that configuration."""
        return parse(self.toml(how, snapshots, more).encode(), "sim.toml")

    @property
    def now(self) -> int:
        """Give the venue's time."""
        return time.monotonic_ns() - self._began

    def step(self) -> None:
        """Let the venue do what is due, answer who asked, and put all of it on the wire."""
        self._told(self.venue.wake(self.now))
        for port, group in GROUPS.items():
            for packet in self.venue.transmit(port):
                if self._loses(port, self._draw.random()):
                    self.lost += 1
                else:
                    self._lines.sendto(packet, (group, self.port))
        self._answer()
        self._serve()

    def close(self) -> None:
        """Close all sockets."""
        for one in (self._lines, self._server, self._glimpse, *self._clients.values()):
            one.close()

    def _answer(self) -> None:
        while True:
            try:
                data, peer = self._server.recvfrom(65536)
            except BlockingIOError:
                return
            self._told(self.venue.receive(data, self.now, Port.RETRANSMIT))
            for packet in self.venue.transmit(Port.RETRANSMIT):
                self._server.sendto(packet, peer)

    def _serve(self) -> None:
        try:
            one, _ = self._glimpse.accept()
            self._clients[GLIMPSE + len(self._clients)] = one
        except BlockingIOError:
            pass
        for port, one in self._clients.items():
            if one.fileno() < 0:
                continue
            one.setblocking(False)
            try:
                data = one.recv(65536)
                if data:
                    self._told(self.venue.receive(data, self.now, port))
                else:
                    self._told(self.venue.end(self.now, port))
                    one.close()
                    continue
            except BlockingIOError:
                pass
            one.setblocking(True)
            for packet in self.venue.transmit(port):
                one.sendall(packet)

    def _told(self, events: Any) -> None:
        for event in events:
            if type(event).__name__ == "Truth":
                self.truth[event.instrument] = event


def run_until_equal(venue: VenueOnSockets, live: Live, seconds: float = 60.0) -> None:
    """Turn both until the flow is over and the books of both are equal and LIVE."""
    end = time.monotonic_ns() + int(seconds * 1e9)
    differs: list[str] = ["nothing compared yet"]
    while time.monotonic_ns() < end:
        venue.step()
        live.turn(time.monotonic_ns() + 200_000)
        if venue.venue.idle and live.turns % 50 == 0:
            differs = differences(venue, live)
            if not differs:
                return
    raise AssertionError(f"after {seconds} s the books differ: {differs[:5]}")


def differences(venue: VenueOnSockets, live: Live) -> list[str]:
    """Name the books that are not LIVE, or not the venue's, level by level."""
    with live.held():
        found = {}
        for slot in live.slots:
            for number, name in enumerate(slot.feed.names):
                found[name] = slot.feed.books[number]
        differs = []
        for name, truth in venue.truth.items():
            book = found.get(name)
            if book is None or book.state != BookState.LIVE:
                differs.append(f"{name}: {book and BookState(book.state).name}")
                continue
            levels = [[(one.price, one.quantity, one.orders) for one in book.depth(side, 10**6)] for side in Side]
            if digest(levels[Side.BID], levels[Side.ASK]) != truth.digest:
                differs.append(f"{name}: another digest")
        return differs
