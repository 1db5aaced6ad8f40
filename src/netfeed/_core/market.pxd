# cython: language_level=3
"""Orders, levels and books of one feed, in plain C structures. `netfeed.book.l3` says what they mean.

Nothing is allocated per message, and memory follows what is alive, not what went by.

*Orders* lie in one array of 32-byte slots with two parts. The nursery is indexed by the low bits of the order id:
venues number orders as they come, so young orders - the ones that are cancelled most - lie side by side and are found
without a probe. Whoever is still in a place when a new order needs it settles in the old part, an open-addressed table
with linear probing, whose removals shift the run back: no tombstones. Any ids are right; rising ids are fast.

*Levels* of a side are two parallel sorted arrays, keys and totals, the best at the end, where the market moves: a
search starts there and inserting or removing moves little. Asks are kept under the negative of their price, so that
"best is largest" holds on both sides and no code below asks which side it is on.

The bad case: a new level far from the touch moves every level between it and the touch, 24 bytes each; a side with
thousands of levels that grows at its far end pays for it.
"""

from libc.stdint cimport int64_t, int32_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memmove

cdef extern from * nogil:
    """
    #include <stdint.h>
    #include <string.h>
    #if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
    #error "netfeed's core lays changes out as little-endian words: build it on a little-endian machine"
    #endif
    /* the empty asm keeps GCC from dropping a function that only prefetches as one without effect */
    #define NF_PREFETCH(p) do { __builtin_prefetch((const void *)(p), 1, 3); __asm__ volatile(""); } while (0)
    static inline void nf_set_pair(uint32_t *at, uint32_t low, uint32_t high) {
        uint64_t both = (uint64_t)high << 32 | low;   /* one store instead of two or more; little-endian */
        memcpy(at, &both, 8);
    }
    #define NF_LIKELY(x) __builtin_expect(!!(x), 1)
    #define NF_UNLIKELY(x) __builtin_expect(!!(x), 0)
    """
    void prefetch "NF_PREFETCH"(const void *address) noexcept
    void set_pair "nf_set_pair"(uint32_t *at, uint32_t low, uint32_t high) noexcept
    bint likely "NF_LIKELY"(bint x) noexcept
    bint unlikely "NF_UNLIKELY"(bint x) noexcept


cdef extern from *:
    int64_t LOWEST "INT64_MIN"


cdef enum:
    NONE = 0xFFFFFFFF           # no book
    NURSERY = 262144             # slots of the nursery
    SENTINELS = 8               # rungs with the lowest key that stand below the worst level
    SLACK = 8                   # rungs of room above the best one, for moves of a fixed size
    KIND_BBO = 1
    KIND_TRADE = 2
    KIND_STATE = 3
    KIND_GAP = 4
    KIND_REFUSED = 5
    UNKNOWN_ORDER = 1
    DUPLICATE_ORDER = 2
    BAD_QUANTITY = 3
    UNKNOWN_BOOK = 4
    BAD_LENGTH = 5
    WRONG_BOOK = 6
    CROSSED = 7
    FULL = 8
    BAD_VALUE = 9
    REASONS = 16
    EMPTY = 0
    SYNCING = 1
    LIVE = 2
    SUSPECT = 3
    CHANGES_PER_MESSAGE = 8     # at most: a trade, two refusals, two states, a bid, an ask - and one spare to write on


cdef struct Order:
    uint64_t id
    int64_t key                 # the price; minus the price on the ask side
    int64_t quantity            # 0: the slot is empty
    uint32_t book
    uint32_t side


cdef struct Total:
    int64_t quantity
    int64_t orders


cdef struct Side:
    int64_t *keys               # ascending; the best is keys[count - 1], SENTINELS lowest keys below keys[0]
    Total *totals               # beside the keys; totals[-1] is zero: the best of an empty side
    int64_t told_key
    int64_t told_quantity
    int64_t told_orders
    uint32_t count
    uint32_t capacity
    uint32_t next_dirty
    uint8_t state               # of the book; kept in both sides, so that a message needs one of them only
    uint8_t judged              # of the book, like the next one; kept in its bid side
    uint8_t dirty
    uint8_t doubted             # of the book: SUSPECT for an open gap alone; kept in its bid side
    uint8_t reserved[8]


