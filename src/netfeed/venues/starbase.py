"""What Starbase messages do to order books: the plain twin that defines `netfeed._core.starbase`.

Source: Deribit Starbase market data, SBE schema 2102 version 1, and its guide to maintaining an order book. The feed
is L3. A Put of a known order is an amend: price, quantity and priority are new. Priority is `sortOrderId`, never
arrival. A reduction names the order's new visible quantity (no smaller than 1, no larger than before) and keeps its
priority; the published schema does not say whether the field is the new quantity or the difference, and a feed that
meant the difference would be refused here, loudly, on the first reduction by more than a half. Trades do not move the
book; the Puts, reductions and deletes of the same transaction do.

A book is published at the end of a transaction only: inside one it may be crossed.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from netfeed.book.change import NO_BOOK, NO_SIDE, NO_TIME, Refusal, TradeFlag
from netfeed.book.handle import OrderBook
from netfeed.book.l3 import MAX_ORDERS, BooksStatistics, OrderBooks
from netfeed.book.level import Side
from netfeed.book.state import BookState
from netfeed.build import select
from netfeed.errors import WireError
from netfeed.machine import Buffer
from netfeed.wire import starbase
from netfeed.wire.starbase import MessageFlags, TemplateId

MAX_BOOKS: Final = 1 << 16
"""Far more instruments than Deribit lists."""

MAX_SNAPSHOT_ORDERS: Final = 1 << 20
"""Orders of one instrument's snapshot; more is not a snapshot."""
MAX_RIPE: Final = 64
"""Snapshots that wait for the end of a transaction; what is more comes again in the next cycle."""
ROOM: Final = 65_000
"""Changes that a feed holds before they must be taken, as in `venues.itch`. Just below 4 MiB."""
PRICE_EXPONENT: Final = -9

Since = Callable[[int], list[tuple[int, bytes]] | None]
"""What came after a sequence number, None when it is not all remembered."""

_UNSURE: Final = frozenset({BookState.EMPTY, BookState.SYNCING, BookState.SUSPECT})
_BOOK_MESSAGES: Final = range(TemplateId.BID_PUT, TemplateId.ASK_DELETE + 1)
_OPEN: Final = 0


