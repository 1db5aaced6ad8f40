"""Machine over machine: what the lower one receives is what the upper one is given, and the reverse, on one socket.

    stack = Stack(tls.client(context, "venue.example", now), http.Client("venue.example"))
    stack.upper.request("GET", "/book", now)      commands are the machines' own; the driver is kicked after them
    stack.receive(data, now)                      [Established(...)], [Response(...)], ...

The events of both are told as they are, in the order in which they came to be; only the lower one's `Received` is not:
it is the upper one's input. The deadline is the earlier of both.

The end goes both ways. When the lower one is closed, or the stream ends, the upper one's `end` is told. When the upper
one is closed, so is the lower one, at the next wake, due at once: whoever hears the upper one's events may have put
another machine in its place by then (`stack.upper = ...`), as after an upgrade of HTTP.

Invariant: the stack itself holds nothing. The upper one is drained only into a lower one with room: both bounds hold.
"""

from collections.abc import Callable, Sequence
from typing import Any, Generic, Protocol, TypeVar

from netfeed.machine import NEVER, Buffer, StreamMachine
from netfeed.proto.tls_words import Received


class Lower(StreamMachine, Protocol):
    """A stream machine that carries another's bytes and tells what came for it as `Received`."""

    @property
    def is_closed(self) -> bool:
        """Say whether nothing will be told any more."""

    @property
    def is_open(self) -> bool:
        """Say whether `send` would be heard."""

    @property
    def has_room(self) -> bool:
        """Say whether `send` may be called."""

    def send(self, data: Buffer) -> None:
        """Send bytes of the upper machine."""

    def close(self, now: int) -> None:
        """Say that nothing more will be sent."""


L = TypeVar("L", bound=Lower)
U = TypeVar("U", bound=StreamMachine)


def says_closed(upper: Any) -> bool:
    """Say whether a machine is over, as those of `proto` tell."""
    return bool(upper.is_closed)


class Stack(Generic[L, U]):
    """Two machines as one. `closed` says whether the upper one is over, for those that have no `is_closed`."""

    def __init__(self, lower: L, upper: U, *, closed: Callable[[Any], bool] = says_closed) -> None:
        self.lower = lower
        self.upper = upper
        self._closed = closed
        self._now = 0

    @property
    def is_closed(self) -> bool:
        """Say whether nothing will be told any more."""
        return self.lower.is_closed

    @property
    def deadline(self) -> int:
        """Give the earlier deadline; at once when the lower machine must be closed. Units: monotonic ns."""
        if self.lower.is_closed:
            return NEVER
        due = self._now if self.lower.is_open and self._closed(self.upper) else NEVER
        return min(due, self.lower.deadline, self.upper.deadline)

    def receive(self, data: Buffer, now: int, port: int = 0) -> Sequence[Any]:
        """Take bytes of the stream and return what they mean."""
        return self._up(self.lower.receive(data, now), now)

    def wake(self, now: int) -> Sequence[Any]:
        """Wake whom it concerns. A call before the deadline does nothing."""
        if now < self.deadline:
            return []
        told = list(self.upper.wake(now))
        self._down()
        if self._closed(self.upper):
            self.lower.close(now)
        return told + self._up(self.lower.wake(now), now)

    def end(self, now: int) -> Sequence[Any]:
        """Take note that the stream ended."""
        return self._up(self.lower.end(now), now)

    def transmit(self, port: int = 0) -> list[bytes]:
        """Drain what must go out: what waits below first, so that there is room for what waits above."""
        out = self.lower.transmit()
        self._down()
        return out + self.lower.transmit()

    def statistics(self) -> tuple[Any, Any]:
        """Give the accounts of the lower and the upper machine."""
        return self.lower.statistics(), self.upper.statistics()  # type: ignore[attr-defined]

    def _up(self, events: Sequence[Any], now: int) -> list[Any]:
        self._now = max(self._now, now)
        told: list[Any] = []
        for event in events:
            told += self.upper.receive(event.data, now) if isinstance(event, Received) else [event]
        if events and self.lower.is_closed:
            told += self.upper.end(now)
        return told

    def _down(self) -> None:
        """Give the lower machine what the upper one says; what it says to nobody is dropped."""
        if self.lower.has_room:
            out = self.upper.transmit()
            if out and self.lower.is_open:
                self.lower.send(out[0] if len(out) == 1 else b"".join(out))
