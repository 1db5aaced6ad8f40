"""A run: up to a few hundred neighbouring price levels in sorted contiguous arrays.

Keys rise, and the best level is the last, so that what happens at the touch moves little. Two ideas make it fast. A
level that goes leaves a dead slot (quantity 0): prices come back, and then nothing moves at all. And the slot of a key
is first guessed from its distance to the top, which is right wherever every tick in between has a slot; where it is
wrong the run is searched, without branches.

Invariants: keys are strictly rising; `top` is the last live slot, -1 when there is none; a dead slot has no orders.
Nothing here checks that there is room, or what an argument is.
"""

from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memmove

cdef enum:
    FIRST_CAPACITY = 64
    RUN_CAPACITY = 512

cdef struct Run:
    int64_t* keys
    int64_t* quantities  # 0: a dead slot
    uint32_t* orders
    Py_ssize_t slots     # in use, live and dead
    Py_ssize_t capacity
    Py_ssize_t live
    Py_ssize_t top       # the last live slot


cdef inline Py_ssize_t last_not_above(const int64_t* keys, Py_ssize_t count, int64_t key) noexcept nogil:
    """Give the last of the rising keys that is not above `key`, or -1. `count` is not 0."""
    cdef const int64_t* base = keys
    cdef Py_ssize_t half
    while count > 1:  # the same number of rounds for every key, and no branch to mispredict
        half = count >> 1
        base += half & -<Py_ssize_t>(base[half - 1] <= key)
        count -= half
    return (base - keys) + (base[0] <= key) - 1


cdef inline Py_ssize_t search(const Run* run, int64_t key) noexcept nogil:
    """Give the last slot whose key is not above `key`, or -1."""
    return last_not_above(run.keys, run.slots, key) if run.slots else -1


cdef inline Py_ssize_t locate(const Run* run, int64_t key) noexcept nogil:
    """Do as `search`, after a guess: where every tick has a slot, slots are as far apart as their prices."""
    cdef uint64_t guess
    if run.top >= 0:
        guess = <uint64_t>run.top - (<uint64_t>run.keys[run.top] - <uint64_t>key)
        if guess < <uint64_t>run.slots and run.keys[guess] == key:
            return <Py_ssize_t>guess
    return search(run, key)


cdef inline void reset(Run* run) noexcept nogil:
    run.slots = run.live = 0
    run.top = -1


cdef inline bint allocate(Run* run, Py_ssize_t capacity) noexcept nogil:
    """Start an empty run in a new block of memory; False when there is none."""
    cdef char* block = <char*>malloc(<size_t>capacity * (2 * sizeof(int64_t) + sizeof(uint32_t)))
    if block == NULL:
        return False
    run.keys = <int64_t*>block
    run.quantities = run.keys + capacity
    run.orders = <uint32_t*>(run.quantities + capacity)
    run.capacity = capacity
    reset(run)
    return True


cdef inline void copy_slots(Run* run, const Run* other, Py_ssize_t first, Py_ssize_t count) noexcept nogil:
    """Copy slots of another run above those that are here; `live` and `top` are the caller's."""
    memcpy(run.keys + run.slots, other.keys + first, <size_t>count * sizeof(int64_t))
    memcpy(run.quantities + run.slots, other.quantities + first, <size_t>count * sizeof(int64_t))
    memcpy(run.orders + run.slots, other.orders + first, <size_t>count * sizeof(uint32_t))
    run.slots += count


cdef inline void compact(Run* run) noexcept nogil:
    """Forget the dead slots."""
    cdef Py_ssize_t slot, kept = 0
    for slot in range(run.top + 1):
        if run.quantities[slot]:
            run.keys[kept] = run.keys[slot]
            run.quantities[kept] = run.quantities[slot]
            run.orders[kept] = run.orders[slot]
            kept += 1
    run.slots = kept
    run.top = kept - 1


cdef inline bint grow(Run* run) noexcept nogil:
    """Double the capacity; the dead slots stay. False when there is no memory, and the run is as it was."""
    cdef Run wider
    if not allocate(&wider, 2 * run.capacity):
        return False
    copy_slots(&wider, run, 0, run.slots)
    wider.live, wider.top = run.live, run.top
    free(run.keys)
    run[0] = wider
    return True


cdef inline void halve(Run* run, Run* upper) noexcept nogil:
    """Move the upper half of the slots to an empty run. More than half of the slots are live, so neither gets none."""
    cdef Py_ssize_t half = run.slots // 2, slot
    copy_slots(upper, run, half, run.slots - half)
    for slot in range(upper.slots):
        upper.live += upper.quantities[slot] != 0
    upper.top = run.top - half
    run.slots = half
    run.live -= upper.live
    run.top = half - 1
    while run.quantities[run.top] == 0:
        run.top -= 1


cdef inline void keep_best(Run* run, Py_ssize_t n) noexcept nogil:
    """Forget all but the best `n` levels, which there are."""
    cdef Py_ssize_t first
    compact(run)
    first = run.slots - n
    memmove(run.keys, run.keys + first, <size_t>n * sizeof(int64_t))
    memmove(run.quantities, run.quantities + first, <size_t>n * sizeof(int64_t))
    memmove(run.orders, run.orders + first, <size_t>n * sizeof(uint32_t))
    run.slots = run.live = n
    run.top = n - 1


cdef inline bint insert(Run* run, Py_ssize_t at, int64_t key, int64_t quantity, uint32_t orders) noexcept nogil:
    """Open slot `at` for a new level, where there is room; say whether it is the best."""
    cdef size_t above = <size_t>(run.slots - at)
    cdef bint best = at > run.top
    memmove(run.keys + at + 1, run.keys + at, above * sizeof(int64_t))
    memmove(run.quantities + at + 1, run.quantities + at, above * sizeof(int64_t))
    memmove(run.orders + at + 1, run.orders + at, above * sizeof(uint32_t))
    run.keys[at] = key
    run.quantities[at] = quantity
    run.orders[at] = orders
    run.slots += 1
    run.live += 1
    run.top = at if best else run.top + 1
    return best


cdef inline bint overwrite(Run* run, Py_ssize_t at, int64_t quantity, uint32_t orders) noexcept nogil:
    """Set a slot, live or dead, and move the top to where the best now is; say whether the best changed."""
    cdef int64_t* quantities = run.quantities
    cdef uint32_t* counts = run.orders
    cdef Py_ssize_t top = run.top, live = run.live
    cdef int64_t quantity_before = quantities[at]
    cdef uint32_t orders_before = counts[at]
    quantities[at] = quantity  # all is read before the first write, so that nothing is read twice
    counts[at] = orders
    live += <Py_ssize_t>(quantity != 0) - <Py_ssize_t>(quantity_before != 0)
    run.live = live
    if (at == top) & (quantity == 0):
        while top >= 0 and quantities[top] == 0:
            top -= 1
        run.top = top
    else:
        run.top = at if (at > top) & (quantity != 0) else top
    return (at >= top) & ((quantity != quantity_before) | (orders != orders_before))
