"""Read a stream once, and expand what it holds: gzip or zstd by their magic numbers, else the bytes as they are.

Sources: RFC 1952 (gzip), RFC 8878 (zstd); the work is done by `gzip` and `zstandard`. Several members or frames in one
file follow each other. Invariant: what could be expanded comes out before the error that ends it.
Leaves out: windows beyond zstandard's own bound of 128 MiB (`zstd --long=31`).
"""

import gzip
from collections.abc import Iterator
from typing import BinaryIO, Final

import zstandard

READ_BYTES: Final = 2**18
"""What is read at once."""
PIECE_BYTES: Final = 1024
"""What is fed to zstd at once. A block of 4 bytes can hold 128 KiB, so that a piece becomes 32 MiB at most."""

GZIP: Final = b"\x1f\x8b"
ZSTD: Final = b"\x28\xb5\x2f\xfd"


class Raw:
    """A file that cannot be asked to seek; counts what was read, and lets its first bytes be seen in advance."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._ahead = b""
        self.position = 0

    def peek(self, size: int) -> bytes:
        while len(self._ahead) < size and (part := self._file.read(READ_BYTES)):
            self._ahead += part
        return self._ahead

    def read(self, size: int = READ_BYTES) -> bytes:
        data, self._ahead = (self._ahead[:size], self._ahead[size:]) if self._ahead else (self._file.read(size), b"")
        self.position += len(data)
        return data

    def close(self) -> None:
        self._file.close()


def expand(file: Raw) -> Iterator[bytes]:
    """Give the content of a stream in parts, uncompressed by what its first bytes say."""
    magic = file.peek(4)
    if magic.startswith(GZIP):
        yield from _gunzip(file)
    elif magic.startswith(ZSTD):
        yield from _unzstd(file)
    else:
        while part := file.read():
            yield part


def _gunzip(file: Raw) -> Iterator[bytes]:
    with gzip.GzipFile(fileobj=file, mode="rb") as content:  # type: ignore[call-overload]
        while part := content.read1(READ_BYTES):
            yield part


def _unzstd(file: Raw) -> Iterator[bytes]:
    """Expand frame after frame. (The library's own stream reader takes a torn frame for the end.)"""
    factory = zstandard.ZstdDecompressor()
    frame, inside = factory.decompressobj(), False
    while data := file.read(PIECE_BYTES):
        while data:
            if part := frame.decompress(data):
                yield part
            inside = not frame.eof
            data = b"" if inside else frame.unused_data
            if not inside:
                frame = factory.decompressobj()
    if inside:
        raise EOFError("a zstd frame is not ended")
