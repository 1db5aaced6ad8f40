# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Order books of single orders, compiled. The plain twin `netfeed.book.l3.OrderBooks` defines every method here.

The work is done in `market.pxd`; this is its Python face, one crossing per call.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy

import numpy as np

from netfeed._core.market cimport (
    CHANGES_PER_MESSAGE, EMPTY, FULL, BAD_QUANTITY, DUPLICATE_ORDER, BAD_VALUE, WRONG_BOOK, LIVE, NONE, KIND_GAP, SUSPECT, Book,
    Change, Cursor, Level, Market, Order, Side, Total, announce, clear_book, clear_books, end_transaction, find, find_in,
    from_best, judge_cross, key_of, level_count, lower, market_free, market_init, market_warm, next_at, next_level, open_book, refuse,
    rest, set_state, side_of, total_at, touch, trade, try_add, try_replace, wrong, REASONS,
)

MAX_BOOKS = 1 << 20
MAX_ORDERS = 1 << 26
cdef enum:
    STALE = 4

cdef extern from *:
    int64_t LOWEST "INT64_MIN"

cdef object LevelTuple, OrderTuple, Statistics, Misuse, Names, dtype


def adopt(level, order, statistics, misuse, dict names, change) -> None:
    """Take over the words that the twin speaks: its result classes, its error, the names of refusals, the dtype."""
    global LevelTuple, OrderTuple, Statistics, Misuse, Names, dtype
    LevelTuple, OrderTuple, Statistics, Misuse, Names, dtype = level, order, statistics, misuse, names, change


