/* The floors of the bench itch_book: what reading the messages costs before any book is built. */
#include <stdint.h>
#include <string.h>

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
