"""What was missed of each topic, and what ended it."""

from netfeed.book.state import BookState
from netfeed.feed.topic_gaps import CHECKED, MAX_RECORDS, OpenGap, TopicGap, TopicGaps
from tests.feed.toy_venue import ToyMarket


def gaps_of(*topics: str) -> tuple[ToyMarket, TopicGaps]:
    market = ToyMarket(topics)
    return market, TopicGaps(market)


def test_a_gap_ends_when_its_book_is_live() -> None:
    market, gaps = gaps_of("book.a")
    assert gaps.open("book.a", 7, "reset by peer", 10) == OpenGap("book.a", 7, "reset by peer", 10)
    assert gaps.open("book.a", 8, "again", 11) is None
    assert gaps.look(12) == []
    market.book("book.a").state, market.book("book.a").sequence = BookState.LIVE, 20
    assert gaps.look(13) == [TopicGap("book.a", 7, 20, "reset by peer", 10, 13, "snapshot")]
    assert (gaps.is_empty, gaps.opened, gaps.closed, gaps.still_open) == (True, 1, 1, ())


def test_a_topic_without_a_book_ends_with_the_subscription_and_one_with_a_book_does_not() -> None:
    _, gaps = gaps_of("book.a")
    gaps.open("trades.a", None, "x", 1)
    gaps.open("book.a", 3, "x", 1)
    assert [gap.topic for gap in gaps.carried(["trades.a", "book.a", "trades.b"], 5)] == ["trades.a"]


def test_what_nobody_wants_any_more_is_missed_by_nobody() -> None:
    _, gaps = gaps_of("book.a")
    gaps.open("book.a", 3, "x", 1)
    assert [gap.by for gap in gaps.dropped(["book.a", "book.b"], 2)] == ["dropped"]


def test_after_a_great_loss_all_books_are_looked_at_in_turn() -> None:
    topics = [f"book.{k}" for k in range(3 * CHECKED)]
    market, gaps = gaps_of(*topics)
    for topic in topics:
        gaps.open(topic, 1, "x", 1)
    market.book(topics[-1]).state = BookState.LIVE
    assert sum(len(gaps.look(at)) for at in range(3)) == 1


def test_records_are_bounded_and_the_counters_go_on() -> None:
    _, gaps = gaps_of()
    for at in range(MAX_RECORDS + 10):
        gaps.open("trades.a", None, "x", at)
        gaps.carried(["trades.a"], at)
    assert (len(gaps.records), gaps.closed) == (MAX_RECORDS, MAX_RECORDS + 10)
