"""The report of round trips: what was asked, what came back and when, of whom, and what to know before believing it."""

from typing import Final

import numpy as np

import netfeed
from netfeed.app.latency.ping import SPLIT_WRONGLY, Ping
from netfeed.host.clocks import kernel_number
from netfeed.latency.clock_offset import SAME_CLOCK, Offset
from netfeed.latency.report import Distribution, HeatMap, Report, Series, Table, Value
from netfeed.latency.round_trip import Answerer
from netfeed.proto.probe_words import Plan
from netfeed.units import count_text, duration_text

SECOND_NS: Final = 1_000_000_000
DUE, SENT = "round trip, from due", "round trip, from sent"
_DUE: Final = "from the moment a question was due: a stall is in all that were due in it"
_SENT: Final = "from the moment it was sent: leaves out how late this program was"
_STAMPED: Final = "from the kernel's receive stamp until the program had it"
_WIRE: Final = "both ways up to the kernels' receive stamps; the sending sides are in it"

_CONNECTION: Final = (
    "over a connection the work of who answers and TLS on both sides count as way, but for reading the answer itself. "
    "A stamp is that of the last segment that was read"
)
_ONE_CLOCK: Final = "asker and answerer ran on one kernel, and so by one clock: the two ways need no estimated offset"
_TWO_CLOCKS: Final = (
    "the clocks are two: each way is as good as the estimated offset, which is wrong by half of the least round "
    "trip at most (uncertainty_ns). A way that always takes longer than the other does not show"
)
_COLUMNS: Final = (
    "answerer", "answers", "missed", "min_ns", "p50_ns", "p99_ns", "max_ns", "offset_ns", "uncertainty_ns",
    "drift_ppm",
)  # fmt: skip


def ping_report(ping: Ping) -> Report:
    """Make the report of a run that is over."""
    ways, peers, notes = _peers(ping)
    return Report(
        "ping", f"round trips to {ping.target}", _facts(ping), (*_distributions(ping), *ways), _series(ping),
        _heat_map(ping), (_account(ping), peers), (*notes, *_notes(ping), *ping.notes),
    )  # fmt: skip


def pace_text(plan: Plan) -> str:
    """Say how questions were paced."""
    if plan.interval_ns is not None:
        return f"{SECOND_NS / plan.interval_ns:,.6g} a second, at absolute moments"
    return f"as fast as answers come, {plan.window} in flight"


def _facts(ping: Ping) -> dict[str, Value]:
    plan, way = ping.plan, ping.way
    load = None if plan.background_ns is None else f"{SECOND_NS / plan.background_ns:,.6g} a second, answered"
    return {
        "target": str(ping.target), "netfeed": f"{netfeed.__version__} ({netfeed.BUILD})", "pace": pace_text(plan),
        "background load": load, "size_bytes": plan.size, "warm-up": duration_text(plan.warmup_ns),
        "timeout": duration_text(plan.timeout_ns), "receiving": "spins" if way.spin else "sleeps",
        "cpu": way.cpu, "priority": way.priority, "elapsed": duration_text(ping.elapsed_ns),
        "own cost of reading the clock_ns": ping.cost.clock_ns, "own cost of asking_ns": ping.cost.ask_ns,
        "own cost of answering_ns": ping.cost.answer_ns,
    }  # fmt: skip


def _distributions(ping: Ping) -> list[Distribution]:
    trips = ping.watch.trips
    paced = [
        Distribution(DUE, trips.from_due, _DUE),
        Distribution("sent late", trips.lateness, "by this program, after the moment at which it was due"),
    ]
    found = [
        *(paced if ping.plan.interval_ns is not None else []),
        Distribution(SENT, trips.from_sent, _SENT),
        Distribution("wire", trips.wire, _WIRE),
        Distribution("wake-up here", trips.woken_here, _STAMPED),
        Distribution("wake-up there", trips.woken_there, _STAMPED),
        Distribution("work there", trips.worked_there, "of the program that answers, until just before it sends"),
        Distribution("held there", trips.held, "from the question's arrival until the answer was sent"),
    ]
    return [one for one in found if one.histogram.count]


