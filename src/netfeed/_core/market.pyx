# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The cold half of `market.pxd`: memory, growth, refusals. What a message needs is inline there."""

from libc.stdint cimport int16_t
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memcpy, memmove, memset

cdef extern from "sys/mman.h" nogil:
    void *mmap(void *address, size_t length, int protection, int flags, int fd, long offset)
    int munmap(void *address, size_t length)
    int madvise(void *address, size_t length, int advice)
    void *MAP_FAILED
    int PROT_READ, PROT_WRITE, MAP_PRIVATE, MAP_ANONYMOUS, MADV_HUGEPAGE

cdef enum:
    POPULATE_WRITE = 23         # MADV_POPULATE_WRITE, which older headers do not have
    AT_ONCE = 1 << 26           # a table of no more bytes is there as a whole again after it was emptied: some 10 ms

cdef extern from *:
    int64_t HIGHEST "INT64_MAX"


cdef void *mapped(size_t size, bint huge) noexcept nogil:
    """Map zeroed memory that costs nothing until it is touched; in `huge` pages if Linux has them: fewer TLB misses."""
    cdef void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    if memory == MAP_FAILED:
        return NULL
    if huge:
        madvise(memory, size, MADV_HUGEPAGE)
    return memory


cdef void touch_pages(void *memory, size_t size) noexcept nogil:
    """Let the kernel map what is still to be touched; a kernel before 5.14 refuses, and nothing is lost."""
    madvise(memory, size, POPULATE_WRITE)


cdef void market_warm(Market *m) noexcept nogil:
    """Have all memory of the orders there, in huge pages: this market is going to be a busy one."""
    cdef uint64_t slots = NURSERY + m.old_mask + 1
    m.busy = m.warm = 1
    madvise(m.orders, slots * sizeof(Order), MADV_HUGEPAGE)
    madvise(m.priorities, slots * sizeof(int64_t), MADV_HUGEPAGE)
    touch_pages(m.orders, slots * sizeof(Order))
    touch_pages(m.priorities, slots * sizeof(int64_t))
    touch_pages(m.tags, slots * sizeof(uint16_t))


cdef void unmap(void *memory, size_t size) noexcept nogil:
    if memory != NULL:
        munmap(memory, size)


cdef int market_init(Market *m, uint64_t order_limit, uint32_t book_limit) noexcept nogil:
    memset(m, 0, sizeof(Market))
    m.order_limit = order_limit
    m.book_limit = book_limit
    m.dirty = NONE
    m.old_mask = 4095
    m.old_room = 2048
    m.order_shift = 64 - 12
    # No huge pages until it is warmed or grows: one order would cost one of 2 MiB, and a capture may open a thousand
    # markets of a few orders.
    m.orders = <Order *>mapped((NURSERY + 4096) * sizeof(Order), False)
    m.priorities = <int64_t *>mapped((NURSERY + 4096) * sizeof(int64_t), False)
    m.tags = <uint16_t *>mapped((NURSERY + 4096) * sizeof(uint16_t), False)
    m.ts_event_ns = m.ts_recv_ns = LOWEST
    return 0 if m.orders != NULL and m.priorities != NULL and m.tags != NULL else -1


cdef void market_free(Market *m) noexcept nogil:
    cdef uint32_t i, which
    for i in range(m.book_count):
        for which in range(2):
            free_side(&m.books[i].sides[which])
    unmap(m.orders, (NURSERY + m.old_mask + 1) * sizeof(Order))
    unmap(m.priorities, (NURSERY + m.old_mask + 1) * sizeof(int64_t))
    unmap(m.tags, (NURSERY + m.old_mask + 1) * sizeof(uint16_t))
    unmap(m.books, m.book_capacity * sizeof(Book))
    memset(m, 0, sizeof(Market))


