"""What a run's traces say, as a report."""

from collections.abc import Iterator
from typing import Final

from netfeed.app.latency.trace_measure import Measurement
from netfeed.book.change import NO_BOOK
from netfeed.host.machine import machine
from netfeed.latency.clock import Clock
from netfeed.latency.report import Distribution, HeatMap, Report, Value
from netfeed.latency.stage import MEASURED, TO_BOOK, Stage, named
from netfeed.transport.clock import clocksource, trace_cost, tsc_refusal
from netfeed.units import duration_text

COUNTER: Final = "the processor's counter, held to CLOCK_REALTIME every millisecond"
TITLE: Final = "Latency by stages"
_MUCH: Final = 0.1
"""The share of packets in plain Python from which a reader has to know of it before he believes a median."""
NOTES: Final = {
    (
        Stage.KERNEL,
        Stage.USER,
    ): "the wait for the batch before, the wake-up and recvmmsg; one look at the clock a batch",
    (Stage.DECODED, Stage.BOOK): "the wait for the rest of the batch is in it: changes are published together",
    (Stage.HARDWARE, Stage.KERNEL): "two clocks: it is worth what holds the card's to the system's",
}


def report(measured: Measurement, notes: tuple[str, ...] = ()) -> Report:
    """Make the report of a measurement."""
    durations = measured.durations
    found = [
        Distribution(named(pair), histogram, NOTES.get(pair))
        for pair, histogram in durations.every.items()
        if histogram.count
    ]
    if durations.plain.count:
        found.append(Distribution(f"{named(TO_BOOK)}, through plain Python", durations.plain, "is counted above, too"))
    return Report(
        "latency run", f"{TITLE}: {measured.rings.name}", _facts(measured), (*found, *_groups(measured)),
        heat_maps=(HeatMap(named(TO_BOOK), measured.interval_ns, tuple(measured.columns)),) if found else (),
        tables=(measured.clocks.table(),), notes=(*_notes(measured), *notes),
    )  # fmt: skip


def _facts(measured: Measurement) -> dict[str, Value]:
    durations = measured.durations
    name, clock = (COUNTER, Clock.TSC) if measured.counter else ("CLOCK_REALTIME", Clock.REALTIME)
    cost = measured.clocks.costs.get(clock.name, (None, None))[1]
    return {
        "ring": str(measured.rings.main.path),
        "measured": duration_text(measured.elapsed_ns),
        "packets": durations.packets,
        "decisions": durations.decisions, "decisions_unmatched": measured.joiner.unmatched,
        "records_lost": measured.rings.lost, "across_clock_steps": measured.across_step,
        "clock_steps": len(measured.clocks.steps),
        "sampling": f"1 packet in {measured.every}" if measured.every else None,
        "clock": name, "cost of a look_ns": None if cost is None else round(cost),
        "clocksource": clocksource(), "counter": tsc_refusal() or "invariant",
        "trace_cost": f"{trace_cost(measured.counter):.0f} ns a packet through all stages",
        **machine(),
    }  # fmt: skip


def _groups(measured: Measurement) -> Iterator[Distribution]:
    titles = measured.rings.titles()
    for group, durations in sorted(measured.durations.groups.items()):
        channel, line = (group, NO_BOOK) if measured.per == "channel" else divmod(group, 256)
        title = titles.get((channel, line), f"channel {channel}" + (f" line {line}" if line != NO_BOOK else ""))
        for pair in MEASURED:
            if durations[pair].count:
                yield Distribution(f"{named(pair)}, {title}", durations[pair])


def _notes(measured: Measurement) -> Iterator[str]:
    if not measured.durations.packets:
        yield "no packet moved a book while this was measured"
    plain, packets = measured.durations.plain.count, measured.durations.packets
    if plain > packets * _MUCH:
        yield (
            f"{plain:,} of {packets:,} packets went through plain Python, which publishes every 5 to 50 ms: a channel "
            "that waits for a snapshot or for a packet that is missing (docs/latency.md says what helps)"
        )
    if measured.rings.lost:
        yield f"{measured.rings.lost} records were overwritten before they were read: sample (`trace.every`)"
    if measured.joiner.unmatched:
        yield f"{measured.joiner.unmatched} decisions name packets without a trace here: sampled away, lost, or too old"
    for at, moved in measured.clocks.steps:
        after = duration_text(at - measured.began)
        yield f"the clock was set by {moved / 1e9:+.6f} s after {after}: {measured.across_step} records are not counted"
    negative = sum(one.negative for one in measured.durations.every.values())
    if negative:
        yield f"{negative} durations are negative (counted as 0): their stamps are of clocks that disagree by so much"
