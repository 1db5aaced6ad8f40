"""Drive machines from sockets: epoll, or spinning without sleep. It knows no protocol and keeps the driver's law:

    one input, hand over its events, drain every port, read the deadline, wait

A machine is added with its ports, each of which is an endpoint:

    loop = Loop()
    task = loop.add(machine, {Port.LINE_A: incoming(...), Port.RETRANSMIT: exchange(...)}, events=take)
    task.kick()                   after a command: hand nothing over, but drain and read the deadline anew
    loop.run()                    until loop.stop(), which a signal handler or another thread may call

What is no machine is watched (`watch`: a descriptor and a callback) or timed (`every`: a period and a callback).
An error of one endpoint ends that endpoint and is told to `failed`; the others go on.

Precision: a wait shorter than 10 ms is in microseconds, a longer one in milliseconds (epoll_wait rounds up), and it
never ends before the deadline. The longest turn - from waking up to waiting again - is measured: it is how late
everything else was. Leaves out: threads of its own; the hot path of a feed is `receiver`.
"""

import contextlib
import os
import select
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

from netfeed.errors import MisuseError
from netfeed.machine import NEVER, Machine
from netfeed.transport.endpoint import Endpoint
from netfeed.transport.network import NetworkError
from netfeed.transport.task import Driving, Events, Task, nothing, raise_error

__all__ = ["Driving", "Events", "Loop", "LoopStatistics", "Task", "nothing", "raise_error"]

MAX_READY: Final = 64
"""Descriptors that are looked at in a turn."""
PRECISE_NS: Final = 10_000_000
READS, WRITES = select.EPOLLIN, select.EPOLLOUT
_FD_SETSIZE: Final = 1024


@dataclass(frozen=True, slots=True)
class LoopStatistics:
    """The account of a loop. Units: ns."""

    turns: int
    longest_turn_ns: int
    late_wakes: int
    worst_lateness_ns: int


