"""Gaps, alarms and bells: the compiled ones count as the plain ones do, nothing is left out, and all can be stopped."""

import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netfeed.build import PURE
from netfeed.transport import spinning as plain

MODULES: list[Any] = [plain]
if not PURE:
    from netfeed.transport import spin

    MODULES.append(spin)
MS = 1_000_000
STEPS = st.lists(st.one_of(st.integers(0, 3000), st.integers(0, 10**13)), max_size=60)


@pytest.fixture(params=MODULES, ids=lambda one: one.__name__.rsplit(".", 1)[1])
def module(request: pytest.FixtureRequest) -> Any:
    return request.param


def readings(steps: list[int], begun: int = 5) -> Any:
    return np.cumsum([begun, *steps], dtype=np.int64)


def gaps_state(one: Any) -> Any:
    h = one.histogram
    return (
        one.turns, one.spun_ns, one.stolen_ns, one.least_ns, one.forgotten, one.at_ns.tolist(), one.length_ns.tolist(),
        h.count, h.total_ns, h.min_ns, h.max_ns, h.buckets(), one.threshold_ns,
    )  # fmt: skip


def together(*work: Callable[[], None]) -> None:
    threads = [threading.Thread(target=one) for one in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()


def soon(ms: int) -> int:
    return time.monotonic_ns() + ms * MS


@given(first=STEPS, second=STEPS, threshold=st.integers(1, 5000), keep=st.integers(0, 20))
def test_the_twins_find_the_same_gaps(first: list[int], second: list[int], threshold: int, keep: int) -> None:
    states = []
    for module in MODULES:
        one = module.Gaps(threshold, keep)
        for steps, begun in ((first, 5), (second, 10**15)):
            one.feed(readings(steps, begun))
            states.append(gaps_state(one))
    assert states[:2] == states[-2:]


def test_a_gap_is_as_long_as_the_threshold_or_longer_and_begins_at_the_reading_before_it(module: Any) -> None:
    one = module.Gaps(1000, 2)
    one.feed(readings([20, 999, 1000, 30, 5000, 7000], begun=100))
    assert (one.turns, one.spun_ns, one.stolen_ns, one.least_ns) == (6, 14_049, 13_000, 20)
    assert (one.at_ns.tolist(), one.length_ns.tolist()) == ([1119, 2149], [1000, 5000])
    assert (one.histogram.count, one.forgotten) == (3, 1)


def test_what_lies_between_two_runs_is_no_gap(module: Any) -> None:
    one = module.Gaps(1000)
    one.feed(readings([10], begun=0))
    one.feed(readings([10], begun=10**9))
    assert (one.histogram.count, one.turns) == (0, 2)


def test_without_a_reading_nothing_is_known(module: Any) -> None:
    one = module.Gaps()
    one.feed(readings([]))
    assert (one.turns, one.least_ns, one.histogram.count, len(one.at_ns)) == (0, None, 0, 0)


def test_a_real_thread_accounts_for_all_of_its_time(module: Any) -> None:
    one = module.Gaps(1000, 10)
    begun = time.monotonic_ns()
    one.spin(begun + 30 * MS)
    spent = time.monotonic_ns() - begun
    assert 0 < one.spun_ns <= spent
    assert one.stolen_ns == one.histogram.total_ns <= one.spun_ns
    assert one.turns >= one.histogram.count == one.forgotten + len(one.at_ns)
    assert all(begun <= at <= begun + spent for at in one.at_ns.tolist())


def test_a_spinning_thread_can_be_stopped(module: Any) -> None:
    one = module.Gaps()
    together(lambda: one.spin(soon(10**9)), one.stop)


@pytest.mark.parametrize(("threshold", "keep"), [(0, 5), (-1, 5), (5, -1), (5, 2**24 + 1)])
def test_gaps_that_cannot_be_are_refused(module: Any, threshold: int, keep: int) -> None:
    with pytest.raises(ValueError, match="threshold"):
        module.Gaps(threshold, keep)


@given(interval=st.integers(1000, 10**7), late=st.lists(st.integers(-5, 10**8), max_size=30))
def test_the_twins_take_the_same_moments(interval: int, late: list[int]) -> None:
    states = []
    for module in MODULES:
        one, due, dues = module.Alarm(interval), 10**12, []
        for lateness in late:
            woken = due + lateness
            due = one.take(due, woken)
            assert due > woken or lateness < 0
            dues.append(due)
        states.append((dues, one.overruns, one.histogram.buckets(), one.histogram.negative))
    assert states[0] == states[-1]


def test_moments_that_pass_while_it_is_late_are_counted(module: Any) -> None:
    one = module.Alarm(1000)
    assert [one.take(5000, woken) for woken in (5999, 6000, 8500)] == [6000, 7000, 9000]
    assert (one.overruns, one.histogram.count) == (4, 3)


def test_a_real_alarm_never_rings_before_its_time(module: Any) -> None:
    one = module.Alarm(MS)
    begun = time.monotonic_ns()
    one.run(begun + 30 * MS)
    spent = time.monotonic_ns() - begun
    assert one.histogram.count >= 1
    assert one.histogram.count + one.overruns <= spent // MS
    assert one.histogram.negative == 0


def test_an_alarm_can_be_stopped(module: Any) -> None:
    one = module.Alarm(MS)
    together(lambda: one.run(soon(10**9)), one.stop)


def test_every_ring_is_heard_once_or_was_not_made(module: Any) -> None:
    one = module.Bell(MS)
    together(one.listen, lambda: one.ring(soon(30)))
    one.close()
    one.close()
    assert one.histogram.count == one.rings > 0
    assert one.histogram.negative == 0


def test_a_ring_that_is_not_heard_keeps_its_moment_and_no_other_is_made(module: Any) -> None:
    one = module.Bell(MS)
    one.ring(soon(20))
    assert one.rings == 1
    one.listen()
    assert one.histogram.count == 1
    assert one.histogram.min_ns > (one.busy - 1) * MS
    one.close()


def test_both_sides_of_a_bell_can_be_stopped(module: Any) -> None:
    one = module.Bell(MS)
    together(one.listen, lambda: one.ring(soon(10**9)), one.stop)
    one.close()
    one.stop()


@pytest.mark.parametrize("interval", [0, 999, 10_000_000_001])
def test_an_interval_that_cannot_be_is_refused(module: Any, interval: int) -> None:
    for kind in (module.Alarm, module.Bell):
        with pytest.raises(ValueError, match="an interval is"):
            kind(interval)
