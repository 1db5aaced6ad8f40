"""The token bucket: a burst at once, then a steady rate, whatever the pauses were."""

import pytest

from netfeed.errors import MisuseError
from netfeed.feed.bucket import TokenBucket

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
