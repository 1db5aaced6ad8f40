# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The hot step, compiled: which quotes change when the underlying moves, and the mass quotes that say so.

The twins netfeed.engine.quote_step.QuoteStep and netfeed.wire.starbase_quotes.QuoteFrames define it, bit for bit; that
is why no multiplication may be fused with an addition here.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.math cimport fabs, floor, isfinite, rint
from libc.stdint cimport int8_t, int64_t, uint8_t, uint16_t
from libc.string cimport memcpy, memset

import numpy as np

cdef extern from *:
    """
    #if defined(__clang__)
    #pragma STDC FP_CONTRACT OFF
    #elif defined(__FMA__) || defined(__aarch64__)
    #pragma GCC optimize("fp-contract=off")
    #endif
    """
    int64_t NO_PRICE "INT64_MIN"        # also: no mandate, and the null of a price on the wire
    double FAR_SHARE "0.005"
    double EXACT "9007199254740992.0"
    double GRID "1e-9"

cdef enum:
    HEADER = 32
    BODY = 37                           # with the size of the group
    ENTRY = 46
    QUOTES = 15                         # of one message
    ALIGNMENT = 8
    PROTOCOL_ID = 0xDB
    MASS_QUOTE = 130
    VERSION = 16

cdef inline int64_t tick_at(const Slot *s, int64_t price) noexcept nogil:
    if price >= s.from1:
        return s.tick3 if price >= s.from3 else s.tick2 if price >= s.from2 else s.tick1
    return s.tick


cdef inline int64_t on_tick(const Slot *s, double price, int up) noexcept nogil:
    cdef double scaled = price / s.scale
    cdef int64_t tick = tick_at(s, <int64_t>scaled)
    cdef double steps = scaled / tick
    cdef double near = rint(steps)
    if fabs(steps - near) < GRID * max(1.0, fabs(steps)):
        return <int64_t>near * tick
    return (<int64_t>floor(steps) + up) * tick


cdef inline bint is_near(const Slot *s, int64_t old, int64_t price, int64_t ticks) noexcept nogil:
    cdef int64_t away = old - price if old > price else price - old
    return old == price or away < ticks * tick_at(s, min(old, price))


cdef inline bint can_be(const Slot *s, double price) noexcept nogil:
    return isfinite(price) and fabs(price / s.scale) < EXACT


cdef void quote_bid(const Slot *s, double wanted, double edge, int64_t now, Row *to) noexcept nogil:
    cdef int64_t last, price
    to.bid, to.bid_quantity = NO_PRICE, 0
    if s.bid_wanted == 0:
        return
    last = on_tick(s, edge, 0)
    if s.best_ask != NO_PRICE:
        last = min(last, s.best_ask - tick_at(s, s.best_ask - 1))
    price = min(on_tick(s, wanted, 0), last)
    to.bid, to.bid_quantity = price, s.bid_wanted
    if s.bid == NO_PRICE or last < s.bid:
        return
    if (s.bid < price and now - s.bid_placed_ns < s.cool_ns) or is_near(s, s.bid, price, s.bid_near):
        to.bid, to.bid_quantity = s.bid, min(s.bid_rests, s.bid_wanted)


cdef void quote_ask(const Slot *s, double wanted, double edge, int64_t now, Row *to) noexcept nogil:
    cdef int64_t last, price
    to.ask, to.ask_quantity = NO_PRICE, 0
    if s.ask_wanted == 0:
        return
    last = on_tick(s, edge, 1)
    if s.best_bid != NO_PRICE:
        last = max(last, s.best_bid + tick_at(s, s.best_bid))
    price = max(on_tick(s, wanted, 1), last)
    if to.bid != NO_PRICE and price <= to.bid:
        price = to.bid + tick_at(s, to.bid)
    to.ask, to.ask_quantity = price, s.ask_wanted
    if s.ask == NO_PRICE or last > s.ask or (to.bid != NO_PRICE and s.ask <= to.bid):
        return
    if (s.ask > price and now - s.ask_placed_ns < s.cool_ns) or is_near(s, s.ask, price, s.ask_near):
        to.ask, to.ask_quantity = s.ask, min(s.ask_rests, s.ask_wanted)


