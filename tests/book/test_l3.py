"""The books of single orders as somebody sees them who follows a feed; each test is run on the twin and on the core."""

from typing import Any

import numpy as np
import pytest

from netfeed.book import OrderBooks as Selected
from netfeed.book.change import CHANGE, NO_BOOK, NO_PRICE, NO_SIDE, NO_TIME, Kind, Refusal
from netfeed.book.l3 import MAX_TOTAL, BooksStatistics, OrderBooks
from netfeed.book.level import Level, Order, Side
from netfeed.book.state import TRANSITIONS, BookState
from netfeed.build import PURE
from netfeed.errors import MisuseError
from tests.book.order_books import BOTH, core

BID, ASK = Side.BID, Side.ASK


@pytest.fixture(params=BOTH)
def kind(request: pytest.FixtureRequest) -> type[OrderBooks]:
    return request.param


@pytest.fixture
def books(kind: type[OrderBooks]) -> OrderBooks:
    """Two LIVE books. In the first: 99 x (5, 7), 98 x 4 against 101 x 6, 103 x 2; orders 1 to 5. Nothing to take."""
    books = kind()
    first = books.add_book(BookState.LIVE)
    assert (first, books.add_book(BookState.LIVE)) == (0, 1)
    for order_id, side, price, quantity in (
        (1, BID, 99, 5), (2, BID, 99, 7), (3, BID, 98, 4), (4, ASK, 101, 6), (5, ASK, 103, 2),
    ):  # fmt: skip
        assert books.add(0, order_id, side, price, quantity) == 0
    books.end()
    books.take()
    return books


def said(books: OrderBooks) -> list[tuple[Any, ...]]:
    """Take the changes as tuples that read well."""
    rows = []
    for change in books.take():
        kind, book = Kind(change["kind"]), int(change["book"])
        if kind is Kind.BBO:
            rows.append((kind, book, Side(change["side"]), *(int(change[x]) for x in ("price", "quantity", "orders"))))
        elif kind is Kind.STATE:
            rows.append((kind, book, BookState(change["state"])))
        elif kind is Kind.REFUSED:
            rows.append((kind, book, Refusal(change["flags"]), int(change["reference"])))
        elif kind is Kind.GAP:
            rows.append((kind, book, int(change["sequence"]), int(change["reference"])))
        else:
            rows.append((kind, book, *(int(change[x]) for x in ("side", "price", "quantity", "reference", "flags"))))
    return rows


def content(books: OrderBooks, book: int = 0) -> tuple[list[Level], list[Level]]:
    return books.depth(book, BID, 10**6), books.depth(book, ASK, 10**6)


START = ([Level(99, 12, 2), Level(98, 4, 1)], [Level(101, 6, 1), Level(103, 2, 1)])


def refused(books: OrderBooks, reason: Refusal, order_id: int, book: int = 0) -> None:
    """The first book is as it was at the start, and `book` is SUSPECT for this one reason."""
    assert content(books) == START
    assert said(books) == [(Kind.REFUSED, book, reason, order_id), (Kind.STATE, book, BookState.SUSPECT)]
    assert books.state(book) == BookState.SUSPECT
    assert books.statistics().refused == {reason.name: 1}
    books.end()
    assert said(books) == []


def test_the_room_gives_the_build_that_runs() -> None:
    assert Selected is (OrderBooks if PURE else core.OrderBooks)


# --- orders and levels


def test_levels_are_listed_best_first_with_their_orders_counted(books: OrderBooks) -> None:
    assert content(books) == START
    assert books.depth(0, BID, 1) == [Level(99, 12, 2)]
    assert books.depth(0, ASK, 0) == books.depth(0, ASK, -1) == []
    assert (books.levels(0, BID), books.levels(0, ASK), books.levels(1, BID)) == (2, 2, 0)


def test_a_level_can_be_asked_for_by_its_price(books: OrderBooks) -> None:
    assert books.level(0, BID, 99) == Level(99, 12, 2)
    assert books.level(0, ASK, 99) is None
    assert books.level(1, BID, 99) is None


