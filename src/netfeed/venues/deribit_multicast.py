"""Deribit's legacy multicast on books: price levels, trades, and snapshots of one channel for the books of another.

Source: Deribit's multicast guide; the rules of chain and snapshot were checked on a recording (1,064 chained updates;
every snapshot equal to the book built from increments). Prices and amounts are doubles on the wire. A book keeps them
as integers of the exponents that its definition's tick size and minimum amount have; a double is read by its shortest
decimal, and one that is finer than the exponent is refused, never rounded.

    definition                  the book is opened, EMPTY
    update, prevChangeId 0      the beginning of the instrument: LIVE
    first update, any other     SYNCING: applied as far as it goes, and held for the snapshot
    update that continues       applied; the best levels are announced at isLast
    update that does not        SUSPECT until a snapshot joins what was held since
    gap of the channel          every book of it *can* have been touched, so each is SUSPECT, until its next update
                                continues its chain - then nothing of it was lost - or a snapshot proves it
    snapshot, other books       taken when what is held joins it, and its cycle began after the last gap
    snapshot, book LIVE         of the same changeId: compared; of another content: refused, and taken
    STALE (by `move`)           compared with snapshots as a LIVE one; its next update makes it LIVE, a loss SUSPECT

A snapshot that is not of the whole depth tells nothing behind its last level: when the best falls behind that level,
the book is SUSPECT.

Leaves out: packets and sequence (`feed`), tickers, indices, RFQs and combo legs (counted only).
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from struct import Struct
from typing import Any, Final

from netfeed.book import LevelBook
from netfeed.book.change import NO_TIME, Refusal
from netfeed.book.level import Side
from netfeed.book.state import BookState
from netfeed.errors import WireError
from netfeed.machine import Buffer
from netfeed.venues.chain import Link, Room
from netfeed.venues.deribit_instrument import MAX_SNAPSHOT_LEVELS, SIDES, Gathered, Instrument
from netfeed.venues.doubles import decimals
from netfeed.venues.level_market import MAX_BOOKS, WHOLE, LevelMarket
from netfeed.wire import deribit
from netfeed.wire.deribit import BookChange, TemplateId
from netfeed.wire.sbe import UnknownTemplate

_MS: Final = 1_000_000
_HEAD: Final = Struct("<2xH8xI")  # the template, and the instrument that a body begins with
_RESTING: Final = (Side.ASK, Side.BID)  # by the direction of the taker: who buys meets an ask


@dataclass(frozen=True, slots=True)
class DeribitStatistics:
    """Counters of a `DeribitMulticastFeed`, as of the call."""

    messages: int
    books: int
    updates: int
    trades: int
    chain_breaks: int  # updates that did not continue the chain of their instrument
    old_updates: int  # updates that a snapshot had brought already
    undefined: int  # updates, snapshots and trades of an instrument without a definition so far
    inexact: int  # prices and amounts that are no integer of their instrument's exponents
    snapshots_taken: int
    snapshots_equal: int  # those that were what the LIVE book of the same change held
    snapshots_different: int
    snapshots_passed: int  # those that could not be joined, or that nobody needed
    gaps: int
    malformed: int
    unknown_templates: int
    refused: dict[str, int]


class DeribitMulticastFeed:
    """The books of Deribit's multicast channels; a channel is the `channelId` of its packets."""

    protocol: Final = "deribit/sbe"

    def __init__(self, *, new_book: Callable[[], LevelBook] = LevelBook, max_books: int = MAX_BOOKS) -> None:
        market = self._market = LevelMarket(new_book=new_book, max_books=max_books)
        self.by_type, self.names, self.books = market.by_type, market.names, market.books
        self.exponents, self.changes = market.exponents, market.changes
        self._instruments: dict[int, Instrument] = {}
        self._max_instruments = max_books
        self._room = Room()
        self._moments = 0
        self._cycles: dict[int, int] = {}  # the moment at which each snapshot channel began its cycle
        self._torn: set[int] = set()  # snapshot channels where the next message may be the middle of a snapshot
        self._update_channels: set[int] = set()
        self._counts: dict[str, Any] = {field.name: 0 for field in fields(DeribitStatistics)}
        self._handlers: dict[int, Callable[[Any, int, int], None]] = {
            TemplateId.INSTRUMENT: self._define, TemplateId.INSTRUMENT_V2: self._define, TemplateId.BOOK: self._update,
            TemplateId.TRADES: self._trades, TemplateId.SNAPSHOT: self._snapshot,
            TemplateId.SNAPSHOT_START: self._snapshot_start,
        }  # fmt: skip

    def apply(self, message: Buffer, sequence: int, ts_recv_ns: int, channel: int = 0) -> None:
        """Apply one message, in sequence; one that does not decode is refused."""
        self._market.at(sequence, ts_recv_ns, channel)
        self._counts["messages"] += 1
        try:
            header, body = deribit.decode(message)
        except UnknownTemplate as error:
            self._market.count(error.found)
            self._counts["unknown_templates"] += 1
        except WireError:
            self._malformed(message, channel)
        else:
            self._market.count(str(header.templateId))
            handler = self._handlers.get(header.templateId)
            if handler:
                handler(body, channel, len(message))

    def gap(self, first: int, last: int, ts_recv_ns: int, channel: int = 0) -> None:
        """Take note that packets of a channel are lost: its books are SUSPECT until each proves that it is whole."""
        self._market.at(first, ts_recv_ns, channel)
        self._market.gap(first, last)
        self._counts["gaps"] += 1
        self._lose_channel(channel)

    def doubt(self, first: int, last: int, ts_recv_ns: int = NO_TIME, channel: int = 0) -> None:
        """Take note that messages are missing which may still come: what they can have touched is SUSPECT till then."""
        self._market.at(first, ts_recv_ns, channel)
        concerned = (one for one in self._instruments.values() if self._concerns(channel, one))
        self._market.doubt_all(one.book for one in concerned if one.book is not None)

    def trust(self, ts_recv_ns: int = NO_TIME, channel: int = 0) -> None:
        """Take note that all that was missing has been applied: what was only doubted is LIVE again."""
        concerned = (one for one in self._instruments.values() if self._concerns(channel, one) and not one.broken)
        self._market.trust_all(one.book for one in concerned if one.book is not None)

    def snapshot_broken(self) -> None:
        """Take note that snapshot messages were lost: what is coming in may have a hole."""
        self._torn.update(self._cycles)
        for one in self._instruments.values():
            one.forget_snapshot()

    def move(self, book: int, state: BookState) -> None:
        """Move a book to another state for a reason that lies outside of the messages, as a silent source does."""
        self._market.to(book, state)

    def touches(self, message: Buffer) -> list[int]:
        """Give the book that an update names."""
        template, number = _HEAD.unpack_from(message) if len(message) >= _HEAD.size else (0, 0)
        one = self._instruments.get(number) if template == TemplateId.BOOK else None
        return [] if one is None or one.book is None else [one.book]

    def reset(self, channel: int = 0) -> None:
        """Forget the books of a channel: its sender counts anew."""
        for one in self._instruments.values():
            if self._concerns(channel, one):
                one.reset()
                if one.book is not None:
                    self._market.reset(one.book)

    def statistics(self) -> DeribitStatistics:
        """Return the counters, as of the call."""
        refused = {reason.name: count for reason, count in self._market.refused.items()}
        return DeribitStatistics(**{**self._counts, "books": len(self.books), "refused": refused})

    # --- definitions

    def _define(self, body: Any, channel: int, size: int) -> None:
        one = self._instrument(body.instrumentId)
        if one is None:
            return
        price = decimals([body.tickSize, *(step.tickSize for step in getattr(body, "tickStepsList", ()))])
        quantity = decimals([body.minTradeAmount, body.contractSize])
        if price is None or quantity is None:
            self._market.refuse(one.book, Refusal.BAD_VALUE, body.instrumentId)
        elif one.book is not None:
            self._refine(one, one.book, (price, quantity))
        else:
            one.exponents = (price, quantity)
            one.book = self._market.open(body.instrumentName or str(body.instrumentId), one.exponents)
            if one.book is not None and one.chain.holding:
                self._catch_up(one, one.book)

    def _catch_up(self, one: Instrument, book: int) -> None:
        """Apply the updates that came before the definition, where they are all since the beginning."""
        items = one.chain.splice(0)
        if items:
            self._go_live(one, book, items)

    def _refine(self, one: Instrument, book: int, wanted: tuple[int, int]) -> None:
        """Make the exponents finer when the definition became so; the levels of the old ones mean nothing then."""
        finer = min(one.exponents[0], wanted[0]), min(one.exponents[1], wanted[1])
        if finer != one.exponents:
            one.exponents = self.exponents[book] = finer
            one.reset()
            self._market.reset(book)

    # --- updates and trades

    def _update(self, body: Any, channel: int, size: int) -> None:
        one = self._instrument(body.instrumentId)
        if one is None:
            return
        self._counts["updates"] += 1
        one.channel = channel
        self._update_channels.add(channel)
        if one.book is None:
            self._counts["undefined"] += 1
            one.chain.hold(body.prevChangeId, body.changeId, body, size)
            return
        self._market.happened(body.timestampMs * _MS)
        if self._join(one, one.book, body):
            if one.broken:
                one.chain.hold(body.prevChangeId, body.changeId, body, size)
            one.chain.follow(body.prevChangeId, body.changeId, whole=bool(body.isLast))
            self._change(one, one.book, body)

    def _join(self, one: Instrument, book: int, body: Any) -> bool:
        """Move the book's state by how an update joins its chain; say whether it is to be applied."""
        link = one.chain.link(body.prevChangeId, body.changeId)
        if link is Link.OLD:
            self._counts["old_updates"] += 1
            return False
        if link is Link.BROKEN:
            self._counts["chain_breaks"] += 1
            one.broken = True
            self._market.doubt(book)
        elif link is Link.FIRST and body.prevChangeId == 0:
            one.broken = False
            self._market.to(book, BookState.LIVE)
        elif link is Link.FIRST:
            self._market.to(book, BookState.SYNCING)
        elif not one.broken:
            self._market.to(book, BookState.LIVE)  # it was SUSPECT for a gap that did not touch it
        return True

    def _change(self, one: Instrument, book: int, body: Any) -> None:
        for change in body.changesList:
            side = SIDES.get(change.side)
            price, quantity = self._exact(one, change.price, change.amount)
            if side is None or price is None or quantity is None or change.change > BookChange.DELETED:
                one.broken = True
                self._market.refuse(book, Refusal.BAD_VALUE, body.changeId)
                continue
            gone = change.change == BookChange.DELETED
            if self._market.set(book, side, price, 0 if gone else quantity):
                self._check_limit(one, book, side)
        one.broken |= self.books[book].state == BookState.SUSPECT  # a level was refused by the book itself
        if body.isLast:
            one.broken |= not self._market.publish(book, judged=True)

    def _check_limit(self, one: Instrument, book: int, side: Side) -> None:
        best = self.books[book].bid if side == Side.BID else self.books[book].ask
        if one.beyond(side, best):
            one.broken = True
            self._market.doubt(book)

    def _trades(self, body: Any, channel: int, size: int) -> None:
        one = self._instruments.get(body.instrumentId)
        for trade in body.tradesList:
            self._counts["trades"] += 1
            if one is None or one.book is None:
                self._counts["undefined"] += 1
                continue
            self._market.happened(trade.timestampMs * _MS)
            price, quantity = self._exact(one, trade.price, trade.amount)
            if price is None or quantity is None or trade.direction > 1:
                self._market.refuse(one.book, Refusal.BAD_VALUE, trade.tradeId)
            else:
                side = _RESTING[trade.direction]
                self._market.trade(one.book, side, price, quantity, trade.tradeId, trade.liquidation)

    # --- snapshots

    def _snapshot_start(self, body: Any, channel: int, size: int) -> None:
        self._moments += 1
        self._cycles[channel] = self._moments
        self._torn.discard(channel)

    def _snapshot(self, body: Any, channel: int, size: int) -> None:
        if channel not in self._cycles:
            self._cycles[channel] = 0
            self._torn.add(channel)
        if channel in self._torn:  # this may be the rest of a snapshot whose beginning was not seen
            self._counts["snapshots_passed"] += 1
            if body.isLastInBook:
                self._torn.discard(channel)
            return
        one = self._instrument(body.instrumentId)
        if one is None or one.book is None:
            self._counts["undefined"] += 1
            return
        self._market.happened(body.timestampMs * _MS)
        gathered = one.gather(body, channel)
        if gathered is Gathered.NONSENSE:
            self._market.refuse(one.book, Refusal.BAD_VALUE, body.changeId)
        elif gathered is Gathered.DONE and self.books[one.book].state in WHOLE:
            self._compare(one, one.book, body)
        elif gathered is Gathered.DONE:
            self._take(one, one.book, body, fresh=self._cycles[channel] > one.since)

    def _take(self, one: Instrument, book: int, body: Any, *, fresh: bool) -> None:
        items = one.chain.splice(body.changeId) if fresh else None
        if items is None:
            self._counts["snapshots_passed"] += 1
        elif self._market.replace(book, *one.levels):
            self._counts["snapshots_taken"] += 1
            one.set_limits(whole=bool(body.isBookComplete))
            self._go_live(one, book, items)
        else:
            one.broken = True

    def _go_live(self, one: Instrument, book: int, items: list[Any]) -> None:
        """Trust the book, and apply the updates that came after what it holds."""
        one.broken = False
        self._market.to(book, BookState.LIVE)
        for body in items:
            self._change(one, book, body)
        one.broken |= not self._market.publish(book, judged=True)

    def _compare(self, one: Instrument, book: int, body: Any) -> None:
        if body.changeId != one.chain.last or not body.isBookComplete or one.limits != (None, None):
            self._counts["snapshots_passed"] += 1
            return
        held = [self.books[book].depth(side, MAX_SNAPSHOT_LEVELS) for side in Side]
        if all(sorted(one.levels[side]) == sorted(held[side]) for side in Side):
            self._counts["snapshots_equal"] += 1
            return
        self._counts["snapshots_different"] += 1
        self._market.refuse(book, Refusal.BAD_VALUE, body.changeId)
        if self._market.replace(book, *one.levels):
            self._go_live(one, book, [])

    # --- inside

    def _instrument(self, number: int) -> Instrument | None:
        one = self._instruments.get(number)
        if one is None and len(self._instruments) < self._max_instruments:
            one = self._instruments[number] = Instrument(self._room)
        elif one is None:
            self._market.refuse(None, Refusal.FULL, number)
        return one

    def _exact(self, one: Instrument, price: float, amount: float) -> tuple[int | None, int | None]:
        both = one.exact(price, amount)
        self._counts["inexact"] += None in both
        return both

    def _concerns(self, channel: int, one: Instrument) -> bool:
        """Say whether updates of an instrument come on a channel, or could: one of snapshots alone carries none."""
        if one.channel is not None:
            return one.channel == channel
        return channel in self._update_channels or channel not in self._cycles

    def _lose_channel(self, channel: int) -> None:
        self._moments += 1
        if channel in self._cycles:
            self._torn.add(channel)
        for one in self._instruments.values():
            one.forget_snapshot(channel)
            if self._concerns(channel, one):
                one.since = self._moments
                if one.book is not None:
                    self._market.doubt(one.book)

    def _malformed(self, message: Buffer, channel: int) -> None:
        """Refuse bytes that do not decode: an update is its instrument's; what cannot be read is the channel's."""
        self._counts["malformed"] += 1
        if len(message) < _HEAD.size:
            self._market.refuse(None, Refusal.BAD_LENGTH)
            self._lose_channel(channel)
            return
        template, number = _HEAD.unpack_from(message)
        one = self._instruments.get(number) if template in (TemplateId.BOOK, TemplateId.SNAPSHOT) else None
        if one and template == TemplateId.BOOK:
            one.broken = True
        self._market.refuse(one.book if one else None, Refusal.BAD_LENGTH)
