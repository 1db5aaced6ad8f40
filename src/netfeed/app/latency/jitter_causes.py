"""What a beat of interruptions is likely to be, and what helps against it."""

from pathlib import Path
from typing import Final, NamedTuple

from netfeed.app.latency.jitter import Spun
from netfeed.latency.rhythm import TICKS_NS, Rhythm, find_rhythms

SECOND_NS: Final = 1_000_000_000
_RUNTIME: Final = Path("/proc/sys/kernel/sched_rt_runtime_us")
_PERIOD: Final = Path("/proc/sys/kernel/sched_rt_period_us")
_TICK: Final = "boot with nohz_full={cpu} rcu_nocbs={cpu}: with one thread there the tick stops"
_THROTTLE: Final = "sysctl -w kernel.sched_rt_runtime_us=-1, where the processor belongs to one thread"
_EACH_SECOND: Final = "see what the kernel counted; vm.stat_interval, watchdogs and monitoring work each second"


class Cause(NamedTuple):
    """A beat, what it is likely to be, and the remedy."""

    rhythm: Rhythm
    what: str
    remedy: str


class Throttle(NamedTuple):
    """How the kernel stops SCHED_FIFO threads that spin: `stop_ns` in each `period_ns`."""

    period_ns: int
    stop_ns: int


def throttle() -> Throttle | None:
    """Read how; None when it does not."""
    try:
        runtime, period = (int(path.read_text()) * 1000 for path in (_RUNTIME, _PERIOD))
    except (OSError, ValueError):
        return None
    return None if runtime < 0 or runtime >= period else Throttle(period, period - runtime)


def causes(cpu: int, spun: Spun, *, is_fifo: bool, throttled: Throttle | None) -> list[Cause]:
    """Find the beats in the gaps of one processor."""
    at, length = spun.gaps.at_ns, spun.gaps.length_ns
    begun, ended = spun.begun_ns, spun.ended_ns
    ticks = find_rhythms(at, length, TICKS_NS, begun_ns=begun, ended_ns=ended)
    found = [
        Cause(one, f"timer tick, {round(SECOND_NS / one.period_ns)} a second", _TICK.format(cpu=cpu)) for one in ticks
    ]
    period, least = (throttled.period_ns, throttled.stop_ns // 2) if throttled else (SECOND_NS, SECOND_NS // 100)
    for one in find_rhythms(at, length, [period], least_ns=least, begun_ns=begun, ended_ns=ended):
        if is_fifo and throttled:
            found.append(Cause(one, "RT throttling: the kernel stops a SCHED_FIFO thread that never sleeps", _THROTTLE))
        else:
            found.append(Cause(one, "something that runs for long at a beat", _EACH_SECOND))
    return found
