"""What one section of a measurement adds to the report."""

from collections.abc import Mapping
from typing import Any

from netfeed.latency.report import Distribution, HeatMap, Report, Series, Table, Value


class Part:
    """Collects; `report` makes the whole of it."""

    def __init__(self) -> None:
        self.facts: dict[str, Value] = {}
        self.distributions: list[Distribution] = []
        self.series: list[Series] = []
        self.heat_maps: list[HeatMap] = []
        self.tables: list[Table] = []
        self.notes: list[str] = []

    def distribution(self, name: str, histogram: Any, note: str | None = None) -> None:
        """Add a distribution that has anything in it."""
        if histogram.count:
            self.distributions.append(Distribution(name, histogram, note))

    def table(self, name: str, columns: tuple[str, ...], rows: list[tuple[Value, ...]]) -> None:
        """Add a table that has rows."""
        if rows:
            self.tables.append(Table(name, columns, tuple(rows)))

    def note(self, text: str, *, when: object = True) -> None:
        """Add a note, once."""
        if when and text not in self.notes:
            self.notes.append(text)

    def report(self, title: str, facts: Mapping[str, Value]) -> Report:
        """Make the report."""
        return Report(
            "pcap", title, {**facts, **self.facts}, tuple(self.distributions), tuple(self.series),
            tuple(self.heat_maps), tuple(self.tables), tuple(self.notes),
        )  # fmt: skip
