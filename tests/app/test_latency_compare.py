"""A comparison as a report: verdicts with their numbers, what else differs, and what cannot be compared."""

from dataclasses import replace
from typing import Any

import pytest

from netfeed.app.latency.compare import comparison
from netfeed.errors import ConfigurationError
from netfeed.latency.compare import SAME, SLOWER
from netfeed.latency.report import Distribution, Report
from netfeed.latency.report_json import dump, load
from netfeed.latency.report_text import report_text
from tests.latency.samples import counted, run

Side = list[tuple[str, Report]]


def side(label: str, start: int, count: int, **more: Any) -> Side:
    return [(f"{label}{seed}.json", run(seed, **more)) for seed in range(start, start + count)]


def test_a_comparison_is_a_report_with_the_numbers_of_every_verdict() -> None:
    report, rows = comparison(side("a", 0, 5), side("b", 100, 5, middle_ns=14_400))
    assert report.kind == "comparison"
    assert report.title.startswith("B against A: slower at ")
    table = next(one for one in report.tables if one.name == "wire to book: B against A")
    for row, line in zip([row for row in rows if row.name == "wire to book"], table.rows, strict=True):
        assert line[:3] == (f"p{row.percent:g}", row.a_ns, row.b_ns)
        assert line[3] == pytest.approx(100 * (row.b_ns / row.a_ns - 1), abs=0.01)
        assert line[-1] == row.verdict
    assert [one.name for one in report.distributions][:2] == ["A: wire to book", "B: wire to book"]
    assert report.distributions[0].histogram.count == 10_000
    assert report.facts["A"] == "a0.json, a1.json, a2.json, a3.json, a4.json"
    assert dump(load(dump(report))) == dump(report)
    assert max(map(len, report_text(report).splitlines())) <= 80


def test_the_same_seed_gives_the_same_report() -> None:
    a, b = side("a", 0, 10, size=50), side("b", 100, 10, size=50)
    first, again, other = (dump(comparison(a, b, seed=seed)[0]) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_one_run_a_side_is_told_what_it_does_not_know() -> None:
    report, _ = comparison(side("a", 0, 1), side("b", 1, 1))
    assert report.title.startswith("B against A, one run each: ")
    assert "One run a side" in report.notes[0]
    assert any("independent" in note for note in report.notes)


def test_runs_too_few_to_show_anything_are_told_how_many_can() -> None:
    report, rows = comparison(side("a", 0, 3), side("b", 100, 3, middle_ns=120_000))
    assert {row.verdict for row in rows} == {SAME}
    assert report.title == "B against A: no difference shown"
    assert any("3 and 3 runs cannot show a difference" in note and "4 a side" in note for note in report.notes)


def test_settings_that_differ_are_warned_of_and_measurements_are_not() -> None:
    a = side("a", 0, 1, build="compiled", packets=1000, sampling=1, started="12:00", kernel=True)
    b = side("b", 1, 1, build="pure", packets=1001, sampling=16, started="12:05")
    report, _ = comparison(a, b)
    (warning,) = [note for note in report.notes if "differ in more" in note]
    assert "build, sampling, kernel" in warning
    assert "packets" not in warning
    (table,) = [one for one in report.tables if one.name == "Facts that differ"]
    assert set(table.rows) == {
        ("build", "compiled", "pure"), ("packets", "1,000", "1,001"), ("sampling", "1", "16"), ("kernel", "yes", "-"),
    }  # fmt: skip


def test_what_differs_in_any_two_runs_is_no_setting() -> None:
    a = side("a", 0, 1, ring="/dev/shm/x-1", measured="4 s", **{"load average": "1 2 3", "own cost of a clock_ns": 21})
    b = side("b", 1, 1, ring="/dev/shm/x-2", measured="5 s", **{"load average": "4 5 6", "own cost of a clock_ns": 24})
    report, _ = comparison(a, b)
    assert not [note for note in report.notes if "differ in more" in note]


def test_equal_facts_are_not_listed() -> None:
    report, _ = comparison(side("a", 0, 2), side("b", 2, 2))
    assert not [one for one in report.tables if one.name == "Facts that differ"]
    assert not [note for note in report.notes if "differ in more" in note]


def test_what_only_one_side_has_is_named() -> None:
    ((path, report),) = side("a", 0, 1)
    more = replace(report, distributions=(*report.distributions, Distribution("order", counted(5))))
    found, _ = comparison([(path, more)], side("b", 1, 1))
    assert any("order" in note and "Not compared" in note for note in found.notes)


def test_what_cannot_be_compared_is_refused() -> None:
    a, b = side("a", 0, 1), side("b", 1, 1)
    other = [("c.json", replace(b[0][1], kind="echo"))]
    with pytest.raises(ConfigurationError, match=r"one kind.*a0\.json is of kind 'stages', c\.json is of kind 'echo'"):
        comparison(a, other)
    with pytest.raises(ConfigurationError, match="no distribution in common"):
        comparison(a, [("c.json", Report("stages", "t"))])
    compared, _ = comparison(a, b)
    with pytest.raises(ConfigurationError, match="cannot be compared"):
        comparison([("x", compared)], [("y", compared)])
    with pytest.raises(ConfigurationError, match="64 runs"):
        comparison(a * 65, b)


def test_slower_is_said_at_each_percentile_once() -> None:
    report, rows = comparison(side("a", 0, 5), side("b", 100, 5, middle_ns=30_000))
    count = sum(row.verdict == SLOWER for row in rows)
    assert count > 1
    assert report.title == f"B against A: slower at {count} percentiles"
