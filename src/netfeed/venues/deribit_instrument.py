"""One instrument of Deribit's multicast: its chain, the snapshot that is coming in, and what its doubles are exactly.

A snapshot may come in several messages of one change id; `gather` collects them. One that is not of the whole depth
tells nothing behind its last level of a side: `limits` remembers those prices, and `beyond` says when the best of the
book is no longer in front of them.
"""

from enum import Enum
from typing import Any, Final

from netfeed.book.level import Level, Side
from netfeed.venues.chain import Chain, Room
from netfeed.venues.doubles import exact
from netfeed.wire.deribit import BookSide

MAX_SNAPSHOT_LEVELS: Final = 65536
"""Levels of one side of a snapshot that is still coming in; a real one has a few thousand."""

SIDES: Final = {BookSide.BID: Side.BID, BookSide.ASK: Side.ASK}
_NO_LIMITS: Final[tuple[int | None, int | None]] = (None, None)


class Gathered(Enum):
    """What a message of a snapshot did."""

    MORE = "there is more to come"
    DONE = "the snapshot is complete"
    NONSENSE = "a level makes no sense"


class Instrument:
    """What a feed remembers of one instrument; `book` is None until a definition has come."""

    __slots__ = ("_coming", "book", "broken", "chain", "channel", "exponents", "levels", "limits", "since")

    def __init__(self, room: Room) -> None:
        self.book: int | None = None
        self.exponents = (0, 0)
        self.chain = Chain(room)
        self.channel: int | None = None  # of its updates
        self.broken = True  # only a snapshot, or the beginning of the instrument, makes the book right
        self.since = -1  # the moment at which something may have been lost
        self.levels: tuple[list[Level], list[Level]] = ([], [])  # of the snapshot that is coming in, or came last
        self.limits = _NO_LIMITS
        self._coming: tuple[int, int] | None = None  # change id and channel

    def reset(self) -> None:
        """Know nothing of the book: it waits for the beginning, or for a snapshot."""
        self.chain.reset()
        self.broken, self.limits, self._coming = True, _NO_LIMITS, None

    def exact(self, price: float, amount: float) -> tuple[int | None, int | None]:
        """Give price and amount as integers of the instrument's exponents; None where there is none."""
        return exact(price, self.exponents[0]), exact(amount, self.exponents[1])

    def gather(self, body: Any, channel: int) -> Gathered:
        """Add one message of a snapshot to those of the same change; another change begins anew."""
        if self._coming != (body.changeId, channel):
            self._coming, self.levels = (body.changeId, channel), ([], [])
        for level in body.levelsList:
            side = SIDES.get(level.side)
            price, quantity = self.exact(level.price, level.amount)
            if side is None or price is None or quantity is None or len(self.levels[side]) >= MAX_SNAPSHOT_LEVELS:
                self._coming = None
                return Gathered.NONSENSE
            self.levels[side].append(Level(price, quantity, 0))
        if not body.isLastInBook:
            return Gathered.MORE
        self._coming = None
        return Gathered.DONE

    def forget_snapshot(self, channel: int | None = None) -> None:
        """Drop the snapshot that is coming in on a channel, or on any: a part of it may be lost."""
        if self._coming is not None and channel in (None, self._coming[1]):
            self._coming = None

    def set_limits(self, *, whole: bool) -> None:
        """Remember how deep the snapshot that was taken tells."""
        bids, asks = self.levels
        worst = min((level.price for level in bids), default=None), max((level.price for level in asks), default=None)
        self.limits = _NO_LIMITS if whole else worst

    def beyond(self, side: Side, best: Level | None) -> bool:
        """Say whether the best of a side lies behind what the snapshot told."""
        limit = self.limits[side]
        if limit is None:
            return False
        return best is None or (best.price < limit if side == Side.BID else best.price > limit)
