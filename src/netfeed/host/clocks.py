"""The clocks of this host: whose they are, and how far the real one stands from the monotonic one.

Source: clock_gettime(2), random(4) (boot_id).
"""

import time
import zlib
from typing import Final

_BOOT: Final = "/proc/sys/kernel/random/boot_id"
_TRIES: Final = 50


def kernel_number() -> int:
    """Give a number of the running kernel, the same in all its namespaces: where it is the same, so are the clocks.

    It is a digest of the random name that the kernel gave itself at boot; 0 where that cannot be read.
    """
    try:
        with open(_BOOT, "rb") as file:
            return zlib.crc32(file.read().strip()) or 1
    except OSError:
        return 0


def epoch_ns() -> int:
    """Give what to add to the monotonic clock to have the real one, as of now; the best of some readings.

    Both are slewed alike, so it only changes when somebody sets the real one.
    """
    readings = [(time.monotonic_ns(), time.time_ns(), time.monotonic_ns()) for _ in range(_TRIES)]
    before, real, after = min(readings, key=lambda one: one[2] - one[0])
    return real - (before + after) // 2
