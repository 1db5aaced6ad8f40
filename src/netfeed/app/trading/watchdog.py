"""A thread that ends the process when its loop stands still: quotes that nobody moves any more are worse than none.

A loop that hangs (a strategy that never returns, a disk or a name server that is waited for) can cancel nothing. What
is left then is to let go of the sessions: venues cancel on disconnect, where that is asked for. So the latch is thrown
first (the next run begins killed, and says why), and then the process ends by SIGKILL: nothing else is sure to end it.

It counts its own ticks, not the time: a process that was stopped, or a machine that slept, gets as many ticks again.
It cannot see a thread that keeps the interpreter's lock for itself; a supervisor (`WatchdogSec`) outside can.
"""

import os
import signal
import sys
import threading
from contextlib import suppress
from typing import Final

from netfeed.app.trading.kill import KillError, kill

TICKS: Final = 10


class Watchdog:
    """Watch a loop that calls `turned` at least once a second. Units: `seconds` without a turn that are too many."""

    def __init__(self, kill_file: str, seconds: float) -> None:
        self._path, self._seconds = kill_file, seconds
        self._turns = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="netfeed-watchdog", daemon=True)
        self._thread.start()

    def turned(self) -> None:
        """Take note that the loop has turned."""
        self._turns += 1

    def close(self) -> None:
        """Watch no more."""
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        seen, still = -1, 0
        while not self._over.wait(self._seconds / TICKS):
            turns = self._turns
            still = still + 1 if turns == seen else 0
            seen = turns
            if still >= TICKS:
                self._end()

    def _end(self) -> None:
        why = f"the loop has stood still for {self._seconds:g} s"
        with suppress(KillError):  # it ends all the same
            kill(self._path, "watchdog", why)
        with suppress(OSError, ValueError):
            print(f"netfeed: {why}: ended, so that venues cancel on disconnect", file=sys.stderr, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
