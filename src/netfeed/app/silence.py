"""A channel whose lines are all silent for longer than they may be: its LIVE books become STALE.

Judged by the declared heartbeat times `stale_after`, on the monotonic clock: quiet with heartbeats is not silent. When
a line is heard again, and nothing is missing, the books that were made STALE are LIVE again.
"""

from typing import Any, Final

from netfeed.book.state import BookState
from netfeed.feed.ports import LINES

RECHECK_NS: Final = 5_000_000
"""How often a silent channel is asked whether it is heard again."""


class Silence:
    """Watch one channel. `since` is when it fell silent, None while it is heard. Units: monotonic ns."""

    def __init__(self, limit_ns: int, began: int) -> None:
        self.limit_ns = limit_ns
        self.since: int | None = None
        self.times = 0
        self.deadline = began + limit_ns
        self._began = began
        self._stale: list[tuple[Any, int]] = []

    def judge(self, lane: Any, now: int) -> bool | None:
        """Say that the channel has fallen silent (True), that it is heard again (False), or nothing new (None).

        Call it when the deadline has passed; until then it does nothing.
        """
        if now < self.deadline:
            return None
        heard = last_heard(lane)
        last = self._began if heard is None else heard
        silent = now - last >= self.limit_ns
        self.deadline = now + RECHECK_NS if silent or self.since is not None else last + self.limit_ns
        if silent:
            return self._silent(lane, now)
        if self.since is not None and lane.delivery.in_order:
            self.since = None
            self.deadline = last + self.limit_ns
            make_live(self._stale)
            self._stale = []
            return False
        return None

    def _silent(self, lane: Any, now: int) -> bool | None:
        """Make STALE what is LIVE, each time: a snapshot, or a moment of sound, may have made a book LIVE meanwhile."""
        self._stale += make_stale(lane.feed)
        if self.since is not None:
            return None
        self.since = now
        self.times += 1
        return True


def last_heard(lane: Any) -> int | None:
    """Give when a line of the channel was heard last, None when none ever was."""
    times = [line.last_heard for line in lane.statistics().lines if line.port in LINES and line.last_heard is not None]
    return max(times, default=None)


def make_stale(feed: Any) -> list[tuple[Any, int]]:
    """Make every LIVE book of a feed STALE, and give them."""
    moved = []
    mover = state_mover(feed)
    for number, book in enumerate(feed.books):
        if book.state == BookState.LIVE:
            mover.to(number, BookState.STALE)
            moved.append((mover, number))
    return moved


def make_live(moved: list[tuple[Any, int]]) -> None:
    """Make the books LIVE again that nothing has befallen in between."""
    for mover, number in moved:
        if mover.state(number) == BookState.STALE:
            mover.to(number, BookState.LIVE)


def state_mover(feed: Any) -> Any:
    """Give whoever moves states and announces them: the order books, or the market of levels."""
    stream = getattr(feed, "stream", None)
    return stream.books if stream is not None else _Levels(feed)


class _Levels:
    """The market of a feed of levels, seen as order books are."""

    def __init__(self, feed: Any) -> None:
        self._feed = feed

    def to(self, book: int, state: BookState) -> None:
        self._feed.move(book, state)

    def state(self, book: int) -> int:
        return int(self._feed.books[book].state)
