"""The pace of a replay: how long to wait before the next batch. The capture's clock and the reader's wrist watch."""

import time
from collections.abc import Callable
from typing import Final

NAP_S: Final = 0.1
"""The longest sleep before `stop` is asked again."""


class Pace:
    """`speed` times as fast as the capture happened. Waits are absolute, so that they do not add up."""

    def __init__(self, speed: float, stop: Callable[[], bool]) -> None:
        self._speed = speed
        self._stop = stop
        self._origin: tuple[int, float] | None = None

    def wait(self, now_ns: int | None) -> None:
        """Wait until the time of the capture has come."""
        if now_ns is None:
            return
        if self._origin is None:
            self._origin = (now_ns, time.monotonic())
        began_ns, began = self._origin
        sleep_until(began + (now_ns - began_ns) / 1e9 / self._speed, self._stop)


def sleep_until(deadline: float, stop: Callable[[], bool]) -> None:
    """Sleep until a monotonic time, or until `stop`. Units: seconds."""
    while not stop():
        left = deadline - time.monotonic()
        if left <= 0:
            return
        time.sleep(min(left, NAP_S))
