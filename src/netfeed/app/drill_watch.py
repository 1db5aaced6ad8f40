"""Watch a handler through its ring, as any other process on its host would: every change, and when all is quiet."""

import threading
import time
from collections import Counter
from typing import Any, Final

import numpy as np

from netfeed.book.change import NO_BOOK, Kind
from netfeed.book.state import BookState
from netfeed.transport.ring import BookName, Reader

_LOOK_S: Final = 0.02
_KEEP: Final = 50_000_000
"""Changes that are kept; a drill makes fewer, and a handler gone mad should not take the host with it."""


class Watch:
    """Collect the changes of a ring in a thread of its own until it is closed."""

    def __init__(self, name: str) -> None:
        self._reader = Reader(name, newest=False)
        self._batches: list[np.ndarray[Any, Any]] = []
        self._states: dict[tuple[int, int], int] = {}
        self._names: dict[tuple[int, int], BookName] = {}
        self._lock = threading.Lock()
        self._count = 0
        self._thread = threading.Thread(target=self._collect, name="watch")
        self._thread.start()

    @property
    def lost(self) -> int:
        """Give how many changes were overwritten before they were read; a verdict needs 0."""
        return self._reader.lost

    @property
    def count(self) -> int:
        """Give how many changes were read."""
        return self._count

    def states(self) -> Counter[BookState]:
        """Count the books by state."""
        with self._lock:
            return Counter(BookState(state) for state in self._states.values())

    def until_live(self, seconds: float, quiet: float = 0.3) -> bool:
        """Wait until books are LIVE, all that are not EMPTY, and nothing has changed for a while; say whether it came.

        Units: s.
        """
        end = time.monotonic() + seconds
        seen, since = -1, time.monotonic()
        while time.monotonic() < end:
            now = time.monotonic()
            if self._count != seen:
                seen, since = self._count, now
            states = self.states()
            live = states[BookState.LIVE] > 0 and not set(states) - {BookState.LIVE, BookState.EMPTY}
            if live and now - since >= quiet:
                return True
            time.sleep(_LOOK_S)
        return False

    def close(self) -> None:
        """Read what is left of a ring whose writer has ended, and let go of it."""
        self._thread.join()
        self._names = dict(self._reader.names)
        self._reader.close()

    def changes(self) -> np.ndarray[Any, Any]:
        """Give all changes in the order in which they were published."""
        return np.concatenate(self._batches) if self._batches else np.empty(0, self._reader.dtype)

    def names(self) -> dict[tuple[int, int], BookName]:
        """Give what each book is called, by channel and number."""
        return dict(self._names)

    def _collect(self) -> None:
        for rows in self._reader.batches():
            if self._count < _KEEP:
                self._batches.append(rows)
            self._count += len(rows)
            states = rows[((rows["kind"] == Kind.STATE) | (rows["kind"] == Kind.BBO)) & (rows["book"] != NO_BOOK)]
            with self._lock:
                for channel, book, state in zip(
                    states["channel"].tolist(), states["book"].tolist(), states["state"].tolist(), strict=True
                ):
                    self._states[channel, book] = state