cdef struct Book:
    Side sides[2]


cdef struct Change:             # netfeed.book.change.CHANGE
    uint64_t sequence
    int64_t ts_event_ns
    int64_t ts_recv_ns
    int64_t price
    int64_t quantity
    uint64_t reference
    uint32_t book
    uint32_t orders
    uint8_t kind
    uint8_t side
    uint8_t state
    uint8_t flags
    uint16_t channel
    uint16_t reserved


cdef struct Market:
    Order *orders
    int64_t *priorities         # beside the orders
    uint64_t order_count
    uint64_t order_most
    uint64_t order_limit        # the caller's bound
    uint64_t old_mask
    uint64_t old_count
    uint64_t old_room           # orders that fit in the old table before it must grow
    uint64_t old_most           # no order in the old table has a larger id
    int32_t order_shift
    uint32_t book_count
    Book *books
    uint32_t book_capacity
    uint32_t book_limit
    uint32_t dirty              # list of the books that this transaction touched, in order
    uint32_t dirty_last
    uint32_t dirty_count
    uint16_t channel
    int64_t arrivals
    uint64_t refused[16]
    # where we are in the stream
    uint64_t sequence
    int64_t ts_event_ns
    int64_t ts_recv_ns
    # the batch of changes; the caller makes room before each message
    Change *changes
    uint64_t change_count
    uint64_t change_capacity


cdef int market_init(Market *m, uint64_t order_limit, uint32_t book_limit) noexcept nogil
cdef void market_free(Market *m) noexcept nogil
cdef void market_warm(Market *m) noexcept nogil
cdef int grow_orders(Market *m) noexcept nogil
cdef int grow_side(Side *side) noexcept nogil
cdef uint32_t open_book(Market *m, uint8_t state) noexcept nogil
cdef int refuse(Market *m, uint32_t book, int reason, uint64_t order_id) noexcept nogil
cdef int64_t clear_book(Market *m, uint32_t book) noexcept nogil
cdef int64_t clear_books(Market *m) noexcept nogil
cdef int32_t search(const Side *side, int64_t key) noexcept nogil
cdef void tell_book(Market *m, uint32_t index) noexcept nogil
cdef bint too_big(const Side *side, int64_t key, int64_t quantity) noexcept nogil


# --- the order table

cdef inline uint64_t young(uint64_t id) noexcept nogil:
    return id & (NURSERY - 1)


cdef inline uint64_t home(const Market *m, uint64_t id) noexcept nogil:
    """Where an order of the old part is looked for first."""
    return NURSERY + ((id * <uint64_t>0x9E3779B97F4A7C15) >> m.order_shift)


cdef inline uint64_t after(const Market *m, uint64_t slot) noexcept nogil:
    return NURSERY + ((slot - NURSERY + 1) & m.old_mask)


cdef inline Order *find(const Market *m, uint64_t id) noexcept nogil:
    """Find an order, NULL when it is not there."""
    cdef uint64_t at = young(id)
    if m.orders[at].id == id and m.orders[at].quantity != 0:
        return &m.orders[at]
    if id > m.old_most:
        return NULL
    at = home(m, id)
    while m.orders[at].quantity != 0:
        if m.orders[at].id == id:
            return &m.orders[at]
        at = after(m, at)
    return NULL


cdef inline Order *find_at(const Market *m, uint64_t slot, uint64_t id) noexcept nogil:
    """Find an order that most likely lies in `slot`."""
    cdef Order *order = &m.orders[slot]
    if likely(order.id == id and order.quantity != 0):
        return order
    return find(m, id)


