"""What a session needs of the conversation below it: whole messages both ways, signs of life, an end with a reason.

A WebSocket is one (`websocket_talk`), over TLS or plain; whatever cuts a stream into messages can be another. It is a
stream machine that tells these four words, and nothing after `Ended`:

    Opened     messages can be said from here on
    Heard      messages came, in one piece
    Lively     the peer asked for, or gave, a sign of life that is no message
    Ended      it is over: who ended it, the code, the reason

Leaves out: what messages mean (`dialect`), and sockets.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from netfeed.feed.dialect import Batch
from netfeed.machine import Buffer

EndedBy = Literal["venue", "us", "network"]
"""Who closed first. A stream that breaks off without a word is the network's, whoever cut it."""


@dataclass(frozen=True, slots=True)
class Opened:
    """Messages can be said from here on."""


@dataclass(frozen=True, slots=True)
class Heard:
    """Messages came; they live no longer than the call that told of them."""

    batch: Batch


@dataclass(frozen=True, slots=True)
class Lively:
    """The peer asked for, or gave, a sign of life that is no message."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The conversation is over. `wait_ns`: how long the peer wants to be left alone, 0 when it did not say."""

    by: EndedBy
    code: int | None
    reason: str
    wait_ns: int = 0


Word = Opened | Heard | Lively | Ended


class Talk(Protocol):
    """A conversation in messages, as a stream machine."""

    @property
    def deadline(self) -> int:
        """Say until when the driver may sleep. Units: monotonic ns."""

    def say(self, message: bytes, now: int) -> None:
        """Send a message. Called between `Opened` and `Ended` only."""

    def ping(self, now: int) -> None:
        """Ask for a sign of life, which is told as `Lively`."""

    def leave(self, reason: str, now: int) -> None:
        """End it: nothing is told any more, and what `transmit` gives next is the last."""

    def receive(self, data: Buffer, now: int, port: int = 0) -> Iterable[Word]:
        """Take bytes of the stream. Whoever gives the words one by one lets each be answered before the next."""

    def wake(self, now: int) -> Sequence[Word]:
        """Act on a deadline that has passed."""

    def end(self, now: int) -> Sequence[Word]:
        """Take note that the stream has ended."""

    def transmit(self, port: int = 0) -> list[bytes]:
        """Drain what must go out."""
