"""The watch for silence: what is LIVE while nothing is heard becomes STALE, however it became LIVE."""

from types import SimpleNamespace
from typing import Any

import pytest

from netfeed.app.silence import RECHECK_NS, Silence
from netfeed.book.handle import OrderBook
from netfeed.book.l3 import OrderBooks
from netfeed.book.state import BookState

LIMIT_NS = 100


class Lane:
    """A channel with two books, line A of it heard when a test says so."""

    def __init__(self) -> None:
        books = OrderBooks()
        for _ in range(2):
            books.add_book(BookState.LIVE)
        self.books = books
        self.feed = SimpleNamespace(
            books=[OrderBook(books, 0), OrderBook(books, 1)], stream=SimpleNamespace(books=books)
        )
        self.delivery = SimpleNamespace(in_order=True)
        self.heard = 0

    def statistics(self) -> Any:
        return SimpleNamespace(lines=[SimpleNamespace(port=0, last_heard=self.heard)])

    @property
    def states(self) -> list[BookState]:
        return [book.state for book in self.feed.books]


@pytest.fixture
def lane() -> Lane:
    return Lane()


def test_books_are_stale_while_nothing_is_heard_and_live_again_when_it_is_and_nothing_is_missing(lane: Lane) -> None:
    silence = Silence(LIMIT_NS, 0)
    assert silence.judge(lane, LIMIT_NS - 1) is None
    assert silence.judge(lane, LIMIT_NS) is True
    assert lane.states == [BookState.STALE] * 2
    lane.heard = LIMIT_NS + 1
    assert silence.judge(lane, LIMIT_NS + RECHECK_NS) is None  # that was long ago again: still silent
    lane.heard = LIMIT_NS + 2 * RECHECK_NS
    assert silence.judge(lane, LIMIT_NS + 2 * RECHECK_NS) is False
    assert lane.states == [BookState.LIVE] * 2
    assert (silence.times, silence.since) == (1, None)


def test_a_book_that_a_snapshot_makes_live_in_a_silence_is_stale_at_the_next_look(lane: Lane) -> None:
    lane.books.to(1, BookState.SUSPECT)
    silence = Silence(LIMIT_NS, 0)
    assert silence.judge(lane, LIMIT_NS) is True
    lane.books.to(1, BookState.LIVE)
    assert silence.judge(lane, LIMIT_NS + RECHECK_NS) is None
    assert lane.states == [BookState.STALE] * 2
    assert silence.times == 1


def test_a_second_silence_is_seen_though_the_channel_was_not_in_order_between_them(lane: Lane) -> None:
    """While an instrument waits for its snapshot the channel is not in order: the first silence never ends for it."""
    silence = Silence(LIMIT_NS, 0)
    silence.judge(lane, LIMIT_NS)
    lane.delivery.in_order = False
    lane.heard = now = LIMIT_NS + RECHECK_NS
    assert silence.judge(lane, now) is None
    for book in (0, 1):
        lane.books.to(book, BookState.LIVE)
    assert silence.judge(lane, now + RECHECK_NS) is None
    assert lane.states == [BookState.STALE] * 2
