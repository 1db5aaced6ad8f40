"""Records for other processes on this host, book changes above all: a ring in shared memory, with names beside it.

    Ring(path, CHANGE)    the one writer; it never waits, whoever reads
    Reader(path)          in any process: batches of records as numpy arrays, and an exact count of what it lost

A ring is a file, in /dev/shm by default, that appears whole. What a record is stands in it, so that a reader needs
nothing else. A reader that may write to the file is woken; one that may only read it looks once a millisecond.

Invariant: of a reader, `at - first at == records read + lost`.

Leaves out: who may read (the mode of the file decides).
"""

import fcntl
import json
import mmap
import os
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

import numpy as np

from netfeed.build import select
from netfeed.errors import NetfeedError
from netfeed.transport.records import AT_DESCRIPTION, HEADER, MAGIC, MOST, UNIT

if TYPE_CHECKING:
    from netfeed.transport.records import Cursor, Writer
else:
    Cursor = select("transport.shared", "netfeed.transport.records", "Cursor")
    Writer = select("transport.shared", "netfeed.transport.records", "Writer")

FOLDER: Final = Path("/dev/shm")
NAME: Final = np.dtype(
    [
        ("channel", "<u2"), ("price_exponent", "i1"), ("quantity_exponent", "i1"), ("book", "<u4"),
        ("length", "u1"), ("text", "V55"),
    ]
)  # fmt: skip
assert NAME.itemsize == UNIT
_FIXED: Final = struct.Struct("<8sI4xQQQQq")
_MAX_NAME: Final = 55

Rows = np.ndarray[Any, Any]


class RingError(NetfeedError):
    """A file is no ring, or one of another version."""


class BookName(NamedTuple):
    """What a book is called, and what its numbers mean: a price is `price * 10**price_exponent`."""

    text: str
    price_exponent: int
    quantity_exponent: int


class Ring:
    """The writing side. `capacity` records and `names` names fit; both are bounds that are paid for at once.

    Units: `capacity` in records, rounded up to a power of two.
    Raises: OSError when the file cannot be made; ValueError for a record of another size.
    """

    def __init__(
        self,
        path: str | Path,
        dtype: "np.dtype[Any]",
        *,
        capacity: int = 1 << 18,
        names: int = 1 << 16,
        mode: int = 0o644,
    ) -> None:
        if not fits(dtype.itemsize) or capacity < 1 or names < 0:
            raise ValueError(f"a ring has records of {UNIT} bytes or a multiple, one at least, and no negative names")
        self.path = located(path)
        self.capacity = 1 << (capacity - 1).bit_length()
        self._names, self._named, self._known = names, 0, set[tuple[int, int]]()
        self._records = HEADER + names * UNIT
        self._memory = self._make(dtype, mode)
        self.writer = Writer(self._memory)

    def write(self, rows: Rows) -> None:
        """Put records. Never waits. Once a receiver has the ring, only its thread may."""
        self.writer.write(rows)

    @property
    def published(self) -> int:
        """Give how many records were put."""
        return self.writer.published

    def name(self, channel: int, book: int, text: str, price_exponent: int = 0, quantity_exponent: int = 0) -> None:
        """Say what a book of a channel is called; the first word stands.

        Raises: ValueError for a name that is too long; RingError when no more names fit.
        """
        if (channel, book) in self._known:
            return
        encoded = text.encode()
        if len(encoded) > _MAX_NAME:
            raise ValueError(f"the name {text!r} is longer than {_MAX_NAME} bytes")
        if self._named == self._names:
            raise RingError(f"{self.path} has room for {self._names} names only")
        row = np.array([(channel, price_exponent, quantity_exponent, book, len(encoded), encoded)], NAME)
        at = HEADER + self._named * UNIT
        self._memory[at : at + UNIT] = row.tobytes()
        self._named += 1
        self._known.add((channel, book))
        self.writer.set_names(self._named)

    def close(self) -> None:
        """Say that nothing will come any more, and remove the file; who has it open can read on."""
        if self._memory.closed:
            return
        self.writer.close()
        if identity(self.path) == self._identity:
            self.path.unlink(missing_ok=True)
        self._memory.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _make(self, dtype: "np.dtype[Any]", mode: int) -> mmap.mmap:
        """Make the file under another name, and rename it into place when it is whole."""
        part = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        size = self._records + self.capacity * dtype.itemsize
        made = time.time_ns()
        fixed = _FIXED.pack(MAGIC, dtype.itemsize, self.capacity, self._names, HEADER, self._records, made)
        description = json.dumps(dtype.descr).encode()
        fd = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)  # as long as the memory is mapped: by this a reader knows that we live
            os.posix_fallocate(fd, 0, size)  # a full /dev/shm is an error here, not a SIGBUS later
            memory = mmap.mmap(fd, size, flags=mmap.MAP_SHARED | getattr(mmap, "MAP_POPULATE", 0))
            memory[: len(fixed)] = fixed
            memory[AT_DESCRIPTION : AT_DESCRIPTION + len(description)] = description
            self._identity = os.fstat(fd).st_ino
            os.rename(part, self.path)
        except BaseException:
            os.unlink(part)
            raise
        finally:
            os.close(fd)
        return memory


