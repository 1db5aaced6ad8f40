# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""TotalView-ITCH 5.0 messages to order books, compiled. The plain twin `netfeed.venues.itch.ItchBooks` defines it.

A batch of messages is known before it is applied, so what each will touch is fetched ahead, in two steps because one
tells where the next is: first the slots where the order may lie and the book; then the rung of its level, and the slot
where an order that it displaces will go. The fetches are what makes a book builder fast once the books are larger than
the cache. Here and below no branch depends on the side, and the fetches take none on the type of a message: nothing
predicts them, and a wrong guess costs as much as twenty instructions or more. What they look at may have changed when
the message is applied, which looks at it again.
"""

cimport cython
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, qsort, realloc
from libc.string cimport memcpy, memset

from netfeed._core.batch cimport BATCH, Message
from netfeed._core.l3 cimport OrderBooks
from netfeed._core.market cimport (
    BAD_LENGTH, BAD_QUANTITY, BAD_VALUE, CHANGES_PER_MESSAGE, FULL, NONE, UNKNOWN_ORDER, Book, Market, Order, Side, find_in, guess_rung, home,
    judge_cross, likely, lower, open_book, prefetch, refuse, set_state, tell_side, trade, try_add, try_replace, unlikely, worked_out, young, key_of,
)

cdef extern from * nogil:
    """
    #include <stdint.h>
    #include <string.h>
    static inline uint16_t nf_be16(const uint8_t *p) { uint16_t v; memcpy(&v, p, 2); return __builtin_bswap16(v); }
    static inline uint32_t nf_be32(const uint8_t *p) { uint32_t v; memcpy(&v, p, 4); return __builtin_bswap32(v); }
    static inline uint64_t nf_be64(const uint8_t *p) { uint64_t v; memcpy(&v, p, 8); return __builtin_bswap64(v); }
    """
    uint32_t be16 "nf_be16"(const uint8_t *p) noexcept
    uint32_t be32 "nf_be32"(const uint8_t *p) noexcept
    uint64_t be64 "nf_be64"(const uint8_t *p) noexcept

cdef extern from *:
    int64_t LOWEST "INT64_MIN"

cdef enum:
    NEAR = 20                   # messages ahead of which slots and books are fetched
    NEARER = 8                  # ... and rungs
    ORDER = 19                  # the size of the shortest message about an order: a delete
    ADDED = 36                  # ... of the shortest that adds one
    UNPRINTED = 1               # TradeFlag
    REPRICED = 16               # TradeFlag
    CROSS = 2
    HIDDEN = 4
    END = 0                     # how `run` stopped: at the end of the buffer
    PARTIAL = 1                 # in the middle of a record
    MARKER = 2                  # at a zero length
    FULL_BATCH = 3              # the changes should be taken

cdef uint8_t SIZES[256]
memset(SIZES, 0, 256)
for _type, _size in {
    "S": 12, "R": 39, "H": 25, "Y": 20, "L": 26, "V": 35, "W": 12, "K": 28, "J": 35, "h": 21, "A": 36, "F": 40, "E": 31,
    "C": 36, "X": 23, "D": 19, "U": 35, "P": 44, "Q": 40, "B": 19, "I": 50, "N": 20, "O": 48,
}.items():
    SIZES[<uint8_t>ord(_type)] = <uint8_t>_size
del _type, _size


# --- fetching ahead: no effect but on the caches


cdef inline uint64_t either(uint64_t condition, uint64_t one, uint64_t other) noexcept nogil:
    """Give `one` if the condition is 1, `other` if it is 0, in a way that no compiler makes a branch of."""
    return other ^ ((one ^ other) & (0 - condition))


cdef inline void near(ItchBooks books, Market *m, const Message *message) noexcept nogil:
    """Fetch the slots where the order may be, and the book."""
    cdef const uint8_t *p = message.data
    cdef const Book *book
    cdef uint64_t id
    if unlikely(message.length < ORDER):
        return
    id = be64(p + 11)
    prefetch(&m.orders[young(id)])
    if id <= m.old_most:
        prefetch(&m.orders[home(m, id)])
    if likely(books.by_locate[be16(p + 1)] < m.book_count):
        book = &m.books[books.by_locate[be16(p + 1)]]
        prefetch(&book.sides[0])
        prefetch(&book.sides[1])


cdef inline void nearer(ItchBooks books, Market *m, const Message *message) noexcept nogil:
    """Fetch the rung of the order that is found or added; and the slot where one will settle that is displaced."""
    cdef const uint8_t *p = message.data
    cdef uint64_t adds = message.length >= ADDED        # or it has at least as many bytes
    cdef uint64_t id, rung
    cdef const Order *there
    cdef const Side *side
    cdef uint32_t which
    cdef int64_t added
    if unlikely(message.length < ORDER or books.by_locate[be16(p + 1)] >= m.book_count):
        return
    id = be64(p + 11)
    there = &m.orders[young(id)]
    if unlikely(worked_out(either(adds, there.quantity != 0, there.id != id))):
        if adds:
            prefetch(&m.orders[home(m, there.id)])
        else:
            there = &m.orders[home(m, id)]
    which = <uint32_t>either(adds, p[18 + adds], there.side) & 1        # S is odd
    added = key_of(which, be32(p + either(adds, 32, 15)))           # 15: some bytes that every message has
    side = &m.books[books.by_locate[be16(p + 1)]].sides[which]
    rung = guess_rung(side, <int64_t>either(adds, <uint64_t>added, <uint64_t>there.key))
    if likely(rung < side.rung_count):
        prefetch(&side.rungs[rung])


# --- one message


cdef inline void one(ItchBooks self, Market *m, const Message *message) noexcept nogil:
    """Apply a message."""
    cdef const uint8_t *p = message.data
    cdef uint32_t length = message.length
    cdef uint32_t book, which
    cdef uint8_t type, flags
    cdef uint64_t id
    cdef int64_t quantity
    cdef Order *order
    cdef Book *here
    m.sequence = message.sequence
    m.ts_recv_ns = message.ts_recv_ns
    m.channel = <uint16_t>message.channel
    if unlikely(length < 11):
        m.ts_event_ns = LOWEST
        if length != 0:
            self.counts[p[0]] += 1
        refuse(m, NONE, BAD_LENGTH, 0)
        return
    type = p[0]
    self.counts[type] += 1
    m.ts_event_ns = <int64_t>(be64(p + 3) << 16 >> 16)         # the last six bytes
    if unlikely(SIZES[type] != length):
        if SIZES[type] != 0:
            refuse(m, self.by_locate[be16(p + 1)], BAD_LENGTH, 0)
        return
    if type == c'A' or type == c'F':
        book = self.book_of(p, 24)
        id = be64(p + 11)
        if unlikely(book == NONE):
            return
        if unlikely(worked_out((p[19] != c'B') & (p[19] != c'S'))):
            refuse(m, book, BAD_VALUE, id)
            return
        which = p[19] == c'S'
        if unlikely(try_add(m, book, id, which, be32(p + 32), be32(p + 20), m.arrivals) != 0):
            return
        m.arrivals += 1
    elif type == c'D' or type == c'X' or type == c'E' or type == c'C':
        book = self.by_locate[be16(p + 1)]
        id = be64(p + 11)
        order = find_in(m, book, id)
        if unlikely(order == NULL):
            return
        which = order.side
        quantity = order.quantity
        if type != c'D':
            quantity = be32(p + 19)
            if unlikely(quantity == 0 or quantity > order.quantity):
                refuse(m, book, BAD_QUANTITY, id)
                return
            if type == c'E':
                trade(m, book, <uint8_t>which, key_of(which, order.key), quantity, be64(p + 23), 0)
            elif type == c'C':
                flags = UNPRINTED if p[31] == c'N' else 0
                if be32(p + 32) != key_of(which, order.key):
                    flags |= REPRICED
                trade(m, book, <uint8_t>which, be32(p + 32), quantity, be64(p + 23), flags)
        lower(m, &m.books[book].sides[which], order, quantity)
    elif type == c'U':
        book = self.by_locate[be16(p + 1)]
        order = find_in(m, book, be64(p + 11))
        if unlikely(order == NULL):
            return
        which = order.side
        if unlikely(try_replace(m, book, order, be64(p + 19), be32(p + 31), be32(p + 27), m.arrivals) != 0):
            return
        m.arrivals += 1
    else:
        self.other(p, type)
        return
    here = &m.books[book]
    tell_side(m, &here.sides[which], book, which)
    judge_cross(m, here, book)


cdef int by_stock(const void *one, const void *other) noexcept nogil:
    cdef const Ended *a = <const Ended *>one
    cdef const Ended *b = <const Ended *>other
    if a.stock != b.stock:
        return -1 if a.stock < b.stock else 1
    return -1 if a.book < b.book else 1


@cython.final
cdef class ItchBooks:
    """The books of one ITCH stream."""

    protocol = "itch50"

    def __cinit__(self, *, max_orders=1 << 26, max_books=1 << 16):
        self.held = OrderBooks(max_orders=max_orders, max_books=max_books)
        self.m = &self.held.m
        self.fresh = 2
        self.forget_locates()

    def __dealloc__(self):
        free(self.stocks)
        free(self.ended)

    def forget_locates(self):
        cdef uint64_t k
        cdef Ended *ended
        memset(self.by_locate, 0xFF, sizeof(self.by_locate))
        self.ended_count = 0
        if self.named == 0:
            return
        ended = <Ended *>realloc(self.ended, self.named * sizeof(Ended))
        if ended == NULL:
            raise MemoryError("no memory for the books of the sessions before")
        for k in range(self.named):
            ended[k].stock = be64(<const uint8_t *>self.stocks + 8 * k)
            ended[k].book = <uint32_t>k
            ended[k].given = 0
        qsort(ended, self.named, sizeof(Ended), by_stock)
        self.ended = ended
        self.ended_count = self.named

    @property
    def books(self):
        return self.held

    @property
    def fresh_state(self):
        return self.fresh

    @fresh_state.setter
    def fresh_state(self, int state):
        if not 0 <= state <= 4:
            raise ValueError(f"{state} is not a valid BookState")
        self.fresh = <uint8_t>state

    @property
    def by_type(self):
        return {chr(k): self.counts[k] for k in range(256) if self.counts[k]}

    @property
    def names(self):
        return [self.stocks[8 * k : 8 * k + 8].decode("latin-1").rstrip(" ") for k in range(<Py_ssize_t>self.named)]

    def apply(self, const uint8_t[::1] message, uint64_t sequence, int64_t ts_recv_ns=LOWEST, uint32_t channel=0):
        cdef Message one
        one.data = &message[0] if message.shape[0] else NULL
        one.length = <uint32_t>min(message.shape[0], <Py_ssize_t>0xFFFF)
        one.sequence = sequence
        one.ts_recv_ns = ts_recv_ns
        one.channel = channel
        self.held.room(CHANGES_PER_MESSAGE)
        self.apply_batch(&one, 1)

    def run(self, const uint8_t[::1] data, int64_t offset, uint64_t sequence):
        """Apply the length-prefixed records from `offset` on; the first one has the number `sequence`.

        Returns (next offset, next sequence, how it stopped); it stops early when a batch of changes is full.
        """
        cdef const uint8_t *p
        cdef int64_t size = data.shape[0], at = offset
        cdef uint64_t count, next_sequence = sequence
        cdef int how = END
        cdef Message messages[BATCH]
        if not 0 <= offset <= size:
            raise ValueError(f"offset {offset} is outside the buffer of {size} bytes")
        if offset == size:
            return offset, sequence, END
        p = &data[0]
        self.held.room(BATCH * CHANGES_PER_MESSAGE)
        with nogil:
            while how == END and at < size:
                if self.m.change_capacity - self.m.change_count < BATCH * CHANGES_PER_MESSAGE:
                    how = FULL_BATCH
                    break
                count = 0
                while count < BATCH and at < size:
                    if at + 2 > size:
                        how = PARTIAL
                        break
                    messages[count].length = be16(p + at)
                    if messages[count].length == 0:
                        how = MARKER
                        break
                    if at + 2 + <int64_t>messages[count].length > size:
                        how = PARTIAL
                        break
                    messages[count].data = p + at + 2
                    messages[count].sequence = next_sequence
                    messages[count].ts_recv_ns = LOWEST
                    messages[count].channel = 0
                    at += 2 + messages[count].length
                    next_sequence += 1
                    count += 1
                self.apply_batch(messages, count)
        return at, next_sequence, how

    cdef void apply_batch(self, const Message *messages, uint64_t count) noexcept nogil:
        cdef Market *m = self.m
        cdef uint64_t k
        for k in range(min(<uint64_t>NEAR, count)):
            near(self, m, &messages[k])
        for k in range(min(<uint64_t>NEARER, count)):
            nearer(self, m, &messages[k])
        for k in range(count):
            if k + NEAR < count:
                near(self, m, &messages[k + NEAR])
            if k + NEARER < count:
                nearer(self, m, &messages[k + NEARER])
            one(self, m, &messages[k])

    cdef void other(self, const uint8_t *p, uint8_t type) noexcept nogil:
        """What is not about a displayed order: the directory, trading states, trades against hidden orders, crosses."""
        cdef uint32_t book
        if type == c'R':
            self.book_of(p, 11)
        elif type == c'H':
            book = self.book_of(p, 11)
            if book != NONE:
                self.m.books[book].sides[0].judged = p[19] == c'T'
        elif type == c'P':
            book = self.book_of(p, 24)
            if book != NONE:
                trade(self.m, book, p[19] == c'S', be32(p + 32), be32(p + 20), be64(p + 36), HIDDEN)
        elif type == c'Q':
            book = self.book_of(p, 19)
            if book != NONE:
                trade(self.m, book, 255, be32(p + 27), <int64_t>be64(p + 11), be64(p + 31), CROSS)

    cdef uint32_t book_of(self, const uint8_t *p, uint32_t stock_at) noexcept nogil:
        """Find the book of a locate code, or open it under the stock that the message names; refuses it at the bound."""
        cdef uint32_t book = self.by_locate[be16(p + 1)]
        if unlikely(book == NONE):
            book = self.open_for(be16(p + 1), p + stock_at)
        return book

    cdef uint32_t open_for(self, uint32_t locate, const uint8_t *stock) noexcept nogil:
        cdef uint32_t book = self.reopen_for(stock)
        if book != NONE:
            self.by_locate[locate] = book
            return book
        if self.name_room(self.m.book_count + 1):
            book = open_book(self.m, self.fresh)
        if book == NONE:
            refuse(self.m, NONE, FULL, 0)
            return NONE
        # others may have opened books, without a name
        memset(self.stocks + 8 * self.named, c' ', 8 * (book - self.named))
        memcpy(self.stocks + 8 * <uint64_t>book, stock, 8)
        self.named = <uint64_t>book + 1
        self.by_locate[locate] = book
        return book

    cdef uint32_t reopen_for(self, const uint8_t *stock) noexcept nogil:
        """Give the book that a session before had of a stock, which begins as a new one does; NONE when there is none."""
        cdef uint64_t name = be64(stock), low = 0, high = self.ended_count, middle
        cdef uint32_t book
        while low < high:
            middle = (low + high) / 2
            if self.ended[middle].stock < name:
                low = middle + 1
            else:
                high = middle
        if low == self.ended_count or self.ended[low].stock != name:
            return NONE
        middle = low + self.ended[low].given
        if middle >= self.ended_count or self.ended[middle].stock != name:
            return NONE
        self.ended[low].given += 1
        book = self.ended[middle].book
        self.m.books[book].sides[0].doubted = 0
        self.m.books[book].sides[0].judged = 1
        set_state(self.m, book, self.fresh)
        return book

    cdef bint name_room(self, uint64_t books) noexcept nogil:
        """Make room for so many names; false when memory is short."""
        cdef uint64_t capacity = self.stocks_capacity if self.stocks_capacity else 64
        cdef char *stocks
        while capacity < books:
            capacity *= 2
        if capacity != self.stocks_capacity:
            stocks = <char *>realloc(self.stocks, 8 * capacity)
            if stocks == NULL:
                return False
            self.stocks = stocks
            self.stocks_capacity = capacity
        return True
