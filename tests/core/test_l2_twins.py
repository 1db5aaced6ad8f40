"""The compiled level book against its twin: the same calls, and after each of them the same full state."""

import gc
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sortedcontainers import SortedDict

from netfeed.book.l2 import LevelBook
from netfeed.book.level import Side
from netfeed.book.state import TRANSITIONS, BookState
from tests.book.level_books import core, needs_core

pytestmark = needs_core

# A narrow band, where prices come back and neighbouring ticks are all known; a sparse one; and the ends of the range.
prices = st.one_of(
    st.integers(0, 40),
    st.integers(-200, 200).map(lambda n: 25 * n),
    st.sampled_from([-(2**63), -(2**63) + 1, -1, 0, 1, 2**63 - 2, 2**63 - 1]),
)
quantities = st.one_of(st.just(0), st.integers(1, 9), st.sampled_from([2**63 - 1, -1, -(2**63)]))
orders = st.one_of(st.integers(0, 3), st.sampled_from([2**32 - 1, 2**32, -1]))
sides = st.one_of(st.sampled_from([0, 1]), st.sampled_from([0, 1, 2, -1, 255]))
good_sides = st.sampled_from([0, 1])
levels = st.lists(
    st.tuples(prices, st.integers(0, 9), st.integers(0, 3)), max_size=12, unique_by=lambda level: level[0]
)
any_levels = st.lists(st.tuples(prices, quantities, orders), max_size=12)
bounds = st.sampled_from([1, 3, 20, 100, 65536])


class Twins(RuleBasedStateMachine):
    @initialize(bound=bounds)
    def open(self, bound: int) -> None:
        self.twin, self.core = LevelBook(bound), core.LevelBook(bound)

    def both(self, name: str, *arguments: Any) -> Any:
        answers = []
        for book in (self.twin, self.core):
            try:
                answers.append(getattr(book, name)(*arguments))
            except Exception as error:
                answers.append((type(error), str(error)))
        assert answers[0] == answers[1]
        assert type(answers[0]) is type(answers[1])
        return answers[0]

    @rule(side=sides, price=prices, quantity=quantities, orders=orders)
    def update(self, side: int, price: int, quantity: int, orders: int) -> None:
        self.both("update", side, price, quantity, orders)

    @rule(rows=st.lists(st.tuples(st.integers(0, 2), prices, quantities, st.integers(0, 2**32 - 1)), max_size=30))
    def update_many(self, rows: list[tuple[int, int, int, int]]) -> None:
        self.many(rows)

    @rule(
        side=good_sides, start=prices, step=st.sampled_from([-25, -7, -1, 1, 2, 7, 25]),
        count=st.one_of(st.integers(1, 150), st.sampled_from([300, 600])), quantity=st.sampled_from([0, 1, 5]),
    )  # fmt: skip
    def ladder(self, side: int, start: int, step: int, count: int, quantity: int) -> None:
        """Set or remove many levels at even distances: this is what fills, grows, splits and merges runs."""
        rows = [(side, start + i * step, quantity, 1) for i in range(count)]
        self.many([row for row in rows if -(2**63) <= row[1] < 2**63])

    def many(self, rows: list[tuple[int, int, int, int]]) -> None:
        columns = [
            np.array([row[i] for row in rows], t) for i, t in enumerate((np.uint8, np.int64, np.int64, np.uint32))
        ]
        self.both("update_many", *columns)

    @rule(bids=levels, asks=levels)
    def replace(self, bids: list[tuple[int, int, int]], asks: list[tuple[int, int, int]]) -> None:
        self.both("replace", bids, asks)

    @rule(bids=any_levels, asks=any_levels)
    def replace_with_anything(self, bids: list[tuple[int, int, int]], asks: list[tuple[int, int, int]]) -> None:
        self.both("replace", bids, asks)

    @rule(side=sides, n=st.integers(-1, 30))
    def truncate(self, side: int, n: int) -> None:
        self.both("truncate", side, n)

    @rule(side=st.one_of(st.none(), sides))
    def clear(self, side: int | None) -> None:
        self.both("clear", side)

    @rule(state=st.one_of(st.sampled_from(BookState), st.integers(-1, 6)))
    def to(self, state: int) -> None:
        self.both("to", state)

    @rule(side=sides, n=st.integers(-1, 200))
    def depth(self, side: int, n: int) -> None:
        self.both("depth", side, n)

    @rule(side=good_sides, price=prices)
    def quantity_at(self, side: int, price: int) -> None:
        self.both("quantity_at", side, price)

    @invariant()
    def the_full_state_is_the_same(self) -> None:
        for name in ("bid", "ask", "crossed", "state", "quotable", "updates", "refused"):
            assert getattr(self.twin, name) == getattr(self.core, name), name
        assert self.twin.statistics() == self.core.statistics()
        for side in Side:
            assert self.twin.depth(side, 2**20) == self.core.depth(side, 2**20)
            assert self.twin.levels(side) == self.core.levels(side)
            for one, other in zip(self.twin.depth_arrays(side, 50), self.core.depth_arrays(side, 50), strict=True):
                assert (one.dtype, one.tolist()) == (other.dtype, other.tolist())


