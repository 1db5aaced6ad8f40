"""One direction of a wire as a device: packets go in with the time, and come out when and how the line lets them.

    link.send(data, now)          a packet leaves
    link.deadline                 when the next one arrives; NEVER while none is on its way
    link.deliver(now) -> packets  those that have arrived, in the order in which they do

It has no port and no protocol, so that the same line stands between a venue and a handler in a simulated world, and
between a venue and a real socket. Packets keep their order but for those that `faults` holds back or repeats.

Bounded: at most `max_held` bytes are on their way; what is more is dropped and counted, as a queue of a switch does.
"""

from collections.abc import Iterable
from heapq import heappop, heappush
from typing import Final

from netfeed.machine import NEVER, Buffer
from netfeed.sim.faults import NONE, Counts, Faults, Model, Window, silenced, spoil

MAX_HELD: Final = 16 * 2**20
"""More than a second of a gigabit line's queue. Units: bytes."""


class Link:
    """One direction of a line. `seed` names its chances."""

    def __init__(
        self,
        faults: Faults = NONE,
        *,
        seed: int = 0,
        windows: Iterable[Window] = (),
        max_held: int = MAX_HELD,
    ) -> None:
        self._model = Model(faults, seed=seed, windows=windows)
        self._max_held = max_held
        self._held = 0
        self._flying: list[tuple[int, int, bytes]] = []
        self._number = 0
        self._last_ns = 0
        self.delivered = 0
        self.overflowed = 0

    @property
    def counts(self) -> Counts:
        """Say what became of the packets so far."""
        return self._model.counts

    @property
    def faults(self) -> Faults:
        """Give the faults that hold where no window says otherwise."""
        return self._model.faults

    @property
    def deadline(self) -> int:
        """Say when the next packet arrives. Units: ns; NEVER while none is on its way."""
        return self._flying[0][0] if self._flying else NEVER

    def change(self, faults: Faults) -> None:
        """Let these faults hold from the next packet on."""
        self._model.faults = faults

    def during(self, begin_ns: int, end_ns: int, faults: Faults) -> None:
        """Let these faults hold for a time. Raises: MisuseError when there are too many such times."""
        self._model.forget(min(begin_ns, self._last_ns))
        self._model.during(begin_ns, end_ns, faults)

    def silence(self, begin_ns: int, end_ns: int) -> None:
        """Let nothing through for a time."""
        self.during(begin_ns, end_ns, silenced(self._model.faults))

    def send(self, data: Buffer, now: int) -> None:
        """Take a packet that leaves now."""
        for fate in self._model.judge(now):
            if self._held + len(data) > self._max_held:
                self.overflowed += 1
                continue
            due = now + fate.delay_ns
            if not fate.late:
                self._last_ns = due = max(due, self._last_ns)
            packet = bytes(data) if fate.damage is None else spoil(bytes(data), fate.damage)
            self._number += 1
            self._held += len(packet)
            heappush(self._flying, (due, self._number, packet))

    def deliver(self, now: int) -> list[bytes]:
        """Give the packets that have arrived by now."""
        arrived = []
        while self._flying and self._flying[0][0] <= now:
            packet = heappop(self._flying)[2]
            self._held -= len(packet)
            arrived.append(packet)
        self.delivered += len(arrived)
        return arrived