def _peers(ping: Ping) -> tuple[list[Distribution], Table, list[str]]:
    """Give the two ways, a row for each of those who answered, and what to know of their clocks."""
    own, rows, ways, notes = kernel_number(), [], [], set()
    answerers = ping.watch.trips.answerers
    for peer, one in answerers.items():
        found = one.ways(same_clock=one.is_on(own))
        name = f" {peer:016x}" if len(answerers) > 1 else ""
        if found:
            there, back, offset = found
            notes.add(_ONE_CLOCK if offset is SAME_CLOCK else _TWO_CLOCKS)
            said = None if offset is SAME_CLOCK else f"give or take {duration_text(offset.uncertainty_ns)}"
            ways += [Distribution(f"way there{name}", there, said), Distribution(f"way back{name}", back, said)]
        rows.append(_row(peer, one, found[2] if found else None))
        notes |= {
            f"the clock of {peer:016x} was set by {moved / 1e9:+.6f} s meanwhile, or this one's: {SPLIT_WRONGLY}"
            for _, _, moved in one.offset.steps()
        }
    return ways, Table("who answered", _COLUMNS, tuple(rows)), sorted(notes)


def _row(peer: int, one: Answerer, offset: Offset | None) -> tuple[Value, ...]:
    rtt = one.rtt
    clock = (offset.offset_ns, offset.uncertainty_ns, offset.drift_ppm) if offset else (None, None, None)
    shown = rtt.min_ns, rtt.percentile(50), rtt.percentile(99), rtt.max_ns
    return (f"{peer:016x}", rtt.count, one.missed, *shown, *clock)


def _account(ping: Ping) -> Table:
    told, trips = ping.pinger.statistics(), ping.watch.trips
    always = [("asked", told.asked), ("answered", told.answered)]
    seldom = [
        ("unanswered", told.unanswered),
        ("missed of those who answer", told.missed),
        ("late", told.late),
        ("duplicates", told.duplicates),
        ("never sent", told.skipped),
        ("sent an interval late or more", trips.late),
        ("not taken by the kernel", ping.unsent),
        ("dropped by the kernel here", ping.kernel_drops),
        ("foreign", told.foreign),
        ("of too many who answer", told.strangers),
        ("with stamps of no clock, or of one that was set", trips.implausible),
        ("warm-up, not counted", told.warmup),
        ("background asked", told.background_asked),
        ("background answered", told.background_answered),
    ]
    return Table("account", ("what", "count"), (*always, *((what, count) for what, count in seldom if count)))


def _series(ping: Ping) -> tuple[Series, ...]:
    over = ping.watch.trips.columns
    if over is None or len(over.columns) < 2:
        return ()
    at = np.arange(len(over.columns), dtype=np.int64) * over.interval_ns
    shown = []
    for name, percent in (("p50", 50), ("p99", 99), ("max", 100)):
        values = [one.percentile(percent) for one in over.columns]
        us = np.array([np.nan if value is None else value / 1000 for value in values], np.float64)
        shown.append(Series(f"round trip {name}", "us", at, us))
    return tuple(shown)


def _heat_map(ping: Ping) -> tuple[HeatMap, ...]:
    over = ping.watch.trips.columns
    if over is None or len(over.columns) < 2:
        return ()
    name = SENT if ping.plan.interval_ns is None else DUE  # there they are one
    return (HeatMap(name, over.interval_ns, tuple(over.columns)),)


def _notes(ping: Ping) -> list[str]:
    told, trips, cost = ping.pinger.statistics(), ping.watch.trips, ping.cost
    own, theirs = duration_text(cost.ask_ns + cost.clock_ns), duration_text(cost.answer_ns + cost.clock_ns)
    notes = [
        f"of each round trip about {own} are this program's own, before it sends, and {theirs} those of who answers, "
        "were he on this host: neither is subtracted"
    ]
    if not ping.target.is_datagrams:
        notes.append(_CONNECTION)
    if trips.late or told.skipped:
        notes.append(
            f"{count_text(trips.late, 'question')} left an interval late or more and {told.skipped:,} never: this host "
            "does not keep the rate; ask less often, or with --spin on a processor of its own"
        )
    if told.unanswered:
        notes.append(
            f"{count_text(told.unanswered, 'question')} had no answer within {duration_text(ping.plan.timeout_ns)}: "
            "no percentile holds them, so all are too good"
        )
    if ping.plan.interval_ns is None:
        notes.append("each question waited for an answer: what callers at a fixed rate would see, --rate shows")
    return notes
