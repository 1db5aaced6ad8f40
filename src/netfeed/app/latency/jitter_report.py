"""The report of the host's noise: gaps of each processor, what the kernel counted meanwhile, timers, wake-ups."""

import platform
from typing import Any, Final

import numpy as np

import netfeed
from netfeed.app.latency.jitter import Jitter, Spun
from netfeed.app.latency.jitter_causes import Cause, causes, throttle
from netfeed.build import PURE
from netfeed.host import cores
from netfeed.host.interruptions import Counts, Snapshot, between
from netfeed.latency.report import Distribution, Report, Series, Table, Value
from netfeed.units import duration_text

POINTS: Final = 100
"""Points of the series of a processor."""
SOURCES: Final = 20
_CORES: Final = (
    "cpu", "isolated", "gaps", "a_second", "stolen_%", "p50_ns", "p99_ns", "p99.9_ns", "max_ns", "gave_away",
    "taken_away", "interrupts", "softirqs", "steal_ms",
)  # fmt: skip
_BEATS: Final = ("cpu", "each", "beats", "of_periods_%", "median_ns", "likely", "remedy")


def jitter_report(jitter: Jitter) -> Report:
    """Make the report of a run that is over."""
    found, options = jitter.found, jitter.options
    beats = {cpu: _causes(jitter, cpu, one) for cpu, one in found.spun.items()}
    distributions = [
        *(Distribution(f"gaps, cpu {cpu}", one.gaps.histogram, _share(one)) for cpu, one in found.spun.items()),
        *(Distribution(f"timer, cpu {cpu}", one.histogram, "woken so late") for cpu, one in found.alarms.items()),
        *(Distribution(f"wake-up, cpu {a} to {b}", one.histogram) for (a, b), one in found.bells.items()),
    ]
    tables = [_cores(jitter), _beats(beats), _counted(jitter), _sleepers(jitter)]
    return Report(
        "jitter", f"the noise of {platform.node()}, processors {', '.join(map(str, options.cpus))}", _facts(jitter),
        tuple(one for one in distributions if one.histogram.count),
        tuple(_series(cpu, one) for cpu, one in found.spun.items() if one.gaps.turns),
        tables=tuple(table for table in tables if table.rows), notes=(*_notes(jitter), *jitter.notes),
    )  # fmt: skip


def _facts(jitter: Jitter) -> dict[str, Value]:
    options = jitter.options
    least = [one.gaps.least_ns for one in jitter.found.spun.values() if one.gaps.least_ns is not None]
    return {
        "netfeed": f"{netfeed.__version__} ({netfeed.BUILD})", "kernel": platform.release(),
        "isolated": ", ".join(map(str, cores.isolated())) or "none",
        "without a tick (nohz_full)": ", ".join(map(str, cores.tickless())) or "none",
        "each part": duration_text(options.duration_ns), "threshold": duration_text(options.threshold_ns),
        "interval of timers and rings": duration_text(options.interval_ns),
        "scheduling": "SCHED_OTHER" if jitter.priority is None else f"SCHED_FIFO {jitter.priority}",
        "reading the clock costs_ns": min(least, default=None),
    }  # fmt: skip


def _share(one: Spun) -> str:
    return f"{_percent(one):.3g} % of the processor stolen"


def _percent(one: Spun) -> float:
    return 100 * one.gaps.stolen_ns / one.gaps.spun_ns if one.gaps.spun_ns else 0.0


def _causes(jitter: Jitter, cpu: int, one: Spun) -> list[Cause]:
    return causes(cpu, one, is_fifo=jitter.priority is not None, throttled=throttle())


def _cores(jitter: Jitter) -> Table:
    found, alone = jitter.found, cores.isolated()
    rows = []
    for cpu, one in found.spun.items():
        h, seconds = one.gaps.histogram, max(1, one.gaps.spun_ns) / 1e9
        shown = h.percentile(50), h.percentile(99), h.percentile(99.9), h.max_ns
        rows.append((
            cpu, cpu in alone, h.count, round(h.count / seconds, 1), round(_percent(one), 4), *shown,
            one.switches.voluntary, one.switches.involuntary, *_kernel(found.before, found.after, cpu),
        ))  # fmt: skip
    return Table("processors while spun on", _CORES, tuple(rows))


