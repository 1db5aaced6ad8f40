"""Count durations: nanoseconds for each; and what it costs to trace a packet through all stages.

    netfeed            an array of durations into the histogram of the core, without the interpreter
    netfeed:one        the same durations, one call from Python each
    pure, pure:one     the plain twin
    floor:buckets      C: the bucket of each, and no count, least, most, sum or bounds
    peer:hdrhistogram  HdrHistogram's Python package, whose values have to come one by one, too
    netfeed:trace      ns a packet: a batch received, decoded, in the book, decided, sent, two records put into a ring
                       in shared memory, by the processor's counter (left out where that is no clock)
    netfeed:trace_system   the same by the kernel's clock

Durations are log-normal around 30 us, as wake-ups are: half of them between 15 and 60 us, the tail in milliseconds.
"""

import atexit
import ctypes
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path as File
from typing import Any

import numpy as np

from benches import Row, peer, timed
from benches.itch_book import library
from netfeed.latency import histogram as plain
from netfeed.latency.stage import TRACE
from netfeed.transport.clock import tsc_refusal
from netfeed.transport.ring import Ring

NAME = "histogram"
UNIT = "ns/record"

VALUES, QUICK_VALUES = 1_000_000, 20_000
FEW, TRACES = 20, 20
"""What is slow has a part of the values: one in so many."""
SEED, MIDDLE_NS, WIDTH = 7, 30_000, 1.0
HOUR_NS = 3_600 * 10**9


def rows(file: File | None, quick: bool) -> list[Row]:
    from netfeed._core.histogram import Histogram

    if file is not None:
        print("histogram takes no file: --file is left out", file=sys.stderr)
    values = durations(QUICK_VALUES if quick else VALUES)
    few = values[: len(values) // FEW]
    found: list[Row] = [
        ("netfeed", lambda: at_once(Histogram, values)),
        ("netfeed:one", lambda: one_by_one(Histogram(), few)),
        ("pure", lambda: at_once(plain.Histogram, few)),
        ("pure:one", lambda: one_by_one(plain.Histogram(), few)),
    ]
    folder = File(tempfile.mkdtemp(prefix="netfeed-bench-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    bare = library("histogram.c", "gcc", folder)
    if bare is not None:
        found.append(("floor:buckets", lambda: floor(bare, values)))
    name = peer("hdrhistogram")
    if name is not None:
        found.append((name, lambda: theirs(few)))
    for row, tsc in (("netfeed:trace", True), ("netfeed:trace_system", False)):
        refused = tsc_refusal() if tsc else None
        if refused is None:
            found.append((row, traced(folder, len(values) // TRACES, tsc)))
        else:
            print(f"left out: netfeed:trace: {refused}", file=sys.stderr)
    return found


def durations(count: int) -> Any:
    draws = np.random.default_rng(SEED)
    return (MIDDLE_NS * np.exp(WIDTH * draws.standard_normal(count))).astype(np.int64)


def at_once(histogram: Callable[[], Any], values: Any) -> float:
    one = histogram()
    spent = timed(lambda: one.record_all(values))
    return checked(one.count, values, spent)


def one_by_one(histogram: Any, values: Any) -> float:
    each, record = values.tolist(), histogram.record
    spent = timed(lambda: [record(value) for value in each])
    return checked(histogram.count, values, spent)


def theirs(values: Any) -> float:
    from hdrh.histogram import HdrHistogram

    one = HdrHistogram(1, HOUR_NS, 3)
    each, record = values.tolist(), one.record_value
    spent = timed(lambda: [record(value) for value in each])
    return checked(one.get_total_count(), values, spent)


def floor(bare: ctypes.CDLL, values: Any) -> float:
    buckets = np.zeros(33_792, np.uint64)
    bare.count_all.restype = ctypes.c_uint64
    bare.count_all.argtypes = [ctypes.c_void_p, ctypes.c_uint64, ctypes.c_void_p]
    spent = timed(lambda: bare.count_all(values.ctypes.data, len(values), buckets.ctypes.data))
    return checked(int(buckets.sum()), values, spent)


def traced(folder: File, times: int, tsc: bool) -> Callable[[], float]:
    from netfeed.transport.trace import cost

    def run() -> float:
        shared = File("/dev/shm") / f"netfeed-bench.{os.getpid()}"
        with Ring(shared, TRACE, capacity=1 << 12, names=0, mode=0o600) as ring:
            value = float(cost(ring, times, tsc=tsc))
            if ring.published != 2 * times:
                raise ValueError(f"{ring.published} records of {2 * times} were put")
            return value

    return run


def checked(count: int, values: Any, spent: int) -> float:
    if count != len(values):
        raise ValueError(f"{count} of {len(values)} were counted")
    return spent / len(values)
