# cython: language_level=3
"""Orders, levels and books of one feed, in plain C structures. `netfeed.book.l3` says what they mean.

Nothing is allocated per message, and memory follows what is alive, not what went by.

*Orders* lie in one array of 32-byte slots with two parts. The nursery is indexed by the low bits of the order id:
venues number orders as they come, so young orders - the ones that are cancelled most - lie side by side and are found
without a probe. Whoever is still in a place when a new order needs it settles in the old part, an open-addressed table
with linear probing, whose removals shift the run back: no tombstones. Any ids are right; rising ids are fast.

*Tags* lie beside the orders, two bytes for each, of the level that it rests at. Nothing lists the orders of a level, so
that whoever asks for them (`next_at`) walks the table: by the tags, a sixteenth of it, and until the level has no more.
A slot that was emptied keeps its tag; a tag says only where it is worth looking.

*Levels* are kept under the price on the bid side and under minus the price on the ask side, so that "best is largest"
holds on both and no code below asks which side it is on. Near the touch they lie on a *ladder*: one rung for each tick,
found by a multiplication. So a level appears and goes without moving another one, and the best one is known by its
rung; where it goes, the next one is looked for rung by rung. All other levels - far from the touch, or between two
ticks - are *far*: one sorted array, the best at the end. A level may be on either, the ladder only decides how fast it
is found. The tick is learned: it is what the distances between the best levels have in common. The ladder is laid anew
(`lay_ladder`) where a better level does not fit on it, and when many new levels have missed it. It has 64 rungs, up to
512 where one in sixteen of them will be taken, and none before there is a level; all ladders of more than 64 rungs
together are bounded (`WIDE_RUNGS`).

The bad case: a new far level moves every far level above it, 24 bytes each; a side with thousands of levels that grows
at its far end pays for it. Prices that have no tick in common but a tiny one find a ladder that covers little. And two
levels at the two ends of a ladder of 512 rungs, of which the better one comes and goes, cost a walk over it each time.
"""

