# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Plain WebSocket frames of a piece of a stream, found at once. The plain twin `netfeed.wire.websocket` defines it.

Source: RFC 6455 section 5, RFC 3629. Every length is checked before a pointer moves; all that is not a plain frame from
its first byte to its last stops the search, and is left where it is.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

cdef extern from * nogil:
    """
    #include <stdint.h>
    #include <string.h>
    #define NF_HIGH UINT64_C(0x8080808080808080)

    static inline uint64_t nf_load(const uint8_t *p) { uint64_t v; memcpy(&v, p, 8); return v; }

    /* How many bytes from p on are ASCII: 32 at a time, then 8, then one. */
    static inline size_t nf_ascii(const uint8_t *p, size_t size) {
        size_t k = 0;
        while (size - k >= 32
               && !((nf_load(p + k) | nf_load(p + k + 8) | nf_load(p + k + 16) | nf_load(p + k + 24)) & NF_HIGH))
            k += 32;
        while (size - k >= 8 && !(nf_load(p + k) & NF_HIGH)) k += 8;
        while (k < size && p[k] < 0x80) k++;
        return k;
    }

    /* The size of the well-formed character of several bytes at p, 0 where there is none (Unicode, table 3-7). */
    static inline size_t nf_character(const uint8_t *p, size_t size) {
        uint8_t low = 0x80, high = 0xBF;
        size_t length, k;
        if (p[0] >= 0xC2 && p[0] <= 0xDF) length = 2;
        else if (p[0] >= 0xE0 && p[0] <= 0xEF) length = 3;
        else if (p[0] >= 0xF0 && p[0] <= 0xF4) length = 4;
        else return 0;
        if (size < length) return 0;
        if (p[0] == 0xE0) low = 0xA0;
        if (p[0] == 0xED) high = 0x9F;
        if (p[0] == 0xF0) low = 0x90;
        if (p[0] == 0xF4) high = 0x8F;
        if (p[1] < low || p[1] > high) return 0;
        for (k = 2; k < length; k++)
            if ((p[k] & 0xC0) != 0x80) return 0;
        return length;
    }

    static inline int nf_is_utf8(const uint8_t *p, size_t size) {
        size_t k = 0;
        for (;;) {
            size_t length;
            k += nf_ascii(p + k, size - k);
            if (k == size) return 1;
            do {
                length = nf_character(p + k, size - k);
                if (!length) return 0;
                k += length;
            } while (k < size && p[k] >= 0x80);
        }
    }

    static inline void nf_mask(const uint8_t *from, uint8_t *to, size_t size, const uint8_t *key) {
        uint64_t wide, word;
        size_t k = 0;
        memcpy(&wide, key, 4);
        memcpy((uint8_t *)&wide + 4, key, 4);
        for (; k + 8 <= size; k += 8) {
            memcpy(&word, from + k, 8);
            word ^= wide;
            memcpy(to + k, &word, 8);
        }
        for (; k < size; k++) to[k] = from[k] ^ key[k & 3];
    }
    """
    bint is_utf8 "nf_is_utf8"(const uint8_t *p, size_t size)
    void mask "nf_mask"(const uint8_t *source, uint8_t *to, size_t size, const uint8_t *key)

cdef enum:
    TEXT = 0x81                 # a first byte: final, no reserved bit
    BINARY = 0x82
    MASKED = 0x80


@cython.final
cdef class Messages:
    """Whole messages that came one after the other, as one buffer and the place of each in it."""

    def __cinit__(self, bytes data not None, bytes places not None, bytes is_text not None):
        cdef Py_ssize_t k
        self.count = len(is_text)
        self.held, self.at, self.is_text = data, places, is_text
        self.start = <const uint8_t *>PyBytes_AS_STRING(data)
        self.spans = <const int64_t *>PyBytes_AS_STRING(places)
        if self.count == 0 or len(places) != 16 * self.count:
            raise ValueError("places must be two int64 for each message, and there must be one")
        for k in range(self.count):
            if not 0 <= self.spans[2 * k] <= len(data) or not 0 <= self.spans[2 * k + 1] <= len(data) - self.spans[2 * k]:
                raise ValueError("a place lies outside of the data")

    @property
    def data(self):
        return memoryview(self.held)

    @property
    def places(self):
        return memoryview(self.at).cast("q", (self.count, 2))

    def __len__(self):
        return self.count

    def __getitem__(self, Py_ssize_t index):
        index = self.place(index)
        return memoryview(self.held)[self.spans[2 * index] : self.spans[2 * index] + self.spans[2 * index + 1]]

    def text(self, Py_ssize_t index):
        index = self.place(index)
        return PyUnicode_DecodeUTF8(<const char *>self.start + self.spans[2 * index], self.spans[2 * index + 1], NULL)

    def __eq__(self, other):
        if type(other) is not Messages:
            return NotImplemented
        return self.held == other.data and self.at == other.places.tobytes() and self.is_text == other.is_text

    def __repr__(self):
        return f"Messages({self.count} in {len(self.held)} bytes)"

    def __reduce__(self):
        return Messages, (self.held, self.at, self.is_text)

    cdef Py_ssize_t place(self, Py_ssize_t index) except -1:
        if index < 0:
            index += self.count
        if not 0 <= index < self.count:
            raise IndexError("index out of bounds on dimension 1")
        return index


