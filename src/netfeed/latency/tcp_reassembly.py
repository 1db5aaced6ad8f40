"""Put the bytes of one direction of a TCP connection in order, whatever order segments come in, within bounded memory.

    take(at, data, length, tag)   a segment: `data` is what was captured of the `length` bytes that begin at `at`
    acknowledge(upto)             the receiver has all before `upto`: what of it the capture lacks will not come
    -> pieces                     bytes in order, each once, and holes: what the capture does not have

Positions are of 64 bits, so that the wire's sequence may wrap (`position`). The first copy of a byte counts. What lies
beyond a hole waits; when the receiver acknowledges it, when more than `limit` bytes wait, or at `finish`, the hole is
told, and what lies beyond it follows. Bytes that the snap length cut off are a hole that nobody waits for.

A piece bears the tag of the segment that made it readable: of the one that filled the hole before it - and its own,
where the hole is only one of the capture: the receiver had those bytes.
"""

from bisect import bisect_left, insort
from typing import Any, Final, NamedTuple

from netfeed.machine import Buffer

LIMIT: Final = 1 << 20
"""What may wait beyond a hole: a window of 64 KiB scaled by 16. Units: bytes."""
MAX_PARTS: Final = 4096
"""Segments that may wait beyond a hole."""


class Piece(NamedTuple):
    """Bytes in order, or a hole where `data` is None. Units: positions in bytes; `end` is not included."""

    at: int
    end: int
    data: bytes | None
    tag: Any = None


def position(sequence: int, near: int) -> int:
    """Give the position nearest to `near` whose low 32 bits are `sequence`."""
    return near + (sequence - near + 2**31) % 2**32 - 2**31


class Reassembly:
    """One direction. `next` is the position of the first byte that was not given yet."""

    def __init__(self, start: int, *, limit: int = LIMIT) -> None:
        self.next = start
        self.waiting_bytes = 0
        self._limit = limit
        self._parts: list[Piece] = []  # ordered, none overlaps another, all beyond `next`

    def take(self, at: int, data: Buffer, length: int, tag: Any = None) -> list[Piece]:
        """Take a segment; give what is in order now."""
        held = min(len(data), length)
        self._put(at, at + held, bytes(data[:held]), tag)
        self._put(at + held, at + length, None, tag)
        given = [piece._replace(tag=tag) for piece in self._ready()]
        while self.waiting_bytes > self._limit or len(self._parts) > MAX_PARTS:
            given += self._skip()
        return given

    def acknowledge(self, upto: int) -> list[Piece]:
        """Take note that the receiver has all before `upto`; give what waited for what is below it."""
        given: list[Piece] = []
        while self._parts and self._parts[0].at < upto:
            given += self._skip()
        return given

    def finish(self) -> list[Piece]:
        """Give all that waits: nothing comes any more."""
        given: list[Piece] = []
        while self._parts:
            given += self._skip()
        return given

    def _put(self, at: int, end: int, data: bytes | None, tag: Any) -> None:
        """Keep what of a segment was not there yet."""
        at, data = _cut(at, max(at, self.next), data)
        index = max(bisect_left(self._parts, at, key=lambda one: one.at) - 1, 0)
        while at < end:
            while index < len(self._parts) and self._parts[index].end <= at:
                index += 1
            beside = self._parts[index] if index < len(self._parts) else None
            if beside is not None and beside.at <= at:
                at, data = _cut(at, beside.end, data)
                continue
            stop = end if beside is None else min(end, beside.at)
            piece = Piece(at, stop, None if data is None else data[: stop - at], tag)
            insort(self._parts, piece, key=lambda one: one.at)
            self.waiting_bytes += stop - at
            at, data = _cut(at, stop, data)

    def _ready(self) -> list[Piece]:
        count = 0
        while count < len(self._parts) and self._parts[count].at == self.next:
            self.next = self._parts[count].end
            count += 1
        ready, self._parts = self._parts[:count], self._parts[count:]
        self.waiting_bytes -= sum(one.end - one.at for one in ready)
        return ready

    def _skip(self) -> list[Piece]:
        hole = Piece(self.next, self._parts[0].at, None)
        self.next = hole.end
        return [hole, *self._ready()]


def _cut(at: int, to: int, data: bytes | None) -> tuple[int, bytes | None]:
    return max(at, to), None if data is None else data[max(to - at, 0) :]
