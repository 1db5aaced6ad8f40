"""One security of CME: its chain, and its levels by position - outright and implied, bids and offers.

An entry type names one of four ladders (`PLACES`). Without a definition the depth of a ladder is what the recordings
show, 10 outright and 2 implied, and grows with the positions that are told.
"""

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from netfeed.book.level import Side
from netfeed.venues.chain import Chain, Room
from netfeed.venues.ladder import MAX_DEPTH, Ladder
from netfeed.venues.refresh import Refresh
from netfeed.wire.cme import EntryType, MDUpdateAction

DEPTH: Final = 10
IMPLIED_DEPTH: Final = 2


class Place(NamedTuple):
    """Where an entry belongs: `book` 0 is the outright one, 1 the implied one."""

    book: int
    side: Side


PLACES: Final = {
    EntryType.BID: Place(0, Side.BID), EntryType.OFFER: Place(0, Side.ASK),
    EntryType.IMPLIED_BID: Place(1, Side.BID), EntryType.IMPLIED_OFFER: Place(1, Side.ASK),
}  # fmt: skip
FEED_TYPES: Final = {"GBX": 0, "GBI": 1}
"""The book whose depth a definition tells, by its feed type."""

Pair = tuple[Ladder, Ladder]
Ladders = tuple[Pair, Pair]


class Security:
    """What a feed remembers of one security."""

    __slots__ = (
        "book", "broken", "chain", "channel", "defined", "depth_told", "group", "ladders", "ready", "refresh", "since",
        "touched",
    )  # fmt: skip

    def __init__(self, book: int, room: Room) -> None:
        self.book = book
        self.chain = Chain(room)
        self.channel: int | None = None  # of its entries
        self.broken = True  # only a snapshot, or the beginning of the week, makes the book right
        self.since = -1  # the last packet of its channel that was lost
        self.group = ""
        self.ready = False  # to trade, so that a cross is wrong
        self.defined = self.depth_told = False
        self.refresh: Refresh | None = None  # where the book may become right without a snapshot
        self.ladders: Ladders = (_pair(DEPTH), _pair(IMPLIED_DEPTH))
        self.touched = [False, False]  # since the books were last made of the ladders

    def ladder(self, place: Place, position: int) -> Ladder:
        """Give the ladder of an entry; as long as nothing defines its depth, it has room for the position."""
        ladder = self.ladders[place.book][place.side]
        if not self.defined:
            ladder.depth = max(ladder.depth, position)
        return ladder

    def set_depth(self, feed_type: str, depth: int) -> None:
        """Take the depth that a definition tells for one of the two books."""
        if feed_type in FEED_TYPES:
            for ladder in self.ladders[FEED_TYPES[feed_type]]:
                ladder.depth = min(max(1, depth), MAX_DEPTH)
            self.depth_told |= feed_type == "GBX"

    def take(self, ladders: Ladders) -> None:
        """Put the levels of a snapshot in the place of all others, and trust them."""
        self.ladders, self.broken, self.touched = ladders, False, [True, True]
        self.refresh = None

    def begin_refresh(self) -> None:
        """Wait for everything to be told anew, where the depth of the outright book is known."""
        depths = [pair[0].depth for pair in self.ladders]
        self.refresh = Refresh(depths) if self.depth_told else None

    def clear(self) -> None:
        """Remove all levels."""
        self.refresh = None
        for pair in self.ladders:
            for ladder in pair:
                ladder.clear()
        self.touched = [True, True]


def ladders_of(one: Security, entries: Iterable[Any]) -> Ladders | None:
    """Build the levels of a snapshot; None when an entry makes no sense, or when the outright book is none."""
    ladders: Ladders = (_pair(one.ladders[0][0].depth), _pair(one.ladders[1][0].depth))
    for entry in entries:
        place, position = PLACES.get(entry.MDEntryType), entry.MDPriceLevel or 0
        if place is None:
            continue  # statistics
        ladder = ladders[place.book][place.side]
        if not one.defined:
            ladder.depth = max(ladder.depth, position)
        size, orders = entry.MDEntrySize, entry.NumberOfOrders or 0
        if not ladder.apply(MDUpdateAction.OVERLAY, position, entry.MDEntryPx, size, orders):
            return None
    return ladders if all(ladder.sound for ladder in ladders[0]) else None


def _pair(depth: int) -> Pair:
    return Ladder(Side.BID, depth), Ladder(Side.ASK, depth)