cdef bint quote(const Slot *s, double lead, int64_t now, Row *to) noexcept nogil:
    """Say what shall rest; False where that is not for this step to say."""
    cdef double forward = lead * s.ratio
    cdef double d = forward - s.forward
    cdef double value, least, middle
    if not (forward > 0.0 and fabs(d) <= FAR_SHARE * s.forward):
        return False
    value = s.value + s.slope * d + 0.5 * s.curvature * d * d
    value = value if value > 0.0 else 0.0
    least, middle = s.edge + (s.fee + s.fee_forward * forward), value - s.shift
    if not (can_be(s, middle - s.half) and can_be(s, value - least) and can_be(s, middle + s.half)
            and can_be(s, value + least)):
        return False
    quote_bid(s, middle - s.half, value - least, now, to)
    quote_ask(s, middle + s.half, value + least, now, to)
    return not ((s.bid_wanted and to.bid <= 0) or (s.ask_wanted and to.ask <= 0))


cdef inline bint is_within(const Limit *limit, const Row *row) noexcept nogil:
    return (
        (row.bid == NO_PRICE or (row.bid <= limit.bid_most and row.bid_quantity <= limit.bid_quantity))
        and (row.ask == NO_PRICE or (row.ask >= limit.ask_least and row.ask_quantity <= limit.ask_quantity))
    )


cdef int64_t move(
    const Slot *slots, Limit *limits, Row *rows, uint8_t *left, int64_t room, double lead, int64_t now, int64_t most
) noexcept nogil:
    cdef int64_t k, count = 0
    cdef Row row
    cdef bint said
    memset(left, 0, room)
    for k in range(room):
        if limits[k].until_ns < now or limits[k].until_ns == NO_PRICE:
            continue
        said = quote(&slots[k], lead, now, &row)
        if (said and row.bid == slots[k].bid and row.bid_quantity == slots[k].bid_rests
                and row.ask == slots[k].ask and row.ask_quantity == slots[k].ask_rests):
            continue
        limits[k].until_ns = NO_PRICE
        if not said or count >= most or not is_within(&limits[k], &row):
            left[k] = 1
            continue
        row.slot = k
        rows[count] = row
        count += 1
    return count


cdef uint8_t *octets(array) except NULL:
    """Give where an array lies; whoever asks keeps it."""
    cdef const uint8_t[::1] view = array.view(np.uint8)
    return <uint8_t *>&view[0]


@cython.final
cdef class QuoteStep:
    """Some instruments with one underlying that leads."""

    def __cinit__(self, slots, limits):
        if slots.itemsize != sizeof(Slot) or limits.itemsize != sizeof(Limit) or len(slots) != len(limits):
            raise ValueError("slots and limits are arrays of SLOT and LIMIT of one length")
        self.room = len(slots)
        self.slots_array, self.limits_array = slots, limits
        self.rows = np.zeros(self.room, ROW)
        self.left = np.zeros(self.room, np.uint8)
        if self.room == 0:
            return
        self.slots, self.limits = <Slot *>octets(slots), <Limit *>octets(limits)
        self.found, self.skipped = <Row *>octets(self.rows), octets(self.left)

    def step(self, double lead, int64_t now, int64_t most):
        with nogil:
            most = self.go(lead, now, most)
        return most

    cdef int64_t go(self, double lead, int64_t now, int64_t most) noexcept nogil:
        if self.room == 0:
            return 0
        return move(self.slots, self.limits, self.found, self.skipped, self.room, lead, now, most)


    cdef int64_t rehearse(self, double lead, int64_t now) noexcept nogil:
        cdef int64_t k, count = 0
        for k in range(self.room):
            if self.limits[k].until_ns >= now and quote(&self.slots[k], lead, now, &self.found[count]):
                self.found[count].slot = k
                count += 1
        return count


ROW = np.dtype([(name, "<i8") for name in ("slot", "bid", "bid_quantity", "ask", "ask_quantity")])


cdef inline uint8_t *put8(uint8_t *p, int64_t value) noexcept nogil:
    memcpy(p, &value, 8)
    return p + 8


cdef inline uint8_t *put2(uint8_t *p, uint16_t value) noexcept nogil:
    memcpy(p, &value, 2)
    return p + 2