cdef inline void move(Market *m, uint64_t to, uint64_t slot) noexcept nogil:
    m.orders[to] = m.orders[slot]
    m.priorities[to] = m.priorities[slot]


cdef inline void forget(Market *m, Order *order) noexcept nogil:
    """Empty a slot; in the old part, move the run behind it back over the hole."""
    cdef uint64_t hole = <uint64_t>(order - m.orders)
    cdef uint64_t at = hole
    m.order_count -= 1
    order.quantity = 0
    if hole < NURSERY:
        return
    m.old_count -= 1
    while True:
        at = after(m, at)
        if m.orders[at].quantity == 0:
            return
        # the order at `at` may fill the hole when its home is not between the hole and itself
        if ((at - home(m, m.orders[at].id)) & m.old_mask) >= ((at - hole) & m.old_mask):
            move(m, hole, at)
            m.orders[at].quantity = 0
            hole = at


cdef inline void settle(Market *m, uint64_t slot) noexcept nogil:
    """Move an order out of the nursery into the old part, which has room."""
    cdef uint64_t id = m.orders[slot].id
    cdef uint64_t at = home(m, id)
    while m.orders[at].quantity != 0:
        at = after(m, at)
    move(m, at, slot)
    m.old_count += 1
    if id > m.old_most:
        m.old_most = id


# --- the levels

cdef inline int32_t at_or_below(const Side *side, int64_t key) noexcept nogil:
    """Find the last level whose key is not above `key`, -1 when there is none.

    Most searches end near the touch: the eight best are compared without a branch (sentinels stand below the worst).
    """
    cdef int32_t top = <int32_t>side.count - 1
    cdef const int64_t *k = side.keys + top
    cdef int32_t above = (
        (k[0] > key) + (k[-1] > key) + (k[-2] > key) + (k[-3] > key)
        + (k[-4] > key) + (k[-5] > key) + (k[-6] > key) + (k[-7] > key)
    )
    if likely(above < 8):
        return top - above
    return search(side, key)


cdef inline void shift(Side *side, int32_t to, int32_t at) noexcept nogil:
    """Move the levels from index `at` on to index `to`, one up or one down.

    Near the touch it always moves eight, what stands there or not: so it is a few moves of registers, and no branch
    asks how many there are.
    """
    cdef int64_t keys[SLACK]
    cdef Total totals[SLACK]
    cdef int32_t behind = <int32_t>side.count - at
    if likely(behind <= SLACK):
        memcpy(keys, &side.keys[at], sizeof(keys))
        memcpy(totals, &side.totals[at], sizeof(totals))
        memcpy(&side.keys[to], keys, sizeof(keys))
        memcpy(&side.totals[to], totals, sizeof(totals))
    else:
        memmove(&side.keys[to], &side.keys[at], <size_t>behind * sizeof(int64_t))
        memmove(&side.totals[to], &side.totals[at], <size_t>behind * sizeof(Total))


cdef inline int insert_level(Side *side, int64_t key, int32_t at) noexcept nogil:
    """Make an empty level at index `at`. Returns FULL when memory is short."""
    if unlikely(side.count == side.capacity) and grow_side(side) != 0:
        return FULL
    shift(side, at + 1, at)
    side.keys[at] = key
    side.totals[at].quantity = 0
    side.totals[at].orders = 0
    side.count += 1
    return 0


cdef inline void remove_level(Side *side, int32_t at) noexcept nogil:
    shift(side, at, at + 1)
    side.count -= 1


cdef inline void touch(Market *m, uint32_t index) noexcept nogil:
    """Remember that this transaction touched a book."""
    cdef Side *first = &m.books[index].sides[0]
    if first.dirty:
        return
    first.dirty = 1
    first.next_dirty = NONE
    if m.dirty == NONE:
        m.dirty = index
    else:
        m.books[m.dirty_last].sides[0].next_dirty = index
    m.dirty_last = index
    m.dirty_count += 1


# --- operations that do not check

