"""The level book, in the words of somebody who quotes on it; every test is run on the twin and on the core."""

from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from netfeed.book import LevelBook as Selected
from netfeed.book.l2 import LevelBook, LevelBookStatistics
from netfeed.book.level import Level, Side
from netfeed.book.state import TRANSITIONS, BookState
from netfeed.build import PURE
from netfeed.errors import MisuseError
from tests.book.level_books import BOTH, core

BID, ASK = Side.BID, Side.ASK
LOWEST, HIGHEST = -(2**63), 2**63 - 1


@pytest.fixture(params=BOTH)
def kind(request: pytest.FixtureRequest) -> type[LevelBook]:
    return request.param


@pytest.fixture
def book(kind: type[LevelBook]) -> LevelBook:
    """A LIVE book: 99 x 5, 98 x 7, 95 x 1 against 101 x 4, 103 x 2."""
    book = kind()
    book.replace([(99, 5, 2), (98, 7, 1), (95, 1, 1)], [(101, 4, 3), (103, 2, 1)])
    book.to(BookState.LIVE)
    return book


def content(book: LevelBook) -> tuple[Any, ...]:
    return book.depth(BID, 100), book.depth(ASK, 100), book.updates


def arrays(rows: list[tuple[int, int, int, int]]) -> list[Any]:
    columns = list(zip(*rows, strict=True)) or [(), (), (), ()]
    return [np.array(c, t) for c, t in zip(columns, (np.uint8, np.int64, np.int64, np.uint32), strict=True)]


def test_the_room_gives_the_build_that_runs() -> None:
    assert Selected is (LevelBook if PURE else core.LevelBook)


# --- one update


def test_a_new_book_is_empty_and_cannot_be_quoted_on(kind: type[LevelBook]) -> None:
    book = kind()
    assert (book.bid, book.ask, book.state, book.quotable) == (None, None, BookState.EMPTY, False)
    assert (book.levels(BID), book.depth(ASK, 5), book.crossed) == (0, [], False)


def test_the_best_bid_is_the_highest_and_the_best_ask_the_lowest(book: LevelBook) -> None:
    assert book.bid == book.best(BID) == Level(99, 5, 2)
    assert book.ask == book.best(ASK) == Level(101, 4, 3)


def test_levels_are_levels_and_states_are_states_in_either_build(book: LevelBook) -> None:
    assert type(book.bid) is type(book.depth(ASK, 1)[0]) is Level
    assert book.state is BookState.LIVE


@pytest.mark.parametrize(
    ("side", "price", "quantity", "orders", "changed"),
    [
        (BID, 100, 1, 1, True),  # a better bid
        (BID, 97, 9, 1, False),  # a level in the middle
        (BID, 1, 9, 1, False),  # a level at the far end
        (BID, 99, 5, 2, False),  # the best, as it is
        (BID, 99, 6, 2, True),  # the best, another quantity
        (BID, 99, 5, 3, True),  # the best, another number of orders
        (BID, 99, 0, 0, True),  # the best goes
        (BID, 98, 0, 0, False),  # another one goes
        (ASK, 100, 1, 1, True),
        (ASK, 102, 9, 1, False),
        (ASK, 101, 0, 0, True),
        (ASK, 103, 3, 1, False),
    ],
)
def test_an_update_tells_whether_the_best_changed(
    book: LevelBook, side: int, price: int, quantity: int, orders: int, changed: bool
) -> None:
    assert book.update(side, price, quantity, orders) is changed


def test_a_quantity_is_absolute(book: LevelBook) -> None:
    book.update(BID, 98, 3, 4)
    assert book.depth(BID, 9) == [(99, 5, 2), (98, 3, 4), (95, 1, 1)]


def test_removing_the_best_uncovers_the_next(book: LevelBook) -> None:
    book.update(BID, 99, 0)
    assert book.bid == (98, 7, 1)


def test_removing_a_level_that_is_not_there_is_normal(book: LevelBook) -> None:
    assert book.update(BID, 97, 0) is False
    assert (book.updates, book.refused, book.state) == (1, 0, BookState.LIVE)


def test_a_level_that_comes_back_has_only_what_is_new(book: LevelBook) -> None:
    book.update(BID, 99, 0, 9)
    assert book.update(BID, 99, 8) is True
    assert book.bid == (99, 8, 0)


