/* A faster peer of the bench itch_book: the same book builder as itch_book.cpp with flat containers. The orders lie in
   an open-addressed table, the levels of a side in a sorted vector with the best at its end, searched from there. */
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

namespace {

uint32_t be16(const uint8_t *p) { uint16_t v; std::memcpy(&v, p, 2); return __builtin_bswap16(v); }
uint32_t be32(const uint8_t *p) { uint32_t v; std::memcpy(&v, p, 4); return __builtin_bswap32(v); }
uint64_t be64(const uint8_t *p) { uint64_t v; std::memcpy(&v, p, 8); return __builtin_bswap64(v); }

struct Order {
    uint64_t id;
    uint32_t side;              /* twice the locate code, one more for asks */
    int32_t key;                /* the price; minus the price for asks */
    uint32_t shares;            /* 0: the slot is empty */
};

/* Linear probing, never more than half full; a removal shifts the run behind it back. */
class Orders {
public:
    uint64_t count = 0;

    Orders() : slots(1 << 16), shift(64 - 16) {}

    Order *find(uint64_t id) {
        size_t at = home(id);
        while (slots[at].shares && slots[at].id != id) at = next(at);
        return slots[at].shares ? &slots[at] : nullptr;
    }

    void add(const Order &order) {
        if (++count > slots.size() / 2) grow();
        place(order);
    }

    void remove(Order *order) {
        size_t hole = static_cast<size_t>(order - slots.data()), mask = slots.size() - 1;
        for (size_t at = next(hole); slots[at].shares; at = next(at))
            if (((at - home(slots[at].id)) & mask) >= ((at - hole) & mask)) {
                slots[hole] = slots[at];
                hole = at;
            }
        slots[hole].shares = 0;
        count--;
    }

private:
    std::vector<Order> slots;
    int shift;

    size_t home(uint64_t id) const { return id * 0x9E3779B97F4A7C15u >> shift; }
    size_t next(size_t at) const { return (at + 1) & (slots.size() - 1); }

    void place(const Order &order) {
        size_t at = home(order.id);
        while (slots[at].shares) at = next(at);
        slots[at] = order;
    }

    void grow() {
        std::vector<Order> old(2 * slots.size());
        old.swap(slots);
        shift--;
        for (const Order &order : old)
            if (order.shares) place(order);
    }
};

struct Level {
    int32_t key;
    uint32_t orders;
    uint64_t shares;
    bool operator==(const Level &other) const {
        return key == other.key && orders == other.orders && shares == other.shares;
    }
};

struct Side {
    std::vector<Level> levels;
    Level told{};

    size_t above(int32_t key) const {       /* the index of the first level that is better */
        size_t at = levels.size();
        while (at && levels[at - 1].key > key) at--;
        return at;
    }

    void enter(int32_t key, uint32_t shares) {
        size_t at = above(key);
        if (!at || levels[at - 1].key != key)
            levels.insert(levels.begin() + static_cast<ptrdiff_t>(at++), Level{key, 0, 0});
        levels[at - 1].orders++;
        levels[at - 1].shares += shares;
    }

    void leave(int32_t key, uint32_t shares, bool gone) {
        size_t at = above(key) - 1;
        levels[at].shares -= shares;
        if (gone && !--levels[at].orders) levels.erase(levels.begin() + static_cast<ptrdiff_t>(at));
    }
};

class Books {
public:
    uint64_t changes = 0;
    Orders orders;
    std::vector<Side> sides;

    Books() : sides(2 * 65536) {}

    void add(uint64_t id, uint32_t side, uint32_t price, uint32_t shares) {
        int32_t key = side & 1 ? -static_cast<int32_t>(price) : static_cast<int32_t>(price);
        sides[side].enter(key, shares);
        orders.add(Order{id, side, key, shares});
    }

    void take(Order *order, uint32_t shares) {
        bool gone = shares == order->shares;
        sides[order->side].leave(order->key, shares, gone);
        if (gone) orders.remove(order);
        else order->shares -= shares;
    }

    void publish(uint32_t index) {
        Side &side = sides[index];
        Level best = side.levels.empty() ? Level{} : side.levels.back();
        changes += !(best == side.told);
        side.told = best;
    }
};

void apply(Books &books, const uint8_t *m) {
    uint32_t side = be16(m + 1) * 2;
    Order *order;
    switch (m[0]) {
    case 'A': case 'F':
        side += m[19] == 'S';
        books.add(be64(m + 11), side, be32(m + 32), be32(m + 20));
        break;
    case 'D': case 'E': case 'C': case 'X': case 'U':
        order = books.orders.find(be64(m + 11));
        if (!order) return;
        side = order->side;
        books.take(order, m[0] == 'D' || m[0] == 'U' ? order->shares : be32(m + 19));
        if (m[0] == 'U') books.add(be64(m + 19), side, be32(m + 31), be32(m + 27));
        break;
    default: return;
    }
    books.publish(side);
}

}  // namespace

/* The file must be whole and prices below 2**31: this checks no sizes, which is to its advantage. */
extern "C" uint64_t build(const uint8_t *data, uint64_t size, uint64_t *answers) {
    Books books;
    uint64_t at = 0, messages = 0, levels = 0;
    while (size - at >= 2) {
        uint64_t length = be16(data + at);
        if (!length || size - at - 2 < length) break;
        apply(books, data + at + 2);
        at += 2 + length;
        messages++;
    }
    for (const Side &side : books.sides) levels += side.levels.size();
    answers[0] = books.orders.count;
    answers[1] = levels;
    return messages;
}
