"""What a profile wants: when a value will do, what is written when not, and what is asked for first."""

import pytest

from netfeed.host.tune.form import Form
from netfeed.host.tune.want import (
    AtLeast,
    AtMost,
    Equal,
    FeedCores,
    Here,
    Housekeeping,
    Largest,
    OneEach,
    QueueEach,
    Want,
    WhereIsolated,
)

HERE = Here(frozenset({2, 3}), frozenset({0, 1}), frozenset({1}), frozenset({2, 3}))


@pytest.mark.parametrize(
    ("want", "form", "current", "met", "target"),
    [
        (Equal("0"), Form.NUMBER, "0\n", True, None),
        (Equal("0"), Form.NUMBER, "2", False, "0"),
        (Equal("never", ("madvise",)), Form.CHOICE, "always [madvise] never", True, None),
        (Equal("never", ("madvise",)), Form.CHOICE, "[always] madvise never", False, "never"),
        (Equal("0"), Form.MASK, "00000000,00000000", True, None),
        (AtLeast((100,)), Form.NUMBER, "200", True, None),
        (AtLeast((100,)), Form.NUMBER, "99", False, "100"),
        (AtLeast((100,)), Form.NUMBER, "unlimited", True, None),
        (AtLeast((1, 2, 3)), Form.NUMBERS, "9\t1\t3", False, "9 2 3"),
        (AtMost(10), Form.NUMBER, "3", True, None),
        (AtMost(10), Form.NUMBER, "60", False, "10"),
        (AtMost(10), Form.NUMBER, "-1", False, "10"),
        (Housekeeping(), Form.CPUS, "0", True, None),
        (Housekeeping(), Form.CPUS, "0-3", False, "0-1"),
        (Housekeeping(), Form.MASK, "0000000f", False, "3"),
        (Housekeeping(), Form.MASK, "0", False, "3"),
        (Housekeeping(beside=True), Form.CPUS, "0", False, "1"),
        (Housekeeping(beside=True), Form.CPUS, "1", True, None),
        (FeedCores(), Form.CPUS, "1-3", True, None),
        (FeedCores(), Form.CPUS, "3", False, "2-3"),
        (OneEach(), Form.MASK, "4", True, None),
        (OneEach(), Form.MASK, "8", False, "4"),
        (QueueEach(), Form.NUMBER, "1", False, "2"),
        (WhereIsolated(Equal("-1")), Form.NUMBER, "950000", False, "-1"),
    ],
)
def test_values_are_compared_by_what_they_mean(
    want: Want, form: Form, current: str, met: bool, target: str | None
) -> None:
    assert want.asks(HERE) is None
    assert want.met(form, current, HERE) is met
    if target is not None:
        assert want.target(form, current, HERE) == target
        assert want.met(form, target, HERE)


@pytest.mark.parametrize("want", [Housekeeping(), FeedCores(), OneEach(), QueueEach(), WhereIsolated(Equal("-1"))])
def test_what_depends_on_processors_asks_for_them(want: Want) -> None:
    assert "--cpus" in (want.asks(Here(housekeeping=frozenset({0, 1}))) or "")


def test_real_time_throttling_goes_only_where_all_feed_cores_are_isolated() -> None:
    want = WhereIsolated(Equal("-1"))
    half = Here(frozenset({2, 3}), frozenset({0}), frozenset({0}), frozenset({2}))
    assert "isolated are 2" in (want.asks(half) or "")
    assert "isolated are none" in (want.asks(Here(frozenset({2}))) or "")


def test_queues_beyond_the_feed_cores_are_for_housekeeping() -> None:
    assert OneEach().target(Form.MASK, "0", Here(frozenset({2}), frozenset({0, 1}), index=1)) == "3"


def test_the_largest_ring_is_what_the_device_says() -> None:
    assert Largest().asks(Here()) == "the device does not say what it can"
    here = Here(limit="4096")
    assert not Largest().met(Form.NUMBER, "256", here)
    assert Largest().target(Form.NUMBER, "256", here) == "4096"
    assert Largest().met(Form.NUMBER, "4096", here)


def test_no_more_queues_are_asked_for_than_the_device_can() -> None:
    here = Here(frozenset({2, 3, 4}), frozenset({0}), limit="2")
    assert QueueEach().met(Form.NUMBER, "2", here)
    assert QueueEach().target(Form.NUMBER, "1", here) == "2"


@pytest.mark.parametrize("current", ["", "1 2", "x"])
def test_a_value_of_another_form_is_refused(current: str) -> None:
    with pytest.raises(ValueError):
        AtLeast((1,)).met(Form.NUMBER, current, HERE)