def test_orders_are_zero_where_the_feed_does_not_tell(kind: type[LevelBook]) -> None:
    book = kind()
    book.update(ASK, 5, 6)
    assert book.ask == (5, 6, 0)


def test_the_whole_range_of_prices_and_quantities_can_be_held(kind: type[LevelBook]) -> None:
    book = kind()
    for side in Side:
        for price in (LOWEST, -1, 0, HIGHEST):
            book.update(side, price, HIGHEST, 2**32 - 1)
    assert [level.price for level in book.depth(BID, 9)] == [HIGHEST, 0, -1, LOWEST]
    assert [level.price for level in book.depth(ASK, 9)] == [LOWEST, -1, 0, HIGHEST]
    assert book.bid == (HIGHEST, HIGHEST, 2**32 - 1)
    assert book.refused == 0


def test_arguments_have_names(book: LevelBook) -> None:
    assert book.update(side=ASK, price=100, quantity=1, orders=7) is True
    assert book.ask == (100, 1, 7)


# --- what makes no sense


@pytest.mark.parametrize(
    "row",
    [(BID, 100, -1, 0), (2, 100, 1, 0), (-1, 100, 1, 0), (255, 100, 0, 0), (ASK, 100, 1, -1), (ASK, 99, 1, 2**32)],
)
def test_nonsense_is_refused_and_makes_the_book_suspect(book: LevelBook, row: tuple[int, int, int, int]) -> None:
    before = content(book)
    assert book.update(*row) is False
    assert (book.refused, book.state, book.quotable) == (1, BookState.SUSPECT, False)
    assert content(book) == before


def test_one_level_more_than_the_bound_is_refused(kind: type[LevelBook]) -> None:
    book = kind(max_levels=2)
    for price in (10, 11, 12):
        book.update(BID, price, 1)
    assert (book.depth(BID, 9), book.refused, book.state) == ([(11, 1, 0), (10, 1, 0)], 1, BookState.SUSPECT)


def test_a_full_side_still_changes_and_the_other_side_has_its_own_bound(kind: type[LevelBook]) -> None:
    book = kind(max_levels=1)
    book.update(BID, 10, 1)
    assert book.update(BID, 10, 2) is True
    assert book.update(ASK, 11, 1) is True
    assert book.update(BID, 9, 0) is False
    book.update(BID, 10, 0)
    assert book.update(BID, 9, 4) is True
    assert (book.bid, book.refused) == ((9, 4, 0), 0)


def test_a_full_side_refuses_a_price_that_it_once_held(kind: type[LevelBook]) -> None:
    book = kind(max_levels=2)
    for price, quantity in ((10, 1), (11, 1), (11, 0), (9, 1)):
        book.update(BID, price, quantity)
    assert book.update(BID, 11, 1) is False
    assert (book.refused, book.depth(BID, 9)) == (1, [(10, 1, 0), (9, 1, 0)])


@pytest.mark.parametrize("value", [1.0, Decimal(1), "1", None, b"\x01"])
@pytest.mark.parametrize("place", range(4))
def test_what_is_not_an_integer_is_a_type_error(book: LevelBook, value: Any, place: int) -> None:
    row: list[Any] = [BID, 97, 1, 0]
    row[place] = value
    before = content(book)
    with pytest.raises(TypeError):
        book.update(*row)
    assert (content(book), book.refused, book.state) == (before, 0, BookState.LIVE)


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1, 10**30])
@pytest.mark.parametrize("place", range(4))
def test_what_does_not_fit_in_64_bits_is_an_overflow_error(book: LevelBook, value: int, place: int) -> None:
    row: list[Any] = [BID, 97, 1, 0]
    row[place] = value
    before = content(book)
    with pytest.raises(OverflowError):
        book.update(*row)
    assert (content(book), book.refused, book.state) == (before, 0, BookState.LIVE)


@pytest.mark.parametrize("bound", [0, -1, 2**31])
def test_a_bound_that_is_none_is_a_value_error(kind: type[LevelBook], bound: int) -> None:
    with pytest.raises(ValueError):
        kind(max_levels=bound)


def test_integers_of_numpy_are_integers(book: LevelBook) -> None:
    assert book.update(np.uint8(1), np.int64(100), np.int64(3), np.uint32(1)) is True  # type: ignore[arg-type]
    assert book.depth(np.int64(1), np.int64(1)) == [(100, 3, 1)]  # type: ignore[arg-type]


# --- many updates


