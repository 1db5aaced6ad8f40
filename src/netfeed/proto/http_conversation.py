"""What both sides of an HTTP conversation share: h11's state, the reader, the queue, the account, the end.

Invariant: nothing is told after `Closed`. What is queued is bounded by what the other half may ask: one response or
request at a time, each given whole.
"""

from typing import Final

import h11

from netfeed.errors import MisuseError
from netfeed.machine import NEVER, Buffer
from netfeed.proto.http_reader import Reader, Switched, Whole
from netfeed.proto.http_words import Closed, Event, Given, Limits, Malformed, Statistics, TimedOut

MAX_QUEUED: Final = 64 * 2**20
"""More undrained output than this means that nobody drains. Units: bytes."""

OURS: Final = frozenset({b"content-length", b"transfer-encoding"})


class Conversation:
    """One connection as either side sees it."""

    def __init__(self, role: type[h11.CLIENT] | type[h11.SERVER], limits: Limits) -> None:
        self.talk = h11.Connection(role, max_incomplete_event_size=limits.header_bytes)
        self.reader = Reader(self.talk, limits)
        self.limits = limits
        self.is_closed = False
        self.deadline = NEVER
        self.requests = self.responses = 0
        self._bytes_in = self._bytes_out = self._body_bytes = self._malformed = self._timed_out = 0
        self._queue: list[bytes] = []
        self._queued = 0

    def put(self, data: Buffer) -> None:
        """Take bytes that came in."""
        self._bytes_in += len(data)
        self.reader.put(data)

    def next(self) -> Whole | Switched | Malformed | None:
        """Read the next message."""
        told = self.reader.next()
        if isinstance(told, Whole):
            self._body_bytes += len(told.body)
        return told

    def command(self, what: str) -> None:
        """Raise MisuseError when the conversation is over, or nobody drains."""
        if self.is_closed:
            raise MisuseError(f"cannot {what}: the conversation is over")
        if self._queued > MAX_QUEUED:
            raise MisuseError(f"{self._queued} bytes wait to be drained")

    def send(self, *parts: h11.Event) -> None:
        """Queue the parts of a message of ours."""
        data = b"".join(self.talk.send(part) or b"" for part in parts)
        self._queue.append(data)
        self._queued += len(data)
        self._bytes_out += len(data)

    def transmit(self) -> list[bytes]:
        """Drain the queue."""
        queue, self._queue, self._queued = self._queue, [], 0
        return queue

    def close(self, reason: str, unanswered: int = 0) -> list[Event]:
        """Close, and say why."""
        self.leave()
        return [Closed(reason, unanswered)]

    def leave(self) -> None:
        """Tell nothing from here on."""
        self.is_closed = True
        self.deadline = NEVER

    def malformed(self, found: Malformed) -> list[Event]:
        """Tell that the peer is not understood."""
        self._malformed += 1
        return [found]

    def timed_out(self, waiting_for: str) -> list[Event]:
        """Tell that the peer took too long."""
        self._timed_out += 1
        return [TimedOut(waiting_for)]

    def statistics(self) -> Statistics:
        """Give the account as it is now."""
        return Statistics(
            self.requests, self.responses, self._bytes_in, self._bytes_out, self._body_bytes, self._malformed,
            self._timed_out,
        )  # fmt: skip


def written(headers: Given) -> list[tuple[bytes, bytes]]:
    """Give headers as bytes. Raises: MisuseError for text that no header can hold, and for what is counted here."""
    try:
        fields = [(_bytes(name), _bytes(value)) for name, value in headers]
    except UnicodeEncodeError:
        raise MisuseError("a header holds a character that HTTP has no byte for") from None
    if names(fields) & OURS:
        raise MisuseError("how long a body is, is not the caller's to say")
    return fields


def names(headers: list[tuple[bytes, bytes]]) -> set[bytes]:
    """Give the names of headers in lower case."""
    return {name.lower() for name, _ in headers}


def _bytes(text: str | bytes) -> bytes:
    return text.encode("latin-1") if isinstance(text, str) else text
