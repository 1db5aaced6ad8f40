"""What a payload says of its place in a stream, read from its header alone: which stream, which numbers.

Only packets of the stream itself have a place; snapshots and what was sent again are counted but not put in order.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

from netfeed.app.protocols import PROTOCOLS, Protocol
from netfeed.app.recognise import Match, match, protocol_of
from netfeed.feed.ports import LINES
from netfeed.machine import Buffer
from netfeed.wire import moldudp64, numbered

NUMBERED: Final = "numbered"
NAMES: Final = (*PROTOCOLS, NUMBERED)
MAX_DOUBT: Final = 64
"""Packets after which a line is taken for what it most likely speaks, or for nothing that is known."""


class Place(NamedTuple):
    """Where a packet stands. `stream` names it among the streams of a protocol; `numbers` 0: it names the next.

    `digest` is the same on every line for the packet with that number.
    """

    stream: bytes
    sequence: int
    numbers: int
    sent_ns: int | None = None
    digest: int = 0


class Words:
    """Read one line's packets; until the protocol is known, `name` is None."""

    def __init__(self, protocol: str | None = None) -> None:
        self.name: str | None = None
        self.malformed = self.unordered = 0
        self._row: Protocol | None = None
        self._likely: str | None = None
        self._doubts = 0
        if protocol is not None:
            self._decide(protocol)

    @property
    def unknown(self) -> bool:
        """Say whether enough was seen to know that this is nothing that is known."""
        return self.name is None and self._doubts >= MAX_DOUBT

    def place(self, payload: memoryview) -> Place | None:
        """Give the place of a packet; None when it has none, or cannot be read."""
        if self.name is None and not self._recognise(payload):
            return None
        if self._row is None:
            return self._numbered(payload)
        row = self._row
        if len(payload) < row.header:
            self.malformed += 1
            return None
        if row.part(payload) not in LINES:
            self.unordered += 1
            return None
        sequence = row.sequence_of(payload)
        assert sequence is not None
        return Place(row.identity(payload), sequence, _COUNTS[row.name](payload), digest=row.digest(payload))

    def check(self, payload: memoryview) -> None:
        """Look at a whole packet: count it as malformed when it is not what the line speaks."""
        if self._row is not None and match(self._row.name, payload) is Match.NO:
            self.malformed += 1

    def settle(self) -> None:
        """Take the line for what it most likely speaks: nothing more will come."""
        if self.name is None and self._likely is not None:
            self._decide(self._likely)

    def _recognise(self, payload: memoryview) -> bool:
        if self.unknown:
            return False
        if numbered.is_numbered(payload):
            self._decide(NUMBERED)
            return True
        name, sure = protocol_of(payload)
        self._likely = self._likely or name
        self._doubts += 1
        if name is not None and sure is Match.YES:
            self._decide(name)
        elif self._doubts >= MAX_DOUBT:
            self.settle()
        return self.name is not None

    def _decide(self, name: str) -> None:
        self.name, self._row = name, PROTOCOLS.get(name)

    def _numbered(self, payload: memoryview) -> Place | None:
        if not numbered.is_numbered(payload):
            self.malformed += 1
            return None
        header = numbered.HEADER.decode(payload)
        data = header.kind == numbered.Kind.DATA
        stream = header.stream.to_bytes(8, "big")
        return Place(stream, header.sequence, int(data), header.sent_ns if data else None, header.sent_ns)


def _mold(payload: Buffer) -> int:
    count = int.from_bytes(payload[18:20], "big")
    return 0 if count == moldudp64.END_OF_SESSION else count


_COUNTS: Final[dict[str, Callable[[Buffer], int]]] = {
    "itch50": _mold,
    "starbase": lambda payload: int.from_bytes(payload[22:24], "little"),
    "deribit": lambda payload: 1,
    "cme": lambda payload: 1,
    "iex": lambda payload: int.from_bytes(payload[14:16], "little"),
}
"""How many numbers a packet takes."""