def test_many_updates_are_the_same_as_one_after_another(kind: type[LevelBook]) -> None:
    rows = [
        (BID, 10, 1, 1),
        (ASK, 12, 1, 1),
        (BID, 9, 4, 1),
        (BID, 10, 0, 0),
        (BID, 9, 4, 1),
        (BID, 7, -1, 0),
        (9, 9, 9, 9),
    ]
    one, many = kind(), kind()
    changed = [one.update(*row) for row in rows]
    assert many.update_many(*arrays(rows)) == sum(changed) == 3
    assert content(many) == content(one)
    assert (many.refused, many.state) == (one.refused, one.state) == (2, BookState.SUSPECT)


def test_many_updates_without_orders(kind: type[LevelBook]) -> None:
    book = kind()
    assert book.update_many(*arrays([(BID, 10, 1, 5)])[:3]) == 1
    assert book.bid == (10, 1, 0)


def test_no_updates_change_nothing(book: LevelBook) -> None:
    before = content(book)
    assert book.update_many(*arrays([])) == 0
    assert content(book) == before


def test_arrays_that_cannot_be_written_to_will_do(book: LevelBook) -> None:
    columns = arrays([(BID, 100, 1, 1)])
    for column in columns:
        column.flags.writeable = False
    assert book.update_many(*columns) == 1


GOOD = arrays([(BID, 100, 1, 1), (ASK, 101, 1, 1)])
WRONG_ARRAYS = {
    "too short": GOOD[1][:1],
    "too long": np.zeros(3, np.int64),
    "a float": np.zeros(2),
    "narrow": np.zeros(2, np.int32),
    "unsigned": np.zeros(2, np.uint64),
    "signed": np.zeros(2, np.int8),
    "bool": np.zeros(2, np.bool_),
    "the other byte order": np.zeros(2, ">i8"),
    "a time": np.zeros(2, "M8[ns]"),
    "with holes": np.zeros(4, np.int64)[::2],
    "two-dimensional": np.zeros((2, 1), np.int64),
    "misaligned": np.frombuffer(bytes(17), np.int64, 2, 1),
    "objects": np.zeros(2, object),
    "a record": np.zeros(2, [("a", "<i8")]),
}


@pytest.mark.parametrize("place", range(4))
@pytest.mark.parametrize("name", WRONG_ARRAYS)
def test_an_array_that_is_not_exactly_what_is_wanted_is_a_value_error(book: LevelBook, name: str, place: int) -> None:
    columns = list(GOOD)
    columns[place] = WRONG_ARRAYS[name]
    before = content(book)
    with pytest.raises(ValueError):
        book.update_many(*columns)
    assert content(book) == before


@pytest.mark.parametrize("place", range(4))
@pytest.mark.parametrize("value", [[0, 0], b"\0\0", memoryview(b"\0\0"), 5])
def test_what_is_no_array_is_a_type_error(book: LevelBook, value: Any, place: int) -> None:
    columns: list[Any] = list(GOOD)
    columns[place] = value
    with pytest.raises(TypeError):
        book.update_many(*columns)


# --- snapshots, clearing, truncating


def test_a_snapshot_takes_the_place_of_all_levels(book: LevelBook) -> None:
    assert book.replace([(50, 1, 1)], ((60, 2, 2), (59, 1, 1))) is True
    assert (book.depth(BID, 9), book.depth(ASK, 9)) == ([(50, 1, 1)], [(59, 1, 1), (60, 2, 2)])
    assert (book.state, book.updates) == (BookState.LIVE, 0)


def test_a_snapshot_in_any_order_and_from_any_iterable(kind: type[LevelBook]) -> None:
    book, prices = kind(), [5, 300, 7, 250, 1]
    book.replace(((p, 1, 0) for p in prices), iter([[p + 500, 1, 0] for p in prices]))  # type: ignore[misc]
    assert [level.price for level in book.depth(BID, 9)] == sorted(prices, reverse=True)
    assert [level.price for level in book.depth(ASK, 9)] == sorted(p + 500 for p in prices)


def test_a_snapshot_that_shows_the_same_best_levels_changes_no_best(book: LevelBook) -> None:
    assert book.replace([(99, 5, 2)], [(101, 4, 3), (102, 1, 1)]) is False
    assert book.replace([(99, 5, 2)], []) is True
    assert book.replace([(99, 5, 1)], []) is True
    assert book.replace([], []) is True
    assert book.replace([], []) is False