cdef void place(Market *m, const Order *orders, const int64_t *priorities, uint64_t i) noexcept nogil:
    """Put slot `i` of a former table where it belongs: the nursery keeps its places, the old part is hashed anew."""
    cdef uint64_t slot = i
    if i >= NURSERY:
        slot = home(m, orders[i].id)
        while m.orders[slot].quantity != 0:
            slot = after(m, slot)
        m.old_count += 1
    m.order_count += 1
    m.orders[slot] = orders[i]
    m.priorities[slot] = priorities[i]
    m.tags[slot] = tag_of(orders[i].book, orders[i].side, orders[i].key)


cdef int grow_orders(Market *m) noexcept nogil:
    """Lay the orders out anew with an old table of twice the size. It stays at most half full."""
    cdef Order *orders = m.orders
    cdef int64_t *priorities = m.priorities
    cdef uint64_t i, before = NURSERY + m.old_mask + 1, now = before + m.old_mask + 1
    cdef Order *fresh = <Order *>mapped(now * sizeof(Order), True)
    cdef int64_t *fresh_priorities = <int64_t *>mapped(now * sizeof(int64_t), True)
    cdef uint16_t *fresh_tags = <uint16_t *>mapped(now * sizeof(uint16_t), True)
    if fresh == NULL or fresh_priorities == NULL or fresh_tags == NULL:
        unmap(fresh, now * sizeof(Order))
        unmap(fresh_priorities, now * sizeof(int64_t))
        unmap(fresh_tags, now * sizeof(uint16_t))
        return -1
    m.busy = 1
    m.orders = fresh
    m.priorities = fresh_priorities
    unmap(m.tags, before * sizeof(uint16_t))
    m.tags = fresh_tags
    m.old_mask = m.old_mask * 2 + 1
    m.old_room = (m.old_mask + 1) / 2
    m.order_shift -= 1
    m.order_count = m.old_count = 0
    for i in range(before):
        if orders[i].quantity != 0:
            place(m, orders, priorities, i)
    unmap(orders, before * sizeof(Order))
    unmap(priorities, before * sizeof(int64_t))
    return 0


cdef Order *next_at(const Market *m, uint64_t *slot, uint32_t book, uint32_t which, int64_t key) noexcept nogil:
    """Give the next order of a level, from a slot on, in no order of note; NULL: there is none. `slot` moves behind it.

    A walk that knows how many orders the level has may end there.
    """
    cdef uint64_t at, end = NURSERY + m.old_mask + 1
    cdef uint16_t tag = tag_of(book, which, key)
    cdef Order *order
    while slot[0] < end:
        at = next_tag(m.tags, slot[0], end, tag)
        slot[0] = at + 1
        order = &m.orders[at]
        if at < end and order.quantity != 0 and order.key == key and order.book == book and order.side == which:
            return order
    return NULL


cdef void free_side(Side *side) noexcept nogil:
    free(side.far)
    free(side.rungs)
    memset(side, 0, sizeof(Side))


cdef void open_side(Side *side, uint8_t state) noexcept nogil:
    """Begin with an empty ladder, which knows no tick yet."""
    memset(side, 0, sizeof(Side))
    side.far_key = side.told_key = LOWEST
    side.best = -1
    side.state = state
    set_tick(side, 1)


cdef void set_tick(Side *side, uint64_t tick) noexcept nogil:
    side.tick = <uint32_t>tick
    side.reciprocal = (<uint64_t>1 << 63) / tick + 1


cdef uint32_t open_book(Market *m, uint8_t state) noexcept nogil:
    """Open one more book; NONE at the bound or when memory is short."""
    cdef uint64_t capacity
    cdef Book *books
    cdef Book *book
    cdef uint32_t which
    if m.book_count >= m.book_limit:
        return NONE
    if m.book_count == m.book_capacity:
        capacity = m.book_capacity * <uint64_t>2 if m.book_capacity else 64
        books = <Book *>mapped(capacity * sizeof(Book), capacity >= 1024)       # as many as fill one
        if books == NULL:
            return NONE
        if m.books != NULL:
            memcpy(books, m.books, m.book_count * sizeof(Book))
            unmap(m.books, m.book_capacity * sizeof(Book))
        m.books = books
        m.book_capacity = <uint32_t>capacity
    book = &m.books[m.book_count]
    for which in range(2):
        open_side(&book.sides[which], state)
    book.sides[0].judged = 1
    m.book_count += 1
    return m.book_count - 1