class StarbaseBooks:
    """The books of one Starbase channel."""

    protocol = "starbase"

    def __init__(self, *, max_orders: int = MAX_ORDERS, max_books: int = MAX_BOOKS) -> None:
        self.books = OrderBooks(max_orders=max_orders, max_books=max_books)
        self.fresh_state: BookState | int = BookState.LIVE
        self.by_type: dict[str, int] = {}
        self._by_instrument: dict[int, int] = {}

    def define(self, instrument_id: int) -> int:
        """Give the book of an instrument, a new one when it is not known; NO_BOOK at the bound."""
        book = self._by_instrument.get(instrument_id)
        if book is None:
            book = self.books.add_book(self.fresh_state)
            if book != NO_BOOK:
                self._by_instrument[instrument_id] = book
        return book

    def book(self, instrument_id: int) -> int:
        """Give the book of an instrument, NO_BOOK when it is not known."""
        return self._by_instrument.get(instrument_id, NO_BOOK)

    def apply(self, message: Buffer, sequence: int, ts_recv_ns: int = NO_TIME, channel: int = 0) -> None:
        """Apply one message. Bytes that make no sense are refused: counted, announced, and their book is SUSPECT."""
        self.books.at(sequence, NO_TIME, ts_recv_ns, channel)
        if len(message) < starbase.MESSAGE_HEADER.size or int.from_bytes(message[:2], "little") != len(message):
            self.books.refuse(NO_BOOK, Refusal.BAD_LENGTH)
            return
        header = starbase.MESSAGE_HEADER.decode(message)
        kind = str(header.templateId) if header.templateId < 256 else "other"
        self.by_type[kind] = self.by_type.get(kind, 0) + 1
        self.books.at(sequence, header.transactTime, ts_recv_ns, channel)
        if header.flags & MessageFlags.START_OF_TRANSACTION:
            self.books.end()
        if header.templateId != TemplateId.INSTRUMENT_DEFINITION and header.templateId in starbase.SCHEMA.templates:
            self._apply(header.templateId, message)
        if header.flags & MessageFlags.END_OF_TRANSACTION:
            self.books.end()

    def _apply(self, template: int, message: Buffer) -> None:
        try:
            m = starbase.decode(message)[1]
        except WireError:
            named = template in _BOOK_MESSAGES and len(message) >= 32
            book = self.book(int.from_bytes(message[24:32], "little", signed=True)) if named else NO_BOOK
            self.books.refuse(book, Refusal.BAD_LENGTH)
            return
        if template in (TemplateId.BID_PUT, TemplateId.ASK_PUT):
            self._put(Side(template & 1), m)
        elif template in _BOOK_MESSAGES:
            self._change(template, m)
        elif template in (TemplateId.TRADE, TemplateId.BLOCK_TRADE):
            self._trade(template, m)
        elif template == TemplateId.INSTRUMENT_STATUS_UPDATE and self.book(m.instrumentId) != NO_BOOK:
            self.books.judge(self.book(m.instrumentId), m.tradingStatus == _OPEN)

    def _put(self, side: Side, m: Any) -> None:
        book, order_id = self.define(m.instrumentId), m.orderId % 2**64
        if book == NO_BOOK:
            self.books.refuse(NO_BOOK, Refusal.FULL, order_id)
        else:
            self.books.put(book, order_id, side, m.price, m.quantity, m.sortOrderId)

    def _change(self, template: int, m: Any) -> None:
        """Reduce or delete an order, which must rest in its instrument and on its side."""
        book, order_id = self.book(m.instrumentId), m.orderId % 2**64
        found = self.books.order(order_id)
        if book == NO_BOOK:
            self.books.refuse(NO_BOOK, Refusal.UNKNOWN_BOOK, order_id)
        elif found and found[0] == book and found[1].side != template & 1:
            self.books.refuse(book, Refusal.WRONG_BOOK, order_id)
        elif template in (TemplateId.BID_DELETE, TemplateId.ASK_DELETE):
            self.books.delete(book, order_id)
        else:
            self.books.resize(book, order_id, m.quantity)

    def _trade(self, template: int, m: Any) -> None:
        book = self.book(m.instrumentId)
        if book == NO_BOOK:
            return
        if template == TemplateId.BLOCK_TRADE:
            self.books.trade(book, NO_SIDE, m.fillPrice, m.fillQty, m.matchId % 2**64, TradeFlag.BLOCK)
        else:
            self.books.trade(book, m.makerFlags & 1, m.fillPrice, m.fillQty, m.matchId % 2**64)


