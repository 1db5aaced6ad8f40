"""The books of a feed that speaks of price levels: names, exponents, state, and what is announced of them.

Every feed on `LevelBook` needs the same of its books, whatever its venue says: open one, set a level, move its state,
announce the best levels that changed, refuse what makes no sense. `at` stamps the changes that follow. A change that
does not fit the books' 64 bits is refused, so that no bytes can raise.

Crossing is judged in `publish`, which the venue calls where a book is whole (the end of an event), never before.

Leaves out: what messages mean, chains and snapshots.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Final

from netfeed.book import LevelBook
from netfeed.book.change import NO_BOOK, NO_PRICE, NO_SIDE, NO_TIME, ChangeLog, Kind, Refusal
from netfeed.book.level import Level, Side
from netfeed.book.state import BookState

MAX_BOOKS: Final = 1 << 16
"""Instruments of one feed that a hostile source can make us hold; a real one has a few thousand."""
MAX_TYPES: Final = 1024
"""Types that are counted one by one; bytes that are no message at all must not grow a table."""

_UINT64: Final = 2**64 - 1
WHOLE: Final = frozenset({BookState.LIVE, BookState.STALE})
"""A book that holds all that was told: a STALE one does, its source is only silent."""
_UNTOLD: Final = frozenset({BookState.EMPTY, BookState.SUSPECT})


class LevelMarket:
    """All books of one feed, by the index in which they were opened."""

    def __init__(self, *, new_book: Callable[[], LevelBook] = LevelBook, max_books: int = MAX_BOOKS) -> None:
        self.by_type: dict[str, int] = {}
        self.books: list[LevelBook] = []
        self.names: list[str] = []
        self.exponents: list[tuple[int, int]] = []
        self.changes = ChangeLog()
        self.refused: Counter[Refusal] = Counter()
        self._new_book, self._max_books = new_book, max_books
        self._announced: list[list[Level | None]] = []
        self._doubted: set[int] = set()
        self._sequence, self._ts_event_ns, self._ts_recv_ns, self._channel = 0, NO_TIME, NO_TIME, 0

    def at(self, sequence: int, ts_recv_ns: int, channel: int) -> None:
        """Stamp the changes that follow with a message's place in its channel and its time of arrival."""
        self._sequence, self._channel = sequence & _UINT64, channel & 0xFFFF
        self._ts_recv_ns, self._ts_event_ns = ts_recv_ns, NO_TIME

    def happened(self, ts_event_ns: int) -> None:
        """Stamp the changes that follow with the venue's own time; one that does not fit is as good as none."""
        self._ts_event_ns = ts_event_ns if _fits(ts_event_ns) else NO_TIME

    def count(self, wire_type: str) -> None:
        """Count a message by the type that it has on the wire; types beyond MAX_TYPES are not told apart."""
        if wire_type in self.by_type or len(self.by_type) < MAX_TYPES:
            self.by_type[wire_type] = self.by_type.get(wire_type, 0) + 1

    def open(self, name: str, exponents: tuple[int, int]) -> int | None:
        """Open one more book; None, refused as FULL, when the bound is reached."""
        if len(self.books) >= self._max_books:
            self.refuse(None, Refusal.FULL)
            return None
        self.books.append(self._new_book())
        self.names.append(name)
        self.exponents.append(exponents)
        self._announced.append([None, None])
        return len(self.books) - 1

    def set(self, book: int, side: Side, price: int, quantity: int, orders: int = 0) -> bool:
        """Set what rests at a price, 0 for nothing; say whether the best of the book changed."""
        if not (_fits(price) and _fits(quantity)):
            self.refuse(book, Refusal.BAD_VALUE)
            return False
        one = self.books[book]
        refused, state = one.refused, one.state
        changed = one.update(side, price, quantity, orders)
        if one.refused != refused:
            self._refused(book, state, Refusal.FULL if quantity >= 0 and orders >= 0 else Refusal.BAD_QUANTITY)
        return changed

    def replace(self, book: int, bids: Iterable[Level], asks: Iterable[Level]) -> bool:
        """Put other levels in the place of all that is there; say whether they made sense."""
        one, sides = self.books[book], (tuple(bids), tuple(asks))
        if not all(_fits(level.price) and _fits(level.quantity) for side in sides for level in side):
            self.refuse(book, Refusal.BAD_VALUE)
            return False
        refused, state = one.refused, one.state
        one.replace(*sides)
        if one.refused != refused:
            self._refused(book, state, Refusal.BAD_VALUE)
        return one.refused == refused

    def to(self, book: int, state: BookState) -> None:
        """Move a book to another state and announce it; the same state again does nothing."""
        self._doubted.discard(book)
        if self.books[book].state != state:
            self.books[book].to(state)
            self._announce(Kind.STATE, book)

    def doubt(self, book: int) -> None:
        """Make a book SUSPECT that knows something; one that knows nothing cannot be wrong."""
        self._doubted.discard(book)
        if self.books[book].state not in _UNTOLD:
            self.to(book, BookState.SUSPECT)

    def doubt_all(self, books: Iterable[int]) -> None:
        """Make LIVE books SUSPECT for what an open gap may hold, until `trust_all`, if nothing else befalls them."""
        for book in books:
            if self.books[book].state == BookState.LIVE:
                self.to(book, BookState.SUSPECT)
                self._doubted.add(book)

    def trust_all(self, books: Iterable[int]) -> list[int]:
        """Make those of the books LIVE again that were only doubted, and give them."""
        trusted = [book for book in books if book in self._doubted]
        for book in trusted:
            self.to(book, BookState.LIVE)
        return trusted

    def reset(self, book: int) -> None:
        """Forget all levels of a book: it knows nothing."""
        self.books[book].clear()
        self.publish(book)
        self.to(book, BookState.EMPTY)

    def refuse(self, book: int | None, reason: Refusal, reference: int = 0) -> None:
        """Count nonsense, announce it, and make the book that it names SUSPECT if it was whole."""
        self.refused[reason] += 1
        self._announce(Kind.REFUSED, NO_BOOK if book is None else book, reference=reference, flags=int(reason))
        if book is not None:
            self._doubted.discard(book)
        if book is not None and self.books[book].state in WHOLE:
            self.to(book, BookState.SUSPECT)

    def gap(self, first: int, last: int) -> None:
        """Announce that messages of the channel were lost; which books that touches is the venue's to say."""
        self._sequence = first & _UINT64
        self._announce(Kind.GAP, NO_BOOK, reference=last)

    def trade(self, book: int, side: int, price: int, quantity: int, match: int = 0, flags: int = 0) -> None:
        """Announce an execution against an order resting on `side`; it does not move the book."""
        if not (_fits(price) and _fits(quantity)):
            self.refuse(book, Refusal.BAD_VALUE, match)
        else:
            self._announce(
                Kind.TRADE, book, side=side, price=price, quantity=quantity, reference=match, flags=flags & 0xFF
            )

    def told(self, book: int) -> None:
        """Take note that the best levels of now have been announced already, by the core."""
        self._announced[book] = [self.books[book].bid, self.books[book].ask]

    def publish(self, book: int, *, judged: bool = False) -> bool:
        """Announce the best levels that changed; a crossed LIVE book is refused where it is `judged`.

        Returns whether the book is not crossed, as far as it was judged.
        """
        one, announced = self.books[book], self._announced[book]
        for side, now in ((Side.BID, one.bid), (Side.ASK, one.ask)):
            if now != announced[side]:
                announced[side] = now
                price, quantity, orders = now or (NO_PRICE, 0, 0)
                self._announce(Kind.BBO, book, side=side, price=price, quantity=quantity, orders=orders)
        bid, ask = announced
        if not judged or bid is None or ask is None or bid.price < ask.price:
            return True
        if one.state == BookState.LIVE:
            self.refuse(book, Refusal.CROSSED)
        return False

    def _refused(self, book: int, before: BookState, reason: Refusal) -> None:
        """Announce what the book refused by itself, which made it SUSPECT."""
        self._doubted.discard(book)
        self.refused[reason] += 1
        self._announce(Kind.REFUSED, book, flags=int(reason))
        if before != self.books[book].state:
            self._announce(Kind.STATE, book)

    def _announce(
        self, kind: Kind, book: int, *, side: int = NO_SIDE, price: int = NO_PRICE, quantity: int = 0,
        reference: int = 0, orders: int = 0, flags: int = 0,
    ) -> None:  # fmt: skip
        self.changes.append(
            kind, book, sequence=self._sequence, ts_event_ns=self._ts_event_ns, ts_recv_ns=self._ts_recv_ns,
            price=price, quantity=quantity, reference=reference & _UINT64, orders=orders, side=side, flags=flags,
            state=BookState.EMPTY if book == NO_BOOK else self.books[book].state, channel=self._channel,
        )  # fmt: skip


def _fits(number: int) -> bool:
    return -(2**63) <= number < 2**63
