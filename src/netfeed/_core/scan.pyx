# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""A walk over JSON text without making an object; `scan.pxd` says what it finds, the twin is netfeed.venues.depth_text.

Every function moves `s.p` behind what it read and says False when the text is not plain. Nothing is read at `s.end` or
behind it. Depth is bounded by MAX_DEPTH, levels by MAX_LEVELS.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t
from libc.stdlib cimport realloc
from libc.string cimport memcmp
from netfeed._core.exact cimport read_long, read_short

cdef enum:
    MAX_DEPTH = 32
    MAX_LEVELS = 131072
    MAX_TEXT = 255

cdef extern from * nogil:
    """
    #include <stdint.h>
    #include <string.h>
    /* Give the first quote, backslash or control character; eight bytes at a time where there are as many. */
    static inline const uint8_t *nf_text_end(const uint8_t *p, const uint8_t *end) {
        const uint64_t ones = 0x0101010101010101ULL, tops = 0x8080808080808080ULL;
        while (end - p >= 8) {
            uint64_t word, quote, slash, stop;
            memcpy(&word, p, 8);
            quote = word ^ ones * '"';
            slash = word ^ ones * 0x5C;
            stop = ((quote - ones) & ~quote) | ((slash - ones) & ~slash) | ((word - ones * 0x20) & ~word);
            stop &= tops;       /* exact up to the first one, which is all that counts (little-endian) */
            if (stop) return p + (__builtin_ctzll(stop) >> 3);
            p += 8;
        }
        while (p < end && *p != '"' && *p != 0x5C && *p >= 0x20) p++;
        return p;
    }
    /* Compare with a key that has zeros behind it up to 32 bytes; `room` bytes may be read. */
    static inline int nf_is_key(const uint8_t *text, const uint8_t *key, Py_ssize_t length, Py_ssize_t room) {
        uint64_t a, b;
        if (length > 8 || room < 8) return memcmp(text, key, (size_t)length) == 0;
        memcpy(&a, text, 8);
        memcpy(&b, key, 8);
        return length == 0 || (a ^ b) << (64 - 8 * length) == 0;
    }
    """
    const uint8_t* text_end "nf_text_end"(const uint8_t* p, const uint8_t* end) noexcept
    bint is_key "nf_is_key"(const uint8_t* text, const uint8_t* key, Py_ssize_t length, Py_ssize_t room) noexcept


cdef extern from *:
    int64_t NO_TIME "INT64_MIN"


cdef inline bint same(const Text* text, const Text* word) noexcept nogil:
    return text.length == word.length and memcmp(text.data, word.data, <size_t>word.length) == 0


cdef inline void blank(Scan* s) noexcept nogil:
    while s.p < s.end and (s.p[0] == c' ' or s.p[0] == c'\n' or s.p[0] == c'\r' or s.p[0] == c'\t'):
        s.p += 1


cdef inline bint take(Scan* s, uint8_t byte) noexcept nogil:
    """Step over a byte and the blanks before and after it, if it stands here."""
    if s.p < s.end and s.p[0] == byte:
        s.p += 1
        if s.p < s.end and s.p[0] <= c' ':
            blank(s)
        return True
    if s.p < s.end and s.p[0] <= c' ':
        blank(s)
        if s.p < s.end and s.p[0] == byte:
            s.p += 1
            blank(s)
            return True
    return False


cdef inline uint8_t next_byte(Scan* s) noexcept nogil:
    """Give the byte that stands here behind any blanks, 0 at the end."""
    if s.p < s.end and s.p[0] <= c' ':
        blank(s)
    return s.p[0] if s.p < s.end else 0


cdef inline bint read_text(Scan* s, Text* text) noexcept nogil:
    """Read a string without escapes; it stands here."""
    cdef const uint8_t* p = text_end(s.p + 1, s.end)
    text.data = s.p + 1
    if p >= s.end or p[0] != c'"':
        return False
    text.length = p - text.data
    s.p = p + 1
    return True


cdef const uint8_t* read_any(const uint8_t* p, const uint8_t* end, Decimal* number) noexcept nogil:
    return read_long(p, end, number)


cdef inline const uint8_t* read_decimal(const uint8_t* p, const uint8_t* end, Decimal* number) noexcept nogil:
    """Read a number; give what follows it, NULL when it is not a plain one."""
    cdef const uint8_t* behind
    if end - p >= 8:
        behind = read_short(p, &number.mantissa, &number.exponent)
        if behind != NULL:
            number.negative = 0
            return behind
    return read_any(p, end, number)


