# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The cold half of `market.pxd`: memory, growth, refusals. What a message needs is inline there."""

from libc.stdlib cimport free
from libc.string cimport memcpy, memset

cdef extern from "stdlib.h" nogil:
    int posix_memalign(void **memory, size_t alignment, size_t size)

cdef extern from "sys/mman.h" nogil:
    void *mmap(void *address, size_t length, int protection, int flags, int fd, long offset)
    int munmap(void *address, size_t length)
    int madvise(void *address, size_t length, int advice)
    void *MAP_FAILED
    int PROT_READ, PROT_WRITE, MAP_PRIVATE, MAP_ANONYMOUS, MADV_HUGEPAGE

cdef enum:
    POPULATE_WRITE = 23         # MADV_POPULATE_WRITE, which older headers do not have

cdef void *aligned(size_t size) noexcept nogil:
    """Allocate zeroed memory on cache lines."""
    cdef void *memory = NULL
    if posix_memalign(&memory, 64, size) != 0:
        return NULL
    memset(memory, 0, size)
    return memory


cdef void *mapped(size_t size) noexcept nogil:
    """Map zeroed memory that costs nothing until it is touched; huge pages where Linux grants them: fewer TLB misses."""
    cdef void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    if memory == MAP_FAILED:
        return NULL
    madvise(memory, size, MADV_HUGEPAGE)
    return memory


cdef void touch_pages(void *memory, size_t size) noexcept nogil:
    """Let the kernel map what is still to be touched; a kernel before 5.14 refuses, and nothing is lost."""
    madvise(memory, size, POPULATE_WRITE)


cdef void market_warm(Market *m) noexcept nogil:
    touch_pages(m.orders, (NURSERY + m.old_mask + 1) * sizeof(Order))
    touch_pages(m.priorities, (NURSERY + m.old_mask + 1) * sizeof(int64_t))


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
    m.orders = <Order *>mapped((NURSERY + 4096) * sizeof(Order))
    m.priorities = <int64_t *>mapped((NURSERY + 4096) * sizeof(int64_t))
    m.ts_event_ns = m.ts_recv_ns = LOWEST
    return 0 if m.orders != NULL and m.priorities != NULL else -1


cdef void market_free(Market *m) noexcept nogil:
    cdef uint32_t i, which
    for i in range(m.book_count):
        for which in range(2):
            free_side(&m.books[i].sides[which])
    unmap(m.orders, (NURSERY + m.old_mask + 1) * sizeof(Order))
    unmap(m.priorities, (NURSERY + m.old_mask + 1) * sizeof(int64_t))
    free(m.books)
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


cdef int rebuild_orders(Market *m, uint64_t capacity, uint32_t without) noexcept nogil:
    """Lay the orders out anew with `capacity` old slots, leaving out those of the book `without`."""
    cdef Order *orders = m.orders
    cdef int64_t *priorities = m.priorities
    cdef uint64_t i, before = NURSERY + m.old_mask + 1, now = NURSERY + capacity
    cdef Order *fresh = <Order *>mapped(now * sizeof(Order))
    cdef int64_t *fresh_priorities = <int64_t *>mapped(now * sizeof(int64_t))
    if fresh == NULL or fresh_priorities == NULL:
        unmap(fresh, now * sizeof(Order))
        unmap(fresh_priorities, now * sizeof(int64_t))
        return -1
    m.orders = fresh
    m.priorities = fresh_priorities
    while m.old_mask + 1 < capacity:
        m.old_mask = m.old_mask * 2 + 1
        m.order_shift -= 1
    m.order_count = m.old_count = 0
    for i in range(before):
        if orders[i].quantity != 0 and orders[i].book != without:
            place(m, orders, priorities, i)
    unmap(orders, before * sizeof(Order))
    unmap(priorities, before * sizeof(int64_t))
    return 0


cdef int grow_orders(Market *m) noexcept nogil:
    """Double the old table. It stays at most half full."""
    if rebuild_orders(m, (m.old_mask + 1) * 2, NONE) != 0:
        return -1
    m.old_room = (m.old_mask + 1) / 2
    return 0


