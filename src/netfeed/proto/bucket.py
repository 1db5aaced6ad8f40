"""A token bucket: so many at once, so many a second, and no timer.

Kept as one number, the time at which the bucket will be full again (the virtual scheduling of ATM's GCRA): a token
moves it on by one interval, and none is given that would move it further ahead than the burst. What costs more than
others (a venue's request weights) takes several tokens.
"""

from netfeed.errors import MisuseError

_SECOND = 1_000_000_000


class TokenBucket:
    """Give up to `burst` tokens at once and `rate` a second after that."""

    __slots__ = ("_burst", "_full_at", "_interval_ns")

    def __init__(self, *, rate: float, burst: int) -> None:
        if not rate > 0 or burst < 1:
            raise MisuseError(f"a token bucket has a positive rate and burst, not {rate} and {burst}")
        self._interval_ns = max(1, round(_SECOND / rate))
        self._burst = burst
        self._full_at = -(2**63)

    def ready_at(self, count: int = 1) -> int:
        """Give when so many tokens can be had. Units: monotonic ns.

        Raises: MisuseError when the bucket never holds as many.
        """
        if not 1 <= count <= self._burst:
            raise MisuseError(f"a bucket of {self._burst} tokens never gives {count} at once")
        return self._full_at - (self._burst - count) * self._interval_ns

    def take(self, now: int, count: int = 1) -> bool:
        """Take so many tokens; False, and none is taken, when they are not there yet. Raises: MisuseError."""
        if now < self.ready_at(count):
            return False
        self.spend(now, count)
        return True

    def spend(self, now: int, count: int = 1) -> None:
        """Take so many tokens, there or not: what is owed is waited for by whoever takes next."""
        self._full_at = max(self._full_at, now) + count * self._interval_ns
