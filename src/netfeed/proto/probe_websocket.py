"""Probes over WebSocket: one binary message each. What is no binary message counts as what is no probe."""

from collections.abc import Sequence
from typing import Any

from netfeed.machine import NEVER, Buffer
from netfeed.proto import websocket
from netfeed.proto.probe_stream import Probing
from netfeed.wire.capture import NO_TIME


class Framed:
    """A side of a round trip over one WebSocket, whose handshake comes first; whoever asks for one is accepted."""

    def __init__(self, side: websocket.Client | websocket.Server, inner: Probing) -> None:
        self.side, self.inner = side, inner
        self._kernel_ns = NO_TIME
        self._is_over = False

    @property
    def is_closed(self) -> bool:
        """Say whether nothing will be told any more."""
        return self.side.is_closed

    @property
    def deadline(self) -> int:
        """Give the earlier deadline. Units: monotonic ns."""
        return NEVER if self.is_closed else min(self.side.deadline, self.inner.deadline)

    def stamp(self, kernel_ns: int) -> None:
        """Tell the kernel's receive stamp of the piece that comes next: it is that of every probe which ends in it."""
        self._kernel_ns = kernel_ns

    def receive(self, data: Buffer, now: int, port: int = 0) -> Sequence[Any]:
        """Take a piece of the stream."""
        kernel_ns, self._kernel_ns = self._kernel_ns, NO_TIME
        return self._up(self.side.receive(data, now), now, kernel_ns)

    def wake(self, now: int) -> Sequence[Any]:
        """Wake whom it concerns. A call before the deadline does nothing."""
        if now < self.deadline:
            return []
        told = list(self.inner.wake(now))
        return told + self._up(self.side.wake(now), now, NO_TIME)

    def end(self, now: int) -> Sequence[Any]:
        """Take note that the stream ended."""
        return self._up(self.side.end(now), now, NO_TIME)

    def transmit(self, port: int = 0) -> list[bytes]:
        """Drain what must go out; what the side says to nobody is dropped."""
        for data in self.inner.transmit():
            if self.side.is_open:
                self.side.send_binary(data)
        return self.side.transmit()

    def statistics(self) -> Any:
        """Give the account of the side."""
        return self.inner.statistics()

    def _up(self, events: Sequence[Any], now: int, kernel_ns: int) -> list[Any]:
        told: list[Any] = []
        for event in events:
            if isinstance(event, websocket.Messages):
                told += self._messages(event, now, kernel_ns)
                continue
            told.append(event)
            if isinstance(event, websocket.Requested) and isinstance(self.side, websocket.Server):
                self.side.accept(now)
        if self.side.is_closed and not self._is_over:
            self._is_over = True
            self.inner.stop(now)
            told += self.inner.wake(now)
        return told

    def _messages(self, batch: websocket.Messages, now: int, kernel_ns: int) -> list[Any]:
        told: list[Any] = []
        for at in range(len(batch)):
            self.inner.stamp(kernel_ns)
            told += self.inner.receive(b"" if batch.is_text[at] else batch[at], now)
        return told
