"""The clocks of this host: whose they are, and how far the real one stands from the monotonic one.

Source: clock_gettime(2), random(4) (boot_id).
"""

import zlib
from collections.abc import Callable
from typing import Final

from netfeed.latency.clock import Look
from netfeed.transport.clock import look

GLANCE_NS: Final = 1_000_000_000
STEP_NS: Final = 10_000
"""A change of the real clock against the monotonic one that is no inaccuracy of reading them."""
_BOOT: Final = "/proc/sys/kernel/random/boot_id"


def kernel_number() -> int:
    """Give a number of the running kernel, the same in all its namespaces: where it is the same, so are the clocks.

    It is a digest of the random name that the kernel gave itself at boot; 0 where that cannot be read.
    """
    try:
        with open(_BOOT, "rb") as file:
            return zlib.crc32(file.read().strip()) or 1
    except OSError:
        return 0


class Epoch:
    """What to add to the monotonic clock to have the real one: `ns`, right again within a second of its being set.

    Both clocks are slewed alike, so it only changes when somebody sets the real one: `moved_ns` is by how much in all.
    """

    def __init__(self, looking: Callable[[], Look] = look) -> None:
        first = looking()
        self.ns, self.moved_ns, self.steps = first.offset_ns, 0, 0
        self._look, self._due_ns = looking, first.at_ns + GLANCE_NS

    def glance(self, now: int) -> bool:
        """Look again, if a second has passed; say whether the clock was set. Units: `now` in monotonic ns."""
        if now < self._due_ns:
            return False
        self._due_ns = now + GLANCE_NS
        return self.check()

    def check(self) -> bool:
        """Look again; say whether the clock was set."""
        latest = self._look()
        moved = latest.offset_ns - self.ns
        if abs(moved) <= STEP_NS + latest.bracket_ns:
            return False
        self.ns, self.moved_ns, self.steps = latest.offset_ns, self.moved_ns + moved, self.steps + 1
        return True
