"""A walk over JSON text without making an object: what a shape names is kept by its place, everything else is skipped.

`netfeed.venues.depth_text` is the plain twin. A scan either says exactly what the twin would say, or that the message is
not plain, and then the twin looks at it: all that is wrong, and all that is rare.
"""

from libc.stdint cimport int8_t, int64_t, uint8_t, uint32_t
from netfeed._core.exact cimport Decimal

cdef enum:
    FOREIGN = 0         # no depth message
    DEPTH = 1           # one entry, and nothing odd
    ODD = 2             # the twin's
    MOST_KEYS = 32
    KEY_ROOM = 32

cdef enum:              # netfeed.venues.depth_shape.Role
    CHILD = 0
    CHANNEL = 1
    NAME = 2
    TOPIC = 3
    KIND = 4
    BEFORE = 5
    FIRST = 6
    NUMBER = 7
    CHECKSUM = 8
    LINE = 9
    MILLISECONDS = 10
    TIMESTAMP = 11
    BIDS = 12
    ASKS = 13
    LEVELS = 14
    ROLES = 15

cdef struct Key:
    uint8_t text[KEY_ROOM]
    Py_ssize_t length
    int role
    int child

cdef struct Node:
    Key keys[MOST_KEYS]
    int count
    bint entry
    bint many

cdef struct Text:
    const uint8_t* data         # NULL: absent
    Py_ssize_t length

cdef struct Row:                # one level
    Decimal price
    Decimal quantity
    int64_t price_at            # at the instrument's exponents
    int64_t quantity_at
    uint32_t orders
    uint8_t side
    int8_t deleted              # -1: nothing is said

cdef struct Shape:
    Node* nodes
    Text accept
    Text snapshot
    Text update
    Text price_key              # of a level that is an object
    Text quantity_key
    Text side_key
    int price                   # of a level that is a list
    int quantity
    int orders
    int action

cdef struct Scan:
    const Shape* shape
    const uint8_t* p
    const uint8_t* end
    bint odd                    # something is not as it should be, if this is a depth message
    int entries
    Text channel
    Text name
    Text kind
    int64_t numbers[ROLES]      # by role
    uint32_t has                # bit by role
    int64_t ts_event_ns
    Row* rows
    Py_ssize_t count
    Py_ssize_t room

cdef int scan(Scan* s, const uint8_t* data, Py_ssize_t length) noexcept nogil
cdef bint same(const Text* text, const Text* word) noexcept nogil
