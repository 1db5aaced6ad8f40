"""Who interrupts which processor: the kernel's own counters, read before and after something.

    /proc/interrupts     interrupts by source and processor: devices, timers, calls between processors
    /proc/softirqs       what the kernel did after them: network, timers, scheduling, RCU
    /proc/stat           time that the hypervisor gave to others (steal), and time in interrupts
    /proc/thread-self    how often the scheduler took a processor from a thread, and how often it gave it away

Source: proc(5). Leaves out: who is to blame for a single gap, for the kernel counts and keeps no moments.
"""

import os
from dataclasses import dataclass
from typing import Final

_PROC: Final = "/proc"
_STAT: Final = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")

Counts = dict[str, dict[int, int]]
"""By source, then by processor."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The counters at one moment. `times` by kind and processor. Units: ns, in steps of the kernel's tick."""

    interrupts: Counts
    softirqs: Counts
    times: Counts


@dataclass(frozen=True, slots=True)
class Switches:
    """How often a thread gave its processor away, and how often it was taken from it."""

    voluntary: int
    involuntary: int


def snapshot() -> Snapshot:
    """Read the counters; those that cannot be read are missing."""
    return Snapshot(
        read_table(_text("interrupts")), read_table(_text("softirqs")),
        read_times(_text("stat"), os.sysconf("SC_CLK_TCK")),
    )  # fmt: skip


def switches() -> Switches:
    """Read how often the calling thread was switched."""
    return read_switches(_text("thread-self/status"))


def between(before: Counts, after: Counts) -> Counts:
    """Give what was counted in between; what did not change, or went away, is left out."""
    changed = {
        source: {cpu: count - before.get(source, {}).get(cpu, 0) for cpu, count in row.items()}
        for source, row in after.items()
    }
    return {source: row for source, row in changed.items() if any(count > 0 for count in row.values())}


def read_table(text: str) -> Counts:
    """Read /proc/interrupts or /proc/softirqs: a row for each source, named by its short name and what it says."""
    lines = text.splitlines()
    cpus = [int(one[3:]) for one in lines[0].split() if one.startswith("CPU") and one[3:].isdecimal()] if lines else []
    found: Counts = {}
    for line in lines[1:]:
        name, colon, rest = line.partition(":")
        words = rest.split()
        counts = words[: len(cpus)]
        if colon and len(counts) == len(cpus) and all(one.isdecimal() for one in counts):
            said = " ".join(words[len(cpus) :])
            found[f"{name.strip()} {said}".strip()] = dict(zip(cpus, map(int, counts), strict=True))
    return found


def read_times(text: str, ticks: int) -> Counts:
    """Read the processors' lines of /proc/stat; `ticks` a second is what it counts in."""
    found: Counts = {kind: {} for kind in _STAT}
    for line in text.splitlines():
        name, *values = line.split() or [""]
        if name.startswith("cpu") and all(one.isdecimal() for one in (name[3:], *values)):
            for kind, value in zip(_STAT, values, strict=False):
                found[kind][int(name[3:])] = int(value) * 1_000_000_000 // ticks
    return found


def read_switches(text: str) -> Switches:
    """Read the context switches of /proc/PID/status."""
    found = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    names = ("voluntary_ctxt_switches", "nonvoluntary_ctxt_switches")
    return Switches(*(_number(found.get(name, "")) for name in names))


def _number(text: str) -> int:
    return int(text) if text.strip().isdecimal() else 0


def _text(name: str) -> str:
    try:
        with open(os.path.join(_PROC, name), encoding="ascii", errors="replace") as file:
            return file.read()
    except OSError:
        return ""
