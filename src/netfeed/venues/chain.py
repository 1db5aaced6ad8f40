"""The chain of one instrument's messages, each naming the one before: what a loss did, and how a snapshot joins.

Two venues number the changes of each instrument beside the packets of the channel: CME counts them (`RptSeq`), Deribit
names the change before (`prevChangeId`). So a message itself says whether anything of *its* instrument was lost:

    NEXT     it continues the chain
    OLD      it is part of what is known already (a snapshot was newer)
    BROKEN   something before it is missing; only a snapshot mends that
    FIRST    nothing is known yet

Where an update says all that changed since a number (`straddle`: Binance), one that begins before what is known and
ends behind it is the next, too: its quantities are absolute.

What comes while the book is not trusted is held, so that a snapshot as of `at` can be brought up to date: `splice`
gives what follows it, or None when that is not held without a hole and a newer snapshot is needed.

Bounds: MAX_MESSAGES an instrument, and all chains of a feed share the bytes of one `Room`.
"""

from collections import deque
from enum import Enum
from typing import Any, Final, NamedTuple

MAX_MESSAGES: Final = 4096
"""Messages that one instrument can have between two snapshots; beyond it the next snapshot is waited for."""
MAX_BYTES: Final = 64 * 2**20
"""What all instruments of a feed may hold together."""
OVERHEAD: Final = 256
"""What a held message costs beside its bytes. Units: bytes."""


class Link(Enum):
    NEXT = "next"
    OLD = "old"
    BROKEN = "broken"
    FIRST = "first"


class Room:
    """The bytes that the chains of one feed may hold together."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self.free = max_bytes


class _Held(NamedTuple):
    before: int
    number: int
    item: Any
    cost: int


class Chain:
    """The newest change that is known of one instrument, and what is held while it is not trusted."""

    __slots__ = ("_held", "_part", "_room", "_straddle", "last")

    def __init__(self, room: Room, *, straddle: bool = False) -> None:
        self.last: int | None = None
        self._straddle = straddle
        self._part: tuple[int, int] | None = None
        self._held: deque[_Held] = deque()
        self._room = room

    @property
    def holding(self) -> bool:
        """Say whether messages are held for a snapshot."""
        return bool(self._held)

    @property
    def newest(self) -> int | None:
        """Give the number of the message that was held last, None when none is."""
        return self._held[-1].number if self._held else None

    def link(self, before: int, number: int) -> Link:
        """Say how a message joins what is known."""
        if self.last is None:
            return Link.FIRST
        if before == self.last or self._part == (before, number):
            return Link.NEXT
        if self._straddle and before <= self.last < number:
            return Link.NEXT
        return Link.OLD if number <= self.last else Link.BROKEN

    def follow(self, before: int, number: int, *, whole: bool = True) -> None:
        """Take note that a message has been applied; unless it was `whole`, others of the same number follow."""
        self.last = number
        self._part = None if whole else (before, number)

    def hold(self, before: int, number: int, item: Any, size: int) -> None:
        """Keep a message for the next snapshot; when there is no room, forget all that is held."""
        cost = size + OVERHEAD
        if len(self._held) >= MAX_MESSAGES or cost > self._room.free:
            self.forget()
        if cost <= self._room.free:
            self._held.append(_Held(before, number, item, cost))
            self._room.free -= cost

    def splice(self, at: int) -> list[Any] | None:
        """Give the items that follow a snapshot as of `at`, or None when they are not held without a hole.

        A snapshot newer than everything held needs none. The chain's newest becomes that of the last item, or `at`.
        """
        rest = [held for held in self._held if held.number > at]
        newest, part = at, (at, at)
        for held in rest:
            joins = held.before <= newest if self._straddle else held.before == newest
            if not joins and part != (held.before, held.number):
                return None
            newest, part = held.number, (held.before, held.number)
        if not rest and self.last is not None and self.last > at:
            return None
        self.forget()
        self.last, self._part = newest, part if rest else None
        return [held.item for held in rest]

    def forget(self) -> None:
        """Hold nothing any more."""
        self._room.free += sum(held.cost for held in self._held)
        self._held.clear()

    def reset(self) -> None:
        """Know nothing: the numbers begin anew."""
        self.forget()
        self.last = self._part = None
