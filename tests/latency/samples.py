"""Reports to be drawn, kept and compared: made from seeds, and the odd ones."""

from typing import Any

import numpy as np

from netfeed.latency import Histogram
from netfeed.latency.report import Distribution, HeatMap, Report, Series, Table, merged

HOUR = 3_600_000_000_000
HOSTILE = "<script>alert('x')</script>&\"\x1b[31m\u202e"


def counted(*values_ns: int) -> Histogram:
    """Count some durations."""
    made = Histogram()
    for value in values_ns:
        made.record(value)
    return made


def drawn(generator: Any, count: int, middle_ns: float, spread: float = 0.5) -> Histogram:
    """Count durations drawn from a log-normal distribution."""
    made = Histogram()
    made.record_all(generator.lognormal(np.log(middle_ns), spread, count).astype(np.int64))
    return made


def run(
    seed: int, *, middle_ns: float = 12_000, runs_differ: float = 0.03, slices: int = 0, size: int = 2_000, **facts: Any
) -> Report:
    """Make a run: two distributions, of which the first differs from run to run; with `slices`, over time, too."""
    generator = np.random.default_rng(seed)
    ours = middle_ns * np.exp(generator.normal(0, runs_differ))
    columns = tuple(drawn(generator, size, ours * np.exp(generator.normal(0, 0.02))) for _ in range(max(1, slices)))
    wire = Distribution("wire to book", merged(columns), "stamps by the kernel")
    decode = Distribution("decode", drawn(generator, size, 3_000))
    heat = (HeatMap("wire to book", 10**8, columns),) if slices else ()
    return Report("stages", "A run", {"machine": "here", **facts}, (wire, decode), heat_maps=heat)


def rich() -> Report:
    """Make a report that has something of everything."""
    first = run(1, slices=30)
    at = np.arange(0, 3 * 10**9, 10**6)
    values = np.where(at % 10**9 < 5 * 10**6, 900.0, 30.0)
    return Report(
        "stages", "Latency of a handler", {"machine": "a host", "packets": 60_000, "stamp_ns": 22, "kernel": True},
        first.distributions, (Series("packets", "packets/ms", at, values),), first.heat_maps,
        (Table("lines", ("line", "packets", "behind_ns"), (("A", 10, 1_500), ("B", 9, None))),),
        ("The cost of a stamp was not subtracted.",),
    )  # fmt: skip


def odd() -> Report:
    """Make a report of what is hard to draw: nothing, one, zero, outside, close together; and of hostile names."""
    distributions = (
        Distribution("one", counted(1000)), Distribution("zeroes", counted(0, 0)), Distribution("nothing", counted()),
        Distribution("outside", counted(-5, 10**9, 2 * HOUR)), Distribution("close", counted(100_000, 100_200)),
        *(Distribution(f"{HOSTILE} {k}", counted(k, 2 * k), HOSTILE) for k in range(1, 8)),
    )  # fmt: skip
    series = (
        Series("point", "ns", np.array([5]), np.array([3.0])),
        Series(HOSTILE, HOSTILE, np.array([1, 2, 3]), np.array([-1.0, np.nan, 1.0])),
        Series("nothing", "packets", np.zeros(0, np.int64), np.zeros(0)),
        Series("not a number", "packets", np.array([1]), np.array([np.nan])),
    )
    maps = (
        HeatMap(HOSTILE, 10**6, (counted(5), counted(), counted(7, 900))), HeatMap("empty", 1, (counted(),)),
        HeatMap("none", 1, ()),
    )  # fmt: skip
    tables = (Table(HOSTILE, (HOSTILE, "x_ns"), ((HOSTILE, 1), (None, 2.5))), Table("empty", (), ()))
    return Report(HOSTILE, HOSTILE, {HOSTILE: HOSTILE, "none": None}, distributions, series, maps, tables, (HOSTILE,))
