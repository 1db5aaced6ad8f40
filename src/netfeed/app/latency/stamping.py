"""The kernel's receive stamp of a stream, told to the probes above it before each piece: of its last segment."""

import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from netfeed.machine import Buffer, StreamMachine
from netfeed.transport.tcp import Stream
from netfeed.wire.capture import NO_TIME


class Stampable(Protocol):
    """What wants to know: `Streamed`, `Framed`."""

    def stamp(self, kernel_ns: int) -> None:
        """Tell the kernel's receive stamp of the piece that comes next."""


class Stamping:
    """A stream machine on a stream whose kernel stamps are told to the machine at its top.

    A loop reads its clock when it wakes, before it reads the stream: what came is given a time after that.
    """

    def __init__(
        self, whole: StreamMachine, top: Stampable, stream: Stream, clock: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self.whole, self.top, self._stream, self._clock = whole, top, stream, clock

    @property
    def deadline(self) -> int:
        """Give the deadline. Units: monotonic ns."""
        return self.whole.deadline

    def receive(self, data: Buffer, now: int, port: int = 0) -> Sequence[Any]:
        """Take a piece of the stream, whose last segment was just stamped."""
        stamp_ns = self._stream.stamp_ns
        self.top.stamp(NO_TIME if stamp_ns is None else stamp_ns)
        return self.whole.receive(data, max(now, self._clock()), port)

    def wake(self, now: int) -> Sequence[Any]:
        """Wake."""
        return self.whole.wake(now)

    def end(self, now: int) -> Sequence[Any]:
        """Take note of the end."""
        return self.whole.end(now)

    def transmit(self, port: int = 0) -> list[bytes]:
        """Drain."""
        return self.whole.transmit(port)