def test_a_level_of_nothing_in_a_snapshot_is_left_out(kind: type[LevelBook]) -> None:
    book = kind(max_levels=1)
    book.replace([(5, 0, 0), (4, 1, 1), (4, 0, 0)], [])
    assert (book.depth(BID, 9), book.refused) == ([(4, 1, 1)], 0)


@pytest.mark.parametrize(
    "asks",
    [
        [(1, 1, 1), (1, 2, 1)],
        [(1, -1, 1)],
        [(1, 1, -1)],
        [(1, 0, 2**32)],
        [(price, 1, 1) for price in range(5)],
    ],
    ids=["a price twice", "negative", "orders negative", "orders of nothing", "too many levels"],
)
def test_a_snapshot_that_makes_no_sense_is_refused_whole(
    kind: type[LevelBook], asks: list[tuple[int, int, int]]
) -> None:
    book = kind(max_levels=4)
    book.replace([(3, 3, 3)], [(4, 4, 4)])
    before = content(book)
    assert book.replace([(1, 1, 1)], asks) is False
    assert (content(book), book.refused, book.state) == (before, 1, BookState.SUSPECT)


@pytest.mark.parametrize("level", [(1, 1), (1, 1, 1, 1), (1, 1.5, 1), (1, 2**63, 1), 7, "abc"])
def test_a_snapshot_of_something_else_is_an_error_and_changes_nothing(book: LevelBook, level: Any) -> None:
    before = content(book)
    with pytest.raises((TypeError, ValueError, OverflowError)):
        book.replace([(1, 1, 1)], [(5, 5, 5), level])
    assert (content(book), book.refused, book.state) == (before, 0, BookState.LIVE)


def test_clear_empties_one_side_or_both_and_keeps_the_state(book: LevelBook) -> None:
    book.clear(BID)
    assert (book.bid, book.ask) == (None, (101, 4, 3))
    book.clear()
    assert (book.bid, book.ask, book.state) == (None, None, BookState.LIVE)
    assert book.update(BID, 98, 1) is True
    assert book.depth(BID, 9) == [(98, 1, 0)]


def test_truncate_keeps_the_best(book: LevelBook) -> None:
    book.truncate(BID, 2)
    assert book.depth(BID, 9) == [(99, 5, 2), (98, 7, 1)]
    book.truncate(BID, 5)
    assert book.levels(BID) == 2
    book.truncate(BID, 0)
    assert (book.bid, book.ask) == (None, (101, 4, 3))


def test_truncate_does_not_count_levels_that_went(book: LevelBook) -> None:
    book.update(BID, 98, 0)
    book.truncate(BID, 2)
    assert book.depth(BID, 9) == [(99, 5, 2), (95, 1, 1)]
    book.update(BID, 98, 1)
    book.truncate(BID, 1)
    assert book.depth(BID, 9) == [(99, 5, 2)]


# --- reading


def test_depth_lists_the_best_first_and_no_more_than_there_are(book: LevelBook) -> None:
    assert book.depth(BID, 2) == [(99, 5, 2), (98, 7, 1)]
    assert book.depth(ASK, 10**12) == [(101, 4, 3), (103, 2, 1)]
    assert book.depth(ASK, 0) == []


def test_depth_skips_a_level_that_went(book: LevelBook) -> None:
    book.update(BID, 98, 0)
    assert book.depth(BID, 2) == [(99, 5, 2), (95, 1, 1)]
    assert book.depth_arrays(BID, 2)[0].tolist() == [99, 95]
    assert (book.levels(BID), book.quantity_at(BID, 98)) == (2, 0)


def test_depth_arrays_are_new_arrays_of_prices_and_quantities(book: LevelBook) -> None:
    prices, quantities = book.depth_arrays(BID, 2)
    assert (prices.dtype, quantities.dtype) == (np.int64, np.int64)
    assert (prices.tolist(), quantities.tolist()) == ([99, 98], [5, 7])
    prices[:] = 0
    assert book.depth(BID, 2) == [(99, 5, 2), (98, 7, 1)]
    assert [len(array) for array in book.depth_arrays(BID, 10**12)] == [3, 3]
    assert [len(array) for array in book.depth_arrays(BID, 0)] == [0, 0]


def test_the_quantity_at_a_price_is_zero_where_nothing_rests(book: LevelBook) -> None:
    assert [book.quantity_at(BID, price) for price in (99, 98, 97, 101)] == [5, 7, 0, 0]
    assert book.quantity_at(ASK, 101) == 4


