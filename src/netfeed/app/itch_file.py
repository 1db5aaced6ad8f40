"""Read a file of ITCH messages into a feed: records one after the other, in windows, with the place of each fault.

`walk` is the plain loop; the books of `ItchFeed` have a `run` of their own, compiled or not, and are handed whole
windows instead. Both stop in the same words, so that what follows - more bytes, the end marker, a torn tail - is
written once.
"""

from enum import IntEnum
from struct import Struct
from typing import Any, Final

from netfeed.app.findings import Findings, Place
from netfeed.app.recognise import FileKind
from netfeed.machine import Buffer
from netfeed.transport.file import Source
from netfeed.wire import itch

WINDOW: Final = 4 * 2**20
"""Bytes that are read before changes are taken, progress is shown and pages are given back."""
ROOM: Final = 1 << 16
"""Changes that fit before they must be taken."""
_PREFIX: Final = 2


class Stop(IntEnum):
    """Why a walk came back."""

    END = 0  # the buffer ends where a record ends
    PARTIAL = 1  # a record goes on past the end of the buffer
    MARKER = 2  # a length of zero: the end marker
    FULL = 3  # the changes should be taken
    BAD = 4  # in a file of zero lengths: a length that is not zero, or a type of unknown size


def walk(feed: Any, data: Buffer, offset: int, sequence: int, zero: bool) -> tuple[int, int, Stop]:
    """Apply the records from `offset` on; give the next offset, the next sequence, and why it stopped."""
    view, end, sizes = memoryview(data), len(data), itch.SIZES
    while offset < end:
        start = offset + _PREFIX
        if start > end:
            return offset, sequence, Stop.PARTIAL
        length = view[offset] << 8 | view[offset + 1]
        if zero:
            if length or (start < end and not sizes[view[start]]):
                return offset, sequence, Stop.BAD
            if start == end:
                return offset, sequence, Stop.PARTIAL
            length = sizes[view[start]]
        elif not length:
            return offset, sequence, Stop.MARKER
        if start + length > end:
            return offset, sequence, Stop.PARTIAL
        feed.apply(view[start : start + length], sequence, _NO_TIME)
        offset, sequence = start + length, sequence + 1
    return offset, sequence, Stop.END


_NO_TIME: Final = -(2**63)
_TIMED: Final = Struct(">H5xHI")  # the length of a record, and its time in two parts


def find_time(data: Buffer, offset: int, ns: int, zero: bool) -> tuple[int, int, bool]:
    """Find the first record from `offset` on that happened after `ns`: its offset, the records before it, and True.

    Where there is none, the offset is that of the first record that is not whole, and the last one is False.
    """
    view, end, sizes, count = memoryview(data), len(data), itch.SIZES, 0
    while offset + _TIMED.size <= end:
        length, high, low = _TIMED.unpack_from(view, offset)
        size = sizes[view[offset + _PREFIX]] if zero else length
        if not size or offset + _PREFIX + size > end:
            break
        if size >= itch.HEADER_SIZE and high << 32 | low > ns:
            return offset, count, True
        offset, count = offset + _PREFIX + size, count + 1
    return offset, count, False