def _kernel(before: Snapshot | None, after: Snapshot | None, cpu: int) -> tuple[Value, Value, Value]:
    """Give the interrupts, softirqs and stolen milliseconds of a processor."""
    if before is None or after is None:
        return None, None, None
    interrupts, softirqs = between(before.interrupts, after.interrupts), between(before.softirqs, after.softirqs)
    steal = between(before.times, after.times).get("steal", {}).get(cpu, 0)
    return _sum(interrupts, cpu), _sum(softirqs, cpu), steal // 1_000_000


def _sum(counts: Counts, cpu: int) -> int:
    return sum(row.get(cpu, 0) for row in counts.values())


def _counted(jitter: Jitter) -> Table:
    """Give what the kernel counted on each processor, most first."""
    found, cpus = jitter.found, list(jitter.options.cpus)
    columns = ("kind", "source", *(f"cpu {cpu}" for cpu in cpus))
    if found.before is None or found.after is None:
        return Table("", columns, ())
    kinds = {
        "interrupt": between(found.before.interrupts, found.after.interrupts),
        "softirq": between(found.before.softirqs, found.after.softirqs),
    }
    counted = [
        (sum(row.get(cpu, 0) for cpu in cpus), kind, source, row)
        for kind, counts in kinds.items()
        for source, row in counts.items()
    ]
    rows: list[tuple[Value, ...]] = [
        (kind, source, *(row.get(cpu, 0) for cpu in cpus))
        for total, kind, source, row in sorted(counted, key=lambda one: -one[0])[:SOURCES]
        if total
    ]
    return Table(f"what the kernel counted meanwhile ({jitter.options.parts[0]})", columns, tuple(rows))


def _beats(beats: dict[int, list[Cause]]) -> Table:
    rows = [
        (
            cpu, duration_text(one.rhythm.period_ns), one.rhythm.beats, round(100 * one.rhythm.covered, 1),
            one.rhythm.length_ns, one.what, one.remedy,
        )
        for cpu, found in beats.items() for one in found
    ]  # fmt: skip
    return Table("gaps at a beat", _BEATS, tuple(rows))


def _sleepers(jitter: Jitter) -> Table:
    rows: list[tuple[Value, ...]] = [
        (f"timer, cpu {cpu}", one.histogram.count, one.overruns) for cpu, one in jitter.found.alarms.items()
    ]
    rows += [(f"wake-up, cpu {a} to {b}", one.rings, one.busy) for (a, b), one in jitter.found.bells.items()]
    return Table("timers and wake-ups", ("what", "made", "left_out_while_late"), tuple(rows))


def _series(cpu: int, one: Spun) -> Series:
    """Give how much was stolen, over time; of the gaps that were kept."""
    gaps, spent = one.gaps, max(POINTS, one.ended_ns - one.begun_ns)
    edges = np.linspace(0, spent, POINTS + 1).astype(np.int64)
    begun = gaps.at_ns - one.begun_ns
    moments = np.stack([begun, begun + gaps.length_ns], axis=1).ravel()
    stolen = np.repeat(np.concatenate([[0], np.cumsum(gaps.length_ns)]), 2)[1:-1]  # none before a gap, all after it
    up_to: Any = np.interp(edges, moments, stolen) if len(moments) else np.zeros(POINTS + 1)
    return Series(f"stolen, cpu {cpu}", "%", edges[:-1], 100 * np.diff(up_to) / np.diff(edges))


def _notes(jitter: Jitter) -> list[str]:
    found, notes = jitter.found, []
    for cpu, one in found.spun.items():
        if one.switches.involuntary:
            also = ", or give --priority" if jitter.priority is None else ""
            notes.append(
                f"the scheduler took processor {cpu} from the spinning thread {one.switches.involuntary:,} times: keep "
                f"others off it (isolcpus={cpu}, or a cpuset of its own){also}"
            )
        steal = _kernel(found.before, found.after, cpu)[2]
        if steal:
            notes.append(f"the hypervisor gave {steal} ms of processor {cpu} to others: no setting of this host helps")
        if one.gaps.forgotten:
            notes.append(f"{one.gaps.forgotten:,} late gaps of processor {cpu} are missing in its series and its beats")
    if PURE:
        notes.append("the plain Python twins measured: the interpreter's lock and its own work are in every figure")
    return notes