from libc.stdint cimport int16_t, int64_t, int32_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy

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
    #ifndef NF_NEXT_TAG         /* every module that imports this file has these lines */
    #define NF_NEXT_TAG
    static uint64_t nf_next_tag(const uint16_t *tags, uint64_t at, uint64_t end, uint16_t tag) {
        while (at < end) {
            uint16_t met = 0;
            if (tags[at] == tag) return at;
            if (++at % 64) continue;
            for (; at + 64 <= end; at += 64) {  /* vector code: no way out in the middle of 64 */
                for (int k = 0; k < 64; k++) met |= (uint16_t)(tags[at + k] == tag);
                if (met) break;
            }
        }
        return end;
    }
    #endif
    static inline uint64_t nf_high(uint64_t a, uint64_t b) { return (uint64_t)((unsigned __int128)a * b >> 64); }
    /* the empty asm has GCC work a condition out, where it would make a branch for each half of one */
    static inline int nf_worked_out(int x) { __asm__("" : "+r"(x)); return x; }
    #define NF_LIKELY(x) __builtin_expect(!!(x), 1)
    #define NF_UNLIKELY(x) __builtin_expect(!!(x), 0)
    """
    void prefetch "NF_PREFETCH"(const void *address) noexcept
    void set_pair "nf_set_pair"(uint32_t *at, uint32_t low, uint32_t high) noexcept
    uint64_t next_tag "nf_next_tag"(const uint16_t *tags, uint64_t at, uint64_t end, uint16_t tag) noexcept
    uint64_t high_product "nf_high"(uint64_t a, uint64_t b) noexcept
    bint worked_out "nf_worked_out"(bint x) noexcept
    bint likely "NF_LIKELY"(bint x) noexcept
    bint unlikely "NF_UNLIKELY"(bint x) noexcept


cdef extern from *:
    int64_t LOWEST "INT64_MIN"


cdef enum:
    NONE = 0xFFFFFFFF           # no book
    NURSERY = 262144             # slots of the nursery
    RUNGS = 64                  # of a ladder at first
    MOST_RUNGS = 512
    WIDE_RUNGS = 4194304         # of all ladders that have more than at first: 64 MiB
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


cdef struct Level:
    int64_t key
    Total total


cdef struct Side:
    # the first cache line: what a message needs besides its rung
    Total *rungs                # a rung that is not taken is zero
    int64_t base                # the key of rung 0; no key between the lowest and the highest rung overflows
    uint64_t reciprocal         # of the tick, times 2**63
    int64_t far_key             # the best far level; LOWEST: there is none
    int64_t told_key
    int64_t told_quantity
    uint32_t told_orders
    uint32_t tick               # between two rungs, not 0
    int16_t best                # the highest rung that is taken, -1: none
    uint16_t rung_count         # 0 or a power of two
    uint8_t state               # of the book; kept in both sides, so that a message needs one of them only
    uint8_t judged              # of the book, like the next one; kept in its bid side
    uint8_t dirty
    uint8_t doubted             # of the book: SUSPECT for an open gap alone; kept in its bid side
    # the second
    Level *far                  # ascending
    uint32_t far_count
    uint32_t far_capacity
    int64_t patience            # so many new far levels until the ladder is laid anew
    uint32_t next_dirty
    uint32_t spare[9]


cdef struct Cursor:             # what is left of a walk over the levels of a side
    int32_t rung
    uint32_t far_count


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
    uint16_t *tags              # beside the orders, too
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
    uint8_t busy                # it was warmed, or has grown: huge pages are worth it
    uint8_t warm                # it was warmed: no message should pay for the first use of a page
    int64_t arrivals
    uint64_t wide_rungs         # of ladders that have more than at first
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
cdef uint32_t open_book(Market *m, uint8_t state) noexcept nogil
cdef int refuse(Market *m, uint32_t book, int reason, uint64_t order_id) noexcept nogil
cdef int64_t clear_book(Market *m, uint32_t book) noexcept nogil
cdef int64_t clear_books(Market *m) noexcept nogil
cdef int far_rest(Market *m, Side *side, int64_t key, int64_t quantity) noexcept nogil
cdef void far_lower(Side *side, int64_t key, int64_t by, bint gone) noexcept nogil
cdef uint32_t level_count(const Side *side) noexcept nogil
cdef Total total_at(const Side *side, int64_t key) noexcept nogil
cdef Cursor from_best(const Side *side) noexcept nogil
cdef bint next_level(const Side *side, Cursor *cursor, Level *level) noexcept nogil
cdef void tell_book(Market *m, uint32_t index) noexcept nogil
cdef Order *next_at(const Market *m, uint64_t *slot, uint32_t book, uint32_t which, int64_t key) noexcept nogil
cdef bint too_big(const Side *side, int64_t key, int64_t quantity) noexcept nogil


# --- the order table

cdef inline uint16_t tag_of(uint32_t book, uint32_t which, int64_t key) noexcept nogil:
    """Give the tag of a level; other levels may have the same one. Never 0, which is that of a slot never used."""
    cdef uint64_t side = (2 * <uint64_t>book + which) * <uint64_t>0xD6E8FEB86659FD93
    return <uint16_t>((<uint64_t>key ^ side) * <uint64_t>0x9E3779B97F4A7C15 >> 48) | 1


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


cdef inline void move(Market *m, uint64_t to, uint64_t slot) noexcept nogil:
    m.orders[to] = m.orders[slot]
    m.priorities[to] = m.priorities[slot]
    m.tags[to] = m.tags[slot]


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

cdef inline uint64_t guess_rung(const Side *side, int64_t key) noexcept nogil:
    """Give the rung of a key that is on the ladder, and some number for another one."""
    return high_product((<uint64_t>key - <uint64_t>side.base) << 1, side.reciprocal)


cdef inline bint on_ladder(const Side *side, uint64_t rung, int64_t key) noexcept nogil:
    """Tell whether a guess was right: a key outside the ladder, or between two rungs, is far."""
    return rung < side.rung_count and rung * side.tick == <uint64_t>key - <uint64_t>side.base


cdef inline int16_t taken_below(const Side *side, int16_t rung) noexcept nogil:
    """Give the highest rung below one that is taken, -1 when there is none."""
    rung -= 1
    while rung >= 0 and side.rungs[rung].orders == 0:
        rung -= 1
    return rung


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
    Market *m, Side *side, uint32_t book, uint64_t id, uint32_t which, int64_t key, int64_t quantity, int64_t priority
) noexcept nogil:
    """Rest an order on its side. Returns FULL at the bound or when memory is short, and then nothing has changed."""
    cdef uint64_t rung = guess_rung(side, key)
    cdef Total *total
    cdef Order *order
    if unlikely(m.order_count >= m.order_limit):
        return FULL
    if unlikely(m.old_count >= m.old_room) and grow_orders(m) != 0:
        return FULL
    if likely(on_ladder(side, rung, key)):
        total = &side.rungs[rung]
        total.quantity += quantity
        total.orders += 1
        side.best = max(side.best, <int16_t>rung)
    elif far_rest(m, side, key, quantity) != 0:
        return FULL
    order = &m.orders[young(id)]
    if order.quantity != 0:
        settle(m, young(id))
    order.id = id
    order.key = key
    order.quantity = quantity
    order.book = book
    order.side = which
    m.priorities[young(id)] = priority
    m.tags[young(id)] = tag_of(book, which, key)
    m.order_count += 1
    if m.order_count > m.order_most:
        m.order_most = m.order_count
    return 0


cdef inline Side *side_of(const Market *m, const Order *order) noexcept nogil:
    return &m.books[order.book].sides[order.side]


cdef inline void lower(Market *m, Side *side, Order *order, int64_t by) noexcept nogil:
    """Take `by` off an order of a side, 0 < by <= its quantity; at zero it is gone."""
    cdef uint64_t rung = guess_rung(side, order.key)
    cdef Total *total
    cdef bint gone = by == order.quantity
    order.quantity -= by
    if likely(on_ladder(side, rung, order.key)):
        total = &side.rungs[rung]
        total.quantity -= by
        total.orders -= gone
        if unlikely(worked_out((total.orders == 0) & (<int16_t>rung == side.best))):
            side.best = taken_below(side, <int16_t>rung)
    else:
        far_lower(side, order.key, by, gone)
    if gone:
        order.quantity = 1      # so that the slot counts as taken until it is forgotten
        forget(m, order)


# --- operations that check; each returns 0 or the reason why it refused

cdef inline int64_t key_of(uint32_t which, int64_t price) noexcept nogil:
    """Negate the price of an ask (`which` is 1), without a branch on the side: nothing predicts it."""
    return <int64_t>((<uint64_t>price ^ (0 - <uint64_t>which)) + which)


cdef inline int wrong(const Book *book, uint32_t which, int64_t price, int64_t quantity) noexcept nogil:
    """Tell what is wrong with a new order's values, 0 when nothing is."""
    if unlikely(which > 1 or price == -<int64_t>0x7FFFFFFFFFFFFFFF - 1):
        return BAD_VALUE
    if unlikely(quantity <= 0):
        return BAD_QUANTITY
    if unlikely(quantity > <int64_t>0xFFFFFFFF) and too_big(&book.sides[which], key_of(which, price), quantity):
        return BAD_QUANTITY
    return 0


