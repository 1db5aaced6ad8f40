"""Cut a stream of SoupBinTCP behind each packet, so that what is said of one is said before the next is looked at.

A conversation tells what came in one piece as a list. Whoever answers packets must not be told of a packet, and find
the conversation over because of the one behind it: how the stream was cut up would change the answers.

Invariant: the pieces are the bytes, in their order; each ends where a packet does, or where the bytes end. What is kept
is two numbers. A length that cannot be is handed on as it is: the conversation ends at it.
"""

from collections.abc import Iterator

from netfeed.machine import Buffer


class Pieces:
    """Where in its packet a stream stands."""

    __slots__ = ("_high", "_left")

    def __init__(self) -> None:
        self._high = -1  # the first byte of a length whose second has not come
        self._left = 0  # bytes that the packet still needs

    def of(self, data: Buffer) -> Iterator[Buffer]:
        """Give the pieces of some bytes."""
        start = at = 0
        while at < len(data):
            if self._left:
                step = min(self._left, len(data) - at)
                self._left -= step
                at += step
            elif self._high < 0:
                self._high = data[at]
                at += 1
                continue
            else:
                self._left, self._high = self._high << 8 | data[at], -1
                at += 1
            if not self._left:
                yield data[start:at]
                start = at
        if start < at:
            yield data[start:at]
