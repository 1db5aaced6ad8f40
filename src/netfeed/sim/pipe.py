"""One direction of a TCP connection as a device: bytes come late, or not while it is frozen, but never in part.

    pipe.send(data, now)          False when too much waits: the connection is over
    pipe.deadline                 when something arrives; NEVER while nothing is on its way, or it is frozen for good
    pipe.deliver(now) -> parts    what has arrived, in order

A `Link` loses and overtakes, as datagrams do; what is lost of a stream the kernel sends again, so that all that an
application sees is time. Bounded: MAX_HELD bytes are on their way.
"""

from collections import deque
from dataclasses import dataclass
from typing import Final

from netfeed.errors import MisuseError
from netfeed.machine import NEVER, Buffer
from netfeed.sim.draws import Draws

MAX_HELD: Final = 4 * 2**20
"""More than a socket keeps. Units: bytes."""


@dataclass(frozen=True, slots=True)
class PipeFaults:
    """What holds for a stream: each part comes `delay_ns` late and up to `jitter_ns` more; nothing comes while frozen.

    Raises: MisuseError when a time is negative.
    """

    delay_ns: int = 0
    jitter_ns: int = 0
    frozen: bool = False

    def __post_init__(self) -> None:
        if min(self.delay_ns, self.jitter_ns) < 0:
            raise MisuseError(f"times of faults are not negative: {self}")


NONE: Final = PipeFaults()
"""A wire without length."""


class PipeWindow:
    """The faults of both directions of all connections to one gateway: the usual ones, and others until a time."""

    def __init__(self) -> None:
        self.usual = NONE
        self._until_ns, self._meanwhile = 0, NONE

    def change(self, faults: PipeFaults) -> None:
        """Let these faults hold from now on."""
        self.usual, self._until_ns = faults, 0

    def until(self, until_ns: int, faults: PipeFaults) -> None:
        """Let these faults hold until a time, then the usual ones."""
        self._until_ns, self._meanwhile = until_ns, faults

    def at(self, now: int) -> PipeFaults:
        """Give what holds."""
        return self._meanwhile if now < self._until_ns else self.usual

    def thaws_ns(self, now: int) -> int:
        """Say when what is frozen now moves on; NEVER when nobody knows. Units: monotonic ns."""
        if not self.at(now).frozen:
            return now
        return self._until_ns if now < self._until_ns and not self.usual.frozen else NEVER


class Pipe:
    """One direction of a connection. `seed` names its chances."""

    def __init__(self, window: PipeWindow, seed: int) -> None:
        self._window, self._draws = window, Draws(seed)
        self._held: deque[tuple[int, bytes]] = deque()
        self._bytes = self._now = 0

    def __len__(self) -> int:
        return len(self._held)

    @property
    def deadline(self) -> int:
        """Say when something arrives: nothing does before what left earlier. Units: monotonic ns."""
        if not self._held:
            return NEVER
        return max(self._held[0][0], self._window.thaws_ns(self._now))

    def send(self, data: Buffer, now: int) -> bool:
        """Take bytes that leave now; False when too much waits already."""
        self._now = max(self._now, now)
        self._bytes += len(data)
        if self._bytes > MAX_HELD:
            return False
        faults = self._window.at(self._now)
        late = faults.delay_ns
        if faults.jitter_ns:
            late += int(self._draws.below(1, faults.jitter_ns + 1)[0])
        self._held.append((self._now + late, bytes(data)))
        return True

    def deliver(self, now: int) -> list[bytes]:
        """Give what has arrived by now."""
        self._now = max(self._now, now)
        arrived = []
        while self._held and self.deadline <= self._now:
            arrived.append(self._held.popleft()[1])
            self._bytes -= len(arrived[-1])
        return arrived

    def drain(self) -> list[bytes]:
        """Give all that is on its way, at once."""
        held, self._held, self._bytes = [data for _, data in self._held], deque(), 0
        return held