class Reader:
    """One reader. It begins with the next record, or, not `newest`, with what lies in the newer half of the ring.

    Raises: OSError when the ring is not there; RingError when the file is no ring.
    """

    def __init__(self, path: str | Path, *, newest: bool = True) -> None:
        self.path = located(path)
        self._memory, writable, self._identity = mapped(self.path)
        try:
            self.dtype = described(self._memory, self.path)
            self._cursor = Cursor(self._memory, writable, newest)
        except ValueError as error:
            self._memory.close()
            raise RingError(f"{self.path}: {error}") from error
        self._names: dict[tuple[int, int], BookName] = {}
        self._named = 0

    def read(self, limit: int = 1 << 16) -> Rows:
        """Give the next records, at most `limit`, as an array of the caller's own; empty when there are none."""
        out = np.empty(min(limit, max(0, self._cursor.published - self._cursor.at)), self.dtype)
        first, end = self._cursor.read(out)
        return out[first:end]

    def wait(self, timeout_ns: int) -> bool:
        """Wait until something can be read, the ring is closed, or the time is over; say whether something can.

        Units: `timeout_ns` in ns; 0 only looks.
        """
        return self._cursor.wait(timeout_ns)

    def batches(self, limit: int = 1 << 16) -> Iterator[Rows]:
        """Give batches as they come, until the ring is closed."""
        while self.wait(10**9) or not (self.closed or self.replaced):
            rows = self.read(limit)
            if len(rows):
                yield rows

    @property
    def at(self) -> int:
        """Give the number of the next record."""
        return self._cursor.at

    @property
    def lost(self) -> int:
        """Give how many records were overwritten before they were read."""
        return self._cursor.lost

    @property
    def published(self) -> int:
        """Give how many records were put since the ring was made."""
        return self._cursor.published

    @property
    def closed(self) -> bool:
        """Say whether the writer has closed the ring."""
        return self._cursor.closed

    @property
    def replaced(self) -> bool:
        """Say whether another ring stands under this name now, or none: a writer that died could not say so."""
        return identity(self.path) != self._identity

    @property
    def abandoned(self) -> bool:
        """Say whether the writer is gone and has not closed the ring: it was killed."""
        return not self.closed and not self.replaced and not held(self.path)

    @property
    def made_ns(self) -> int:
        """Give when the ring was made. Units: ns since 1970."""
        return int.from_bytes(self._memory[48:56], "little", signed=True)

    @property
    def names(self) -> dict[tuple[int, int], BookName]:
        """Give the books that have names, by (channel, book) as they stand in the records."""
        count = self._cursor.name_count
        start, end = HEADER + self._named * UNIT, HEADER + count * UNIT
        for row in np.frombuffer(self._memory[start:end], NAME).tolist():
            channel, price_exponent, quantity_exponent, book, length, text = row
            name = bytes(text)[:length].decode(errors="replace")
            self._names[channel, book] = BookName(name, price_exponent, quantity_exponent)
        self._named = max(count, self._named)
        return self._names

    def close(self) -> None:
        """Let go of the ring."""
        self._cursor.release()
        self._memory.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def located(path: str | Path) -> Path:
    """Give the file of a ring: a bare name is one in /dev/shm."""
    return FOLDER / path if os.sep not in str(path) else Path(path)


def identity(path: Path) -> int | None:
    """Give the inode of a file, None when it is not there."""
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return None


def held(path: Path) -> bool:
    """Say whether somebody has a ring to write to. Raises: OSError when it cannot be read."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def fits(size: int) -> bool:
    """Say whether records may have so many bytes."""
    return 0 < size <= MOST and size % UNIT == 0


def mapped(path: Path) -> tuple[mmap.mmap, bool, int]:
    """Map a ring, to be written to where that is allowed, and give whether it was, and the inode.

    Raises: OSError when the file cannot be read; RingError when it is too short.
    """
    try:
        fd, writable = os.open(path, os.O_RDWR | os.O_CLOEXEC), True
    except PermissionError:
        fd, writable = os.open(path, os.O_RDONLY | os.O_CLOEXEC), False
    try:
        status = os.fstat(fd)
        if status.st_size < HEADER:
            raise RingError(f"{path} is no ring: it has {status.st_size} bytes")
        return mmap.mmap(fd, 0, access=mmap.ACCESS_WRITE if writable else mmap.ACCESS_READ), writable, status.st_ino
    finally:
        os.close(fd)


def described(memory: mmap.mmap, path: Path) -> "np.dtype[Any]":
    """Read what a record is. Raises: RingError when the memory is no ring."""
    if memory[:8] != MAGIC:
        raise RingError(f"{path} is no ring of netfeed: it begins with {memory[:8]!r}")
    text = memory[AT_DESCRIPTION:HEADER].split(b"\0", 1)[0]
    try:
        dtype = np.dtype(
            [tuple(tuple(part) if type(part) is list else part for part in one) for one in json.loads(text)]
        )
    except (ValueError, TypeError) as error:
        raise RingError(f"{path} does not say what a record is: {error}") from error
    size = int.from_bytes(memory[8:12], "little")
    if dtype.itemsize != size or not fits(size):
        raise RingError(f"{path} has records of {size} bytes and describes {dtype.itemsize}")
    return dtype
