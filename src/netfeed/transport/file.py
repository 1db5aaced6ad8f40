"""Open captures and other inputs for reading: one interface over mapped files, compressed files and pipes.

A regular file that is not compressed is mapped once, read-only: its one buffer is the file, and `release` gives pages
behind the cursor back, so that memory stays flat whatever the size of the file. All else - gzip, zstd, pipes, standard
input - comes as bounded chunks, with what the reader left unconsumed standing before the next bytes. The first bytes
decide which it is, never the name.

The loop of a reader:

    with open_source(path) as source:
        reading = True
        while reading:
            at = consume(source.buffer, source.base)     # up to the end of the last whole record
            reading = source.more(at)                    # False at the end: buffer[at:] is a torn tail

Leaves out: seeking, archives of many files, other compressions. The bad case: somebody who cuts a mapped file short
while it is read ends the process (SIGBUS); a file that grows is read up to the length that it had.
"""

import contextlib
import mmap
import os
import stat
import sys
import zlib
from types import TracebackType
from typing import BinaryIO, Final, Protocol, Self

import zstandard

from netfeed.errors import MisuseError, NetfeedError, WireError
from netfeed.transport.expand import GZIP, ZSTD, Raw, expand
from netfeed.transport.sink import Sink, SinkError, open_sink

__all__ = [
    "EmptyError", "MappedSource", "MissingError", "Sink", "SinkError", "Source", "SourceError", "StreamSource",
    "open_sink", "open_source",
]  # fmt: skip

CHUNK_BYTES: Final = 8 * 2**20
"""What `more` adds at once, about."""
TAIL_BYTES: Final = 32 * 2**20
"""What a reader may leave unconsumed: twice the longest block of a pcapng file."""
RELEASE_BYTES: Final = 16 * 2**20
"""How far the cursor runs before pages are given back: a system call for each record would cost more than it saves."""


class SourceError(NetfeedError):
    """An input cannot be opened or read."""


class MissingError(SourceError):
    """There is no such file."""


class EmptyError(SourceError):
    """There is nothing in it."""


class Source(Protocol):
    """An input: `buffer` is what can be read now, `base` the offset of its first byte in the (uncompressed) input."""

    name: str
    base: int
    buffer: memoryview
    total: int | None  # length of the file on disk; None: unknown
    error: WireError | None  # why the input ended before its end

    @property
    def position(self) -> int:
        """Say how much of the file on disk was read (or, of a mapped one, released): with `total`, the progress."""

    def more(self, consumed: int) -> bool:
        """Drop buffer[:consumed] and add what comes next; False, and nothing dropped, at the end."""

    def release(self, upto: int) -> None:
        """Tell that buffer[:upto] is not read again soon; it stays readable."""

    def close(self) -> None:
        """Close the file."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class MappedSource:
    """A plain file, mapped. Views of its buffer that are still held keep the mapping after `close`."""

    def __init__(self, name: str, file: BinaryIO) -> None:
        self.name = name
        self.base = 0
        self.error: WireError | None = None
        self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._map.madvise(mmap.MADV_SEQUENTIAL)
        self.buffer = memoryview(self._map)
        self.total: int | None = len(self.buffer)
        self.position = 0
        self._released = 0

    def more(self, consumed: int) -> bool:
        return False

    def release(self, upto: int) -> None:
        self.position = max(self.position, min(upto, len(self.buffer)))
        if self.position - self._released >= RELEASE_BYTES:
            end = self.position // mmap.PAGESIZE * mmap.PAGESIZE
            self._map.madvise(mmap.MADV_DONTNEED, self._released, end - self._released)
            self._released = end

    def close(self) -> None:
        with contextlib.suppress(BufferError):
            self.buffer.release()
            self._map.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class StreamSource:
    """Bytes that can be read once: a pipe, standard input, or what a compressed file holds."""

    def __init__(self, name: str, file: Raw, total: int | None) -> None:
        self.name = name
        self.base = 0
        self.buffer = memoryview(b"")
        self.total = total
        self.error: WireError | None = None
        self._file = file
        self._parts = expand(file)
        if not self.more(0):
            raise SourceError(str(self.error)) if self.error else EmptyError(f"{name} is empty")

    @property
    def position(self) -> int:
        return self._file.position

    def more(self, consumed: int) -> bool:
        left = len(self.buffer) - consumed
        if not 0 <= left <= TAIL_BYTES or consumed < 0:
            raise MisuseError(f"{left} bytes cannot be left over: 0 to {TAIL_BYTES} can")
        fresh = self._fresh()
        if fresh:
            self.base += consumed
            self.buffer = memoryview(b"".join((self.buffer[consumed:], *fresh)))
        return bool(fresh)

    def release(self, upto: int) -> None:
        pass

    def close(self) -> None:
        self._file.close()
        self._parts = iter(())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _fresh(self) -> list[bytes]:
        """Collect a chunk of a file, or whatever a live stream has; an error ends both, after the bytes before it."""
        parts: list[bytes] = []
        size = 0
        try:
            for part in self._parts:
                parts.append(part)
                size += len(part)
                if size >= CHUNK_BYTES or self.total is None:
                    break
        except (EOFError, OSError, zlib.error, zstandard.ZstdError) as error:
            what = f"{self.name} cannot be read to its end"
            self.error = WireError(what, offset=self._file.position, found=error, wanted="whole data")
        return parts


def open_source(path: str | os.PathLike[str]) -> Source:
    """Open an input by path; `-` is standard input.

    Raises: MissingError, EmptyError, SourceError for all else that keeps it from being read.
    """
    name = os.fspath(path)
    try:
        return _open_file("standard input", sys.stdin.fileno(), False) if name == "-" else _open_file(name, name, True)
    except FileNotFoundError:
        raise MissingError(f"{name}: there is no such file") from None
    except OSError as error:
        raise SourceError(f"{name} cannot be read: {error.strerror or error}") from None


def _open_file(name: str, where: str | int, closefd: bool) -> Source:
    file = open(where, "rb", buffering=0, closefd=closefd)  # noqa: SIM115 (the source closes it)
    try:
        status = os.fstat(file.fileno())
        regular = stat.S_ISREG(status.st_mode)
        raw = Raw(file)
        if regular and where == name and not raw.peek(4).startswith((GZIP, ZSTD)):
            if not status.st_size:
                raise EmptyError(f"{name} is empty")
            with file:
                return MappedSource(name, file)
        return StreamSource(name, raw, status.st_size if regular else None)
    except BaseException:
        file.close()
        raise
