"""Write a file so that a half-written one is never taken for whole.

The bytes stand in `<name>.<pid>.part` until `close` renames them into place. `.gz` and `.zst` in the name compress.
Leaves out: rotation, which is a matter of names and belongs to who writes captures.
"""

import contextlib
import gzip
import os
import sys
from collections.abc import Iterator
from types import TracebackType
from typing import BinaryIO, Final, Protocol, Self

import zstandard

from netfeed.errors import MisuseError, NetfeedError

WRITE_BYTES: Final = 2**18
"""What is collected before it is handed to the operating system."""


class SinkError(NetfeedError):
    """An output cannot be written."""


class _Writer(Protocol):
    def write(self, data: bytes | bytearray | memoryview, /) -> object: ...
    def flush(self) -> object: ...
    def close(self) -> None: ...


class Sink:
    """An output: `.gz` and `.zst` in the name compress it; it gets its name only when it is complete.

    Until `close` the bytes stand in `<name>.<pid>.part` beside it; a writer that fails leaves that file and no other.
    What is no regular file (standard output, a pipe, a device) is written directly.
    """

    def __init__(self, path: str | os.PathLike[str], *, packs: bool = True) -> None:
        """Open it; with `packs` the ending of the name says how bytes are compressed. Raises: SinkError."""
        self.name = os.fspath(path)
        self._direct = self.name == "-" or (os.path.exists(self.name) and not os.path.isfile(self.name))
        self.part = self.name if self._direct else f"{self.name}.{os.getpid()}.part"
        self._open = True
        with self.told():
            where = sys.stdout.fileno() if self.name == "-" else self.part
            self._file: BinaryIO = open(where, "wb", buffering=WRITE_BYTES, closefd=self.name != "-")  # noqa: SIM115
        self._writer = _compressed(self.name, self._file) if packs else self._file

    @property
    def is_file(self) -> bool:
        """Say whether it is a regular file, which can be cut and renamed."""
        return not self._direct

    def fileno(self) -> int:
        """Give the descriptor."""
        return self._file.fileno()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Append bytes.

        Raises: SinkError; MisuseError after `close`.
        """
        if not self._open:
            raise MisuseError(f"{self.name} is closed")
        with self.told():
            self._writer.write(data)

    def flush(self) -> None:
        """Hand what was written so far to the operating system."""
        with self.told():
            self._writer.flush()
            self._file.flush()

    def close(self) -> None:
        """Write out everything and rename the file into place. A second call does nothing."""
        if not self._open:
            return
        self._open = False
        with self.told():
            if self._writer is not self._file:
                self._writer.close()
            self._file.flush()
            if not self._direct:
                os.fsync(self._file.fileno())
            self._file.close()
            if not self._direct:
                os.replace(self.part, self.name)

    def abandon(self) -> None:
        """Close without renaming: the part stays under its own name."""
        self._open = False
        for file in (self._writer, self._file):
            with contextlib.suppress(OSError):
                file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abandon()

    @contextlib.contextmanager
    def told(self) -> Iterator[None]:
        """Turn what the kernel says into a SinkError."""
        try:
            yield
        except OSError as error:
            raise SinkError(f"{self.name} cannot be written: {error.strerror or error}") from None


class DirectSink:
    """An output without a buffer of its own: what `write` took is in the kernel, and `written` says how much that is.

    A disk that is full leaves a part of a write behind; `cut` takes it away again, so that a file can end whole. Bytes
    are written as they are, whatever the name says: who packs them does so before. Else as `Sink`.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Open it. Raises: SinkError."""
        self._sink = Sink(path, packs=False)
        self.name, self.part = self._sink.name, self._sink.part
        self.written = 0
        self._fd = self._sink.fileno()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Write bytes. Raises: SinkError, with a part of them written."""
        rest = memoryview(data)
        with self._sink.told():
            while len(rest):
                count = os.write(self._fd, rest)
                self.written += count
                rest = rest[count:]

    def reserve(self, length: int) -> None:
        """Take room on the disk for the first bytes; `cut` gives back what was not needed. Raises: SinkError."""
        with self._sink.told():
            os.posix_fallocate(self._fd, 0, length)

    def cut(self, length: int) -> bool:
        """Cut the file to so many bytes; False where it is none that can be cut. Units: bytes."""
        if not self._sink.is_file:
            return False
        os.ftruncate(self._fd, length)
        os.lseek(self._fd, length, os.SEEK_SET)
        self.written = length
        return True

    def close(self) -> None:
        """Rename the file into place. A second call does nothing. Raises: SinkError."""
        self._sink.close()

    def discard(self) -> None:
        """Close, and leave no file."""
        self._sink.abandon()
        if self._sink.is_file:
            with contextlib.suppress(OSError):
                os.unlink(self.part)


def _compressed(name: str, file: BinaryIO) -> "_Writer":
    if name.endswith(".gz"):
        return gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0)
    if name.endswith(".zst"):
        return zstandard.ZstdCompressor().stream_writer(file, closefd=False)
    return file


def open_sink(path: str | os.PathLike[str]) -> Sink:
    """Open an output by path; `-` is standard output.

    Raises: SinkError.
    """
    return Sink(path)
