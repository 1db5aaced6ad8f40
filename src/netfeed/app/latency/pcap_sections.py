"""The sections about market data: how packets come, in which bursts, on which line first, how old.

Each takes blocks (`pcap_rows`) with the lines that are known by then, and tells its part at the end. What is kept is
bounded by lines and by the bounds of the pure parts in `latency`.
"""

from collections.abc import Sequence
from typing import Any, Final, Protocol

import numpy as np

from netfeed.app.clock import time_text
from netfeed.app.lane import Lane
from netfeed.app.latency.pcap_part import Part
from netfeed.app.latency.pcap_rows import NO_LINE, Line, Origins
from netfeed.feed.ports import Port
from netfeed.latency.arrivals import Arrivals
from netfeed.latency.bursts import Burst, Windows
from netfeed.latency.lead import Lead
from netfeed.latency.over_time import Extremes
from netfeed.latency.report import Series
from netfeed.units import duration_text
from netfeed.wire.capture import NO_TIME

WIDTHS_NS: Final = (1_000_000, 100_000, 10_000)
MAX_TOLD: Final = 64
"""Lines whose distributions are told one by one; of more only the tables speak."""


class Section(Protocol):
    """What every section is."""

    def take(self, block: Any, lines: Sequence[Line]) -> None:
        """Take a block, an array of COLUMNS."""

    def tell(self, part: Part) -> None:
        """Add what was found."""


class ArrivalSection:
    """How evenly the packets of each line come."""

    def __init__(self) -> None:
        self._arrivals: dict[int, Arrivals] = {}
        self._lines: Sequence[Line] = ()

    def take(self, block: Any, lines: Sequence[Line]) -> None:
        """Take a block."""
        self._lines = lines
        for index in np.unique(block["line"][block["line"] != NO_LINE]):
            rows = block[block["line"] == index]
            arrivals = self._arrivals.setdefault(int(index), Arrivals())
            sent = rows["sent_ns"][:, 0]
            coarse = lines[index].fields.stamps[0].scale_ns > 1
            told = sent != NO_TIME
            arrivals.take(rows["ts_ns"])
            if told.any() and not coarse:
                arrivals.take_sent(rows["ts_ns"][told], sent[told])

    def tell(self, part: Part) -> None:
        """Add distributions of the time between packets, and a table with jitter."""
        rows: list[tuple[Any, ...]] = []
        for index, one in sorted(self._arrivals.items(), key=lambda item: self._lines[item[0]].name):
            name = self._lines[index].name
            if len(rows) < MAX_TOLD and self._lines[index].is_line:
                part.distribution(f"between packets: {name}", one.between)
            jitter = None if one.jitter_ns is None else round(one.jitter_ns)
            between = one.between
            mean = round(between.total_ns / between.count) if between.count else None
            rows.append((
                name, one.packets, mean, round(one.deviation_ns), between.percentile(50), between.percentile(99),
                between.max_ns, jitter, one.most_jitter_ns if jitter is not None else None,
            ))  # fmt: skip
        part.table("inter-arrival by line", (
            "line", "packets", "mean ns", "deviation ns", "p50 ns", "p99 ns", "max ns", "jitter ns", "max |D| ns",
        ), rows)  # fmt: skip


