# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""A book of price levels in sorted arrays; `netfeed.book.l2` is its plain twin and defines what it does.

A side is a list of runs (`run.pxd`), each with the levels of one range of keys. A book of a few hundred levels is one
run a side; a run that is full is split, so that a new price far from the touch moves some hundred levels at most. A
bid's key is its price and an ask's the complement: on both sides the best key is the highest.

Invariants of a side: a run has at most 4 * live + FIRST_CAPACITY slots after a removal; the first of `firsts` is the lowest integer; every run but an only one has a level; more than one
run means RUN_CAPACITY for each; live <= max_levels; of two neighbouring runs one has SPARSE levels or more, so that the
memory of a side is bounded by its levels.

The types that it returns, and the exception of an illegal step, are handed in once by `netfeed.book` (`adopt`): the
core imports nothing of netfeed. A batch keeps the interpreter's lock, because it lasts microseconds and getting the
lock back can take milliseconds. A book belongs to one thread at a time. Arguments are declared Py_ssize_t, which is 64
bits here, because Cython then refuses a float; as int64_t it would cut it to an integer in silence.
"""

from cpython.buffer cimport PyBUF_FORMAT, PyBUF_ND, PyBuffer_Release, PyObject_GetBuffer
from cpython.object cimport PyTypeObject
from cpython.ref cimport PyObject
from libc.stdint cimport INT64_MIN, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc, qsort, realloc
from libc.string cimport memmove, memset, strchr
from netfeed._core.run cimport (
    FIRST_CAPACITY, RUN_CAPACITY, Run, allocate, compact, copy_slots, grow, halve, insert, keep_best, last_not_above, locate,
    overwrite, reset, search,
)

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

cdef enum:
    SPARSE = RUN_CAPACITY // 8  # a run with fewer levels is merged with a neighbour,
    MERGED = RUN_CAPACITY // 2  # if together they have no more than this

cdef int64_t MOST_LEVELS = 2**31 - 1

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


# --- a side


cdef inline int64_t key_of(int64_t side, int64_t price) noexcept nogil:
    return price ^ -side  # its own inverse; unlike the negative, the complement never overflows


cdef bint make_side(Side* side) noexcept nogil:
    """Start a side with one empty run; False when there is no memory."""
    side.count = side.room = side.live = 0
    side.runs, side.firsts = NULL, NULL
    if not widen(side, 1) or not allocate(&side.runs[0], FIRST_CAPACITY):
        return False
    side.count = 1
    side.firsts[0] = INT64_MIN
    return True


cdef void free_side(Side* side) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(side.count):
        free(side.runs[i].keys)
    free(side.runs)
    free(side.firsts)


cdef bint widen(Side* side, Py_ssize_t room) noexcept nogil:
    """Make room for that many runs."""
    cdef void* runs
    cdef void* firsts
    if room <= side.room:
        return True
    runs = realloc(side.runs, <size_t>room * sizeof(Run))
    if runs == NULL:
        return False
    side.runs = <Run*>runs
    firsts = realloc(side.firsts, <size_t>room * sizeof(int64_t))
    if firsts == NULL:
        return False
    side.firsts = <int64_t*>firsts
    side.room = room
    return True


cdef bint split(Side* side, Py_ssize_t r) noexcept nogil:
    """Move the upper half of a full run to a new run above it; False when there is no memory."""
    cdef Run upper
    if (side.count == side.room and not widen(side, 2 * side.room)) or not allocate(&upper, RUN_CAPACITY):
        return False
    halve(&side.runs[r], &upper)
    memmove(side.runs + r + 2, side.runs + r + 1, <size_t>(side.count - r - 1) * sizeof(Run))
    memmove(side.firsts + r + 2, side.firsts + r + 1, <size_t>(side.count - r - 1) * sizeof(int64_t))
    side.runs[r + 1] = upper
    side.firsts[r + 1] = upper.keys[0]
    side.count += 1
    return True


cdef void drop(Side* side, Py_ssize_t first, Py_ssize_t count) noexcept nogil:
    """Remove some runs, not all; their levels are gone or elsewhere."""
    cdef Py_ssize_t r
    for r in range(first, first + count):
        free(side.runs[r].keys)
    side.count -= count
    memmove(side.runs + first, side.runs + first + count, <size_t>(side.count - first) * sizeof(Run))
    memmove(side.firsts + first, side.firsts + first + count, <size_t>(side.count - first) * sizeof(int64_t))
    side.firsts[0] = INT64_MIN


cdef void merge(Side* side, Py_ssize_t r) noexcept nogil:
    """Move the levels of the next run to the end of this one, if they are few."""
    cdef Run* run = &side.runs[r]
    cdef Run* above = run + 1
    if run.live + above.live <= MERGED:
        compact(run)
        compact(above)
        copy_slots(run, above, 0, above.slots)
        run.live += above.live
        run.top = run.slots - 1
        drop(side, r + 1, 1)


cdef void tidy(Side* side, Py_ssize_t r) noexcept nogil:
    """Forget dead slots that have become too many; drop a run that is empty, or merge it with a neighbour."""
    if side.runs[r].slots > 4 * side.runs[r].live + FIRST_CAPACITY:
        compact(&side.runs[r])
    if side.count == 1 or side.runs[r].live >= SPARSE:
        return
    if side.runs[r].live == 0:
        drop(side, r, 1)
        return
    if r + 1 < side.count:
        merge(side, r)
    if r > 0:
        merge(side, r - 1)


cdef void empty_side(Side* side) noexcept nogil:
    drop(side, 1, side.count - 1)
    reset(&side.runs[0])
    side.live = 0


cdef bint make_room(Side* side, Py_ssize_t r) noexcept nogil:
    """Let a full run have room, or be two."""
    cdef Run* run = &side.runs[r]
    if run.live <= run.capacity // 2:
        compact(run)
        return True
    return grow(run) if run.capacity < RUN_CAPACITY else split(side, r)


# --- the book


cdef inline int refuse(LevelBook book) noexcept nogil:
    book.refused += 1
    book.state_code = SUSPECT
    return REFUSED


cdef inline Py_ssize_t run_of(const Side* side, int64_t key) noexcept nogil:
    return 0 if side.count == 1 else last_not_above(side.firsts, side.count, key)


cdef inline bint set_known(Side* side, Py_ssize_t r, Py_ssize_t at, int64_t quantity, uint32_t orders) noexcept nogil:
    cdef Run* run = &side.runs[r]
    cdef Py_ssize_t live = run.live
    cdef bint changed = overwrite(run, at, quantity, orders) & (r == side.count - 1)
    side.live += run.live - live
    if (quantity == 0) & ((run.slots > 4 * run.live + FIRST_CAPACITY) | ((run.live < SPARSE) & (side.count > 1))):
        tidy(side, r)
    return changed


cdef int set_new(Side* side, Py_ssize_t r, Py_ssize_t at, int64_t key, int64_t quantity, uint32_t orders) noexcept nogil:
    if side.runs[r].slots == side.runs[r].capacity:
        if not make_room(side, r):
            return NO_MEMORY
        r = run_of(side, key)
        at = search(&side.runs[r], key)
    side.live += 1
    return insert(&side.runs[r], at + 1, key, quantity, orders) & (r == side.count - 1)


cdef int put(LevelBook book, int64_t side, int64_t price, int64_t quantity, int64_t orders) noexcept nogil:
    """Set a level: 1 when the best changed, 0 when not, REFUSED, or NO_MEMORY and nothing was done."""
    cdef Side* levels
    cdef Run* run
    cdef int64_t key
    cdef Py_ssize_t r, at
    cdef int changed
    if (<uint64_t>side > 1) | (quantity < 0) | (<uint64_t>orders >> 32 != 0):
        return refuse(book)
    levels = &book.sides[side]
    key = key_of(side, price)
    r = run_of(levels, key)
    run = &levels.runs[r]
    at = locate(run, key)
    if at >= 0 and run.keys[at] == key:
        if (levels.live == book.max_levels) & (quantity != 0) and run.quantities[at] == 0:
            return refuse(book)
        changed = set_known(levels, r, at, quantity, <uint32_t>orders if quantity else 0)
    elif quantity == 0:
        changed = 0
    elif levels.live == book.max_levels:
        return refuse(book)
    else:
        changed = set_new(levels, r, at, key, quantity, <uint32_t>orders)
        if changed == NO_MEMORY:
            return NO_MEMORY
    book.updates += 1
    return changed


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


cdef int by_key(const void* a, const void* b) noexcept nogil:
    cdef int64_t left = (<const Row*>a).key, right = (<const Row*>b).key
    return (left > right) - (left < right)


cdef Py_ssize_t read_rows(Row* rows, tuple levels, int64_t side) except -2:
    """Read the levels that hold something and sort them; -1 when one makes no sense or a price stands there twice."""
    cdef Py_ssize_t price, quantity, orders, count = 0, i
    cdef bint sense = True
    for level in levels:
        price, quantity, orders = level
        sense &= (quantity >= 0) & (<uint64_t>orders >> 32 == 0)
        if quantity != 0:
            rows[count].key, rows[count].quantity, rows[count].orders = key_of(side, price), quantity, orders
            count += 1
    qsort(rows, <size_t>count, sizeof(Row), by_key)
    for i in range(1, count):
        sense &= rows[i - 1].key != rows[i].key
    return count if sense else -1


cdef bint fill_run(Run* run, const Row* rows, Py_ssize_t count) noexcept nogil:
    """Put sorted rows in an empty run, with as much room again; False when there is no memory."""
    cdef Py_ssize_t i
    while run.capacity < 2 * count:
        if not grow(run):
            return False
    for i in range(count):
        run.keys[i], run.quantities[i], run.orders[i] = rows[i].key, rows[i].quantity, <uint32_t>rows[i].orders
    run.slots = run.live = count
    run.top = count - 1
    return True


cdef bint fill(Side* side, const Row* rows, Py_ssize_t count) noexcept nogil:
    """Put sorted rows in a new side; False when there is no memory."""
    cdef Py_ssize_t r, first
    if not widen(side, count // MERGED + 1):
        return False
    for r in range((count + MERGED - 1) // MERGED):
        first = r * MERGED
        if r > 0:
            if not allocate(&side.runs[r], RUN_CAPACITY):
                return False
            side.firsts[r] = rows[first].key
            side.count += 1
        if not fill_run(&side.runs[r], rows + first, min(count - first, <Py_ssize_t>MERGED)):
            return False
    side.live = count
    return True


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
        if not make_side(side) or not fill(side, rows, count):
            raise MemoryError
        return True
    finally:
        free(rows)


# --- reading


cdef inline const Run* best_run(const Side* side) noexcept nogil:
    return &side.runs[side.count - 1]


cdef inline object level_of(int64_t price, int64_t quantity, int64_t orders):
    cdef tuple arguments = ((price, quantity, orders),)
    return (<PyTypeObject*>tuple).tp_new(Level, <PyObject*>arguments, NULL)


cdef inline object best_of(LevelBook book, int64_t side):
    cdef const Run* run = best_run(&book.sides[side])
    if run.top < 0:
        return None
    return level_of(key_of(side, run.keys[run.top]), run.quantities[run.top], run.orders[run.top])


cdef bint same_best(const Side* one, const Side* other) noexcept nogil:
    cdef const Run* a = best_run(one)
    cdef const Run* b = best_run(other)
    if a.top < 0 or b.top < 0:
        return a.top < 0 and b.top < 0
    return (
        a.keys[a.top] == b.keys[b.top]
        and a.quantities[a.top] == b.quantities[b.top]
        and a.orders[a.top] == b.orders[b.top]
    )


cdef Py_ssize_t write_rows(const Side* side, Row* rows, Py_ssize_t n) noexcept nogil:
    """Write the best `n` levels, the best first; return how many there were."""
    cdef Py_ssize_t r = side.count - 1, slot, i = 0
    cdef const Run* run
    while r >= 0 and i < n:
        run = &side.runs[r]
        slot = run.top
        while slot >= 0 and i < n:
            if run.quantities[slot]:
                rows[i].key, rows[i].quantity, rows[i].orders = run.keys[slot], run.quantities[slot], run.orders[slot]
                i += 1
            slot -= 1
        r -= 1
    return i


cdef Row* best_rows(LevelBook book, int64_t side, int64_t* n) except NULL:
    """Copy the best levels, to be freed. A copy, because to make Python objects can run a finalizer that changes the book."""
    cdef Row* rows
    check_side(side)
    check_count(n[0])
    n[0] = min(n[0], book.sides[side].live)
    rows = <Row*>malloc(<size_t>(n[0] + 1) * sizeof(Row))
    if rows == NULL:
        raise MemoryError
    write_rows(&book.sides[side], rows, n[0])
    return rows


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
        if not make_side(&self.sides[0]) or not make_side(&self.sides[1]):
            raise MemoryError

    def __dealloc__(self):
        free_side(&self.sides[0])
        free_side(&self.sides[1])

    def __sizeof__(self):
        cdef Py_ssize_t size = object.__sizeof__(self), i, j
        for i in range(2):
            size += self.sides[i].room * <Py_ssize_t>(sizeof(Run) + sizeof(int64_t))
            for j in range(self.sides[i].count):
                size += self.sides[i].runs[j].capacity * <Py_ssize_t>(2 * sizeof(int64_t) + sizeof(uint32_t))
        return size

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
        memset(fresh, 0, sizeof(fresh))
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
            free_side(&fresh[0])
            free_side(&fresh[1])

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
        cdef Py_ssize_t r
        check_side(side)
        check_count(n)
        levels = &self.sides[side]
        if n == 0:
            empty_side(levels)
        elif levels.live > n:
            levels.live = n
            r = levels.count - 1
            while n > levels.runs[r].live:
                n -= levels.runs[r].live
                r -= 1
            keep_best(&levels.runs[r], n)
            drop(levels, 0, r)

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
        cdef Py_ssize_t i
        cdef int64_t count = n
        cdef Row* rows = best_rows(self, side, &count)
        try:
            return [level_of(key_of(side, rows[i].key), rows[i].quantity, rows[i].orders) for i in range(count)]
        finally:
            free(rows)

    def depth_arrays(self, Py_ssize_t side, Py_ssize_t n):
        """Give the prices and the quantities of up to `n` levels of a side, the best first, as new int64 arrays."""
        cdef Py_ssize_t i
        cdef int64_t count = n
        cdef int64_t[::1] price, quantity
        cdef Row* rows = best_rows(self, side, &count)
        try:
            prices, quantities = empty(count, int64), empty(count, int64)
            price, quantity = prices, quantities
            for i in range(count):
                price[i], quantity[i] = key_of(side, rows[i].key), rows[i].quantity
            return prices, quantities
        finally:
            free(rows)

    def quantity_at(self, Py_ssize_t side, Py_ssize_t price):
        """Give what rests at a price, 0 when nothing does."""
        cdef const Run* run
        cdef int64_t key = key_of(side, price)
        cdef Py_ssize_t at
        check_side(side)
        run = &self.sides[side].runs[run_of(&self.sides[side], key)]
        at = locate(run, key)
        return run.quantities[at] if at >= 0 and run.keys[at] == key else 0

    def levels(self, Py_ssize_t side):
        """Count the levels of a side."""
        check_side(side)
        return self.sides[side].live

    @property
    def crossed(self):
        """Say whether the best bid is not below the best ask."""
        cdef const Run* bids = best_run(&self.sides[0])
        cdef const Run* asks = best_run(&self.sides[1])
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
