"""Drive the same machines under asyncio, for programs that live there already.

The endpoints are those of `loop`; the descriptors are read by `add_reader`, never through a DatagramProtocol, which
costs some forty microseconds a packet. The driver's law is kept: one input, hand over its events, drain every port,
read the deadline, wait.

    async with Driver(machine, {Port.LINE_A: incoming(socket)}, events=take) as driver:
        await driver.finished()

uvloop works as well. Leaves out: the hot path of a feed (`receiver`).
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Final, Self

from netfeed.machine import NEVER, Machine
from netfeed.transport.endpoint import Endpoint
from netfeed.transport.network import NetworkError
from netfeed.transport.task import Events, Task, nothing

MAX_WAIT_S: Final = 3600.0
"""The longest timer: an event loop adds it to its clock as a float."""


class Driver:
    """One machine on the running event loop. Enter it to begin, leave it to close the endpoints."""

    def __init__(
        self, machine: Machine, ports: Mapping[int, Endpoint], *, events: Events = nothing,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:  # fmt: skip
        self.clock = clock
        self._aio: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._writing: set[int] = set()
        self._done: asyncio.Future[None] | None = None
        self._ports = dict(ports)
        self._task = Task(self, machine, self._ports, events, self._failed)

    async def __aenter__(self) -> Self:
        self._aio = asyncio.get_running_loop()
        self._done = self._aio.create_future()
        for port, endpoint in self._ports.items():
            if endpoint.receives:
                self._aio.add_reader(endpoint.fileno(), self._receive, port)
            self.interest(endpoint)
        self.kick()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def finished(self) -> None:
        """Wait until every endpoint has ended, or `close`.

        Raises: NetworkError when one failed.
        """
        assert self._done is not None, "enter the driver first"
        await asyncio.shield(self._done)

    def kick(self) -> None:
        """Drain and read the deadline, after a command to the machine."""
        self._task.kick()
        self._arm()

    def finish(self) -> None:
        """End sending behind all that waits; the driver is finished when the peer has closed too, or after a while."""
        self._task.finish()
        self._arm()

    def close(self) -> None:
        """Take the machine off the event loop and close its endpoints."""
        self.remove(self._task)
        self._finish()

    def interest(self, endpoint: Endpoint) -> None:
        """Wait for room to write only while something waits to be written."""
        fd = endpoint.fileno()
        if self._aio is None or fd < 0:
            return
        if endpoint.ended:  # an end would be readable for ever
            self._aio.remove_reader(fd)
        if endpoint.wants_write == (fd in self._writing):
            return
        port = next((port for port, one in self._task.ports.items() if one is endpoint), None)
        if endpoint.wants_write and port is not None:
            self._writing.add(fd)
            self._aio.add_writer(fd, self._flush, port)
        else:
            self._writing.discard(fd)
            self._aio.remove_writer(fd)

    def release(self, endpoint: Endpoint) -> None:
        """Wait for an endpoint no more."""
        fd = endpoint.fileno()
        if self._aio is not None and fd >= 0:
            self._aio.remove_reader(fd)
            self._aio.remove_writer(fd)
            self._writing.discard(fd)

    def remove(self, task: Task) -> None:
        """Take the machine off: what `Task.close` asks for."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for port in list(task.ports):
            task.drop(port)

    def _receive(self, port: int) -> None:
        if port in self._task.ports:
            self._task.receive(port, self.clock())
            self._arm()

    def _flush(self, port: int) -> None:
        if port in self._task.ports:
            self._task.flush(port)
            self._arm()

    def _wake(self) -> None:
        self._timer = None
        now = self.clock()
        if self._task.deadline <= now:
            self._task.wake(now)
        self._arm()

    def _arm(self) -> None:
        """Set the timer to the deadline; end when no endpoint is left."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not any(endpoint.receives for endpoint in self._task.ports.values()):
            self._finish()
        elif self._task.deadline != NEVER and self._aio is not None:
            wait = max(0, self._task.deadline - self.clock()) / 1e9
            self._timer = self._aio.call_later(min(wait, MAX_WAIT_S), self._wake)

    def _failed(self, endpoint: Endpoint, error: NetworkError) -> None:
        if self._done is not None and not self._done.done():
            self._done.set_exception(error)

    def _finish(self) -> None:
        if self._done is not None and not self._done.done():
            with contextlib.suppress(asyncio.InvalidStateError):
                self._done.set_result(None)
