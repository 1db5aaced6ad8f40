"""The order journal's writer: `record` is one copy into memory that outlives the process; the disk is a thread's work.

    record(Decided(...))    before it is sent: encoded, copied into the mapped segment; microseconds, nothing waits
    the thread              each `commit_ns`: one sync for all that came (group commit), and the next segment made ready

What can be lost: a kill -9 of the process, nothing that `record` was given; a power cut, what was recorded since the
last sync: `lag_ns` says how long that is. Nothing is ever written over, and no record waits in a queue of ours: the
bound is the room of two segments, the one that is written and the next.

What ends it: a disk that is full (seen when the next segment is reserved, a whole segment early), that fails, or that
lags more than `max_lag_ns`. `trouble` then says so, for good; whoever trades kills (quotes out), and what is recorded
of the cancels still has its room. Where even that is used up, `record` raises, and goes on to: what is lost is counted.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from netfeed.app.trading.journal_files import JournalError, segment
from netfeed.app.trading.journal_segment import Segment
from netfeed.engine.journal import Record, encode

SEGMENT: Final = 8 * 2**20
COMMIT_NS: Final = 5_000_000
MAX_LAG_NS: Final = 2_000_000_000
JOIN_S: Final = 5.0
"""How long the end of a run waits for a disk that hangs."""


@dataclass(frozen=True, slots=True)
class JournalStatistics:
    """Counters. `lag_ns`: how long the oldest record has not been on the disk; `unsynced` in bytes.

    Units: ns. `sync_ns` of all syncs together, `longest_sync_ns` of one.
    """

    records: int
    bytes: int
    unsynced: int
    lag_ns: int
    syncs: int
    sync_ns: int
    longest_sync_ns: int
    segments: int
    lost: int
    trouble: str


class OrderJournal:
    """Write into `folder`, from segment `first` on; `number` is that of the last record before."""

    def __init__(
        self, folder: str, *, first: int = 1, number: int = 0, size: int = SEGMENT, commit_ns: int = COMMIT_NS,
        max_lag_ns: int = MAX_LAG_NS, full: Callable[[int], None] = lambda segment: None,
    ) -> None:  # fmt: skip
        """Make the first segments. `full` is told, by the thread, which segment is complete. Raises: OSError."""
        self.folder, self.number = folder, number
        self._size, self._commit_s, self._max_lag_ns, self._full = size, commit_ns / 1e9, max_lag_ns, full
        self._ordinal = first
        self._segment = Segment(segment(folder, first), size)
        self._next: Segment | None = Segment(segment(folder, first + 1), size)
        self._done: deque[tuple[int, Segment]] = deque()
        self._records = self._bytes = self._lost = self._syncs = self._sync_ns = self._longest_ns = 0
        self._whole_at = time.monotonic_ns()
        self._error = ""
        self._closing = threading.Event()
        self._asked = threading.Event()
        self._thread = threading.Thread(target=self._run, name="netfeed-orders", daemon=True)
        self._thread.start()

    def record(self, record: Record) -> None:
        """Take a record; what is recorded before something is sent is known after a kill -9.

        Raises: JournalError when there is no room; whoever trades kills, and sends nothing but cancels.
        """
        line = encode(record, self.number + 1)
        if self._lost or not (self._segment.append(line) or self._turn(line)):
            self._lost += 1  # and nothing behind it is taken: what was sent without a decision would be of no account
            raise JournalError(f"{self.folder}: no room for {self._lost} records; the disk has not kept up")
        self.number += 1
        self._records += 1
        self._bytes += len(line)

    def trouble(self, now: int) -> str:
        """Say what keeps records from the disk, empty when nothing does. Units: `now` monotonic ns."""
        if not self._error and self._lost:
            self._error = f"{self.folder}: no room for {self._lost} records; the disk has not kept up"
        if not self._error and self.lag_ns(now) > self._max_lag_ns:
            self._error = (
                f"{self.folder}: the disk is {self.lag_ns(now) / 1e9:.3g} s behind; is it slow, or does it hang? "
                "Put the journal on another one"
            )
        return self._error

    def lag_ns(self, now: int) -> int:
        """Give how long at most the oldest record that is not synced has waited; 0 when all are."""
        return max(0, now - self._whole_at) if self._waiting() else 0

    def statistics(self, now: int) -> JournalStatistics:
        """Give the account as it is now."""
        return JournalStatistics(
            self._records, self._bytes, self._waiting(), self.lag_ns(now), self._syncs, self._sync_ns,
            self._longest_ns, self._ordinal, self._lost, self.trouble(now),
        )  # fmt: skip

    def flush(self, seconds: float = JOIN_S) -> bool:
        """Wait until the disk has all that was recorded; say whether it does. Not for the hot path."""
        end = time.monotonic() + seconds
        while self._waiting() and time.monotonic() < end:
            self._asked.set()
            time.sleep(0.0005)
        return not self._waiting()

    def close(self) -> bool:
        """Write what waits, cut the segments to what they hold, and end; say whether all could be written."""
        self._closing.set()
        self._asked.set()
        self._thread.join(JOIN_S)
        if self._thread.is_alive():
            return False
        for one in (self._segment, self._next):
            if one is not None:
                self._guarded(one.close)
        return not self._error and not self._lost

    # --- the hot path

    def _waiting(self) -> int:
        """Give how many bytes the disk does not have."""
        return sum(one.at - one.synced for _, one in list(self._done)) + self._segment.at - self._segment.synced

    def _turn(self, line: bytes) -> bool:
        """Go on in the next segment; False when there is none."""
        if self._next is None:
            return False
        self._done.append((self._ordinal, self._segment))
        self._segment, self._next = self._next, None
        self._ordinal += 1
        self._asked.set()
        return self._segment.append(line)

    # --- the thread

    def _run(self) -> None:
        while not self._closing.is_set():
            self._asked.wait(self._commit_s)
            self._asked.clear()
            if self._next is None and not self._error:
                self._guarded(self._prepare)
            self._commit()
        self._commit()

    def _commit(self) -> None:
        """Sync what came: the complete segments first, then the one that is written."""
        before = time.monotonic_ns()
        while self._done:
            ordinal, complete = self._done[0]
            if not self._guarded(self._sync, complete):
                return
            self._done.popleft()
            self._guarded(complete.close)
            self._full(ordinal)
        if self._guarded(self._sync, self._segment) and not self._done:
            self._whole_at = before

    def _sync(self, one: Segment) -> None:
        began = time.monotonic_ns()
        if one.sync():
            took = time.monotonic_ns() - began
            self._syncs += 1
            self._sync_ns += took
            self._longest_ns = max(self._longest_ns, took)

    def _prepare(self) -> None:
        self._next = Segment(segment(self.folder, self._ordinal + 1), self._size)

    def _guarded(self, work: Callable[..., None], *given: Segment) -> bool:
        """Do something with the disk; what it fails with is the trouble from then on."""
        try:
            work(*given)
        except OSError as error:
            self._error = self._error or (
                f"{self.folder}: {error.strerror}; nothing is quoted until the disk has room and works again: mend it "
                "and restart"
            )
            return False
        return True
