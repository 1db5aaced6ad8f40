"""Questions over one connection: TCP, TLS or WebSocket, or a WebSocket over TLS."""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from netfeed.app.latency.ping_target import Target
from netfeed.app.latency.ping_watch import Watch
from netfeed.app.latency.stamping import Stamping
from netfeed.app.trust import system_trust
from netfeed.machine import StreamMachine
from netfeed.proto import tls, websocket
from netfeed.proto.probe import Pinger
from netfeed.proto.probe_stream import Streamed
from netfeed.proto.probe_websocket import Framed
from netfeed.proto.probe_words import Broken
from netfeed.proto.stack import Stack
from netfeed.transport.dial import dial
from netfeed.transport.loop import Loop
from netfeed.transport.network import NetworkError, endpoint_text
from netfeed.transport.tcp import Options, Stream

GLANCE_NS: Final = 20_000_000
ASKED: Final = Options(no_delay=True, stamps=True)


@dataclass(frozen=True, slots=True)
class Trusting:
    """Whose certificate is believed: of whom `ca` names, of anybody, or else of whom the system trusts; for `name`
    instead of the address.
    """

    ca: str | None = None
    anybody: bool = False
    name: str | None = None


SYSTEM: Final = Trusting()
"""Whom the system trusts."""


class StreamPing:
    """One connection that questions go over."""

    def __init__(self, target: Target, pinger: Pinger, watch: Watch, trusting: Trusting, *, spin: bool) -> None:
        self.target, self.pinger, self.watch = target, pinger, watch
        self.notes: list[str] = []
        self._trusting = trusting
        self._context = _context(trusting) if target.is_secure else None
        self._lost: NetworkError | None = None
        self._loop = Loop(spin=spin)

    def run(self, is_over: Callable[[], bool]) -> None:
        """Connect and ask, until the pinger is done or `is_over`.

        Raises: NetworkError when the connection fails after it stood, or is refused for another reason than nobody.
        """

        def glance(now: int) -> None:
            if is_over():
                self._loop.stop()

        self._loop.every(GLANCE_NS, glance)
        dial(
            self._loop, [(self.target.host, self.target.port)], opened=self._opened, failed=self._not_opened,
            options=ASKED,
        )  # fmt: skip
        self._loop.run()
        if self._lost is not None:
            raise self._lost

    def close(self) -> None:
        """Close the connection."""
        self._loop.close()

    def _opened(self, stream: Stream, now: int) -> None:
        top, whole = self._machines(now)
        self.notes += stream.warnings
        task = self._loop.add(Stamping(whole, top, stream), {0: stream}, events=self._take, failed=self._failed)
        if self.target.scheme == "tcp":
            self.pinger.start(time.monotonic_ns())
            task.kick()

    def _machines(self, now: int) -> tuple[Streamed | Framed, StreamMachine]:
        """Give what holds the probes, and the whole with TLS below it."""
        name = self._trusting.name or self.target.host
        top: Streamed | Framed = Streamed(self.pinger)
        if self.target.is_websocket:
            host = self._trusting.name or endpoint_text(self.target.host, self.target.port)
            top = Framed(
                websocket.Client(host, self.target.path, now, random_bytes=os.urandom, compression=False), self.pinger
            )
        return (top, top) if self._context is None else (top, Stack(tls.client(self._context, name, now), top))

    def _take(self, events: Sequence[Any], now: int) -> None:
        for event in self.watch.take(events):
            if isinstance(event, tls.Established) and self.target.is_websocket:
                continue
            if isinstance(event, tls.Established | websocket.Opened):
                self.pinger.start(time.monotonic_ns())
            else:
                self._look(event)
        if self.watch.is_done:
            self._loop.stop()

    def _look(self, event: Any) -> None:
        """End the run where a connection has."""
        if isinstance(event, tls.Unverified):
            self._fail(f"it is not believed: {event.what}; name who signed it with --ca, or --insecure")
        elif isinstance(event, websocket.Refused):
            self._fail(f"it refuses a WebSocket with status {event.status}: is it `netfeed latency pong`?")
        elif isinstance(event, Broken | tls.Malformed | websocket.Malformed):
            self._fail(f"it does not speak as `netfeed latency pong` does: {event.what}")
        elif isinstance(event, tls.Closed | websocket.Closed):
            self._fail(f"the connection ended: {event.reason}")

    def _fail(self, what: str) -> None:
        self._lost = self._lost or NetworkError(f"{self.target}: {what}")
        self._loop.stop()

    def _not_opened(self, error: NetworkError, now: int) -> None:
        self._loop.stop()  # nobody answered, and that is what is said

    def _failed(self, endpoint: object, error: NetworkError) -> None:
        self._lost = self._lost or error
        self._loop.stop()


def _context(trusting: Trusting) -> Any:
    if trusting.anybody:
        return tls.client_context(None)
    return tls.client_context(tls.Trust(file=trusting.ca) if trusting.ca else system_trust())