@cython.final
cdef class Finder:
    """Find the plain frames of one direction of a connection."""

    def __cinit__(self, bint masked, uint64_t max_bytes):
        self.masked = masked
        self.max_bytes = max_bytes

    def __reduce__(self):
        return Finder, (bool(self.masked), self.max_bytes)

    def find(self, bytes data not None, Py_ssize_t start):
        cdef const uint8_t *begin = <const uint8_t *>PyBytes_AS_STRING(data)
        cdef Py_ssize_t count, found, k
        cdef Py_ssize_t size = len(data)
        cdef Py_ssize_t stop = start
        cdef uint64_t total = 0
        cdef bytes payloads
        cdef uint8_t *out
        if start < 0 or start > size:
            raise ValueError(f"{start} lies outside of {size} bytes")
        with nogil:
            count = self.scan(begin, size, &stop)
        if count == 0:
            return stop, None
        if not self.masked:
            return stop, self.batch(data, count)
        for k in range(count):
            total += <uint64_t>self.places[2 * k + 1]
        payloads = PyBytes_FromStringAndSize(NULL, <Py_ssize_t>total)
        out = <uint8_t *>PyBytes_AS_STRING(payloads)
        with nogil:
            found = self.unmask(begin, count, out)
        if found == count:
            return stop, self.batch(payloads, count)
        if found == 0:  # a text that is none: it, and what follows, is not taken
            return start, None
        return self.end_of(begin, start, found), self.batch(
            payloads[: self.places[2 * found - 2] + self.places[2 * found - 1]], found
        )

    cdef Messages batch(self, bytes data, Py_ssize_t count):
        return Messages(
            data, PyBytes_FromStringAndSize(<char *>self.places, count * 16),
            PyBytes_FromStringAndSize(<char *>self.is_text, count),
        )

    cdef Py_ssize_t end_of(self, const uint8_t *data, Py_ssize_t start, Py_ssize_t count) noexcept nogil:
        cdef Py_ssize_t k, at = start
        for k in range(count):
            at += head_size(data[at + 1]) + self.places[2 * k + 1]
        return at

    cdef Py_ssize_t scan(self, const uint8_t *data, Py_ssize_t size, Py_ssize_t *start) noexcept nogil:
        cdef Py_ssize_t at = start[0]
        cdef Py_ssize_t count = 0
        cdef Py_ssize_t head
        cdef uint64_t length, more
        cdef int k
        cdef uint8_t first, second
        while count < PLACES and size - at >= 2:
            first = data[at]
            second = data[at + 1]
            if (first != TEXT and first != BINARY) or (second >= MASKED) != self.masked:
                break
            head = head_size(second)
            if size - at < head:
                break
            length = second & 0x7F
            if length == 126:
                length = (<uint64_t>data[at + 2] << 8) | data[at + 3]
                if length < 126:
                    break
            elif length == 127:
                length = 0
                for k in range(8):
                    length = (length << 8) | data[at + 2 + k]
                if length < 0x10000:
                    break
            if length > self.max_bytes or length > <uint64_t>(size - at - head):
                break
            if not self.masked and first == TEXT and not is_utf8(data + at + head, length):
                break
            self.places[2 * count] = at + head
            self.places[2 * count + 1] = <int64_t>length
            self.is_text[count] = first & 1
            count += 1
            at += head + <Py_ssize_t>length
        start[0] = at
        return count

    cdef Py_ssize_t unmask(self, const uint8_t *data, Py_ssize_t count, uint8_t *out) noexcept nogil:
        cdef Py_ssize_t k
        cdef int64_t at, length
        cdef int64_t used = 0
        for k in range(count):
            at = self.places[2 * k]
            length = self.places[2 * k + 1]
            mask(data + at, out + used, <size_t>length, data + at - 4)
            if self.is_text[k] and not is_utf8(out + used, <size_t>length):
                return k
            self.places[2 * k] = used
            used += length
        return count


cdef inline Py_ssize_t head_size(uint8_t second) noexcept nogil:
    cdef uint8_t length = second & 0x7F
    return 2 + (2 if length == 126 else 8 if length == 127 else 0) + (4 if second & MASKED else 0)


def messages(bytes data not None, bytes places not None, bytes is_text not None):
    """Make a batch."""
    return Messages(data, places, is_text)


def message(bytes payload not None, bint is_text):
    """Make a batch of one message."""
    cdef int64_t place[2]
    cdef uint8_t text = is_text
    place[0] = 0
    place[1] = len(payload)
    return Messages(payload, PyBytes_FromStringAndSize(<char *>place, 16), PyBytes_FromStringAndSize(<char *>&text, 1))


def encode(uint8_t first, bytes payload not None, bytes key=None):
    """Write a frame."""
    cdef Py_ssize_t size = len(payload)
    cdef Py_ssize_t at = 2
    cdef uint8_t bit = 0 if key is None else MASKED
    cdef Py_ssize_t head = 2 if size < 126 else 4 if size < 0x10000 else 10
    cdef bytes frame
    cdef uint8_t *out
    cdef int k
    if key is not None and len(key) != 4:
        raise ValueError("a mask has four bytes")
    frame = PyBytes_FromStringAndSize(NULL, head + (4 if bit else 0) + size)
    out = <uint8_t *>PyBytes_AS_STRING(frame)
    out[0] = first
    if head == 2:
        out[1] = bit | <uint8_t>size
    elif head == 4:
        out[1] = bit | 126
        out[2] = <uint8_t>(size >> 8)
        out[3] = <uint8_t>(size & 0xFF)
    else:
        out[1] = bit | 127
        for k in range(8):
            out[2 + k] = <uint8_t>((<uint64_t>size >> (56 - 8 * k)) & 0xFF)
    at = head
    if key is None:
        memcpy(out + at, PyBytes_AS_STRING(payload), size)
    else:
        memcpy(out + at, PyBytes_AS_STRING(key), 4)
        mask(<const uint8_t *>PyBytes_AS_STRING(payload), out + at + 4, <size_t>size, <const uint8_t *>PyBytes_AS_STRING(key))
    return frame