cdef void free_side(Side *side) noexcept nogil:
    """Keys and totals are one allocation, which begins with the sentinels."""
    if side.keys != NULL:
        free(side.keys - SENTINELS)
    side.keys = NULL
    side.capacity = 0


cdef int grow_side(Side *side) noexcept nogil:
    """Double the room of a side, or make the first eight levels with the sentinels below them."""
    cdef size_t capacity = side.capacity * <size_t>2 if side.capacity else 8
    cdef size_t keys = (SENTINELS + capacity + SLACK) * sizeof(int64_t)
    cdef char *memory = <char *>aligned(keys + (capacity + SLACK + 2) * sizeof(Total))
    cdef int64_t *fresh = <int64_t *>memory
    cdef Total *totals = <Total *>(memory + keys) + 1
    cdef uint32_t i
    if memory == NULL or capacity >= (1 << 30):
        free(memory)
        return -1
    for i in range(SENTINELS):
        fresh[i] = LOWEST
    fresh += SENTINELS
    if side.count:
        memcpy(fresh, side.keys, side.count * sizeof(int64_t))
        memcpy(totals, side.totals, side.count * sizeof(Total))
    free_side(side)
    side.keys = fresh
    side.totals = totals
    side.capacity = <uint32_t>capacity
    return 0


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
        books = <Book *>aligned(capacity * sizeof(Book))
        if books == NULL:
            return NONE
        if m.books != NULL:
            memcpy(books, m.books, m.book_count * sizeof(Book))
            free(m.books)
        m.books = books
        m.book_capacity = <uint32_t>capacity
    book = &m.books[m.book_count]
    for which in range(2):
        if grow_side(&book.sides[which]) != 0:
            free_side(&book.sides[0])
            return NONE
        book.sides[which].told_key = LOWEST
        book.sides[which].state = state
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
    if m.books[book].sides[0].count or m.books[book].sides[1].count:
        m.books[book].sides[0].count = m.books[book].sides[1].count = 0
        touch(m, book)


cdef int64_t clear_book(Market *m, uint32_t book) noexcept nogil:
    """Remove every order of a book and return how many; -1 when memory is short."""
    cdef uint64_t before = m.order_count
    if rebuild_orders(m, m.old_mask + 1, book) != 0:
        return -1
    empty_book(m, book)
    return <int64_t>(before - m.order_count)


cdef int64_t clear_books(Market *m) noexcept nogil:
    """Remove every order of every book and return how many; -1 when memory is short."""
    cdef uint64_t before = m.order_count, slots = NURSERY + m.old_mask + 1
    cdef uint32_t book
    cdef Order *orders = <Order *>mapped(slots * sizeof(Order))
    if orders == NULL:
        return -1
    unmap(m.orders, slots * sizeof(Order))
    m.orders = orders
    m.order_count = m.old_count = 0
    for book in range(m.book_count):
        empty_book(m, book)
    return <int64_t>before


cdef int32_t search(const Side *side, int64_t key) noexcept nogil:
    """Go on below the eight best levels: the last one not above `key`, -1 when there is none.

    The same number of steps for every key, and no branch to mispredict. It begins with a sentinel, which is not above.
    """
    cdef const int64_t *base = side.keys - 1
    cdef int64_t left = <int64_t>side.count - 7
    cdef int64_t half
    while left > 1:             # base[0] <= key; the answer is one of base[0] to base[left - 1]
        half = left >> 1
        base += half & -<int64_t>(base[half] <= key)
        left -= half
    return <int32_t>(base - side.keys)


cdef void tell_book(Market *m, uint32_t index) noexcept nogil:
    """End a transaction for one book."""
    m.books[index].sides[0].dirty = 0
    tell_side(m, index, 0)
    tell_side(m, index, 1)
    judge_cross(m, index)


cdef bint too_big(const Side *side, int64_t key, int64_t quantity) noexcept nogil:
    """Tell whether an order would take the total of its level beyond 2**62."""
    cdef int64_t limit = (<int64_t>1 << 62) - quantity
    cdef int32_t at = at_or_below(side, key)
    if at >= 0 and side.keys[at] == key:
        return side.totals[at].quantity > limit
    return limit < 0
