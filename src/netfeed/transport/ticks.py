"""Clocks read side by side, and what a look at one costs. This twin defines `netfeed.transport.tick`.

The interpreter cannot read the processor's counter: here real time is the kernel's, and there is no TSC.
"""

import time
from typing import Any, Final

import numpy as np

has_tsc: Final = False
"""Whether the processor has a counter that can be read."""
_CHUNK: Final = 64


def bracketed(reference: int, other: int, times: int) -> Any:
    """Read one clock between two looks at another, so many times. Shape: int64 (times, 3): before, at, after.

    Raises: ValueError for a clock that there is not.
    """
    read, known = time.clock_gettime_ns, (_known(reference), _known(other))
    return np.array([(read(known[0]), read(known[1]), read(known[0])) for _ in range(times)], np.int64).reshape(-1, 3)


def costs(which: int, times: int) -> Any:
    """Measure what a look at a clock costs: the mean of some looks, so many times. Shape: float64, ns.

    Raises: ValueError for a clock that there is not.
    """
    clock, found = _known(which), np.empty(times)
    for k in range(times):
        start = time.monotonic_ns()
        for _ in range(_CHUNK):
            time.clock_gettime_ns(clock)
        found[k] = (time.monotonic_ns() - start) / _CHUNK
    return found


class Ticker:
    """Real time. Raises: ValueError when the processor's counter is asked for (`use`)."""

    steps = 0
    """How often the clock was seen to be set; only who has a second clock sees it."""

    def __init__(self, use: bool) -> None:
        if use:
            raise ValueError("plain Python cannot read the processor's counter: use the kernel's clock")

    def now(self) -> int:
        """Give real time. Units: ns since 1970."""
        return time.time_ns()


def _known(which: int) -> int:
    try:
        time.clock_gettime_ns(which)
    except (OSError, OverflowError):
        raise ValueError(f"there is no clock {which} here") from None
    return which