def test_an_order_is_found_with_its_book(books: OrderBooks) -> None:
    assert books.order(4) == (0, Order(4, ASK, 101, 6, 3))
    assert books.order(99) is None


def test_orders_at_a_price_queue_by_arrival(books: OrderBooks) -> None:
    assert [order.order_id for order in books.queue(0, BID, 99)] == [1, 2]
    assert books.queue(0, BID, 97) == []


def test_what_is_filled_before_an_order_is_what_stands_before_it_in_its_queue(books: OrderBooks) -> None:
    books.add(0, 6, BID, 99, 3)
    assert [books.ahead(0, BID, 99, order_id) for order_id in (1, 2, 6)] == [0, 5, 12]
    books.reduce(0, 1, 2)
    assert books.ahead(0, BID, 99, 6) == 10
    books.delete(0, 2)
    assert books.ahead(0, BID, 99, 6) == 3
    books.put(0, 1, BID, 99, 3, priority=9)
    assert (books.ahead(0, BID, 99, 6), books.ahead(0, BID, 99, 1)) == (0, 3)
    assert books.ahead(0, BID, 98, 3) == 0  # alone


def test_an_order_that_is_not_at_that_price_of_that_book_has_nothing_before_it(books: OrderBooks) -> None:
    for book, side, price, order_id in ((1, BID, 99, 1), (0, ASK, 99, 1), (0, BID, 98, 1), (0, BID, 99, 77)):
        assert books.ahead(book, side, price, order_id) is None


def test_a_sort_key_of_the_venue_overrides_arrival_and_ties_go_by_order_id(books: OrderBooks) -> None:
    books.add(1, 12, BID, 50, 1, priority=7)
    books.add(1, 11, BID, 50, 1, priority=7)
    books.add(1, 10, BID, 50, 1, priority=-3)
    assert [(order.order_id, order.priority) for order in books.queue(1, BID, 50)] == [(10, -3), (11, 7), (12, 7)]
    books.add(1, 13, BID, 50, 1)
    assert books.order(13) == (1, Order(13, BID, 50, 1, 5))  # five arrived before it without a key


def test_a_reduced_order_keeps_its_place_and_at_zero_it_is_gone(books: OrderBooks) -> None:
    assert books.reduce(0, 1, 4) == 0
    assert [(order.order_id, order.quantity) for order in books.queue(0, BID, 99)] == [(1, 1), (2, 7)]
    assert books.reduce(0, 1, 1) == 0
    assert books.order(1) is None
    assert content(books)[0] == [Level(99, 7, 1), Level(98, 4, 1)]


def test_a_resized_order_keeps_its_place(books: OrderBooks) -> None:
    assert books.resize(0, 1, 2) == 0
    assert books.resize(0, 2, 7) == 0  # the quantity it has
    assert books.queue(0, BID, 99) == [Order(1, BID, 99, 2, 0), Order(2, BID, 99, 7, 1)]


def test_the_last_order_takes_its_level_along(books: OrderBooks) -> None:
    assert books.delete(0, 4) == 0
    assert content(books)[1] == [Level(103, 2, 1)]
    assert books.delete(0, 5) == 0
    assert content(books)[1] == []


def test_a_replacement_stays_on_its_side_and_goes_to_the_end_of_the_queue(books: OrderBooks) -> None:
    assert books.replace(0, 1, 6, 99, 3) == 0
    assert [order.order_id for order in books.queue(0, BID, 99)] == [2, 6]
    assert books.replace(0, 4, 7, 104, 1) == 0
    assert content(books)[1] == [Level(103, 2, 1), Level(104, 1, 1)]


def test_a_replacement_may_keep_its_number(books: OrderBooks) -> None:
    assert books.replace(0, 1, 1, 97, 5) == 0
    assert books.order(1) == (0, Order(1, BID, 97, 5, 5))


