"""The token bucket: a burst at once, then a steady rate, whatever the pauses were."""

import pytest

from netfeed.errors import MisuseError
from netfeed.proto.bucket import TokenBucket

MS = 1_000_000


def test_a_burst_goes_at_once_and_then_one_each_interval() -> None:
    bucket = TokenBucket(rate=100, burst=3)
    assert [bucket.take(0) for _ in range(4)] == [True, True, True, False]
    assert bucket.ready_at() == 10 * MS
    assert not bucket.take(10 * MS - 1)
    assert bucket.take(10 * MS)
    assert not bucket.take(10 * MS)


def test_a_long_pause_saves_up_no_more_than_the_burst() -> None:
    bucket = TokenBucket(rate=100, burst=2)
    assert sum(bucket.take(10**15) for _ in range(10)) == 2


@pytest.mark.parametrize(("rate", "burst"), [(0, 1), (-1, 1), (float("nan"), 1), (1, 0)])
def test_a_bucket_that_gives_nothing_is_the_callers_mistake(rate: float, burst: int) -> None:
    with pytest.raises(MisuseError):
        TokenBucket(rate=rate, burst=burst)


def test_what_weighs_more_takes_more_tokens_and_waits_for_all_of_them() -> None:
    bucket = TokenBucket(rate=100, burst=5)
    assert bucket.take(0, 3)
    assert not bucket.take(0, 3)
    assert bucket.take(0, 2), "a request that was refused took nothing"
    assert bucket.ready_at(5) == 50 * MS
    assert not bucket.take(50 * MS - 1, 5)
    assert bucket.take(50 * MS, 5)


@pytest.mark.parametrize("count", [0, 4])
def test_more_than_the_bucket_holds_is_never_given(count: int) -> None:
    with pytest.raises(MisuseError, match="never gives"):
        TokenBucket(rate=1, burst=3).take(0, count)


def test_what_is_spent_without_asking_is_owed() -> None:
    bucket = TokenBucket(rate=100, burst=1)
    bucket.spend(0)
    bucket.spend(0)
    assert bucket.ready_at() == 20 * MS
    assert not bucket.take(20 * MS - 1)
    assert bucket.take(20 * MS)
