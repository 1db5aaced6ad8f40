"""Which books should be LIVE and are not."""

from netfeed.book.state import BookState
from netfeed.feed.patience import FIRST_NS, MAX_NS, Patience
from netfeed.machine import NEVER
from tests.feed.toy_venue import ToyMarket


def test_a_book_that_does_not_come_is_told_each_time_after_twice_as_long() -> None:
    patience = Patience(ToyMarket(["book.a"]))
    patience.wait(["book.a", "trades.a"], 0)
    times = []
    while len(times) < 12:
        now = patience.deadline
        assert patience.over(now - 1) == []
        assert patience.over(now) == ["book.a"]
        times.append(now)
    waits = [later - sooner for sooner, later in zip([0, *times], times, strict=False)]
    assert waits[:3] == [FIRST_NS, 2 * FIRST_NS, 4 * FIRST_NS]
    assert max(waits) == MAX_NS


def test_a_book_that_came_is_forgotten_and_one_that_is_waited_for_keeps_its_turn() -> None:
    market = ToyMarket(["book.a", "book.b"])
    patience = Patience(market)
    patience.wait(["book.a"], 0)
    patience.wait(["book.a", "book.b"], 5)
    market.book("book.a").state = BookState.LIVE
    assert patience.over(FIRST_NS) == []
    assert patience.deadline == FIRST_NS + 5
    patience.forget(["book.b"])
    assert patience.deadline == NEVER


def test_a_book_that_is_live_is_not_waited_for() -> None:
    market = ToyMarket(["book.a"])
    market.book("book.a").state = BookState.LIVE
    patience = Patience(market)
    patience.wait(["book.a"], 0)
    assert patience.deadline == NEVER