# --- what nobody asked for


cdef inline bint is_hex(uint8_t byte) noexcept nogil:
    return <uint8_t>(byte - c'0') <= 9 or <uint8_t>((byte | 0x20) - c'a') <= 5


cdef bint skip_string(Scan* s) noexcept nogil:
    cdef const uint8_t* p = text_end(s.p + 1, s.end)
    while p < s.end and p[0] == c'\\':
        p += 1
        if p >= s.end:
            return False
        if p[0] == c'u':
            if s.end - p < 5 or not (is_hex(p[1]) and is_hex(p[2]) and is_hex(p[3]) and is_hex(p[4])):
                return False
            p += 4
        elif p[0] not in (c'"', c'\\', c'/', c'b', c'f', c'n', c'r', c't'):
            return False
        p = text_end(p + 1, s.end)
    if p >= s.end or p[0] != c'"':
        return False
    s.p = p + 1
    return True


cdef bint skip_digits(Scan* s) noexcept nogil:
    cdef const uint8_t* first = s.p
    while s.p < s.end and <uint8_t>(s.p[0] - c'0') <= 9:
        s.p += 1
    return s.p > first


cdef bint skip_number(Scan* s) noexcept nogil:
    s.p += s.p[0] == c'-'
    if s.p < s.end and s.p[0] == c'0':
        s.p += 1
    elif not skip_digits(s):
        return False
    if s.p < s.end and s.p[0] == c'.':
        s.p += 1
        if not skip_digits(s):
            return False
    if s.p < s.end and (s.p[0] | 0x20) == c'e':
        s.p += 1
        if s.p < s.end and (s.p[0] == c'+' or s.p[0] == c'-'):
            s.p += 1
        return skip_digits(s)
    return True


cdef bint skip_word(Scan* s, const char* word, Py_ssize_t length) noexcept nogil:
    if s.end - s.p < length or memcmp(s.p, word, <size_t>length) != 0:
        return False
    s.p += length
    return True


cdef bint skip(Scan* s, int depth) noexcept nogil:
    """Step over any value."""
    cdef uint8_t byte = next_byte(s)
    if byte == c'"':
        return skip_string(s)
    if byte == c'{' or byte == c'[':
        return skip_many(s, depth, byte == c'{')
    if byte == c't':
        return skip_word(s, b"true", 4)
    if byte == c'f':
        return skip_word(s, b"false", 5)
    if byte == c'n':
        return skip_word(s, b"null", 4)
    return (byte == c'-' or <uint8_t>(byte - c'0') <= 9) and skip_number(s)


cdef bint skip_many(Scan* s, int depth, bint is_object) noexcept nogil:
    cdef uint8_t close = c'}' if is_object else c']'
    if depth >= MAX_DEPTH:
        return False
    s.p += 1
    if take(s, close):
        return True
    while True:
        if is_object and (next_byte(s) != c'"' or not skip_string(s) or not take(s, c':')):
            return False
        if not skip(s, depth + 1):
            return False
        if not take(s, c','):
            return take(s, close)


# --- what the shape names


cdef inline bint odd(Scan* s, int depth) noexcept nogil:
    """Step over a value that is not what its place wants."""
    s.odd = True
    return skip(s, depth)


cdef bint scan_text(Scan* s, Text* text, int depth) noexcept nogil:
    cdef uint8_t byte = next_byte(s)
    if byte == c'"':
        if not read_text(s, text):
            return False
        s.odd |= text.length > MAX_TEXT
        return True
    return skip(s, depth) if byte == c'n' else odd(s, depth)


cdef bint scan_integer(Scan* s, int role, int depth) noexcept nogil:
    """Read an integer, bare or in quotes; `null` is none."""
    cdef uint8_t byte = next_byte(s)
    cdef Decimal number
    cdef const uint8_t* end
    cdef bint quoted = byte == c'"'
    if byte == c'n':
        return skip(s, depth)
    if s.p + quoted < s.end:
        end = read_decimal(s.p + quoted, s.end, &number)
        if end != NULL and number.exponent == 0 and not in_exponent(s.p + quoted, end):
            if not quoted or (end < s.end and end[0] == c'"'):
                s.p = end + quoted
                s.numbers[role] = -<int64_t>number.mantissa if number.negative else <int64_t>number.mantissa
                s.has |= <uint32_t>1 << role
                return True
    return odd(s, depth)


