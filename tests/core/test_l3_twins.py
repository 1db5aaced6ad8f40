"""The compiled order books against their plain twin: the same calls, and everything that can be seen after each."""

import mmap
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from netfeed.book.change import NO_BOOK, NO_PRICE, Refusal
from netfeed.book.l3 import MAX_TOTAL, OrderBooks
from netfeed.book.level import Side
from netfeed.book.state import BookState
from netfeed.venues import itch as venue
from tests.book.order_books import core, needs_core

pytestmark = needs_core

NURSERY = 262_144
"""Order numbers that differ by a multiple of it have the same place among the young orders of the core."""

# A few numbers, so that they come back; some that share a place; and the ends of the range.
ids = st.one_of(
    st.integers(0, 8),
    st.builds(lambda low, high: low + high * NURSERY, st.integers(0, 2), st.integers(0, 6)),
    st.sampled_from([2**64 - 1, 2**64 - NURSERY, 2**63, 2**32]),
)
# A narrow band, where levels are deep and come back; a wide one, for many levels; and the ends of the range.
prices = st.one_of(
    st.integers(-3, 3), st.integers(-60, 60), st.sampled_from([NO_PRICE, NO_PRICE + 1, -(2**62), 2**62, 2**63 - 1])
)
quantities = st.one_of(
    st.integers(1, 9),
    st.sampled_from([0, -1, 2**32 - 1, 2**32, MAX_TOTAL // 2, MAX_TOTAL, MAX_TOTAL + 1, 2**63 - 1, -(2**63)]),
)
priorities = st.one_of(st.integers(-2, 2), st.sampled_from([-(2**63), 2**63 - 1]))
books = st.one_of(st.integers(0, 3), st.integers(0, 3), st.sampled_from([-1, 5, NO_BOOK, 2**40]))
sides = st.one_of(st.sampled_from([0, 1]), st.sampled_from([0, 1]), st.sampled_from([2, -1, 255, 2**40]))
bounds = st.sampled_from([(2, 1), (6, 3), (1 << 26, 4)])


class Twins(RuleBasedStateMachine):
    @initialize(bound=bounds, states=st.lists(st.sampled_from(BookState), min_size=1, max_size=4))
    def open(self, bound: tuple[int, int], states: list[BookState]) -> None:
        self.twin, self.core = (kind(max_orders=bound[0], max_books=bound[1]) for kind in (OrderBooks, core.OrderBooks))
        self.ids: set[int] = set()
        for state in [BookState.LIVE, *states]:
            self.both("add_book", state)

    def both(self, name: str, *arguments: Any) -> Any:
        answers = []
        for one in (self.twin, self.core):
            try:
                answers.append(getattr(one, name)(*arguments))
            except Exception as error:
                answers.append((type(error), str(error)))
        assert answers[0] == answers[1], (name, arguments)
        return answers[0]

    # --- operations

    @rule(book=books, order_id=ids, side=sides, price=prices, quantity=quantities, priority=st.none() | priorities)
    def add(self, book: int, order_id: int, side: int, price: int, quantity: int, priority: int | None) -> None:
        self.ids.add(order_id)
        self.both("add", book, order_id, side, price, quantity, priority)

    @rule(book=books, order_id=ids, side=sides, price=prices, quantity=quantities, priority=priorities)
    def put(self, book: int, order_id: int, side: int, price: int, quantity: int, priority: int) -> None:
        self.ids.add(order_id)
        self.both("put", book, order_id, side, price, quantity, priority)

    @rule(book=books, order_id=ids, by=quantities)
    def reduce(self, book: int, order_id: int, by: int) -> None:
        self.both("reduce", book, order_id, by)

    @rule(book=books, order_id=ids, quantity=quantities)
    def resize(self, book: int, order_id: int, quantity: int) -> None:
        self.both("resize", book, order_id, quantity)

    @rule(book=books, order_id=ids)
    def delete(self, book: int, order_id: int) -> None:
        self.both("delete", book, order_id)

    @rule(book=books, order_id=ids, new_id=ids, price=prices, quantity=quantities)
    def replace(self, book: int, order_id: int, new_id: int, price: int, quantity: int) -> None:
        self.ids.add(new_id)
        self.both("replace", book, order_id, new_id, price, quantity)

    @rule(
        book=st.integers(0, 3), side=st.sampled_from([0, 1]), start=st.integers(-30, 30),
        step=st.sampled_from([-3, -1, 1, 2]), count=st.integers(1, 40), first=st.integers(10, 60),
        stride=st.sampled_from([1, NURSERY]),
    )  # fmt: skip
    def ladder(self, book: int, side: int, start: int, step: int, count: int, first: int, stride: int) -> None:
        """Rest many orders at even distances: this is what makes sides deep and the table of old orders grow."""
        for k in range(count):
            self.ids.add(first + k * stride)
            self.both("add", book, first + k * stride, side, start + k * step, 1 + k)

    @rule(first=st.integers(10, 60), count=st.integers(1, 40), stride=st.sampled_from([1, 2, NURSERY]))
    def sweep(self, first: int, count: int, stride: int) -> None:
        """Delete many orders, each from where it is."""
        for order_id in range(first, first + count * stride, stride):
            found = self.both("order", order_id)
            if found:
                self.both("delete", found[0], order_id)

    @rule(book=books)
    def clear(self, book: int) -> None:
        self.both("clear", book)

    @rule()
    def clear_all(self) -> None:
        self.both("clear_all")

    # --- the rest

    @rule(
        book=books,
        side=st.sampled_from([0, 1, 255]),
        price=prices,
        quantity=quantities,
        match=ids,
        flags=st.integers(0, 15),
    )
    def trade(self, book: int, side: int, price: int, quantity: int, match: int, flags: int) -> None:
        self.both("trade", book, side, price, quantity, match, flags)

    @rule()
    def end(self) -> None:
        self.both("end")

    @rule(
        sequence=st.sampled_from([0, 1, 2**64 - 1]),
        times=st.tuples(priorities, priorities),
        channel=st.integers(0, 65535),
    )
    def at(self, sequence: int, times: tuple[int, int], channel: int) -> None:
        self.both("at", sequence, *times, channel)

    @rule(first=ids, last=ids)
    def suspect_all(self, first: int, last: int) -> None:
        self.both("suspect_all", first, last)

    @rule()
    def doubt_all(self) -> None:
        self.both("doubt_all")

    @rule()
    def trust_all(self) -> None:
        self.both("trust_all")

    @rule(count=st.integers(0, 3))
    def retell(self, count: int) -> None:
        self.both("end")
        self.both("retell")
        self.both("end")
        self.both("pending")
        self.both("drop", count)
        self.both("pending")

    @rule(book=books, judged=st.booleans())
    def judge(self, book: int, judged: bool) -> None:
        self.both("judge", book, judged)

    @rule(book=books, state=st.one_of(st.sampled_from(BookState), st.integers(-1, 6)))
    def to(self, book: int, state: int) -> None:
        self.both("to", book, state)

    @rule(
        book=st.integers(-1, 3) | st.just(NO_BOOK), reason=st.sampled_from(Refusal) | st.integers(-1, 16), order_id=ids
    )
    def refuse(self, book: int, reason: int, order_id: int) -> None:
        self.both("refuse", book, reason, order_id)

    @rule(state=st.sampled_from(BookState))
    def add_book(self, state: BookState) -> None:
        self.both("add_book", state)

    @rule(changes=st.sampled_from([0, 1, 5000]))
    def reserve(self, changes: int) -> None:
        self.both("reserve", changes)

    @rule(book=books, side=sides, price=prices, count=st.integers(-1, 30), order_id=ids)
    def read(self, book: int, side: int, price: int, count: int, order_id: int) -> None:
        self.both("depth", book, side, count)
        self.both("levels", book, side)
        self.both("level", book, side, price)
        self.both("queue", book, side, price)
        self.both("ahead", book, side, price, order_id)

    @invariant()
    def everything_that_can_be_seen_is_the_same(self) -> None:
        one, other = self.twin.take(), self.core.take()
        assert one.dtype == other.dtype
        assert one.tobytes() == other.tobytes(), (one, other)
        assert self.both("statistics").books == self.both("__len__")
        for book in range(len(self.twin)):
            self.both("state", book)
            for side in Side:
                levels = self.both("depth", book, side, 10**6)
                assert self.both("levels", book, side) == len(levels)
                for level in (*levels[:1], *levels[-1:]):
                    self.both("level", book, side, level.price)
        for order_id in self.ids:
            found = self.both("order", order_id)
            if found is not None:
                self.both("ahead", found[0], found[1].side, found[1].price, order_id)
                self.both("queue", found[0], found[1].side, found[1].price)


Twins.TestCase.settings = settings(stateful_step_count=40)
TestTwins = Twins.TestCase


@pytest.mark.parametrize("stride", [1, 7, NURSERY, 2**63 // 1000 * 2 + 1])
def test_a_long_random_walk_leaves_both_with_the_same_books(stride: int) -> None:
    """Enough orders to displace one another from the nursery, and to make the old part grow and close its holes."""
    random = np.random.default_rng(11)
    twin, compiled = OrderBooks(), core.OrderBooks()
    for one in (twin, compiled):
        for _ in range(3):
            one.add_book(BookState.LIVE)
    living: list[int] = []
    for step in range(9_000):
        if len(living) < 20 or random.random() < (0.8 if step < 6_000 else 0.2):
            order_id = step * stride % 2**64
            side = int(random.integers(2))
            price = int(random.geometric(0.02)) * (-1, 1)[side]
            call: tuple[Any, ...] = ("add", order_id % 3, order_id, side, price, int(random.integers(1, 100)))
            living.append(order_id)
        else:
            k = int(random.integers(len(living)))
            living[k], living[-1] = living[-1], living[k]
            call = ("delete", living[-1] % 3, living.pop())
        assert getattr(twin, call[0])(*call[1:]) == getattr(compiled, call[0])(*call[1:]) == 0
        twin.end()
        compiled.end()
        assert twin.take().tobytes() == compiled.take().tobytes()
    assert twin.statistics() == compiled.statistics()
    for order_id in living:
        assert twin.order(order_id) == compiled.order(order_id) is not None
    for book in range(3):
        for side in Side:
            levels = twin.depth(book, side, 10**6)
            assert levels == compiled.depth(book, side, 10**6)
            for level in levels:
                queue = twin.queue(book, side, level.price)
                assert queue == compiled.queue(book, side, level.price)
                for one in queue:
                    place = (book, side, level.price, one.order_id)
                    assert twin.ahead(*place) == compiled.ahead(*place) is not None


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("tick", [1, 100, 12_345, 2**33])
def test_a_market_that_wanders_leaves_both_with_the_same_levels(seed: int, tick: int) -> None:
    """The touch walks off the ladder, levels lie far behind it, and some prices lie between two ticks."""
    rng = np.random.default_rng(seed)
    twin, compiled = OrderBooks(), core.OrderBooks()
    alive: list[int] = []
    fair = 5_000
    for one in (twin, compiled):
        one.add_book(BookState.LIVE)
    for order_id in range(1, 1_500):
        side = int(rng.integers(2))
        fair += int(rng.integers(-9, 10)) * (seed - 2)
        distance = int(rng.pareto(0.7)) % 3_000 + 1
        price = (fair + (distance if side else -distance)) * tick + (int(rng.integers(3)) if rng.random() < 0.05 else 0)
        gone = alive.pop(int(rng.integers(len(alive)))) if len(alive) > 150 or (alive and rng.random() < 0.3) else None
        alive.append(order_id)
        for one in (twin, compiled):
            one.at(order_id)
            one.add(0, order_id, side, price, 10)
            if gone is not None:
                one.delete(0, gone)
            one.end()
        assert twin.take().tobytes() == compiled.take().tobytes()
        if order_id % 25 == 0:
            for which in Side:
                levels = twin.depth(0, which, 10_000)
                assert levels == compiled.depth(0, which, 10_000)
                assert len(levels) == compiled.levels(0, which)
                assert levels == [compiled.level(0, which, level.price) for level in levels]


def test_a_thousand_markets_of_a_few_orders_do_not_cost_a_huge_page_each() -> None:
    before = _resident()
    markets = [core.OrderBooks() for _ in range(64)]
    for market in markets:
        market.reserve(venue.ROOM)
        market.add_book(BookState.LIVE)
        for number in range(8):
            market.add(0, number * 37 * 1024, 0, number, 1)
        market.end()
    assert _resident() - before < 64 * 2**20


def filled(books: int, levels: int, step: int) -> Any:
    """Give a market whose books have so many bids, each a step below the one before."""
    made = core.OrderBooks()
    for book in range(books):
        made.add_book(BookState.LIVE)
        for k in range(levels):
            made.add(book, levels * book + k, Side.BID, -step * k, 1)
    return made


def test_a_ladder_is_wide_only_where_levels_fill_it() -> None:
    assert filled(10, 40, 1).wide_rungs == 0
    assert filled(10, 1_000, 1).wide_rungs == 10 * 512
    thin = filled(10, 3, 1)
    for k in range(30):
        thin.add(0, 1_000 + k, Side.BID, -100 * k - 50, 1)
    assert thin.wide_rungs == 0


def test_no_ladder_grows_beyond_the_bound_of_all_wide_ones_and_the_books_stay_right() -> None:
    market = filled(4_194_304 // 512 + 10, 60, 1)
    assert market.wide_rungs == 4_194_304
    for book in (0, 8_191, 8_192, 8_201):
        assert [level.price for level in market.depth(book, Side.BID, 100)] == [-k for k in range(60)]


def _resident() -> int:
    """Give the memory of this process. Units: bytes."""
    with open("/proc/self/statm") as pages:
        return int(pages.read().split()[1]) * mmap.PAGESIZE
