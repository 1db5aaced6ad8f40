"""Who answers over connections: a side of its own for each, over TCP, TLS or WebSocket, all on one loop."""

import dataclasses
import socket
from collections.abc import Callable, Sequence
from typing import Any, Final

from netfeed.app.certificates import certificates
from netfeed.app.latency.ping_stream import ASKED, GLANCE_NS
from netfeed.app.latency.ping_target import Target
from netfeed.app.latency.stamping import Stamping
from netfeed.machine import StreamMachine
from netfeed.proto import tls, websocket
from netfeed.proto.probe import Ponger
from netfeed.proto.probe_stream import Streamed
from netfeed.proto.probe_websocket import Framed
from netfeed.proto.probe_words import PongerStatistics
from netfeed.proto.stack import Stack
from netfeed.transport.loop import Loop, Task
from netfeed.transport.tcp import Listener, Stream

MAX_CONNECTIONS: Final = 64
_EVERYWHERE: Final = ("0.0.0.0", "::")


class PongListener:
    """A listener whose connections are answered. `hint` is what who asks has to name beside the target."""

    def __init__(self, target: Target, ponger: Callable[[], Ponger], directory: str | None, *, spin: bool) -> None:
        """Listen; `ponger` makes the side of a connection.

        Raises: NetworkError; ConfigurationError.
        """
        self._target, self._make = target, ponger
        self._context = _context(directory, target.host) if directory is not None and target.is_secure else None
        self.hint = f" --ca {directory}/ca.pem" if self._context is not None else ""
        self.connections = 0
        self._open: list[tuple[Ponger, Task]] = []
        self._past = PongerStatistics(0, 0, 0)
        self._loop = Loop(spin=spin)
        try:
            self._listener = Listener(
                target.host, target.port, self._accept, options=ASKED, max_open=MAX_CONNECTIONS
            )  # fmt: skip
        except BaseException:
            self._loop.close()
            raise
        self._loop.watch(self._listener.fileno(), self._listener.ready)

    def run(self, stop: Callable[[], bool]) -> None:
        """Answer until `stop`."""

        def glance(now: int) -> None:
            if stop():
                self._loop.stop()

        self._loop.every(GLANCE_NS, glance)
        self._loop.run()

    def statistics(self) -> PongerStatistics:
        """Give the account of all connections."""
        total = self._past
        for ponger, _ in self._open:
            total = _sum(total, ponger.statistics())
        return total

    def close(self) -> None:
        """Listen no more, and close all connections."""
        self._loop.forget(self._listener.fileno())
        self._listener.close()
        self._loop.close()

    def _accept(self, stream: Stream, now: int) -> None:
        self._forget_ended()
        ponger = self._make()
        top: Streamed | Framed = Streamed(ponger)
        if self._target.is_websocket:
            top = Framed(websocket.Server(now, compression=False), ponger)
        whole: StreamMachine = top if self._context is None else Stack(tls.server(self._context, now), top)

        def take(events: Sequence[Any], now: int) -> None:
            if top.is_closed:
                self._loop.post(task.close)

        task = self._loop.add(
            Stamping(whole, top, stream), {0: stream}, events=take, failed=lambda endpoint, error: None
        )  # fmt: skip
        self._open.append((ponger, task))
        self.connections += 1

    def _forget_ended(self) -> None:
        """Take what has no connection any more off the loop, and keep its account."""
        for one in [one for one in self._open if not one[1].ports]:
            self._open.remove(one)
            self._past = _sum(self._past, one[0].statistics())
            one[1].close()


def _context(directory: str, host: str) -> Any:
    names = dict.fromkeys(["localhost", socket.gethostname(), "127.0.0.1", "::1", host])
    files = certificates(directory, [name for name in names if name and name not in _EVERYWHERE])
    return tls.server_context(tls.Identity(files.chain, files.key))


def _sum(one: PongerStatistics, other: PongerStatistics) -> PongerStatistics:
    pairs = zip(dataclasses.astuple(one), dataclasses.astuple(other), strict=True)
    return PongerStatistics(*(a + b for a, b in pairs))
