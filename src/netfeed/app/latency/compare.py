"""Compare kept reports: which may be compared, what differs beside the latencies, and the report of it."""

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np

from netfeed.errors import ConfigurationError
from netfeed.latency.compare import CHANCE, FASTER, RANKS, RUNS, SAME, SLOWER, Row, compare, histogram_of, shared_names
from netfeed.latency.permutation import Shuffle, least_chance
from netfeed.latency.report import Distribution, Report, Table, Value, merged
from netfeed.latency.wording import value_text
from netfeed.units import count_text

KIND: Final = "comparison"
MAX_RUNS: Final = 64
_SETTING: Final = re.compile(r"sampl|cpu|core|build|version|interval|rate|ring|batch|buffer|clock|mtu", re.IGNORECASE)
"""A number of such a name is a setting; others were measured, and differ in any two runs."""
_MOMENT: Final = re.compile(
    r"start|beg[ai]n|date|when|pid|file|path|duration|elapsed|measured|cost|^(ring|load average|from|to|lasts)$",
    re.IGNORECASE,
)
"""What differs in any two runs and says nothing of either."""

Side = Sequence[tuple[str, Report]]
"""The runs of a side, each with the file that it was read from."""


def comparison(a: Side, b: Side, *, seed: int = 1) -> tuple[Report, list[Row]]:
    """Compare runs of B against runs of A: as a report, and row by row.

    Raises: ConfigurationError for what cannot be compared.
    """
    ours, theirs = [report for _, report in a], [report for _, report in b]
    names = _names(a, b)
    rows = compare(ours, theirs, _shuffle(seed))
    facts: dict[str, Value] = {
        "compared": ours[0].kind,
        "A": ", ".join(path for path, _ in a),
        "B": ", ".join(path for path, _ in b),
        "chance of any false verdict": CHANCE,
        "seed": seed,
    }
    differing = Table("Facts that differ", ("fact", "A", "B"), tuple(_differing(ours, theirs)))
    tables = (*_verdicts(rows), _noise(rows), *([differing] if differing.rows else []))
    once = ", one run each" * (len(a) == len(b) == 1)  # what these two differ by, another two may not
    title = f"B against A{once}: {_outcome(rows)}"
    notes = tuple(_notes(rows, ours, theirs, names))
    overlaid = tuple(_overlaid(ours, theirs, names))
    return Report(KIND, title, facts, overlaid, tables=tables, notes=notes), rows


def _shuffle(seed: int) -> Shuffle:
    generator = np.random.default_rng(seed)

    def shuffle(matrix: Any) -> Any:
        return generator.permuted(matrix, axis=1)

    return shuffle


def _names(a: Side, b: Side) -> list[str]:
    """Give the distributions that can be compared.

    Raises: ConfigurationError when there are none, or the reports are not of one kind.
    """
    kinds = {report.kind: path for path, report in (*a, *b)}
    if len(kinds) > 1:
        told = ", ".join(f"{path} is of kind {kind!r}" for kind, path in kinds.items())
        raise ConfigurationError(f"only reports of one kind can be compared: {told}")
    if KIND in kinds:
        raise ConfigurationError("a comparison cannot be compared: give the reports that it was made from")
    if max(len(a), len(b)) > MAX_RUNS:
        raise ConfigurationError(f"no more than {MAX_RUNS} runs a side can be compared")
    names = shared_names([report for _, report in (*a, *b)])
    if not names:
        raise ConfigurationError("the reports have no distribution in common in which each counted something")
    return names


def _outcome(rows: Sequence[Row]) -> str:
    counts = [(sum(row.verdict == verdict for row in rows), verdict) for verdict in (FASTER, SLOWER)]
    said = [f"{verdict} at {count_text(count, 'percentile')}" for count, verdict in counts if count]
    return " and ".join(said) or SAME


def _overlaid(a: Sequence[Report], b: Sequence[Report], names: Sequence[str]) -> Iterator[Distribution]:
    for name in names:
        for label, side in (("A", a), ("B", b)):
            yield Distribution(f"{label}: {name}", merged(histogram_of(one, name) for one in side))


