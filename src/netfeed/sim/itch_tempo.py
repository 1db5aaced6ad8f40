"""When and where something happens on a simulated exchange: times, symbols, distances, sizes, drawn in blocks.

Steps come in runs. A run is on one symbol; its first step comes after a random gap, the others a microsecond or so
later. Distances from the touch follow a power law, sizes are mostly round lots, gaps are exponential.

Invariant: all tables are made and all draws are scaled in integers (the one logarithm is a decimal one), so that a
seed gives the same steps on any machine.
"""

from collections.abc import Iterable
from decimal import Context, Decimal
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from netfeed.sim.draws import Draws
from netfeed.sim.itch_stock import DEEPEST

Step = tuple[int, int, int, int, int, int]
"""16 bits to pick the action, the symbol's index, the stamp, a distance in ticks, a number of shares, 16 bits more."""
Table = NDArray[np.int64]

BLOCK: Final = 4096
"""How many steps are drawn at once."""
PICKS: Final = 65_536
_BURSTS: Final = 7_864  # of 65,536 runs, so many are longer than one step: 12 %
_GAPS: Final = 1024


class Tempo:
    """Draws the steps of a day. `weights` say how busy each symbol is."""

    def __init__(self, draws: Draws, weights: Table) -> None:
        self._draws = draws
        self._symbols = np.searchsorted(np.cumsum(weights), np.arange(PICKS) * weights.sum() // PICKS, side="right")
        self._runs, self._gaps, self._distances, self._lots = _runs(), _gaps(), _distances(), _lots()

    def steps(self, now_ns: int, pace_ns: int, last_ns: int) -> tuple[Iterable[Step], int]:
        """Draw a block of steps that begins at `now_ns`; give it with the time of its last step.

        Units: `pace_ns` is the mean time from step to step; none comes after `last_ns`.
        """
        runs, symbols, gaps, tracking = self._draws.parts(BLOCK)
        actions, distances, lots, picks = self._draws.parts(BLOCK)
        lengths = self._runs[runs]
        first = np.zeros(BLOCK, dtype=bool)
        begins = np.cumsum(lengths) - lengths
        first[begins[begins < BLOCK]] = True
        long = self._gaps[gaps % _GAPS] * (pace_ns * int(self._runs.sum()) // PICKS) >> 10
        times = np.minimum(now_ns + np.cumsum(np.where(first, long, 200 + gaps % 2048)), last_ns)
        where = np.repeat(self._symbols[symbols], lengths)[:BLOCK]
        stamps = (tracking % 16 << 48) + times
        columns = (actions, where, stamps, self._distances[distances], self._lots[lots], picks)
        return zip(*(column.tolist() for column in columns), strict=True), int(times[-1])


@cache
def _runs() -> Table:
    runs = np.ones(PICKS, dtype=np.int64)
    runs[:_BURSTS] = 2 + np.arange(_BURSTS) % 12
    return runs


@cache
def _gaps() -> Table:
    """Give the quantiles of an exponential distribution of mean 1024."""
    context = Context(prec=12)
    survival = (Decimal(2 * _GAPS - 2 * index - 1) / (2 * _GAPS) for index in range(_GAPS))
    return np.array([int(context.ln(part) * -1024) for part in survival], dtype=np.int64)


@cache
def _distances() -> Table:
    """Give 65,536 distances: a third of all at 0, then each octave two thirds as likely as the one before."""
    distances: list[int] = []
    octave = 1
    while octave <= DEEPEST:
        share = (PICKS - len(distances)) // 3 if 2 * octave <= DEEPEST else PICKS - len(distances)
        distances += [min(octave - 1 + index % octave, DEEPEST) for index in range(share)]
        octave *= 2
    return np.array(distances, dtype=np.int64)


@cache
def _lots() -> Table:
    """Give 65,536 order sizes: 55 % a round lot, 20 % some, 5 % many, 20 % odd. Units: shares."""
    kinds = [[100], [100 * count for count in range(1, 6)], [100 * count for count in range(1, 51)], range(1, 301)]
    shares: list[int] = []
    for kind, percent in zip(kinds, (55, 20, 5, 20), strict=True):
        shares += [kind[index % len(kind)] for index in range(PICKS * percent // 100)]
    return np.array(shares + [100] * (PICKS - len(shares)), dtype=np.int64)
