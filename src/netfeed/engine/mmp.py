"""The venue's market-maker protection, mirrored: what it will freeze, we stop asking for at the same execution.

By group: within a window so much quantity, so much net delta and net vega may be executed; what goes beyond cancels the
group's quotes and refuses new ones for the frozen time (0: until somebody resets it). Only executions count in which an
order of the group with the protection's flag, or a quote, was the maker.

    OPEN     quotes may be asked for
    FROZEN   none may, until `until`; NEVER: until `reset`

The venue's own word (Tripped, Freed) comes above the mirror's. Once frozen, the window begins empty.

Source: Deribit, market-maker protection; Starbase, MMP triggered and unfrozen (messages 320 to 326).
"""

from collections import deque
from dataclasses import dataclass
from typing import Final

from netfeed.machine import NEVER

MAX_FILLS: Final = 65_536
"""Executions of one window; more of them freeze the group, too."""


@dataclass(frozen=True, slots=True)
class Protection:
    """What a group may have executed. None: no limit. Units: ns; 10**-18 of the underlying, as `exposure` has them."""

    window_ns: int
    frozen_ns: int = 0
    quantity: int | None = None
    delta: int | None = None
    vega: int | None = None


class Group:
    """One group."""

    __slots__ = ("_fills", "_sums", "protection", "trips", "until", "why")

    def __init__(self, protection: Protection) -> None:
        self.protection = protection
        self._fills: deque[tuple[int, int, int, int]] = deque()
        self._sums = [0, 0, 0]
        self.until = 0
        self.why = ""
        self.trips = 0

    def is_frozen(self, now: int) -> bool:
        """Say whether nothing may be asked for."""
        return now < self.until

    def fill(self, now: int, quantity: int, delta: int, vega: int) -> bool:
        """Take an execution; say whether it froze the group. Units: `delta` and `vega` signed, 10**-18."""
        if self.is_frozen(now):
            return False
        self._fills.append((now, quantity, delta, vega))
        self._add((quantity, delta, vega), 1)
        while self._fills[0][0] <= now - self.protection.window_ns:
            self._add(self._fills.popleft()[1:], -1)
        limits = (self.protection.quantity, self.protection.delta, self.protection.vega)
        for name, limit, total in zip(("quantity", "delta", "vega"), limits, self._sums, strict=True):
            if limit is not None and abs(total) >= limit:
                return self._freeze(name, now)
        return len(self._fills) > MAX_FILLS and self._freeze("executions", now)

    def trip(self, why: str, until: int) -> None:
        """Take note that the venue has frozen it. Units: `until` monotonic ns, NEVER: until it is reset."""
        self.trips += 1
        self.until, self.why = until, why
        self._fills.clear()
        self._sums = [0, 0, 0]

    def reset(self) -> None:
        """Take note that it may quote again: the venue said so, or a person reset it there."""
        self.until, self.why = 0, ""

    def _freeze(self, why: str, now: int) -> bool:
        self.trip(why, now + self.protection.frozen_ns if self.protection.frozen_ns else NEVER)
        return True

    def _add(self, amounts: tuple[int, ...], sign: int) -> None:
        self._sums = [total + sign * amount for total, amount in zip(self._sums, amounts, strict=True)]
