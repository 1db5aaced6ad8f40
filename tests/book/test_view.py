"""What can be read off a book, by hand and by its definition."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netfeed.book.level import Level, Side
from netfeed.book.view import BookView, Sweep, imbalance, microprice, mid, spread, sweep, vwap
from tests.book.level_books import BOTH

BID, ASK = Side.BID, Side.ASK


class Paper:
    """A book that somebody wrote down: best first."""

    def __init__(self, bids: list[tuple[int, int]], asks: list[tuple[int, int]]) -> None:
        self._sides = [[Level(price, quantity, 1) for price, quantity in side] for side in (bids, asks)]

    @property
    def bid(self) -> Level | None:
        return next(iter(self._sides[BID]), None)

    @property
    def ask(self) -> Level | None:
        return next(iter(self._sides[ASK]), None)

    def depth(self, side: int, n: int) -> list[Level]:
        return self._sides[side][:n]


BOOK: BookView = Paper([(99, 30), (97, 10), (90, 5)], [(102, 10), (103, 20), (110, 70)])


def test_the_top_of_the_book_by_hand() -> None:
    assert mid(BOOK) == Fraction(201, 2)
    assert spread(BOOK) == 3
    assert microprice(BOOK) == Fraction(99 * 10 + 102 * 30, 40) == Fraction("101.25")


def test_the_imbalance_by_hand() -> None:
    assert imbalance(BOOK) == Fraction(30 - 10, 40)
    assert imbalance(BOOK, 2) == Fraction(40 - 30, 70)
    assert imbalance(BOOK, 99) == Fraction(45 - 100, 145)


def test_a_sweep_by_hand() -> None:
    assert sweep(BOOK, ASK, 10) == Sweep(quantity=10, cost=1020, worst=102, levels=1)
    assert sweep(BOOK, ASK, 11) == Sweep(quantity=11, cost=1020 + 103, worst=103, levels=2)
    assert sweep(BOOK, BID, 45) == Sweep(quantity=45, cost=99 * 30 + 97 * 10 + 90 * 5, worst=90, levels=3)
    assert vwap(BOOK, ASK, 11) == Fraction(1123, 11)


def test_no_sweep_takes_more_than_there_is() -> None:
    assert vwap(BOOK, ASK, 100) is not None
    assert sweep(BOOK, ASK, 101) is None
    assert vwap(BOOK, ASK, 101) is None


@pytest.mark.parametrize("quantity", [0, -1])
def test_a_sweep_of_nothing_is_a_value_error(quantity: int) -> None:
    for read in (sweep, vwap):
        with pytest.raises(ValueError):
            read(BOOK, ASK, quantity)


@pytest.mark.parametrize("book", [Paper([], []), Paper([(1, 1)], []), Paper([], [(1, 1)])])
def test_a_book_that_lacks_a_side_has_no_middle(book: BookView) -> None:
    assert [read(book) for read in (mid, spread, microprice, imbalance)] == [None] * 4


def test_a_side_that_lacks_cannot_be_swept_but_the_other_can() -> None:
    book = Paper([(5, 2)], [])
    assert (vwap(book, ASK, 1), vwap(book, BID, 1)) == (None, 5)


def test_a_locked_and_a_crossed_book_have_a_spread_too() -> None:
    assert spread(Paper([(5, 1)], [(5, 1)])) == 0
    assert spread(Paper([(6, 1)], [(5, 1)])) == -1


def test_a_price_of_zero_is_a_price() -> None:
    assert (mid(Paper([(0, 1)], [(0, 1)])), spread(Paper([(0, 1)], [(1, 1)]))) == (0, 1)


def test_nothing_is_rounded_at_the_ends_of_the_range() -> None:
    most = 2**63 - 1
    book = Paper([(most - 2, most)], [(most, most - 1)])
    assert mid(book) == most - 1
    assert imbalance(book) == Fraction(1, 2 * most - 1)
    assert microprice(book) == Fraction((most - 2) * (most - 1) + most * most, 2 * most - 1)


sides = st.lists(st.tuples(st.integers(-100, 100), st.integers(1, 50)), max_size=60, unique_by=lambda level: level[0])


@pytest.mark.parametrize("kind", BOTH)
@given(bids=sides, asks=sides, quantity=st.integers(1, 2000))
def test_a_sweep_costs_what_its_units_cost_one_by_one(
    kind: type, bids: list[tuple[int, int]], asks: list[tuple[int, int]], quantity: int
) -> None:
    book = kind()
    book.replace([(p, q, 0) for p, q in bids], [(p, q, 0) for p, q in asks])
    for side, levels, best in ((BID, bids, -1), (ASK, asks, 1)):
        units = sorted((price for price, q in levels for _ in range(q)), key=lambda price: best * price)[:quantity]
        swept = sweep(book, side, quantity)
        if len(units) < quantity:
            assert swept is None
        else:
            assert swept == (quantity, sum(units), units[-1], len(set(units)))
            assert swept.vwap == Fraction(sum(units), quantity)


@given(bids=sides, asks=sides, depth=st.integers(1, 70))
def test_what_leans_leans_within_its_bounds(
    bids: list[tuple[int, int]], asks: list[tuple[int, int]], depth: int
) -> None:
    book = Paper(sorted(bids, reverse=True), sorted(asks))
    lean, micro = imbalance(book, depth), microprice(book)
    if not bids or not asks:
        assert lean is micro is None
        return
    assert lean is not None
    assert micro is not None
    assert -1 < lean < 1
    low, high = sorted((max(bids)[0], min(asks)[0]))
    assert low <= micro <= high
