"""Whether the peer of a WebSocket lives: pings by deadline, their round trips, and when silence is death.

Source: RFC 6455 sections 5.5.2 and 5.5.3.

Any whole frame is a sign of life, for a pong may wait behind a long queue of messages; bytes alone are none, or a peer
could trickle a frame for ever. A wake that comes late says that the driver slept, not that the peer did: what came
meanwhile may not have been read yet, so the peer gets a little more time, once for each ping.
"""

from collections import deque
from typing import Final

from netfeed.machine import NEVER
from netfeed.proto.websocket_words import Timing

LATE_NS: Final = 50_000_000
"""A wake this long after its time was late."""
GRACE_NS: Final = 1_000_000_000
"""What a peer gets when the wake was late."""


class Alive:
    """The pings of one side."""

    def __init__(self, timing: Timing, max_pings: int) -> None:
        self._timing, self._max_pings = timing, max_pings
        self._waiting: deque[tuple[bytes, int]] = deque()
        self._due = self._pong_due = NEVER
        self.is_asking = False
        """A ping went out, and nothing has come since."""
        self._number = 0
        self._has_grace = True

    @property
    def deadline(self) -> int:
        """Say when the next ping goes out, or silence is death."""
        return min(self._due, self._pong_due)

    @property
    def is_full(self) -> bool:
        """Say whether as many pings wait for their pong as may."""
        return len(self._waiting) >= self._max_pings

    def start(self, now: int) -> None:
        """Begin to keep the connection alive."""
        self._due = min(NEVER, now + self._timing.ping_ns)

    def stop(self) -> None:
        """Expect nothing any more."""
        self._due = self._pong_due = NEVER
        self.is_asking = False
        self._waiting.clear()

    def heard(self) -> None:
        """Take note that a whole frame came."""
        self._pong_due = NEVER
        self.is_asking = False

    def is_dead(self, now: int) -> bool:
        """Say whether the peer has been silent for too long."""
        if now < self._pong_due:
            return False
        if now - self._pong_due > LATE_NS and self._has_grace:
            self._has_grace = False
            self._pong_due = now + min(GRACE_NS, self._timing.pong_ns)
            return False
        return True

    def wants_ping(self, now: int) -> bool:
        """Say whether it is time for a ping."""
        return now >= self._due

    def ping(self, now: int, payload: bytes = b"") -> bytes:
        """Take note of a ping that goes out now, and give its payload: a number where none is given."""
        if not payload:
            self._number += 1
            payload = self._number.to_bytes(8)
        if self.is_full:
            self._waiting.popleft()
        self._waiting.append((payload, now))
        self._due = min(NEVER, now + self._timing.ping_ns)
        if not self.is_asking:
            self.is_asking = True
            self._pong_due = min(NEVER, now + self._timing.pong_ns)
            self._has_grace = True
        return payload

    def pong(self, payload: bytes, now: int) -> int | None:
        """Give the round trip of the ping that this answers, None when it answers none. It answers all before it, too.

        Units: ns.
        """
        sent = next((sent for asked, sent in self._waiting if asked == payload), None)
        while sent is not None and self._waiting.popleft()[0] != payload:
            pass
        return None if sent is None else now - sent
