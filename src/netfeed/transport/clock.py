"""This machine's clocks: read side by side, what a look costs, and whether the processor's counter is a clock at all.

The counter (TSC) is one when it runs at the same rate whatever the processor does (`constant_tsc`), does not stop when
it sleeps (`nonstop_tsc`), and the kernel itself goes by it (clocksource `tsc`, which it gives up when processors
disagree).
Source: Linux, Documentation/virt/kvm/x86/timekeeping.rst; Intel SDM vol. 3, 18.17 (invariant TSC).
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from netfeed.build import select
from netfeed.errors import ConfigurationError
from netfeed.latency.clock import Clock, Look, narrowest
from netfeed.latency.stage import TRACE
from netfeed.transport.ring import Ring

if TYPE_CHECKING:
    from netfeed.transport.ticks import Ticker, bracketed, costs, has_tsc
    from netfeed.transport.tracer import cost
else:
    Ticker, bracketed, costs, has_tsc = (
        select("transport.tick", "netfeed.transport.ticks", name)
        for name in ("Ticker", "bracketed", "costs", "has_tsc")
    )
    cost = select("transport.trace", "netfeed.transport.tracer", "cost")

__all__ = [
    "Ticker", "bracketed", "chosen", "clock_costs", "clocksource", "has_tsc", "look", "refusal", "trace_cost",
    "tsc_refusal",
]  # fmt: skip

CPUINFO: Final = Path("/proc/cpuinfo")
CLOCKSOURCE: Final = Path("/sys/devices/system/clocksource/clocksource0/current_clocksource")
NEEDED: Final = frozenset({"constant_tsc", "nonstop_tsc"})
_LOOKS: Final = 20
_ROUNDS: Final = 50
_TRACES: Final = 2000


def look() -> Look:
    """Look at real time against monotonic time: the narrowest of some looks."""
    return narrowest(bracketed(Clock.MONOTONIC, Clock.REALTIME, _LOOKS))


def clock_costs() -> dict[str, tuple[float, float]]:
    """Measure what a look at each clock costs: (least, median). Units: ns."""
    clocks = [clock for clock in Clock if clock is not Clock.TSC or has_tsc]
    found: dict[str, Any] = {clock.name: costs(clock, _ROUNDS) for clock in clocks}
    return {name: (float(values.min()), float(np.median(values))) for name, values in found.items()}


def trace_cost(tsc: bool) -> float:
    """Measure what a trace through all stages costs, in a ring that nobody reads. Units: ns a packet."""
    with Ring(f".netfeed-cost-{os.getpid()}", TRACE, capacity=1024, names=0, mode=0o600) as ring:
        return float(min(cost(ring, _TRACES, tsc=tsc and has_tsc) for _ in range(3)))


def clocksource() -> str | None:
    """Say what the kernel's clocks go by, None where it does not tell."""
    try:
        return CLOCKSOURCE.read_text().strip()
    except OSError:
        return None


def refusal(cpuinfo: str, source: str | None) -> str | None:
    """Say why the processor's counter is no clock, None when it is one."""
    flags = next((line.partition(":")[2].split() for line in cpuinfo.splitlines() if line.startswith("flags")), [])
    missing = sorted(NEEDED - set(flags))
    if missing:
        return f"the processor's counter is not invariant: /proc/cpuinfo has no {', '.join(missing)}"
    if source != "tsc":
        return f"the kernel does not go by the processor's counter: its clocksource is {source}"
    return None


def tsc_refusal() -> str | None:
    """Say why the counter of this machine is no clock, None when it is one."""
    if not has_tsc:
        return "plain Python cannot read the processor's counter, or this processor has none"
    try:
        cpuinfo = CPUINFO.read_text()
    except OSError as error:
        return f"nobody knows whether the processor's counter is invariant: {error}"
    return refusal(cpuinfo, clocksource())


def chosen(wanted: str) -> bool:
    """Say whether stamps are to be taken from the counter: `tsc`, `system`, or `auto` for the counter where it serves.

    Raises: ConfigurationError when the counter is wanted and is no clock.
    """
    said = tsc_refusal() if wanted != "system" else None
    if wanted == "tsc" and said is not None:
        raise ConfigurationError(f"{said}; use the clock `system`")
    return wanted != "system" and said is None