class ItchFile:
    """One file of ITCH messages; its messages are numbered from 1.

    Those before `since_ns` are passed over, which suits only those who keep no books; at the first one after `until_ns`
    the reading ends. Units: ns since midnight.
    """

    def __init__(
        self, name: str, kind: FileKind, source: Source, feed: Any, findings: Findings, *,
        since_ns: int | None = None, until_ns: int | None = None,
    ) -> None:  # fmt: skip
        self.name = name
        self.feed = feed
        self.sequence = 1
        self.passed = 0  # messages that were passed over
        self.done = False
        self._since_ns, self._until_ns = since_ns, until_ns
        self._zero = kind is FileKind.ITCH_ZERO
        stream = getattr(feed, "stream", None)
        self._run = None
        if stream is not None and not self._zero:
            stream.books.reserve(ROOM)
            stream.books.warm()
            self._run = stream.run
        self._source = source
        self._offset = 0
        self._findings = findings
        self._began = self._located = (0, 1)
        self._stopped: Stop | None = None

    @property
    def place(self) -> Place:
        """Give where the reading stands."""
        return Place(self.name, self._source.base + self._offset)

    def step(self, window: int = WINDOW) -> None:
        """Apply one window of records.

        Why it stopped is looked into by the next call: more bytes of a stream take the place of those that `locate`
        looks at until the changes of this window have been taken.
        """
        if self._stopped is not None:
            how, self._stopped = self._stopped, None
            self._go_on(how)
        if not self.done:
            self._step(window)

    def _step(self, window: int) -> None:
        buffer = self._source.buffer
        data = buffer[: self._offset + window]
        if self._since_ns is not None and self._pass_over(data, self._since_ns):
            return
        data, late = self._in_time(data)
        self._began = self._located = (self._offset, self.sequence)
        if self._run is not None:
            self._offset, self.sequence, how = self._run(data, self._offset, self.sequence)
        else:
            self._offset, self.sequence, how = walk(self.feed, data, self._offset, self.sequence, self._zero)
        self._source.release(self._offset)
        if late and self._offset == len(data):
            self.done = True
            return
        moved = self._offset > self._began[0]
        if how == Stop.FULL or (len(data) < len(buffer) and how in (Stop.END, Stop.PARTIAL) and moved):
            return
        if how == Stop.PARTIAL and len(data) < len(buffer):
            self._step(window + 2**17)  # a record is never longer than that
            return
        self._stopped = Stop(how)

    def next(self, from_ns: int) -> tuple[int, int] | None:
        """Give a window that holds the next record alone, and its time; or all records before `from_ns` that are here.

        It gets more bytes where that takes some. None: there is no whole record, and `step` says why.
        Units: bytes; ns since midnight.
        """
        if self._stopped is not None:
            how, self._stopped = self._stopped, None
            self._go_on(how)
        view = self._source.buffer
        if self.done or len(view) < self._offset + _TIMED.size:
            return None
        length, high, low = _TIMED.unpack_from(view, self._offset)
        at_ns = high << 32 | low
        if at_ns < from_ns:
            end = find_time(view, self._offset, from_ns - 1, self._zero)[0]
        else:
            end = self._offset + _PREFIX + (itch.SIZES[view[self._offset + _PREFIX]] if self._zero else length)
        return (end - self._offset, at_ns) if self._offset + _PREFIX < end <= len(view) else None

    def locate(self, sequence: int) -> Place:
        """Find where a message of the last window stands."""
        return Place(self.name, self._source.base + self._find(sequence))

    def message(self, sequence: int) -> bytes:
        """Give a message of the last window."""
        view, offset = self._source.buffer, self._find(sequence)
        length = itch.SIZES[view[offset + _PREFIX]] if self._zero else view[offset] << 8 | view[offset + 1]
        return bytes(view[offset + _PREFIX : offset + _PREFIX + length])

    def _find(self, sequence: int) -> int:
        """Walk to a message; what is asked for in rising order is walked over once."""
        offset, number = self._located if sequence >= self._located[1] else self._began
        view = self._source.buffer
        while number < sequence and offset + _PREFIX < len(view):
            length = itch.SIZES[view[offset + 2]] if self._zero else view[offset] << 8 | view[offset + 1]
            offset, number = offset + _PREFIX + length, number + 1
        self._located = offset, number
        return offset

    def _pass_over(self, data: Buffer, since_ns: int) -> bool:
        """Pass over what happened before `since_ns`; say whether the next window has to be looked at for its end."""
        self._offset, count, found = find_time(data, self._offset, since_ns - 1, self._zero)
        self.sequence += count
        self.passed += count
        self._source.release(self._offset)
        if count and not found:
            return True
        self._since_ns = None
        return False

    def _in_time(self, data: memoryview) -> tuple[memoryview, bool]:
        """Cut off what happened after `until_ns`; say whether there was any."""
        if self._until_ns is None:
            return data, False
        end, _, late = find_time(data, self._offset, self._until_ns, self._zero)
        return (data[:end], True) if late else (data, False)

    def _go_on(self, how: Stop) -> None:
        if how in (Stop.END, Stop.PARTIAL) and self._more():
            return
        self.done = True
        buffer, offset = self._source.buffer, self._offset
        left = len(buffer) - offset
        if how == Stop.PARTIAL and not (self._zero and left == _PREFIX and not any(buffer[offset:])):
            self._findings.add(self.place, f"torn record: {left} bytes", f"{self._wanted()} bytes", torn=True)
        elif how == Stop.BAD:
            found = bytes(buffer[offset : offset + 3]).hex()
            self._findings.add(self.place, f"a record that begins with {found}", "0000 and a known message type")
            self._lose()
        elif how == Stop.MARKER:
            self._offset += _PREFIX
            if self._more() or left > _PREFIX:
                self._findings.add(self.place, "bytes after the end marker", "the end of the file")
                self._lose()

    def _lose(self) -> None:
        """What follows cannot be read: no book is known to be right any more."""
        gap = getattr(self.feed, "gap", None)  # whoever only looks at messages has no books
        if gap is not None:
            gap(self.sequence, self.sequence, _NO_TIME, 0)

    def _wanted(self) -> int:
        view, offset = self._source.buffer, self._offset
        if len(view) < offset + _PREFIX + self._zero:
            return _PREFIX
        length = itch.SIZES[view[offset + _PREFIX]] if self._zero else view[offset] << 8 | view[offset + 1]
        return _PREFIX + length

    def _more(self) -> bool:
        if self._source.more(self._offset):
            self._offset = 0
            return True
        error, self._source.error = self._source.error, None
        if error is not None:
            end = self._source.base + len(self._source.buffer)
            self._findings.add(Place(self.name, end), error.found, error.wanted)
        return False