Twins.TestCase.settings = settings(stateful_step_count=40)
TestTwins = Twins.TestCase


def test_the_core_knows_the_same_transitions() -> None:
    assert {BookState(old): frozenset(map(BookState, new)) for old, new in core.TRANSITIONS.items()} == TRANSITIONS


@pytest.mark.parametrize("removed", [0.1, 0.4, 0.7, 0.9])
@pytest.mark.parametrize("tick", [1, 10])
def test_a_long_random_walk_leaves_both_with_the_same_book(removed: float, tick: int) -> None:
    """The more is removed, the more often a side that is full of dead slots has to make room."""
    random = np.random.default_rng(7)
    n, batch = 6_000, 50
    middle = 1_000 + np.cumsum(random.integers(-1, 3, n)) // 2
    side = random.integers(0, 2, n).astype(np.uint8)
    price = tick * (middle + np.where(side == 0, -1, 1) * random.geometric(0.05, n))
    quantity = np.where(random.random(n) < removed, 0, random.integers(1, 100, n))
    order = random.integers(0, 5, n).astype(np.uint32)
    twin, compiled = LevelBook(200), core.LevelBook(200)
    for i in range(0, n, batch):
        rows = [column[i : i + batch] for column in (side, price, quantity, order)]
        assert twin.update_many(*rows) == compiled.update_many(*rows)
        assert twin.statistics() == compiled.statistics()
        assert [twin.depth(one, n) for one in Side] == [compiled.depth(one, n) for one in Side]


