"""Whether a thread may have a processor and a real-time priority here; each refusal in words, with its remedy.

Asked by trying it, in a thread of its own that ends at once: what is allowed depends on capabilities, limits, cpusets
and container policy together, and the kernel is the only one who knows them all.

Source: sched(7), sched_setaffinity(2), cgroups(7).
Leaves out: isolating processors, moving interrupts away from them.
"""

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from netfeed.units import duration_text

_RUNTIME: Final = Path("/proc/sys/kernel/sched_rt_runtime_us")
_PERIOD: Final = Path("/proc/sys/kernel/sched_rt_period_us")


def affinity_refusal(cpu: int) -> str | None:
    """Say why a thread cannot be pinned to a processor; None when it can."""
    error = _tried(lambda: os.sched_setaffinity(0, {cpu}))
    if error is None:
        return None
    have = ", ".join(str(one) for one in sorted(os.sched_getaffinity(0)))
    return (
        f"processor {cpu} cannot be had ({error.strerror}): this process may run on {have}; name one of these, "
        "or widen its CPUAffinity or cpuset"
    )


def priority_refusal(priority: int) -> str | None:
    """Say why a thread cannot be SCHED_FIFO with a priority; None when it can."""
    error = _tried(lambda: fifo(priority))
    if error is None:
        return None
    return (
        f"no SCHED_FIFO priority {priority} ({error.strerror}): the thread goes without; give the process CAP_SYS_NICE "
        f"(`AmbientCapabilities=CAP_SYS_NICE`) or LimitRTPRIO={priority} (`ulimit -r {priority}`)"
    )


def attainable(priority: int | None) -> int | None:
    """Give a priority back when it can be had, else None."""
    return priority if priority is not None and priority_refusal(priority) is None else None


def throttling() -> str | None:
    """Say what the kernel does to a SCHED_FIFO thread that never sleeps; None when it lets it run."""
    try:
        runtime, period = (int(path.read_text()) for path in (_RUNTIME, _PERIOD))
    except (OSError, ValueError):
        return None
    if runtime < 0 or runtime >= period:
        return None
    stopped, every = duration_text((period - runtime) * 1000), duration_text(period * 1000)
    return (
        f"the kernel stops a SCHED_FIFO thread that spins for {stopped} in every {every}: where its processor is its "
        "own, `sysctl -w kernel.sched_rt_runtime_us=-1`; else let it sleep"
    )


def fifo(priority: int) -> None:
    """Make the calling thread SCHED_FIFO; what it starts is not. Raises: OSError."""
    os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(priority))


def _tried(do: Callable[[], None]) -> OSError | None:
    found: list[OSError] = []

    def work() -> None:
        try:
            do()
        except OSError as error:
            found.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    return found[0] if found else None
