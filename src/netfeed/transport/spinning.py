"""What the host does to a thread: interruptions while it spins, lateness of its timers, the way from thread to thread.

    Gaps     a thread that does nothing but read the clock: two readings that are far apart had something in between
    Alarm    a thread that sleeps until absolute moments: by how much it wakes late
    Bell     two threads and an eventfd: one rings, the other sleeps until it hears it

Each runs on the thread that calls it, which its caller has put on a processor; `stop` may be called from any other.
This twin defines `netfeed.transport.spin`, which never needs the interpreter's lock while it runs; here the lock's own
delays are measured too.

Invariant: nothing is left out. What passes while a thread is late is counted (`overruns`, `busy`), and a ring that was
not heard keeps its moment until it is. Sources: sysjitter (Solarflare), cyclictest (rt-tests), clock_nanosleep(2),
eventfd(2).
"""

import ctypes
import os
import threading
import time
from itertools import pairwise
from typing import Any, Final

import numpy as np

from netfeed.latency import Histogram

MAX_KEPT: Final = 2**24
MIN_INTERVAL_NS: Final = 1_000
MAX_INTERVAL_NS: Final = 10_000_000_000
_SECOND_NS: Final = 1_000_000_000
_TIMER_ABSTIME: Final = 1


class Gaps:
    """Interruptions of a spinning thread, `threshold_ns` long or longer; the first `keep` of them one by one.

    Raises: ValueError.
    """

    def __init__(self, threshold_ns: int = 1_000, keep: int = 2**18) -> None:
        if threshold_ns < 1 or not 0 <= keep <= MAX_KEPT:
            raise ValueError("a threshold is 1 ns or more, and at most 2**24 gaps are kept")
        self.threshold_ns = threshold_ns
        self.histogram = Histogram()
        self.turns = self.spun_ns = self.stolen_ns = 0
        self.least_ns: int | None = None
        """The shortest time between two readings: what reading the clock costs."""
        self._at, self._length = np.zeros(keep, np.int64), np.zeros(keep, np.int64)
        self._kept = 0
        self._stopped = False

    @property
    def at_ns(self) -> Any:
        """Give when each gap that was kept began. Shape: int64. Units: monotonic ns."""
        return self._at[: self._kept]

    @property
    def length_ns(self) -> Any:
        """Give how long each gap that was kept was. Shape: int64."""
        return self._length[: self._kept]

    @property
    def forgotten(self) -> int:
        """Count the gaps that were not kept."""
        return self.histogram.count - self._kept

    def spin(self, until_ns: int) -> None:
        """Read the clock until a moment, or `stop`; twice at least. Units: monotonic ns."""
        last = time.monotonic_ns()
        while True:
            now = time.monotonic_ns()
            self._take(last, now)
            last = now
            if last >= until_ns or self._stopped:
                return

    def feed(self, readings_ns: Any) -> None:
        """Take readings of a clock that never goes back as if they had been made here. Shape: int64, contiguous."""
        readings = readings_ns.tolist()
        for last, now in pairwise(readings):
            self._take(last, now)

    def stop(self) -> None:
        """End `spin`."""
        self._stopped = True

    def _take(self, last: int, now: int) -> None:
        step = now - last
        self.turns += 1
        self.spun_ns += step
        self.least_ns = step if self.least_ns is None else min(self.least_ns, step)
        if step < self.threshold_ns:
            return
        self.stolen_ns += step
        self.histogram.record(step)
        if self._kept < len(self._at):
            self._at[self._kept], self._length[self._kept] = last, step
            self._kept += 1


class Alarm:
    """By how much a thread wakes late that sleeps until absolute moments, one `interval_ns` apart.

    Raises: ValueError.
    """

    def __init__(self, interval_ns: int) -> None:
        _check(interval_ns)
        self.interval_ns = interval_ns
        self.histogram = Histogram()
        self.overruns = 0
        """Moments that passed while the thread was late for an earlier one."""
        self._stopped = False

    def run(self, until_ns: int) -> None:
        """Sleep again and again until a moment, or `stop`; once at least. Units: monotonic ns."""
        due = time.monotonic_ns() + self.interval_ns
        while True:
            _sleep_until(due)
            due = self.take(due, time.monotonic_ns())
            if due >= until_ns or self._stopped:
                return

    def take(self, due_ns: int, now_ns: int) -> int:
        """Take that the thread woke now instead of then; give the next moment, which is still to come."""
        self.histogram.record(now_ns - due_ns)
        due_ns += self.interval_ns
        passed = max(0, (now_ns - due_ns) // self.interval_ns + 1)
        self.overruns += passed
        return due_ns + passed * self.interval_ns

    def stop(self) -> None:
        """End `run` after its next waking."""
        self._stopped = True


class Bell:
    """How long a ring takes from one thread to another, which sleeps until it hears it; one each `interval_ns`.

    Raises: ValueError; OSError.
    """

    def __init__(self, interval_ns: int) -> None:
        _check(interval_ns)
        self.interval_ns = interval_ns
        self.histogram = Histogram()
        self.rings = self.busy = 0
        """`busy`: moments at which the last ring had not been heard yet, and none was made."""
        self._fd = os.eventfd(0, os.EFD_CLOEXEC)
        self._rung_ns = 0
        self._pending = threading.Event()
        self._stopped = False

    def ring(self, until_ns: int) -> None:
        """Ring until a moment, or `stop`, once at least; then the other thread's `listen` ends. Units: monotonic ns."""
        due = time.monotonic_ns() + self.interval_ns
        while True:
            _sleep_until(due)
            if self._pending.is_set():
                self.busy += 1
            else:
                self.rings += 1
                self._rung_ns = time.monotonic_ns()
                self._pending.set()
                os.eventfd_write(self._fd, 1)
            due += self.interval_ns * (1 + max(0, time.monotonic_ns() - due) // self.interval_ns)
            if due >= until_ns or self._stopped:
                break
        self.stop()

    def listen(self) -> None:
        """Sleep until a ring, again and again, until the last one."""
        while True:
            os.eventfd_read(self._fd)
            now = time.monotonic_ns()
            if self._pending.is_set():
                self.histogram.record(now - self._rung_ns)
                self._pending.clear()
            if self._stopped:
                return

    def stop(self) -> None:
        """End both sides."""
        self._stopped = True
        if self._fd >= 0:
            os.eventfd_write(self._fd, 1)

    def close(self) -> None:
        """Close, when both sides have ended."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def _check(interval_ns: int) -> None:
    if not MIN_INTERVAL_NS <= interval_ns <= MAX_INTERVAL_NS:
        raise ValueError("an interval is 1 us to 10 s")


class _Timespec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


def _sleep_until(due_ns: int) -> None:
    until = _Timespec(*divmod(due_ns, _SECOND_NS))
    sleep = ctypes.CDLL(None).clock_nanosleep
    while sleep(time.CLOCK_MONOTONIC, _TIMER_ABSTIME, ctypes.byref(until), None):
        pass  # a signal came