cdef inline bint in_exponent(const uint8_t* p, const uint8_t* end) noexcept nogil:
    """Say whether a number of exponent 0 is written with one (1.0e1, 1e0)."""
    while p < end:
        if (p[0] | 0x20) == c'e':
            return True
        p += 1
    return False


cdef bint scan_milliseconds(Scan* s, int depth) noexcept nogil:
    cdef int64_t most = <int64_t>9_000_000_000_000
    if not scan_integer(s, MILLISECONDS, depth):
        return False
    if s.has >> MILLISECONDS & 1:
        if -most < s.numbers[MILLISECONDS] < most:
            s.ts_event_ns = s.numbers[MILLISECONDS] * 1_000_000
        else:
            s.odd = True
    return True


cdef inline int64_t digits(const uint8_t* p, int count) noexcept nogil:
    """Read so many digits; -1 when they are none."""
    cdef int64_t value = 0
    cdef int i
    for i in range(count):
        if <uint8_t>(p[i] - c'0') > 9:
            return -1
        value = value * 10 + (p[i] - c'0')
    return value


cdef bint scan_timestamp(Scan* s, int depth) noexcept nogil:
    """Read 2026-10-06T08:04:57.123456789Z of this century; any other is the twin's."""
    cdef Text text
    cdef int64_t year, month, day, hour, minute, second, part = 0, days, last
    cdef int i, length
    if next_byte(s) != c'"':
        return odd(s, depth)
    if not read_text(s, &text):
        return False
    length = <int>text.length
    if not 20 <= text.length <= 30 or text.length == 21 or text.data[length - 1] != c'Z':
        s.odd = True
        return True
    year, month, day = digits(text.data, 4), digits(text.data + 5, 2), digits(text.data + 8, 2)
    hour, minute, second = digits(text.data + 11, 2), digits(text.data + 14, 2), digits(text.data + 17, 2)
    if length > 20:
        part = digits(text.data + 20, length - 21) if text.data[19] == c'.' else -1
        for i in range(9 - (length - 21)):
            part *= 10
    last = 28 if month == 2 else 30 + (month in (1, 3, 5, 7, 8, 10, 12))
    if (
        text.data[4] != c'-' or text.data[7] != c'-' or text.data[10] != c'T' or text.data[13] != c':'
        or text.data[16] != c':' or not 2000 <= year <= 2099 or not 1 <= month <= 12 or not 1 <= day <= last
        or not 0 <= hour <= 23 or not 0 <= minute <= 59 or not 0 <= second <= 59 or part < 0
    ):
        s.odd = True
        return True
    if month <= 2:      # days since 1970 by a year that begins in March
        year, month = year - 1, month + 12
    days = 365 * year + year // 4 - year // 100 + year // 400 + (153 * (month - 3) + 2) // 5 + day - 719469
    s.ts_event_ns = (((days * 24 + hour) * 60 + minute) * 60 + second) * <int64_t>1_000_000_000 + part
    return True


# --- levels


cdef inline Row* new_row(Scan* s) noexcept nogil:
    """Give room for one more level, NULL when there is none."""
    cdef void* rows
    cdef Py_ssize_t room
    if s.count == s.room:
        room = 2 * s.room if s.room else 256
        if room > MAX_LEVELS:
            return NULL
        rows = realloc(s.rows, <size_t>room * sizeof(Row))
        if rows == NULL:
            return NULL
        s.rows, s.room = <Row*>rows, room
    s.count += 1
    return &s.rows[s.count - 1]


cdef inline bint scan_decimal(Scan* s, Decimal* number) noexcept nogil:
    """Read a number, bare or in quotes."""
    cdef const uint8_t* end
    cdef bint quoted = next_byte(s) == c'"'
    end = read_decimal(s.p + quoted, s.end, number)
    if end == NULL or (quoted and (end >= s.end or end[0] != c'"')):
        return False
    s.p = end + quoted
    return True


cdef inline bint scan_action(Scan* s, Row* row) noexcept nogil:
    if next_byte(s) != c'"' or s.end - s.p < 8:     # no message ends here
        return False
    if memcmp(s.p, b'"change"', 8) == 0:
        row.deleted = 0
        s.p += 8
    elif memcmp(s.p, b'"delete"', 8) == 0:
        row.deleted = 1
        s.p += 8
    elif memcmp(s.p, b'"new"', 5) == 0:
        row.deleted = 0
        s.p += 5
    else:
        return False
    return True


