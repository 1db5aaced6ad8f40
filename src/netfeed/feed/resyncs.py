"""One topic had anew, because its book is wrong: unsubscribed and subscribed again, on one line, once for many cries.

    a cry                       is one need, however often it is heard (`needs`): at once at first, later each time
    it is due                   the topic is had anew on the line that was wrong, or on any that carries it; a book that
                                is LIVE by then needs nothing
    the venue carries it again  the need is met; so it is when the venue refuses, or the line is lost
    nobody carries it           its snapshot comes with the next subscription, and `patience` sees to that

Leaves out: what is sent for it (`subscriptions.anew`); snapshots over HTTP (`fetcher`).
"""

from collections.abc import Callable, Sequence

from netfeed.book.state import BookState
from netfeed.feed.dialect import Market
from netfeed.feed.line import Line
from netfeed.feed.needs import Needs


class Resyncs:
    """The topics of one venue that are to be had anew."""

    def __init__(self, market: Market) -> None:
        self.done = 0
        self._market = market
        self._needs: Needs[str] = Needs()
        self._lines: dict[str, int] = {}  # the line on which a topic was wrong, then that on which it is had anew

    @property
    def repeated(self) -> int:
        """Say how many cries were the same need."""
        return self._needs.repeated

    @property
    def deadline(self) -> int:
        """Say when something is due. Units: monotonic ns."""
        return self._needs.deadline

    def cry(self, topic: str, line: int | None, now: int) -> None:
        """Take a cry for a topic that is wrong on a line, None for any."""
        if line is not None and not self._needs.is_open(topic):
            self._lines[topic] = line
        self._needs.need(topic, now)

    def act(self, lines_of: Callable[[str], Sequence[Line]], now: int) -> None:
        """Have anew what is due."""
        for topic in self._needs.due(now):
            line = self._anew(topic, self._lines.pop(topic, None), lines_of(topic), now)
            if line is None:
                self._needs.met(topic, now)
            else:
                self._lines[topic] = line
                self.done += 1

    def met(self, topic: str, line: int, now: int) -> None:
        """Take note that a topic was carried again on a line, was refused there, or lost it."""
        if self._lines.get(topic) != line:
            return
        self._needs.met(topic, now)
        if not self._needs.is_open(topic):
            del self._lines[topic]

    def forget(self, topic: str) -> None:
        """Take note that a topic begins anew in any case, or that nobody wants it."""
        self._needs.forget(topic)
        self._lines.pop(topic, None)

    def _anew(self, topic: str, wished: int | None, lines: Sequence[Line], now: int) -> int | None:
        standing = self._market.standing(topic)
        if standing is not None and standing.state is BookState.LIVE:
            return None
        for number in (wished, None):
            for line in lines:
                found = line.anew(topic, number, now)
                if found is not None:
                    return found
        return None
