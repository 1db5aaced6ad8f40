"""What was missed of each topic: from when until when, between which numbers, why, and what ended it.

On a connection nothing is asked for again: what was said while nobody listened is gone, and a snapshot makes the book
right without it. So a gap is opened when a book is wrong or nobody carries its topic, and closed when the book is LIVE
again (by `snapshot`), or, for a topic without a book, when the venue carries it again (by `subscription`). `after` and
`until` are the venue's own numbers: the last one that was applied before, the one of the book when the gap was closed.

Bounds: one open gap for each topic, the latest MAX_RECORDS that have ended; CHECKED books are looked at each time.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from netfeed.book.state import BookState
from netfeed.feed.dialect import Market

MAX_RECORDS: Final = 1024
CHECKED: Final = 256
"""After a loss of ten thousand topics, looking at all of them for each batch would be all that is done."""

ClosedBy = Literal["snapshot", "subscription", "dropped"]


@dataclass(frozen=True, slots=True)
class TopicGap:
    """A gap that has ended. `by` `dropped`: nobody wants the topic any more. Units: times in monotonic ns."""

    topic: str
    after: int | None
    until: int | None
    why: str
    opened_at: int
    closed_at: int
    by: ClosedBy


@dataclass(frozen=True, slots=True)
class OpenGap:
    """A gap that is waited for. Units: `opened_at` in monotonic ns."""

    topic: str
    after: int | None
    why: str
    opened_at: int


class TopicGaps:
    """The gaps of the topics of one venue."""

    def __init__(self, market: Market) -> None:
        self._market = market
        self._open: dict[str, OpenGap] = {}
        self.records: deque[TopicGap] = deque(maxlen=MAX_RECORDS)
        self.opened = self.closed = 0

    def open(self, topic: str, after: int | None, why: str, now: int) -> OpenGap | None:
        """Open a gap; None when one is open already, whose reason stays."""
        if topic in self._open:
            return None
        gap = self._open[topic] = OpenGap(topic, after, why, now)
        self.opened += 1
        return gap

    def look(self, now: int) -> list[TopicGap]:
        """Close the gaps whose books are LIVE again; those that are not are looked at again after the others."""
        closed = []
        for topic, _ in list(zip(self._open, range(CHECKED), strict=False)):
            standing = self._market.standing(topic)
            if standing is not None and standing.state is BookState.LIVE:
                closed.append(self._close(topic, standing.sequence, "snapshot", now))
            elif len(self._open) > CHECKED:
                self._open[topic] = self._open.pop(topic)
        return closed

    def carried(self, topics: Iterable[str], now: int) -> list[TopicGap]:
        """Take note that the venue carries topics: gaps of those without a book end here."""
        missing = [topic for topic in topics if topic in self._open and self._market.standing(topic) is None]
        return [self._close(topic, None, "subscription", now) for topic in missing]

    def dropped(self, topics: Iterable[str], now: int) -> list[TopicGap]:
        """Take note that nobody wants topics any more."""
        return [self._close(topic, None, "dropped", now) for topic in topics if topic in self._open]

    @property
    def still_open(self) -> tuple[OpenGap, ...]:
        """List the gaps that are waited for."""
        return tuple(self._open.values())

    @property
    def is_empty(self) -> bool:
        """Say whether nothing is waited for."""
        return not self._open

    def _close(self, topic: str, until: int | None, by: ClosedBy, now: int) -> TopicGap:
        gap = self._open.pop(topic)
        self.closed += 1
        self.records.append(TopicGap(topic, gap.after, until, gap.why, gap.opened_at, now, by))
        return self.records[-1]
