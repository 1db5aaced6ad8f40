"""Decimal text as exact integers: a number as it is written, and what it is at an exponent. Nothing is ever rounded.

What is not plain is left to the twin (`netfeed.venues.depth_text.exact`): more than 18 digits, an exponent of more than
two digits, a form that JSON does not have.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t

cdef extern from * nogil:
    """
    #include <stdint.h>
    #include <string.h>
    static const uint64_t nf_powers[19] = {
        1ULL, 10ULL, 100ULL, 1000ULL, 10000ULL, 100000ULL, 1000000ULL, 10000000ULL, 100000000ULL, 1000000000ULL,
        10000000000ULL, 100000000000ULL, 1000000000000ULL, 10000000000000ULL, 100000000000000ULL, 1000000000000000ULL,
        10000000000000000ULL, 100000000000000000ULL, 1000000000000000000ULL};
    /* Read a number of at most seven characters, digits and one point, without a loop: eight bytes in one word. NULL when
       it is another one, which the loop reads then. Eight bytes at `p` may be read. */
    static inline const uint8_t *nf_short(const uint8_t *p, uint64_t *mantissa, int32_t *exponent) {
        const uint64_t ones = 0x0101010101010101ULL, lows = ones * 0x7F, tops = ones * 0x80;
        uint64_t word, x, y, no_digit, point, behind;
        int length, digits, at;
        memcpy(&word, p, 8);
        x = word ^ ones * '0';
        y = word ^ ones * '.';
        no_digit = (((x & lows) + ones * 0x76) | x) & tops;
        point = ~(((y & lows) + lows) | y) & tops;
        behind = no_digit & ~point;
        if (!behind) return 0;
        digits = at = length = __builtin_ctzll(behind) >> 3;
        point &= (1ULL << 8 * length) - 1;
        if (point) {
            at = __builtin_ctzll(point) >> 3;
            if ((point & (point - 1)) || at == 0 || at == length - 1) return 0;
            x = (x & ((1ULL << 8 * at) - 1)) | (x >> 8 * (at + 1) << 8 * at);
            digits--;
        }
        if (digits == 0 || ((x & 0xFF) == 0 && at > 1) || (p[length] | 0x20) == 'e') return 0;
        x <<= 64 - 8 * digits;
        x = x * 10 + (x >> 8);
        x = ((x & 0x000000FF000000FFULL) * 0x000F424000000064ULL
             + ((x >> 16) & 0x000000FF000000FFULL) * 0x0000271000000001ULL) >> 32;
        *mantissa = (uint32_t)x;
        *exponent = at - digits;
        return p + length;
    }
    /* A division by a constant is a multiplication: trailing zeros are common, and dividing by a variable is slow. */
    static inline uint64_t nf_over(uint64_t a, int power) {
        switch (power) {
        case 1: return a / 10; case 2: return a / 100; case 3: return a / 1000; case 4: return a / 10000;
        case 5: return a / 100000; case 6: return a / 1000000; case 7: return a / 10000000; case 8: return a / 100000000;
        default: return a / nf_powers[power];
        }
    }
    static inline int nf_times(uint64_t a, uint64_t b, uint64_t *product) { return __builtin_mul_overflow(a, b, product); }
    """
    const uint64_t* powers "nf_powers"
    const uint8_t* read_short "nf_short"(const uint8_t* p, uint64_t* mantissa, int32_t* exponent) noexcept
    uint64_t over "nf_over"(uint64_t a, int power) noexcept
    bint times "nf_times"(uint64_t a, uint64_t b, uint64_t* product) noexcept

cdef enum:
    DIGITS = 18         # fewer than 2**63 whatever they are
    LARGEST_POWER = 18

cdef struct Decimal:
    uint64_t mantissa
    int32_t exponent
    int32_t negative


cdef inline const uint8_t* read_long(const uint8_t* p, const uint8_t* end, Decimal* number) noexcept nogil:
    """Read a JSON number; give what follows it, NULL when it is not a plain one. A digit at `end` is never read."""
    cdef const uint8_t* first
    cdef const uint8_t* point
    cdef uint64_t mantissa = 0
    cdef uint8_t digit
    cdef int32_t exponent = 0, power = 0
    cdef bint negative = False
    number.negative = p < end and p[0] == c'-'
    p += number.negative
    first = p
    while p < end:
        digit = <uint8_t>(p[0] - c'0')
        if digit > 9:
            break
        mantissa = mantissa * 10 + digit
        p += 1
    if p == first or (first[0] == c'0' and p - first > 1):
        return NULL
    if p < end and p[0] == c'.':
        p += 1
        point = p
        while p < end:
            digit = <uint8_t>(p[0] - c'0')
            if digit > 9:
                break
            mantissa = mantissa * 10 + digit
            p += 1
        if p == point:
            return NULL
        exponent = -<int32_t>(p - point)
        first += 1  # the point is no digit
    if p - first > DIGITS:
        return NULL
    if p < end and (p[0] | 0x20) == c'e':
        p += 1
        if p < end and (p[0] == c'-' or p[0] == c'+'):
            negative = p[0] == c'-'
            p += 1
        first = p
        while p < end and <uint8_t>(p[0] - c'0') <= 9 and p - first < 3:
            power = power * 10 + (p[0] - c'0')
            p += 1
        if p == first or p - first > 2:
            return NULL
        exponent += -power if negative else power
    number.mantissa, number.exponent = mantissa, exponent
    return p


cdef inline bint at_exponent(const Decimal* number, int32_t exponent, int64_t* value) noexcept nogil:
    """Give the integer of 10**`exponent`; False when there is none in 64 bits."""
    cdef int32_t shift = number.exponent - exponent
    cdef uint64_t whole = number.mantissa, part
    if whole != 0 and shift != 0:
        if shift > 0:
            if shift > LARGEST_POWER or times(whole, powers[shift], &whole) or whole >> 63:
                return False
        else:
            if shift < -LARGEST_POWER:
                return False
            part = over(whole, -shift)
            if part * powers[-shift] != whole:
                return False
            whole = part
    value[0] = -<int64_t>whole if number.negative else <int64_t>whole
    return True
