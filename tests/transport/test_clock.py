"""This machine's clocks: the counter is refused where it is none, and keeps to real time where it is one."""

import time
from typing import Any

import pytest

from netfeed.build import PURE
from netfeed.errors import ConfigurationError
from netfeed.latency.clock import Clock
from netfeed.transport import clock, ticks

TWINS: list[Any] = [ticks]
if not PURE:
    from netfeed.transport import tick

    TWINS.append(tick)

GOOD = "processor : 0\nflags\t\t: fpu tsc constant_tsc nonstop_tsc rdtscp\n"


@pytest.mark.parametrize(
    ("cpuinfo", "source", "said"),
    [
        (GOOD, "tsc", None),
        (GOOD.replace("nonstop_tsc ", ""), "tsc", "nonstop_tsc"),
        (GOOD.replace("constant_tsc ", ""), "tsc", "constant_tsc"),
        ("", "tsc", "constant_tsc, nonstop_tsc"),
        (GOOD, "kvm-clock", "kvm-clock"),
        (GOOD, None, "None"),
    ],
)
def test_a_counter_that_is_no_clock_is_refused_with_the_reason(cpuinfo: str, source: str | None, said: str) -> None:
    told = clock.refusal(cpuinfo, source)
    assert told is None if said is None else said in (told or "")


def test_the_clock_is_chosen_by_what_the_machine_has(monkeypatch: pytest.MonkeyPatch) -> None:
    assert clock.chosen("system") is False
    assert clock.chosen("auto") is (clock.tsc_refusal() is None)
    monkeypatch.setattr(clock, "has_tsc", False)
    assert clock.chosen("auto") is False
    with pytest.raises(ConfigurationError, match="use the clock `system`"):
        clock.chosen("tsc")


@pytest.mark.parametrize("twin", TWINS, ids=lambda one: one.__name__)
def test_looks_are_bracketed_and_cost_something(twin: Any) -> None:
    found = twin.bracketed(Clock.MONOTONIC, Clock.REALTIME, 50)
    assert found.shape == (50, 3)
    assert (found[:, 2] >= found[:, 0]).all()
    assert (abs(found[:, 1] - time.time_ns()) < 60 * 10**9).all()
    assert (twin.costs(Clock.MONOTONIC, 3) > 0).all()
    assert twin.bracketed(Clock.MONOTONIC, Clock.REALTIME, 0).shape == (0, 3)


@pytest.mark.parametrize("twin", TWINS, ids=lambda one: one.__name__)
def test_a_clock_that_there_is_not_is_refused(twin: Any) -> None:
    for call in (lambda: twin.costs(77, 1), lambda: twin.bracketed(Clock.MONOTONIC, 77, 1)):
        with pytest.raises(ValueError, match="no clock 77"):
            call()
    if not twin.has_tsc:
        with pytest.raises(ValueError, match="no clock -1"):
            twin.costs(Clock.TSC, 1)


@pytest.mark.parametrize("twin", TWINS, ids=lambda one: one.__name__)
@pytest.mark.parametrize("use", [False, True])
def test_a_ticker_gives_real_time(twin: Any, use: bool) -> None:
    if use and not twin.has_tsc:
        with pytest.raises(ValueError, match="kernel's clock"):
            twin.Ticker(True)
        return
    ticker = twin.Ticker(use)
    apart = []
    for _ in range(3_000):
        before, now, after = time.time_ns(), ticker.now(), time.time_ns()
        apart.append(max(before - now, now - after, 0))
    assert sorted(apart)[len(apart) // 2] < 20_000  # this many ns outside of the bracket
    assert ticker.steps == 0


def test_all_clocks_are_measured() -> None:
    found = clock.clock_costs()
    assert {"REALTIME", "MONOTONIC", "MONOTONIC_RAW"} <= set(found)
    assert all(0 < least <= middle for least, middle in found.values())
    assert clock.trace_cost(False) > 0
