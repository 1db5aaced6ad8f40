"""The messages in one direction of a connection: reassembled, framed, each with the segment that completed it.

A message is stamped by the segment that made its last byte readable: before that the receiver cannot act on it. Behind
a hole, or bytes that are no message, the stream is looked for again at the beginning of each piece; `lost` counts how
often. Memory: what waits beyond a hole (`tcp_reassembly`), and one incomplete message of at most 64 KiB.
"""

from typing import NamedTuple

from netfeed.latency.tcp_reassembly import LIMIT, Piece, Reassembly
from netfeed.machine import Buffer
from netfeed.wire.order_frames import INCOMPLETE, WRONG, OrderFraming


class Message(NamedTuple):
    """One message. `origin` is what was given with the segment that completed it. Units: ns."""

    data: bytes
    ts_ns: int
    origin: int


class Messages:
    """One direction, from the position of the first byte that is looked at."""

    def __init__(self, framing: OrderFraming, start: int, *, limit: int = LIMIT) -> None:
        self.framing = framing
        self.count = self.lost = self.hole_bytes = 0
        self._stream = Reassembly(start, limit=limit)
        self._left = b""
        self._found = True

    def take(self, at: int, data: Buffer, length: int, ts_ns: int, origin: int) -> list[Message]:
        """Take a segment; give the messages that it completes."""
        return self._read(self._stream.take(at, data, length, (ts_ns, origin)))

    def acknowledge(self, upto: int) -> list[Message]:
        """Take note that the receiver has all before `upto`; give the messages that waited for what is below it."""
        return self._read(self._stream.acknowledge(upto))

    def finish(self) -> list[Message]:
        """Give what waited beyond holes."""
        return self._read(self._stream.finish())

    def _read(self, pieces: list[Piece]) -> list[Message]:
        found: list[Message] = []
        for piece in pieces:
            if piece.data is None:
                self.hole_bytes += piece.end - piece.at
                self._lose()
                continue
            self._left += piece.data
            ts_ns, origin = piece.tag
            found += [Message(data, ts_ns, origin) for data in self._cut()]
        self.count += len(found)
        return found

    def _cut(self) -> list[bytes]:
        cut, at = [], 0
        while (length := self.framing.measure(self._left[at : at + 64])) > INCOMPLETE and at + length <= len(
            self._left
        ):
            cut.append(self._left[at : at + length])
            at += length
        self._left = self._left[at:]
        if length == WRONG:
            self._lose()
        self._found = self._found or bool(cut)
        return cut

    def _lose(self) -> None:
        """Forget the incomplete message; the next piece begins one, or is no help either."""
        self.lost += self._found
        self._found = False
        self._left = b""
