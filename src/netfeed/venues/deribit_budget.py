"""Deribit's two budgets of requests: the matching engine's for orders, credits for all else.

Source: docs.deribit.com (rate limits): 500 credits a request of at most 50,000, refilled by 10,000 a second; orders,
amendments and quotes 5 a second and 20 at once in the lowest tier, which an account's turnover raises. Where either is
used up the venue answers 10028 and ends the session.

Invariant: what cancels always goes out, and is paid for by what comes after it.
"""

from typing import Final

from netfeed.book.execution import Ask
from netfeed.errors import MisuseError
from netfeed.feed.throttle import Throttle

CREDITS_RATE, CREDITS_BURST, CREDITS = 10_000, 50_000, 500
ORDERS_RATE, ORDERS_BURST = 5.0, 20
HOLD_NS: Final = 1_000_000_000
"""After "too many requests"; how long is not documented, and a second refills what most requests cost."""


class Budget:
    """What may be asked now. Units: `rate` requests a second, `burst` at once, of the matching engine."""

    def __init__(self, rate: float = ORDERS_RATE, burst: int = ORDERS_BURST) -> None:
        self._burst = burst
        self._credits = Throttle(rate=CREDITS_RATE, burst=CREDITS_BURST)
        self._matching = Throttle(rate=rate, burst=burst)

    def pays(self, ask: Ask, calls: int, now: int) -> bool:
        """Pay for a request of so many calls; False, and nothing is paid, where there is not enough.

        Raises: MisuseError when there never is.
        """
        if ask in (Ask.CANCEL, Ask.CANCEL_ALL):
            self._matching.spend(now, calls)
            return True
        if ask is Ask.LIST:
            return self._credits.take(now, CREDITS * calls)
        if calls > self._burst:
            raise MisuseError(f"{calls} messages are more than the budget of {self._burst} at once ever holds")
        return self._matching.take(now, calls)

    def spend(self, now: int) -> None:
        """Pay for a call that goes out at once: of the opening, or the answer to a test."""
        self._credits.spend(now, CREDITS)

    def hold(self, now: int) -> None:
        """Ask nothing for a while, because the venue said that it was too much."""
        self._matching.hold(HOLD_NS, now)
        self._credits.hold(HOLD_NS, now)
