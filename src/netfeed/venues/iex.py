"""IEX DEEP on books: price levels, trades, and the event flag that says when a book may be read.

Source: IEX DEEP 1.0. A price level update holds all that is displayed at the price. Its event flag is 0 while the book
is in transition: the best levels are announced, and a cross is judged, only where it is 1.

DEEP has no snapshot on the wire and no number of its own for an instrument. So a book is complete only when the stream
was followed from sequence 1 without a loss: then it is LIVE from its first level on. After a loss every book can have
been touched, and so can symbols that have not been seen yet: all of them, old and new, are SUSPECT until the sender
counts anew (`reset`). A late join is a loss.

A book that is crossed when its event is complete is refused and SUSPECT. As there is nothing to mend it from, and
nothing was lost, it is LIVE again when the venue uncrosses it. The bad case: IEX's own sample of April 2017, from
before the feed's launch, crosses most of its books most of the time.

Leaves out: the transport (`feed`), the snapshot service, and everything but levels and trades (counted only).
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, Final

from netfeed.book import LevelBook
from netfeed.book.change import NO_SIDE, NO_TIME, Refusal
from netfeed.book.level import Side
from netfeed.book.state import BookState
from netfeed.errors import WireError
from netfeed.machine import Buffer
from netfeed.venues.level_market import MAX_BOOKS, LevelMarket
from netfeed.wire import iex
from netfeed.wire.iex import PRICE_EXPONENT, EventFlags, UnknownType

FIRST: Final = 1
"""The sequence that a stream begins with."""
_SIDES: Final = {"8": Side.BID, "5": Side.ASK}
_COUNTED: Final = {ord(code): layout for code, layout in iex.LAYOUTS.items() if code not in "85TB"}


@dataclass(frozen=True, slots=True)
class IexStatistics:
    """Counters of an `IexDeepFeed`, as of the call."""

    messages: int
    books: int
    updates: int
    transitions: int  # updates after which the book was not to be read
    trades: int
    trade_breaks: int
    gaps: int
    resets: int
    malformed: int
    unknown_types: int
    refused: dict[str, int]


class IexDeepFeed:
    """The books of a DEEP feed, by symbol. A symbol belongs to the channel on which it was last heard."""

    protocol: Final = "iex/deep"

    def __init__(self, *, new_book: Callable[[], LevelBook] = LevelBook, max_books: int = MAX_BOOKS) -> None:
        market = self._market = LevelMarket(new_book=new_book, max_books=max_books)
        self.by_type, self.names, self.books = market.by_type, market.names, market.books
        self.exponents, self.changes = market.exponents, market.changes
        self._index: dict[str, int] = {}
        self._channels: list[int] = []  # of each book
        self._whole: dict[int, bool] = {}  # by channel: it was followed from its first message on
        self._moved: set[int] = set()  # books whose best changed in an event that is not complete
        self._crossed: set[int] = set()  # books that are SUSPECT for nothing but a cross
        self._counts: dict[str, Any] = {field.name: 0 for field in fields(IexStatistics)}

    def apply(self, message: Buffer, sequence: int, ts_recv_ns: int, channel: int = 0) -> None:
        """Apply one message, in sequence; one that does not decode is refused."""
        self._market.at(sequence, ts_recv_ns, channel)
        self._counts["messages"] += 1
        self._whole.setdefault(channel, sequence == FIRST)
        if len(message) and message[0] in _COUNTED and len(message) >= _COUNTED[message[0]].size:
            self._market.count(chr(message[0]))
            return
        try:
            body = iex.decode(message)
        except UnknownType:
            self._market.count(chr(message[0]))
            self._counts["unknown_types"] += 1
        except WireError:
            self._counts["malformed"] += 1
            self._market.refuse(None, Refusal.BAD_LENGTH)
            self._lose(channel)
        else:
            self._market.count(body.message_type)
            self._market.happened(body.timestamp)
            self._dispatch(body, channel)

    def gap(self, first: int, last: int, ts_recv_ns: int, channel: int = 0) -> None:
        """Take note that messages are lost: every book of the channel can have been touched."""
        self._market.at(first, ts_recv_ns, channel)
        self._market.gap(first, last)
        self._counts["gaps"] += 1
        self._lose(channel)

    def doubt(self, first: int, last: int, ts_recv_ns: int = NO_TIME, channel: int = 0) -> None:
        """Take note that messages are missing which may still come: what they can have touched is SUSPECT till then."""
        self._market.at(first, ts_recv_ns, channel)
        self._market.doubt_all(book for book, owner in enumerate(self._channels) if owner == channel)

    def trust(self, ts_recv_ns: int = NO_TIME, channel: int = 0) -> None:
        """Take note that all that was missing has been applied: what was only doubted is LIVE again."""
        for book in self._market.trust_all(book for book, owner in enumerate(self._channels) if owner == channel):
            if book not in self._moved:  # in the middle of an event a book is not judged
                self._publish(book)

    def move(self, book: int, state: BookState) -> None:
        """Move a book to another state for a reason that lies outside of the messages, as a silent source does."""
        self._market.to(book, state)

    def touches(self, message: Buffer) -> list[int]:
        """Give the book of the symbol that a level update names."""
        if not len(message) or chr(message[0]) not in _SIDES:
            return []
        symbol = bytes(message[10:18]).decode("latin-1").rstrip()
        return [self._index[symbol]] if symbol in self._index else []

    def reset(self, channel: int = 0) -> None:
        """Forget the books of a channel: its sender counts anew."""
        self._counts["resets"] += 1
        self._whole.pop(channel, None)
        for book, owner in enumerate(self._channels):
            if owner == channel:
                self._moved.discard(book)
                self._crossed.discard(book)
                self._market.reset(book)

    def statistics(self) -> IexStatistics:
        """Return the counters, as of the call."""
        refused = {reason.name: count for reason, count in self._market.refused.items()}
        return IexStatistics(**{**self._counts, "books": len(self.books), "refused": refused})

    def _dispatch(self, body: Any, channel: int) -> None:
        side = _SIDES.get(body.message_type)
        if side is not None:
            self._update(side, body, channel)
        elif body.message_type == "T":
            self._trade(body, channel)
        elif body.message_type == "B":
            self._counts["trade_breaks"] += 1  # it takes a trade back; the book did not move by the trade either

    def _update(self, side: Side, body: Any, channel: int) -> None:
        self._counts["updates"] += 1
        book = self._book(body.symbol, channel)
        if book is None:
            return
        if self._market.set(book, side, body.price, body.size):
            self._moved.add(book)
        if not body.flags & EventFlags.COMPLETE:
            self._counts["transitions"] += 1
        elif book in self._moved:
            self._moved.discard(book)
            self._publish(book)

    def _publish(self, book: int) -> None:
        live = self.books[book].state == BookState.LIVE
        if not self._market.publish(book, judged=True):
            if live:
                self._crossed.add(book)
        elif book in self._crossed:
            self._crossed.discard(book)
            if not self.books[book].refused:
                self._market.to(book, BookState.LIVE)

    def _trade(self, body: Any, channel: int) -> None:
        self._counts["trades"] += 1
        book = self._book(body.symbol, channel)
        if book is not None:  # the side is not told
            self._market.trade(book, NO_SIDE, body.price, body.size, body.trade_id, body.flags)

    def _book(self, symbol: str, channel: int) -> int | None:
        book = self._index.get(symbol)
        if book is None:
            book = self._market.open(symbol, (PRICE_EXPONENT, 0))
            if book is None:
                return None
            self._index[symbol] = book
            self._channels.append(channel)
        self._channels[book] = channel
        if self.books[book].state == BookState.EMPTY:
            self._market.to(book, BookState.LIVE if self._whole[channel] else BookState.SUSPECT)
        return book

    def _lose(self, channel: int) -> None:
        self._whole[channel] = False
        for book, owner in enumerate(self._channels):
            if owner == channel:
                self._crossed.discard(book)
                self._market.doubt(book)