class Loop:
    """Machines, descriptors and timers, on one thread."""

    def __init__(
        self, *, spin: bool = False, cpu: int | None = None, clock: Callable[[], int] = time.monotonic_ns
    ) -> None:
        """Make a loop; `spin` never sleeps and takes a whole core; `cpu` is the core that `run` binds itself to."""
        self.clock = clock
        self.tasks: list[Task] = []
        self._spin, self._cpu = spin, cpu
        self._poll = select.epoll()
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._poll.register(self._bell, select.EPOLLIN)
        self._ready: dict[int, tuple[Callable[[int], None], Callable[[], None]]] = {}
        self._masks: dict[int, int] = {}
        self._endpoints: dict[int, Endpoint] = {}
        self._timers: list[_Timer] = []
        self._posted: deque[Callable[[], None]] = deque()
        self._stopped = self._was_busy = False
        self._turns = self._longest = self._late = self._worst = 0

    def add(
        self, machine: Machine, ports: Mapping[int, Endpoint], *, events: Events = nothing,
        failed: Callable[[Endpoint, NetworkError], None] = raise_error,
    ) -> Task:  # fmt: skip
        """Drive a machine; what it wants to say at once is sent before this returns."""
        task = Task(self, machine, ports, events, failed)
        self.tasks.append(task)
        for port, endpoint in ports.items():
            self._register(endpoint, task, port)
        task.kick()
        return task

    def open_port(self, task: Task, port: int, endpoint: Endpoint) -> None:
        """Give a machine that runs an endpoint for one more port, or another one for a port whose endpoint ended."""
        if port in task.ports:
            raise MisuseError(f"port {port} has an endpoint")
        task.ports[port] = endpoint
        self._register(endpoint, task, port)
        task.kick()

    def close_port(self, task: Task, port: int) -> None:
        """Close one endpoint of a machine."""
        task.drop(port)

    def remove(self, task: Task) -> None:
        """Take a machine off and close its endpoints."""
        if task in self.tasks:
            self.tasks.remove(task)
            for port in list(task.ports):
                self.close_port(task, port)

    def watch(self, fd: int, ready: Callable[[int], None]) -> None:
        """Call `ready(now)` whenever a descriptor can be read."""
        self._poll.register(fd, select.EPOLLIN)
        self._ready[fd] = (ready, lambda: None)

    def forget(self, fd: int) -> None:
        """Watch a descriptor no more."""
        if self._ready.pop(fd, None) is not None:
            with contextlib.suppress(OSError):
                self._poll.unregister(fd)

    def every(self, period_ns: int, call: Callable[[int], None]) -> Callable[[], None]:
        """Call `call(now)` every period; a period that was missed is left out. Gives what ends it.

        Raises: MisuseError.
        """
        if period_ns <= 0:
            raise MisuseError(f"no period: {period_ns} ns")
        timer = _Timer(period_ns, self.clock() + period_ns, call)
        self._timers.append(timer)
        return lambda: self._timers.remove(timer) if timer in self._timers else None

    def post(self, call: Callable[[], None]) -> None:
        """Call something on the loop's thread, from any thread or a signal handler."""
        self._posted.append(call)
        self._ring()

    def fileno(self) -> int:
        """Give a descriptor that is readable when a turn has something to do, for a loop inside another one."""
        return self._poll.fileno()

    def stop(self) -> None:
        """End `run`, from any thread or a signal handler."""
        self._stopped = True
        self._ring()

    def run(self, until_ns: int = NEVER) -> None:
        """Turn until `stop`, or until a moment. Units: monotonic ns."""
        if self._cpu is not None:
            os.sched_setaffinity(0, {self._cpu})
        while not self._stopped and (until_ns == NEVER or self.clock() < until_ns):
            self.turn(until_ns)
        self._stopped = False

    def turn(self, until_ns: int = NEVER) -> None:
        """Wait once and handle what is ready; returns at `until_ns` at the latest."""
        # Who has just been answered often answers at once: before anything is computed for a sleep, it is asked for.
        ready = self._poll.poll(0, MAX_READY) if self._spin or self._was_busy else ()
        if not ready and not self._spin:
            ready = self._wait(min(self.deadline, until_ns))
        self._was_busy = bool(ready)
        now = begun = self.clock()
        self._turns += 1
        for fd, mask in ready:
            if mask == READS and fd in self._ready:  # what is usual
                self._ready[fd][0](now)
            else:
                self._handle(fd, mask, now)
        while self._posted:
            self._posted.popleft()()
        now = self.clock()
        if self.deadline <= now:
            self._wake(now)
            now = self.clock()
        if now - begun > self._longest:
            self._longest = now - begun

    @property
    def deadline(self) -> int:
        """Give the earliest deadline of all machines and timers. Units: monotonic ns; NEVER."""
        due = NEVER
        for (
            one
        ) in self.tasks:  # a loop, for it runs twice a turn: a generator would cost a round trip half a microsecond
            if one.deadline < due:
                due = one.deadline
        return min(due, min(timer.deadline for timer in self._timers)) if self._timers else due

    def statistics(self) -> LoopStatistics:
        """Give the account."""
        return LoopStatistics(self._turns, self._longest, self._late, self._worst)

    def close(self) -> None:
        """Close all endpoints and the loop itself."""
        for task in list(self.tasks):
            self.remove(task)
        self._poll.close()
        os.close(self._bell)

    def interest(self, endpoint: Endpoint) -> None:
        """Wait for room to write only while something waits to be written."""
        fd = endpoint.fileno()
        mask = self._mask(endpoint)
        if self._masks.get(fd, mask) != mask and self._endpoints.get(fd) is endpoint:
            self._poll.modify(fd, mask)
            self._masks[fd] = mask

    def release(self, endpoint: Endpoint) -> None:
        """Wait for an endpoint no more."""
        fd = endpoint.fileno()
        if fd >= 0 and self._endpoints.get(fd) is endpoint:
            del self._endpoints[fd], self._masks[fd]
            self.forget(fd)

    def _register(self, endpoint: Endpoint, task: Task, port: int) -> None:
        fd = endpoint.fileno()
        if fd < 0 or not endpoint.receives:
            return
        mask = self._mask(endpoint)
        self._poll.register(fd, mask)
        self._masks[fd], self._endpoints[fd] = mask, endpoint
        self._ready[fd] = (partial(task.receive, port), partial(task.flush, port))

    @staticmethod
    def _mask(endpoint: Endpoint) -> int:
        reads = 0 if endpoint.ended else READS  # an end would be readable for ever
        return reads | WRITES if endpoint.wants_write else reads

    def _handle(self, fd: int, mask: int, now: int) -> None:
        if fd == self._bell:
            with contextlib.suppress(BlockingIOError):
                os.eventfd_read(self._bell)
            return
        if mask & WRITES and fd in self._ready:
            self._ready[fd][1]()
        if mask & ~WRITES and fd in self._ready:  # an endpoint that another one's events closed is gone
            self._ready[fd][0](now)

    def _wake(self, now: int) -> None:
        for task in [task for task in self.tasks if task.deadline <= now]:
            self._late += 1
            self._worst = max(self._worst, now - task.deadline)
            task.wake(now)
        for timer in [timer for timer in self._timers if timer.deadline <= now]:
            timer.deadline += (1 + (now - timer.deadline) // timer.period_ns) * timer.period_ns
            timer.call(now)

    def _wait(self, deadline: int) -> list[tuple[int, int]]:
        if deadline == NEVER:
            return self._poll.poll(None, MAX_READY)
        left = max(0, deadline - self.clock())
        if left and left < PRECISE_NS and self._poll.fileno() < _FD_SETSIZE:
            select.select([self._poll], [], [], (left + 999) // 1000 / 1e6)
            left = 0
        return self._poll.poll(left / 1e9, MAX_READY)

    def _ring(self) -> None:
        with contextlib.suppress(BlockingIOError, OSError):
            os.eventfd_write(self._bell, 1)


class _Timer:
    """A callback and when it is due."""

    __slots__ = ("call", "deadline", "period_ns")

    def __init__(self, period_ns: int, deadline: int, call: Callable[[int], None]) -> None:
        self.period_ns, self.deadline, self.call = period_ns, deadline, call
