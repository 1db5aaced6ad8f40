"""CME MDP 3.0 on books: market by price, trades, and snapshots, an instrument at a time.

Source: CME's templates and client documentation; checked on a recording of version 6 (15,731 entries, 127 securities,
not one break of `RptSeq`). Every entry of an instrument, statistics and trades too, takes one number of its `RptSeq`,
so that the entries themselves say whether anything of the instrument was lost.

    first entry, RptSeq 1     the beginning of the instrument's week: LIVE
    first entry, any other    SYNCING: applied as far as it goes, and held for the snapshot
    RptSeq + 1                applied; the best levels are announced at the end of the event
    a jump of RptSeq          SUSPECT until a snapshot joins what was held since
    gap of the channel        every book of it *can* have been touched, so each is SUSPECT, until its next entry
                              continues its RptSeq - then nothing of it was lost - or a snapshot proves it
    snapshot, other books     taken when what is held joins it, and it was made after the last lost packet
    snapshot, book LIVE       of the same RptSeq: compared; of another content: refused, and taken
    STALE (by `move`)         compared with snapshots as a LIVE one; its next entry makes it LIVE, a loss SUSPECT
    natural refresh           an option: LIVE at the end of the event by which every position was told (`refresh`)
    book reset (J)            the book is empty, and that is all of it: LIVE
    channel reset             all books of the channel are EMPTY

Levels are named by position, and become books at the end of the event only. Implied levels are kept apart from the
outright ones, in `implied`; nothing is announced of them. A cross is judged while the instrument is ready to trade, not
in auctions. Without a definition the name is the security id as text and the depth 10, or what the levels show.

Leaves out: market by order (47, 53 and the orders in 46), limits and statistics (counted, and their RptSeq followed),
quote requests, and the end of a security's life.
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
from netfeed.venues.chain import Link, Room
from netfeed.venues.cme_security import PLACES, Ladders, Security, ladders_of
from netfeed.venues.level_market import MAX_BOOKS, WHOLE, LevelMarket
from netfeed.venues.refresh import Refresh
from netfeed.wire import cme
from netfeed.wire.cme import AggressorSide, EntryType, MatchEventIndicator, MDUpdateAction
from netfeed.wire.sbe import UnknownTemplate

READY_TO_TRADE: Final = 17
ENTRY_SIZE: Final = 32
"""What a held entry counts, whatever its template. Units: bytes."""

_BOOK: Final = frozenset({32, 46})
_TRADE: Final = frozenset({36, 42, 48})
_NUMBERED: Final = frozenset({*_BOOK, *_TRADE, 33, 34, 35, 37, 49, 50, 51})
_SNAPSHOT: Final = frozenset({38, 52})
_DEFINITION: Final = frozenset({27, 29, 41, 54, 55, 56})
_RESET: Final = 4
_STATUS: Final = 30

_RESTING: Final = {AggressorSide.BUY: Side.ASK, AggressorSide.SELL: Side.BID}


@dataclass(frozen=True, slots=True)
class CmeStatistics:
    """Counters of a `CmeFeed`, as of the call."""

    messages: int
    books: int
    entries: int
    trades: int
    events: int
    rpt_seq_breaks: int
    old_entries: int  # entries that a snapshot had brought already
    snapshots_taken: int
    snapshots_equal: int  # those that were what the LIVE book of the same RptSeq held
    snapshots_different: int
    snapshots_passed: int  # those that could not be joined, or that nobody needed
    refreshed: int  # books that became right by their entries alone
    gaps: int
    malformed: int
    unknown_templates: int
    refused: dict[str, int]


class CmeFeed:
    """The books of CME's channels; a channel is any number that its user gives it, snapshots may have another.

    `natural_refresh`: a book may become right by its entries alone (`refresh`), where its definition tells the depth.
    """

    protocol: Final = "cme/mdp3"

    def __init__(
        self,
        *,
        new_book: Callable[[], LevelBook] = LevelBook,
        max_books: int = MAX_BOOKS,
        natural_refresh: bool = False,
    ) -> None:
        market = self._market = LevelMarket(new_book=new_book, max_books=max_books)
        self.by_type, self.names, self.books = market.by_type, market.names, market.books
        self.exponents, self.changes = market.exponents, market.changes
        self.implied: list[LevelBook] = []
        self.natural_refresh = natural_refresh
        self._new_book = new_book
        self._securities: dict[int, Security] = {}
        self._dirty: dict[int, dict[int, Security]] = {}  # by channel: what its present event has touched
        self._room = Room()
        self._snapshot_channels: set[int] = set()
        self._entry_channels: set[int] = set()
        self._counts: dict[str, Any] = {field.name: 0 for field in fields(CmeStatistics)}

    def apply(self, message: Buffer, sequence: int, ts_recv_ns: int, channel: int = 0) -> None:
        """Apply one message, from its SBE header on, in sequence; one that does not decode is refused."""
        self._market.at(sequence, ts_recv_ns, channel)
        self._counts["messages"] += 1
        try:
            header, body = cme.decode(message)
        except UnknownTemplate as error:
            self._market.count(error.found)
            self._counts["unknown_templates"] += 1
        except WireError:
            self._counts["malformed"] += 1
            self._market.refuse(None, Refusal.BAD_LENGTH)
            self._lose_channel(channel, sequence)
        else:
            self._market.count(str(header.templateId))
            self._dispatch(header, body, channel)

    def gap(self, first: int, last: int, ts_recv_ns: int, channel: int = 0) -> None:
        """Take note that packets of a channel are lost: its books are SUSPECT until each proves that it is whole."""
        self._market.at(first, ts_recv_ns, channel)
        self._market.gap(first, last)
        self._counts["gaps"] += 1
        self._lose_channel(channel, last)

    def doubt(self, first: int, last: int, ts_recv_ns: int = NO_TIME, channel: int = 0) -> None:
        """Take note that messages are missing which may still come: what they can have touched is SUSPECT till then."""
        self._market.at(first, ts_recv_ns, channel)
        self._market.doubt_all(one.book for one in self._securities.values() if self._concerns(channel, one))

    def trust(self, ts_recv_ns: int = NO_TIME, channel: int = 0) -> None:
        """Take note that all that was missing has been applied: what was only doubted is LIVE again."""
        concerned = (one for one in self._securities.values() if self._concerns(channel, one))
        self._market.trust_all(one.book for one in concerned if not one.broken)

    def move(self, book: int, state: BookState) -> None:
        """Move a book to another state for a reason that lies outside of the messages, as a silent source does."""
        self._market.to(book, state)

    def touches(self, message: Buffer) -> list[int]:
        """Give the books that the entries of a message name."""
        try:
            header, body = cme.decode(message)
        except WireError:
            return []
        entries = body.NoMDEntries if header.templateId in _NUMBERED else ()
        known = (self._securities.get(entry.SecurityID) for entry in entries)
        return [one.book for one in known if one is not None]

    def reset(self, channel: int = 0) -> None:
        """Forget the books of a channel: its sender counts anew."""
        self._dirty.pop(channel, None)
        for one in self._securities.values():
            if self._concerns(channel, one):
                one.chain.reset()
                one.clear()
                one.broken, one.since = True, -1
                self._market.reset(one.book)
                self.implied[one.book].clear()

    def statistics(self) -> CmeStatistics:
        """Return the counters, as of the call."""
        refused = {reason.name: count for reason, count in self._market.refused.items()}
        return CmeStatistics(**{**self._counts, "books": len(self.books), "refused": refused})

    def _dispatch(self, header: Any, body: Any, channel: int) -> None:
        template = header.templateId
        if template in _NUMBERED:
            self._market.happened(body.TransactTime)
            self._entry_channels.add(channel)
            for entry in body.NoMDEntries:
                self._entry(template, header.version, entry, channel)
            self._end(body.MatchEventIndicator, channel)
        elif template in _SNAPSHOT:
            self._market.happened(body.TransactTime)
            self._snapshot(header.version, body, channel)
        elif template in _DEFINITION:
            self._define(header.version, body)
        elif template == _STATUS:
            self._status(body)
            self._end(body.MatchEventIndicator, channel)
        elif template == _RESET:
            self.reset(channel)

    # --- entries

    def _entry(self, template: int, version: int, entry: Any, channel: int) -> None:
        self._counts["entries"] += 1
        one = self._security(entry.SecurityID, version)
        if one is None:
            return
        one.channel = channel
        if self.exponents[one.book][0] != cme.price_exponent(version):
            self._wrong(one, entry.RptSeq)
            return
        before, number = entry.RptSeq - 1, entry.RptSeq
        if self._join(one, before, number):
            if one.broken:
                one.chain.hold(before, number, (template, entry), ENTRY_SIZE)
            one.chain.follow(before, number)
            self._do(one, template, entry, channel)

    def _join(self, one: Security, before: int, number: int) -> bool:
        """Move the book's state by how an entry joins the RptSeq; say whether it is to be applied."""
        link = one.chain.link(before, number)
        if link is Link.OLD:
            self._counts["old_entries"] += 1
            return False
        if link is Link.BROKEN:
            self._counts["rpt_seq_breaks"] += 1
            self._break(one)
            self._market.doubt(one.book)
        elif link is Link.FIRST:
            one.broken = False
            if before:
                self._break(one)
            self._market.to(one.book, BookState.SYNCING if one.broken else BookState.LIVE)
        elif not one.broken:
            self._market.to(one.book, BookState.LIVE)  # it was SUSPECT for a gap that did not touch it
        return True

    def _do(self, one: Security, template: int, entry: Any, channel: int) -> None:
        if template in _TRADE:
            self._trade(one, entry)
        elif template in _BOOK:
            self._move(one, entry)
            self._dirty.setdefault(channel, {})[one.book] = one

    def _move(self, one: Security, entry: Any) -> None:
        """Move one level by its position. What makes no sense is normal as long as the book is not complete."""
        if entry.MDEntryType == EntryType.BOOK_RESET:
            self._empty(one)
            return
        place = PLACES.get(entry.MDEntryType)
        if place is None:
            return
        one.touched[place.book] = True
        action, position = entry.MDUpdateAction, entry.MDPriceLevel
        price, size, orders = entry.MDEntryPx, entry.MDEntrySize, entry.NumberOfOrders or 0
        if one.broken and one.refresh is not None:
            one.refresh.apply(*place, action, position, price, size, orders)
        if not one.ladder(place, position).apply(action, position, price, size, orders) and not one.broken:
            self._wrong(one, entry.RptSeq)

    def _empty(self, one: Security) -> None:
        """A reset of the book tells all of it: there is nothing."""
        one.clear()
        one.chain.forget()
        one.broken = False
        self._market.to(one.book, BookState.LIVE)

    def _trade(self, one: Security, entry: Any) -> None:
        if entry.MDUpdateAction != MDUpdateAction.NEW:
            return  # a correction, or a trade that was taken back
        self._counts["trades"] += 1
        side = _RESTING.get(entry.AggressorSide, NO_SIDE)
        match = getattr(entry, "MDTradeEntryID", None) or 0
        self._market.trade(one.book, side, entry.MDEntryPx, entry.MDEntrySize, match)

    def _break(self, one: Security) -> None:
        """Trust the levels no longer: a snapshot, or all that is told from now on, makes them right."""
        one.broken = True
        if self.natural_refresh:
            one.begin_refresh()

    def _wrong(self, one: Security, reference: int) -> None:
        self._break(one)
        self._market.refuse(one.book, Refusal.BAD_VALUE, reference)

    def _end(self, indicator: int, channel: int) -> None:
        """At the end of an event, make books of the levels that it touched."""
        if indicator & MatchEventIndicator.END_OF_EVENT:
            self._counts["events"] += 1
            for one in self._dirty.pop(channel, {}).values():
                self._show(one)

    def _show(self, one: Security) -> None:
        if one.broken and one.refresh is not None and one.refresh.whole:
            self._refreshed(one, one.refresh)
        outright, implied = one.ladders
        if one.touched[0]:
            if not one.broken and not all(ladder.sound for ladder in outright):
                self._wrong(one, one.chain.last or 0)
            if not self._market.replace(one.book, *(ladder.levels() for ladder in outright)):
                self._break(one)
            if not self._market.publish(one.book, judged=one.ready):
                self._break(one)
        if one.touched[1]:
            self.implied[one.book].replace(*(ladder.levels() for ladder in implied))
        one.touched = [False, False]

    def _refreshed(self, one: Security, refresh: Refresh) -> None:
        """Put what was told since the loss in the place of the book: it is all of it."""
        ladders = refresh.ladders()
        if ladders is None:
            refresh.begin()
            return
        self._counts["refreshed"] += 1
        one.take((ladders[0], ladders[1]))
        one.chain.forget()
        self._market.to(one.book, BookState.LIVE)

    # --- snapshots

    def _snapshot(self, version: int, body: Any, channel: int) -> None:
        self._snapshot_channels.add(channel)
        one = self._security(body.SecurityID, version)
        if one is None or self.exponents[one.book][0] != cme.price_exponent(version):
            return
        one.ready = body.MDSecurityTradingStatus == READY_TO_TRADE
        ladders = ladders_of(one, body.NoMDEntries)
        if ladders is None:
            self._market.refuse(one.book, Refusal.BAD_VALUE, body.RptSeq)
        elif self.books[one.book].state in WHOLE:
            self._compare(one, ladders, body.RptSeq)
        else:
            self._take(one, ladders, body)

    def _take(self, one: Security, ladders: Ladders, body: Any) -> None:
        items = one.chain.splice(body.RptSeq) if body.LastMsgSeqNumProcessed >= one.since else None
        if items is None:
            self._counts["snapshots_passed"] += 1
            return
        self._counts["snapshots_taken"] += 1
        one.take(ladders)
        self._market.to(one.book, BookState.LIVE)
        for template, entry in items:
            if template in _BOOK:
                self._move(one, entry)
        self._show(one)

    def _compare(self, one: Security, ladders: Ladders, number: int) -> None:
        if number != one.chain.last or one.book in self._dirty.get(one.channel or 0, {}):
            self._counts["snapshots_passed"] += 1
        elif all(a.levels() == b.levels() for a, b in zip(ladders[0], one.ladders[0], strict=True)):
            self._counts["snapshots_equal"] += 1
        else:
            self._counts["snapshots_different"] += 1
            self._market.refuse(one.book, Refusal.BAD_VALUE, number)
            one.take(ladders)
            self._market.to(one.book, BookState.LIVE)
            self._show(one)

    # --- what is known of a security

    def _define(self, version: int, body: Any) -> None:
        one = self._security(body.SecurityID, version)
        if one is None:
            return
        self.names[one.book] = body.Symbol or str(body.SecurityID)
        one.group, one.defined = body.SecurityGroup, True
        one.ready = body.MDSecurityTradingStatus == READY_TO_TRADE
        for feed in body.NoMDFeedTypes:
            one.set_depth(feed.MDFeedType, feed.MarketDepth)
        depths = tuple(pair[0].depth for pair in one.ladders)
        if one.broken and (one.refresh is None or one.refresh.depths != depths):
            self._break(one)

    def _status(self, body: Any) -> None:
        ready = body.SecurityTradingStatus == READY_TO_TRADE
        if body.SecurityID is not None:
            known = self._securities.get(body.SecurityID)
            concerned = [known] if known else []
        else:
            concerned = [one for one in self._securities.values() if one.group and one.group == body.SecurityGroup]
        for one in concerned:
            one.ready = ready

    def _security(self, number: int, version: int) -> Security | None:
        one = self._securities.get(number)
        if one is None:
            book = self._market.open(str(number), (cme.price_exponent(version), 0))
            if book is None:
                return None
            self.implied.append(self._new_book())
            one = self._securities[number] = Security(book, self._room)
        return one

    def _concerns(self, channel: int, one: Security) -> bool:
        """Say whether entries of a security come on a channel, or could: one of snapshots alone carries none."""
        if one.channel is not None:
            return one.channel == channel
        return channel in self._entry_channels or channel not in self._snapshot_channels

    def _lose_channel(self, channel: int, last: int) -> None:
        for one in self._securities.values():
            if self._concerns(channel, one):
                one.since = last
                self._market.doubt(one.book)
