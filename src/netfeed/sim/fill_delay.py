"""How long a request takes to a venue, and a report back: a distribution, and numbers drawn from it by a seed.

    Fixed(150_000)                 always as long
    Uniform(100_000, 300_000)      any of these, as likely as another
    Lognormal(150_000, 0.4)        half of them below the median; sigma of the logarithm
    Recorded(histogram)            as often as it was measured, each bucket at the longest that it holds

Two draws of one distribution do not depend on each other: bursts of a slow network are only in a Recorded one, and
there without their order. No delay is below a nanosecond, so that an answer is always later than what it answers.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import cos, exp, log, pi, sqrt
from typing import Final, Protocol

from netfeed.errors import MisuseError
from netfeed.sim.draws import Draws

_BLOCK: Final = 256
_LONGEST_NS: Final = 3_600_000_000_000
"""No delay is beyond an hour; what a distribution would say beyond is an hour."""


class Chance:
    """Numbers from 0 (never it) to 1, from a seed."""

    def __init__(self, seed: int) -> None:
        self._draws = Draws(seed)
        self._block: list[int] = []

    def take(self) -> float:
        """Draw the next one."""
        if not self._block:
            self._block = [int(word) for word in self._draws.words(_BLOCK)[::-1]]
        return ((self._block.pop() >> 11) + 1) * 2.0**-53


class Delay(Protocol):
    """A distribution of delays."""

    def draw(self, chance: Chance, /) -> int:
        """Draw a delay. Units: ns."""

    def __str__(self) -> str:
        """Say it in a few words."""


@dataclass(frozen=True, slots=True)
class Fixed:
    """Always as long. Units: ns."""

    ns: int

    def draw(self, chance: Chance, /) -> int:
        """Give the delay."""
        return bounded(self.ns)

    def __str__(self) -> str:
        return f"{micros(self.ns)} always"


@dataclass(frozen=True, slots=True)
class Uniform:
    """Evenly between two. Units: ns."""

    low_ns: int
    high_ns: int

    def __post_init__(self) -> None:
        if self.low_ns > self.high_ns:
            raise MisuseError(f"a delay from {self.low_ns} to {self.high_ns} ns has its ends the wrong way round")

    def draw(self, chance: Chance, /) -> int:
        """Draw a delay."""
        return bounded(self.low_ns + round(chance.take() * (self.high_ns - self.low_ns)))

    def __str__(self) -> str:
        return f"evenly {micros(self.low_ns)} to {micros(self.high_ns)}"


@dataclass(frozen=True, slots=True)
class Lognormal:
    """Most near the median, some far beyond it. Units: `median_ns` ns; `sigma` of the natural logarithm."""

    median_ns: int
    sigma: float

    def __post_init__(self) -> None:
        if self.median_ns < 1 or not 0 <= self.sigma <= 10:
            raise MisuseError("a lognormal delay has a median of at least 1 ns and a sigma from 0 to 10")

    def draw(self, chance: Chance, /) -> int:
        """Draw a delay, by Box and Muller."""
        normal = sqrt(-2.0 * log(chance.take())) * cos(2.0 * pi * chance.take())
        return bounded(round(self.median_ns * exp(self.sigma * normal)))

    def __str__(self) -> str:
        return f"lognormal, median {micros(self.median_ns)}, sigma {self.sigma:g}"


class Recorded:
    """As it was measured. `buckets`: (longest, how often) of each; `name`: of what, for people."""

    def __init__(self, buckets: Sequence[tuple[int, int]], name: str) -> None:
        if not any(count for _, count in buckets):
            raise MisuseError(f"{name} holds no delay: nothing was measured")
        self.name = name
        self._longest = [ns for ns, _ in buckets]
        self._counts = list(accumulate(count for _, count in buckets))

    def draw(self, chance: Chance, /) -> int:
        """Draw a delay."""
        return bounded(self._longest[bisect_left(self._counts, chance.take() * self._counts[-1])])

    def __str__(self) -> str:
        return f"as measured: {self.name}, {self._counts[-1]} values"


def bounded(ns: int) -> int:
    """Hold a delay between a nanosecond and an hour."""
    return min(max(1, ns), _LONGEST_NS)


def micros(ns: int) -> str:
    """Write a delay in microseconds."""
    return f"{ns / 1000:g} us"