cdef int refuse(Market *m, uint32_t book, int reason, uint64_t order_id) noexcept nogil:
    """Count nonsense, announce it, make a LIVE book SUSPECT. Returns the reason."""
    cdef Change *change
    m.refused[reason] += 1
    change = announce(m, KIND_REFUSED, book)
    change.reference = order_id
    change.flags = <uint8_t>reason
    if book != NONE:
        m.books[book].sides[0].doubted = 0
        if m.books[book].sides[0].state == LIVE:
            set_state(m, book, SUSPECT)
    return reason


cdef void empty_book(Market *m, uint32_t book) noexcept nogil:
    cdef Side *side
    cdef uint32_t which
    for which in range(2):
        side = &m.books[book].sides[which]
        if side.best >= 0 or side.far_count:
            side.best = -1
            memset(side.rungs, 0, side.rung_count * sizeof(Total))
            side.far_count = 0
            side.far_key = LOWEST
            touch(m, book)


cdef int64_t clear_book(Market *m, uint32_t book) noexcept nogil:
    """Remove every order of a book and return how many.

    The bad case: nothing lists the orders of one book, so that the whole table is looked through.
    """
    cdef uint64_t slot, before = m.order_count
    if level_count(&m.books[book].sides[0]) == 0 and level_count(&m.books[book].sides[1]) == 0:
        return 0
    for slot in range(NURSERY + m.old_mask + 1):
        # what comes back over the hole is looked at again; over the end of the table comes only what was looked at
        while m.orders[slot].quantity != 0 and m.orders[slot].book == book:
            forget(m, &m.orders[slot])
    empty_book(m, book)
    return <int64_t>(before - m.order_count)


cdef int64_t clear_books(Market *m) noexcept nogil:
    """Remove every order of every book and return how many; -1 when memory is short."""
    cdef uint64_t before = m.order_count, slots = NURSERY + m.old_mask + 1
    cdef uint32_t book
    cdef Order *orders = <Order *>mapped(slots * sizeof(Order), m.busy)
    if orders == NULL:
        return -1
    unmap(m.orders, slots * sizeof(Order))
    m.orders = orders
    if m.warm and slots * sizeof(Order) <= AT_ONCE:
        touch_pages(m.orders, slots * sizeof(Order))
    m.order_count = m.old_count = 0
    for book in range(m.book_count):
        empty_book(m, book)
    return <int64_t>before


# --- levels that are not on the ladder


cdef uint32_t far_after(const Side *side, int64_t key) noexcept nogil:
    """Give the index of the first far level above `key`.

    The same number of steps for every key, and no branch to mispredict.
    """
    cdef const Level *base = side.far
    cdef uint64_t left = side.far_count
    cdef uint64_t half
    if left == 0:
        return 0
    while left > 1:             # the answer is not below base
        half = left >> 1
        base += half & (0 - <uint64_t>(base[half - 1].key <= key))
        left -= half
    return <uint32_t>(base - side.far) + (base[0].key <= key)


cdef int far_room(Side *side, uint64_t levels) noexcept nogil:
    """Make room for so many far levels. FULL when memory is short."""
    cdef uint64_t capacity = side.far_capacity if side.far_capacity else 8
    cdef Level *far
    while capacity < levels:
        capacity *= 2
    if capacity != side.far_capacity:
        far = <Level *>realloc(side.far, capacity * sizeof(Level)) if capacity <= 0x40000000 else NULL
        if far == NULL:
            return FULL
        side.far = far
        side.far_capacity = <uint32_t>capacity
    return 0


cdef void far_changed(Side *side) noexcept nogil:
    side.far_key = side.far[side.far_count - 1].key if side.far_count else LOWEST


