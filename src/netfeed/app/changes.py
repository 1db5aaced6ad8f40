"""The changes of all feeds as one stream: books numbered across feeds, in order of time, as far as they are asked for.

Every feed numbers its own books and channels; here `book` becomes an index into `Catalogue.books` and `channel` one
into the lanes of the run. Who consumes changes (a file, a live view) sees whole arrays.
"""

from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from typing import Any, Final, NamedTuple, Protocol

import numpy as np

from netfeed.book.change import NO_BOOK, NO_TIME, Kind, Refusal
from netfeed.book.state import BookState

Rows = np.ndarray[Any, Any]
NO_LANE: Final = 0xFFFF


class Consumer(Protocol):
    """Whoever takes changes."""

    def take(self, rows: Rows) -> None:
        """Take a batch; the array is the consumer's to keep."""


class Book(NamedTuple):
    """One book of the run."""

    feed: Any
    number: int

    @property
    def name(self) -> str:
        """Give the instrument; a definition that comes late may change it."""
        name: str = self.feed.names[self.number]
        return name

    @property
    def exponents(self) -> tuple[int, int]:
        """Give the decimal exponents of price and quantity."""
        price, quantity = self.feed.exponents[self.number]
        return int(price), int(quantity)

    @property
    def view(self) -> Any:
        """Give the book itself."""
        return self.feed.books[self.number]


class Selection:
    """Instruments that are asked for, by name or glob; none is all."""

    def __init__(self, patterns: Sequence[str] = ()) -> None:
        self.patterns = tuple(patterns)
        self._known: dict[str, bool] = {}

    def has(self, name: str) -> bool:
        """Say whether an instrument is asked for."""
        if not self.patterns:
            return True
        if name not in self._known:
            self._known[name] = any(fnmatchcase(name, pattern) for pattern in self.patterns)
        return self._known[name]


class Catalogue:
    """All books of a run, in the order in which they were opened."""

    def __init__(self, selection: Selection) -> None:
        self.books: list[Book] = []
        self.selection = selection
        self._numbers: list[list[int]] = []

    def chosen(self) -> list[Book]:
        """List the books that are asked for."""
        return [book for book in self.books if self.selection.has(book.name)]

    def numbers(self, which: int, feed: Any) -> Rows:
        """Give the number of each book of a feed."""
        while len(self._numbers) <= which:
            self._numbers.append([])
        numbers = self._numbers[which]
        for index in range(len(numbers), len(feed.names)):
            numbers.append(len(self.books))
            self.books.append(Book(feed, index))
        return np.array(numbers, "<u4")


Refused = Callable[[int, int, Refusal, int], None]
"""Is told (lane, sequence, reason, order id) of a message that was refused: all that do not decode, and of every book
the one that made it SUSPECT."""


class Changes:
    """Collect the changes of feeds and hand them on."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self.consumers: list[Consumer] = []
        self.refused: dict[str, int] = {}
        self.count = 0
        self.selected = 0  # those of the instruments and times that are asked for
        self.activity = np.zeros(0, np.int64)
        self.since_ns: int | None = None
        self.until_ns: int | None = None

    def collect(self, feeds: Sequence[Any], lane_of: Callable[[int, int], int], refused: Refused) -> None:
        """Take what the feeds have. `lane_of(feed, channel)` numbers the lane; `refused` is told every refusal."""
        batches = []
        for which, feed in enumerate(feeds):
            numbers = self.catalogue.numbers(which, feed)
            taken = taken_from(feed)
            if len(taken):
                batches.append(renumbered(taken.copy(), numbers, which, lane_of))
        if not batches:
            return
        rows = batches[0] if len(batches) == 1 else np.concatenate(batches)
        if len(batches) > 1:
            rows = rows[np.argsort(rows["ts_recv_ns"], kind="stable")]
        self.deliver(rows, refused)

    def deliver(self, rows: Rows, refused: Refused) -> None:
        """Count changes that bear the run's own numbers, and hand them on."""
        self._account(rows, refused)
        rows = self._chosen(rows)
        self.selected += len(rows)
        for consumer in self.consumers if len(rows) else ():
            consumer.take(rows)

    @property
    def selects(self) -> bool:
        """Say whether only some of the changes are asked for."""
        return bool(self.catalogue.selection.patterns) or self.since_ns is not None or self.until_ns is not None

    def _account(self, rows: Rows, tell: Refused) -> None:
        self.count += len(rows)
        moved = rows["book"][(rows["kind"] == Kind.BBO) | (rows["kind"] == Kind.TRADE)]
        if len(moved):
            counts = np.bincount(moved, minlength=len(self.catalogue.books))
            counts[: len(self.activity)] += self.activity
            self.activity = counts
        refused = rows[rows["kind"] == Kind.REFUSED]
        for reason in np.unique(refused["flags"]) if len(refused) else ():
            name = Refusal(int(reason)).name
            self.refused[name] = self.refused.get(name, 0) + int((refused["flags"] == reason).sum())
        # on a book that is in doubt already, nonsense is what has to be expected: the reason of the doubt was told
        for row in refused[(refused["flags"] == Refusal.BAD_LENGTH) | (refused["state"] == BookState.LIVE)]:
            tell(int(row["channel"]), int(row["sequence"]), Refusal(int(row["flags"])), int(row["reference"]))

    def _chosen(self, rows: Rows) -> Rows:
        """Leave out what is of other instruments or times; what concerns a whole channel stays."""
        if not self.selects:
            return rows
        keep = np.ones(len(rows), bool)
        if self.catalogue.selection.patterns:
            has = [self.catalogue.selection.has(book.name) for book in self.catalogue.books]
            books = np.minimum(rows["book"], len(has))
            keep &= np.array([*has, True])[books]
        if self.since_ns is not None or self.until_ns is not None:
            times = np.where(rows["ts_recv_ns"] == NO_TIME, rows["ts_event_ns"], rows["ts_recv_ns"])
            keep &= times >= (NO_TIME if self.since_ns is None else self.since_ns)
            keep &= times <= (2**63 - 1 if self.until_ns is None else self.until_ns)
        return rows if keep.all() else rows[keep]


def taken_from(feed: Any) -> Rows:
    """Take the changes of a feed; the array is valid until its next message."""
    take = getattr(feed, "take", None)
    rows: Rows = feed.changes.take() if take is None else take()
    return rows


def renumbered(rows: Rows, numbers: Rows, which: int, lane_of: Callable[[int, int], int]) -> Rows:
    """Put the run's numbers of books and lanes where a feed's own stand."""
    named = rows["book"] != NO_BOOK
    rows["book"][named] = numbers[rows["book"][named]]
    channels = np.unique(rows["channel"])
    lanes = np.array([lane_of(which, int(channel)) for channel in channels], "<u2")
    rows["channel"] = lanes[np.searchsorted(channels, rows["channel"])]
    return rows
