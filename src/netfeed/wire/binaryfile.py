"""Files of ITCH messages: each message behind its length ("BinaryFILE"), or behind a length that is always zero.

Source: the files `*.NASDAQ_ITCH50` that Nasdaq publishes: a big-endian u16 and that many bytes, repeated. A zero length
is the end marker; many files have none, so its absence is no error. Some tools write every length as zero and leave
it to the reader to know the sizes; `recognise` tells the two apart by the first record, and only the second needs the
type table.

Invariant: reading gives every whole record before the first fault, then the fault. Bytes after the end marker are a
fault too. Nothing is copied: messages are views into the buffer.

Leaves out: opening and decompressing files, and what a message means.
"""

from collections.abc import Generator, Iterable
from dataclasses import dataclass
from enum import Enum
from struct import Struct
from typing import Final

from netfeed.errors import MisuseError, WireError
from netfeed.machine import Buffer
from netfeed.wire import itch

PREFIX_SIZE: Final = 2
MAX_MESSAGE: Final = 0xFFFF
END_MARKER: Final = b"\0\0"

_LENGTH: Final = Struct(">H")

Record = tuple[int, memoryview]
"""Where a message's length stands in the file, and the message. Units: bytes from the start of the buffer."""

Records = Generator[Record, None, bool]
"""Records one by one; its return value says whether the end marker was seen."""


class Framing(Enum):
    """How a file says where a message ends."""

    LENGTH_PREFIXED = "length-prefixed"
    ZERO_PREFIXED = "zero-prefixed"


@dataclass(frozen=True, slots=True)
class Contents:
    """What a buffer held: all records before the first fault, whether the end marker was seen, and the fault."""

    framing: Framing
    records: tuple[Record, ...]
    ended: bool
    error: WireError | None


def recognise(data: Buffer) -> Framing:
    """Tell the framing of a file by its first record.

    Zero-prefixed is a zero length before a known type, when another zero (or the end) follows where that type ends;
    anything else is length-prefixed, an end marker alone included.
    """
    if len(data) <= PREFIX_SIZE or any(data[:PREFIX_SIZE]) or not itch.SIZES[data[PREFIX_SIZE]]:
        return Framing.LENGTH_PREFIXED
    end = PREFIX_SIZE + itch.SIZES[data[PREFIX_SIZE]]
    return Framing.LENGTH_PREFIXED if any(data[end : end + PREFIX_SIZE]) else Framing.ZERO_PREFIXED


def records(data: Buffer, framing: Framing | None = None) -> Records:
    """Give the records one by one; the fault, if there is one, is raised after the last whole record.

    `framing` is recognised when it is not given.

    Raises: WireError at a torn record, at bytes after the end marker, and in a zero-prefixed file at an unknown type
    or a length that is not zero.
    """
    view = memoryview(data)
    if (framing or recognise(data)) is Framing.ZERO_PREFIXED:
        return _zero_prefixed(view)
    return _length_prefixed(view)


def read(data: Buffer, framing: Framing | None = None) -> Contents:
    """Read all records of a buffer. Nothing is raised: the fault stands beside the records that precede it."""
    framing = framing or recognise(data)
    found: list[Record] = []
    walk = records(data, framing)
    while True:
        try:
            found.append(next(walk))
        except StopIteration as stop:
            return Contents(framing, tuple(found), stop.value, None)
        except WireError as error:
            return Contents(framing, tuple(found), False, error)


def _length_prefixed(view: memoryview) -> Records:
    unpack, size = _LENGTH.unpack_from, len(view)
    at = 0
    while at < size:
        start = at + PREFIX_SIZE
        if start > size:
            raise _torn(at, size - at, PREFIX_SIZE)
        (length,) = unpack(view, at)
        if not length:
            return _ended(start, size)
        if start + length > size:
            raise _torn(at, size - at, PREFIX_SIZE + length)
        yield at, view[start : start + length]
        at = start + length
    return False


def _zero_prefixed(view: memoryview) -> Records:
    sizes, size = itch.SIZES, len(view)
    at = 0
    while at < size:
        start = at + PREFIX_SIZE
        if start > size:
            raise _torn(at, size - at, PREFIX_SIZE)
        if view[at] or view[at + 1]:
            raise WireError("length in a zero-prefixed file", offset=at, found=view[at:start].hex(), wanted="0000")
        if start == size:
            return True
        length = sizes[view[start]]
        if not length:
            raise WireError("type of unknown size", offset=start, found=f"0x{view[start]:02x}", wanted="a known type")
        if start + length > size:
            raise _torn(at, size - at, PREFIX_SIZE + length)
        yield at, view[start : start + length]
        at = start + length
    return False


def _ended(at: int, size: int) -> bool:
    if at != size:
        raise WireError("bytes after the end marker", offset=at, found=f"{size - at} bytes", wanted="none")
    return True


def _torn(at: int, found: int, wanted: int) -> WireError:
    return WireError("torn record", offset=at, found=f"{found} bytes", wanted=f"{wanted} bytes")


def encode_record(message: Buffer) -> bytes:
    """Put a message behind its length.

    Raises: MisuseError when it is empty (that is the end marker) or too long.
    """
    if not 0 < len(message) <= MAX_MESSAGE:
        raise MisuseError(f"a record holds 1 to {MAX_MESSAGE} bytes, not {len(message)}")
    return _LENGTH.pack(len(message)) + message


def encode(messages: Iterable[Buffer], *, end_marker: bool = False) -> bytes:
    """Encode a whole file. Raises: MisuseError as `encode_record` does."""
    return b"".join(map(encode_record, messages)) + (END_MARKER if end_marker else b"")