cdef int far_rest(Market *m, Side *side, int64_t key, int64_t quantity) noexcept nogil:
    """Add an order to a level that is not on the ladder. FULL when memory is short, and then nothing has changed."""
    cdef uint32_t at = far_after(side, key)
    cdef Level *level
    if at != 0 and side.far[at - 1].key == key:
        level = &side.far[at - 1]
        level.total.quantity += quantity
        level.total.orders += 1
        return 0
    if far_room(side, <uint64_t>side.far_count + 1) != 0:
        return FULL
    level = &side.far[at]
    memmove(level + 1, level, (side.far_count - at) * sizeof(Level))
    level.key = key
    level.total.quantity = quantity
    level.total.orders = 1
    side.far_count += 1
    far_changed(side)
    side.patience -= 1
    if side.patience < 0 or side.best < 0 or key > key_at(side, side.best):
        lay_ladder(m, side)
    return 0


cdef void far_lower(Side *side, int64_t key, int64_t by, bint gone) noexcept nogil:
    """Take `by` off a level that is not on the ladder, and an order when it is gone."""
    cdef Level *level = &side.far[far_after(side, key) - 1]
    level.total.quantity -= by
    level.total.orders -= gone
    if level.total.orders == 0:
        side.far_count -= 1
        memmove(level, level + 1, (side.far_count - (level - side.far)) * sizeof(Level))
        far_changed(side)


# --- laying the ladder


cdef int64_t key_at(const Side *side, uint64_t rung) noexcept nogil:
    return <int64_t>(<uint64_t>side.base + rung * side.tick)


cdef void lay_ladder(Market *m, Side *side) noexcept nogil:
    """Lay the ladder where the best level is, with the tick that is seen there. It stays as it is when memory is short.

    It takes as long as there are levels; patience grows with them, so that it stays cheap for each new level.
    """
    cdef uint32_t levels = level_count(side)
    cdef uint64_t tick
    if far_room(side, levels) != 0:
        return
    take_off(side)
    tick = common_tick(side)
    set_tick(side, tick)
    widen(m, side)
    if side.rung_count != 0:
        side.base = base_below(side.far[levels - 1].key, tick, side.rung_count)
    put_on(side)
    far_changed(side)
    side.patience = 2 + 2 * <int64_t>levels


cdef void take_off(Side *side) noexcept nogil:
    """Merge the ladder into the far levels, which have room: from the best one down, until the ladder is empty."""
    cdef uint32_t to = level_count(side)
    cdef uint32_t left = side.far_count
    cdef int64_t key
    side.far_count = to
    while side.best >= 0:
        key = key_at(side, side.best)
        to -= 1
        if left != 0 and side.far[left - 1].key > key:
            left -= 1
            side.far[to] = side.far[left]
            continue
        side.far[to].key = key
        side.far[to].total = side.rungs[side.best]
        side.rungs[side.best].quantity = side.rungs[side.best].orders = 0
        side.best = taken_below(side, side.best)


cdef void put_on(Side *side) noexcept nogil:
    """Move the far levels that have a rung onto the empty ladder; the others close up."""
    cdef uint32_t at = side.far_count
    cdef uint32_t to
    cdef uint64_t rung
    while at != 0 and side.far[at - 1].key >= side.base:
        at -= 1
    to = at
    while at < side.far_count:
        rung = guess_rung(side, side.far[at].key)
        if on_ladder(side, rung, side.far[at].key):
            side.rungs[rung] = side.far[at].total
            side.best = <int16_t>rung       # they come from the worst to the best
        else:
            side.far[to] = side.far[at]
            to += 1
        at += 1
    side.far_count = to


cdef uint64_t common_tick(const Side *side) noexcept nogil:
    """Give the largest tick that has the best levels on its grid; of a single level, the one that was. All are far."""
    cdef uint64_t tick = 0
    cdef uint64_t a, remainder
    cdef uint32_t k = side.far_count - 1
    cdef uint32_t last = k - 15 if k > 15 else 0
    while k > last:
        a = <uint64_t>side.far[k].key - <uint64_t>side.far[k - 1].key
        while tick != 0:        # Euclid
            remainder = a % tick
            a = tick
            tick = remainder
        tick = a
        k -= 1
    if tick == 0:
        return side.tick
    return tick if tick >> 32 == 0 else <uint64_t>1


