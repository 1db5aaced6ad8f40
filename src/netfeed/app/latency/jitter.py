"""Measure what this host does to threads: spinning, sleeping until a moment, and waking each other, a part at a time.

Each thread is put on its processor before any of them begins. The kernel's counters are read around the first part:
what was interrupted, and by what, belongs together.
"""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final

from netfeed.build import select
from netfeed.errors import ConfigurationError
from netfeed.host.cores import allowed
from netfeed.host.interruptions import Snapshot, Switches, snapshot, switches
from netfeed.host.placed import placed
from netfeed.host.processor import attainable, priority_refusal, throttling
from netfeed.units import duration_text

if TYPE_CHECKING:
    from netfeed.transport.spinning import Alarm, Bell, Gaps
else:
    _TWIN = "netfeed.transport.spinning"
    Alarm, Bell, Gaps = (select("transport.spin", _TWIN, name) for name in ("Alarm", "Bell", "Gaps"))

PARTS: Final = ("spin", "timer", "wakeup")
GLANCE_S: Final = 0.02

NONE: Final = Switches(0, 0)

Call = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Options:
    """What is measured, where, for how long each. Units: ns."""

    cpus: Sequence[int]
    parts: Sequence[str] = PARTS
    duration_ns: int = 5_000_000_000
    threshold_ns: int = 1_000
    interval_ns: int = 1_000_000
    priority: int | None = None
    keep: int = 2**18


@dataclass(slots=True)
class Spun:
    """A processor that was spun on. Units: monotonic ns."""

    gaps: "Gaps"
    begun_ns: int = 0
    ended_ns: int = 0
    switches: Switches = NONE


@dataclass(slots=True)
class Found:
    """What was measured, by processor, or by who rang and who heard."""

    spun: dict[int, Spun] = field(default_factory=dict)
    alarms: dict[int, "Alarm"] = field(default_factory=dict)
    bells: dict[tuple[int, int], "Bell"] = field(default_factory=dict)
    before: Snapshot | None = None
    after: Snapshot | None = None


class Jitter:
    """One run over all parts: `run` it, then read `found` and `notes`."""

    def __init__(
        self, options: Options, *, stop: Callable[[], bool] = lambda: False,
        tell: Callable[[str], None] = lambda text: None,
    ) -> None:  # fmt: skip
        self.options = options
        self.found = Found()
        self.notes: list[str] = []
        self.priority = attainable(options.priority)
        self._stop, self._tell = stop, tell
        self._is_alone = set(options.cpus) >= set(allowed())

    def run(self) -> None:
        """Measure one part after the other, until the last, or `stop`.

        Raises: ConfigurationError when a processor cannot be had, or nothing would be left for the rest of the host.
        """
        self._look()
        steps = {"spin": self._spin, "timer": self._timers, "wakeup": self._wake_ups}
        for number, part in enumerate(self.options.parts):
            if self._stop():
                break
            self._tell(f"{part}: {duration_text(self.options.duration_ns)}")
            if number == 0:
                self.found.before = snapshot()
            steps[part]()
            if number == 0:
                self.found.after = snapshot()

    def _look(self) -> None:
        """Say what has to be known beforehand."""
        asked = self.options.priority
        refusal = priority_refusal(asked) if asked is not None else None
        self.notes += [refusal] if refusal else []
        if not self._is_alone or "spin" not in self.options.parts:
            return
        if self.priority is not None and throttling() is None:
            raise ConfigurationError(
                "SCHED_FIFO threads that spin on every processor would leave none to the rest of this host: name fewer "
                "with --cpus, or leave --priority out"
            )
        self.notes.append(
            "every processor that this process may use was spun on: this program's own waiting thread, and all else "
            "that runs there, is a gap in somebody's measurement; --cpus with one less leaves it a place"
        )

    def _spin(self) -> None:
        spun = {cpu: Spun(Gaps(self.options.threshold_ns, self.options.keep)) for cpu in self.options.cpus}
        self.found.spun = spun

        def work(one: Spun) -> None:
            before, one.begun_ns = switches(), time.monotonic_ns()
            one.gaps.spin(one.begun_ns + self.options.duration_ns)
            one.ended_ns, after = time.monotonic_ns(), switches()
            one.switches = Switches(after.voluntary - before.voluntary, after.involuntary - before.involuntary)

        self._together(
            [(cpu, partial(work, one)) for cpu, one in spun.items()], [one.gaps.stop for one in spun.values()],
            spins=True,
        )  # fmt: skip

    def _timers(self) -> None:
        alarms = self.found.alarms = {cpu: Alarm(self.options.interval_ns) for cpu in self.options.cpus}
        self._together(
            [(cpu, partial(_for, self.options.duration_ns, one.run)) for cpu, one in alarms.items()],
            [one.stop for one in alarms.values()],
        )  # fmt: skip

    def _wake_ups(self) -> None:
        """Let each processor ring for the next one, a pair at a time: two pairs would disturb each other."""
        cpus = list(self.options.cpus)
        pairs = list(zip(cpus, [*cpus[1:], cpus[0]], strict=True))
        for ringer, hearer in pairs:
            if self._stop():
                return
            bell = self.found.bells[ringer, hearer] = Bell(self.options.interval_ns)
            ring = partial(_for, self.options.duration_ns // len(pairs), bell.ring)
            try:
                self._together([(hearer, bell.listen), (ringer, ring)], [bell.stop])
            finally:
                bell.close()

    def _together(self, work: Sequence[tuple[int, Call]], stops: Sequence[Call], *, spins: bool = False) -> None:
        """Run each on its processor, all at once, until they end or are stopped."""
        barrier, failed = threading.Barrier(len(work)), list[BaseException]()
        notes: list[str] = []

        def on(cpu: int, call: Call) -> None:
            try:
                with placed(cpu, self.priority, spins=spins) as said:
                    notes.extend(said)
                    barrier.wait()
                    call()
            except BaseException as error:
                failed.append(error)
                barrier.abort()
                for stop in stops:
                    stop()

        threads = [threading.Thread(target=on, args=one) for one in work]
        for thread in threads:
            thread.start()
        asked = False
        while any(thread.is_alive() for thread in threads):
            threads[0].join(GLANCE_S) if threads[0].is_alive() else threads[-1].join(GLANCE_S)
            if self._stop() and not asked:
                asked = True
                for stop in stops:
                    stop()
        self.notes += [note for note in dict.fromkeys(notes) if note not in self.notes]
        for error in failed:
            if not isinstance(error, threading.BrokenBarrierError):
                raise error


def _for(duration_ns: int, until: Callable[[int], None]) -> None:
    """Call what runs until a moment, from now on for so long."""
    until(time.monotonic_ns() + duration_ns)
