"""A simulated ITCH day, replayed through a small book of dicts that shares no code with the one that made it."""

import itertools
import struct
from collections import Counter, defaultdict
from functools import cache
from typing import Any

import pytest

from netfeed.errors import MisuseError
from netfeed.sim.itch_day import Day, Ladder, Settings, Truth
from netfeed.wire import binaryfile, itch

SETTINGS = Settings(messages=20_000, symbols=12, live_orders=2_000, seed=7)


@cache
def day(settings: Settings = SETTINGS) -> tuple[bytes, Truth]:
    made = Day(settings)
    return b"".join(made.chunks()), made.truth()


@cache
def messages(settings: Settings = SETTINGS) -> list[bytes]:
    data, found, at = day(settings)[0], [], 0
    while at < len(data):
        (length,) = struct.unpack_from(">H", data, at)
        found.append(data[at + 2 : at + 2 + length])
        at += 2 + length
    assert at == len(data)
    return found


class Book:
    """Orders by reference in order of arrival, and levels by scanning them: slow and obvious."""

    def __init__(self) -> None:
        self.orders: dict[int, list[Any]] = {}  # reference -> locate, side, price, shares
        self.levels: dict[tuple[int, str], dict[int, dict[int, list[Any]]]] = defaultdict(dict)

    def add(self, reference: int, locate: int, side: str, price: int, shares: int) -> None:
        assert reference not in self.orders
        assert shares > 0
        self.orders[reference] = [locate, side, price, shares]
        self.levels[locate, side].setdefault(price, {})[reference] = self.orders[reference]

    def reduce(self, reference: int, shares: int) -> None:
        order = self.orders[reference]
        order[3] -= shares
        assert order[3] >= 0
        if not order[3]:
            self.delete(reference)

    def delete(self, reference: int) -> list[Any]:
        locate, side, price, _ = order = self.orders.pop(reference)
        level = self.levels[locate, side][price]
        del level[reference]
        if not level:
            del self.levels[locate, side][price]
        return order

    def best(self, locate: int, side: str) -> int | None:
        prices = self.levels[locate, side]
        if not prices:
            return None
        return max(prices) if side == "B" else min(prices)

    def is_first(self, reference: int) -> bool:
        locate, side, price, _ = self.orders[reference]
        return bool(price == self.best(locate, side) and next(iter(self.levels[locate, side][price])) == reference)

    def rows(self, locate: int, side: str) -> tuple[tuple[int, int, int], ...]:
        levels = sorted(self.levels[locate, side].items(), reverse=side == "B")
        return tuple((price, sum(order[3] for order in level.values()), len(level)) for price, level in levels)


def replay(settings: Settings = SETTINGS) -> Book:
    """Apply every message, and assert on the way what a real feed never breaks."""
    book = Book()
    stocks: dict[int, str] = {}
    last_reference = last_match = last_time = 0
    for message in messages(settings):
        record = itch.decode(message)
        kind, locate = record.message_type, record.stock_locate
        assert record.timestamp >= last_time
        last_time = record.timestamp
        assert locate in stocks or kind in "SRV"
        if kind == "R":
            stocks[locate] = record.stock
        elif kind in "AF":
            assert record.stock == stocks[locate]
            assert record.order_reference_number > last_reference
            last_reference = record.order_reference_number
            book.add(last_reference, locate, record.buy_sell_indicator, record.price, record.shares)
        elif kind in "EC":
            assert book.orders[record.order_reference_number][0] == locate
            assert book.is_first(record.order_reference_number)
            book.reduce(record.order_reference_number, record.executed_shares)
        elif kind == "X":
            assert 0 < record.cancelled_shares < book.orders[record.order_reference_number][3]
            book.reduce(record.order_reference_number, record.cancelled_shares)
        elif kind == "D":
            assert book.delete(record.order_reference_number)[0] == locate
        elif kind == "U":
            assert record.new_order_reference_number > last_reference
            last_reference = record.new_order_reference_number
            _, side, _, _ = book.delete(record.original_order_reference_number)
            book.add(last_reference, locate, side, record.price, record.shares)
        if kind in "ECPQ":
            assert record.match_number == last_match + 1
            last_match = record.match_number
        if kind == "B":
            assert 1 <= record.match_number <= last_match
        bid, ask = book.best(locate, "B"), book.best(locate, "S")
        assert bid is None or ask is None or bid < ask
    return book


@pytest.mark.parametrize(
    "settings", [SETTINGS, Settings(20_000, 3, 150, 8), Settings(3_000, 100, 10**6, 9), Settings(40, 1, 0, 10)]
)
def test_a_replay_ends_with_the_books_that_the_truth_says(settings: Settings) -> None:
    book, truth = replay(settings), day(settings)[1]
    assert truth.live_orders == len(book.orders)
    assert truth.books == {
        name: Ladder(ladder.locate, book.rows(ladder.locate, "B"), book.rows(ladder.locate, "S"))
        for name, ladder in truth.books.items()
    }
    assert len(truth.books) == settings.symbols


def test_the_truth_counts_messages_and_bytes() -> None:
    data, truth = day()
    assert (truth.messages, truth.bytes) == (SETTINGS.messages, len(data)) == (len(messages()), len(data))
    assert truth.counts == Counter(chr(message[0]) for message in messages())
    assert set(truth.counts) == set("SRHYLVAFECXDUPQIB")


def test_the_same_seed_gives_the_same_bytes() -> None:
    again = Day(SETTINGS)
    assert b"".join(again.chunks()) == day()[0]
    assert again.truth() == day()[1]
    other = Day(Settings(SETTINGS.messages, SETTINGS.symbols, SETTINGS.live_orders, SETTINGS.seed + 1))
    assert b"".join(other.chunks()) != day()[0]


def test_the_file_reader_reads_it() -> None:
    contents = binaryfile.read(day()[0])
    assert (len(contents.records), contents.error) == (SETTINGS.messages, None)


def test_a_few_symbols_get_most_of_the_messages() -> None:
    busy = Counter(int.from_bytes(message[1:3], "big") for message in messages())
    ranked = [count for _, count in busy.most_common()]
    assert sum(ranked[:4]) > sum(ranked[4:])


def test_messages_come_in_bursts() -> None:
    stamps = [(int.from_bytes(m[1:3], "big"), int.from_bytes(m[5:11], "big")) for m in messages()]
    near = sum(b[1] - a[1] < 5_000 and a[0] == b[0] for a, b in itertools.pairwise(stamps))
    assert near > len(stamps) // 5


def test_orders_pile_up_near_the_touch() -> None:
    ladder = max(day()[1].books.values(), key=lambda book: len(book.bids))
    behind = [(ladder.bids[0][0] - price) // 100 for price, _, orders in ladder.bids for _ in range(orders)]
    assert sum(distance < 16 for distance in behind) > len(behind) // 2
    assert max(behind) > 100


def test_the_live_orders_level_off() -> None:
    settings = Settings(60_000, 5, 1_000, 3)
    assert 700 < day(settings)[1].live_orders < 1_200


@pytest.mark.parametrize("wrong", [(1000, 0), (1000, 26**3 + 1), (63, 2), (-1, 1), (1000, 1, -1)])
def test_a_day_that_cannot_be_is_misuse(wrong: tuple[int, ...]) -> None:
    with pytest.raises(MisuseError):
        Settings(*wrong)