cdef inline bint scan_orders(Scan* s, Row* row) noexcept nogil:
    cdef Decimal number
    cdef const uint8_t* first = s.p
    if not scan_decimal(s, &number) or number.exponent != 0 or number.negative or number.mantissa >> 32:
        return False
    row.orders = <uint32_t>number.mantissa
    return not in_exponent(first, s.p)


cdef bint scan_list_row(Scan* s, Row* row, int depth) noexcept nogil:
    cdef const Shape* shape = s.shape
    cdef int place = 0, missing = 2 + (shape.orders >= 0) + (shape.action >= 0)
    if not take(s, c'['):
        return False
    while True:
        if place == shape.price:
            if not scan_decimal(s, &row.price):
                return False
        elif place == shape.quantity:
            if not scan_decimal(s, &row.quantity):
                return False
        elif place == shape.action:
            if not scan_action(s, row):
                return False
        elif place == shape.orders:
            if not scan_orders(s, row):
                return False
        else:
            missing += 1
            if not skip(s, depth):
                return False
        missing -= 1
        place += 1
        if not take(s, c','):
            return take(s, c']') and missing == 0


cdef inline const uint8_t* quick_decimal(const uint8_t* p, const uint8_t* end, uint8_t behind, Decimal* number) noexcept nogil:
    """Read a number, bare or in quotes, and the byte behind it; NULL when it is not so."""
    cdef bint quoted = p < end and p[0] == c'"'
    p = read_decimal(p + quoted, end, number)
    if p == NULL or end - p < 2 or (quoted and p[0] != c'"') or p[quoted] != behind:
        return NULL
    return p + quoted + 1


cdef inline bint quick_row(Scan* s, Row* row, bint action) noexcept nogil:
    """Read [word, price, quantity] or [price, quantity] without a blank; False, and nothing read, when it is not so."""
    cdef const uint8_t* p = s.p
    if s.end - p < 16 or p[0] != c'[':
        return False
    p += 1
    if action:
        if memcmp(p, b'"change"', 8) == 0 or memcmp(p, b'"delete"', 8) == 0:
            row.deleted = p[1] == c'd'
            p += 8
        elif memcmp(p, b'"new"', 5) == 0:
            row.deleted = 0
            p += 5
        else:
            return False
        if p[0] != c',':
            return False
        p += 1
    p = quick_decimal(p, s.end, c',', &row.price)
    if p == NULL:
        return False
    p = quick_decimal(p, s.end, c']', &row.quantity)
    if p == NULL:
        return False
    s.p = p
    return True


cdef bint scan_side(Scan* s, Row* row) noexcept nogil:
    cdef Text text
    if next_byte(s) != c'"' or not read_text(s, &text):
        return False
    if text.length == 3 and memcmp(text.data, b"bid", 3) == 0:
        row.side = 0
    elif text.length == 5 and memcmp(text.data, b"offer", 5) == 0:
        row.side = 1
    elif text.length == 3 and memcmp(text.data, b"ask", 3) == 0:
        row.side = 1
    else:
        return False
    return True


cdef bint scan_object_row(Scan* s, Row* row, int depth) noexcept nogil:
    cdef const Shape* shape = s.shape
    cdef Text key
    cdef int found = 0, wanted = 3 if shape.side_key.length == 0 else 7, bit
    if not take(s, c'{'):
        return False
    while True:
        if next_byte(s) != c'"' or not read_text(s, &key) or not take(s, c':'):
            return False
        bit = 0
        if same(&key, &shape.price_key):
            bit = 1
            if not scan_decimal(s, &row.price):
                return False
        elif same(&key, &shape.quantity_key):
            bit = 2
            if not scan_decimal(s, &row.quantity):
                return False
        elif wanted == 7 and same(&key, &shape.side_key):
            bit = 4
            if not scan_side(s, row):
                return False
        elif not skip(s, depth):
            return False
        if found & bit:
            return False
        found |= bit
        if not take(s, c','):
            return take(s, c'}') and found == wanted


