"""From the exchange to the wire: the time that a sender wrote into a packet, against the stamp of the capture.

Both clocks are in it: the shortest of each stretch of time is the way plus the clocks' difference, so a step or a slope
of the shortest is a clock that moves. A negative one is no measurement of a way: the clocks disagree by at least that.

A time of day needs its midnight. It is that of `--date`, or it is guessed: the quarter of an hour that makes the first
difference the smallest (exchanges have clocks in zones of whole quarters); the report says which it is.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from netfeed.app.clock import time_text
from netfeed.app.latency.pcap_part import Part
from netfeed.app.latency.pcap_rows import MAX_STAMPS, NO_LINE, Line
from netfeed.app.latency.pcap_sections import MAX_TOLD
from netfeed.latency import Histogram
from netfeed.latency.over_time import Columns, Extremes
from netfeed.latency.report import HeatMap, Series
from netfeed.units import count_text, duration_text
from netfeed.wire.capture import NO_TIME

QUARTER_NS: Final = 900 * 10**9


class _Way:
    """The differences of one line and one stamp."""

    def __init__(self) -> None:
        self.took = Histogram()
        self.least_ns: int | None = None

    def take(self, took_ns: Any) -> None:
        self.took.record_all(np.ascontiguousarray(took_ns))
        least = int(took_ns.min())
        self.least_ns = least if self.least_ns is None else min(least, self.least_ns)


class ExchangeSection:
    """Sender's stamps against those of the capture. Units: `midnight_ns` ns since 1970, None to guess it."""

    def __init__(self, begin_ns: int, *, midnight_ns: int | None) -> None:
        self._begin_ns = begin_ns
        self._midnight_ns = midnight_ns
        self._guessed = midnight_ns is None
        self._used_midnight = False
        self._ways: dict[tuple[int, int], _Way] = {}
        self._maps: dict[str, Columns] = {}
        self._least: dict[str, Extremes] = {}
        self._lines: Sequence[Line] = ()

    def take(self, block: Any, lines: Sequence[Line]) -> None:
        """Take a block."""
        self._lines = lines
        for index in np.unique(block["line"][block["line"] != NO_LINE]):
            line = lines[index]
            if not line.is_line:
                continue
            rows = block[block["line"] == index]
            for number, stamp in enumerate(line.fields.stamps[:MAX_STAMPS]):
                told = rows[rows["sent_ns"][:, number] != NO_TIME]
                if not len(told):
                    continue
                sent = told["sent_ns"][:, number]
                if stamp.of_day:
                    sent = sent + self._midnight(int(told["ts_ns"][0]), int(sent[0]))
                self._take(line, number, told["ts_ns"], told["ts_ns"] - sent)

    def tell(self, part: Part) -> None:
        """Add distributions, the shortest over time, and heat maps."""
        rows: list[tuple[Any, ...]] = []
        negative = 0
        for (index, number), way in sorted(self._ways.items(), key=lambda item: self._name(*item[0])):
            name = self._name(index, number)
            note = "its clock is whole milliseconds" if self._lines[index].fields.stamps[number].scale_ns > 1 else None
            if len(rows) < MAX_TOLD:
                part.distribution(f"exchange to wire: {name}", way.took, note)
            negative += way.took.negative
            took = way.took
            rows.append((
                name, took.count, way.least_ns, took.percentile(50), took.percentile(99), took.max_ns, took.negative,
            ))  # fmt: skip
        part.table(
            "exchange to wire by line", ("stamp", "packets", "least ns", "p50 ns", "p99 ns", "max ns", "negative"), rows
        )
        for name, columns in self._maps.items():
            part.heat_maps.append(HeatMap(f"exchange to wire: {name}", columns.interval_ns, tuple(columns.columns)))
            at, values = self._least[name].points(np.nan)
            part.series.append(Series(f"least of exchange to wire: {name}", "ns", at, values))
        self._notes(part, negative)

    def _notes(self, part: Part, negative: int) -> None:
        least = min((way.least_ns for way in self._ways.values() if way.least_ns is not None), default=0)
        part.note(
            f"{count_text(negative, 'packet')} came before sent, by {duration_text(-least)} at most: the clocks "
            "of exchange and capture disagree by at least that; they count as 0 in distributions", when=negative,
        )  # fmt: skip
        part.note("exchange to wire holds the difference of two clocks: look at how the least moves, not at what it is",
                  when=self._ways)  # fmt: skip
        guess = "is a guess (--date says it)" if self._guessed else "was given"
        part.note(f"the exchange's midnight, {time_text(self._midnight_ns)}, {guess}", when=self._used_midnight)

    def _name(self, index: int, number: int) -> str:
        line = self._lines[index]
        return f"{line.name} {line.fields.stamps[number].name}"

    def _midnight(self, ts_ns: int, sent_ns: int) -> int:
        self._used_midnight = True
        if self._midnight_ns is None:
            self._midnight_ns = round((ts_ns - sent_ns) / QUARTER_NS) * QUARTER_NS
        return self._midnight_ns

    def _take(self, line: Line, number: int, ts_ns: Any, took_ns: Any) -> None:
        self._ways.setdefault((line.index, number), _Way()).take(took_ns)
        if number:
            return  # one map a protocol, of what tells the way best
        name = f"{line.lane.protocol.name} {line.fields.stamps[0].name}"
        if name not in self._maps:
            self._maps[name] = Columns(self._begin_ns)
            self._least[name] = Extremes(self._begin_ns, np.minimum)
        self._maps[name].record_all(ts_ns, took_ns)
        self._least[name].take(ts_ns, took_ns)
