# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Depth messages of text into level books, a batch in one crossing: the expected, and nothing else.

A message is taken here when it is plain (`scan`), its book is known and armed, it is the next of the book's chain or a
copy of an older one, and all of its prices and quantities are exact. Then its levels are set, the best levels that
changed are announced, and the checksum and the crossing are judged. Whatever is not like that stops the walk with
nothing of the message done: `netfeed.venues.depth_market`, which defines it all, handles that message and comes back.

A message costs no Python object. A path belongs to one thread at a time, and so do its books.
"""

from cpython.buffer cimport PyBUF_FORMAT, PyBUF_ND, PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport INT64_MIN, int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcmp, memcpy, memset
from netfeed._core.exact cimport at_exponent
from netfeed._core.l2 cimport LevelBook, Row as Rest, Run, Side, put, write_rows
from netfeed._core.market cimport Change
from netfeed._core.scan cimport (
    BEFORE, CHECKSUM, DEPTH, FIRST, FOREIGN, KEY_ROOM, LINE, MOST_KEYS, NUMBER, ODD, Node, Row, Scan, Shape, Text, same, scan,
)

cdef enum:              # verdicts on a message, beside those of a scan
    TAKEN = 3
    CROSSED = 4
    UNSUMMED = 5        # its checksum is another

cdef enum:              # how a message names the one before it: netfeed.venues.depth_rules.Numbering
    BY_BEFORE = 0
    BY_FIRST = 1
    BY_ONE = 2
    BY_LINE = 3
    BY_NOTHING = 4

cdef enum:
    LIVE = 2
    BBO = 1
    LINES = 64
    SUMMED = 10         # levels of a side that a checksum is made of
    CHANGES = 1024
    MOST_OLD = 256      # netfeed.venues.depth_rules.MOST_OLD

cdef struct Slot:
    int64_t last
    int32_t price_exponent
    int32_t quantity_exponent
    int leader          # the one line that is followed, -1: any
    uint32_t olds       # copies since something new came
    bint armed
    bint touched
    uint64_t hash

cdef struct Best:
    int64_t price
    int64_t quantity
    uint32_t orders

cdef uint32_t crc_table[256]


cdef void fill_crc_table() noexcept nogil:
    cdef uint32_t i, value
    cdef int bit
    for i in range(256):
        value = i
        for bit in range(8):
            value = (value >> 1) ^ (<uint32_t>0xEDB88320 * (value & 1))
        crc_table[i] = value


fill_crc_table()


cdef inline uint32_t crc_digits(uint32_t crc, int64_t value) noexcept nogil:
    """Go on with a checksum over the digits of a number; 0 has none, because leading zeros are not summed."""
    cdef uint8_t digits[20]
    cdef int count = 0
    cdef uint64_t rest = <uint64_t>value if value > 0 else 0
    while rest:
        digits[count] = <uint8_t>(c'0' + rest % 10)
        rest //= 10
        count += 1
    while count:
        count -= 1
        crc = crc_table[(crc ^ digits[count]) & 0xFF] ^ (crc >> 8)
    return crc


cdef uint32_t crc_of(LevelBook book) noexcept nogil:
    """Give the CRC32 over the digits of the ten best asks and then bids, price and quantity of each."""
    cdef Rest rows[SUMMED]
    cdef uint32_t crc = <uint32_t>0xFFFFFFFF
    cdef int64_t side
    cdef Py_ssize_t i, count
    for side in range(1, -1, -1):
        count = write_rows(&book.sides[side], rows, SUMMED)
        for i in range(count):
            crc = crc_digits(crc_digits(crc, rows[i].key ^ -side), rows[i].quantity)
    return crc ^ <uint32_t>0xFFFFFFFF


cdef inline uint64_t hash_of(const uint8_t* text, Py_ssize_t length) noexcept nogil:
    cdef uint64_t value = <uint64_t>0xCBF29CE484222325, word
    while length >= 8:
        memcpy(&word, text, 8)
        value = (value ^ word) * <uint64_t>0x9E3779B97F4A7C15
        value ^= value >> 29
        text += 8
        length -= 8
    while length > 0:
        value = (value ^ text[0]) * <uint64_t>0x100000001B3
        text += 1
        length -= 1
    return value ^ value >> 32


cdef inline Best best_of(LevelBook book, int64_t side) noexcept nogil:
    """Give the best level as a change tells it: the lowest price and no quantity where there is none."""
    cdef Best best
    cdef const Run* run = &book.sides[side].runs[book.sides[side].count - 1]
    if run.top < 0:
        best.price, best.quantity, best.orders = INT64_MIN, 0, 0
    else:
        best.price = run.keys[run.top] ^ -side
        best.quantity, best.orders = run.quantities[run.top], run.orders[run.top]
    return best


cdef class DepthPath:
    """The way of the expected message of one venue."""

    cdef Shape shape
    cdef Scan found
    cdef Slot* slots
    cdef Py_ssize_t count
    cdef Py_ssize_t room
    cdef uint32_t* index        # of a slot by its name, plus one; 0: free
    cdef uint64_t mask
    cdef Change* log
    cdef Py_ssize_t logged
    cdef int64_t lines[LINES]   # the count of each connection, INT64_MIN: not known
    cdef int numbering
    cdef int64_t restart        # the number of a message that is a snapshot whatever it says
    cdef bint straddle
    cdef bint summed
    cdef Py_ssize_t kept        # levels of a side that the venue keeps, 0: all
    cdef list books
    cdef list names
    cdef list held              # what the shape points into
    cdef readonly uint64_t taken
    cdef readonly uint64_t duplicates
    cdef readonly Py_ssize_t stopped    # the book of the last message that was taken, and the venue's time of it
    cdef readonly int64_t stopped_ns
    cdef dict far                       # the counts of connections beyond LINES, which are left to the plain way

    def __cinit__(self, *_arguments, **_named):
        cdef int line
        self.log = <Change*>calloc(CHANGES, sizeof(Change))
        self.index = <uint32_t*>calloc(64, sizeof(uint32_t))
        if self.log == NULL or self.index == NULL:
            raise MemoryError
        self.mask = 63
        self.books, self.names, self.held, self.far = [], [], [], {}
        for line in range(LINES):
            self.lines[line] = INT64_MIN

    def __init__(self, table, words, int numbering, *, bint straddle=False, bint summed=False, Py_ssize_t kept=0,
                 restart=None):
        self.numbering, self.straddle, self.summed, self.kept = numbering, straddle, summed, kept
        self.restart = INT64_MIN if restart is None else restart
        nodes, rung = table
        if self.shape.nodes != NULL or not nodes:
            raise ValueError("a path is made once, of a shape with a node")
        self.shape.nodes = <Node*>calloc(<size_t>len(nodes), sizeof(Node))
        if self.shape.nodes == NULL:
            raise MemoryError
        for at, (entry, many, keys) in enumerate(nodes):
            self.fill_node(&self.shape.nodes[<Py_ssize_t>at], entry, many, keys)
        self.keep(&self.shape.accept, words[0])
        self.keep(&self.shape.snapshot, words[1])
        self.keep(&self.shape.update, words[2])
        self.keep(&self.shape.price_key, rung[0])
        self.keep(&self.shape.quantity_key, rung[1])
        self.shape.price, self.shape.quantity, self.shape.orders, self.shape.action = rung[2:6]
        self.keep(&self.shape.side_key, rung[6])
        self.found.shape = &self.shape

    def __dealloc__(self):
        free(self.shape.nodes)
        free(self.found.rows)
        free(self.slots)
        free(self.index)
        free(self.log)

    cdef int fill_node(self, Node* node, bint entry, bint many, list keys) except -1:
        if len(keys) > MOST_KEYS:
            raise ValueError(f"a node has {len(keys)} keys, more than {MOST_KEYS}")
        node.entry, node.many, node.count = entry, many, <int>len(keys)
        for at, (key, role, child) in enumerate(keys):
            if len(key) > KEY_ROOM:
                raise ValueError(f"the key {key} is longer than {KEY_ROOM} bytes")
            memcpy(node.keys[<int>at].text, PyBytes_AS_STRING(key), <size_t>len(key))
            node.keys[<int>at].length = len(key)
            node.keys[<int>at].role, node.keys[<int>at].child = role, child
        return 0

    cdef int keep(self, Text* text, bytes word) except -1:
        self.held.append(word)
        text.data, text.length = <const uint8_t*>PyBytes_AS_STRING(word), PyBytes_GET_SIZE(word)
        return 0

    # --- the books

    def open(self, bytes name, LevelBook book not None, int price_exponent, int quantity_exponent):
        """Open one more book under the name that messages call it by; it is not armed. Give its index."""
        cdef void* slots
        if self.find(<const uint8_t*>PyBytes_AS_STRING(name), PyBytes_GET_SIZE(name)) >= 0:
            raise ValueError(f"there is a book named {name} already")
        if self.count == self.room:
            slots = realloc(self.slots, <size_t>(2 * self.room + 16) * sizeof(Slot))
            if slots == NULL:
                raise MemoryError
            self.slots, self.room = <Slot*>slots, 2 * self.room + 16
        memset(&self.slots[self.count], 0, sizeof(Slot))
        self.slots[self.count].price_exponent, self.slots[self.count].quantity_exponent = price_exponent, quantity_exponent
        self.slots[self.count].hash = hash_of(<const uint8_t*>PyBytes_AS_STRING(name), PyBytes_GET_SIZE(name))
        self.books.append(book)
        self.names.append(name)
        self.count += 1
        self.rehash()
        return self.count - 1

    cdef int rehash(self) except -1:
        """Put the newest slot into the index, or all of them into a larger one."""
        cdef uint32_t* index
        cdef Py_ssize_t i
        if 2 * self.count <= <Py_ssize_t>self.mask:
            self.enter(self.count - 1)
            return 0
        index = <uint32_t*>calloc(<size_t>(4 * (self.mask + 1)), sizeof(uint32_t))
        if index == NULL:
            raise MemoryError
        free(self.index)
        self.index, self.mask = index, 4 * (self.mask + 1) - 1
        for i in range(self.count):
            self.enter(i)
        return 0

    cdef void enter(self, Py_ssize_t i) noexcept:
        cdef uint64_t at = self.slots[i].hash & self.mask
        while self.index[at]:
            at = (at + 1) & self.mask
        self.index[at] = <uint32_t>(i + 1)

    cdef Py_ssize_t find(self, const uint8_t* text, Py_ssize_t length) noexcept:
        cdef uint64_t value = hash_of(text, length), at = value & self.mask
        cdef Py_ssize_t i
        cdef bytes name
        while self.index[at]:
            i = <Py_ssize_t>self.index[at] - 1
            if self.slots[i].hash == value:
                name = <bytes>self.names[i]
                if PyBytes_GET_SIZE(name) == length and memcmp(PyBytes_AS_STRING(name), text, <size_t>length) == 0:
                    return i
            at = (at + 1) & self.mask
        return -1

    cdef Slot* slot(self, Py_ssize_t index) except NULL:
        if not 0 <= index < self.count:
            raise IndexError(f"there is no book {index}")
        return &self.slots[index]

    def arm(self, Py_ssize_t index, int64_t last, int leader=-1, uint32_t olds=0):
        """Take the messages of a LIVE book from here on: those that follow `last`, on one line or on any."""
        cdef Slot* slot = self.slot(index)
        slot.last, slot.leader, slot.olds, slot.armed, slot.touched = last, leader, olds, True, False

    def disarm(self, Py_ssize_t index):
        """Leave a book alone. None if it was not armed, else its last number, copies in a row, and whether it moved."""
        cdef Slot* slot = self.slot(index)
        if not slot.armed:
            return None
        slot.armed = False
        return slot.last, slot.olds, bool(slot.touched)

    def last(self, Py_ssize_t index):
        """Give the last number of an armed book, None when it is not armed."""
        cdef Slot* slot = self.slot(index)
        return slot.last if slot.armed else None

    def line(self, int line):
        """Give the count of a connection, None when it is not known."""
        if not 0 <= line < LINES:
            return self.far.get(line)
        return None if self.lines[line] == INT64_MIN else self.lines[line]

    def set_line(self, int line, number):
        """Set the count of a connection, None for not known."""
        if 0 <= line < LINES:
            self.lines[line] = INT64_MIN if number is None else number
        elif number is None:
            self.far.pop(line, None)
        else:
            self.far[line] = number

    # --- the messages

    def run(self, data, places, Py_ssize_t first, int64_t ts_recv_ns, int line, list foreign not None):
        """Take messages from the `first` on; give where that ended, and why: 0 at the end, else ODD, CROSSED, UNSUMMED.

        An ODD message is not taken, one that is CROSSED or UNSUMMED is. Places of foreign ones are appended.
        """
        cdef Py_buffer text, rows
        cdef Py_ssize_t i, count
        cdef const int64_t* at
        cdef int verdict
        memset(&rows, 0, sizeof(Py_buffer))
        PyObject_GetBuffer(data, &text, PyBUF_SIMPLE)
        try:
            PyObject_GetBuffer(places, &rows, PyBUF_FORMAT | PyBUF_ND)
            count = rows_of(&rows, text.len)
            at = <const int64_t*>rows.buf
            for i in range(first, count):
                if self.logged > CHANGES - 2:
                    return i, 0
                verdict = self.one(<const uint8_t*>text.buf + at[2 * i], at[2 * i + 1], ts_recv_ns, line)
                if verdict == FOREIGN:
                    foreign.append(i)
                elif verdict != TAKEN:
                    return i, verdict
            return count, 0
        finally:
            PyBuffer_Release(&text)
            PyBuffer_Release(&rows)

    cdef int one(self, const uint8_t* text, Py_ssize_t length, int64_t ts_recv_ns, int line) except -1:
        """Take one message, or say why not."""
        cdef Scan* s = &self.found
        cdef int verdict = scan(s, text, length)
        cdef Py_ssize_t i
        cdef bint counted = False
        if verdict == ODD:
            return ODD
        if self.numbering == BY_LINE and s.has >> LINE & 1:
            if not 0 <= line < LINES or self.lines[line] == INT64_MIN or s.numbers[LINE] != self.lines[line] + 1:
                return ODD
            counted = True
        if verdict == DEPTH:
            i = self.find(s.name.data, s.name.length)
            if i < 0 or (s.kind.data != NULL and not same(&s.kind, &self.shape.update)):
                return ODD
            if self.numbering == BY_LINE and not counted:
                return ODD
            verdict = self.judge(i, <LevelBook>self.books[i], ts_recv_ns, line)
        if counted and verdict != ODD:
            self.lines[line] = s.numbers[LINE]
        return verdict

    cdef int judge(self, Py_ssize_t i, LevelBook book, int64_t ts_recv_ns, int line) except -1:
        """Say whether a message is the next of its book, and take it if it is."""
        cdef Slot* slot = &self.slots[i]
        cdef Scan* s = &self.found
        cdef int64_t number = slot.last, before = slot.last
        if not slot.armed or book.state_code != LIVE:
            return ODD
        if slot.leader >= 0 and slot.leader != line:
            self.duplicates += 1
            return TAKEN
        if self.numbering < BY_LINE:
            if not s.has >> NUMBER & 1:
                return ODD
            number = s.numbers[NUMBER]
            if number == self.restart:
                return ODD
            if self.numbering == BY_ONE:
                before = number - 1
            elif s.has >> (BEFORE if self.numbering == BY_BEFORE else FIRST) & 1:
                before = s.numbers[BEFORE] if self.numbering == BY_BEFORE else s.numbers[FIRST] - 1
            else:
                return ODD
            if number < before:
                return ODD
            if before != slot.last and not (self.straddle and before <= slot.last < number):
                if number > slot.last or slot.olds >= MOST_OLD:
                    return ODD
                slot.olds += 1
                self.duplicates += 1
                return TAKEN
        if (self.summed and not s.has >> CHECKSUM & 1) or not self.convert(slot, book):
            return ODD
        slot.last, slot.olds, slot.touched = number, 0, True
        self.stopped, self.stopped_ns = i, s.ts_event_ns
        self.taken += 1
        return self.take(i, book, number if self.numbering < BY_LINE else s.numbers[LINE] if self.numbering == BY_LINE else 0,
                         ts_recv_ns, line)

    cdef bint convert(self, const Slot* slot, LevelBook book) noexcept:
        """Make integers of all levels; False when one has none, makes no sense, or has no room."""
        cdef Scan* s = &self.found
        cdef Row* row
        cdef Py_ssize_t j
        if book.sides[0].live + s.count > book.max_levels or book.sides[1].live + s.count > book.max_levels:
            return False
        for j in range(s.count):
            row = &s.rows[j]
            if (
                not at_exponent(&row.price, slot.price_exponent, &row.price_at)
                or not at_exponent(&row.quantity, slot.quantity_exponent, &row.quantity_at)
                or row.quantity_at < 0
                or (row.deleted >= 0 and row.deleted != (row.quantity_at == 0))
            ):
                return False
        return True

    cdef int take(self, Py_ssize_t i, LevelBook book, int64_t number, int64_t ts_recv_ns, int line) except -1:
        """Set the levels, announce the best ones that changed, and judge the book."""
        cdef Scan* s = &self.found
        cdef Row* row
        cdef Best before[2]
        cdef Best now[2]
        cdef int64_t side
        cdef Py_ssize_t j
        for side in range(2):
            before[side] = best_of(book, side)
        for j in range(s.count):
            row = &s.rows[j]
            if put(book, row.side, row.price_at, row.quantity_at, row.orders) < 0:
                raise MemoryError
        for side in range(2):
            if self.kept and book.sides[side].live > self.kept:
                book.truncate(side, self.kept)
            now[side] = best_of(book, side)
            if (
                now[side].price != before[side].price or now[side].quantity != before[side].quantity
                or now[side].orders != before[side].orders
            ):
                self.announce(i, side, &now[side], number, ts_recv_ns, line)
        if self.summed and s.numbers[CHECKSUM] != <int64_t>crc_of(book):
            return UNSUMMED
        if now[0].quantity and now[1].quantity and now[0].price >= now[1].price:
            return CROSSED
        return TAKEN

    cdef void announce(
        self, Py_ssize_t i, int64_t side, const Best* best, int64_t number, int64_t ts_recv_ns, int line
    ) noexcept:
        cdef Change* change = &self.log[self.logged]
        self.logged += 1
        memset(change, 0, sizeof(Change))
        change.sequence, change.ts_event_ns, change.ts_recv_ns = <uint64_t>number, self.found.ts_event_ns, ts_recv_ns
        change.price, change.quantity, change.orders = best.price, best.quantity, best.orders
        change.book, change.kind, change.side, change.state = <uint32_t>i, BBO, <uint8_t>side, LIVE
        change.channel = <unsigned short>(line & 0xFFFF)

    def drain(self):
        """Give the changes since the last call, as the bytes of records."""
        cdef Py_ssize_t count = self.logged
        self.logged = 0
        return PyBytes_FromStringAndSize(<char*>self.log, count * <Py_ssize_t>sizeof(Change))

    # --- looking

    def look(self, data, Py_ssize_t index):
        """Scan one message and take nothing of it: None for a foreign one, False for an odd one, else what it says.

        That is name, kind, numbers by role, the venue's time, and levels of side, price, quantity, orders.
        """
        cdef Py_buffer text
        cdef Scan* s = &self.found
        cdef Slot* slot = self.slot(index)
        cdef Py_ssize_t j
        cdef int verdict, role
        PyObject_GetBuffer(data, &text, PyBUF_SIMPLE)
        try:
            verdict = scan(s, <const uint8_t*>text.buf, text.len)
            if verdict == FOREIGN:
                return None
            if verdict == ODD or not self.convert(slot, <LevelBook>self.books[index]):
                return False
            rows = [(s.rows[j].side, s.rows[j].price_at, s.rows[j].quantity_at, s.rows[j].orders) for j in range(s.count)]
            numbers = {role: s.numbers[role] for role in range(BEFORE, LINE + 1) if s.has >> role & 1}
            kind = None if s.kind.data == NULL else s.kind.data[: s.kind.length]
            return s.name.data[: s.name.length], kind, numbers, s.ts_event_ns, rows
        finally:
            PyBuffer_Release(&text)

    def levels(self, data, places, Py_ssize_t index):
        """Scan a batch and make integers of its levels, and take nothing; give how many levels that were."""
        cdef Py_buffer text, rows
        cdef Slot* slot = self.slot(index)
        cdef LevelBook book = <LevelBook>self.books[index]
        cdef const int64_t* at
        cdef Py_ssize_t i, count, found = 0
        memset(&rows, 0, sizeof(Py_buffer))
        PyObject_GetBuffer(data, &text, PyBUF_SIMPLE)
        try:
            PyObject_GetBuffer(places, &rows, PyBUF_FORMAT | PyBUF_ND)
            count = rows_of(&rows, text.len)
            at = <const int64_t*>rows.buf
            for i in range(count):
                if scan(&self.found, <const uint8_t*>text.buf + at[2 * i], at[2 * i + 1]) == DEPTH and self.convert(slot, book):
                    found += self.found.count
            return found
        finally:
            PyBuffer_Release(&text)
            PyBuffer_Release(&rows)


cdef Py_ssize_t rows_of(const Py_buffer* rows, Py_ssize_t length) except -1:
    """Check that places are rows of start and length inside of the data, and count them."""
    cdef const int64_t* at = <const int64_t*>rows.buf
    cdef Py_ssize_t i
    if rows.ndim != 2 or rows.itemsize != 8 or rows.shape[1] != 2 or rows.format[0] not in b"lq":
        raise ValueError("places are rows of start and length, int64")
    for i in range(rows.shape[0]):
        if at[2 * i] < 0 or at[2 * i + 1] < 0 or at[2 * i] > length - at[2 * i + 1]:
            raise ValueError(f"place {i} is outside of the data")
    return rows.shape[0]