class BurstSection:
    """How much came within any 1 ms, 100 us and 10 us, over all and by line. Units: `link_bps` bits a second."""

    def __init__(self, origins: Origins, begin_ns: int, *, link_bps: int | None, top: int) -> None:
        self._origins = origins
        self._link_bps = link_bps
        self._top = top
        self._all = {width: Windows(width, keep=top) for width in WIDTHS_NS}
        self._peaks = {width: Extremes(begin_ns, np.maximum) for width in WIDTHS_NS}
        self._by_line: dict[int, dict[int, Windows]] = {}
        self._lines: Sequence[Line] = ()

    def take(self, block: Any, lines: Sequence[Line]) -> None:
        """Take a block."""
        self._lines = lines
        for width, windows in self._all.items():
            windows.take(block["ts_ns"], block["bits"], block["origin"])
            self._peaks[width].take(windows.ends, windows.counts)
        for index in np.unique(block["line"][block["line"] != NO_LINE]):
            rows = block[block["line"] == index]
            for windows in self._line(int(index)).values():
                windows.take(rows["ts_ns"], rows["bits"], rows["origin"])

    def tell(self, part: Part) -> None:
        """Add the fullest windows, the greatest bursts, and the course of the fullest windows."""
        named = sorted(((self._lines[index].name, by) for index, by in self._by_line.items()), key=lambda one: one[0])
        fullest = [
            self._row(name, windows, windows.fullest) for name, by in [("all", self._all), *named]
            for windows in by.values() if windows.fullest is not None
        ]  # fmt: skip
        used = ("utilisation %",) if self._link_bps else ()
        columns = ("of", "window", "packets", "bits", "Mbit/s", *used, "from", "lasts ns", "file", "packet")
        part.table("fullest windows by packets", columns, fullest)
        part.table("fullest windows by bits", columns, [
            self._row("all", windows, windows.widest) for windows in self._all.values() if windows.widest is not None
        ])  # fmt: skip
        for width, windows in self._all.items():
            rows = [self._row("all", windows, one) for one in windows.top()]
            part.table(f"greatest bursts in {duration_text(width)}", columns, rows)
            at, values = self._peaks[width].points(0.0)
            part.series.append(Series(f"fullest {duration_text(width)}", "packets", at, values))
        part.note(
            "windows slide: one ends at each packet and holds what came less than its width before, so that a burst "
            "across any boundary is found; bits are those on an Ethernet wire, with preamble, check sequence and gap"
        )
        over = self._link_bps and any(
            one.widest is not None and one.widest.bits > self._capacity(one.width_ns) for one in self._all.values()
        )
        part.note("more bits than the link can carry: stamps are those of a host that takes packets in batches, or of "
                  "several links", when=over)  # fmt: skip

    def _line(self, index: int) -> dict[int, Windows]:
        if index not in self._by_line:
            self._by_line[index] = {width: Windows(width, keep=1) for width in WIDTHS_NS}
        return self._by_line[index]

    def _capacity(self, width_ns: int) -> float:
        return (self._link_bps or 0) * width_ns / 1e9

    def _row(self, name: str, windows: Windows, burst: Burst | None) -> tuple[Any, ...]:
        assert burst is not None
        file, number = self._origins.place(burst.first)
        width = windows.width_ns
        used = (round(100 * burst.bits / self._capacity(width), 2),) if self._link_bps else ()
        return (
            name, duration_text(width), burst.packets, burst.bits, round(burst.bits * 1000 / width, 3), *used,
            time_text(burst.begin_ns), burst.end_ns - burst.begin_ns, file, number,
        )  # fmt: skip


class LeadSection:
    """Which line of a channel brings a packet first: line A against each other one."""

    def __init__(self) -> None:
        self._leads: dict[tuple[int, int], Lead] = {}
        self._lanes: dict[int, Lane] = {}

    def take(self, block: Any, lines: Sequence[Line]) -> None:
        """Take a block."""
        numbered = block[(block["line"] != NO_LINE) & (block["count"] > 0)]
        by_lane: dict[int, list[Line]] = {}
        for index in np.unique(numbered["line"]):
            if lines[index].is_line:
                self._lanes[id(lines[index].lane)] = lines[index].lane
                by_lane.setdefault(id(lines[index].lane), []).append(lines[index])
        for lane, some in by_lane.items():
            ports = {line.port for line in some}
            ports |= {port for one, port in self._leads if one == lane}
            for port in ports - {Port.LINE_A}:
                lead = self._leads.setdefault((lane, port), Lead())
                both = [line.index for line in some if line.port in (Port.LINE_A, port)]
                rows = numbered[np.isin(numbered["line"], both)]
                other = np.isin(rows["line"], [line.index for line in some if line.port == port])
                lead.take(rows["session"], rows["sequence"], rows["ts_ns"], other.astype(np.int8))

    def tell(self, part: Part) -> None:
        """Add who led how often and by how much."""
        rows: list[tuple[Any, ...]] = []
        for (number, port), lead in self._leads.items():
            lead.finish()
            lane = self._lanes[number]
            sides = [(lane.label(Port.LINE_A), 0), (lane.label(port), 1)]
            sides.sort()  # a line's letter goes by its address, its port by who came first
            (one, first), (two, second) = sides
            for name, loser, side in ((one, two, first), (two, one, second)):
                part.distribution(f"{lane.name}: {name} before {loser}", lead.led[side])
            led = [lead.led[side].count for side in (first, second)]
            share = round(100 * led[0] / lead.pairs, 2) if lead.pairs else None
            rows.append((
                lane.name, f"{one} / {two}", lead.pairs, *led, lead.same, share,
                lead.led[first].percentile(50), lead.led[second].percentile(50), lead.only[first], lead.only[second],
            ))  # fmt: skip
        part.table("lines against each other", (
            "channel", "lines", "pairs", "1st leads", "2nd leads", "at once", "1st leads %", "1st leads by p50 ns",
            "2nd leads by p50 ns", "only on 1st", "only on 2nd",
        ), sorted(rows))  # fmt: skip
