"""What TotalView-ITCH 5.0 messages do to order books: the plain twin that defines `netfeed._core.itch`.

Source: Nasdaq TotalView-ITCH 5.0 (revision of 19 February 2026), sections 1.2 to 1.5. Executions and cancels are
cumulative decrements; an order with no shares left is gone; a replace takes the rest of the old order away and joins
the queue at its end; P, Q and B do not touch the book. Prices are integers of 10**-4, quantities whole shares.

Every message is a transaction of its own. A book is only judged crossed while its stock trades (H with state T, or
no H yet): in a halt and before an auction orders may stand across each other.

A book belongs to a stock, not to a locate code: where a session that is over had a book of the stock, the new one goes
on with it, so that a stream has as many books after a hundred sessions as it has stocks.

Left out: sequence and loss (`feed`); broken trades (counted by type, nothing is undone).
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Final

from netfeed.book.change import NO_BOOK, NO_SIDE, NO_TIME, Refusal, TradeFlag
from netfeed.book.handle import OrderBook
from netfeed.book.l3 import MAX_ORDERS, BooksStatistics, OrderBooks
from netfeed.book.level import Side
from netfeed.book.state import BookState
from netfeed.build import select
from netfeed.machine import Buffer
from netfeed.wire import itch

MAX_BOOKS: Final = 1 << 16
"""A locate code has 16 bits: no session has more. Stocks keep their books from session to session, so that a run of a
handler ends at 65,536 different ones: what is more is refused."""
ROOM: Final = 65_000
"""Changes that a feed holds before they must be taken: some thousands of messages. Just below 4 MiB, where NumPy begins
to ask for huge pages: a feed of a few changes should cost a few pages."""
END, PARTIAL, MARKER, FULL = range(4)
"""How `run` stopped: at the end of the buffer, inside a record, at a zero length, with a full batch of changes."""

Since = Callable[[int], list[tuple[int, bytes]] | None]
"""What came after a sequence number, None when it is not all remembered."""

_SIDES: Final = {"B": Side.BID, "S": Side.ASK}
_UNSURE: Final = frozenset({BookState.SYNCING, BookState.SUSPECT})
"""An EMPTY book is one of a session that is over, whose stock the new one has not named yet."""
_ADDS: Final = frozenset("AF")
_NAMES: Final = frozenset("EXDCU")
"""The messages that add an order, and those that name one, all in the same place."""
_ORDER_SIZE: Final = 19


class ItchBooks:
    """The books of one ITCH stream."""

    protocol = "itch50"

    def __init__(self, *, max_orders: int = MAX_ORDERS, max_books: int = MAX_BOOKS) -> None:
        self.books = OrderBooks(max_orders=max_orders, max_books=max_books)
        self.fresh_state: BookState | int = BookState.LIVE
        self.by_type: dict[str, int] = {}
        self.names: list[str] = []
        self._by_locate: dict[int, int] = {}
        self._ended: dict[str, list[int]] = {}

    def forget_locates(self) -> None:
        """Forget which locate code is which book: a new session deals them anew, and a stock gets its old book back.

        Of a stock that had several, those opened first are given first.
        """
        self._by_locate.clear()
        self._ended.clear()
        for book in reversed(range(len(self.names))):
            self._ended.setdefault(self.names[book], []).append(book)

    def run(self, data: Buffer, offset: int, sequence: int) -> tuple[int, int, int]:
        """Apply the length-prefixed records from `offset` on; the first one has the number `sequence`.

        Returns the next offset, the next sequence, and how it stopped.
        Raises: ValueError when `offset` is outside the buffer.
        """
        view = memoryview(data)
        if not 0 <= offset <= len(view):
            raise ValueError(f"offset {offset} is outside the buffer of {len(view)} bytes")
        while offset < len(view):
            length = int.from_bytes(view[offset : offset + 2], "big")
            if offset + 2 > len(view) or offset + 2 + length > len(view):
                return offset, sequence, PARTIAL
            if not length:
                return offset, sequence, MARKER
            self.apply(view[offset + 2 : offset + 2 + length], sequence)
            offset, sequence = offset + 2 + length, sequence + 1
        return offset, sequence, END

    def apply(self, message: Buffer, sequence: int, ts_recv_ns: int = NO_TIME, channel: int = 0) -> None:
        """Apply one message. Bytes that make no sense are refused: counted, announced, and their book is SUSPECT."""
        if len(message):
            kind = chr(message[0])
            self.by_type[kind] = self.by_type.get(kind, 0) + 1
        if len(message) < itch.HEADER_SIZE:
            self.books.at(sequence, NO_TIME, ts_recv_ns, channel)
            self.books.refuse(NO_BOOK, Refusal.BAD_LENGTH)
            return
        self.books.at(sequence, int.from_bytes(message[5:11], "big"), ts_recv_ns, channel)
        size = itch.SIZES[message[0]]
        if size == len(message):
            self._apply(kind, itch.decode(message))
            self.books.end()
        elif size:
            self.books.refuse(self._by_locate.get(int.from_bytes(message[1:3], "big"), NO_BOOK), Refusal.BAD_LENGTH)

    def _apply(self, kind: str, m: Any) -> None:
        if kind in "AF":
            self._add(m)
        elif kind in "DXECU":
            book = self._owner(m, m.original_order_reference_number if kind == "U" else m.order_reference_number)
            if book != NO_BOOK:
                self._change(kind, book, m)
        elif kind in "RHPQ":
            self._other(kind, self._book(m), m)

    def _add(self, m: Any) -> None:
        book = self._book(m)
        if book == NO_BOOK:
            return
        if m.buy_sell_indicator not in _SIDES:
            self.books.refuse(book, Refusal.BAD_VALUE, m.order_reference_number)
        else:
            self.books.add(book, m.order_reference_number, _SIDES[m.buy_sell_indicator], m.price, m.shares)

    def _change(self, kind: str, book: int, m: Any) -> None:
        if kind == "D":
            self.books.delete(book, m.order_reference_number)
        elif kind == "X":
            self.books.reduce(book, m.order_reference_number, m.cancelled_shares)
        elif kind == "U":
            order, new = m.original_order_reference_number, m.new_order_reference_number
            self.books.replace(book, order, new, m.price, m.shares)
        else:
            self._execute(kind, book, m)

    def _execute(self, kind: str, book: int, m: Any) -> None:
        found = self.books.order(m.order_reference_number)
        if found and found[0] == book and 0 < m.executed_shares <= found[1].quantity:
            price = m.execution_price if kind == "C" else found[1].price
            flags = TradeFlag.UNPRINTED if kind == "C" and m.printable == "N" else TradeFlag(0)
            flags |= TradeFlag.REPRICED if price != found[1].price else TradeFlag(0)
            self.books.trade(book, found[1].side, price, m.executed_shares, m.match_number, flags)
        self.books.reduce(book, m.order_reference_number, m.executed_shares)

    def _other(self, kind: str, book: int, m: Any) -> None:
        if book == NO_BOOK:
            return
        if kind == "H":
            self.books.judge(book, m.trading_state == "T")
        elif kind == "P":
            side = Side.ASK if m.buy_sell_indicator == "S" else Side.BID
            self.books.trade(book, side, m.price, m.shares, m.match_number, TradeFlag.HIDDEN)
        elif kind == "Q":
            shares = (m.cross_shares ^ 1 << 63) - (1 << 63)  # as the signed 64 bits of a change
            self.books.trade(book, NO_SIDE, m.cross_price, shares, m.match_number, TradeFlag.CROSS)

    def _owner(self, m: Any, order_id: int) -> int:
        """Give the book that the locate code names; a message about a locate never seen is refused."""
        book = self._by_locate.get(m.stock_locate, NO_BOOK)
        if book == NO_BOOK:
            unknown = self.books.order(order_id) is None
            self.books.refuse(NO_BOOK, Refusal.UNKNOWN_ORDER if unknown else Refusal.WRONG_BOOK, order_id)
        return book

    def _book(self, m: Any) -> int:
        """Find the book of a locate code, or open it under the stock that the message names; refuse it at the bound."""
        book = self._by_locate.get(m.stock_locate)
        if book is None:
            book = self._reopen(m.stock) if self._ended.get(m.stock) else self._open(m.stock)
            if book == NO_BOOK:
                self.books.refuse(NO_BOOK, Refusal.FULL)
                return NO_BOOK
            self._by_locate[m.stock_locate] = book
        return book

    def _open(self, stock: str) -> int:
        book = self.books.add_book(self.fresh_state)
        if book != NO_BOOK:
            self.names += [""] * (book - len(self.names)) + [stock]  # others may have opened books, without a name
        return book

    def _reopen(self, stock: str) -> int:
        """Give the book that a session before had of a stock, which begins as a new one does."""
        book = self._ended[stock].pop()
        self.books.to(book, self.fresh_state)
        self.books.judge(book, True)
        return book


class ItchFeed:
    """An ITCH stream as a feed: the compiled or the plain `ItchBooks`, and the words that every feed speaks."""

    protocol = "itch50"

    def __init__(self) -> None:
        self.stream: ItchBooks = select("itch", __name__, "ItchBooks")()
        self.stream.books.reserve(ROOM)
        self.snapshots_adopted = 0
        self._again: Counter[str] = Counter()  # messages of snapshots, and those that were applied once more behind one
        self._handles: list[OrderBook] = []
        self._names: list[str] = []

    @property
    def by_type(self) -> dict[str, int]:
        """Count messages of the stream by their type."""
        counts = Counter(self.stream.by_type)
        counts.subtract(self._again)
        return {kind: count for kind, count in counts.items() if count}

    @property
    def names(self) -> list[str]:
        """Name the stock of each book."""
        if len(self._names) != len(self.stream.books):
            self._names = list(self.stream.names)
        return self._names

    @property
    def books(self) -> list[OrderBook]:
        """Give a view of each book, in the order in which they were opened."""
        opened = range(len(self._handles), len(self.stream.books))
        self._handles += (OrderBook(self.stream.books, book) for book in opened)
        return self._handles

    @property
    def exponents(self) -> list[tuple[int, int]]:
        """Give the decimal exponents of price and quantity for each book."""
        return [(itch.PRICE_EXPONENT, 0)] * len(self.stream.books)

    @property
    def needs_snapshot(self) -> bool:
        """Say whether a snapshot would mend something: a late join, a loss, or a book that is not right."""
        if self.stream.fresh_state != BookState.LIVE:
            return True
        books = self.stream.books
        return any(books.state(book) in _UNSURE for book in range(len(books)))

    def begin(self, whole: bool) -> None:
        """Say whether the stream is seen from its first message on: a book of a late join is not right by itself."""
        self.stream.fresh_state = BookState.LIVE if whole else BookState.SYNCING

    def apply(self, message: Buffer, sequence: int, ts_recv_ns: int = NO_TIME, channel: int = 0) -> None:
        """Apply the next message of the stream."""
        self.stream.apply(message, sequence, ts_recv_ns, channel)

    def run(self, data: Buffer, offset: int, sequence: int) -> tuple[int, int, int]:
        """Apply length-prefixed records; see `ItchBooks.run`."""
        return self.stream.run(data, offset, sequence)

    def gap(self, first: int, last: int, ts_recv_ns: int = NO_TIME, channel: int = 0) -> None:
        """Take note of a loss. What was lost could have touched any book, those included that are not open yet.

        Not one of a session before, which is no book of this stream until its stock is named again.
        """
        self.stream.books.at(first, NO_TIME, ts_recv_ns, channel)
        self.stream.books.suspect_all(first, last, but_empty=True)
        self.stream.fresh_state = BookState.SUSPECT

    def doubt(self, first: int, last: int, ts_recv_ns: int = NO_TIME, channel: int = 0) -> None:
        """Take note that messages are missing which may still come: what they can have touched is SUSPECT till then."""
        self.stream.books.at(first, NO_TIME, ts_recv_ns, channel)
        self.stream.books.doubt_all()

    def trust(self, ts_recv_ns: int = NO_TIME, channel: int = 0) -> None:
        """Take note that all that was missing has been applied: what was only doubted is LIVE again."""
        self.stream.books.trust_all()

    def touches(self, message: Buffer) -> list[int]:
        """Give the book of the order that a message adds, or that it names while the order rests."""
        kind = chr(message[0]) if len(message) >= _ORDER_SIZE else ""
        if kind in _ADDS:
            stock = bytes(message[24:32]).decode("latin-1").rstrip(" ")
            return [self.names.index(stock)] if stock in self.names else []
        found = self.stream.books.order(int.from_bytes(message[11:19], "big")) if kind in _NAMES else None
        return [] if found is None else [found[0]]

    def advance(self, sequence: int) -> None:
        """Take note that a fast path applied everything up to `sequence`: nothing here depends on it."""

    def snapshot(self, message: Buffer, sequence: int, ts_recv_ns: int, channel: int, since: Since) -> None:
        """Multicast ITCH has no snapshot channel; what comes as one is not looked at."""

    def is_sound(self, records: Buffer) -> bool:
        """Try a snapshot on books of its own: it is sound when it is whole and nothing of it is refused."""
        trial = select("itch", __name__, "ItchBooks")()
        trial.books.reserve(ROOM)
        return _load(trial, records, 0) and not trial.books.statistics().refused

    def adopt(
        self, records: Buffer, sequence: int, later: Sequence[tuple[int, bytes]], ts_recv_ns: int = NO_TIME,
        channel: int = 0,
    ) -> None:  # fmt: skip
        """Put a snapshot of everything below `sequence` in the place of all books, and `later` messages upon it.

        `records` are messages, each behind its length; they must be sound.
        """
        books = self.stream.books
        before = Counter(self.stream.by_type)
        books.at(max(sequence - 1, 0), NO_TIME, ts_recv_ns, channel)
        books.clear_all()
        books.end()
        self.stream.fresh_state = BookState.SYNCING
        for book in range(len(books)):
            if books.state(book) != BookState.EMPTY:
                books.to(book, BookState.SYNCING)
        _load(self.stream, records, books.pending())
        books.reserve(ROOM + 8 * len(books))
        books.at(max(sequence - 1, 0), NO_TIME, ts_recv_ns, channel)
        books.retell()
        books.end()
        for book in range(len(books)):
            if books.state(book) != BookState.EMPTY:
                books.to(book, BookState.LIVE)
        self.stream.fresh_state = BookState.LIVE
        for number, message in later:
            self.stream.apply(message, number, ts_recv_ns, channel)
        self._again.update(Counter(self.stream.by_type) - before)
        self.snapshots_adopted += 1

    def reset(self, channel: int = 0) -> None:
        """Empty all books: a new session begins, with new locate codes and order numbers."""
        self.stream.books.clear_all()
        for book in range(len(self.stream.books)):
            self.stream.books.to(book, BookState.EMPTY)
        self.stream.books.end()
        self.stream.forget_locates()
        self.begin(whole=True)

    def take(self) -> Any:
        """Return the changes since the last call, as an array of CHANGE that is valid until the next message."""
        return self.stream.books.take()

    def statistics(self) -> BooksStatistics:
        """Return the counters as they are now."""
        return self.stream.books.statistics()


def _load(stream: ItchBooks, records: Buffer, keep: int) -> bool:
    """Apply length-prefixed records and forget what they announce, beyond the first `keep` changes; say if all fit."""
    at, how = 0, FULL
    while how == FULL:
        at, _, how = stream.run(records, at, 0)
        stream.books.drop(keep)
    return how == END and at == len(records)
