"""The twin of `netfeed._core.depth.DepthPath`: the way of the expected message, which here takes nothing.

`depth_market` defines what happens to a message. The compiled path does the same to a plain one, a batch at a time, and
leaves the others; this one leaves all of them.
"""

from typing import Any, Final

from netfeed.book import LevelBook
from netfeed.build import select
from netfeed.venues.depth_shape import Table

DONE: Final = 0
ODD: Final = 2
CROSSED: Final = 4
UNSUMMED: Final = 5


class DepthPath:
    """The way of the expected message of one venue: there is none."""

    def __init__(
        self, table: Table, words: tuple[bytes, bytes, bytes], numbering: int, *, straddle: bool = False,
        summed: bool = False, kept: int = 0, restart: int | None = None,
    ) -> None:  # fmt: skip
        self.taken = self.duplicates = self.stopped = self.stopped_ns = 0
        self._names: list[bytes] = []
        self._lines: dict[int, int] = {}

    def open(self, name: bytes, book: LevelBook, price_exponent: int, quantity_exponent: int) -> int:
        """Open one more book under the name that messages call it by; it is not armed. Give its index."""
        if name in self._names:
            raise ValueError(f"there is a book named {name!r} already")
        self._names.append(name)
        return len(self._names) - 1

    def arm(self, index: int, last: int, leader: int = -1, olds: int = 0) -> None:
        """Take the messages of a LIVE book from here on: none."""

    def disarm(self, index: int) -> tuple[int, int, bool] | None:
        """Leave a book alone; None: nothing was taken."""
        return None

    def last(self, index: int) -> int | None:
        """Give the last number of an armed book: none is."""
        return None

    def line(self, line: int) -> int | None:
        """Give the count of a connection, None when it is not known."""
        return self._lines.get(line)

    def set_line(self, line: int, number: int | None) -> None:
        """Set the count of a connection, None for not known."""
        if number is None:
            self._lines.pop(line, None)
        else:
            self._lines[line] = number

    def run(
        self, data: Any, places: Any, first: int, ts_recv_ns: int, line: int, foreign: list[int]
    ) -> tuple[int, int]:
        """Take nothing: every message is the plain way's."""
        return (first, ODD) if first < len(places) else (first, DONE)

    def drain(self) -> bytes:
        """Give the changes since the last call: none."""
        return b""


def path() -> type[DepthPath]:
    """Give the path of the build that runs."""
    chosen: type[DepthPath] = select("depth", "netfeed.venues.depth_path", "DepthPath")
    return chosen
