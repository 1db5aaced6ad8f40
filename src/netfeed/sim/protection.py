"""A venue's market-maker protection: when too much of a group's quotes is taken in too short a time, they all leave.

A group counts what is filled of its quotes (of group 0: of orders flagged MMP) as a maker, in a window that begins with
the first fill after the one before has ended. Beyond a limit it trips: its quotes are cancelled, and new ones refused
for `frozen_ns`, or, where that is 0, until it is reset.

It is looked at after every order that takes, not between two of its fills: a group has one quote on a side of an
instrument, so one order takes of one quote only.

Source: Deribit's market-maker protection (window, frozen time, limits of quantity, delta and vega; triggers 0, 1, 2).
Units: ns since 1970; quantities in 1e-9 of the underlying; delta in the underlying, vega in USD for a percent.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

TRIGGERS: Final = ("quantity", "delta", "vega")


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of a group. None: no limit. Delta and vega are net of both sides, and compared without their sign."""

    window_ns: int
    frozen_ns: int
    quantity: int | None = None
    delta: float | None = None
    vega: float | None = None


class Sizes(NamedTuple):
    """How much a fill is, signed: bought or sold."""

    quantity: int
    delta: float
    vega: float


@dataclass(slots=True)
class Group:
    """One group of an account. `frozen_ns`: until when it may not quote; NEVER for until it is reset."""

    limits: Limits
    since_ns: int | None = None
    quantity: int = 0
    delta: float = 0.0
    vega: float = 0.0
    frozen_ns: int | None = None
    trips: int = 0

    @property
    def frozen(self) -> bool:
        """Say whether quotes are refused now."""
        return self.frozen_ns is not None

    def count(self, sizes: Sizes, now: int) -> str | None:
        """Count a fill; give what it trips, None when nothing."""
        if self.since_ns is None or now - self.since_ns >= self.limits.window_ns:
            self._begin(now)
        self.quantity += abs(sizes.quantity)
        self.delta += sizes.delta
        self.vega += sizes.vega
        levels = (self.quantity, abs(self.delta), abs(self.vega))
        limits = (self.limits.quantity, self.limits.delta, self.limits.vega)
        for name, level, limit in zip(TRIGGERS, levels, limits, strict=True):
            if limit is not None and level > limit:
                return name
        return None

    def trip(self, now: int, never: int) -> int | None:
        """Freeze; give until when, None for until it is reset."""
        self.trips += 1
        self.since_ns = None
        until = now + self.limits.frozen_ns if self.limits.frozen_ns else None
        self.frozen_ns = never if until is None else until
        return until

    def free(self) -> None:
        """Let it quote again, and count from nothing."""
        self.frozen_ns = self.since_ns = None

    def _begin(self, now: int) -> None:
        self.since_ns, self.quantity, self.delta, self.vega = now, 0, 0.0, 0.0
