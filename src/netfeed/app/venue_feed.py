"""The books of one venue as the run sees a feed, and as the gateway sees a market.

`books`, `names`, `exponents` and `take` are what every feed of the run has; the rest is handed to the market as it is.
Before the instruments are known there are no books. When the run is closing, what the gateway says of connections that
it closes itself is no news of the books: they stay as they were.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from netfeed.book.change import CHANGE
from netfeed.book.state import BookState
from netfeed.feed.dialect import Batch, Market, Standing, Want
from netfeed.machine import Buffer

Rows = np.ndarray[Any, Any]


class VenueFeed:
    """A market that may not be there yet. `index` is the number of its changes' channel."""

    def __init__(self, index: int) -> None:
        self.index = index
        self.market: Market | None = None
        self.closing = False
        self.skew_ns = 0

    def made(self, market: Market) -> None:
        """Take the market: from now on there are books."""
        self.market = market

    @property
    def books(self) -> Sequence[Any]:
        """Give the books."""
        return () if self.market is None else self.market.books

    @property
    def names(self) -> Sequence[str]:
        """Name the instrument of each book."""
        return () if self.market is None else self.market.names

    @property
    def exponents(self) -> Sequence[tuple[int, int]]:
        """Give the exponents of each book."""
        return () if self.market is None else self.market.exponents

    def take(self) -> Rows:
        """Give what changed since the last call."""
        if self.market is None:
            return np.zeros(0, CHANGE)
        rows: Rows = self.market.changes()
        if len(rows):
            rows = rows.copy()
            rows["channel"] = self.index
        return rows

    @property
    def is_live(self) -> bool:
        """Say whether there are books, and all are LIVE."""
        books = self.books
        return bool(books) and all(int(book.state) == BookState.LIVE for book in books)

    # -- the market, as a gateway sees it

    @property
    def _there(self) -> Market:
        assert self.market is not None, "a gateway is made with the market"
        return self.market

    def standing(self, topic: str) -> Standing | None:
        """Say where the book of a topic is."""
        return self._there.standing(topic)

    def apply(self, batch: Batch, ts_recv_ns: int, line: int = 0) -> Sequence[int]:
        """Apply a batch."""
        return self._there.apply(batch, ts_recv_ns, line)

    def wants(self) -> Sequence[Want]:
        """Drain what the books need."""
        return self._there.wants()

    def fetched(self, topic: str, body: Buffer, ts_recv_ns: int) -> None:
        """Take a snapshot."""
        self._there.fetched(topic, body, ts_recv_ns)

    def failed(self, topic: str) -> None:
        """Take note that a snapshot could not be had."""
        self._there.failed(topic)

    def joined(self, line: int, topic: str) -> None:
        """Take note that a line was asked for a topic."""
        self._there.joined(line, topic)

    def left(self, line: int, topics: Sequence[str]) -> None:
        """Take note that a line carries topics no more, unless the run is closing."""
        if not self.closing:
            self._there.left(line, topics)

    def silent(self, line: int, topics: Sequence[str], *, silent: bool) -> None:
        """Take note of silence."""
        self._there.silent(line, topics, silent=silent)

    def changes(self) -> Any:
        """Drain the changes."""
        return self._there.changes()