cdef inline uint8_t *put_quantity(uint8_t *p, int64_t price, int64_t quantity, int64_t exponent) noexcept nogil:
    p = put8(p, 0 if price == NO_PRICE else quantity)
    p[0] = <uint8_t>(0 if price == NO_PRICE else exponent)
    return p + 1


cdef inline int64_t padded(int64_t quotes) noexcept nogil:
    return (HEADER + BODY + quotes * ENTRY + ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT


cdef int64_t frames_size(int64_t quotes) noexcept nogil:
    """Give the size of the messages of so many quotes. Units: bytes."""
    cdef int64_t rest = quotes % QUOTES
    return quotes // QUOTES * padded(QUOTES) + (padded(rest) if rest else 0)


@cython.final
cdef class QuoteFrames:
    """The mass quotes of one session."""

    def __cinit__(self, terms, int64_t self_match_id, uint16_t flags):
        if terms.itemsize != sizeof(Terms) or len(terms) == 0:
            raise ValueError("terms are an array of TERMS, one at least")
        self.terms_array = terms
        self.room = len(terms)
        self.terms = <Terms *>octets(terms)
        self.self_match_id, self.flags = self_match_id, flags

    def write(self, rows, int64_t count, int64_t quote_id, int64_t group, int64_t sequence, int64_t last_processed,
              int64_t send_time):
        cdef bytes out
        if not 1 <= count <= len(rows) or rows.itemsize != sizeof(Row):
            raise ValueError("count is of the rows that there are, one at least")
        if rows is not self.rows:
            self.first, self.rows = <const Row *>octets(rows), rows
        if not self.fits(self.first, count):
            raise ValueError("a price does not fit 64 bits of 1e-9, or a slot has no terms")
        out = PyBytes_FromStringAndSize(NULL, frames_size(count))
        self.fill(
            <uint8_t *>PyBytes_AS_STRING(out), self.first, count, quote_id, group, sequence, last_processed, send_time
        )
        return out

    cdef bint fits(self, const Row *rows, int64_t count) noexcept nogil:
        cdef int64_t k, most
        for k in range(count):
            if not 0 <= rows[k].slot < self.room:
                return False
            most = <int64_t>0x7FFFFFFFFFFFFFFF // self.terms[rows[k].slot].factor
            if rows[k].bid != NO_PRICE and not -most <= rows[k].bid <= most:
                return False
            if rows[k].ask != NO_PRICE and not -most <= rows[k].ask <= most:
                return False
        return True

    cdef int64_t fill(self, uint8_t *p, const Row *rows, int64_t count, int64_t quote_id, int64_t group,
                      int64_t sequence, int64_t last_processed, int64_t send_time) noexcept nogil:
        """Write the messages, for which there is room, and give their size."""
        cdef int64_t part, size, k
        cdef uint8_t *start = p
        cdef uint8_t *end
        while count > 0:
            part = min(count, <int64_t>QUOTES)
            size = padded(part)
            end = p + size
            p[0], p[1] = PROTOCOL_ID, 0
            p = put2(p + 2, <uint16_t>size)
            p = put2(put2(p, MASS_QUOTE), VERSION)
            p = put8(put8(put8(p, sequence), last_processed), send_time)
            p = put8(put8(put8(put8(p, quote_id), sequence), group), self.self_match_id)
            p[0] = 0
            p = put2(put2(p + 1, ENTRY), <uint16_t>part)
            for k in range(part):
                p = self.entry(p, &rows[k])
            memset(p, 0, end - p)
            p, rows, count, sequence = end, rows + part, count - part, sequence + 1
        return p - start

    cdef uint8_t *entry(self, uint8_t *p, const Row *row) noexcept nogil:
        cdef const Terms *terms = &self.terms[row.slot]
        p = put8(p, terms.venue_id)
        p = put8(p, NO_PRICE if row.bid == NO_PRICE else row.bid * terms.factor)
        p = put8(p, NO_PRICE if row.ask == NO_PRICE else row.ask * terms.factor)
        p = put_quantity(p, row.bid, row.bid_quantity, terms.exponent)
        p = put_quantity(p, row.ask, row.ask_quantity, terms.exponent)
        return put2(put2(p, self.flags), self.flags)