cdef inline int rest(
    Market *m, uint32_t book, uint64_t id, uint32_t which, int64_t key, int64_t quantity, int64_t priority
) noexcept nogil:
    """Rest an order. Returns FULL at the bound or when memory is short, and then nothing has changed."""
    cdef Side *side = &m.books[book].sides[which]
    cdef int32_t at
    cdef Order *order
    if unlikely(m.order_count >= m.order_limit):
        return FULL
    if unlikely(m.old_count >= m.old_room) and grow_orders(m) != 0:
        return FULL
    at = at_or_below(side, key)
    if side.keys[at] != key or unlikely(at < 0):
        at += 1
        if unlikely(insert_level(side, key, at) != 0):
            return FULL
    side.totals[at].quantity += quantity
    side.totals[at].orders += 1
    order = &m.orders[young(id)]
    if order.quantity != 0:
        settle(m, young(id))
    order.id = id
    order.key = key
    order.quantity = quantity
    order.book = book
    order.side = which
    m.priorities[young(id)] = priority
    m.order_count += 1
    if m.order_count > m.order_most:
        m.order_most = m.order_count
    return 0


cdef inline void lower(Market *m, Order *order, int64_t by) noexcept nogil:
    """Take `by` off an order, 0 < by <= its quantity; at zero it is gone."""
    cdef Side *side = &m.books[order.book].sides[order.side]
    cdef int32_t at = at_or_below(side, order.key)
    side.totals[at].quantity -= by
    order.quantity -= by
    if order.quantity == 0:
        order.quantity = 1      # so that the slot counts as taken until it is forgotten
        forget(m, order)
        side.totals[at].orders -= 1
        if side.totals[at].orders == 0:
            remove_level(side, at)


# --- operations that check; each returns 0 or the reason why it refused

cdef inline int64_t key_of(uint32_t which, int64_t price) noexcept nogil:
    """Negate the price of an ask (`which` is 1), without a branch on the side: nothing predicts it."""
    return <int64_t>((<uint64_t>price ^ (0 - <uint64_t>which)) + which)


cdef inline int wrong(const Market *m, uint32_t book, uint32_t which, int64_t price, int64_t quantity) noexcept nogil:
    """Tell what is wrong with a new order's values, 0 when nothing is."""
    if unlikely(which > 1 or price == -<int64_t>0x7FFFFFFFFFFFFFFF - 1):
        return BAD_VALUE
    if unlikely(quantity <= 0):
        return BAD_QUANTITY
    if unlikely(quantity > <int64_t>0xFFFFFFFF) and too_big(&m.books[book].sides[which], key_of(which, price), quantity):
        return BAD_QUANTITY
    return 0


cdef inline int try_add(
    Market *m, uint32_t book, uint64_t id, uint32_t which, int64_t price, int64_t quantity, int64_t priority
) noexcept nogil:
    cdef int reason
    if unlikely(find(m, id) != NULL):
        return refuse(m, book, DUPLICATE_ORDER, id)
    reason = wrong(m, book, which, price, quantity)
    if likely(reason == 0):
        reason = rest(m, book, id, which, key_of(which, price), quantity, priority)
    return reason if likely(reason == 0) else refuse(m, book, reason, id)


cdef inline Order *find_in(Market *m, uint32_t book, uint64_t id, uint64_t slot) noexcept nogil:
    """Find an order that must rest in `book`, most likely in `slot`; refuses and returns NULL otherwise."""
    cdef Order *order = find_at(m, slot, id)
    if unlikely(order == NULL):
        refuse(m, book, UNKNOWN_ORDER, id)
        return NULL
    if unlikely(order.book != book):
        refuse(m, book, WRONG_BOOK, id)
        return NULL
    return order