cdef int64_t base_below(int64_t best, uint64_t tick, int64_t rungs) noexcept nogil:
    """Put the best level on a rung in the upper half; near the ends of the numbers, on the first or the last one."""
    cdef int64_t span = (rungs - 1) * <int64_t>tick
    if best < LOWEST + 1 + span:
        return best
    if best > HIGHEST - span:
        return best - span
    return best - below_best(rungs) * <int64_t>tick


cdef int64_t below_best(int64_t rungs) noexcept nogil:
    return 3 * rungs / 4 - 1


cdef void widen(Market *m, Side *side) noexcept nogil:
    """Give an empty ladder as many rungs as the levels, which are all far, call for; it keeps those that it has."""
    cdef int64_t rungs = MOST_RUNGS
    cdef uint64_t wide = side.rung_count if side.rung_count > RUNGS else 0
    cdef Total *fresh
    while rungs > RUNGS and levels_within(side, below_best(rungs)) * 16 < rungs:
        rungs /= 2
    if m.wide_rungs - wide + <uint64_t>rungs > WIDE_RUNGS:
        rungs = RUNGS
    if rungs <= side.rung_count:
        return
    fresh = <Total *>calloc(rungs, sizeof(Total))
    if fresh == NULL:
        return
    if rungs > RUNGS:
        m.wide_rungs += <uint64_t>rungs - wide
    free(side.rungs)
    side.rungs = fresh
    side.rung_count = <uint16_t>rungs


cdef int64_t levels_within(const Side *side, int64_t ticks) noexcept nogil:
    """Count the levels, which are all far, that lie at most so many ticks below the best one."""
    cdef uint32_t at = side.far_count - 1
    cdef uint64_t best = <uint64_t>side.far[at].key
    while at > 0 and best - <uint64_t>side.far[at - 1].key <= <uint64_t>ticks * side.tick:
        at -= 1
    return side.far_count - at


# --- reading levels


cdef uint32_t level_count(const Side *side) noexcept nogil:
    cdef uint32_t count = side.far_count
    cdef int16_t rung = side.best
    while rung >= 0:
        rung = taken_below(side, rung)
        count += 1
    return count


cdef Total total_at(const Side *side, int64_t key) noexcept nogil:
    """Give what rests at a key; zeros when there is no such level."""
    cdef uint64_t rung = guess_rung(side, key)
    cdef uint32_t at
    cdef Total none
    if on_ladder(side, rung, key):
        return side.rungs[rung]
    at = far_after(side, key)
    if at != 0 and side.far[at - 1].key == key:
        return side.far[at - 1].total
    none.quantity = none.orders = 0
    return none


cdef Cursor from_best(const Side *side) noexcept nogil:
    cdef Cursor cursor
    cursor.rung = side.best
    cursor.far_count = side.far_count
    return cursor


cdef bint next_level(const Side *side, Cursor *cursor, Level *level) noexcept nogil:
    """Give the next level of a walk from the best one down; false at the end."""
    cdef int32_t rung = cursor.rung
    if cursor.far_count != 0 and (rung < 0 or side.far[cursor.far_count - 1].key > key_at(side, rung)):
        cursor.far_count -= 1
        level[0] = side.far[cursor.far_count]
        return True
    if rung < 0:
        return False
    level.key = key_at(side, rung)
    level.total = side.rungs[rung]
    cursor.rung = taken_below(side, <int16_t>rung)
    return True


# --- the rest


cdef void tell_book(Market *m, uint32_t index) noexcept nogil:
    """End a transaction for one book."""
    cdef Book *book = &m.books[index]
    book.sides[0].dirty = 0
    tell_side(m, &book.sides[0], index, 0)
    tell_side(m, &book.sides[1], index, 1)
    judge_cross(m, book, index)


cdef bint too_big(const Side *side, int64_t key, int64_t quantity) noexcept nogil:
    """Tell whether an order would take the total of its level beyond 2**62."""
    return total_at(side, key).quantity > (<int64_t>1 << 62) - quantity
