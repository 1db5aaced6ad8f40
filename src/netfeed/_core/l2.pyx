# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""A book of price levels in sorted contiguous arrays; `netfeed.book.l2` is its plain twin and defines what it does.

Each side holds its keys in rising order with the best price at the end, so that what happens at the touch moves
little. Two ideas make it fast. A level that goes leaves a dead slot (quantity 0): prices come back, and then nothing
moves at all. And the slot of a price is first guessed from its distance to the best price, which is right wherever
every tick in between has a slot; where it is wrong the side is searched, without branches.

Invariants of a side: keys are strictly rising; `top` is the last live slot, -1 when there is none; a dead slot has no
orders; live <= max_levels; slots <= 4 * live + 64 after a removal; capacity <= max(64, 4 * max_levels).

The types that it returns, and the exception of an illegal step, are handed in once by `netfeed.book` (`adopt`): the
core imports nothing of netfeed. A batch keeps the interpreter's lock, because it lasts microseconds and getting the
lock back can take milliseconds. A book belongs to one thread at a time. Arguments are declared Py_ssize_t, which is 64
bits here, because Cython then refuses a float; as int64_t it would cut it to an integer in silence.

Bad case: a book of thousands of levels on a sparse grid of prices. The guess is wrong, and each new price far from
the touch moves all that stands between it and the touch.
"""

from cpython.buffer cimport PyBUF_FORMAT, PyBUF_ND, PyBuffer_Release, PyObject_GetBuffer
from cpython.object cimport PyTypeObject
from cpython.ref cimport PyObject
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc, qsort
from libc.string cimport memcpy, memmove, memset, strchr

from numpy import empty, int64, ndarray

cdef enum:
    EMPTY = 0
    SYNCING = 1
    LIVE = 2
    SUSPECT = 3
    STALE = 4

cdef enum:
    REFUSED = -1
    NO_MEMORY = -2

cdef Py_ssize_t FIRST_CAPACITY = 64
cdef int64_t MOST_LEVELS = 2**31 - 1
cdef int64_t MOST_ORDERS = 2**32 - 1

# The states that may follow each state.
TRANSITIONS = {
    EMPTY: (SYNCING, LIVE, SUSPECT),
    SYNCING: (LIVE, SUSPECT, STALE, EMPTY),
    LIVE: (SUSPECT, STALE, SYNCING, EMPTY),
    SUSPECT: (SYNCING, LIVE, STALE, EMPTY),
    STALE: (SYNCING, LIVE, SUSPECT, EMPTY),
}

cdef object Level = None
cdef object Statistics = None
cdef object MisuseError = None
cdef tuple states = ()


def adopt(level, statistics, book_states, misuse):
    """Take the types that books return, and the exception of an illegal step, from the room above."""
    global Level, Statistics, MisuseError, states
    if not issubclass(level, tuple):
        raise TypeError("a level must be a tuple of price, quantity and orders")
    Level, Statistics, MisuseError, states = level, statistics, misuse, tuple(book_states)


# --- one side


cdef inline int64_t key_of(int64_t side, int64_t price) noexcept nogil:
    return price ^ -side  # its own inverse; unlike the negative, the complement never overflows


cdef inline Py_ssize_t search(const Side* side, int64_t key) noexcept nogil:
    """Give the last slot whose key is not above `key`, or -1."""
    cdef const int64_t* base = side.keys
    cdef Py_ssize_t left = side.slots, half
    if left == 0:
        return -1
    while left > 1:  # the same number of rounds for every key, and no branch to mispredict
        half = left >> 1
        base += half & -<Py_ssize_t>(base[half - 1] <= key)
        left -= half
    return (base - side.keys) + (base[0] <= key) - 1


cdef inline Py_ssize_t locate(const Side* side, int64_t key) noexcept nogil:
    """Do as `search`, after a guess: where every tick has a slot, slots are as far apart as their prices."""
    cdef uint64_t guess
    if side.top >= 0:
        guess = <uint64_t>side.top - (<uint64_t>side.keys[side.top] - <uint64_t>key)
        if guess < <uint64_t>side.slots and side.keys[guess] == key:
            return <Py_ssize_t>guess
    return search(side, key)


cdef int allocate(Side* side, Py_ssize_t capacity) noexcept nogil:
    """Start an empty side in a new block of memory."""
    cdef char* block = <char*>malloc(<size_t>capacity * (2 * sizeof(int64_t) + sizeof(uint32_t)))
    if block == NULL:
        return NO_MEMORY
    side.keys = <int64_t*>block
    side.quantities = side.keys + capacity
    side.orders = <uint32_t*>(side.quantities + capacity)
    side.capacity = capacity
    side.slots = side.live = 0
    side.top = -1
    return 0


cdef int grow(Side* side) noexcept nogil:
    cdef Side old = side[0]
    if allocate(side, 2 * old.capacity) < 0:
        return NO_MEMORY  # and the side is as it was
    memcpy(side.keys, old.keys, <size_t>old.slots * sizeof(int64_t))
    memcpy(side.quantities, old.quantities, <size_t>old.slots * sizeof(int64_t))
    memcpy(side.orders, old.orders, <size_t>old.slots * sizeof(uint32_t))
    side.slots, side.live, side.top = old.slots, old.live, old.top
    free(old.keys)
    return 0


cdef void compact(Side* side) noexcept nogil:
    """Forget the dead slots."""
    cdef Py_ssize_t slot, kept = 0
    for slot in range(side.top + 1):
        if side.quantities[slot]:
            side.keys[kept] = side.keys[slot]
            side.quantities[kept] = side.quantities[slot]
            side.orders[kept] = side.orders[slot]
            kept += 1
    side.slots = kept
    side.top = kept - 1


cdef void drop_below(Side* side, Py_ssize_t slot) noexcept nogil:
    """Forget the slots before `slot`, which is live."""
    cdef size_t kept = <size_t>(side.slots - slot)
    memmove(side.keys, side.keys + slot, kept * sizeof(int64_t))
    memmove(side.quantities, side.quantities + slot, kept * sizeof(int64_t))
    memmove(side.orders, side.orders + slot, kept * sizeof(uint32_t))
    side.slots -= slot
    side.top -= slot


cdef inline void empty_side(Side* side) noexcept nogil:
    side.slots = side.live = 0
    side.top = -1


cdef int insert(Side* side, Py_ssize_t at, int64_t key, int64_t quantity, uint32_t orders) noexcept nogil:
    """Open slot `at` for a new level, where there is room; say whether it is the best."""
    cdef size_t above = <size_t>(side.slots - at)
    memmove(side.keys + at + 1, side.keys + at, above * sizeof(int64_t))
    memmove(side.quantities + at + 1, side.quantities + at, above * sizeof(int64_t))
    memmove(side.orders + at + 1, side.orders + at, above * sizeof(uint32_t))
    side.keys[at] = key
    side.quantities[at] = quantity
    side.orders[at] = orders
    side.slots += 1
    side.live += 1
    if at > side.top:
        side.top = at
        return 1
    side.top += 1
    return 0


cdef inline int overwrite(Side* side, Py_ssize_t at, int64_t quantity, uint32_t orders) noexcept nogil:
    """Set a slot, live or dead, and move the top to where the best now is; say whether the best changed."""
    cdef int64_t quantity_before = side.quantities[at]
    cdef uint32_t orders_before = side.orders[at]
    cdef Py_ssize_t top = side.top
    cdef bint best_went = (at == top) & (quantity == 0)
    side.quantities[at] = quantity
    side.orders[at] = orders
    side.live += <Py_ssize_t>(quantity != 0) - <Py_ssize_t>(quantity_before != 0)
    if best_went:
        while top >= 0 and side.quantities[top] == 0:
            top -= 1
        side.top = top
    else:
        side.top = at if (at > top) & (quantity != 0) else top
    if side.slots > 4 * side.live + FIRST_CAPACITY:
        compact(side)
    return (at >= top) & ((quantity != quantity_before) | (orders != orders_before))


# --- the book


cdef inline int refuse(LevelBook book) noexcept nogil:
    book.refused += 1
    book.state_code = SUSPECT
    return REFUSED


cdef int put(LevelBook book, int64_t side, int64_t price, int64_t quantity, int64_t orders) noexcept nogil:
    """Set a level: 1 when the best changed, 0 when not, REFUSED, or NO_MEMORY and nothing was done."""
    cdef Side* levels
    cdef int64_t key
    cdef Py_ssize_t at
    if (<uint64_t>side > 1) | (quantity < 0) | (<uint64_t>orders > <uint64_t>MOST_ORDERS):
        return refuse(book)
    levels = &book.sides[side]
    key = key_of(side, price)
    at = locate(levels, key)
    if at >= 0 and levels.keys[at] == key:
        if (levels.live == book.max_levels) & (quantity != 0) and levels.quantities[at] == 0:
            return refuse(book)
        book.updates += 1
        return overwrite(levels, at, quantity, <uint32_t>orders if quantity else 0)
    if quantity == 0:
        book.updates += 1
        return 0
    if levels.live == book.max_levels:
        return refuse(book)
    if levels.slots == levels.capacity:
        if levels.live <= levels.capacity // 2:
            compact(levels)
        elif grow(levels) < 0:
            return NO_MEMORY
        at = search(levels, key)
    book.updates += 1
    return insert(levels, at + 1, key, quantity, <uint32_t>orders)


cdef Py_ssize_t put_many(
    LevelBook book, Py_ssize_t count, const uint8_t* sides, const int64_t* prices, const int64_t* quantities,
    const uint32_t* orders,
) noexcept nogil:
    cdef Py_ssize_t changed = 0, i
    cdef int result
    for i in range(count):
        result = put(book, sides[i], prices[i], quantities[i], orders[i] if orders != NULL else 0)
        if result == NO_MEMORY:
            return NO_MEMORY
        changed += result == 1
    return changed


cdef int borrow(Py_buffer* buffer, array, const char* formats, Py_ssize_t itemsize, Py_ssize_t length) except -1:
    """Take the memory of an array that is exactly what is wanted; -1 allows any length."""
    if not isinstance(array, ndarray):
        raise TypeError(f"wanted a numpy array, found {type(array).__name__}")
    PyObject_GetBuffer(array, buffer, PyBUF_FORMAT | PyBUF_ND)
    if (
        buffer.ndim == 1 and buffer.itemsize == itemsize and <size_t>buffer.buf % <size_t>itemsize == 0
        and (length == -1 or buffer.shape[0] == length)
        and buffer.format[0] != 0 and buffer.format[1] == 0 and strchr(formats, buffer.format[0]) != NULL
    ):
        return 0
    raise ValueError(f"wanted a row as long as the others and of the right type, found {array.dtype} {array.shape}")


# --- snapshots


cdef struct Row:
    int64_t key
    int64_t quantity
    int64_t orders


cdef int by_key(const void* a, const void* b) noexcept nogil:
    cdef int64_t left = (<const Row*>a).key, right = (<const Row*>b).key
    return (left > right) - (left < right)


cdef Py_ssize_t read_rows(Row* rows, tuple levels, int64_t side) except -2:
    """Read the levels that hold something and sort them; -1 when one makes no sense or a price stands there twice."""
    cdef Py_ssize_t price, quantity, orders, count = 0, i
    cdef bint sense = True
    for level in levels:
        price, quantity, orders = level
        sense &= (quantity >= 0) & (<uint64_t>orders <= <uint64_t>MOST_ORDERS)
        if quantity != 0:
            rows[count].key, rows[count].quantity, rows[count].orders = key_of(side, price), quantity, orders
            count += 1
    qsort(rows, <size_t>count, sizeof(Row), by_key)
    for i in range(1, count):
        sense &= rows[i - 1].key != rows[i].key
    return count if sense else -1


cdef int fill(Side* side, const Row* rows, Py_ssize_t count) except -1:
    """Start a side that holds sorted rows, with as much room again."""
    cdef Py_ssize_t capacity = FIRST_CAPACITY, i
    while capacity < 2 * count:
        capacity *= 2
    if allocate(side, capacity) < 0:
        raise MemoryError
    for i in range(count):
        side.keys[i], side.quantities[i], side.orders[i] = rows[i].key, rows[i].quantity, <uint32_t>rows[i].orders
    side.slots = side.live = count
    side.top = count - 1
    return 0


cdef bint load(Side* side, tuple levels, int64_t number, Py_ssize_t most) except -1:
    """Start a side from a snapshot; False when the snapshot must be refused."""
    cdef Py_ssize_t count
    cdef Row* rows = <Row*>malloc((<size_t>len(levels) + 1) * sizeof(Row))
    if rows == NULL:
        raise MemoryError
    try:
        count = read_rows(rows, levels, number)
        if count < 0 or count > most:
            return False
        fill(side, rows, count)
        return True
    finally:
        free(rows)


cdef bint same_best(const Side* a, const Side* b) noexcept nogil:
    if a.top < 0 or b.top < 0:
        return a.top < 0 and b.top < 0
    return (
        a.keys[a.top] == b.keys[b.top]
        and a.quantities[a.top] == b.quantities[b.top]
        and a.orders[a.top] == b.orders[b.top]
    )


# --- reading


cdef inline object level_at(const Side* side, int64_t number, Py_ssize_t slot):
    cdef tuple arguments = ((key_of(number, side.keys[slot]), side.quantities[slot], side.orders[slot]),)
    return (<PyTypeObject*>tuple).tp_new(Level, <PyObject*>arguments, NULL)


cdef inline object best_of(LevelBook book, int64_t number):
    cdef const Side* side = &book.sides[number]
    return None if side.top < 0 else level_at(side, number, side.top)


cdef int check_side(int64_t side) except -1:
    if side != 0 and side != 1:
        raise ValueError(f"side {side} is neither 0 (bid) nor 1 (ask)")
    return 0


cdef int check_count(int64_t n) except -1:
    if n < 0:
        raise ValueError(f"there are no {n} levels")
    return 0


cdef class LevelBook:
    """The price levels of one instrument, each an absolute quantity."""

    def __cinit__(self, Py_ssize_t max_levels=65536):
        if Level is None:
            raise RuntimeError("import netfeed.book first: it hands the core the types that a book returns")
        if max_levels < 1 or max_levels > MOST_LEVELS:
            raise ValueError(f"max_levels {max_levels} is not in 1 to {MOST_LEVELS}")
        self.max_levels = max_levels
        if allocate(&self.sides[0], FIRST_CAPACITY) < 0 or allocate(&self.sides[1], FIRST_CAPACITY) < 0:
            raise MemoryError

    def __dealloc__(self):
        free(self.sides[0].keys)
        free(self.sides[1].keys)

    def update(self, Py_ssize_t side, Py_ssize_t price, Py_ssize_t quantity, Py_ssize_t orders=0):
        """Set what rests at a price, 0 for nothing; say whether the best of either side changed."""
        cdef int result = put(self, side, price, quantity, orders)
        if result == NO_MEMORY:
            raise MemoryError
        return result == 1

    def update_many(self, sides, prices, quantities, orders=None):
        """Do `update` for each row of the arrays; return how many of them changed the best of either side."""
        cdef Py_buffer buffers[4]
        cdef Py_ssize_t count, changed
        cdef int i
        for i in range(4):
            memset(&buffers[i], 0, sizeof(Py_buffer))
        try:
            borrow(&buffers[0], sides, b"B", 1, -1)
            count = buffers[0].shape[0]
            borrow(&buffers[1], prices, b"lq", 8, count)
            borrow(&buffers[2], quantities, b"lq", 8, count)
            if orders is not None:
                borrow(&buffers[3], orders, b"IL", 4, count)
            changed = put_many(
                self, count, <const uint8_t*>buffers[0].buf, <const int64_t*>buffers[1].buf,
                <const int64_t*>buffers[2].buf, <const uint32_t*>buffers[3].buf,
            )
        finally:
            for i in range(4):
                PyBuffer_Release(&buffers[i])
        if changed < 0:
            raise MemoryError
        return changed

    def replace(self, bids, asks):
        """Put a snapshot in the place of all levels, or refuse all of it; say whether the best changed."""
        cdef Side fresh[2]
        cdef Side old
        cdef bint changed
        cdef int number
        cdef tuple levels = (tuple(bids), tuple(asks))
        fresh[0].keys = fresh[1].keys = NULL
        try:
            sense = [load(&fresh[number], levels[number], number, self.max_levels) for number in range(2)]
            if not all(sense):
                refuse(self)
                return False
            changed = not (same_best(&self.sides[0], &fresh[0]) and same_best(&self.sides[1], &fresh[1]))
            for number in range(2):
                old = self.sides[number]
                self.sides[number] = fresh[number]
                fresh[number] = old
            return changed
        finally:
            free(fresh[0].keys)
            free(fresh[1].keys)

    def clear(self, side=None):
        """Remove all levels, of one side or of both."""
        cdef Py_ssize_t number = 0 if side is None else side
        check_side(number)
        empty_side(&self.sides[number])
        if side is None:
            empty_side(&self.sides[1])

    def truncate(self, Py_ssize_t side, Py_ssize_t n):
        """Keep the best `n` levels of a side."""
        cdef Side* levels
        cdef Py_ssize_t slot
        check_side(side)
        check_count(n)
        levels = &self.sides[side]
        if n == 0:
            empty_side(levels)
        elif levels.live > n:
            levels.live = n
            slot = levels.top
            while n > 1:  # the level at `slot` is one of the n
                slot -= 1
                n -= levels.quantities[slot] != 0
            drop_below(levels, slot)

    @property
    def bid(self):
        """Give the highest bid, None when there is none."""
        return best_of(self, 0)

    @property
    def ask(self):
        """Give the lowest ask, None when there is none."""
        return best_of(self, 1)

    def best(self, Py_ssize_t side):
        """Give the best level of a side, None when there is none."""
        check_side(side)
        return best_of(self, side)

    def depth(self, Py_ssize_t side, Py_ssize_t n):
        """List up to `n` levels of a side, the best first."""
        cdef Side* levels
        cdef Py_ssize_t slot
        cdef list found = []
        check_side(side)
        check_count(n)
        levels = &self.sides[side]
        slot = levels.top
        while slot >= 0 and n > 0:
            # Appending can run a finalizer, and that can change this very book: look at its top each time.
            if slot <= levels.top and levels.quantities[slot]:
                found.append(level_at(levels, side, slot))
                n -= 1
            slot -= 1
        return found

    def depth_arrays(self, Py_ssize_t side, Py_ssize_t n):
        """Give the prices and the quantities of up to `n` levels of a side, the best first, as new int64 arrays."""
        cdef Side* levels
        cdef Py_ssize_t slot, i = 0
        cdef int64_t[::1] price, quantity
        check_side(side)
        check_count(n)
        levels = &self.sides[side]
        n = min(n, levels.live)
        prices, quantities = empty(n, int64), empty(n, int64)
        price, quantity = prices, quantities
        slot = levels.top
        while slot >= 0 and i < n:
            price[i] = key_of(side, levels.keys[slot])
            quantity[i] = levels.quantities[slot]
            i += quantity[i] != 0
            slot -= 1
        return prices[:i], quantities[:i]

    def quantity_at(self, Py_ssize_t side, Py_ssize_t price):
        """Give what rests at a price, 0 when nothing does."""
        cdef Py_ssize_t at
        check_side(side)
        at = locate(&self.sides[side], key_of(side, price))
        if at < 0 or self.sides[side].keys[at] != key_of(side, price):
            return 0
        return self.sides[side].quantities[at]

    def levels(self, Py_ssize_t side):
        """Count the levels of a side."""
        check_side(side)
        return self.sides[side].live

    @property
    def crossed(self):
        """Say whether the best bid is not below the best ask."""
        cdef const Side* bids = &self.sides[0]
        cdef const Side* asks = &self.sides[1]
        if bids.top < 0 or asks.top < 0:
            return False
        return key_of(0, bids.keys[bids.top]) >= key_of(1, asks.keys[asks.top])

    @property
    def state(self):
        """Give the state of the book."""
        return states[self.state_code]

    def to(self, Py_ssize_t state):
        """Move the book to another state; the same state again does nothing."""
        if state == self.state_code:
            return
        if state not in TRANSITIONS[self.state_code]:
            raise MisuseError(f"a book cannot go from {self.state.name} to state {state}")
        self.state_code = <int>state

    @property
    def quotable(self):
        """Say whether the book is LIVE."""
        return self.state_code == LIVE

    def statistics(self):
        """Return the counters, as of the call."""
        return Statistics(self.updates, self.refused, self.sides[0].live, self.sides[1].live)
