"""Whether a connection lives: when to speak up, when its silence is worth telling, when to give it up.

Judged by what the venue declares (`Liveness`), never by how busy a topic is. Anything heard is a sign of life.

    heartbeat_ns  ping_ns     asked every     told as silent after      given up after
    known         known       ping_ns         2 of the shorter ones      silent_ns, or 4 intervals
    known         NEVER       CLOCK_NS        2 heartbeats               silent_ns, or 4 heartbeats
    NEVER         known       ping_ns         2 intervals                silent_ns, or 4 intervals
    NEVER         NEVER       PING_NS         2 intervals                silent_ns, or 4 intervals

So a connection that is open and mute is found in any case: a peer that declares nothing must still answer a ping; and
a venue that wants none is still asked now and then, for most tell their time in the answer.

Leaves out: what is sent, and what follows from it.
"""

from typing import Final

from netfeed.feed.dialect import Liveness
from netfeed.machine import NEVER

PING_NS: Final = 30_000_000_000
"""How often a venue that declares no sign of life is asked for one."""
CLOCK_NS: Final = 60_000_000_000
"""How often a venue is asked whose own heartbeats are enough to know that it lives."""
MISSED: Final = 2
GIVEN_UP: Final = 4


class Pulse:
    """The signs of life of one connection, which opened at `now`."""

    __slots__ = ("_ping_ns", "_silent_ns", "_stale_ns", "heard_at", "is_silent", "ping_at")

    def __init__(self, liveness: Liveness, now: int) -> None:
        declared = min(liveness.heartbeat_ns, liveness.ping_ns)
        interval = declared if declared != NEVER else PING_NS
        unasked = CLOCK_NS if liveness.heartbeat_ns != NEVER else PING_NS
        self._ping_ns = liveness.ping_ns if liveness.ping_ns != NEVER else unasked
        self._silent_ns = liveness.silent_ns if liveness.silent_ns != NEVER else GIVEN_UP * interval
        self._stale_ns = min(MISSED * interval, self._silent_ns)
        self.heard_at = now
        self.is_silent = False
        self.ping_at = min(NEVER, now + self._ping_ns)

    def hear(self, now: int) -> bool:
        """Take a sign of life; say whether it ended a silence that was told."""
        self.heard_at = now
        was, self.is_silent = self.is_silent, False
        return was

    def asked(self, now: int) -> None:
        """Take note that the peer was asked for a sign of life."""
        self.ping_at = min(NEVER, now + self._ping_ns)

    def is_dead(self, now: int) -> bool:
        """Say whether it has been silent for too long."""
        return now - self.heard_at >= self._silent_ns

    def falls_silent(self, now: int) -> bool:
        """Say, once, that it has missed its signs of life."""
        if self.is_silent or now - self.heard_at < self._stale_ns:
            return False
        self.is_silent = True
        return True

    @property
    def deadline(self) -> int:
        """Say when something of this is due. Units: monotonic ns."""
        silent = NEVER if self.is_silent else self.heard_at + self._stale_ns
        return min(self.ping_at, silent, self.heard_at + self._silent_ns)
