"""The numbers of an order session that outlive the process, so that a venue tells what it said while nobody listened.

    numbers = SessionNumbers("orders/a.numbers")
    numbers.known                    Sequences of the run before, None when there was none
    numbers.store(out, in)           two copies into a mapped file, in turn: a kill -9 leaves one of them whole
    numbers.reserve(out)             the same, while what came in is still being handed on

What came in is stored after it was handed on, so that it is told again rather than never (executions count once). What
goes out is stored ahead: a number that was never used is a gap that the venue is told to pass over; one that was used
twice would be another order's.
"""

import mmap
import os
import struct
import zlib
from typing import Final

from netfeed.app.trading.journal_files import JournalError
from netfeed.proto.starbase_state import Sequences

AHEAD: Final = 1024
"""Numbers that are stored before they are used; well within what a venue takes for a gap."""
_SLOT: Final = struct.Struct("<QQQI")
_SIZE: Final = 64


class SessionNumbers:
    """The numbers of one session in one file."""

    def __init__(self, path: str) -> None:
        """Open it, or begin. Raises: JournalError."""
        try:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.posix_fallocate(fd, 0, _SIZE)
                self._map = mmap.mmap(fd, _SIZE)
            finally:
                os.close(fd)
        except OSError as error:
            raise JournalError(f"{path}: {error.strerror}; it stands beside the order journal") from None
        slots = [slot for place in (0, 1) if (slot := self._read(place)) is not None]
        self._turn, *numbers = max(slots, default=(0, 1, 1))
        self.known = Sequences(*numbers) if self._turn else None
        self._out, self._in = numbers

    def reserve(self, following_out: int) -> None:
        """Have the number of the next message out outlive us, and that of the next one in stay what it was."""
        self.store(following_out, self._in)

    def store(self, following_out: int, following_in: int) -> None:
        """Have the numbers of the next messages outlive us."""
        if following_in == self._in and self._out - AHEAD <= following_out <= self._out - AHEAD // 2:
            return
        self._turn += 1
        self._out, self._in = following_out + AHEAD, following_in
        words = struct.pack("<QQQ", self._turn, self._out, self._in)
        at = self._turn % 2 * 32
        self._map[at : at + _SLOT.size] = words + struct.pack("<I", zlib.crc32(words))

    def close(self) -> None:
        """Let go of the file."""
        self._map.close()

    def _read(self, place: int) -> tuple[int, int, int] | None:
        at = place * 32
        data = self._map[at : at + _SLOT.size]
        turn, out, in_, crc = _SLOT.unpack(data)
        return (turn, out, in_) if turn and zlib.crc32(data[:24]) == crc else None
