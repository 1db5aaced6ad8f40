"""A token bucket: so many at once, so many a second, and no timer.

Kept as one number, the time at which the bucket will be full again (the virtual scheduling of ATM's GCRA): a token
moves it on by one interval, and none is given that would move it further ahead than the burst.
"""

from netfeed.errors import MisuseError

_SECOND = 1_000_000_000


class TokenBucket:
    """Give up to `burst` tokens at once and `rate` a second after that."""

    __slots__ = ("_full_at", "_interval_ns", "_reach_ns")

    def __init__(self, *, rate: float, burst: int) -> None:
        if not rate > 0 or burst < 1:
            raise MisuseError(f"a token bucket has a positive rate and burst, not {rate} and {burst}")
        self._interval_ns = max(1, round(_SECOND / rate))
        self._reach_ns = (burst - 1) * self._interval_ns
        self._full_at = -(2**63)

    def ready_at(self) -> int:
        """Give when the next token can be had. Units: monotonic ns."""
        return self._full_at - self._reach_ns

    def take(self, now: int) -> bool:
        """Take a token; False when there is none yet."""
        if now < self.ready_at():
            return False
        self._full_at = max(self._full_at, now) + self._interval_ns
        return True
