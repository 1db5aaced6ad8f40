# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Deribit Starbase messages to order books, compiled. The plain twin `netfeed.venues.starbase.StarbaseBooks` defines it.

Only messages of a fixed size are dealt with here, and only those that move a book; an InstrumentDefinition, whose
groups vary, is counted and left to plain Python (`define`).
"""

cimport cython
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset

from netfeed._core.batch cimport Message
from netfeed._core.l3 cimport OrderBooks
from netfeed._core.market cimport (
    BAD_LENGTH, BAD_QUANTITY, CHANGES_PER_MESSAGE, FULL, NONE, UNKNOWN_BOOK, WRONG_BOOK, Market, Order, Side,
    end_transaction, find, find_in, guess_rung, home, key_of, lower, open_book, prefetch, refuse, rest, side_of, touch, trade, try_add, unlikely, wrong, young,
)

cdef extern from *:
    int64_t LOWEST "INT64_MIN"

cdef extern from * nogil:
    """
    #include <stdint.h>
    #include <string.h>
    #if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
    #error "netfeed's core reads little-endian fields in place: build it on a little-endian machine"
    #endif
    static inline uint16_t nf_le16(const uint8_t *p) { uint16_t v; memcpy(&v, p, 2); return v; }
    static inline int64_t nf_le64(const uint8_t *p) { int64_t v; memcpy(&v, p, 8); return v; }
    """
    uint16_t le16 "nf_le16"(const uint8_t *p) noexcept
    int64_t le64 "nf_le64"(const uint8_t *p) noexcept

cdef enum:
    NEAR = 16                   # messages ahead of which orders are fetched
    NEARER = 8                  # ... and levels
    HEADER = 16
    START = 1                   # MessageFlags
    FINISH = 2
    STATUS_UPDATE = 16
    BID_PUT = 20
    ASK_PUT = 21
    BID_REDUCED = 22
    ASK_REDUCED = 23
    BID_DELETE = 24
    ASK_DELETE = 25
    TRADE = 31
    BLOCK_TRADE = 33
    BLOCK = 8                   # TradeFlag
    OTHER = 256                 # where templates that no byte can hold are counted

cdef uint16_t SIZES[257]        # of the fixed bodies, 0 where there is none
memset(SIZES, 0, sizeof(SIZES))
for _template, _size in {
    11: 136, 12: 16, 14: 32, 15: 56, 16: 9, 20: 40, 21: 40, 22: 24, 23: 24, 24: 16, 25: 16, 30: 56, 31: 44, 33: 78, 100: 24,
    101: 24, 119: 4, 200: 9, 202: 49,
}.items():
    SIZES[_template] = <uint16_t>_size
del _template, _size


@cython.final
cdef class StarbaseBooks:
    """The books of one Starbase channel."""

    protocol = "starbase"

    def __cinit__(self, *, max_orders=1 << 26, uint32_t max_books=1 << 16):
        cdef uint64_t slots = 1024
        while slots < 2 * <uint64_t>max_books:
            slots *= 2
        self.held = OrderBooks(max_orders=max_orders, max_books=max_books)
        self.m = &self.held.m
        self.fresh = 2
        self.instruments = <Instrument *>calloc(slots, sizeof(Instrument))
        if self.instruments == NULL:
            raise MemoryError("no memory for a table of instruments")
        self.mask = <uint32_t>(slots - 1)

    def __dealloc__(self):
        free(self.instruments)

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
        return {"other" if k == OTHER else str(k): self.counts[k] for k in range(257) if self.counts[k]}

    def define(self, int64_t instrument_id):
        return self.open_for(instrument_id)

    def book(self, int64_t instrument_id):
        return self.find_book(instrument_id)

    def apply(self, const uint8_t[::1] message, uint64_t sequence, int64_t ts_recv_ns=LOWEST, uint32_t channel=0):
        cdef Message one
        one.data = &message[0] if message.shape[0] else NULL
        one.length = <uint32_t>min(message.shape[0], <Py_ssize_t>0xFFFFFF)
        one.sequence = sequence
        one.ts_recv_ns = ts_recv_ns
        one.channel = channel
        self.held.room(CHANGES_PER_MESSAGE + 4 * self.m.dirty_count)
        self.apply_batch(&one, 1)

    cdef void apply_batch(self, const Message *messages, uint64_t count) noexcept nogil:
        cdef uint64_t k
        cdef uint64_t ahead = NEAR if NEAR < count else count
        for k in range(ahead):
            self.near(&messages[k])
        for k in range(count):
            if k + NEAR < count:
                self.near(&messages[k + NEAR])
            if k + NEARER < count:
                self.nearer(&messages[k + NEARER])
            self.one(&messages[k])

    # --- fetching ahead: no effect but on the caches

    cdef void near(self, const Message *message) noexcept nogil:
        cdef uint64_t id
        if message.length < HEADER + 16:
            return
        id = <uint64_t>le64(message.data + HEADER)
        prefetch(&self.m.orders[young(id)])
        if id <= self.m.old_most:
            prefetch(&self.m.orders[home(self.m, id)])

    cdef void nearer(self, const Message *message) noexcept nogil:
        cdef uint16_t template
        cdef uint32_t book
        cdef const Side *side
        cdef uint64_t rung
        cdef int64_t key
        if message.length < HEADER + 16:
            return
        template = le16(message.data + 2)
        book = self.find_book(le64(message.data + HEADER + 8))
        if template < BID_PUT or template > ASK_DELETE or book == NONE:
            return
        side = &self.m.books[book].sides[template & 1]
        prefetch(side)
        if template <= ASK_PUT and message.length >= HEADER + 32:
            key = key_of(template & 1, le64(message.data + HEADER + 24))
        else:
            key = self.m.orders[young(<uint64_t>le64(message.data + HEADER))].key
        rung = guess_rung(side, key)
        if rung < side.rung_count:
            prefetch(&side.rungs[rung])

    # --- one message

    cdef void one(self, const Message *message) noexcept nogil:
        cdef Market *m = self.m
        cdef const uint8_t *p = message.data
        cdef const uint8_t *body
        cdef uint32_t length = message.length
        cdef uint32_t template, kind, book
        cdef uint16_t flags
        cdef Order *order
        m.sequence = message.sequence
        m.ts_recv_ns = message.ts_recv_ns
        m.channel = <uint16_t>message.channel
        m.ts_event_ns = LOWEST
        if unlikely(length < HEADER or le16(p) != length):
            refuse(m, NONE, BAD_LENGTH, 0)
            return
        template = le16(p + 2)
        kind = template if template < OTHER else OTHER
        flags = le16(p + 6)
        self.counts[kind] += 1
        m.ts_event_ns = le64(p + 8)
        if flags & START and m.dirty != NONE:
            end_transaction(m)
        body = p + HEADER
        if SIZES[kind] != 0:
            if unlikely(length - HEADER < SIZES[kind] or length - HEADER >= SIZES[kind] + <uint32_t>8):
                book = self.find_book(le64(body + 8)) if BID_PUT <= kind <= ASK_DELETE and length >= HEADER + 16 else NONE
                refuse(m, book, BAD_LENGTH, 0)
            elif kind == BID_PUT or kind == ASK_PUT:
                self.put(body, kind & 1)
            elif kind == BID_DELETE or kind == ASK_DELETE:
                order = self.resting(body, kind & 1)
                if order != NULL:
                    touch(m, order.book)
                    lower(m, side_of(m, order), order, order.quantity)
            elif kind == BID_REDUCED or kind == ASK_REDUCED:
                order = self.resting(body, kind & 1)
                if order != NULL:
                    if unlikely(le64(body + 16) <= 0 or le64(body + 16) > order.quantity):
                        refuse(m, order.book, BAD_QUANTITY, order.id)
                    else:
                        touch(m, order.book)
                        if le64(body + 16) < order.quantity:
                            lower(m, side_of(m, order), order, order.quantity - le64(body + 16))
            elif kind == TRADE:
                book = self.find_book(le64(body + 8))
                if book != NONE:
                    trade(m, book, body[40] & 1, le64(body + 32), le64(body + 24), <uint64_t>le64(body), 0)
            elif kind == BLOCK_TRADE:
                book = self.find_book(le64(body + 8))
                if book != NONE:
                    trade(m, book, 255, le64(body + 40), le64(body + 32), <uint64_t>le64(body), BLOCK)
            elif kind == STATUS_UPDATE:
                book = self.find_book(le64(body))
                if book != NONE:
                    m.books[book].sides[0].judged = body[8] == 0
        if flags & FINISH:
            end_transaction(m)

    cdef void put(self, const uint8_t *body, uint32_t which) noexcept nogil:
        """A new order, or a known one with a new price, quantity and priority."""
        cdef Market *m = self.m
        cdef uint64_t id = <uint64_t>le64(body)
        cdef int64_t quantity = le64(body + 16)
        cdef int64_t price = le64(body + 24)
        cdef uint32_t book = self.open_for(le64(body + 8))
        cdef Order *order
        cdef int reason
        if unlikely(book == NONE):
            refuse(m, NONE, FULL, id)
            return
        order = find(m, id)
        if order != NULL:
            reason = WRONG_BOOK if order.book != book or order.side != which else wrong(&m.books[book], which, price, quantity)
            if unlikely(reason != 0):
                refuse(m, book, reason, id)
                return
            lower(m, side_of(m, order), order, order.quantity)
            reason = rest(m, &m.books[book].sides[which], book, id, which, key_of(which, price), quantity, le64(body + 32))
            if unlikely(reason != 0):
                refuse(m, book, reason, id)
        elif unlikely(try_add(m, book, id, which, price, quantity, le64(body + 32)) != 0):
            return
        touch(m, book)

    cdef Order *resting(self, const uint8_t *body, uint32_t which) noexcept nogil:
        """Find the order that a message names, in its instrument and on its side; refuses and gives NULL otherwise."""
        cdef uint64_t id = <uint64_t>le64(body)
        cdef uint32_t book = self.find_book(le64(body + 8))
        cdef Order *order
        if unlikely(book == NONE):
            refuse(self.m, NONE, UNKNOWN_BOOK, id)
            return NULL
        order = find_in(self.m, book, id)
        if unlikely(order != NULL and order.side != which):
            refuse(self.m, book, WRONG_BOOK, id)
            return NULL
        return order

    # --- instruments

    cdef uint32_t find_book(self, int64_t id) noexcept nogil:
        return self.slot_of(id).place - 1       # NONE where the slot is empty

    cdef uint32_t open_for(self, int64_t id) noexcept nogil:
        """Give the book of an instrument, a new one when it is not known. NONE at the bound."""
        cdef Instrument *slot = self.slot_of(id)
        if slot.place == 0:
            slot.id = id
            slot.place = open_book(self.m, self.fresh) + 1
        return slot.place - 1

    cdef Instrument *slot_of(self, int64_t id) noexcept nogil:
        """Find the slot of an instrument, or the empty one where it belongs; at most half of them are taken."""
        cdef uint32_t at = <uint32_t>((<uint64_t>id * <uint64_t>0x9E3779B97F4A7C15) >> 32) & self.mask
        while self.instruments[at].place != 0 and self.instruments[at].id != id:
            at = (at + 1) & self.mask
        return &self.instruments[at]