def test_a_put_is_a_new_order_or_new_values_for_a_known_one(books: OrderBooks) -> None:
    assert books.put(1, 8, ASK, 20, 3, 40) == 0
    assert books.put(1, 8, ASK, 21, 9, 30) == 0
    assert books.order(8) == (1, Order(8, ASK, 21, 9, 30))
    assert content(books, 1) == ([], [Level(21, 9, 1)])


def test_books_are_apart_and_order_numbers_are_not(books: OrderBooks) -> None:
    books.add(1, 6, BID, 99, 1)
    assert content(books) == START
    assert len(books) == 2
    assert books.add(1, 1, BID, 99, 1) == Refusal.DUPLICATE_ORDER


def test_clearing_a_book_leaves_the_others_and_says_how_many_orders_went(books: OrderBooks) -> None:
    books.add(1, 6, BID, 99, 1)
    assert books.clear(0) == 5
    assert content(books) == ([], [])
    assert content(books, 1) == ([Level(99, 1, 1)], [])
    assert (books.order(1), books.order(6)) == (None, (1, Order(6, BID, 99, 1, 5)))
    assert books.clear(0) == 0


def test_clearing_all_books_leaves_none_an_order_and_announces_each(books: OrderBooks) -> None:
    books.add(1, 6, BID, 99, 1)
    books.end()
    books.take()
    assert books.clear_all() == 6
    books.end()
    assert [(row["book"], row["side"], row["quantity"]) for row in books.take()] == [(0, 0, 0), (0, 1, 0), (1, 0, 0)]
    assert (content(books), content(books, 1)) == (([], []), ([], []))
    assert (books.statistics().orders, books.clear_all()) == (0, 0)
    assert books.add(1, 1, ASK, 99, 1) == 0


