"""Wait for what the kernel does in its own time, without saying how long that takes."""

import time
from collections.abc import Callable


def until(done: Callable[[], bool]) -> None:
    """Ask again and again whether something has happened; fail when it has not after a long while."""
    end = time.monotonic() + 60
    while not done():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.0005)
