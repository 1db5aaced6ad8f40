"""A ring of records in memory that other processes map: one writer that never waits, any number of readers.

This twin defines `netfeed.transport.shared`. Where the words of the header lie, all little-endian:

    at    word             meaning
    0     8 bytes          MAGIC
    8     u32              bytes of a record, a multiple of 64
    16    u64              records that fit; a power of two
    24    u64              names that fit
    32    u64              where the names begin, in bytes
    40    u64              where the records begin, in bytes
    48    i64              when the ring was made, ns since 1970
    64    u64 claimed      records below this one less the capacity may have been overwritten
    128   u64 published    records below this one are whole
    192   u32 bell         what readers sleep on (futex)
    196   u32 closed       1: nothing will come any more
    256   u64              names that are whole
    320   u32 waiting      set by a reader that goes to sleep, cleared by the writer that wakes it
    1024  JSON             the fields of a record, as numpy's `descr`

`claimed` is written before records are overwritten, `published` after they are whole. A reader copies first and looks
at `claimed` afterwards: what may have been overwritten meanwhile it throws away and counts. So what was read and what
was lost add up to what was published, exactly.

Leaves out, in this twin: memory barriers and the bell. The interpreter is no program to order memory from, and a
processor that reorders stores (not x86) could show a reader a record that is not whole: use the compiled one there.
"""

from time import monotonic, sleep
from typing import Any, Final

import numpy as np

HEADER: Final = 4096
UNIT: Final = 64
"""Records are whole lines of the cache."""
MOST: Final = 4096
"""Bytes of a record."""
MAGIC: Final = b"NFRING1\0"
AT_DESCRIPTION: Final = 1024
_CAPACITY, _RECORDS, _CLAIMED, _PUBLISHED, _NAMES = (at // 8 for at in (16, 40, 64, 128, 256))
_SIZE, _CLOSED = 8 // 4, 196 // 4
_NAP_S: Final = 0.001


def _words(memory: Any, *, writable: bool) -> tuple[Any, Any, Any]:
    """Give the header as 64-bit and 32-bit words, and the records as rows of bytes.

    Raises: ValueError when the header does not fit the memory.
    """
    raw: Any = np.frombuffer(memory, np.uint8)
    if len(raw) < HEADER:
        raise ValueError("the memory is too short for a ring")
    wide = raw[:HEADER].view("<u8")
    narrow = raw[:HEADER].view("<u4")
    size, capacity, at = int(narrow[_SIZE]), int(wide[_CAPACITY]), int(wide[_RECORDS])
    if not 0 < size <= MOST or size % UNIT or capacity == 0 or capacity & (capacity - 1):
        raise ValueError("the header of the ring does not fit its memory")
    if at < HEADER or at % UNIT or capacity * size > len(raw) - at:
        raise ValueError("the header of the ring does not fit its memory")
    if writable and not raw.flags.writeable:
        raise ValueError("a writer needs memory that can be written to")
    return wide, narrow, raw[at : at + capacity * size].reshape(capacity, size)


class Writer:
    """The one who writes. `memory` has a whole header."""

    def __init__(self, memory: Any) -> None:
        self._wide, self._narrow, self._rows = _words(memory, writable=True)
        self.record: int = self._rows.shape[1]
        """Bytes of one."""

    @property
    def published(self) -> int:
        """Give how many records were put since the ring was made."""
        return 0 if self._wide is None else int(self._wide[_PUBLISHED])

    def write(self, rows: Any) -> None:
        """Put records behind those that are there. Never waits.

        Raises: ValueError when the ring was closed, or a record has another size.
        """
        if self._wide is None:
            raise ValueError("the ring is closed")
        raw = np.ascontiguousarray(rows).view(np.uint8)
        if len(raw) % self.record:
            raise ValueError(f"a record has {self.record} bytes")
        for row in raw.reshape(-1, self.record):
            at = int(self._wide[_PUBLISHED])
            self._wide[_CLAIMED] = at + 1
            self._rows[at % len(self._rows)] = row
            self._wide[_PUBLISHED] = at + 1

    def set_names(self, count: int) -> None:
        """Say how many names are whole."""
        if self._wide is not None:
            self._wide[_NAMES] = count

    def close(self) -> None:
        """Say that nothing will come any more, and let go of the memory."""
        if self._narrow is not None:
            self._narrow[_CLOSED] = 1
        self._wide = self._narrow = self._rows = None


class Cursor:
    """The place of one reader: `at` is the number of the next record, `lost` counts those that were overwritten.

    It begins with the next record that is published, or, not `newest`, with what lies in the newer half of the ring.
    `writable` says that `memory` can be written to, which is needed to be woken rather than to look now and then.
    """

    def __init__(self, memory: Any, writable: bool = False, newest: bool = True) -> None:
        self._wide, self._narrow, self._rows = _words(memory, writable=writable)
        self.lost = 0
        self.at = self.published
        if not newest:
            self.at -= min(self.at, len(self._rows) // 2)

    @property
    def published(self) -> int:
        """Give how many records were published since the ring was made."""
        return int(self._open()[_PUBLISHED])

    @property
    def closed(self) -> bool:
        """Say whether the writer has closed the ring."""
        self._open()
        return bool(self._narrow[_CLOSED])

    @property
    def name_count(self) -> int:
        """Give how many names are whole."""
        return int(self._open()[_NAMES])

    def read(self, out: Any) -> tuple[int, int]:
        """Copy the next records into `out`; give (first, end) of those in it that are whole.

        A reader that was overtaken goes on in the middle of the ring, so that it is not overtaken at once again.
        """
        wide, capacity, rows = self._open(), len(self._rows), out.view(np.uint8).reshape(-1, self._rows.shape[1])
        published = int(wide[_PUBLISHED])
        if published - self.at > capacity:
            self.lost += published - capacity // 2 - self.at
            self.at = published - capacity // 2
        count = min(published - self.at, len(rows))
        places = np.arange(self.at, self.at + count) % capacity
        rows[:count] = self._rows[places]
        spoilt = min(count, max(0, int(wide[_CLAIMED]) - self.at - capacity))
        self.lost += spoilt
        self.at += count
        return spoilt, count

    def wait(self, timeout_ns: int) -> bool:
        """Wait until something can be read, the ring is closed, or the time is over; say whether something can.

        Units: `timeout_ns` in ns; 0 only looks.
        """
        end = monotonic() + timeout_ns / 1e9
        while self.published == self.at and not self.closed and monotonic() < end:
            sleep(_NAP_S)
        return self.published != self.at

    def release(self) -> None:
        """Let go of the memory."""
        self._wide = self._narrow = self._rows = None

    def _open(self) -> Any:
        if self._wide is None:
            raise ValueError("the reader is closed")
        return self._wide
