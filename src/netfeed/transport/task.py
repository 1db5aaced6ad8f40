"""A machine with its endpoints, whoever drives them, and the driver's law: one input, hand over its events, drain every
port, read the deadline.

A peer that closes its side is told to the machine (`end`, with the port where the machine wants to know it), and what
the machine then still says is sent, for LINGER_NS at most, before the endpoint is closed. `finish` is the same from
this side: sending ends behind all that waits, and the peer's end is waited for.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

from netfeed.machine import NEVER, Machine
from netfeed.transport.endpoint import Endpoint
from netfeed.transport.network import NetworkError

LINGER_NS: Final = 5_000_000_000
"""How long an endpoint whose end has come may still take to send what waits."""

Events = Callable[[Sequence[Any], int], None]
"""Who takes a machine's events, with the time at which they happened."""


def nothing(events: Sequence[Any], now: int) -> None:
    """Take events and do nothing with them."""


def raise_error(endpoint: Endpoint, error: NetworkError) -> None:
    """Let the error of an endpoint end the loop: for those who did not say what else to do."""
    raise error


class Driving(Protocol):
    """What a task needs of the loop that it is on."""

    @property
    def clock(self) -> Callable[[], int]:
        """Give the clock."""

    def interest(self, endpoint: Endpoint) -> None:
        """Wait for room to write only while something waits to be written."""

    def release(self, endpoint: Endpoint) -> None:
        """Wait for an endpoint no more."""

    def remove(self, task: "Task") -> None:
        """Take a machine off and close its endpoints."""


class Task:
    """A machine on a loop, and the driver's law. Made by `Loop.add`."""

    def __init__(
        self, loop: Driving, machine: Machine, ports: Mapping[int, Endpoint], events: Events,
        failed: Callable[[Endpoint, NetworkError], None],
    ) -> None:  # fmt: skip
        self.machine = machine
        self.ports = dict(ports)
        self.deadline = NEVER
        self._loop, self._events, self._failed = loop, events, failed
        self._lingers: dict[int, int] = {}
        self._ends_by_port = _takes_port(getattr(machine, "end", None))
        self._is_finishing = False

    def receive(self, port: int, now: int) -> None:
        """Take what waits at an endpoint, one input after the other."""
        endpoint = self.ports[port]
        if endpoint.ended:  # it only waited to send on, and cannot
            self.drop(port)
            return
        try:
            inputs = endpoint.receive()
        except NetworkError as error:
            self._end(port, error)
            return
        for data in inputs:
            if self.ports.get(port) is not endpoint:  # whoever took the events closed it
                return
            self.take(self.machine.receive(data, now, port), now)
        if endpoint.ended and self.ports.get(port) is endpoint:
            self._finish(port, endpoint, now)

    def wake(self, now: int) -> None:
        """Tell the machine that its deadline has passed, and close what took too long to end."""
        for port in [port for port, due in self._lingers.items() if due <= now]:
            self.drop(port)
        self.take(self.machine.wake(now), now)

    def kick(self) -> None:
        """Drain and read the deadline, after a command to the machine."""
        self.take((), self._loop.clock())

    def take(self, events: Sequence[Any], now: int) -> None:
        """Hand over events, drain every port, read the deadline."""
        if events:
            self._events(events, now)
        for port, endpoint in tuple(self.ports.items()):
            out = self.machine.transmit(port)
            if out and port not in self._lingers:
                try:
                    endpoint.send(out)
                except NetworkError as error:
                    self._end(port, error)
                if endpoint.wants_write:  # `flush` says when nothing waits any more
                    self._loop.interest(endpoint)
        self.deadline = self.machine.deadline
        if self._lingers:
            self.deadline = min(self.deadline, *self._lingers.values())

    def finish(self) -> None:
        """Drain, end sending behind all that waits, and close when the peer has closed too, or after LINGER_NS."""
        now, self._is_finishing = self._loop.clock(), True
        self.kick()
        for port, endpoint in list(self.ports.items()):
            end = getattr(endpoint, "end_sending", None)
            if end is None:
                self.drop(port)
                continue
            end()
            self._lingers.setdefault(port, now + LINGER_NS)
        self.deadline = min(self.machine.deadline, min(self._lingers.values(), default=NEVER))

    def close(self) -> None:
        """Take the machine off the loop and close its endpoints."""
        self._loop.remove(self)

    def flush(self, port: int) -> None:
        """Send on what an endpoint could not send before."""
        endpoint = self.ports[port]
        try:
            endpoint.flush()
        except NetworkError as error:
            self._end(port, error)
        self._loop.interest(endpoint)
        if endpoint.ended and not endpoint.wants_write:
            self.drop(port)

    def _finish(self, port: int, endpoint: Endpoint, now: int) -> None:
        """The peer closed: what the machine has to say to that goes out first."""
        end = getattr(self.machine, "end", None)
        if end is not None:
            self.take(end(now, port) if self._ends_by_port else end(now), now)
        if self.ports.get(port) is not endpoint:
            return
        if endpoint.wants_write:
            self._lingers.setdefault(port, now + LINGER_NS)
            self.deadline = min(self.deadline, self._lingers[port])
            self._loop.interest(endpoint)
        else:
            self.drop(port)

    def _end(self, port: int, error: NetworkError) -> None:
        """An endpoint failed; where its end had come already, that is nothing to tell."""
        endpoint = self.ports.get(port)
        if endpoint is not None:
            self.drop(port)
            if not endpoint.ended:
                self._failed(endpoint, error)

    def drop(self, port: int) -> None:
        """Close one endpoint; the machine goes on with the others."""
        endpoint = self.ports.pop(port, None)
        self._lingers.pop(port, None)
        if endpoint is not None:
            self._loop.release(endpoint)
            endpoint.close()
        if self._is_finishing and not self.ports:
            self._loop.remove(self)


def _takes_port(end: Callable[..., Any] | None) -> bool:
    """Say whether a machine wants to know which of its ports has ended."""
    return end is not None and "port" in inspect.signature(end).parameters