@pytest.mark.parametrize("span", [2_000, 10**9], ids=["dense", "sparse"])
@pytest.mark.parametrize("removed", ["some", "all but few", "all"])
@pytest.mark.parametrize("order", ["best first", "best last", "any"])
def test_a_deep_book_holds_what_a_sorted_dictionary_holds(span: int, removed: str, order: str) -> None:
    """Waves of new levels, between which levels go: runs are split, thinned out, merged and dropped."""
    random = np.random.default_rng(7)
    book, model = core.LevelBook(), SortedDict()
    for wave in range(5):
        bid(book, model, [(price, 1 + price % 9) for price in random.integers(0, span, 1_500).tolist()])
        gone = random.permutation(np.array(model.keys(), np.int64))
        gone = gone[: {"some": len(gone) // 3, "all but few": len(gone) - 20, "all": len(gone)}[removed]]
        if order != "any":
            gone = np.sort(gone)[:: 1 if order == "best last" else -1]
        bid(book, model, [(price, 0) for price in gone.tolist()])
        if wave == 3:
            book.truncate(Side.BID, 700)
            for price in model.keys()[:-700]:
                del model[price]


@pytest.mark.parametrize("reach", [300, 900])
def test_a_deep_book_that_flickers_holds_what_a_sorted_dictionary_holds(reach: int) -> None:
    """A dense book whose middle wanders and where half of the updates remove: what is split holds dead slots too."""
    random = np.random.default_rng(7)
    book, model = core.LevelBook(), SortedDict()
    middle = 10_000 + np.cumsum(random.integers(-2, 3, 12_000))
    prices = middle - random.integers(1, reach, len(middle))
    quantities = np.where(random.random(len(middle)) < 0.45, 0, random.integers(1, 9, len(middle)))
    bid(book, model, list(zip(prices.tolist(), quantities.tolist(), strict=True)))


def bid(book: Any, model: SortedDict, levels: list[tuple[int, int]]) -> None:
    """Set the levels in both, batch by batch, and compare."""
    for start in range(0, len(levels), 50):
        batch, changed = levels[start : start + 50], 0
        for price, quantity in batch:
            best = model.peekitem() if model else None
            model[price] = quantity
            if not quantity:
                del model[price]
            changed += best != (model.peekitem() if model else None)
        columns = np.zeros(len(batch), np.uint8), *np.array(batch, np.int64).T.copy()
        assert book.update_many(*columns) == changed
        assert (book.bid and book.bid[:2]) == (model.peekitem() if model else None)
        assert [book.quantity_at(Side.BID, price) for price, _ in batch] == [model.get(price, 0) for price, _ in batch]
    assert [level[:2] for level in book.depth(Side.BID, 20_000)] == list(reversed(model.items()))
    assert (book.levels(Side.BID), book.refused) == (len(model), 0)


@pytest.mark.parametrize("step", [1, -1])
def test_the_memory_of_a_book_goes_when_its_levels_go(step: int) -> None:
    """One run after the other is thinned out while its next neighbour is still full, from either end."""
    book = core.LevelBook()
    prices = np.arange(40_000)[::step].copy()
    ones = np.ones(len(prices), np.int64)
    book.update_many(ones.astype(np.uint8), prices, ones)
    assert sys.getsizeof(book) > 800_000
    gone = prices[prices % 200 != 0]
    book.update_many(ones[: len(gone)].astype(np.uint8), gone, 0 * gone)
    assert book.levels(Side.ASK) == 200
    assert sys.getsizeof(book) < 100_000


@pytest.mark.parametrize("n", [0, 1, 255, 256, 257, 511, 512, 513, 1_000, 2_999, 3_000])
def test_a_snapshot_of_any_size_and_what_is_left_when_it_is_cut(n: int) -> None:
    rows = [(7 * i, i + 1, i % 5) for i in range(3_000)]
    book = core.LevelBook()
    book.replace(rows[:n], rows)
    assert book.depth(Side.BID, 3_000) == rows[:n][::-1]
    book.truncate(Side.ASK, n)
    assert book.depth(Side.ASK, 3_000) == rows[:n]
    for price, _, _ in rows:
        book.update(Side.ASK, price + 1, 1)
    assert book.depth(Side.ASK, 9_000) == sorted(rows[:n] + [(price + 1, 1, 0) for price, _, _ in rows])
    book.clear()
    assert (book.depth(Side.BID, 1), book.depth(Side.ASK, 1), book.levels(Side.ASK)) == ([], [], 0)


def test_a_book_that_changes_while_it_is_listed_does_not_break() -> None:
    """A finalizer can run in the middle of `depth` and touch the very book."""
    book = core.LevelBook()
    book.replace([(price, 1, 1) for price in range(5000)], [])

    class Clears:
        def __del__(self) -> None:
            book.clear()

    for _ in range(50):
        cycle: list[Any] = [Clears()]
        cycle.append(cycle)
    del cycle
    assert {level.quantity for level in book.depth(Side.BID, 5000)} == {1}
    gc.collect()
    assert book.levels(Side.BID) == 0
