# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
from libc.stdint cimport int64_t, int32_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset
from libc.stdlib cimport malloc, free
from netfeed._core.market cimport *
cdef extern from * nogil:
    """
    #include <stdint.h>
    #include <string.h>
    static inline uint16_t nf_u16(const uint8_t *p) { uint16_t v; memcpy(&v, p, 2); return __builtin_bswap16(v); }
    static inline uint32_t nf_u32(const uint8_t *p) { uint32_t v; memcpy(&v, p, 4); return __builtin_bswap32(v); }
    static inline uint64_t nf_u64(const uint8_t *p) { uint64_t v; memcpy(&v, p, 8); return __builtin_bswap64(v); }
    """
    uint16_t u16 "nf_u16"(const uint8_t *p) noexcept
    uint32_t u32 "nf_u32"(const uint8_t *p) noexcept
    uint64_t u64 "nf_u64"(const uint8_t *p) noexcept

cdef struct Ref:
    const uint8_t *data
    uint64_t sequence
    int64_t ts
    uint32_t length
    uint32_t channel

cdef class Bench:
    cdef Market m
    cdef uint32_t map[65536]
    def __cinit__(self):
        market_init(&self.m, 1<<26, 1<<20)
        self.m.change_capacity = 8192
        self.m.changes = <Change*>malloc(8192*64)
        memset(self.map, 0xff, sizeof(self.map))

    cdef inline void stage1(self, const Ref *r) noexcept nogil:
        cdef const uint8_t *p = r.data
        cdef uint64_t id
        cdef Book *b
        if r.length < 19: return
        id = u64(p+11)
        prefetch(&self.m.orders[young(id)])
        if p[0] != c'A' and id <= self.m.old_most:
            prefetch(&self.m.orders[home(&self.m, id)])
        b = &self.m.books[self.map[u16(p+1)]]
        prefetch(&b.sides[0])
        if p[0] == c'U':
            prefetch(&self.m.orders[young(u64(p+19))])
        prefetch(&b.sides[1])

    cdef inline void victim(self, uint64_t id) noexcept nogil:
        cdef Order *o = &self.m.orders[young(id)]
        cdef uint64_t h
        if o.quantity:
            h = home(&self.m, o.id)
            prefetch(&self.m.orders[h])
            prefetch(&self.m.priorities[h])

    cdef inline void stage2(self, const Ref *r) noexcept nogil:
        cdef const uint8_t *p = r.data
        cdef uint8_t t
        cdef Order *o
        cdef Side *l
        cdef uint32_t which
        if r.length < 19: return
        t = p[0]
        if t == c'A' or t == c'F':
            which = 0 if p[19]==c'B' else 1
            self.victim(u64(p+11))
        else:
            if t == c'U':
                self.victim(u64(p+19))
            o = &self.m.orders[young(u64(p+11))]
            which = o.side & 1
        if self.map[u16(p+1)] >= self.m.book_count: return
        l = &self.m.books[self.map[u16(p+1)]].sides[which]
        prefetch(&l.keys[<int32_t>l.count - 8])
        prefetch(&l.totals[<int32_t>l.count - 1])

    cdef inline void one(self, const Ref *r) noexcept nogil:
        cdef Market *m = &self.m
        cdef const uint8_t *p = r.data
        cdef uint8_t t = p[0]
        cdef uint32_t book, side
        cdef Order *o
        cdef int64_t q
        m.sequence = r.sequence
        m.ts_recv_ns = r.ts
        if r.length < 19: return
        book = self.map[u16(p+1)]
        m.ts_event_ns = (<int64_t>u16(p+5) << 32) | u32(p+7)
        if t == c'A' or t == c'F':
            side = 0 if p[19] == c'B' else 1
            if try_add(m, book, u64(p+11), side, u32(p+32), u32(p+20), m.arrivals): return
            m.arrivals += 1
        elif t == c'D' or t == c'E' or t == c'X' or t == c'C':
            o = find_in(m, book, u64(p+11))
            if o == NULL: return
            side = o.side
            q = o.quantity
            if t != c'D':
                q = u32(p+19)
                if q > o.quantity:
                    refuse(m, book, BAD_QUANTITY, u64(p+11)); return
                if t != c'X':
                    trade(m, book, <uint8_t>side, 0, q, u64(p+23), 0)
            lower(m, o, q)
        elif t == c'U':
            o = find_in(m, book, u64(p+11))
            if o == NULL: return
            side = o.side
            if try_replace(m, book, o, u64(p+19), u32(p+31), u32(p+27), m.arrivals): return
            m.arrivals += 1
        elif t == c'R':
            self.map[u16(p+1)] = open_book(m, 2)
            return
        else:
            return
        tell_side(m, book, side)
        judge_cross(m, book)

    def run(self, const uint8_t[::1] data, int D1, int D2):
        cdef const uint8_t *p = &data[0]
        cdef uint64_t n = data.shape[0], at = 0, seq = 1, i
        cdef Ref refs[256]
        cdef uint64_t k
        cdef uint64_t changes = 0
        with nogil:
            while at + 2 <= n:
                k = 0
                while k < 256 and at + 2 <= n:
                    refs[k].length = u16(p + at)
                    refs[k].data = p + at + 2
                    refs[k].sequence = seq
                    refs[k].ts = 0
                    seq += 1
                    at += 2 + refs[k].length
                    k += 1
                changes += self.m.change_count
                self.m.change_count = 0
                if D1:
                    for i in range(D1):
                        if i < k: self.stage1(&refs[i])
                for i in range(k):
                    if D1:
                        if i + D1 < k: self.stage1(&refs[i + D1])
                        if i + D2 < k: self.stage2(&refs[i + D2])
                    self.one(&refs[i])
        return seq - 1, changes, self.m.order_count, self.m.old_mask+1, self.m.old_count
