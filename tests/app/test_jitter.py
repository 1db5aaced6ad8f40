"""The host's noise: every chosen processor is measured in every part, refusals are told, and causes are named."""

import os
from typing import Any

import numpy as np
import pytest

from netfeed.app.latency import jitter as module
from netfeed.app.latency.jitter import Jitter, Options, Spun
from netfeed.app.latency.jitter_causes import Throttle, causes, throttle
from netfeed.app.latency.jitter_report import jitter_report
from netfeed.errors import ConfigurationError
from netfeed.latency.report import Report

MS = 1_000_000
SECOND = 1000 * MS
MAY = sorted(os.sched_getaffinity(0))


def run(**options: Any) -> tuple[Jitter, Report]:
    one = Jitter(Options(**{"cpus": MAY[-1:], "duration_ns": 60 * MS, **options}))
    one.run()
    return one, jitter_report(one)


def table(report: Report, name: str) -> list[tuple[Any, ...]]:
    return [row for one in report.tables if one.name.startswith(name) for row in one.rows]


def spun(moments: list[int], length: int, seconds: int) -> Spun:
    """Give a processor whose thread saw gaps at these moments, all of one length."""
    gaps = module.Gaps(1000)
    for at in moments:
        gaps.feed(np.array([at, at + length], np.int64))
    return Spun(gaps, 0, seconds * SECOND)


def test_every_processor_is_measured_in_every_part() -> None:
    before = os.sched_getaffinity(0)
    one, report = run(cpus=MAY)
    assert set(one.found.spun) == set(one.found.alarms) == set(MAY)
    assert {ringer for ringer, _ in one.found.bells} == {hearer for _, hearer in one.found.bells} == set(MAY)
    assert all(made.gaps.turns for made in one.found.spun.values())
    assert all(made.histogram.count for made in (*one.found.alarms.values(), *one.found.bells.values()))
    assert [row[0] for row in table(report, "processors while spun on")] == MAY
    assert len(table(report, "timers and wake-ups")) == len(MAY) * 2
    assert os.sched_getaffinity(0) == before
    assert any("every processor" in note for note in report.notes)


def test_the_account_of_a_processor_adds_up() -> None:
    one, report = run(parts=["spin"])
    (made,) = one.found.spun.values()
    assert made.ended_ns - made.begun_ns >= made.gaps.spun_ns > 0
    (series,) = report.series
    spent = made.ended_ns - made.begun_ns
    assert float(np.sum(series.values)) / 100 * spent / len(series.values) == pytest.approx(
        made.gaps.stolen_ns, rel=0.01
    )
    assert max(series.values, default=0) <= 100.001
    assert (one.found.alarms, one.found.bells) == ({}, {})


def test_stopped_it_reports_what_it_has() -> None:
    calls = iter([False] * 2)
    one = Jitter(Options(MAY[-1:], duration_ns=3600 * SECOND), stop=lambda: next(calls, True))
    one.run()
    assert set(one.found.spun) == set(MAY[-1:])
    assert (one.found.alarms, one.found.bells) == ({}, {})
    assert jitter_report(one).kind == "jitter"


def test_a_processor_that_cannot_be_had_ends_all_threads() -> None:
    with pytest.raises(ConfigurationError, match="this process may run on"):
        run(cpus=[MAY[0], 1023])
    with pytest.raises(ConfigurationError, match="this process may run on"):
        run(cpus=[MAY[0], 1023], parts=["wakeup"])


def test_a_priority_that_is_refused_is_done_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "attainable", lambda priority: None)
    monkeypatch.setattr(module, "priority_refusal", lambda priority: "no SCHED_FIFO priority 5 (nobody may)")
    _, report = run(parts=["timer"], priority=5)
    assert report.facts["scheduling"] == "SCHED_OTHER"
    assert "no SCHED_FIFO priority 5 (nobody may)" in report.notes


@pytest.mark.root
def test_with_a_priority_the_threads_are_fifo() -> None:
    one, report = run(parts=["timer"], priority=1)
    assert report.facts["scheduling"] == "SCHED_FIFO 1" or any("no SCHED_FIFO" in note for note in one.notes)


def test_real_time_spinners_on_all_processors_are_refused_where_nothing_throttles(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "attainable", lambda priority: priority)
    monkeypatch.setattr(module, "priority_refusal", lambda priority: None)
    monkeypatch.setattr(module, "throttling", lambda: None)
    with pytest.raises(ConfigurationError, match="would leave none"):
        run(cpus=MAY, priority=1)


def test_the_tick_and_the_throttling_of_real_time_threads_are_named_with_their_remedies() -> None:
    ticks = spun([number * 4 * MS + 1000 for number in range(1250)], 5000, 5)
    (tick,) = causes(3, ticks, is_fifo=False, throttled=None)
    assert (tick.what, tick.rhythm.beats) == ("timer tick, 250 a second", 1250)
    assert "nohz_full=3" in tick.remedy
    stops = spun([number * SECOND + 900 * MS for number in range(5)], 50 * MS, 5)
    (stop,) = causes(3, stops, is_fifo=True, throttled=Throttle(SECOND, 50 * MS))
    assert stop.what.startswith("RT throttling")
    assert "kernel.sched_rt_runtime_us=-1" in stop.remedy
    (other,) = causes(3, stops, is_fifo=False, throttled=Throttle(SECOND, 50 * MS))
    assert other.what == "something that runs for long at a beat"
    assert causes(3, stops, is_fifo=True, throttled=Throttle(SECOND, 200 * MS)) == []


def test_how_the_kernel_throttles_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    for runtime, told in (("950000", Throttle(SECOND, 50 * MS)), ("-1", None), ("1000000", None), ("x", None)):
        for name, text in (("_RUNTIME", runtime), ("_PERIOD", "1000000")):
            (tmp_path / name).write_text(text)
            monkeypatch.setattr(f"netfeed.app.latency.jitter_causes.{name}", tmp_path / name)
        assert throttle() == told