@pytest.mark.parametrize("kind", BOTH)
def test_clearing_a_book_finds_its_orders_wherever_the_table_put_them(kind: type[OrderBooks]) -> None:
    """Numbers that share a place push each other into the old part, in runs that go over its end."""
    books = kind()
    for _ in range(3):
        books.add_book(BookState.LIVE)
    for number in range(9_000):
        assert books.add(number % 3, (number % 7) + (number // 7) * 262_144, BID, number % 50, 1) == 0
    assert books.clear(1) == 3_000
    assert (books.levels(1, BID), books.statistics().orders) == (0, 6_000)
    for number in range(9_000):
        found = books.order((number % 7) + (number // 7) * 262_144)
        assert (found is not None) == (number % 3 != 1)
        assert found is None or found[0] == number % 3
    assert books.clear_all() == 6_000
    assert books.statistics().orders == 0


def test_a_side_holds_a_thousand_levels_in_whatever_order_they_come(books: OrderBooks) -> None:
    prices = [int(price) for price in np.random.default_rng(5).permutation(1000)]
    for order_id, price in enumerate(prices, 100):
        books.add(1, order_id, BID, price, 1 + price)
    assert books.depth(1, BID, 2000) == [Level(price, 1 + price, 1) for price in range(999, -1, -1)]
    for order_id, price in enumerate(prices, 100):
        if price % 3:
            books.delete(1, order_id)
    assert books.depth(1, BID, 2000) == [Level(price, 1 + price, 1) for price in range(999, -1, -3)]


def test_order_numbers_that_look_alike_are_told_apart(books: OrderBooks) -> None:
    ids = [6 + k * 2**18 for k in range(40)] + [2**64 - 1, 0]
    for k, order_id in enumerate(ids):
        assert books.add(1, order_id, ASK, k, 1 + k) == 0
    for k, order_id in enumerate(ids):
        found = books.order(order_id)
        assert found is not None
        assert found[1][:4] == (order_id, ASK, k, 1 + k)
    for order_id in ids[::2]:
        assert books.delete(1, order_id) == 0
    assert [books.order(order_id) is None for order_id in ids] == [k % 2 == 0 for k in range(len(ids))]


def test_prices_reach_to_the_ends_of_64_bits(books: OrderBooks) -> None:
    ends = [2**63 - 1, 1, 0, -1, -(2**63) + 1]
    for side in Side:
        for k, price in enumerate(ends):
            assert books.add(1, 100 + 10 * side + k, side, price, 1) == 0
    assert [level.price for level in books.depth(1, BID, 9)] == ends
    assert [level.price for level in books.depth(1, ASK, 9)] == ends[::-1]


# --- what it announces


def test_the_end_of_a_transaction_announces_each_best_level_that_is_another(books: OrderBooks) -> None:
    books.add(0, 6, BID, 100, 1)
    books.delete(0, 5)
    assert said(books) == []
    books.end()
    assert said(books) == [(Kind.BBO, 0, BID, 100, 1, 1)]


def test_depth_behind_the_best_is_not_announced(books: OrderBooks) -> None:
    books.add(0, 6, BID, 98, 1)
    books.delete(0, 5)
    books.end()
    assert said(books) == []


def test_what_was_undone_within_a_transaction_is_not_announced(books: OrderBooks) -> None:
    books.add(0, 6, BID, 100, 1)
    books.delete(0, 6)
    books.end()
    assert said(books) == []


def test_an_empty_side_is_announced_without_a_price(books: OrderBooks) -> None:
    books.delete(0, 4)
    books.delete(0, 5)
    books.end()
    assert said(books) == [(Kind.BBO, 0, ASK, NO_PRICE, 0, 0)]


def test_books_are_announced_in_the_order_in_which_they_were_touched(books: OrderBooks) -> None:
    books.add(1, 6, ASK, 7, 1)
    books.reduce(0, 1, 1)
    books.add(1, 7, BID, 6, 1)
    books.end()
    assert said(books) == [
        (Kind.BBO, 1, BID, 6, 1, 1), (Kind.BBO, 1, ASK, 7, 1, 1), (Kind.BBO, 0, BID, 99, 11, 2),
    ]  # fmt: skip


def test_changes_carry_the_stamps_of_the_message(books: OrderBooks) -> None:
    books.at(77, 1_000, 2_000, 3)
    books.reduce(0, 1, 1)
    books.end()
    (change,) = books.take()
    assert [int(change[x]) for x in ("sequence", "ts_event_ns", "ts_recv_ns", "channel")] == [77, 1_000, 2_000, 3]
    assert (change["state"], change["flags"], change["reserved"]) == (BookState.LIVE, 0, 0)


def test_stamps_that_are_not_given_are_absent(books: OrderBooks) -> None:
    books.at(78)
    books.delete(0, 1)
    books.end()
    (change,) = books.take()
    assert (change["ts_event_ns"], change["ts_recv_ns"], change["channel"]) == (NO_TIME, NO_TIME, 0)


def test_an_execution_is_announced_and_moves_nothing(books: OrderBooks) -> None:
    books.trade(0, ASK, 101, 6, 2**64 - 1, 3)
    books.trade(1, NO_SIDE, 5, 6, 7)
    assert said(books) == [(Kind.TRADE, 0, ASK, 101, 6, 2**64 - 1, 3), (Kind.TRADE, 1, NO_SIDE, 5, 6, 7, 0)]
    assert content(books) == START


def test_changes_are_an_array_of_64_byte_records_and_are_taken_once(books: OrderBooks) -> None:
    books.trade(0, ASK, 101, 6, 1)
    taken = books.take()
    assert (taken.dtype, len(taken)) == (CHANGE, 1)
    assert len(books.take()) == 0


def test_ten_thousand_changes_wait_until_they_are_taken(books: OrderBooks) -> None:
    for match in range(10_000):
        books.trade(0, ASK, 101, 6, match)
    assert books.take()["reference"].tolist() == list(range(10_000))


def test_room_that_was_reserved_loses_nothing(books: OrderBooks) -> None:
    books.trade(0, ASK, 101, 6, 1)
    books.reserve(100_000)
    books.trade(0, ASK, 101, 6, 2)
    assert books.take()["reference"].tolist() == [1, 2]


# --- nonsense


def test_a_number_that_is_taken_is_refused(books: OrderBooks) -> None:
    assert books.add(0, 4, ASK, 101, 1) == Refusal.DUPLICATE_ORDER
    refused(books, Refusal.DUPLICATE_ORDER, 4)


@pytest.mark.parametrize("quantity", [0, -1, -(2**63)])
def test_an_order_of_nothing_is_refused(books: OrderBooks, quantity: int) -> None:
    assert books.add(0, 6, ASK, 101, quantity) == Refusal.BAD_QUANTITY
    refused(books, Refusal.BAD_QUANTITY, 6)


@pytest.mark.parametrize(("side", "price"), [(2, 5), (-1, 5), (255, 5), (2**32, 5), (BID, NO_PRICE), (ASK, NO_PRICE)])
def test_a_side_or_a_price_that_cannot_be_is_refused(books: OrderBooks, side: int, price: int) -> None:
    assert books.add(0, 6, side, price, 1) == Refusal.BAD_VALUE
    refused(books, Refusal.BAD_VALUE, 6)


@pytest.mark.parametrize("name", ["delete", "reduce", "resize", "replace"])
def test_an_order_that_is_not_there_is_refused(books: OrderBooks, name: str) -> None:
    rest = {"delete": (), "reduce": (1,), "resize": (1,), "replace": (7, 99, 1)}[name]
    assert getattr(books, name)(0, 6, *rest) == Refusal.UNKNOWN_ORDER
    refused(books, Refusal.UNKNOWN_ORDER, 6)


@pytest.mark.parametrize("name", ["delete", "reduce", "resize", "replace", "put"])
def test_an_order_of_another_book_is_refused(books: OrderBooks, name: str) -> None:
    rest = {"delete": (), "reduce": (1,), "resize": (1,), "replace": (7, 99, 1), "put": (BID, 99, 1, 0)}[name]
    assert getattr(books, name)(1, 2, *rest) == Refusal.WRONG_BOOK
    refused(books, Refusal.WRONG_BOOK, 2, book=1)


def test_an_order_that_changes_its_side_is_refused(books: OrderBooks) -> None:
    assert books.put(0, 2, ASK, 105, 1, 0) == Refusal.WRONG_BOOK
    refused(books, Refusal.WRONG_BOOK, 2)


@pytest.mark.parametrize("by", [0, 8, -1, -(2**63), 2**63 - 1])
def test_more_than_is_there_cannot_be_taken_off(books: OrderBooks, by: int) -> None:
    assert books.reduce(0, 2, by) == Refusal.BAD_QUANTITY
    refused(books, Refusal.BAD_QUANTITY, 2)


@pytest.mark.parametrize("quantity", [0, 8, -1])
def test_an_order_is_never_resized_upwards_or_to_nothing(books: OrderBooks, quantity: int) -> None:
    assert books.resize(0, 2, quantity) == Refusal.BAD_QUANTITY
    refused(books, Refusal.BAD_QUANTITY, 2)


def test_a_replacement_with_a_number_that_is_taken_is_refused(books: OrderBooks) -> None:
    assert books.replace(0, 1, 2, 99, 1) == Refusal.DUPLICATE_ORDER
    refused(books, Refusal.DUPLICATE_ORDER, 2)


def test_a_replacement_by_nothing_leaves_the_old_order(books: OrderBooks) -> None:
    assert books.replace(0, 1, 6, 99, 0) == Refusal.BAD_QUANTITY
    refused(books, Refusal.BAD_QUANTITY, 6)


def test_a_put_of_nothing_leaves_the_old_order(books: OrderBooks) -> None:
    assert books.put(0, 1, BID, 99, 0, 0) == Refusal.BAD_QUANTITY
    refused(books, Refusal.BAD_QUANTITY, 1)


def test_a_level_does_not_grow_beyond_its_bound(books: OrderBooks) -> None:
    assert books.add(1, 6, BID, 50, MAX_TOTAL) == 0
    assert books.add(1, 7, BID, 50, 2**32) == Refusal.BAD_QUANTITY
    assert books.add(1, 8, BID, 51, MAX_TOTAL + 1) == Refusal.BAD_QUANTITY
    assert books.add(1, 9, BID, 50, 2**32 - 1) == 0  # so small that 2**26 of them fit on top
    assert books.level(1, BID, 50) == Level(50, MAX_TOTAL + 2**32 - 1, 2)


def test_one_order_more_than_the_bound_is_refused_and_there_is_room_again_when_one_goes(kind: type[OrderBooks]) -> None:
    books = kind(max_orders=2)
    books.add_book(BookState.LIVE)
    assert [books.add(0, order_id, BID, 1, 1) for order_id in (1, 2, 3)] == [0, 0, Refusal.FULL]
    assert books.put(0, 4, BID, 1, 1, 0) == Refusal.FULL
    assert books.replace(0, 1, 3, 2, 1) == 0  # as many as before
    books.delete(0, 2)
    assert books.add(0, 4, BID, 1, 1) == 0
    assert books.statistics() == BooksStatistics(1, 2, 2, {"FULL": 2})


def test_one_book_more_than_the_bound_is_not_opened(kind: type[OrderBooks]) -> None:
    books = kind(max_books=1)
    assert [books.add_book(), books.add_book()] == [0, NO_BOOK]
    assert len(books) == 1


def test_nonsense_can_be_noted_from_outside_for_a_book_or_for_none(books: OrderBooks) -> None:
    assert books.refuse(1, Refusal.BAD_LENGTH, 12) == Refusal.BAD_LENGTH
    assert books.refuse(NO_BOOK, Refusal.BAD_LENGTH) == Refusal.BAD_LENGTH
    assert said(books) == [
        (Kind.REFUSED, 1, Refusal.BAD_LENGTH, 12), (Kind.STATE, 1, BookState.SUSPECT),
        (Kind.REFUSED, NO_BOOK, Refusal.BAD_LENGTH, 0),
    ]  # fmt: skip
    assert books.statistics().refused == {"BAD_LENGTH": 2}


@pytest.mark.parametrize("state", [state for state in BookState if state is not BookState.LIVE])
def test_nonsense_does_not_move_a_book_that_is_not_live(kind: type[OrderBooks], state: BookState) -> None:
    books = kind()
    books.add_book(state)
    books.delete(0, 1)
    assert books.state(0) == state


@pytest.mark.parametrize("book", [2, -1, NO_BOOK, 2**62])
def test_a_book_that_is_not_there_is_the_callers_mistake(books: OrderBooks, book: int) -> None:
    calls: list[tuple[Any, ...]] = [
        ("add", 9, BID, 1, 1), ("put", 9, BID, 1, 1, 0), ("reduce", 1, 1), ("resize", 1, 1), ("delete", 1),
        ("replace", 1, 9, 1, 1), ("clear",), ("trade", BID, 1, 1, 1), ("state",), ("to", BookState.LIVE),
        ("judge", True), ("levels", BID), ("depth", BID, 1), ("level", BID, 1), ("queue", BID, 1),
        ("ahead", BID, 1, 1),
    ]  # fmt: skip
    for name, *arguments in calls:
        with pytest.raises(MisuseError, match="book"):
            getattr(books, name)(book, *arguments)
    if book != NO_BOOK:
        with pytest.raises(MisuseError, match="book"):
            books.refuse(book, Refusal.CROSSED)
    assert (content(books), said(books), books.statistics().refused) == (START, [], {})


@pytest.mark.parametrize("side", [2, -1, 2**40])
def test_a_side_that_is_not_there_cannot_be_read(books: OrderBooks, side: int) -> None:
    for name, *arguments in (("levels",), ("depth", 1), ("level", 99), ("queue", 99), ("ahead", 99, 1)):
        with pytest.raises(MisuseError, match="side"):
            getattr(books, name)(0, side, *arguments)


@pytest.mark.parametrize("reason", [0, max(Refusal) + 1, 16, -1])
def test_what_is_no_refusal_cannot_be_noted(books: OrderBooks, reason: int) -> None:
    with pytest.raises(MisuseError, match="refusal"):
        books.refuse(0, reason)
    assert said(books) == []


# --- state


@pytest.mark.parametrize("old", BookState)
@pytest.mark.parametrize("new", BookState)
def test_a_book_goes_where_the_table_of_states_lets_it(kind: type[OrderBooks], old: BookState, new: BookState) -> None:
    books = kind()
    books.add_book(old)
    if new in TRANSITIONS[old]:
        books.to(0, new)
        assert said(books) == [(Kind.STATE, 0, new)]
    elif new is old:
        books.to(0, new)
        assert said(books) == []
    else:
        with pytest.raises(MisuseError, match=f"{old.name} to {new.name}"):
            books.to(0, new)
        assert books.state(0) == old


@pytest.mark.parametrize("state", [-1, 5, 256])
def test_a_state_that_is_none_is_not_taken(books: OrderBooks, state: int) -> None:
    with pytest.raises(ValueError):
        books.to(0, state)
    with pytest.raises(ValueError):
        books.add_book(state)
    assert (books.state(0), len(books)) == (BookState.LIVE, 2)


def test_a_loss_makes_every_book_suspect(books: OrderBooks) -> None:
    books.add_book(BookState.SUSPECT)
    books.at(20, 1, 2, 3)
    books.suspect_all(10, 19)
    taken = books.take().copy()
    assert taken["channel"].tolist() == [3, 3, 3]
    assert [int(taken[0][x]) for x in ("kind", "book", "sequence", "reference")] == [Kind.GAP, NO_BOOK, 10, 19]
    assert taken["book"].tolist() == [NO_BOOK, 0, 1]
    assert [books.state(book) for book in range(3)] == [BookState.SUSPECT] * 3


def test_a_thousand_books_are_suspect_at_once(kind: type[OrderBooks]) -> None:
    books = kind()
    for _ in range(10_000):
        books.add_book(BookState.LIVE)
    books.suspect_all(1, 2)
    assert len(books.take()) == 10_001


# --- crossing


@pytest.mark.parametrize("price", [101, 102])
def test_a_book_that_stands_crossed_at_the_end_of_a_transaction_is_suspect(books: OrderBooks, price: int) -> None:
    books.add(0, 6, BID, price, 1)
    books.end()
    assert said(books) == [
        (Kind.BBO, 0, BID, price, 1, 1), (Kind.REFUSED, 0, Refusal.CROSSED, 0), (Kind.STATE, 0, BookState.SUSPECT),
    ]  # fmt: skip
    books.reduce(0, 4, 1)
    books.end()
    assert said(books) == [(Kind.BBO, 0, ASK, 101, 5, 1)]  # it is known by now
    assert books.statistics().refused == {"CROSSED": 1}


def test_a_cross_within_a_transaction_is_normal(books: OrderBooks) -> None:
    books.add(0, 6, BID, 101, 1)
    books.delete(0, 4)
    books.end()
    assert books.state(0) == BookState.LIVE


def test_a_book_that_is_not_judged_may_be_crossed_until_it_is_judged_and_touched_again(books: OrderBooks) -> None:
    books.judge(0, False)
    books.add(0, 6, BID, 105, 1)
    books.end()
    books.judge(0, True)
    books.end()
    assert books.state(0) == BookState.LIVE
    books.reduce(0, 3, 1)
    books.end()
    assert books.state(0) == BookState.SUSPECT


def test_a_side_alone_is_never_crossed(books: OrderBooks) -> None:
    for price in (2**63 - 1, -(2**63) + 1):
        books.clear(1)
        books.add(1, 6, ASK, price, 1)
        books.end()
        assert books.state(1) == BookState.LIVE


# --- counters


def test_the_counters_say_what_is_alive_and_what_was_at_most(books: OrderBooks) -> None:
    assert books.statistics() == BooksStatistics(2, 5, 5, {})
    books.delete(0, 1)
    books.delete(0, 1)
    books.add(0, 0, BID, 1, 1)
    books.clear(0)
    assert books.statistics() == BooksStatistics(2, 0, 5, {"UNKNOWN_ORDER": 1})
