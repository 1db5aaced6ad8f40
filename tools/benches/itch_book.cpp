/* The peer of the bench itch_book: the order books that everybody writes first, with the containers of the language.
   A hash map of orders, a sorted map of levels for each side, and a look at both best levels after each message. */
#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <unordered_map>
#include <vector>

namespace {

uint32_t be16(const uint8_t *p) { uint16_t v; std::memcpy(&v, p, 2); return __builtin_bswap16(v); }
uint32_t be32(const uint8_t *p) { uint32_t v; std::memcpy(&v, p, 4); return __builtin_bswap32(v); }
uint64_t be64(const uint8_t *p) { uint64_t v; std::memcpy(&v, p, 8); return __builtin_bswap64(v); }

struct Level {
    uint64_t shares = 0;
    uint32_t orders = 0;
    bool operator==(const Level &other) const { return shares == other.shares && orders == other.orders; }
};

struct Order {
    uint32_t book;
    uint32_t price;
    uint32_t shares;
    bool ask;
};

struct Best {
    uint32_t price = 0;
    Level level;
    bool operator==(const Best &other) const { return price == other.price && level == other.level; }
};

struct Book {
    std::map<uint32_t, Level, std::greater<uint32_t>> bids;
    std::map<uint32_t, Level> asks;
    Best bid, ask;
};

template <class Levels> Best best(const Levels &levels) {
    return levels.empty() ? Best{} : Best{levels.begin()->first, levels.begin()->second};
}

class Books {
public:
    uint64_t changes = 0;

    Books() : books(65536) {}

    void add(uint64_t id, Order order) {
        if (order.ask) enter(books[order.book].asks, order);
        else enter(books[order.book].bids, order);
        orders.emplace(id, order);
    }

    void take(uint64_t id, uint32_t shares) {
        auto found = orders.find(id);
        if (found == orders.end()) return;
        Order &order = found->second;
        if (order.ask) leave(books[order.book].asks, order, shares);
        else leave(books[order.book].bids, order, shares);
        order.shares -= shares;
        if (!order.shares) orders.erase(found);
    }

    void remove(uint64_t id) {
        auto found = orders.find(id);
        if (found != orders.end()) take(id, found->second.shares);
    }

    void replace(uint64_t id, uint64_t fresh, uint32_t shares, uint32_t price) {
        auto found = orders.find(id);
        if (found == orders.end()) return;
        Order order{found->second.book, price, shares, found->second.ask};
        remove(id);
        add(fresh, order);
    }

    void publish(uint32_t index) {
        Book &book = books[index];
        Best bid = best(book.bids), ask = best(book.asks);
        changes += !(bid == book.bid);
        changes += !(ask == book.ask);
        book.bid = bid;
        book.ask = ask;
    }

    uint64_t live() const { return orders.size(); }

    uint64_t levels() const {
        uint64_t count = 0;
        for (const Book &book : books) count += book.bids.size() + book.asks.size();
        return count;
    }

private:
    std::unordered_map<uint64_t, Order> orders;
    std::vector<Book> books;

    template <class Levels> void enter(Levels &levels, const Order &order) {
        Level &level = levels[order.price];
        level.shares += order.shares;
        level.orders++;
    }

    template <class Levels> void leave(Levels &levels, const Order &order, uint32_t shares) {
        auto level = levels.find(order.price);
        level->second.shares -= shares;
        if (shares == order.shares && !--level->second.orders) levels.erase(level);
    }
};

void apply(Books &books, const uint8_t *m) {
    uint32_t locate = be16(m + 1);
    switch (m[0]) {
    case 'A': case 'F': books.add(be64(m + 11), Order{locate, be32(m + 32), be32(m + 20), m[19] == 'S'}); break;
    case 'E': case 'C': case 'X': books.take(be64(m + 11), be32(m + 19)); break;
    case 'D': books.remove(be64(m + 11)); break;
    case 'U': books.replace(be64(m + 11), be64(m + 19), be32(m + 27), be32(m + 31)); break;
    default: return;
    }
    books.publish(locate);
}

}  // namespace

/* The file must be whole: this checks no sizes, which is to its advantage. */
extern "C" uint64_t build(const uint8_t *data, uint64_t size, uint64_t *answers) {
    Books books;
    uint64_t at = 0, messages = 0;
    while (size - at >= 2) {
        uint64_t length = be16(data + at);
        if (!length || size - at - 2 < length) break;
        apply(books, data + at + 2);
        at += 2 + length;
        messages++;
    }
    answers[0] = books.live();
    answers[1] = books.levels();
    return messages;
}
