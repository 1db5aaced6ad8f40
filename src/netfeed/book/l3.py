"""Order books of single orders (market by order, L3): the plain twin that defines `netfeed._core.l3`.

`OrderBooks` holds every book of one feed, because venues number orders across instruments: an execution names an
order, not a price. A book is an index that `add_book` gave. Priority within a price is the order's `priority`, smaller
first: the arrival number unless the venue sends a sort key.

An operation that makes no sense (an unknown order, a quantity that is not there) changes no level. It is refused:
counted by reason, announced as a REFUSED change, and a LIVE book that it names becomes SUSPECT.

Operations only move the book. `end` closes a transaction: it compares the best levels with those announced last,
appends a BBO change for each side that is another, and judges crossing - inside a transaction a cross is normal.

A book or a side that is not there is a MisuseError; a side that a new order cannot rest on is nonsense and refused.
Numbers are 64-bit, order ids unsigned: what does not fit is the caller's mistake (the core raises OverflowError).

Left out: what venue messages mean (`venues`), sequence (`feed`).
"""

from dataclasses import dataclass
from typing import Any, Final

from netfeed.book.change import NO_BOOK, NO_PRICE, NO_SIDE, NO_TIME, ChangeLog, Kind, Refusal
from netfeed.book.level import Level, Order, Side
from netfeed.book.state import TRANSITIONS, BookState
from netfeed.errors import MisuseError

MAX_BOOKS: Final = 1 << 20
MAX_ORDERS: Final = 1 << 26
"""Bounds on what a hostile feed can make us hold: 64 times the busiest real day."""
MAX_TOTAL: Final = 1 << 62
"""No level is let grow beyond this, so that totals fit 64 bits. Only orders above 2**32 - 1 are looked at."""

_ABSENT: Final = (NO_PRICE, 0, 0)


class _Book:
    """One instrument: its orders grouped by price, its state, and what was announced of it."""

    __slots__ = ("announced", "doubted", "judged", "levels", "state")

    def __init__(self, state: BookState) -> None:
        self.levels: tuple[dict[int, dict[int, Order]], dict[int, dict[int, Order]]] = ({}, {})
        self.state = state
        self.judged = True
        self.doubted = False
        self.announced: list[tuple[int, int, int]] = [_ABSENT, _ABSENT]


@dataclass(frozen=True, slots=True)
class BooksStatistics:
    """Counters of `OrderBooks`, as of the call."""

    books: int
    orders: int
    max_orders: int
    refused: dict[str, int]