@pytest.mark.parametrize("side", [2, -1, 255])
def test_reading_a_side_that_is_none_is_a_value_error(book: LevelBook, side: int) -> None:
    calls: list[Any] = [book.best, book.levels, book.clear]
    calls += [lambda s: book.depth(s, 1), lambda s: book.depth_arrays(s, 1)]
    calls += [lambda s: book.truncate(s, 1), lambda s: book.quantity_at(s, 1)]
    for call in calls:
        with pytest.raises(ValueError):
            call(side)


def test_a_negative_number_of_levels_is_a_value_error(book: LevelBook) -> None:
    before = content(book)
    for call in (book.depth, book.depth_arrays, book.truncate):
        with pytest.raises(ValueError):
            call(BID, -1)
    assert content(book) == before


@pytest.mark.parametrize(("bid", "crossed"), [(100, False), (101, True), (102, True)])
def test_a_book_is_crossed_when_the_bid_is_not_below_the_ask(book: LevelBook, bid: int, crossed: bool) -> None:
    book.update(BID, bid, 1)
    assert book.crossed is crossed


def test_a_book_with_one_side_is_not_crossed(book: LevelBook) -> None:
    book.clear(ASK)
    assert book.crossed is False


# --- state


@pytest.mark.parametrize("old", BookState)
@pytest.mark.parametrize("new", BookState)
def test_only_the_steps_of_the_table_are_taken(kind: type[LevelBook], old: BookState, new: BookState) -> None:
    book = kind()
    for step in {BookState.EMPTY: [], BookState.STALE: [BookState.LIVE, BookState.STALE]}.get(old, [old]):
        book.to(step)
    if new in TRANSITIONS[old] or new is old:
        book.to(new)
        assert book.state is new
    else:
        with pytest.raises(MisuseError, match=old.name):
            book.to(new)
        assert book.state is old
    assert book.quotable is (book.state is BookState.LIVE)


@pytest.mark.parametrize("state", [-1, 5, 255])
def test_a_state_that_is_none_is_a_misuse(book: LevelBook, state: int) -> None:
    with pytest.raises(MisuseError):
        book.to(state)
    assert book.state is BookState.LIVE


def test_statistics_are_a_snapshot_of_the_counters(book: LevelBook) -> None:
    book.update(BID, 99, 1)
    book.update(BID, 99, -1)
    statistics = book.statistics()
    book.clear()
    assert statistics == LevelBookStatistics(updates=1, refused=1, bids=3, asks=2)


def test_the_counters_cannot_be_set(book: LevelBook) -> None:
    for name in ("updates", "refused", "state", "quotable", "bid"):
        with pytest.raises(AttributeError):
            setattr(book, name, 0)


# --- size


def test_a_book_grows_and_shrinks_with_what_it_holds(kind: type[LevelBook]) -> None:
    book = kind()
    for base in (0, 10_000, 20_000):
        book.update_many(*arrays([(BID, base + 3 * i, 1 + i, 1) for i in range(1000)]))
        assert (book.levels(BID), book.bid) == (1000, (base + 2997, 1000, 1))
        book.update_many(*arrays([(BID, base + 3 * i, 0, 0) for i in range(999, 0, -1)]))
        assert book.depth(BID, 9) == [(base, 1, 1)]
        book.update(BID, base, 0)
    assert (book.bid, book.refused) == (None, 0)


def test_a_best_price_that_wanders_leaves_nothing_behind(kind: type[LevelBook]) -> None:
    book = kind()
    book.replace([(0, 1, 1), (1000, 2, 2)], [])
    for price in (*range(1001, 1300), *range(999, 700, -1), *range(5, 900, 5)):
        book.update(BID, price, 5)
        assert book.depth(BID, 9) == sorted([(price, 5, 0), (1000, 2, 2), (0, 1, 1)], reverse=True)
        book.update(BID, price, 0)
        assert book.depth(BID, 9) == [(1000, 2, 2), (0, 1, 1)]


def test_a_snapshot_of_as_many_levels_as_the_bound_allows(kind: type[LevelBook]) -> None:
    book = kind(max_levels=3000)
    book.replace([(price, 1, 1) for price in range(3000)], [])
    assert book.update(BID, 5000, 1) is False
    assert (book.levels(BID), book.refused) == (3000, 1)
    book.update(BID, 0, 0)
    assert book.update(BID, 5000, 1) is True
