/* The floors of the bench itch_book: what reading the messages costs before any book is built, and a sketch of the
   fastest book builder that knows what its input is like. */
#define _GNU_SOURCE
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

static inline uint32_t be16(const uint8_t *p) { uint16_t v; memcpy(&v, p, 2); return __builtin_bswap16(v); }
static inline uint32_t be32(const uint8_t *p) { uint32_t v; memcpy(&v, p, 4); return __builtin_bswap32(v); }
static inline uint64_t be64(const uint8_t *p) { uint64_t v; memcpy(&v, p, 8); return __builtin_bswap64(v); }

uint64_t walk(const uint8_t *data, uint64_t size, uint64_t *answers) {
    uint64_t at = 0, messages = 0, sum = 0;
    while (size - at >= 2) {
        uint64_t length = be16(data + at);
        if (!length || size - at - 2 < length) break;
        sum += length + data[at + 2];
        at += 2 + length;
        messages++;
    }
    answers[0] = sum;
    return messages;
}

/* The header of every message, and all fields that a book needs; the sizes were checked by the length. */
static inline uint64_t fields(const uint8_t *m, uint64_t length) {
    uint64_t sum = m[0] + be16(m + 1) + be16(m + 3) + ((uint64_t)be16(m + 5) << 32 | be32(m + 7));
    switch (m[0]) {
    case 'A': if (length != 36) break; return sum + be64(m + 11) + m[19] + be32(m + 20) + be64(m + 24) + be32(m + 32);
    case 'F': if (length != 40) break;
        return sum + be64(m + 11) + m[19] + be32(m + 20) + be64(m + 24) + be32(m + 32) + be32(m + 36);
    case 'E': if (length != 31) break; return sum + be64(m + 11) + be32(m + 19) + be64(m + 23);
    case 'C': if (length != 36) break; return sum + be64(m + 11) + be32(m + 19) + be64(m + 23) + m[31] + be32(m + 32);
    case 'X': if (length != 23) break; return sum + be64(m + 11) + be32(m + 19);
    case 'D': if (length != 19) break; return sum + be64(m + 11);
    case 'U': if (length != 35) break; return sum + be64(m + 11) + be64(m + 19) + be32(m + 27) + be32(m + 31);
    case 'P': if (length != 44) break;
        return sum + be64(m + 11) + m[19] + be32(m + 20) + be64(m + 24) + be32(m + 32) + be64(m + 36);
    }
    return sum;
}

uint64_t decode(const uint8_t *data, uint64_t size, uint64_t *answers) {
    uint64_t at = 0, messages = 0, sum = 0;
    while (size - at >= 2) {
        uint64_t length = be16(data + at);
        if (length < 11 || size - at - 2 < length) break;
        sum += fields(data + at + 2, length);
        at += 2 + length;
        messages++;
    }
    answers[0] = sum;
    return messages;
}

/* The sketch: books without the duties of netfeed's. It knows that prices are cents within a window around the first one
   of a side, that an order number is small enough to be an index, that sizes are right and quantities fit 32 bits; it
   checks little, refuses nothing and only counts the changes of the best levels. Where it finds its input otherwise it
   stops and returns 0. */
enum {
    CENT = 100, RUNGS = 4096, WORDS = RUNGS / 64, IDS = 1 << 28, SIDES = 2 * 65536,
    AHEAD = 24,                 /* messages ahead of which orders and ladders are fetched */
    SOON = 12,                  /* ... and rungs */
    RING = 32
};

struct rung { uint32_t shares, orders; };
struct resting { uint32_t rung, shares; };      /* the rung of all ladders together */
struct ladder {
    uint64_t words;             /* bit w: there is a level on one of the rungs 64 w to 64 w + 63 */
    uint32_t base, best;        /* rung 0 in cents, counted downwards for asks; the best rung, 0 of an empty side */
    uint32_t told_best, told_shares, told_orders, used;
};
struct sketch {
    struct resting *orders;
    struct rung *rungs;
    uint64_t *levels;
    struct ladder *sides;
    uint64_t live, changes;
};

