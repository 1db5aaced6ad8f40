"""The clocks while something is measured: looked at every now and then, and told in the end as a table."""

from typing import Any, Final

import numpy as np

from netfeed.latency.clock import Clock, StepWatch, narrowest, relate
from netfeed.latency.report import Table
from netfeed.transport.clock import bracketed, clock_costs, has_tsc

PAIRS: Final = (
    (Clock.MONOTONIC, Clock.REALTIME), (Clock.MONOTONIC_RAW, Clock.REALTIME), (Clock.MONOTONIC_RAW, Clock.TSC),
)  # fmt: skip
"""The reference, and the clock that is held against it."""
LOOKS: Final = 10
KEPT: Final = 2048
"""Looks that are kept of a pair; of more every second one is let go."""


class ClockWatch:
    """Looks at the clocks; `steps` are those of real time against monotonic time."""

    def __init__(self) -> None:
        self.costs = clock_costs()
        self._watch = StepWatch()
        self._pairs = [pair for pair in PAIRS if has_tsc or Clock.TSC not in pair]
        self._looks: list[list[Any]] = [[] for _ in self._pairs]
        self._every = self._left = 1
        self.turn()

    @property
    def steps(self) -> list[tuple[int, int]]:
        """List the steps: (monotonic ns, by how many ns real time was set)."""
        return self._watch.found

    def turn(self) -> int:
        """Look; give by how much real time was set since the last time, 0 when it was not. Units: ns."""
        found = [bracketed(*pair, LOOKS) for pair in self._pairs]
        self._left -= 1
        if not self._left:
            self._left = self._every
            self._keep(found)
        return self._watch.look(narrowest(found[0]))

    def table(self) -> Table:
        """Give what was seen of each clock."""
        columns = (
            "clock", "look least ns", "look median ns", "against", "ticks a second", "drift ppb", "bracket ns",
            "line off by ns",
        )  # fmt: skip
        rows = [(name, round(least, 1), round(middle, 1)) for name, (least, middle) in self.costs.items()]
        found = {(of.name, against.name): self._row(at) for at, (against, of) in enumerate(self._pairs)}
        full = []
        for name, least, middle in rows:
            mine = [(against, row) for (of, against), row in found.items() if of == name]
            for against, row in mine or [("-", (None, None, None, None))]:
                full.append((name, least, middle, against, *row))
        return Table("clocks", columns, tuple(full))

    def _keep(self, found: list[Any]) -> None:
        for kept, looks in zip(self._looks, found, strict=True):
            kept.append(looks[int((looks[:, 2] - looks[:, 0]).argmin())])
        if len(self._looks[0]) >= KEPT:
            self._looks = [kept[::2] for kept in self._looks]
            self._every *= 2

    def _row(self, at: int) -> tuple[float | None, ...]:
        looks = np.array(self._looks[at])
        try:
            told = relate(looks)
        except ValueError:
            return None, None, None, None
        drift = None if self._pairs[at][1] is Clock.TSC else round(told.drift_ppb, 3)
        return round(told.rate * 1e9), drift, told.bracket_ns, round(told.residual_ns / told.rate, 1)