cdef inline int try_replace(
    Market *m, uint32_t book, Order *order, uint64_t new_id, int64_t price, int64_t quantity, int64_t priority
) noexcept nogil:
    cdef uint32_t which = order.side
    cdef int reason = 0
    if unlikely(new_id != order.id and find(m, new_id) != NULL):
        return refuse(m, book, DUPLICATE_ORDER, new_id)
    reason = wrong(m, book, which, price, quantity)
    if likely(reason == 0):
        lower(m, order, order.quantity)
        reason = rest(m, book, new_id, which, key_of(which, price), quantity, priority)
    return reason if likely(reason == 0) else refuse(m, book, reason, new_id)


# --- announcing

cdef inline Change *announce(Market *m, uint8_t kind, uint32_t book) noexcept nogil:
    """Append a change; the caller has made room."""
    cdef Change *change = &m.changes[m.change_count]
    m.change_count += 1
    change.sequence = m.sequence
    change.ts_event_ns = m.ts_event_ns
    change.ts_recv_ns = m.ts_recv_ns
    change.price = -<int64_t>0x7FFFFFFFFFFFFFFF - 1
    change.quantity = 0
    change.reference = 0
    change.book = book
    change.orders = 0
    change.kind = kind
    change.side = 255
    change.state = m.books[book].sides[0].state if book != NONE else 0
    change.flags = 0
    change.channel = m.channel
    change.reserved = 0
    return change


cdef inline void trade(
    Market *m, uint32_t book, uint8_t which, int64_t price, int64_t quantity, uint64_t match, uint8_t flags
) noexcept nogil:
    cdef Change *change = announce(m, KIND_TRADE, book)
    change.side = which
    change.price = price
    change.quantity = quantity
    change.reference = match
    change.flags = flags


cdef inline void tell_side(Market *m, uint32_t index, uint32_t which) noexcept nogil:
    """Announce the best level of one side when it is not the one announced last.

    Without a branch, for nothing predicts it: the record is always written and counted only when it is news.
    """
    cdef Side *side = &m.books[index].sides[which]
    cdef int32_t best = <int32_t>side.count - 1
    cdef Change *change = &m.changes[m.change_count]
    cdef int64_t key = side.keys[best]
    cdef int64_t quantity = side.totals[best].quantity
    cdef int64_t orders = side.totals[best].orders
    m.change_count += ((key ^ side.told_key) | (quantity ^ side.told_quantity) | (orders ^ side.told_orders)) != 0
    side.told_key = key
    side.told_quantity = quantity
    side.told_orders = orders
    change.sequence = m.sequence
    change.ts_event_ns = m.ts_event_ns
    change.ts_recv_ns = m.ts_recv_ns
    change.price = key_of(which, key)       # an empty side's lowest key is NO_PRICE on both sides
    change.quantity = quantity
    change.reference = 0
    set_pair(&change.book, index, <uint32_t>orders)
    set_pair(<uint32_t *>&change.kind, KIND_BBO | which << 8 | <uint32_t>side.state << 16, m.channel)


cdef inline void judge_cross(Market *m, uint32_t index) noexcept nogil:
    """Refuse a book whose best bid is not below its best ask, as they were told, while it is traded and LIVE."""
    cdef const Side *bid = &m.books[index].sides[0]
    cdef int64_t ask = m.books[index].sides[1].told_key
    if unlikely(bid.told_key >= key_of(1, ask) and ask != LOWEST):     # LOWEST: the side is empty
        if bid.judged and bid.state == LIVE:
            refuse(m, index, CROSSED, 0)


cdef inline void end_transaction(Market *m) noexcept nogil:
    """Announce what this transaction changed. Room: 4 changes for each touched book."""
    cdef uint32_t index
    while m.dirty != NONE:
        index = m.dirty
        m.dirty = m.books[index].sides[0].next_dirty
        tell_book(m, index)
    m.dirty_count = 0


cdef inline void set_state(Market *m, uint32_t index, uint8_t state) noexcept nogil:
    if m.books[index].sides[0].state != state:
        m.books[index].sides[0].state = m.books[index].sides[1].state = state
        announce(m, KIND_STATE, index)
