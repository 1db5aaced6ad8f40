"""Changes into the shared-memory ring, with the names of books before the first change that bears their number."""

import numpy as np

from netfeed.app.changes import Catalogue, Rows
from netfeed.app.configuration import Ring as RingConfig
from netfeed.book.change import CHANGE, NO_BOOK
from netfeed.transport.ring import Ring


class RingOutput:
    """A consumer of changes."""

    def __init__(self, config: RingConfig, catalogue: Catalogue) -> None:
        """Make the ring. Raises: OSError."""
        assert config.name is not None
        self.ring = Ring(config.name, CHANGE, capacity=config.changes)
        self._catalogue = catalogue
        self._named: set[tuple[int, int]] = set()

    def take(self, rows: Rows) -> None:
        """Write a batch; readers are never waited for."""
        pairs = np.unique(rows[["channel", "book"]])
        for channel, book in pairs.tolist():
            if book != NO_BOOK and (channel, book) not in self._named:
                self._named.add((channel, book))
                known = self._catalogue.books[book]
                self.ring.name(channel, book, known.name[:55], *known.exponents)
        self.ring.write(rows)

    def close(self) -> None:
        """Say that nothing will come any more."""
        self.ring.close()