cdef bint scan_levels(Scan* s, int role, int depth) noexcept nogil:
    """Read a list of levels; one that is not plain makes the message odd, if it is a depth message."""
    cdef Row* row
    cdef Py_ssize_t before = s.count
    cdef const uint8_t* first
    cdef const Shape* shape = s.shape
    cdef bint in_lists = shape.price >= 0, plain
    cdef bint quick = in_lists and shape.orders < 0 and shape.price == shape.action + 1 and shape.quantity == shape.price + 1
    cdef bint action = shape.action == 0
    if next_byte(s) == c'n':
        return skip(s, depth)
    first = s.p
    if s.p >= s.end or s.p[0] != c'[':
        return odd(s, depth)
    take(s, c'[')
    if take(s, c']'):
        return True
    while True:
        row = new_row(s)
        if row == NULL:
            break
        row.side, row.orders, row.deleted = role == ASKS, 0, -1
        plain = quick and quick_row(s, row, action)
        if not plain:
            plain = scan_list_row(s, row, depth + 2) if in_lists else scan_object_row(s, row, depth + 2)
        if not plain:
            break
        if not take(s, c','):
            return take(s, c']')
    s.p, s.count = first, before
    return odd(s, depth)


# --- objects


cdef bint scan_value(Scan* s, const Key* key, int depth) noexcept nogil:
    cdef int role = key.role
    if role == CHILD:
        return scan_child(s, key.child, depth)
    if role >= BIDS:
        return scan_levels(s, role, depth)
    if role == MILLISECONDS:
        return scan_milliseconds(s, depth)
    if role == TIMESTAMP:
        return scan_timestamp(s, depth)
    if role >= BEFORE:
        return scan_integer(s, role, depth)
    if role == NAME:
        return scan_text(s, &s.name, depth)
    if role == KIND:
        return scan_text(s, &s.kind, depth)
    if not scan_text(s, &s.channel, depth):
        return False
    if role == TOPIC:
        s.name = s.channel
    return True


cdef bint scan_child(Scan* s, int child, int depth) noexcept nogil:
    """Read what should be an object, or a list of one."""
    cdef const Node* node = &s.shape.nodes[child]
    if not node.many:
        return scan_object(s, child, depth) if next_byte(s) == c'{' else odd(s, depth)
    if next_byte(s) != c'[':
        return odd(s, depth)
    take(s, c'[')
    if take(s, c']'):
        return True
    if next_byte(s) != c'{':
        s.odd = True
    if not (scan_object(s, child, depth + 1) if next_byte(s) == c'{' else skip(s, depth + 1)):
        return False
    while take(s, c','):    # what speaks of several books is the twin's
        s.odd = True
        if not skip(s, depth + 1):
            return False
    return take(s, c']')


cdef bint scan_object(Scan* s, int number, int depth) noexcept nogil:
    """Read an object by its node. Its keys mostly come in one order: where the last one stood is guessed first."""
    cdef const Node* node = &s.shape.nodes[number]
    cdef Text key
    cdef uint32_t seen = 0
    cdef int guess = 0, i, at
    if depth >= MAX_DEPTH:
        return False
    s.entries += node.entry
    take(s, c'{')
    if take(s, c'}'):
        return True
    while True:
        if next_byte(s) != c'"' or not read_text(s, &key) or not take(s, c':'):
            return False
        at = -1
        for i in range(node.count):
            if guess >= node.count:
                guess = 0
            if node.keys[guess].length == key.length and is_key(key.data, node.keys[guess].text, key.length, s.end - key.data):
                at = guess
                break
            guess += 1
        if at < 0:
            if not skip(s, depth + 1):
                return False
        else:
            if seen >> at & 1:
                return False
            seen |= <uint32_t>1 << at
            guess = at + 1
            if not scan_value(s, &node.keys[at], depth + 1):
                return False
        if not take(s, c','):
            return take(s, c'}')


cdef inline bint accepted(const Scan* s) noexcept nogil:
    cdef const Text* accept = &s.shape.accept
    if s.channel.data == NULL or s.channel.length < accept.length:
        return False
    if memcmp(s.channel.data, accept.data, <size_t>accept.length) != 0:
        return False
    return s.channel.length == accept.length or accept.data[accept.length - 1] == c'.'


cdef int scan(Scan* s, const uint8_t* data, Py_ssize_t length) noexcept nogil:
    """Walk over a message: FOREIGN, DEPTH, or ODD."""
    s.p, s.end = data, data + length
    s.odd, s.entries, s.count, s.has, s.ts_event_ns = False, 0, 0, 0, NO_TIME
    s.channel.data = s.name.data = s.kind.data = NULL
    s.channel.length = s.name.length = s.kind.length = 0
    if next_byte(s) != c'{':
        return FOREIGN
    if not scan_object(s, 0, 0):
        return ODD
    if next_byte(s) != 0 or s.p != s.end:
        return ODD
    if s.entries == 0 or not accepted(s):
        return FOREIGN
    return ODD if s.odd or s.name.data == NULL else DEPTH