class OrderBooks:
    """Every book of one order-id space."""

    def __init__(self, *, max_orders: int = MAX_ORDERS, max_books: int = MAX_BOOKS) -> None:
        self._books: list[_Book] = []
        self._orders: dict[int, tuple[int, Order]] = {}
        self._dirty: dict[int, None] = {}
        self._limits = (max_orders, max_books)
        self._most = 0
        self._arrivals = 0
        self._refused = [0] * 16
        self._log = ChangeLog()
        self._sequence, self._ts_event_ns, self._ts_recv_ns, self._channel = 0, NO_TIME, NO_TIME, 0

    # --- where we are in the stream

    def at(self, sequence: int, ts_event_ns: int = NO_TIME, ts_recv_ns: int = NO_TIME, channel: int = 0) -> None:
        """Stamp the changes that follow with a message's sequence, times and channel."""
        self._sequence, self._ts_event_ns, self._ts_recv_ns, self._channel = sequence, ts_event_ns, ts_recv_ns, channel

    def take(self) -> Any:
        """Return the changes since the last call, as an array of CHANGE that is valid until the next operation."""
        return self._log.take()

    def reserve(self, changes: int) -> None:
        """Make sure that so many changes fit without another call; the twin's log grows by itself."""

    def warm(self) -> None:
        """Touch the memory that orders will lie in, so that no message pays for its first use; here there is none."""

    # --- books and their state

    def add_book(self, state: BookState | int = BookState.EMPTY) -> int:
        """Open one more book and return its index; NO_BOOK when the bound is reached."""
        one = _Book(BookState(state))
        if len(self._books) >= self._limits[1]:
            return NO_BOOK
        self._books.append(one)
        return len(self._books) - 1

    def __len__(self) -> int:
        return len(self._books)

    def state(self, book: int) -> int:
        """Tell the state of a book."""
        return self._at(book).state

    def to(self, book: int, state: BookState | int) -> None:
        """Move a book to another state and announce it. The same state again does nothing.

        Raises: MisuseError when the step is not one of `book.state.TRANSITIONS`.
        """
        one, new = self._at(book), BookState(state)
        if new is not one.state and new not in TRANSITIONS[one.state]:
            raise MisuseError(f"a book cannot go from {one.state.name} to {new.name}")
        one.doubted = False
        if new is one.state:
            return
        one.state = new
        self._announce(Kind.STATE, book)

    def judge(self, book: int, judged: bool) -> None:
        """Say whether a crossed book is wrong: it is while the instrument trades, not during a halt or an auction."""
        self._at(book).judged = judged

    def suspect_all(self, first: int, last: int, but_empty: bool = False) -> None:
        """Note that the messages `first` to `last` were lost and could have touched any book.

        `but_empty`: an EMPTY book is one that the stream has not begun, and stays so.
        """
        self._log.append(
            Kind.GAP, NO_BOOK, sequence=first, reference=last, ts_event_ns=self._ts_event_ns,
            ts_recv_ns=self._ts_recv_ns, channel=self._channel,
        )  # fmt: skip
        for book, one in enumerate(self._books):
            if not (but_empty and one.state is BookState.EMPTY):
                self.to(book, BookState.SUSPECT)

    def doubt_all(self) -> None:
        """Make every LIVE book SUSPECT for what an open gap may hold, until `trust_all`, if nothing else befalls it."""
        for book, one in enumerate(self._books):
            if one.state is BookState.LIVE:
                self.to(book, BookState.SUSPECT)
                one.doubted = True

    def trust_all(self) -> None:
        """Make the books LIVE again that were only doubted, and judge whether they are crossed."""
        for book, one in enumerate(self._books):
            if one.doubted:
                self.to(book, BookState.LIVE)
                self._judge(book)

    def refuse(self, book: int, reason: Refusal | int, order_id: int = 0) -> int:
        """Count nonsense, announce it, and make the book that it names SUSPECT. Returns the reason."""
        if reason not in tuple(Refusal):
            raise MisuseError(f"{reason} is no refusal")
        if book != NO_BOOK:
            self._at(book)
        self._refused[reason] += 1
        self._announce(Kind.REFUSED, book, reference=order_id, flags=int(reason))
        if book != NO_BOOK:
            self._books[book].doubted = False
            if self._books[book].state == BookState.LIVE:
                self.to(book, BookState.SUSPECT)
        return int(reason)

    # --- operations; each returns 0, or the reason why it was refused

    def add(self, book: int, order_id: int, side: int, price: int, quantity: int, priority: int | None = None) -> int:
        """Rest a new order. Without `priority` it queues behind all that arrived before it."""
        self._at(book)
        reason = Refusal.DUPLICATE_ORDER if order_id in self._orders else self._wrong(book, side, price, quantity)
        if reason or len(self._orders) >= self._limits[0]:
            return self.refuse(book, reason or Refusal.FULL, order_id)
        self._rest(book, order_id, side, price, quantity, priority)
        return 0

    def put(self, book: int, order_id: int, side: int, price: int, quantity: int, priority: int) -> int:
        """Rest an order, or give a known one a new price, quantity and priority."""
        self._at(book)
        if order_id not in self._orders:
            return self.add(book, order_id, side, price, quantity, priority)
        owner, order = self._orders[order_id]
        if owner != book or order.side != side:
            return self.refuse(book, Refusal.WRONG_BOOK, order_id)
        reason = self._wrong(book, side, price, quantity)
        if reason:
            return self.refuse(book, reason, order_id)
        self._remove(book, order)
        self._rest(book, order_id, side, price, quantity, priority)
        return 0

    def reduce(self, book: int, order_id: int, by: int) -> int:
        """Take `by` off an order, which keeps its priority; at zero it is gone."""
        order, reason = self._known(book, order_id)
        if order is None:
            return reason
        if not 0 < by <= order.quantity:
            return self.refuse(book, Refusal.BAD_QUANTITY, order_id)
        self._resize(book, order, order.quantity - by)
        return 0

    def resize(self, book: int, order_id: int, quantity: int) -> int:
        """Lower an order to `quantity`, which keeps its priority."""
        order, reason = self._known(book, order_id)
        if order is None:
            return reason
        if not 0 < quantity <= order.quantity:
            return self.refuse(book, Refusal.BAD_QUANTITY, order_id)
        self._resize(book, order, quantity)
        return 0

    def delete(self, book: int, order_id: int) -> int:
        """Remove an order."""
        order, reason = self._known(book, order_id)
        if order is None:
            return reason
        self._remove(book, order)
        return 0

    def replace(self, book: int, order_id: int, new_id: int, price: int, quantity: int) -> int:
        """Remove an order and rest another on its side, behind all that is there."""
        order, reason = self._known(book, order_id)
        if order is None:
            return reason
        if new_id != order_id and new_id in self._orders:
            return self.refuse(book, Refusal.DUPLICATE_ORDER, new_id)
        reason = self._wrong(book, order.side, price, quantity)
        if reason:
            return self.refuse(book, reason, new_id)
        self._remove(book, order)
        self._rest(book, new_id, order.side, price, quantity, None)
        return 0

    def clear(self, book: int) -> int:
        """Remove every order of a book and return how many there were."""
        one = self._at(book)
        orders = [order for side in one.levels for level in side.values() for order in level.values()]
        for order in orders:
            self._remove(book, order)
        return len(orders)

    def clear_all(self) -> int:
        """Remove every order of every book and return how many there were."""
        return sum(self.clear(book) for book in range(len(self._books)))

    def trade(self, book: int, side: int, price: int, quantity: int, match: int, flags: int = 0) -> None:
        """Announce an execution; it does not move the book."""
        self._at(book)
        self._announce(Kind.TRADE, book, side=side, price=price, quantity=quantity, reference=match, flags=flags)

    def end(self) -> None:
        """End a transaction: announce the best levels that changed, and judge crossing."""
        for book in self._dirty:
            self._publish(book)
        self._dirty.clear()

    @property
    def in_transaction(self) -> bool:
        """Say whether a transaction is open that has changed something."""
        return bool(self._dirty)

    def retell(self) -> None:
        """Announce the best levels of every book anew when the transaction ends, whatever was announced before."""
        for book, one in enumerate(self._books):
            one.announced = [_ABSENT, _ABSENT]
            self._dirty[book] = None

    def pending(self) -> int:
        """Count the changes that wait to be taken."""
        return len(self._log)

    def drop(self, count: int) -> None:
        """Forget the changes that wait, beyond the first `count` of them."""
        self._log.drop(count)

    # --- reading

    def order(self, order_id: int) -> tuple[int, Order] | None:
        """Find an order: its book and itself."""
        return self._orders.get(order_id)

    def levels(self, book: int, side: int) -> int:
        """Count the price levels of one side."""
        return len(self._side(book, side))

    def depth(self, book: int, side: int, count: int) -> list[Level]:
        """List up to `count` levels of one side, best first."""
        levels = self._side(book, side)
        prices = sorted(levels, reverse=side == Side.BID)[: max(count, 0)]
        return [Level(price, sum(o.quantity for o in levels[price].values()), len(levels[price])) for price in prices]

    def level(self, book: int, side: int, price: int) -> Level | None:
        """Give the level at one price."""
        orders = self._side(book, side).get(price)
        return Level(price, sum(o.quantity for o in orders.values()), len(orders)) if orders else None

    def queue(self, book: int, side: int, price: int) -> list[Order]:
        """List the orders at one price, the next to be filled first."""
        orders = self._side(book, side).get(price, {})
        return sorted(orders.values(), key=lambda order: (order.priority, order.order_id))

    def ahead(self, book: int, side: int, price: int, order_id: int) -> int | None:
        """Give how much is filled before an order that rests at this price; None when it does not."""
        queue = self.queue(book, side, price)
        place = next((k for k, order in enumerate(queue) if order.order_id == order_id), None)
        return None if place is None else sum(order.quantity for order in queue[:place])

    def statistics(self) -> BooksStatistics:
        """Return a snapshot of the counters."""
        refused = {Refusal(reason).name: count for reason, count in enumerate(self._refused) if count}
        return BooksStatistics(len(self._books), len(self._orders), self._most, refused)

    # --- inside

    def _at(self, book: int) -> _Book:
        if not 0 <= book < len(self._books):
            raise MisuseError(f"there is no book {book}")
        return self._books[book]

    def _side(self, book: int, side: int) -> dict[int, dict[int, Order]]:
        one = self._at(book)
        if side not in tuple(Side):
            raise MisuseError(f"there is no side {side}")
        return one.levels[side]

    def _wrong(self, book: int, side: int, price: int, quantity: int) -> int:
        if side not in (Side.BID, Side.ASK) or price == NO_PRICE:
            return Refusal.BAD_VALUE
        if quantity <= 0:
            return Refusal.BAD_QUANTITY
        level = self.level(book, side, price) if quantity > 0xFFFFFFFF else None
        return Refusal.BAD_QUANTITY if (level.quantity if level else 0) + quantity > MAX_TOTAL else 0

    def _known(self, book: int, order_id: int) -> tuple[Order | None, int]:
        self._at(book)
        owner, order = self._orders.get(order_id, (NO_BOOK, None))
        if order is None:
            return None, self.refuse(book, Refusal.UNKNOWN_ORDER, order_id)
        if owner != book:
            return None, self.refuse(book, Refusal.WRONG_BOOK, order_id)
        return order, 0

    def _rest(self, book: int, order_id: int, side: int, price: int, quantity: int, priority: int | None) -> None:
        if priority is None:
            priority = self._arrivals
            self._arrivals += 1
        self._store(book, Order(order_id, Side(side), price, quantity, priority))
        self._most = max(self._most, len(self._orders))

    def _store(self, book: int, order: Order) -> None:
        self._orders[order.order_id] = (book, order)
        self._books[book].levels[order.side].setdefault(order.price, {})[order.order_id] = order
        self._dirty[book] = None

    def _resize(self, book: int, order: Order, quantity: int) -> None:
        if quantity:
            self._store(book, order._replace(quantity=quantity))
        else:
            self._remove(book, order)

    def _remove(self, book: int, order: Order) -> None:
        levels = self._books[book].levels[order.side]
        del self._orders[order.order_id], levels[order.price][order.order_id]
        if not levels[order.price]:
            del levels[order.price]
        self._dirty[book] = None

    def _best(self, one: _Book, side: Side) -> tuple[int, int, int]:
        levels = one.levels[side]
        if not levels:
            return _ABSENT
        price = max(levels) if side is Side.BID else min(levels)
        return price, sum(order.quantity for order in levels[price].values()), len(levels[price])

    def _publish(self, book: int) -> None:
        one = self._books[book]
        best = [self._best(one, side) for side in Side]
        for side, now in zip(Side, best, strict=True):
            if now != one.announced[side]:
                one.announced[side] = now
                self._announce(Kind.BBO, book, side=side, price=now[0], quantity=now[1], orders=now[2])
        self._judge(book)

    def _judge(self, book: int) -> None:
        one = self._books[book]
        bid, ask = one.announced
        crossed = _ABSENT not in (bid, ask) and bid[0] >= ask[0]
        if crossed and one.judged and one.state == BookState.LIVE:
            self.refuse(book, Refusal.CROSSED)

    def _announce(
        self, kind: Kind, book: int, *, side: int = NO_SIDE, price: int = NO_PRICE, quantity: int = 0,
        reference: int = 0, orders: int = 0, flags: int = 0,
    ) -> None:  # fmt: skip
        state = self._books[book].state if book != NO_BOOK else BookState.EMPTY
        self._log.append(
            kind, book, sequence=self._sequence, ts_event_ns=self._ts_event_ns, ts_recv_ns=self._ts_recv_ns,
            price=price, quantity=quantity, reference=reference & (2**64 - 1), orders=orders, side=side, state=state,
            flags=flags, channel=self._channel,
        )  # fmt: skip
