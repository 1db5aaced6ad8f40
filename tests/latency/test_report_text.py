"""A report as text: it says what was counted, in 80 columns, and no name steers the terminal."""

import re

import numpy as np
import pytest

from netfeed.latency.report import Distribution, Report, Series, Table
from netfeed.latency.report_text import bars, percentile_lines, report_text
from tests.latency.samples import HOUR, counted, odd, rich


def test_everything_that_a_report_holds_is_said() -> None:
    text = report_text(rich())
    words = " ".join(text.split())
    for said in (
        "Latency of a handler", "60,000", "wire to book", "stamps by the kernel", "p99.99", "p99 from",
        "packets over time", "most 900 packets/ms", "lines", "behind", "1.5 us", "note: The cost",
    ):  # fmt: skip
        assert said in words, said
    assert re.search(r"stamp +22 ns", text)
    assert "_ns" not in text


def test_percentiles_stand_under_their_names() -> None:
    head, line = percentile_lines([Distribution("wire", counted(1000, 2000, 3000))], 120)
    assert head.split() == ["count", "min", "p50", "p90", "p99", "p99.9", "p99.99", "max"]
    assert re.split(r"  +", line) == ["wire", "3", "1 us", "2 us", "3 us", "3 us", "3 us", "3 us", "3 us"]
    assert [line.index(value) + 4 for value in ("1 us", "2 us")] == [head.index(name) + 3 for name in ("min", "p50")]


@pytest.mark.parametrize("report", [rich(), odd(), Report("k", "nothing")], ids=["rich", "odd", "nothing"])
@pytest.mark.parametrize("blocks", [True, False])
def test_a_report_fits_into_80_columns_and_steers_no_terminal(report: Report, blocks: bool) -> None:
    text = report_text(report, width=80, blocks=blocks)
    assert max(map(len, text.splitlines())) <= 80
    assert all(line.isprintable() for line in text.splitlines())
    if not blocks:
        assert text.isascii()
    assert text.endswith("\n")


def test_a_long_name_stands_above_its_numbers() -> None:
    head, name, line = percentile_lines([Distribution("name " * 30, counted(123_456))], 80)
    assert max(len(head), len(name)) <= 80
    assert name.startswith("name name")
    assert name.endswith("..")
    assert len(line) == len(head)
    assert line.endswith("123 us")


def test_names_that_begin_alike_are_told_apart() -> None:
    found = [Distribution(f"round trip, from {end}", counted(*[123_456] * 2000)) for end in ("due", "sent")]
    text = "\n".join(percentile_lines([*found, Distribution("wire", counted(5))], 76))
    assert "round trip, from due" in text
    assert "round trip, from sent" in text
    times = tuple((f"2026-03-02T08:00:00.{at:09}Z", "w" * 80) for at in (12_085, 16_520))
    table = report_text(Report("k", "t", tables=(Table("bursts", ("from", "what"), times),)))
    assert "12085Z" in table
    assert "16520Z" in table


def test_what_lies_outside_is_said() -> None:
    text = report_text(Report("k", "t", distributions=(Distribution("d", counted(-1, -2, 5, 2 * HOUR)),)))
    assert "2 negative, 1 over an hour" in text


def test_bars_are_as_high_as_what_they_stand_for() -> None:
    assert bars([0, 1, 50, 100], blocks=True) == " ▁▄█"
    assert bars([0, 1, 50, 100], blocks=False) == " .=@"
    assert bars([], blocks=True) == ""


def test_bars_of_a_distribution_show_where_most_of_it_lies() -> None:
    report = Report("k", "t", distributions=(Distribution("d", counted(*[1000] * 50, *[100_000] * 5)),))
    (line,) = [line for line in report_text(report, width=60).splitlines() if "|" in line]
    low, drawn, high = line.split("|")
    assert (low.strip(), high.strip()) == ("1 us", "100 us")
    assert drawn[0] == "█"
    assert drawn[-1] == "▁"
    assert set(drawn[1:-1]) == {" "}


def test_a_burst_of_one_sample_is_seen_among_thousands() -> None:
    values = [1.0] * 9_999
    values[7_000] = 100.0
    text = report_text(Report("k", "t", series=(Series("s", "packets", range(9_999), values),)))
    (line,) = [line for line in text.splitlines() if "█" in line]
    assert line.count("█") == 1
    assert line.index("█") == 2 + 7_000 * 76 // 9_999


def test_a_pause_is_a_gap_in_the_bars_of_a_quantity() -> None:
    series = Series("s", "packets", np.arange(30), np.array([5.0] * 10 + [np.nan] * 10 + [5.0] * 10))
    assert "█" * 10 + " " * 10 + "█" * 10 in report_text(Report("k", "t", series=(series,)))