cdef class OrderBooks:
    """Every book of one order-id space."""

    def __cinit__(self, *, max_orders=MAX_ORDERS, max_books=MAX_BOOKS):
        if market_init(&self.m, max_orders, max_books) != 0:
            raise MemoryError("no memory for an order table")
        self.room(4096)

    def __dealloc__(self):
        market_free(&self.m)

    cdef int room(self, uint64_t changes) except -1:
        """Make sure that so many changes fit, in a new array when the old one is short: views of the old stay whole."""
        cdef const Change[::1] old
        cdef Change[::1] fresh
        cdef uint64_t capacity
        if self.m.change_capacity - self.m.change_count >= changes:
            return 0
        capacity = max(<uint64_t>4096, self.m.change_count + changes, 2 * self.m.change_capacity)
        raw = np.zeros((capacity + 1) * sizeof(Change), np.uint8)
        cdef uint8_t[::1] whole = raw
        cdef uint64_t skip = -<uint64_t>&whole[0] % sizeof(Change)      # a change fills a cache line, and no second one
        array = raw[skip : skip + capacity * sizeof(Change)].view(dtype)
        cdef uint8_t[::1] view = whole[skip:]
        if self.m.change_count:
            memcpy(&view[0], self.m.changes, self.m.change_count * sizeof(Change))
        self.m.changes = <Change *>&view[0]
        self.m.change_capacity = capacity
        self.array = array
        return 0

    def reserve(self, uint64_t changes):
        """Make sure that so many changes fit without another call."""
        self.room(changes)

    def warm(self):
        with nogil:
            market_warm(&self.m)

    cdef int check(self, int64_t book) except -1:
        if not 0 <= book < <int64_t>self.m.book_count:
            raise Misuse(f"there is no book {book}")
        return self.room(CHANGES_PER_MESSAGE)

    # --- where we are in the stream

    def at(self, uint64_t sequence, int64_t ts_event_ns=LOWEST, int64_t ts_recv_ns=LOWEST, uint16_t channel=0):
        self.m.sequence = sequence
        self.m.ts_event_ns = ts_event_ns
        self.m.ts_recv_ns = ts_recv_ns
        self.m.channel = channel

    def take(self):
        taken = self.array[: self.m.change_count]
        self.m.change_count = 0
        return taken

    # --- books and their state

    def add_book(self, int state=EMPTY):
        cdef uint32_t book
        if not 0 <= state <= STALE:
            raise ValueError(f"{state} is not a valid BookState")
        return open_book(&self.m, <uint8_t>state)

    def __len__(self):
        return self.m.book_count

    def state(self, int64_t book):
        self.check(book)
        return self.m.books[book].sides[0].state

    def to(self, int64_t book, int state):
        self.check(book)
        cdef int old = self.m.books[book].sides[0].state
        if not 0 <= state <= STALE:
            raise ValueError(f"{state} is not a valid BookState")
        if old == EMPTY and state == STALE:
            raise Misuse("a book cannot go from EMPTY to STALE")
        self.m.books[book].sides[0].doubted = 0
        set_state(&self.m, book, <uint8_t>state)

    def judge(self, int64_t book, bint judged):
        self.check(book)
        self.m.books[book].sides[0].judged = judged

    def suspect_all(self, uint64_t first, uint64_t last, bint but_empty=False):
        cdef uint32_t book
        cdef Change *change
        self.room(self.m.book_count + 1)
        change = announce(&self.m, KIND_GAP, NONE)
        change.sequence = first
        change.reference = last
        for book in range(self.m.book_count):
            if but_empty and self.m.books[book].sides[0].state == EMPTY:
                continue
            self.m.books[book].sides[0].doubted = 0
            set_state(&self.m, book, SUSPECT)

    def doubt_all(self):
        cdef uint32_t book
        self.room(self.m.book_count)
        for book in range(self.m.book_count):
            if self.m.books[book].sides[0].state == LIVE:
                set_state(&self.m, book, SUSPECT)
                self.m.books[book].sides[0].doubted = 1

    def trust_all(self):
        cdef uint32_t book
        self.room(3 * <uint64_t>self.m.book_count)
        for book in range(self.m.book_count):
            if self.m.books[book].sides[0].doubted:
                self.m.books[book].sides[0].doubted = 0
                set_state(&self.m, book, LIVE)
                judge_cross(&self.m, &self.m.books[book], book)

    def refuse(self, int64_t book, int reason, uint64_t order_id=0):
        if reason not in Names:
            raise Misuse(f"{reason} is no refusal")
        if book != NONE:
            self.check(book)
        self.room(CHANGES_PER_MESSAGE)
        return refuse(&self.m, book, reason, order_id)

    # --- operations

    def add(self, int64_t book, uint64_t order_id, int64_t side, int64_t price, int64_t quantity, priority=None):
        cdef int64_t rank = self.m.arrivals if priority is None else priority
        self.check(book)
        if try_add(&self.m, book, order_id, which_of(side), price, quantity, rank) != 0:
            return self.reason()
        if priority is None:
            self.m.arrivals += 1
        touch(&self.m, book)
        return 0

    def put(self, int64_t book, uint64_t order_id, int64_t side, int64_t price, int64_t quantity, int64_t priority):
        cdef Order *order
        cdef Side *here
        cdef int reason
        self.check(book)
        order = find(&self.m, order_id)
        if order == NULL:
            return self.add(book, order_id, side, price, quantity, priority)
        if order.book != book or order.side != side:
            return refuse(&self.m, book, WRONG_BOOK, order_id)
        reason = wrong(&self.m.books[book], order.side, price, quantity)
        if reason != 0:
            return refuse(&self.m, book, reason, order_id)
        here = side_of(&self.m, order)
        lower(&self.m, here, order, order.quantity)
        reason = rest(&self.m, here, book, order_id, which_of(side), key_of(which_of(side), price), quantity, priority)
        touch(&self.m, book)
        return reason if reason == 0 else refuse(&self.m, book, reason, order_id)

    def reduce(self, int64_t book, uint64_t order_id, int64_t by):
        cdef Order *order
        self.check(book)
        order = find_in(&self.m, book, order_id)
        if order == NULL:
            return self.reason()
        if not 0 < by <= order.quantity:
            return refuse(&self.m, book, BAD_QUANTITY, order_id)
        lower(&self.m, side_of(&self.m, order), order, by)
        touch(&self.m, book)
        return 0

    def resize(self, int64_t book, uint64_t order_id, int64_t quantity):
        cdef Order *order
        self.check(book)
        order = find_in(&self.m, book, order_id)
        if order == NULL:
            return self.reason()
        if not 0 < quantity <= order.quantity:
            return refuse(&self.m, book, BAD_QUANTITY, order_id)
        if quantity < order.quantity:
            lower(&self.m, side_of(&self.m, order), order, order.quantity - quantity)
        touch(&self.m, book)
        return 0

    def delete(self, int64_t book, uint64_t order_id):
        cdef Order *order
        self.check(book)
        order = find_in(&self.m, book, order_id)
        if order == NULL:
            return self.reason()
        lower(&self.m, side_of(&self.m, order), order, order.quantity)
        touch(&self.m, book)
        return 0

    def replace(self, int64_t book, uint64_t order_id, uint64_t new_id, int64_t price, int64_t quantity):
        cdef Order *order
        self.check(book)
        order = find_in(&self.m, book, order_id)
        if order == NULL:
            return self.reason()
        if try_replace(&self.m, book, order, new_id, price, quantity, self.m.arrivals) != 0:
            return self.reason()
        self.m.arrivals += 1
        touch(&self.m, book)
        return 0

    def clear(self, int64_t book):
        self.check(book)
        return clear_book(&self.m, book)

    def clear_all(self):
        cdef int64_t removed = clear_books(&self.m)
        if removed < 0:
            raise MemoryError("no memory to clear the books")
        return removed

    def trade(self, int64_t book, int64_t side, int64_t price, int64_t quantity, uint64_t match, int flags=0):
        self.check(book)
        trade(&self.m, book, <uint8_t>side, price, quantity, match, <uint8_t>flags)

    def end(self):
        self.room(4 * self.m.dirty_count + CHANGES_PER_MESSAGE)
        end_transaction(&self.m)

    def retell(self):
        cdef uint32_t book, which
        for book in range(self.m.book_count):
            for which in range(2):
                self.m.books[book].sides[which].told_key = LOWEST
                self.m.books[book].sides[which].told_quantity = self.m.books[book].sides[which].told_orders = 0
            touch(&self.m, book)

    @property
    def wide_rungs(self):
        return self.m.wide_rungs

    @property
    def in_transaction(self):
        return self.m.dirty != NONE

    def pending(self):
        return self.m.change_count

    def drop(self, uint64_t count):
        self.m.change_count = min(self.m.change_count, count)

    # --- reading

    def order(self, uint64_t order_id):
        cdef Order *order = find(&self.m, order_id)
        if order == NULL:
            return None
        return order.book, self.tuple_of(order)

    def levels(self, int64_t book, int64_t side):
        return level_count(self.side(book, side))

    def depth(self, int64_t book, int64_t side, int64_t count):
        cdef Side *one = self.side(book, side)
        cdef Cursor cursor = from_best(one)
        cdef Level level
        found = []
        while count > 0 and next_level(one, &cursor, &level):
            found.append(self.level_of(side, level.key, level.total))
            count -= 1
        return found

    def level(self, int64_t book, int64_t side, int64_t price):
        cdef Side *one = self.side(book, side)
        cdef int64_t key = key_of(which_of(side), price)
        cdef Total total = total_at(one, key)
        return self.level_of(side, key, total) if total.orders else None

    def queue(self, int64_t book, int64_t side, int64_t price):
        cdef uint64_t slot = 0
        cdef Side *one = self.side(book, side)
        cdef int64_t key = key_of(which_of(side), price)
        cdef int64_t left = total_at(one, key).orders
        cdef Order *order
        found = []
        while left > 0:
            order = next_at(&self.m, &slot, book, which_of(side), key)
            if order == NULL:
                break
            found.append(self.tuple_of(order))
            left -= 1
        found.sort(key=_rank)
        return found

    def ahead(self, int64_t book, int64_t side, int64_t price, uint64_t order_id):
        cdef uint64_t slot = 0
        cdef Side *one = self.side(book, side)
        cdef int64_t key = key_of(which_of(side), price)
        cdef int64_t left, rank, priority, before = 0
        cdef Order *other
        cdef Order *order = find(&self.m, order_id)
        if order == NULL or order.book != book or order.side != side or order.key != key:
            return None
        left = total_at(one, key).orders
        if left <= 1:               # alone at its price: there is nothing to look for
            return 0
        rank = self.m.priorities[order - self.m.orders]
        with nogil:
            while left > 0:
                other = next_at(&self.m, &slot, book, side, key)
                if other == NULL:
                    break
                left -= 1
                priority = self.m.priorities[other - self.m.orders]
                if priority < rank or (priority == rank and other.id < order_id):
                    before += other.quantity
        return before

    def statistics(self):
        refused = {Names[k]: self.m.refused[k] for k in range(REASONS) if self.m.refused[k]}
        return Statistics(self.m.book_count, self.m.order_count, self.m.order_most, refused)

    # --- inside

    cdef reason(self):
        """Give the reason of the refusal that was just announced: the last REFUSED change."""
        cdef uint64_t k = self.m.change_count
        while k:
            k -= 1
            if self.m.changes[k].kind == 5:
                return self.m.changes[k].flags
        return 0

    cdef Side *side(self, int64_t book, int64_t side) except NULL:
        self.check(book)
        if not 0 <= side <= 1:
            raise Misuse(f"there is no side {side}")
        return &self.m.books[book].sides[side]

    cdef level_of(self, int64_t which, int64_t key, Total total):
        return LevelTuple(key_of(which_of(which), key), total.quantity, total.orders)

    cdef tuple_of(self, Order *order):
        cdef int64_t priority = self.m.priorities[order - self.m.orders]
        return OrderTuple(order.id, order.side, key_of(order.side, order.key), order.quantity, priority)


cdef inline uint32_t which_of(int64_t side) noexcept nogil:
    """Give a side from Python as the market knows it, 2 for what is none."""
    return <uint32_t>side if 0 <= side <= 1 else 2


def _rank(order):
    return order.priority, order.order_id
