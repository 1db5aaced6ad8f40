"""Do what is needed once, however often it is asked for: the end of resubscription storms.

A busy book that is wrong says so with every message. The first cry is answered at once; while it is being answered,
the others are the same need and nothing is done. A need that comes back soon after it was met waits, each time twice as
long up to MAX_WAIT_NS; one that stayed met for CALM_NS is answered at once again.

    key is       need()                          due()                  met()
    unknown      due now                         -                      -
    due          the same need                   -> being met, told     -
    being met    the same need                   -                      -> resting
    resting      due, when the wait has passed   -                      -

Bounds: a key is a topic that is subscribed; whoever calls sees to that, and forgets the others.
"""

from collections.abc import Hashable
from typing import Final, Generic, TypeVar

from netfeed.machine import NEVER

FIRST_WAIT_NS: Final = 1_000_000_000
MAX_WAIT_NS: Final = 60_000_000_000
CALM_NS: Final = 120_000_000_000

Key = TypeVar("Key", bound=Hashable)


class _Need:
    """What is known of one key: when it is due, when it was last met (NEVER: not yet), how often it came back."""

    __slots__ = ("due_at", "met_at", "times")

    def __init__(self, now: int) -> None:
        self.due_at, self.met_at, self.times = now, NEVER, 0


class Needs(Generic[Key]):
    """The needs of one kind."""

    def __init__(self) -> None:
        self._needs: dict[Key, _Need] = {}
        self._waiting: dict[Key, _Need] = {}
        self.repeated = 0

    def need(self, key: Key, now: int) -> None:
        """Take a cry for help."""
        known = self._needs.get(key)
        if self.is_open(key):
            self.repeated += 1
            return
        if known is None or known.met_at <= now - CALM_NS:
            known = self._needs[key] = _Need(now)
        else:
            wait = min(FIRST_WAIT_NS << min(known.times, 32), MAX_WAIT_NS)
            known.due_at = max(now, known.met_at + wait)
            known.times += 1
        self._waiting[key] = known

    def due(self, now: int) -> list[Key]:
        """Give what is to be done now; each is being met from here on."""
        if not self._waiting:
            return []
        ready = [key for key, need in self._waiting.items() if need.due_at <= now]
        for key in ready:
            self._waiting.pop(key).met_at = NEVER
        return ready

    def met(self, key: Key, now: int) -> None:
        """Take note that what was to be done is done, or has failed: from here on a cry is another need."""
        known = self._needs.get(key)
        if known is not None and known.met_at == NEVER and key not in self._waiting:
            known.met_at = now

    def forget(self, key: Key) -> None:
        """Take note that nobody cares for a key any more."""
        self._needs.pop(key, None)
        self._waiting.pop(key, None)

    def is_open(self, key: Key) -> bool:
        """Say whether something is to be done, or being done."""
        known = self._needs.get(key)
        return known is not None and (key in self._waiting or known.met_at == NEVER)

    @property
    def deadline(self) -> int:
        """Say when something is due. Units: monotonic ns."""
        return min((need.due_at for need in self._waiting.values()), default=NEVER)
