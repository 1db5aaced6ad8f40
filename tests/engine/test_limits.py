"""The pace of messages: so many at once and so many a second, whatever is paid beside it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netfeed.engine.limits import Limits, Pace
from netfeed.errors import MisuseError

SECOND = 1_000_000_000


@given(
    st.integers(1, 50),
    st.integers(1, 8),
    st.lists(st.tuples(st.integers(0, SECOND // 4), st.integers(1, 4), st.booleans()), max_size=40),
)
def test_it_gives_what_a_bucket_counted_in_nanoseconds_has(
    rate: int, burst: int, steps: list[tuple[int, int, bool]]
) -> None:
    pace, interval = Pace(rate, burst), -(-SECOND // rate)
    level, now = burst * interval, 0  # what is in the bucket, in the nanoseconds that it took to fill
    for wait, count, owed in steps:
        now += wait
        level = min(burst * interval, level + wait)
        assert pace.has(now, count) == (level >= count * interval)
        if owed or level >= count * interval:
            pace.spend(now, count)
            level -= count * interval


@pytest.mark.parametrize(("rate", "burst"), [(0, 1), (1, 0), (-1, 5)])
def test_a_pace_of_nothing_is_a_misuse(rate: int, burst: int) -> None:
    with pytest.raises(MisuseError):
        Pace(rate, burst)


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), -1.0])
def test_a_limit_that_nothing_can_be_held_against_is_a_misuse(wrong: float) -> None:
    for name in ("expiry", "delta", "gamma", "vega"):
        with pytest.raises(MisuseError, match=name):
            Limits(**{name: wrong})  # type: ignore[arg-type]
    with pytest.raises(MisuseError, match="loss of BTC"):
        Limits(loss={"BTC": wrong})


def test_a_part_of_the_pace_is_kept_for_what_is_urgent_and_all_of_it_is_there_for_one_request() -> None:
    pace = Pace(10, 20)
    assert pace.has(0, 20, urgent=False)
    pace.spend(0, 17)
    assert [pace.has(0, count, urgent=False) for count in (1, 2)] == [True, False]
    assert [pace.has(0, count) for count in (3, 4)] == [True, False]
