"""What two clocks have to do with each other, from looks at one between two looks at the other. Pure arithmetic.

A look (before, at, after) says that the other clock showed `at` somewhere between `before` and `after` of the
reference: in the middle, and wrong by half the bracket at most. The narrowest of many looks is the one to believe; a
line through narrow ones over time gives the drift; what no slewing explains is a step.

Leaves out: reading clocks (`transport.clock`).
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

import numpy as np

SLEW: Final = 0.001
"""How fast real time may move against monotonic time without being set: twice what the kernel slews by (500 ppm)."""
STEP_NS: Final = 50_000
"""What is no step, whatever the bracket: the reader may be put aside between two looks."""


class Clock(IntEnum):
    """The kernel's clocks by its own numbers, and the processor's counter."""

    TSC = -1
    REALTIME = 0
    MONOTONIC = 1
    MONOTONIC_RAW = 4


@dataclass(frozen=True, slots=True)
class Look:
    """The narrowest of some looks. Units: ns, but for a counter, whose `offset_ns` means nothing."""

    at_ns: int
    offset_ns: int
    bracket_ns: int


@dataclass(frozen=True, slots=True)
class Relation:
    """How a clock runs against its reference.

    Units: `offset_ns` at the middle of the looks, `rate` in ticks of the one for each of the other, `drift_ppb` what it
    is off 1, `residual_ns` how far the worst look lies from the line, `bracket_ns` the median of the brackets.
    """

    offset_ns: float
    rate: float
    residual_ns: float
    bracket_ns: float
    looks: int

    @property
    def drift_ppb(self) -> float:
        """Give how much too fast the clock runs. Units: parts of 1e9."""
        return (self.rate - 1) * 1e9


def narrowest(looks: Any) -> Look:
    """Choose the look with the smallest bracket. Shape: int64 (n, 3): before, at, after; n at least 1."""
    brackets = looks[:, 2] - looks[:, 0]
    before, at, after = (int(value) for value in looks[int(brackets.argmin())])
    middle = before + (after - before) // 2
    return Look(middle, at - middle, after - before)


def relate(looks: Any) -> Relation:
    """Lay a line through looks that were taken over time, the narrower half of them.

    Shape: int64 (n, 3): before, at, after. Raises: ValueError for fewer than two moments.
    """
    brackets = looks[:, 2] - looks[:, 0]
    kept = looks[brackets <= np.median(brackets)]
    middles, others = kept[:, 0] + (kept[:, 2] - kept[:, 0]) // 2, kept[:, 1]
    if len(kept) < 2 or middles.min() == middles.max():
        raise ValueError("two moments at least make a line")
    x, y = (middles - middles[0]).astype(float), (others - others[0]).astype(float)
    rate = float(((x - x.mean()) * (y - y.mean())).sum() / ((x - x.mean()) ** 2).sum())
    residuals = (y - y.mean()) - rate * (x - x.mean())
    offset = float(others[0] - middles[0]) + float(y.mean() - x.mean())
    return Relation(offset, rate, float(np.abs(residuals).max()), float(np.median(kept[:, 2] - kept[:, 0])), len(kept))


class StepWatch:
    """Tells a clock that was set from one that runs: give it a look now and then.

    `found` lists the steps as (when by the reference, by how much). A step that is smaller than what slewing could have
    done since the look before is not seen: look often.
    """

    def __init__(self, *, least_ns: int = STEP_NS) -> None:
        self.found: list[tuple[int, int]] = []
        self._least_ns = least_ns
        self._last: Look | None = None

    def look(self, look: Look) -> int:
        """Compare a look with the one before; give by how much the clock was set in between, 0 when it was not."""
        last, self._last = self._last, look
        if last is None:
            return 0
        moved = look.offset_ns - last.offset_ns
        slewed = SLEW * (look.at_ns - last.at_ns)
        if abs(moved) <= self._least_ns + slewed + (look.bracket_ns + last.bracket_ns) / 2:
            return 0
        self.found.append((look.at_ns, moved))
        return moved
