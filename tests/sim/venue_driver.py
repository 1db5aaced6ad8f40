"""Drive a simulated venue in virtual time, by the driver's law, and keep all that it says."""

from collections import defaultdict
from typing import Any, TypeVar

from netfeed.machine import NEVER

PORTS = range(8)
T = TypeVar("T")


class Driven:
    """A venue, the time, what it sent by port, and what it told."""

    def __init__(self, venue: Any) -> None:
        self.venue = venue
        self.now = 0
        self.sent: dict[int, list[bytes]] = defaultdict(list)
        self.times: dict[int, list[int]] = defaultdict(list)
        self.events: list[Any] = []

    def run(self, until: int) -> "Driven":
        """Let time go by."""
        while (due := self.venue.deadline) <= until and due != NEVER:
            self.now = max(due, self.now)
            self._take(self.venue.wake(self.now))
        self.now = until
        return self

    def run_out(self) -> "Driven":
        """Let time go by until the flow is over."""
        while not (self.venue.epoch and self.venue.idle):
            self.run(self.venue.deadline)
        return self

    def ask(self, data: bytes, port: int = 4) -> tuple[list[Any], list[bytes]]:
        """Send a request; give the events and the answer."""
        events = list(self.venue.receive(data, self.now, port))
        return events, self.venue.transmit(port)

    def told(self, kind: type[T]) -> list[T]:
        return [event for event in self.events if isinstance(event, kind)]

    def _take(self, events: Any) -> None:
        self.events += events
        for port in PORTS:
            packets = self.venue.transmit(port)
            self.sent[port] += packets
            self.times[port] += [self.now] * len(packets)
