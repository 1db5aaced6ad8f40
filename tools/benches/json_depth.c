/* The floor of the bench json_depth: a scanner written for one message by hand. It knows Deribit's keys and that levels
   are ["word", price, amount] with plain numbers; it checks the brackets that it stands on and little else, knows the
   exponents beforehand, and judges no sequence. Where it finds its input otherwise it stops and returns 0. */
#include <stdint.h>
#include <string.h>

struct found { int64_t before, number; int64_t price[64], amount[64]; uint32_t side[64], count; };

static const int64_t powers[] = {1, 10, 100, 1000, 10000, 100000, 1000000};

static inline const char *integer(const char *p, int64_t *value) {
    int64_t v = 0;
    while ((uint8_t)(*p - '0') < 10) v = v * 10 + (*p++ - '0');
    *value = v;
    return p;
}

/* A decimal to an integer of 10**-places; it has no more of them. */
static inline const char *decimal(const char *p, int places, int64_t *value) {
    int64_t v = 0;
    int seen = 0;
    while ((uint8_t)(*p - '0') < 10) v = v * 10 + (*p++ - '0');
    if (*p == '.') {
        p++;
        while ((uint8_t)(*p - '0') < 10) { v = v * 10 + (*p++ - '0'); seen++; }
    }
    if (seen <= places) *value = v * powers[places - seen];
    else { *value = v / powers[seen - places]; if (v % powers[seen - places]) return 0; }
    return p;
}

static const char *levels(const char *p, const char *end, uint32_t side, int price, int amount, struct found *f) {
    if (*p++ != '[') return 0;
    while (p < end && *p == '[') {
        if (f->count == 64) return 0;
        p += 2;
        while (*p != '"') p++;
        p += 2;
        if (!(p = decimal(p, price, &f->price[f->count])) || *p++ != ',') return 0;
        if (!(p = decimal(p, amount, &f->amount[f->count])) || *p++ != ']') return 0;
        f->side[f->count++] = side;
        if (*p == ',') p++;
    }
    return *p == ']' ? p + 1 : 0;
}

static int message(const char *p, const char *end, int price, int amount, struct found *f) {
    f->count = 0;
    f->before = f->number = -1;
    while (p < end) {
        const char *key;
        size_t length;
        if (*p != '"') { p++; continue; }
        key = ++p;
        while (p < end && *p != '"') p++;
        length = (size_t)(p - key);
        p++;
        if (p >= end || *p != ':') continue;
        p++;
        if (length == 4 && !memcmp(key, "bids", 4)) { if (!(p = levels(p, end, 0, price, amount, f))) return 0; }
        else if (length == 4 && !memcmp(key, "asks", 4)) { if (!(p = levels(p, end, 1, price, amount, f))) return 0; }
        else if (length == 9 && !memcmp(key, "change_id", 9)) p = integer(p, &f->number);
        else if (length == 14 && !memcmp(key, "prev_change_id", 14)) p = integer(p, &f->before);
    }
    return f->number >= 0;
}

/* All messages, rows of start and length in `places`; the count of levels, 0 when one is not as expected. */
uint64_t scan(const char *data, const int64_t *places, uint64_t count, int price, int amount, int64_t *sum) {
    struct found f;
    uint64_t total = 0;
    int64_t s = 0;
    for (uint64_t i = 0; i < count; i++) {
        if (!message(data + places[2 * i], data + places[2 * i] + places[2 * i + 1], price, amount, &f)) return 0;
        for (uint32_t j = 0; j < f.count; j++) s += f.price[j] + f.amount[j];
        total += f.count;
    }
    *sum = s;
    return total;
}
