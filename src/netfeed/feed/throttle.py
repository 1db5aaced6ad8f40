"""Keep to a venue's budget of requests: so much weight a second, and nothing at all while the venue says so.

What is urgent (the answer to a heartbeat: without it the venue hangs up) never waits, but it is paid for: others wait
the longer. A venue that says "too many requests" is believed, within bounds: no peer can silence us for good.

Leaves out: which request comes next; `subscriptions` and `session` ask only when `ready_at` has come.
"""

from dataclasses import dataclass
from typing import Final

from netfeed.proto.bucket import TokenBucket

MIN_HOLD_NS: Final = 100_000_000
MAX_HOLD_NS: Final = 600_000_000_000
"""A venue bans for minutes at most; a longer wish is nonsense."""

MAX_DEBT_NS: Final = 30_000_000_000
"""A venue that floods us with heartbeats must not keep us from asking for long after it has stopped."""


@dataclass(frozen=True, slots=True)
class Statistics:
    """The account of a budget. Units: `weight` as the venue counts it."""

    requests: int
    weight: int
    urgent: int
    throttled: int


class Throttle:
    """The budget of one endpoint, shared by all its connections. Units: `rate` weight a second, `burst` weight."""

    def __init__(self, *, rate: float, burst: int) -> None:
        self._bucket = TokenBucket(rate=rate, burst=burst)
        self._held_until = -(2**63)
        self._requests = self._weight = self._urgent = self._throttled = 0

    def ready_at(self, weight: int = 1) -> int:
        """Give when a request of this weight may go out. Units: monotonic ns. Raises: MisuseError beyond the burst."""
        return max(self._bucket.ready_at(weight), self._held_until)

    def take(self, now: int, weight: int = 1) -> bool:
        """Pay for a request; False when it has to wait until `ready_at`. Raises: MisuseError beyond the burst."""
        if now < self._held_until or not self._bucket.take(now, weight):
            return False
        self._requests += 1
        self._weight += weight
        return True

    def spend(self, now: int, weight: int = 1) -> None:
        """Pay for what goes out at once, budget or not; what is owed is bounded by MAX_DEBT_NS."""
        if self._bucket.ready_at() < now + MAX_DEBT_NS:
            self._bucket.spend(now, weight)
        self._urgent += 1
        self._weight += weight

    def hold(self, wait_ns: int, now: int) -> int:
        """Ask nothing for a while, because the venue said so; give until when. Units: ns."""
        self._throttled += 1
        wait = min(max(wait_ns, MIN_HOLD_NS), MAX_HOLD_NS)
        self._held_until = max(self._held_until, now + wait)
        return self._held_until

    def statistics(self) -> Statistics:
        """Give the account as it is now."""
        return Statistics(self._requests, self._weight, self._urgent, self._throttled)