static void *zeroed(uint64_t size) {
    void *memory = mmap(0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return memory == MAP_FAILED ? 0 : memory;
}

static inline uint32_t tick_of(uint32_t side, uint32_t price) { return side & 1 ? 0 - price / CENT : price / CENT; }

static inline int enter(struct sketch *s, uint64_t id, uint32_t side, uint32_t price, uint32_t shares) {
    struct ladder *l = &s->sides[side];
    uint32_t at;
    if (!l->used) { l->used = 1; l->base = tick_of(side, price) - RUNGS / 2; }
    at = tick_of(side, price) - l->base;
    if (at >= RUNGS || id >= IDS || price % CENT) return 0;
    s->rungs[(uint64_t)side * RUNGS + at].shares += shares;
    s->rungs[(uint64_t)side * RUNGS + at].orders++;
    s->levels[side * WORDS + at / 64] |= 1ull << at % 64;
    l->words |= 1ull << at / 64;
    if (at > l->best) l->best = at;
    s->orders[id].rung = side * RUNGS + at;
    s->orders[id].shares = shares;
    s->live++;
    return 1;
}

static inline void leave(struct sketch *s, struct resting *order, uint32_t shares) {
    uint32_t side = order->rung / RUNGS, at = order->rung % RUNGS, word;
    struct ladder *l = &s->sides[side];
    s->rungs[order->rung].shares -= shares;
    if (order->shares -= shares) return;
    s->live--;
    if (--s->rungs[order->rung].orders) return;
    if (!(s->levels[side * WORDS + at / 64] &= ~(1ull << at % 64))) l->words &= ~(1ull << at / 64);
    if (at != l->best) return;
    l->best = 0;
    if (!l->words) return;
    word = 63 - (uint32_t)__builtin_clzll(l->words);
    l->best = word * 64 + 63 - (uint32_t)__builtin_clzll(s->levels[side * WORDS + word]);
}

static inline void look(struct sketch *s, uint32_t side) {
    struct ladder *l = &s->sides[side];
    const struct rung *r = &s->rungs[(uint64_t)side * RUNGS + l->best];
    s->changes += ((l->best ^ l->told_best) | (r->shares ^ l->told_shares) | (r->orders ^ l->told_orders)) != 0;
    l->told_best = l->best;
    l->told_shares = r->shares;
    l->told_orders = r->orders;
}

static inline int apply(struct sketch *s, const uint8_t *m) {
    uint32_t side, shares;
    struct resting *order;
    switch (m[0]) {
    case 'A': case 'F':
        side = be16(m + 1) * 2 + (m[19] == 'S');
        if (!enter(s, be64(m + 11), side, be32(m + 32), be32(m + 20))) return 0;
        break;
    case 'D': case 'E': case 'C': case 'X': case 'U':
        if (be64(m + 11) >= IDS) return 0;
        order = &s->orders[be64(m + 11)];
        side = order->rung / RUNGS;
        shares = m[0] == 'D' || m[0] == 'U' ? order->shares : be32(m + 19);
        if (!shares || shares > order->shares) return 0;
        leave(s, order, shares);
        if (m[0] == 'U' && !enter(s, be64(m + 19), side, be32(m + 31), be32(m + 27))) return 0;
        break;
    default: return 1;
    }
    look(s, side);
    return 1;
}

static inline void fetch_early(const struct sketch *s, const uint8_t *m) {
    __builtin_prefetch(&s->orders[be64(m + 11) % IDS], 1);
    __builtin_prefetch(&s->sides[be16(m + 1) * 2], 1);
}

static inline void fetch_soon(const struct sketch *s, const uint8_t *m) {
    uint32_t side = be16(m + 1) * 2 + (m[19] == 'S'), rung = s->orders[be64(m + 11) % IDS].rung;
    if (m[0] == 'A' || m[0] == 'F') rung = side * RUNGS + (tick_of(side, be32(m + 32)) - s->sides[side].base) % RUNGS;
    __builtin_prefetch(&s->rungs[rung], 1);
    __builtin_prefetch(&s->levels[rung / 64], 1);
}

static uint64_t sketched(struct sketch *s, const uint8_t *data, uint64_t size) {
    const uint8_t *ring[RING], *m;
    uint64_t at = 0, early = 0, soon = 0, done = 0, length;
    for (;; done++) {
        while (early - done < AHEAD && size - at >= 2) {
            length = be16(data + at);
            if (!length || size - at - 2 < length) break;
            m = ring[early++ % RING] = data + at + 2;
            at += 2 + length;
            if (length >= 19) fetch_early(s, m);
        }
        while (soon < early && soon - done < SOON) {
            m = ring[soon++ % RING];
            if (m[0] == 'A' || m[0] == 'F' || m[0] == 'D' || m[0] == 'E' || m[0] == 'C' || m[0] == 'X' || m[0] == 'U')
                fetch_soon(s, m);
        }
        if (done == early) return done;
        if (!apply(s, ring[done % RING])) return 0;
    }
}

uint64_t sketch(const uint8_t *data, uint64_t size, uint64_t *answers) {
    const uint64_t sizes[] = {
        IDS * sizeof(struct resting), (uint64_t)SIDES * RUNGS * sizeof(struct rung), SIDES * WORDS * 8,
        SIDES * sizeof(struct ladder),
    };
    void *memory[] = {zeroed(sizes[0]), zeroed(sizes[1]), zeroed(sizes[2]), zeroed(sizes[3])};
    struct sketch s = {memory[0], memory[1], memory[2], memory[3], 0, 0};
    uint64_t done = 0, levels = 0;
    int k;
    if (memory[0] && memory[1] && memory[2] && memory[3]) {
        madvise(memory[0], sizes[0], MADV_HUGEPAGE);
        done = sketched(&s, data, size);
        for (uint32_t side = 0; side < SIDES; side++)
            for (uint32_t word = 0; s.sides[side].words && word < WORDS; word++)
                levels += (uint64_t)__builtin_popcountll(s.levels[side * WORDS + word]);
    }
    answers[0] = s.live;
    answers[1] = levels;
    for (k = 0; k < 4; k++)
        if (memory[k]) munmap(memory[k], sizes[k]);
    return done;
}
