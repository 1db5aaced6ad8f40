"""The board: what was written is what is read, what has changed is told once, and queues are counted from the books."""

import pytest

from netfeed.book.handle import OrderBook
from netfeed.book.level import Side
from netfeed.book.state import BookState
from netfeed.engine.board import Board, ahead
from netfeed.engine.strategy import Fair, View, Working
from netfeed.errors import MisuseError
from tests.engine.stage import CALL, CONTRACTS, FAIRS, FUTURE, LINEAR, PERPETUAL, Stage


def test_it_is_a_view() -> None:
    view: View = Stage().board
    assert view.fair(CALL) == FAIRS[CALL]
    assert view.working(CALL) == ()
    assert view.position(CALL) == 0
    assert view.filled_ns(CALL) is None
    assert view.book(CALL).state is BookState.LIVE


def test_what_has_changed_is_told_once() -> None:
    board = Board(CONTRACTS)
    board.set_position(CALL, 3, filled_ns=9)
    board.set_working(FUTURE, [Working(1, FUTURE, Side.BID, 5, 10)])
    board.set_fairs({LINEAR: None})
    board.touch([PERPETUAL])
    assert board.take_touched() == {CALL, FUTURE, LINEAR, PERPETUAL}
    assert board.take_touched() == frozenset()
    assert board.filled_ns(CALL) == 9
    board.set_position(CALL, 4)
    assert board.filled_ns(CALL) == 9, "a reconciliation is no fill"


def test_the_greeks_are_of_all_that_is_held_and_names_what_it_cannot_count() -> None:
    board = Stage().board
    board.set_position(CALL, 20)
    board.set_position(FUTURE, -500)
    assert board.greeks("BTC").delta == pytest.approx(2 * 0.45 - 0.5)
    assert board.greeks("BTC").vega == pytest.approx(22_000.0)
    assert board.greeks("ETH").delta == 0
    board.set_fairs({FUTURE: None})
    assert board.greeks("BTC").unknown == (FUTURE,)
    assert board.greeks("BTC").delta == pytest.approx(0.9)
    board.set_fairs({FUTURE: Fair(1e5, 1e5, 1.0, 0, 0)})
    assert board.greeks("BTC").unknown == ()


def test_what_is_not_there_is_the_callers_mistake() -> None:
    board = Board(CONTRACTS)
    with pytest.raises(MisuseError, match="no book"):
        board.book(CALL)
    with pytest.raises(MisuseError, match="no contract"):
        board.set_position(99, 1)


def test_what_is_before_an_order_in_its_queue_is_counted_from_the_book() -> None:
    stage = Stage()
    stage.books.clear(CALL)
    for order_id, quantity, priority in ((11, 5, 1), (12, 7, 2), (13, 9, 3)):
        stage.books.add(CALL, order_id, Side.BID, 290, quantity, priority)
    queue = OrderBook(stage.books, CALL).queue(Side.BID, 290)
    assert [ahead(queue, order_id) for order_id in (11, 12, 13, 14)] == [0, 5, 12, None]
    stage.books.reduce(CALL, 11, 2)
    assert ahead(OrderBook(stage.books, CALL).queue(Side.BID, 290), 13) == 10