cdef inline int try_add(
    Market *m, uint32_t book, uint64_t id, uint32_t which, int64_t price, int64_t quantity, int64_t priority
) noexcept nogil:
    cdef Book *here = &m.books[book]
    cdef int reason
    if unlikely(find(m, id) != NULL):
        return refuse(m, book, DUPLICATE_ORDER, id)
    reason = wrong(here, which, price, quantity)
    if likely(reason == 0):
        reason = rest(m, &here.sides[which], book, id, which, key_of(which, price), quantity, priority)
    return reason if likely(reason == 0) else refuse(m, book, reason, id)


cdef inline Order *find_in(Market *m, uint32_t book, uint64_t id) noexcept nogil:
    """Find an order that must rest in `book`; refuses and returns NULL otherwise."""
    cdef Order *order = find(m, id)
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
    cdef Book *here = &m.books[book]
    cdef uint32_t which = order.side
    cdef int reason = 0
    if unlikely(new_id != order.id and find(m, new_id) != NULL):
        return refuse(m, book, DUPLICATE_ORDER, new_id)
    reason = wrong(here, which, price, quantity)
    if likely(reason == 0):
        lower(m, &here.sides[which], order, order.quantity)
        reason = rest(m, &here.sides[which], book, new_id, which, key_of(which, price), quantity, priority)
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


cdef inline void tell_side(Market *m, Side *side, uint32_t index, uint32_t which) noexcept nogil:
    """Announce the best level of one side when it is not the one announced last."""
    cdef int64_t best = side.best
    cdef Change *change = &m.changes[m.change_count]
    cdef int64_t key = LOWEST
    cdef int64_t quantity = 0
    cdef int64_t orders = 0
    if likely(best >= 0):
        key = <int64_t>(<uint64_t>side.base + <uint64_t>best * side.tick)
        quantity = side.rungs[best].quantity
        orders = side.rungs[best].orders
    if unlikely(side.far_key > key):
        key = side.far_key
        quantity = side.far[side.far_count - 1].total.quantity
        orders = side.far[side.far_count - 1].total.orders
    if ((key ^ side.told_key) | (quantity ^ side.told_quantity) | (orders ^ side.told_orders)) == 0:
        return
    m.change_count += 1
    side.told_key = key
    side.told_quantity = quantity
    side.told_orders = <uint32_t>orders
    change.sequence = m.sequence
    change.ts_event_ns = m.ts_event_ns
    change.ts_recv_ns = m.ts_recv_ns
    change.price = key_of(which, key)       # an empty side's lowest key is NO_PRICE on both sides
    change.quantity = quantity
    change.reference = 0
    set_pair(&change.book, index, <uint32_t>orders)
    set_pair(<uint32_t *>&change.kind, KIND_BBO | which << 8 | <uint32_t>side.state << 16, m.channel)


cdef inline void judge_cross(Market *m, const Book *book, uint32_t index) noexcept nogil:
    """Refuse a book whose best bid is not below its best ask, as they were told, while it is traded and LIVE."""
    cdef const Side *bid = &book.sides[0]
    cdef int64_t ask = book.sides[1].told_key
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
