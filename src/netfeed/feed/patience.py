"""Which books should be LIVE and are not: the net below all rules of resynchronisation.

A topic that the venue carries begins with a snapshot. When none comes - the venue took a second request for one that it
had already answered, the snapshot was cut off, the market's cry was for a topic that was just being asked for - the
book would wait for ever, and nothing would say so. So what is carried and not LIVE for FIRST_NS is had anew, and then
each time after twice as long, up to MAX_NS: an instrument of which the venue says nothing costs a request an hour.

Bounds: topics of the venue; CHECKED books are looked at each time.
"""

from collections.abc import Iterable
from typing import Final

from netfeed.book.state import BookState
from netfeed.feed.dialect import Market
from netfeed.machine import NEVER

FIRST_NS: Final = 20_000_000_000
MAX_NS: Final = 3_600_000_000_000


class Patience:
    """The topics of one venue whose books are waited for."""

    def __init__(self, market: Market) -> None:
        self._market = market
        self._waiting: dict[str, tuple[int, int]] = {}  # when it is over, and how long it was
        self.deadline = NEVER

    def wait(self, topics: Iterable[str], now: int) -> None:
        """Wait for the books of topics that are carried now; one that is waited for already keeps its turn."""
        for topic in topics:
            standing = self._market.standing(topic)
            if topic in self._waiting or standing is None or standing.state is BookState.LIVE:
                continue
            self._waiting[topic] = now + FIRST_NS, FIRST_NS
            self.deadline = min(self.deadline, now + FIRST_NS)

    def forget(self, topics: Iterable[str]) -> None:
        """Wait for topics no longer."""
        for topic in topics:
            self._waiting.pop(topic, None)
        if not self._waiting:
            self.deadline = NEVER

    def over(self, now: int) -> list[str]:
        """Give the topics whose books did not come in time. A call before the deadline does nothing."""
        if now < self.deadline:
            return []
        late = []
        for topic, (due_at, wait_ns) in list(self._waiting.items()):
            if due_at > now:
                continue
            standing = self._market.standing(topic)
            if standing is None or standing.state is BookState.LIVE:
                del self._waiting[topic]
                continue
            late.append(topic)
            longer = min(2 * wait_ns, MAX_NS)
            self._waiting[topic] = now + longer, longer
        self.deadline = min((due_at for due_at, _ in self._waiting.values()), default=NEVER)
        return late
