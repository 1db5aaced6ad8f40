"""Axes: where a value lies between 0 and 1, and which values are written beside it.

Durations go by their logarithm, unless they lie close together; a percentile by how rare is what exceeds it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, floor, log10
from typing import Final

from netfeed.units import duration_text

Tick = tuple[float, str]

TINY: Final = 1e-250
"""Quantities that differ by less are one."""
_ROUND_SECONDS: Final = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400)
"""A step of time that a person counts in, from a second on."""


@dataclass(frozen=True, slots=True)
class Axis:
    """Where values lie. `ticks` are labelled; `fine` only drawn."""

    label: str
    place: Callable[[float], float]
    ticks: tuple[Tick, ...]
    fine: tuple[float, ...] = ()


def duration_axis(low_ns: int, high_ns: int, label: str) -> Axis:
    """Make an axis of durations from `low_ns` to `high_ns`; logarithmic when they are a factor of 3 apart or more."""
    low, high = max(low_ns, 1), max(high_ns, low_ns + 1, 2)
    return _log_axis(low, high, label) if high >= 3 * low else _close_axis(low, high, label)


def _log_axis(low: int, high: int, label: str) -> Axis:
    start, end = log10(low) - 0.02, log10(high) + 0.02
    decades = range(floor(start), ceil(end) + 1)
    steps = (1,) if end - start > 2.2 else (1, 2, 5)
    ticks = tuple((float(step * 10**e), duration_text(step * 10**e)) for e in decades if e >= 0 for step in steps)
    fine = tuple(float(step * 10**e) for e in decades if e >= 0 and len(decades) < 7 for step in range(2, 10))

    def place(value: float) -> float:
        return (log10(max(value, 1.0)) - start) / (end - start)

    return _cut(Axis(label, place, ticks, fine))


def _close_axis(low: int, high: int, label: str) -> Axis:
    step = max(1.0, nice_step((high - low) / 5))
    start = floor(low / step) * step
    end = max(ceil(high / step) * step, start + step)
    unit, scale = _unit(end)
    decimals = max(0, -floor(log10(step / scale)))
    values = [start + at * step for at in range(round((end - start) / step) + 1)]
    ticks = tuple((value, f"{value / scale:.{decimals}f} {unit}") for value in values)
    return Axis(label, lambda value: (value - start) / (end - start), ticks)


def _unit(highest: float) -> tuple[str, float]:
    for unit, scale in (("s", 1e9), ("ms", 1e6), ("us", 1e3)):
        if highest >= scale:
            return unit, scale
    return "ns", 1.0


def tail_axis(count: int) -> Axis:
    """Make an axis of percentiles for `count` durations: each tick is ten times as rare as the one before it."""
    end = max(log10(max(count, 10)), 1.0) + 0.15
    named = ((0.0, "0 %"), (50.0, "50 %"), (90.0, "90 %"), (99.0, "99 %"))
    rare = ((percent_of(nines), f"{percent_of(nines):.{nines - 2}f} %") for nines in range(3, 13))
    ticks = tuple(tick for tick in (*named, *rare) if rarity(tick[0], 99.0) < end)
    return Axis("percentile", lambda percent: rarity(percent, end) / end, ticks)


def rarity(percent: float, most: float) -> float:
    """Say how rare is what exceeds a percentile, as a power of ten, and `most` at most."""
    beyond = 1 - percent / 100
    return most if beyond <= 10**-most else -log10(beyond)


def percent_of(rare: float) -> float:
    """Give the percentile of a rarity."""
    return 100 - 10 ** (2 - rare)


def time_axis(low_ns: int, high_ns: int) -> Axis:
    """Make an axis of time, linear."""
    span = max(high_ns - low_ns, 1)
    step = round(_time_step(span / 7))  # integers: floats do not tell nanoseconds of a long time apart
    unit, scale = _unit(max(abs(low_ns), abs(low_ns + span)))
    unit, scale = next((long for long in _LONG if step % long[1] == 0), (unit, scale))
    decimals = max(0, -floor(log10(step / scale) + 1e-9))
    ticks = [at * step for at in range(-(-low_ns // step), (low_ns + span) // step + 1)]
    labels = tuple((value, f"{value / scale:,.{decimals}f} {unit}") for value in ticks)
    return Axis("time since the beginning", lambda value: (value - low_ns) / span, labels)


_LONG: Final = (("h", 3.6e12), ("min", 6e10))


def _time_step(least_ns: float) -> float:
    if least_ns < 5e8:
        return max(1.0, nice_step(least_ns))
    longer = nice_step(least_ns / 3.6e12) * 3.6e12
    return next((seconds * 1e9 for seconds in _ROUND_SECONDS if seconds * 1e9 >= least_ns), longer)


def quantity_axis(high: float, label: str, low: float = 0.0) -> Axis:
    """Make an axis of any quantity, linear, that holds 0."""
    low, high = min(low, 0.0), max(high, 0.0)
    step = nice_step((high - low) / 4) if high - low > TINY else 1.0
    name = "" if label == "ns" else label
    start, end = floor(low / step) * step, max(ceil(high / step), 1 + floor(low / step)) * step
    values = [start + at * step for at in range(round((end - start) / step) + 1)]
    ticks = tuple((one, duration_text(round(one)) if label == "ns" else quantity_text(one)) for one in values)
    return Axis(name, lambda value: (value - start) / (end - start), ticks)


def measured(value: float, unit: str) -> str:
    """Write a quantity with its unit; nanoseconds with the unit that reads best."""
    return duration_text(round(value)) if unit == "ns" else f"{quantity_text(value)} {unit}"


def quantity_text(value: float) -> str:
    """Write a quantity shortly: 1,200 or 3.4M."""
    for letter, scale in (("G", 1e9), ("M", 1e6)):
        if abs(value) >= scale:
            return f"{value / scale:.4g}{letter}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def nice_step(least: float) -> float:
    """Give the next of 1, 2, 5, 10, 20, ... that is no less."""
    power: float = 10.0 ** floor(log10(least))
    return next(power * step for step in (1, 2, 5, 10) if power * step >= least * (1 - 1e-9))


def _cut(axis: Axis) -> Axis:
    """Leave out what lies beyond the axis."""
    inside = tuple(tick for tick in axis.ticks if 0 <= axis.place(tick[0]) <= 1)
    return Axis(axis.label, axis.place, inside, tuple(one for one in axis.fine if 0 <= axis.place(one) <= 1))
