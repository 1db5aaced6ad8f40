"""What one connection carries, as the books are told of it: joined once, left once, silent while the connection is.

`subscriptions` knows what the venue has acknowledged; here is what may come: from the time when a topic is asked for,
acknowledged or not, until the venue has let it go, refused it, or the connection is over.

Invariant: `Market.joined` and `Market.left` of a topic take turns on a line.
"""

from collections.abc import Sequence

from netfeed.feed.dialect import Market
from netfeed.feed.session_words import Last


class Carried:
    """The topics of one line."""

    __slots__ = ("_line", "_market", "_topics")

    def __init__(self, market: Market, line: int) -> None:
        self._market, self._line = market, line
        self._topics: dict[str, None] = {}

    def join(self, topics: Sequence[str]) -> None:
        """Take note that topics were asked for; where only an answer was lost nothing begins anew."""
        for topic in topics:
            if topic not in self._topics:
                self._topics[topic] = None
                self._market.joined(self._line, topic)

    def leave(self, topics: Sequence[str]) -> None:
        """Take note that topics are carried no more."""
        gone = [topic for topic in topics if topic in self._topics]
        for topic in gone:
            del self._topics[topic]
        if gone:
            self._market.left(self._line, gone)

    def leave_all(self) -> tuple[Last, ...]:
        """Take note that the connection is over; give what was last heard of each topic."""
        last = tuple(Last(topic, self._sequence(topic)) for topic in self._topics)
        self.leave(list(self._topics))
        return last

    def hush(self, *, silent: bool) -> None:
        """Take note that the connection has missed its signs of life, or speaks again."""
        self._market.silent(self._line, list(self._topics), silent=silent)

    def _sequence(self, topic: str) -> int | None:
        standing = self._market.standing(topic)
        return None if standing is None else standing.sequence
