"""Probes over a stream: cut where each one says that it ends, whatever the pieces are that come in.

What is no probe ends it: behind it nothing can be found again. Invariant: at most one probe that is not whole is kept.
"""

from collections.abc import Sequence
from typing import Any, Protocol

from netfeed.errors import WireError
from netfeed.machine import NEVER, Buffer, Machine
from netfeed.proto.probe_words import Broken
from netfeed.wire import probe
from netfeed.wire.capture import NO_TIME


class Probing(Machine, Protocol):
    """A side of a round trip: `Pinger` or `Ponger`."""

    def stamp(self, kernel_ns: int) -> None:
        """Tell the kernel's receive stamp of what comes next."""

    def stop(self, now: int) -> None:
        """Wait for nothing any more."""

    def statistics(self) -> Any:
        """Give the account."""


class Streamed:
    """A side of a round trip over one connection."""

    def __init__(self, inner: Probing) -> None:
        self.inner = inner
        self.is_closed = False
        self._kept = b""
        self._kernel_ns = NO_TIME

    @property
    def deadline(self) -> int:
        """Give the deadline of the side. Units: monotonic ns."""
        return NEVER if self.is_closed else self.inner.deadline

    def stamp(self, kernel_ns: int) -> None:
        """Tell the kernel's receive stamp of the piece that comes next: it is that of every probe which ends in it."""
        self._kernel_ns = kernel_ns

    def receive(self, data: Buffer, now: int, port: int = 0) -> Sequence[Any]:
        """Take a piece of the stream."""
        kernel_ns, self._kernel_ns = self._kernel_ns, NO_TIME
        if self.is_closed:
            return []
        data, at = self._kept + bytes(data), 0
        self._kept = b""
        told: list[Any] = []
        try:
            while at < len(data):
                size = probe.next_size(data, at)
                if size is None or at + size > len(data):
                    break
                self.inner.stamp(kernel_ns)
                told += self.inner.receive(data[at : at + size], now)
                at += size
        except WireError as error:
            return [*told, Broken(f"{error.what}: found {error.found}, wanted {error.wanted}"), *self.end(now)]
        self._kept = data[at:]
        return told

    def wake(self, now: int) -> Sequence[Any]:
        """Wake the side. A call before the deadline does nothing."""
        return [] if self.is_closed else self.inner.wake(now)

    def end(self, now: int) -> Sequence[Any]:
        """Take note that the stream ended: what is in flight is missed."""
        if self.is_closed:
            return []
        self.is_closed, self._kept = True, b""
        self.inner.stop(now)
        return self.inner.wake(now)

    def transmit(self, port: int = 0) -> list[bytes]:
        """Drain what must go out."""
        return self.inner.transmit()

    def statistics(self) -> Any:
        """Give the account of the side."""
        return self.inner.statistics()
