"""What a connection carries, as the books are told of it."""

from typing import Any

from netfeed.feed.carried import Carried
from netfeed.feed.session_words import Last
from tests.feed.toy_venue import ToyMarket


class Listening(ToyMarket):
    """A market that keeps what it was told of lines."""

    def __init__(self, topics: Any) -> None:
        super().__init__(topics)
        self.told: list[Any] = []

    def joined(self, line: int, topic: str) -> None:
        self.told.append(("joined", line, topic))

    def left(self, line: int, topics: Any) -> None:
        self.told.append(("left", line, list(topics)))

    def silent(self, line: int, topics: Any, *, silent: bool) -> None:
        self.told.append(("silent" if silent else "speaks", line, list(topics)))


def test_what_was_asked_for_twice_has_joined_once_and_what_was_never_asked_for_cannot_leave() -> None:
    market = Listening(["book.a"])
    carried = Carried(market, 3)
    carried.join(["book.a"])
    carried.join(["book.a", "trades.a"])
    carried.leave(["book.a", "book.z"])
    carried.leave(["book.a"])
    assert market.told == [("joined", 3, "book.a"), ("joined", 3, "trades.a"), ("left", 3, ["book.a"])]


def test_the_end_leaves_everything_and_tells_what_was_last() -> None:
    market = Listening(["book.a"])
    market.book("book.a").sequence = 7
    carried = Carried(market, 0)
    carried.join(["book.a", "trades.a"])
    assert carried.leave_all() == (Last("book.a", 7), Last("trades.a", None))
    assert market.told[-1] == ("left", 0, ["book.a", "trades.a"])
    assert carried.leave_all() == ()


def test_silence_is_that_of_all_it_carries() -> None:
    market = Listening(["book.a"])
    carried = Carried(market, 0)
    carried.join(["book.a"])
    carried.hush(silent=True)
    carried.hush(silent=False)
    assert market.told[1:] == [("silent", 0, ["book.a"]), ("speaks", 0, ["book.a"])]
