"""`netfeed latency run`: attach to a handler that is traced, or run one, and tell where the time goes."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from netfeed.app.latency.handler import Handler
from netfeed.app.latency.trace_measure import Measurement
from netfeed.app.latency.trace_report import report
from netfeed.app.latency.trace_rings import LOOK_NS, TraceRings, gone
from netfeed.app.latency.trace_view import TraceView
from netfeed.latency.report import Report

OK, FAILED, UNAVAILABLE = 0, 1, 69
POLL_S: Final = 0.05
"""How often the rings are read: a ring of the usual size then loses nothing up to a million packets a second."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says. Units: ns."""

    duration: int | None = None
    interval: int = 1_000_000_000
    per: str | None = None
    quiet: bool = False


@dataclass(frozen=True, slots=True)
class Result:
    """A report, and the exit code."""

    report: Report
    code: int


def attach(name: str, options: Options, stop: Callable[[], bool]) -> Result:
    """Measure a handler that runs, by the name of its ring. Raises: AttachError."""
    rings = TraceRings(name)
    try:
        return _measure(rings, options, stop, lambda: None)
    finally:
        rings.close()


def run(path: str, flags: dict[str, str], options: Options, stop: Callable[[], bool]) -> Result | None:
    """Run a handler and measure it; None when it was stopped before it began.

    Raises: AttachError; ConfigurationFileError.
    """
    handler = Handler(path, flags, quiet=options.quiet)
    try:
        rings = handler.rings(stop)
        if rings is None:
            return None
        try:
            return _measure(rings, options, stop, handler.ended)
        finally:
            rings.close()
    finally:
        handler.close()


def _measure(rings: TraceRings, options: Options, stop: Callable[[], bool], ended: Callable[[], str | None]) -> Result:
    began = time.monotonic_ns()
    end = began + options.duration if options.duration is not None else 2**63
    measured = Measurement(rings, options.per, options.interval, began)
    view = TraceView(options.quiet)
    note: str | None = None
    try:
        shown, looked = began + options.interval, began + LOOK_NS
        while measured.now < end and not stop() and note is None:
            time.sleep(min(POLL_S, max(0.0, (end - measured.now) / 1e9)))
            note = ended() or ("the handler ended while it was measured" if rings.ended else None)
            measured.turn(time.monotonic_ns())
            if measured.now >= shown:
                shown += options.interval
                view.show(measured)
            if measured.now >= looked:
                looked += LOOK_NS
                note = note or (gone(rings.main) if rings.main.abandoned else None)
        measured.finish(time.monotonic_ns())
    finally:
        view.close()
    return Result(report(measured, (note,) if note else ()), _code(measured, rings))


def _code(measured: Measurement, rings: TraceRings) -> int:
    if rings.main.abandoned:
        return FAILED
    return OK if measured.durations.packets or measured.across_step else UNAVAILABLE


def as_options(arguments: Any) -> Options:
    """Read the options of the command line."""
    return Options(arguments.duration, arguments.interval, arguments.per, arguments.quiet)
