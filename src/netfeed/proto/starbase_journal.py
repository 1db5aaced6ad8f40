"""The numbers of a Starbase session in both directions, and what it may be asked to say again.

A journal outlives its connections: numbers go on where they were, unless both sides agree to begin anew. A venue keeps
what it reported, within bounds; its sessions' messages are never said again, a GapFill takes their place. A client
keeps nothing: an order that is sent twice may be executed twice, so that all it ever fills a gap with is a GapFill.

Invariant: `resend` gives each number of the range exactly once, or None where a report has been forgotten: a GapFill in
its place would be a lie.
"""

from collections import deque
from collections.abc import Iterator
from typing import Any, Final

from netfeed.proto.starbase_state import Sequences
from netfeed.wire import starbase_orders as wire
from netfeed.wire.starbase_codes import MessageType

MAX_MESSAGES: Final = 20_000
MAX_BYTES: Final = 2**20
"""What a venue keeps of one session's reports: minutes of a busy market maker."""


class Journal:
    """The numbers of one session. `max_messages` 0: nothing is kept, and nothing is missed either."""

    def __init__(
        self, sequences: Sequences | None = None, *, max_messages: int = MAX_MESSAGES, max_bytes: int = MAX_BYTES
    ) -> None:
        start = sequences or Sequences()
        self.next_out, self.next_in = start.next_out, start.next_in
        self.forgotten = 0
        self._max_messages, self._max_bytes = max_messages, max_bytes
        self._kept: deque[tuple[int, bytes]] = deque()
        self._bytes = 0

    @property
    def sequences(self) -> Sequences:
        """Give the numbers of the next message out and in."""
        return Sequences(self.next_out, self.next_in)

    def reset(self) -> None:
        """Begin anew: both directions count from 1, and what was kept is gone."""
        self.next_out = self.next_in = 1
        self.forgotten = self._bytes = 0
        self._kept.clear()

    def write(self, message: int, wall_ns: int, **fields: Any) -> bytes:
        """Give a message as a frame under the next number; a report is kept.

        Units: `wall_ns` ns since 1970.
        Raises: MisuseError when a value does not fit; the number is not used up then.
        """
        frame = self._frame(message, self.next_out, wall_ns, **fields)
        self.next_out += 1
        if self._max_messages and message not in wire.ADMINISTRATIVE:
            self._keep(self.next_out - 1, frame)
        return frame

    def resend(self, first: int, last: int, wall_ns: int) -> list[bytes] | None:
        """Give what was said under the numbers `first` to `last`; None where a report of those has been forgotten."""
        if first <= self.forgotten:
            return None
        return list(self._resend(first, last, wall_ns))

    def _resend(self, first: int, last: int, wall_ns: int) -> Iterator[bytes]:
        for sequence, frame in self._kept:
            if first <= sequence <= last:
                if first < sequence:
                    yield self._fill(first, sequence, wall_ns)
                yield wire.resent(frame)
                first = sequence + 1
        if first <= last:
            yield self._fill(first, last + 1, wall_ns)

    def _fill(self, first: int, following: int, wall_ns: int) -> bytes:
        return self._frame(MessageType.GAP_FILL, first, wall_ns, resend=True, newSequenceNumber=following)

    def _frame(self, message: int, sequence: int, wall_ns: int, *, resend: bool = False, **fields: Any) -> bytes:
        return wire.encode(
            message, sequence=sequence, last_processed=self.next_in - 1, send_time=wall_ns, resend=resend, **fields
        )

    def _keep(self, sequence: int, frame: bytes) -> None:
        self._kept.append((sequence, frame))
        self._bytes += len(frame)
        while len(self._kept) > self._max_messages or self._bytes > self._max_bytes:
            self.forgotten, dropped = self._kept.popleft()
            self._bytes -= len(dropped)
