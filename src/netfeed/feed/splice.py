"""The seam between a snapshot and the stream: the incrementals that a snapshot does not have yet.

A snapshot as of sequence S takes time to arrive. What came after S in the meantime is kept here, so that a book rebuilt
from it can be brought up to date: apply `since(S)`, then go on with the stream. Remembering begins *before* the
snapshot is asked for - at a late join, or when a gap is lost - or the seam loses messages.

Invariant: what is remembered has no hole: all messages after `reach`, none missing. A hole in the stream, and what is
pushed out by a bound (bytes or age), moves `reach` up; `since` of anything before it is None and another, newer
snapshot is needed. Too little is said, never guessed.
"""

from collections import deque
from itertools import takewhile
from typing import Final, NamedTuple

from netfeed.errors import MisuseError

MAX_BYTES: Final = 64 * 2**20
"""Room for about a minute of a busy channel; a snapshot cycle takes seconds."""
MAX_AGE_NS: Final = 120_000_000_000
"""No snapshot is older than this when it is complete."""
MESSAGE_OVERHEAD: Final = 128
"""What a remembered message costs beside its bytes. Units: bytes."""


class _Entry(NamedTuple):
    sequence: int
    message: bytes
    at: int


class Splice:
    """Keep the messages since a point of the stream, within `max_bytes` and `max_age_ns`."""

    def __init__(self, *, max_bytes: int = MAX_BYTES, max_age_ns: int = MAX_AGE_NS) -> None:
        if max_bytes < 0 or max_age_ns < 0:
            raise MisuseError("the bounds of a splice are not negative")
        self.held_bytes = 0
        self.recording = False
        self.overflows = 0
        self._max_bytes = max_bytes
        self._max_age_ns = max_age_ns
        self._reach = 0
        self._newest = 0
        self._entries: deque[_Entry] = deque()

    @property
    def reach(self) -> int | None:
        """Give the lowest S that `since` can serve, None when nothing is being remembered."""
        return self._reach if self.recording else None

    def begin(self, sequence: int) -> None:
        """Remember everything after `sequence`, and forget what came before."""
        self.forget()
        self.recording = True
        self._reach = self._newest = sequence

    def remember(self, sequence: int, message: bytes | memoryview, now: int = 0) -> None:
        """Keep a message; several may bear the same number where packets are counted.

        Remembering begins here when it had not begun, and anew when the number does not follow: then there is a hole
        before it. Units: `now` in monotonic ns.
        Raises: MisuseError when the number falls.
        """
        self.pass_over(sequence)
        if sequence == self._reach:
            return  # the first messages of this number have been pushed out already
        self._entries.append(_Entry(sequence, bytes(message), now))
        self.held_bytes += len(message) + MESSAGE_OVERHEAD
        self._trim(now)

    def pass_over(self, sequence: int) -> None:
        """Take note that the stream has come to `sequence`, which may carry nothing.

        Raises: MisuseError when the number falls.
        """
        if not self.recording or sequence > self._newest + 1:
            self.begin(sequence - 1)
        if sequence < self._newest:
            raise MisuseError(f"sequence {sequence} does not follow {self._newest}")
        self._newest = sequence

    def since(self, sequence: int) -> list[tuple[int, bytes]] | None:
        """Give all messages after `sequence`, in order; None when not all of them are remembered.

        A snapshot newer than everything remembered needs nothing: the list is empty, and what still comes with a number
        up to `sequence` is part of the snapshot. It takes as long as the list is, not as what is remembered.
        """
        if not self.recording or sequence < self._reach:
            return None
        newer = takewhile(lambda entry: entry.sequence > sequence, reversed(self._entries))
        return [(entry.sequence, entry.message) for entry in newer][::-1]

    def forget(self) -> None:
        """Stop remembering and free everything."""
        self._entries.clear()
        self.held_bytes = 0
        self.recording = False

    def _trim(self, now: int) -> None:
        oldest = now - self._max_age_ns
        while self._entries and (self.held_bytes > self._max_bytes or self._entries[0].at < oldest):
            self._reach = self._entries[0].sequence
            self.overflows += 1
            while self._entries and self._entries[0].sequence == self._reach:  # messages of one number go together
                self.held_bytes -= len(self._entries.popleft().message) + MESSAGE_OVERHEAD
