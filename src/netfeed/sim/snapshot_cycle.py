"""The snapshot cycle of a simulated Starbase venue: every instrument in turn, again and again, on a stream of its own.

A snapshot is taken between two transactions, as of the last incremental, and published `lag_ns` later: a receiver that
needs it must have kept the incrementals that came in between. Cycles follow each other without a pause; the snapshots
of a cycle are spread evenly over it.

`spoilt`: of so many snapshots out of RATE the trailer contradicts the header. A receiver must not adopt them.
"""

from collections import deque
from typing import Final

from netfeed.machine import NEVER
from netfeed.sim.draws import Draws
from netfeed.sim.faults import RATE
from netfeed.sim.publisher import Publisher
from netfeed.sim.starbase_floor import StarbaseFloor
from netfeed.sim.starbase_snapshot import end_of_cycle, indexes, snapshot
from netfeed.wire import starbase

_SEQUENCE_AT: Final = starbase.MESSAGE_HEADER.size + 16
"""Where a trailer names its incremental sequence."""


class SnapshotCycle:
    """The cycle. Units: `cycle_ns` is how long a whole one takes."""

    def __init__(self, floor: StarbaseFloor, copies: Publisher, *, cycle_ns: int, lag_ns: int, seed: int) -> None:
        self.spoilt = 0
        self.cycles = 0
        self._floor = floor
        self._copies = copies
        self._step_ns = max(cycle_ns // (len(floor.instruments) + 1), 1)
        self._lag_ns = lag_ns
        self._draws = Draws(seed)
        self._place = 0
        self._due = NEVER
        self._ripening: deque[tuple[int, list[bytes]]] = deque()

    @property
    def deadline(self) -> int:
        """Say when the next snapshot is taken or published. Units: monotonic ns."""
        ripe = self._ripening[0][0] if self._ripening else NEVER
        return min(self._due, ripe)

    def begin(self, now: int) -> None:
        """Begin a cycle one step from now."""
        self._ripening.clear()
        self._place, self._due = 0, now + self._step_ns

    def pause(self) -> None:
        """Take and publish nothing more."""
        self._ripening.clear()
        self._due = NEVER

    def wake(self, now: int, wall_ns: int, sequence: int) -> None:
        """Take what is due, as of the incremental `sequence`, and publish what is ripe."""
        if self._due <= now:
            self._ripening.append((now + self._lag_ns, self._take(wall_ns, sequence)))
            self._due = now + self._step_ns
        while self._ripening and self._ripening[0][0] <= now:
            for message in self._ripening.popleft()[1]:
                self._copies.add(message)
            self._copies.flush(now, wall_ns)

    def _take(self, wall_ns: int, sequence: int) -> list[bytes]:
        flow = self._floor.flow
        messages = [] if self._place else indexes(flow, wall_ns)
        market = flow.markets[self._place]
        messages += snapshot(market, flow.info(market), sequence, wall_ns)
        if int(self._draws.below(1, RATE)[0]) < self.spoilt:
            messages[-1] = _contradicting(messages[-1])
        self._place += 1
        if self._place == len(flow.markets):
            messages.append(end_of_cycle(self._place, wall_ns))
            self._place = 0
            self.cycles += 1
        return messages


def _contradicting(trailer: bytes) -> bytes:
    """Let a trailer name another sequence than its header."""
    sequence = int.from_bytes(trailer[_SEQUENCE_AT : _SEQUENCE_AT + 8], "little") + 1
    return trailer[:_SEQUENCE_AT] + sequence.to_bytes(8, "little") + trailer[_SEQUENCE_AT + 8 :]