class StarbaseFeed:
    """A Starbase channel as a feed: incrementals to the compiled or the plain books, snapshots spliced in here."""

    protocol = "starbase"

    def __init__(self) -> None:
        self.stream: StarbaseBooks = select("starbase", __name__, "StarbaseBooks")()
        self.stream.books.reserve(ROOM)
        self.snapshots_adopted = 0
        self.snapshot_faults: Counter[str] = Counter()  # snapshots that contradict themselves, by how
        self._names: list[str] = []
        self._exponents: list[tuple[int, int]] = []
        self._handles: list[OrderBook] = []
        self.definitions: dict[int, Any] = {}  # what the venue lists, by book: the fields of its definition
        self._snapshot: _Snapshot | None = None
        self._ripe: dict[int, tuple[_Snapshot, int, int, Since]] = {}  # complete, while a transaction is open
        self._snapshot_types: dict[str, int] = {}
        self._again: Counter[str] = Counter()  # incrementals that were applied once more, behind a snapshot
        self._last = 0
        self._whole = True  # no instrument can be there that has no book here
        self._cycle: set[int] | None = None  # the instruments of a cycle that has been followed from its beginning

    @property
    def by_type(self) -> dict[str, int]:
        """Count messages by their template, those of the snapshot channel among them."""
        counts = Counter(self.stream.by_type)
        counts.update(self._snapshot_types)
        counts.subtract(self._again)
        return dict(counts)

    @property
    def books(self) -> list[OrderBook]:
        """Give a view of each book, in the order in which they were opened."""
        self._reach()
        return self._handles

    @property
    def names(self) -> list[str]:
        """Name the instrument of each book; one that is not defined yet goes by its number in the feed."""
        self._reach()
        return self._names

    @property
    def exponents(self) -> list[tuple[int, int]]:
        """Give the decimal exponents of price and quantity for each book."""
        self._reach()
        return self._exponents

    @property
    def needs_snapshot(self) -> bool:
        """Say whether a book waits for a snapshot, or an instrument could be there that has no book yet."""
        return not self._whole or any(
            self.stream.books.state(book) in _UNSURE for book in range(len(self.stream.books))
        )

    def knows(self, instrument_id: int) -> bool:
        """Say whether an instrument has a book here."""
        return self.stream.book(instrument_id) != NO_BOOK

    def begin(self, whole: bool) -> None:
        """Say whether the stream is seen from its first message on: the book of a late join waits for a snapshot."""
        self.stream.fresh_state = BookState.LIVE if whole else BookState.SYNCING
        self._whole, self._cycle = whole, None

    def apply(self, message: Buffer, sequence: int, ts_recv_ns: int = NO_TIME, channel: int = 0) -> None:
        """Apply the next message of the stream."""
        self._last = sequence
        if _template(message) == TemplateId.INSTRUMENT_DEFINITION:
            self._define(message)
        self.stream.apply(message, sequence, ts_recv_ns, channel)
        if self._ripe and not self.stream.books.in_transaction:
            self._adopt_ripe()

    def gap(self, first: int, last: int, ts_recv_ns: int = NO_TIME, channel: int = 0) -> None:
        """Take note of a loss. What was lost could have touched any book, those included that are not open yet."""
        self.stream.books.at(first, NO_TIME, ts_recv_ns, channel)
        self.stream.books.suspect_all(first, last)
        self.stream.fresh_state = BookState.SUSPECT
        self._whole, self._cycle = False, None
        self._last = max(self._last, last)  # the stream goes on behind it, even where nothing follows for long

    def doubt(self, first: int, last: int, ts_recv_ns: int = NO_TIME, channel: int = 0) -> None:
        """Take note that messages are missing which may still come: what they can have touched is SUSPECT till then."""
        self.stream.books.at(first, NO_TIME, ts_recv_ns, channel)
        self.stream.books.doubt_all()

    def trust(self, ts_recv_ns: int = NO_TIME, channel: int = 0) -> None:
        """Take note that all that was missing has been applied: what was only doubted is LIVE again."""
        self.stream.books.trust_all()

    def touches(self, message: Buffer) -> list[int]:
        """Give the book that a message moves."""
        instrument = _instrument(message)
        book = NO_BOOK if instrument is None else self.stream.book(instrument)
        return [] if book == NO_BOOK else [book]

    def snapshot(self, message: Buffer, sequence: int, ts_recv_ns: int, channel: int, since: Since) -> None:
        """Take a message of the snapshot channel; an instrument's trailer completes its snapshot.

        `since(S)` gives the incrementals after S that have been delivered, None when they are not all remembered. A
        book that is not LIVE becomes the snapshot and what came after it; a LIVE one is left alone.
        """
        template = _template(message)
        self._snapshot_types[str(template)] = self._snapshot_types.get(str(template), 0) + 1
        try:
            body = starbase.decode(message)[1]
        except WireError:
            self._refuse_snapshot("a message does not decode")
            self._cycle = None
            return
        if template in (TemplateId.SNAPSHOT_HEADER, TemplateId.END_OF_CYCLE) and self._snapshot is not None:
            self._refuse_snapshot("it has no trailer")
        if template == TemplateId.SNAPSHOT_HEADER:
            self._snapshot = _Snapshot(body.instrumentId, body.incrementalSeqNum, [])
        elif template == TemplateId.INSTRUMENT_DEFINITION:
            self._define(message)
        elif template in (TemplateId.BID_PUT, TemplateId.ASK_PUT):
            self._collect(body, Side(template & 1))
        elif template == TemplateId.SNAPSHOT_TRAILER and self._snapshot is not None:
            complete, self._snapshot = self._snapshot, None
            if (body.instrumentId, body.incrementSeqNum) != (complete.instrument, complete.sequence):
                self._refuse_snapshot("its trailer contradicts its header")
            else:
                self._adopt(complete, ts_recv_ns, channel, since)
                if self._cycle is not None:
                    self._cycle.add(complete.instrument)
        elif template == TemplateId.END_OF_CYCLE:
            self._end_cycle(body.activeInstrumentCount)

    def advance(self, sequence: int) -> None:
        """Take note that a fast path applied everything up to `sequence`."""
        self._last = sequence

    def snapshot_broken(self) -> None:
        """Take note that snapshot messages were lost: what was being collected is not whole, nor is its cycle."""
        self._snapshot = self._cycle = None

    def reset(self, channel: int = 0) -> None:
        """Empty all books: the sender counts anew."""
        self.stream.books.clear_all()
        for book in range(len(self.stream.books)):
            self.stream.books.to(book, BookState.EMPTY)
        self.stream.books.end()
        self._ripe.clear()
        self._last = 0
        self.begin(whole=True)

    def take(self) -> Any:
        """Return the changes since the last call, as an array of CHANGE that is valid until the next message."""
        return self.stream.books.take()

    def statistics(self) -> BooksStatistics:
        """Return the counters as they are now."""
        return self.stream.books.statistics()

    def _end_cycle(self, instruments: int) -> None:
        """After a cycle that was seen from its beginning every instrument has a book: new ones begin in the stream."""
        if self._cycle is not None and len(self._cycle) == instruments and not self._whole:
            self._whole = True
            self.stream.fresh_state = BookState.LIVE
        self._cycle = set()

    def _reach(self) -> None:
        for book in range(len(self._handles), len(self.stream.books)):
            self._handles.append(OrderBook(self.stream.books, book))
            self._names.append(f"#{book}")
            self._exponents.append((PRICE_EXPONENT, 0))

    def _define(self, message: Buffer) -> None:
        try:
            body = starbase.decode(message)[1]
        except WireError:
            self.stream.books.refuse(NO_BOOK, Refusal.BAD_LENGTH)
            return
        book = self.stream.define(body.instrumentId)
        if book != NO_BOOK:
            self._reach()
            self._names[book] = body.name
            self.definitions[book] = body
            self._exponents[book] = (PRICE_EXPONENT, body.quantityExponent)

    def _collect(self, body: Any, side: Side) -> None:
        snapshot = self._snapshot
        if snapshot is None:
            return
        if body.instrumentId != snapshot.instrument:
            self._refuse_snapshot("an order is of another instrument")
            return
        if len(snapshot.orders) >= MAX_SNAPSHOT_ORDERS:
            self._refuse_snapshot("it has too many orders")
            return
        snapshot.orders.append((body.orderId % 2**64, side, body.price, body.quantity, body.sortOrderId))

    def _refuse_snapshot(self, why: str) -> None:
        self.snapshot_faults[why] += 1
        self._snapshot = None

    def _adopt_ripe(self) -> None:
        ripe, self._ripe = self._ripe, {}
        for adoption in ripe.values():
            self._adopt(*adoption)

    def _adopt(self, snapshot: "_Snapshot", ts_recv_ns: int, channel: int, since: Since) -> None:
        """Put a snapshot and what came after it in the place of a book that is not right.

        In the middle of a transaction it waits for the end: ending it here would tell half of what it does to others.
        """
        if self.stream.books.in_transaction:
            if len(self._ripe) < MAX_RIPE or snapshot.instrument in self._ripe:
                self._ripe[snapshot.instrument] = snapshot, ts_recv_ns, channel, since
            return
        book = self.stream.define(snapshot.instrument)
        if book == NO_BOOK or self.stream.books.state(book) not in _UNSURE:
            return
        later = [] if snapshot.sequence == self._last else since(snapshot.sequence)
        if later is None or snapshot.sequence > self._last:
            return  # the stream has not come so far, or what came since is not all remembered: the next cycle will do
        books = self.stream.books
        books.at(snapshot.sequence, NO_TIME, ts_recv_ns, channel)
        books.clear(book)
        books.to(book, BookState.SYNCING)
        before = sum(books.statistics().refused.values())
        for order in snapshot.orders:
            books.add(book, *order)
        for sequence, message in later:
            if _instrument(message) == snapshot.instrument:
                self.stream.apply(message, sequence, ts_recv_ns, channel)
                self._again[str(_template(message))] += 1
        books.end()
        if sum(books.statistics().refused.values()) == before:
            books.to(book, BookState.LIVE)
            self.snapshots_adopted += 1
        else:
            books.to(book, BookState.SUSPECT)
            self.snapshot_faults["its orders are refused"] += 1


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """One instrument's snapshot while it is being collected."""

    instrument: int
    sequence: int
    orders: list[tuple[int, Side, int, int, int]]


def _template(message: Buffer) -> int:
    return int.from_bytes(message[2:4], "little")


def _instrument(message: Buffer) -> int | None:
    """Give the instrument of a message that moves a book, None of any other."""
    if _template(message) not in _BOOK_MESSAGES or len(message) < 32:
        return None
    return int.from_bytes(message[24:32], "little", signed=True)
