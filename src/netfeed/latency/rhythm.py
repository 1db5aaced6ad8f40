"""Whether interruptions come at a beat: the timer's tick, the throttling of real-time threads.

A period is held against the moments at which gaps began: folded by it, those of a beat fall on one phase. It is found
when in nearly every period there was a gap at that phase, far more often than chance would have it at the rate at which
gaps came. What beats every 1 ms also beats every 4 ms: the shortest period is told.

Source: the kernel's ticks are 100, 250, 300 or 1000 a second (CONFIG_HZ). Leaves out: beats of other periods than those
that are asked for.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

TICKS_NS: Final = (1_000_000, 3_333_333, 4_000_000, 10_000_000)
COVERED: Final = 0.8
"""The share of periods that have a gap at the phase of a beat."""
_ABOVE_CHANCE: Final = 0.3
_WINDOW: Final = 16
"""A phase is a sixteenth of the period wide."""
MIN_BEATS: Final = 3


@dataclass(frozen=True, slots=True)
class Rhythm:
    """A beat: gaps one `period_ns` apart. `covered` is the share of periods that had one; `length_ns` the median."""

    period_ns: int
    beats: int
    covered: float
    length_ns: int


def find_rhythms(
    at_ns: Any, length_ns: Any, periods_ns: Sequence[int], *, least_ns: int = 0, begun_ns: int, ended_ns: int
) -> list[Rhythm]:
    """Find which of some periods gaps of `least_ns` and longer beat with, the shortest first, without its multiples.

    Shape: `at_ns` and `length_ns` int64, as long. Units: ns by one clock.
    """
    long = length_ns >= least_ns
    at, length = np.asarray(at_ns)[long] - begun_ns, np.asarray(length_ns)[long]
    found: list[Rhythm] = []
    for period in sorted(periods_ns):
        slots = (ended_ns - begun_ns) // period
        if slots < MIN_BEATS or any(_is_multiple(period, one.period_ns) for one in found):
            continue
        one = _beat(at, length, period, slots)
        if one is not None:
            found.append(one)
    return found


def _beat(at: Any, length: Any, period: int, slots: int) -> Rhythm | None:
    if len(at) < MIN_BEATS:
        return None
    window = max(1, period // _WINDOW)
    phase = at % period
    start = _densest(phase, period, window)
    inside = (phase - start) % period < window
    hit = len(np.unique((at[inside] - start) // period))
    covered = min(1.0, hit / slots)
    chance = 1 - np.exp(-len(at) / slots / _WINDOW)
    if hit < MIN_BEATS or covered < COVERED or covered < chance + _ABOVE_CHANCE:
        return None
    return Rhythm(period, hit, covered, int(np.median(length[inside])))


def _densest(phase: Any, period: int, window: int) -> int:
    """Give where the window begins that most phases lie in; it may go around."""
    ordered = np.sort(phase)
    around = np.concatenate([ordered, ordered + period])
    inside = np.searchsorted(around, ordered + window) - np.arange(len(ordered))
    return int(ordered[int(np.argmax(inside))])


def _is_multiple(period: int, of: int) -> bool:
    """Say whether a period is some whole number of another one, as exactly as they are known."""
    times = round(period / of)
    return times > 1 and abs(period - times * of) <= times * max(1, of // 1000)
