"""A report as JSON: it comes back as it was, its numbers can be read by anybody, and nothing false is believed."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netfeed.latency import report_json
from netfeed.latency.report import Distribution, HeatMap, Report, Series, Table
from netfeed.latency.report_json import MAX_BYTES, ReportError, dump, load
from tests.latency.samples import HOUR, counted, odd, rich

NAMES = st.text(max_size=12)
VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**53), 2**53), st.floats(allow_nan=False, allow_infinity=False), NAMES
)
HISTOGRAMS = st.lists(st.integers(-5, 2 * HOUR), max_size=12).map(lambda values: counted(*values))
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)


@st.composite
def reports(draw: Any) -> Report:
    at = draw(st.lists(st.integers(0, HOUR), max_size=4))
    width = draw(st.integers(0, 3))
    return Report(
        draw(NAMES), draw(NAMES), draw(st.dictionaries(NAMES, VALUES, max_size=4)),
        tuple(draw(st.lists(st.builds(Distribution, NAMES, HISTOGRAMS, st.none() | NAMES), max_size=3))),
        (Series(draw(NAMES), "x", np.array(at, np.int64), np.array([draw(NUMBERS) for _ in at], np.float64)),),
        (HeatMap(draw(NAMES), draw(st.integers(1, HOUR)), tuple(draw(st.lists(HISTOGRAMS, max_size=3)))),),
        (Table(draw(NAMES), tuple(draw(NAMES) for _ in range(width)), (tuple(draw(VALUES) for _ in range(width)),)),),
        tuple(draw(st.lists(NAMES, max_size=3))),
    )  # fmt: skip


@settings(max_examples=25, deadline=None)
@given(reports())
def test_a_report_comes_back_as_it_was(report: Report) -> None:
    again = load(dump(report))
    assert dump(again) == dump(report)
    assert (again.kind, again.title, dict(again.facts)) == (report.kind, report.title, dict(report.facts))
    assert (again.tables, again.notes) == (report.tables, report.notes)
    for one, other in zip(again.distributions, report.distributions, strict=True):
        assert (one.name, one.note, one.histogram.buckets()) == (other.name, other.note, other.histogram.buckets())
        assert one.histogram.total_ns == other.histogram.total_ns
        assert (one.histogram.negative, one.histogram.over) == (other.histogram.negative, other.histogram.over)


def test_anybody_can_read_the_numbers() -> None:
    made = Report("kind", "title", distributions=(Distribution("wire", counted(-1, 100, 200, 300, 2 * HOUR)),))
    found = json.loads(dump(made))
    assert (found["schema"], found["kind"], found["title"]) == (1, "kind", "title")
    (wire,) = found["distributions"]
    assert wire.pop("hdr").startswith("HISTF")
    assert wire == {
        "name": "wire", "note": None, "unit": "ns", "count": 5, "min": 0, "p50": 200, "p90": HOUR, "p99": HOUR,
        "p99.9": HOUR, "p99.99": HOUR, "max": HOUR, "mean": 720_000_000_120, "total": 3_600_000_000_600,
        "over": 1, "negative": 1,
    }  # fmt: skip


def test_what_is_no_number_in_a_series_is_null_and_comes_back() -> None:
    again = load(dump(odd()))
    assert np.isnan(again.series[3].values[0])
    assert [bool(told) for told in np.isfinite(again.series[1].values)] == [True, False, True]


def test_scalars_of_numpy_are_numbers() -> None:
    facts: Any = {"a": np.int64(3), "b": np.float64(0.5), "c": np.bool_(True)}
    assert load(dump(Report("k", "t", facts))).facts == {"a": 3, "b": 0.5, "c": True}


def test_a_long_heat_map_is_kept_in_fewer_columns_and_loses_no_count() -> None:
    one = counted(5)
    made = Report("k", "t", heat_maps=(HeatMap("long", 10, (one,) * 2100),))
    (heat,) = load(dump(made)).heat_maps
    assert (len(heat.columns), heat.interval_ns) == (1050, 20)
    assert sum(column.count for column in heat.columns) == 2100


def test_a_long_series_keeps_its_bursts_and_its_lulls() -> None:
    values = np.full(300_000, 5.0)
    values[[70_001, 250_000, 9]] = (900, 1, np.nan)
    made = Report("k", "t", series=(Series("long", "packets", np.arange(300_000) * 10, values),))
    (kept,) = load(dump(made)).series
    assert len(kept.values) <= report_json.MAX_POINTS
    assert {(700_010, 900.0), (2_500_000, 1.0)} <= set(zip(kept.at_ns.tolist(), kept.values.tolist(), strict=True))
    assert (np.diff(kept.at_ns) > 0).all()
    assert not np.isnan(kept.values).any()


def test_a_report_too_large_to_be_read_is_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_json, "MAX_BYTES", 1000)
    with pytest.raises(ReportError, match="read back"):
        dump(rich())


def changed(change: Any) -> bytes:
    found = json.loads(dump(rich()))
    change(found)
    return json.dumps(found).encode()


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda r: r.update(schema=2), "schema 2"), (lambda r: r.pop("kind"), "no report of latency"),
        (lambda r: r.pop("notes"), "damaged.*notes"), (lambda r: r.update(more=1), "damaged.*more"),
        (lambda r: r["facts"].update(x=[1]), "facts"), (lambda r: r["distributions"][0].update(unit="s"), "unit"),
        (lambda r: r["distributions"][0].update(count=-1), "count"),
        (lambda r: r["distributions"][0].update(count=7), "its count is not"),
        (lambda r: r["distributions"][0].update(p99=7), "contradicts its own histogram in p99"),
        (lambda r: r["distributions"][0].update(max=7), "damaged"),
        (lambda r: r["distributions"][0].update(mean=7), "contradicts.*mean"),
        (lambda r: r["distributions"][0].update(hdr="AAAA"), "damaged"),
        (lambda r: r["heat_maps"][0]["columns"][0].update(total=1), "do not fit"),
        (lambda r: r["heat_maps"][0].update(interval_ns=0), "interval_ns"),
        (lambda r: r["heat_maps"][0].update(columns=r["heat_maps"][0]["columns"][:1] * 2050), "2,048 histograms"),
        (lambda r: r["series"][0]["values"].pop(), "times and"),
        (lambda r: r["tables"][0]["rows"][0].pop(), "not as wide"),
    ],
    ids=range(17),
)  # fmt: skip
def test_a_report_that_contradicts_itself_is_refused(change: Any, what: str) -> None:
    with pytest.raises(ReportError, match=what):
        load(changed(change))


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "no JSON"), (b"{", "no JSON"), (b"[]", "no report"), (b"7", "no report"), (b"\xff\xfe", "no"),
        (b"[" * 100_000, "no"), (b'{"schema": 1, "netfeed": "0", "kind": ' + b"[" * 100_000, "no"),
        (b'{"packets": 1}', "no report"), (bytes(MAX_BYTES + 1), "the largest"),
        (b'{"schema": ' + b"9" * 5000 + b"}", "no"),
    ],
    ids=range(10),
)  # fmt: skip
def test_what_is_no_report_is_told_in_one_line(data: bytes, what: str) -> None:
    with pytest.raises(ReportError, match=what) as raised:
        load(data)
    assert "\n" not in str(raised.value)


def test_every_beginning_of_a_report_is_refused() -> None:
    whole = dump(rich())
    for end in range(0, len(whole), len(whole) // 97):
        with pytest.raises(ReportError):
            load(whole[:end])