def _verdicts(rows: Sequence[Row]) -> Iterator[Table]:
    """Lay out the verdicts, a table for each distribution."""
    columns = ("percentile", "A_ns", "B_ns", "change_%", "noise_%", "chance", "verdict")
    for name in dict.fromkeys(row.name for row in rows):
        lines = tuple(_line(row) for row in rows if row.name == name)
        yield Table(f"{name}: B against A", columns, lines)


def _line(row: Row) -> tuple[Value, ...]:
    change = 100 * (row.b_ns / max(row.a_ns, 1) - 1)
    noise = max(_half_range(row.a_ns, row.a_range), _half_range(row.b_ns, row.b_range))
    chance = None if row.chance is None else round(row.chance, 4)
    return f"p{row.percent:g}", row.a_ns, row.b_ns, round(change, 2), round(noise, 2), chance, row.verdict


def _half_range(value: int, spread: tuple[int, int]) -> float:
    return 50 * (spread[1] - spread[0]) / max(value, 1)


def _noise(rows: Sequence[Row]) -> Table:
    columns = ("distribution", "percentile", "A_least_ns", "A_most_ns", "B_least_ns", "B_most_ns", "seen in")
    return Table("Noise", columns, tuple(
        (row.name, f"p{row.percent:g}", *row.a_range, *row.b_range, row.noise) for row in rows
    ))  # fmt: skip


def _differing(a: Sequence[Report], b: Sequence[Report]) -> Iterator[tuple[str, str, str]]:
    """List the facts whose values are not the same on both sides."""
    for name in dict.fromkeys(name for report in (*a, *b) for name in report.facts):
        ours, theirs = ([report.facts.get(name) for report in side] for side in (a, b))
        if {*map(value_text, ours)} != {*map(value_text, theirs)} and not _MOMENT.search(name):
            yield name, _listed(ours), _listed(theirs)


def _listed(values: Sequence[Value]) -> str:
    texts = list(dict.fromkeys(map(value_text, values)))
    return ", ".join(texts[:3]) + (f" and {len(texts) - 3} more" if len(texts) > 3 else "")


def _notes(rows: Sequence[Row], a: Sequence[Report], b: Sequence[Report], names: Sequence[str]) -> Iterator[str]:
    noise = {row.noise for row in rows}
    if len(a) == len(b) == 1:
        yield ("One run a side: a verdict says that these two runs differ, not that A and B do. What another run would "
               "have brought is not known, and runs of one program often differ by some percent. Several runs a side "
               "(--a FILE... --b FILE...), taken in turns, show it.")  # fmt: skip
    elif RUNS in noise and (least := least_chance(len(a), len(b))) > CHANCE:
        yield (f"{len(a)} and {len(b)} runs cannot show a difference, however large it is: the least chance of error "
               f"is {least:.2g}. 4 a side can.")  # fmt: skip
    if RANKS in noise:
        yield ("Where noise is seen in ranks, durations are taken to be independent of each other; bursts make them "
               "less so, and the true noise larger.")  # fmt: skip
    yield (f"A verdict stands where the difference exceeds the noise: with a chance of {CHANCE:.0%} at most there is "
           "any false one in this report. A and B are the medians of runs, or of slices of time.")  # fmt: skip
    if settings := _settings(a, b):
        yield f"The sides differ in more than latency: {', '.join(settings)}. Then that may be what was compared."
    if left_out := {one.name for report in (*a, *b) for one in report.distributions} - set(names):
        yield f"Not compared, because not every report counted something of it: {', '.join(sorted(left_out))}."


def _settings(a: Sequence[Report], b: Sequence[Report]) -> list[str]:
    """Name the facts that are no measurements, and differ."""
    found = []
    for name, _, _ in _differing(a, b):
        values = [report.facts.get(name) for report in (*a, *b)]
        worded = any(value is None or isinstance(value, str | bool) for value in values)
        if worded or _SETTING.search(name):
            found.append(name)
    return found
